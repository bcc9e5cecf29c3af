//! When small encodings become large ones: the thresholds of the `*-max-listpack-*` directives and their relatives, as plain values.

/// The thresholds. `Default` is what the directives default to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most fields of a packed hash.
    pub hash_max_listpack_entries: u64,
    /// Longest field or value of a packed hash, in bytes.
    pub hash_max_listpack_value: u64,
    /// Elements of one piece of a list when positive; -1 to -5 stand for 4, 8, 16, 32 or 64 KiB.
    pub list_max_listpack_size: i32,
    /// Pieces at either end of a list that are not compressed; 0: none is.
    pub list_compress_depth: u32,
    /// List elements of at least so many bytes are kept by themselves; 0: those that no listpack could hold. For tests.
    pub list_plain_from: u64,
    /// Most members of a set of integers kept as an array.
    pub set_max_intset_entries: u64,
    /// Most members of a packed set.
    pub set_max_listpack_entries: u64,
    /// Longest member of a packed set, in bytes.
    pub set_max_listpack_value: u64,
    /// Most members of a packed sorted set.
    pub zset_max_listpack_entries: u64,
    /// Longest member of a packed sorted set, in bytes.
    pub zset_max_listpack_value: u64,
    /// Bytes of a sparse HyperLogLog, its header included.
    pub hll_sparse_max_bytes: u64,
    /// Bytes of one node of a stream; 0: no limit.
    pub stream_node_max_bytes: u64,
    /// Entries of one node of a stream; 0: no limit.
    pub stream_node_max_entries: u64,
}

impl Limits {
    /// What the directives default to.
    pub const DEFAULT: Limits = Limits {
        hash_max_listpack_entries: 512,
        hash_max_listpack_value: 64,
        list_max_listpack_size: -2,
        list_compress_depth: 0,
        list_plain_from: 0,
        set_max_intset_entries: 512,
        set_max_listpack_entries: 128,
        set_max_listpack_value: 64,
        zset_max_listpack_entries: 128,
        zset_max_listpack_value: 64,
        hll_sparse_max_bytes: 3000,
        stream_node_max_bytes: 4096,
        stream_node_max_entries: 100,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
