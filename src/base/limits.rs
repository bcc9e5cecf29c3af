//! Every bound in one page, each with its reason. A bound that users may change is a directive, not a constant here.

/// Longest inline request, and longest header line (`*3`, `$11`) of a request: Redis's 64 KiB.
pub const INLINE_MAX: usize = 64 * 1024;

/// Most arguments in one request once authenticated: Redis's limit (INT_MAX).
pub const MULTIBULK_MAX: i64 = i32::MAX as i64;

/// Most arguments in one request before authentication: nobody needs ten words to log in.
pub const MULTIBULK_MAX_UNAUTHENTICATED: i64 = 10;

/// Largest argument before authentication.
pub const BULK_MAX_UNAUTHENTICATED: u64 = 16 * 1024;

/// Largest argument whatever `proto-max-bulk-len` says: lengths of keys are kept in four bytes.
pub const BULK_MAX: u64 = u32::MAX as u64;

/// Arguments of at least this size are read into a buffer of their own and shared from there on, never copied. Redis's
/// PROTO_MBULK_BIG_ARG: below it a copy is cheaper than the bookkeeping.
pub const BIG_ARG: usize = 32 * 1024;

/// String values larger than this live in shared memory outside their entry, so that GET and a snapshot can hand them
/// out by reference.
pub const INLINE_VALUE_MAX: usize = 4 * 1024;

/// What one read from a socket asks for.
pub const READ_CHUNK: usize = 16 * 1024;

/// Most commands parsed from all clients before they are executed: enough to overlap cache misses, few enough that
/// what was prefetched is still in the first-level cache.
pub const BATCH_COMMANDS: usize = 64;

/// A group of commands that takes longer, in microseconds, is the last one of its kind in a turn: what its clients have sent besides
/// waits for the next, so that others are not kept waiting by long pipelines of slow commands. It is far above what groups of
/// quick commands take, whose replies shall not be sent in smaller pieces than necessary.
pub const SLOW_GROUP_US: u64 = 250;

/// Longest slice of background work (expiry, snapshot, eviction) in one turn of the loop, in microseconds.
pub const SLICE_MAX_US: u64 = 1000;

/// Bytes of text that one pattern match may look at again after a star's first attempt failed: a few milliseconds of
/// work. Real patterns over real keys stay below a thousand.
pub const GLOB_RETRY_MAX: u64 = 1 << 22;

/// Stars in one pattern: Redis's limit of nesting. A pattern with more matches nothing.
pub const GLOB_STARS_MAX: u32 = 1000;

/// Longest message of one log line, in bytes; the rest is cut. Redis cuts at 1 KiB.
pub const LOG_LINE_MAX: usize = 8 * 1024;

/// Largest config file, and largest text of all config files of one start together.
pub const CONFIG_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory of one interpreter. Redis has no limit, so that a few lines of Lua fill the machine.
pub const SCRIPT_MEMORY_MAX: usize = 1024 * 1024 * 1024;

/// Largest ACL file: some ten thousand users with long rules.
pub const ACL_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Largest file with certificates or a key. All authorities of a system are some 250 KiB.
pub const TLS_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Clients in the middle of a TLS handshake at a time. Those who take longer than [`TLS_HANDSHAKE_HURRY_MS`] make place for others then.
pub const TLS_HANDSHAKES_MAX: usize = 1024;

/// How long a client may take for its TLS handshake: some lost packets on a slow line.
pub const TLS_HANDSHAKE_MS: u64 = 10_000;

/// The same while as many as [`TLS_HANDSHAKES_MAX`] are at it.
pub const TLS_HANDSHAKE_HURRY_MS: u64 = 1_000;

/// Steps of TLS handshakes in one turn of the loop. A signature with an RSA key takes about a millisecond.
pub const TLS_STEPS_PER_TURN: usize = 4;

/// How deep config files may include each other. Redis has no limit and overflows its stack on a cycle.
pub const CONFIG_INCLUDE_DEPTH_MAX: usize = 16;
/// Longest string an RDB file may hold: entries keep lengths in 32 bits.
pub const RDB_STRING_MAX: u64 = u32::MAX as u64;

/// Kinds of errors counted apart in INFO's `errorstats`. Ours are some twenty; scripts may make up any.
pub const ERROR_KINDS_MAX: usize = 128;

/// Most replicas and most other Sentinels kept per monitored master. Hellos and INFO texts come from outside; the largest
/// real groups are far below.
pub const SENTINEL_INSTANCES_MAX: usize = 2000;

/// Most host names a Sentinel remembers or looks up at a time.
pub const SENTINEL_NAMES_MAX: usize = 4096;

/// Longest hello message looked at. A real one is below 300 bytes plus the master's name.
pub const SENTINEL_HELLO_MAX: usize = 4096;

/// Longest INFO text looked at, and kept for INFO-CACHE. A master with a thousand replicas stays below 200 KB.
pub const SENTINEL_INFO_MAX: usize = 1024 * 1024;

/// Longest string that a command of our master or of the AOF may make, where `proto-max-bulk-len` is smaller: the master
/// may have been allowed more than we are. An offset beyond it is damage.
pub const HISTORY_STRING_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Largest listpack: Redis's safety limit of 1 GiB. What would grow beyond takes another encoding.
pub const LISTPACK_MAX: usize = 1 << 30;

/// Longest reply that a negative count of SRANDMEMBER and its relatives may ask for: such a reply has nothing to do with how much data there are.
pub const REPEATED_REPLY_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// How deep what a script returns may be nested. Each level takes a frame of the stack.
pub const SCRIPT_REPLY_DEPTH: usize = 400;
/// How many tables what a script returns may have. One that contains itself twice would never end.
pub const SCRIPT_REPLY_TABLES: u32 = 16 * 1024 * 1024;
