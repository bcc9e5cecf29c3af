//! When small encodings become large ones.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{Apply, Directive, Flags, INT_MAX, Kind, LONG_MAX, RUNTIME, START, integer};
use crate::config::table::Group;

/// When small encodings become large ones.
pub static GROUP: Group = Group {
    title: "Encodings",
    intro: "Small collections are kept in one compact piece of memory. These are the sizes at which they change into \
            tables.",
    directives: &[
        Directive {
            name: "hash-max-listpack-entries",
            alias: Some("hash-max-ziplist-entries"),
            kind: integer!(Int, encoding.hash_max_listpack_entries, 512, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Most fields of a compact hash.",
            ..RUNTIME
        },
        Directive {
            name: "hash-max-listpack-value",
            alias: Some("hash-max-ziplist-value"),
            kind: integer!(Bytes, encoding.hash_max_listpack_value, 64, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Longest field or value of a compact hash.",
            ..RUNTIME
        },
        Directive {
            name: "list-max-listpack-size",
            alias: Some("list-max-ziplist-size"),
            kind: integer!(Int, encoding.list_max_listpack_size, -2, i32::MIN as i128..=INT_MAX),
            apply: Some(Apply::Encoding),
            doc: "Size of one piece of a list: elements when positive; -1 to -5 mean 4, 8, 16, 32 or 64 KiB.",
            ..RUNTIME
        },
        Directive {
            name: "list-compress-depth",
            kind: integer!(Int, encoding.list_compress_depth, 0, 0..=INT_MAX),
            flags: Flags::DEBUG,
            apply: Some(Apply::Encoding),
            doc: "Pieces at either end of a list that are not compressed. 0: none is.",
            ..RUNTIME
        },
        Directive {
            name: "set-max-intset-entries",
            kind: integer!(Int, encoding.set_max_intset_entries, 512, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Most members of a compact set of integers.",
            ..RUNTIME
        },
        Directive {
            name: "set-max-listpack-entries",
            kind: integer!(Int, encoding.set_max_listpack_entries, 128, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Most members of a compact set.",
            ..RUNTIME
        },
        Directive {
            name: "set-max-listpack-value",
            kind: integer!(Int, encoding.set_max_listpack_value, 64, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Longest member of a compact set.",
            ..RUNTIME
        },
        Directive {
            name: "zset-max-listpack-entries",
            alias: Some("zset-max-ziplist-entries"),
            kind: integer!(Int, encoding.zset_max_listpack_entries, 128, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Most members of a compact sorted set.",
            ..RUNTIME
        },
        Directive {
            name: "zset-max-listpack-value",
            alias: Some("zset-max-ziplist-value"),
            kind: integer!(Bytes, encoding.zset_max_listpack_value, 64, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Longest member of a compact sorted set.",
            ..RUNTIME
        },
        Directive {
            name: "hll-sparse-max-bytes",
            kind: integer!(Bytes, encoding.hll_sparse_max_bytes, 3000, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Largest sparse HyperLogLog.",
            ..RUNTIME
        },
        Directive {
            name: "stream-node-max-bytes",
            kind: integer!(Bytes, encoding.stream_node_max_bytes, 4096, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Most bytes of one piece of a stream. 0: no limit.",
            ..RUNTIME
        },
        Directive {
            name: "stream-node-max-entries",
            kind: integer!(Int, encoding.stream_node_max_entries, 100, 0..=LONG_MAX),
            apply: Some(Apply::Encoding),
            doc: "Most entries of one piece of a stream. 0: no limit.",
            ..RUNTIME
        },
        Directive {
            name: "list-max-ziplist-entries",
            kind: Kind::Ignored,
            effect: NoSubject("Redis gave it up"),
            doc: "Given up by Redis.",
            ..START
        },
        Directive {
            name: "list-max-ziplist-value",
            kind: Kind::Ignored,
            effect: NoSubject("Redis gave it up"),
            doc: "Given up by Redis.",
            ..START
        },
    ],
};
