//! The layout of an RDB file, and the numbers in it.
//!
//! ```text
//! "REDIS" 4 digits                 magic and version ("VALKEY" and 3 digits in files of Valkey 9)
//! 250 name value                   facts about the file, several
//! 245 source                       a function library, several
//! 254 db                           the keys that follow are in this database
//! 251 keys expires                 how many there will be, a hint
//!   [252 ms:8 | 253 seconds:4]     expiry of the next key, little endian
//!   [248 seconds | 249 counter:1]  how long it was idle, or its LFU counter
//!   type key value                 a key
//! 255 crc:8                        the end; the checksum is there from version 5 on, 0 when it was not computed
//! ```
//!
//! `db`, `keys`, `expires` and idle `seconds` are lengths (`length.rs`), names, values and keys are strings. A string is
//! a length and that many bytes, or an integer in 1, 2 or 4 bytes, or LZF-compressed bytes:
//!
//! ```text
//! SET a 1        00 01 61 c0 01              type string, "a", int8 1
//! SET b hello    00 01 62 05 68 65 6c 6c 6f
//! SET c aaa…(40) 00 01 63 c3 09 28 …         LZF: 9 bytes that become 40
//! ```
//!
//! Source: the observed output of Redis 7.0.15 and 7.2.6.

/// The version we write: the newest that Redis 7.0 reads. Everything a file of strings needs has been there since
/// version 9; a higher number would only shut out older servers (`docs/differences.md`).
pub const VERSION_WRITTEN: u32 = 10;

/// The newest `REDIS` version we read.
pub const VERSION_MAX: u32 = 12;

/// The `VALKEY` version we read.
pub const VALKEY_VERSION: u32 = 80;

/// From this version on a file ends with a checksum.
pub const VERSION_WITH_CHECKSUM: u32 = 5;

/// Bytes of magic and version together.
pub const MAGIC_LEN: usize = 9;

/// Slot information of a cluster node: three lengths, only hints.
pub const SLOT_INFO: u8 = 244;
/// A function library.
pub const FUNCTION2: u8 = 245;
/// A function library as release candidates of 7.0 wrote it.
pub const FUNCTION_PRE_GA: u8 = 246;
/// Data of a module outside any key.
pub const MODULE_AUX: u8 = 247;
/// Idle time of the next key.
pub const IDLE: u8 = 248;
/// LFU counter of the next key.
pub const FREQ: u8 = 249;
/// A fact about the file.
pub const AUX: u8 = 250;
/// Size hints for the database.
pub const RESIZEDB: u8 = 251;
/// Expiry of the next key in milliseconds.
pub const EXPIRETIME_MS: u8 = 252;
/// Expiry of the next key in seconds.
pub const EXPIRETIME: u8 = 253;
/// Another database begins.
pub const SELECTDB: u8 = 254;
/// The end.
pub const EOF: u8 = 255;

/// The value type of strings.
pub const TYPE_STRING: u8 = 0;
/// A list, element by element (before 3.2).
pub const TYPE_LIST: u8 = 1;
/// A set, member by member.
pub const TYPE_SET: u8 = 2;
/// A sorted set with scores as text (before 4.0).
pub const TYPE_ZSET: u8 = 3;
/// A hash, field by field.
pub const TYPE_HASH: u8 = 4;
/// A sorted set with binary scores.
pub const TYPE_ZSET_2: u8 = 5;
/// A small hash as a zipmap (before 2.6).
pub const TYPE_HASH_ZIPMAP: u8 = 9;
/// A small list as a ziplist.
pub const TYPE_LIST_ZIPLIST: u8 = 10;
/// A set of integers as an array.
pub const TYPE_SET_INTSET: u8 = 11;
/// A small sorted set as a ziplist.
pub const TYPE_ZSET_ZIPLIST: u8 = 12;
/// A small hash as a ziplist.
pub const TYPE_HASH_ZIPLIST: u8 = 13;
/// A list of ziplists (3.2 to 6.2).
pub const TYPE_LIST_QUICKLIST: u8 = 14;
/// A stream (5.0).
pub const TYPE_STREAM_LISTPACKS: u8 = 15;
/// A small hash as a listpack.
pub const TYPE_HASH_LISTPACK: u8 = 16;
/// A small sorted set as a listpack.
pub const TYPE_ZSET_LISTPACK: u8 = 17;
/// A list of listpacks and single large elements.
pub const TYPE_LIST_QUICKLIST_2: u8 = 18;
/// A stream with the counters of 7.0.
pub const TYPE_STREAM_LISTPACKS_2: u8 = 19;
/// A small set as a listpack (7.2).
pub const TYPE_SET_LISTPACK: u8 = 20;
/// A stream with the consumers' times of 7.2.
pub const TYPE_STREAM_LISTPACKS_3: u8 = 21;
/// A hash whose fields have expiries, as candidates of 7.4 wrote it.
pub const TYPE_HASH_METADATA_PRE_GA: u8 = 22;
/// A small hash whose fields have expiries, as candidates of 7.4 wrote it.
pub const TYPE_HASH_LISTPACK_EX_PRE_GA: u8 = 23;
/// A hash whose fields have expiries (7.4).
pub const TYPE_HASH_METADATA: u8 = 24;
/// A small hash whose fields have expiries, as a listpack (7.4).
pub const TYPE_HASH_LISTPACK_EX: u8 = 25;

/// String form: one signed byte.
pub const ENC_INT8: u8 = 0;
/// String form: two bytes, little endian, signed.
pub const ENC_INT16: u8 = 1;
/// String form: four bytes, little endian, signed.
pub const ENC_INT32: u8 = 2;
/// String form: compressed length, original length, LZF data.
pub const ENC_LZF: u8 = 3;

/// What a type number stands for, in words for an error message; `None` when no version up to ours defines it.
pub fn type_name(id: u8) -> Option<&'static str> {
    Some(match id {
        TYPE_STRING => "string",
        1 => "list",
        2 => "set",
        3 | 5 => "sorted set",
        4 => "hash",
        6 | 7 => "module value",
        9 => "hash (zipmap)",
        10 => "list (ziplist)",
        11 => "set (intset)",
        12 => "sorted set (ziplist)",
        13 => "hash (ziplist)",
        14 | 18 => "list (quicklist)",
        15 | 19 | 21 => "stream",
        16 => "hash (listpack)",
        17 => "sorted set (listpack)",
        20 => "set (listpack)",
        22..=25 => "hash with field expiry",
        _ => return None,
    })
}
