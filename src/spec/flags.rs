//! The two bit sets of a command: behaviour flags, and the ACL categories it belongs to.

use std::fmt;

macro_rules! bit_set {
    ($(#[$doc:meta])* $name:ident: $repr:ty { $($(#[$bit_doc:meta])* $bit:ident = $shift:expr, $word:expr;)* }) => {
        $(#[$doc])*
        ///
        /// Sets are joined with `and` and asked with `has`.
        #[derive(Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name($repr);

        impl $name {
            /// The empty set.
            pub const NONE: $name = $name(0);
            $($(#[$bit_doc])* pub const $bit: $name = $name(1 << $shift);)*
            /// Every member with its public word, in Redis's order.
            pub const ALL: &'static [($name, &'static str)] = &[$(($name::$bit, $word),)*];

            /// Both sets together.
            pub const fn and(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }

            /// What is in this set and not in the other.
            pub const fn without(self, other: $name) -> $name {
                $name(self.0 & !other.0)
            }

            /// Everything that is not in this set.
            pub const fn complement(self) -> $name {
                $name(!self.0)
            }

            /// Whether any member of `other` is in this set.
            pub const fn has(self, other: $name) -> bool {
                self.0 & other.0 != 0
            }

            /// The bits, for tables indexed by them.
            pub const fn bits(self) -> $repr {
                self.0
            }

            /// The member with this public word.
            pub fn named(word: &str) -> Option<$name> {
                $name::ALL.iter().find(|(_, w)| w.eq_ignore_ascii_case(word)).map(|(bit, _)| *bit)
            }

            /// The public words of the members, in Redis's order.
            pub fn words(self) -> impl Iterator<Item = &'static str> {
                $name::ALL.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, word)| *word)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_set().entries(self.words()).finish()
            }
        }
    };
}

bit_set! {
    /// What a command may do and when it may run. The words are those of COMMAND INFO.
    Flags: u32 {
        /// May change the data set.
        WRITE = 0, "write";
        /// Only reads.
        READONLY = 1, "readonly";
        /// Refused when memory is used up.
        DENYOOM = 2, "denyoom";
        /// Administration.
        ADMIN = 4, "admin";
        /// Publish or subscribe.
        PUBSUB = 5, "pubsub";
        /// Not from scripts.
        NOSCRIPT = 6, "noscript";
        /// May block the client.
        BLOCKING = 8, "blocking";
        /// Allowed while loading.
        LOADING = 9, "loading";
        /// Allowed on a replica whose data are stale.
        STALE = 10, "stale";
        /// Not shown to MONITOR.
        SKIP_MONITOR = 11, "skip_monitor";
        /// Not kept in the slow log.
        SKIP_SLOWLOG = 12, "skip_slowlog";
        /// Allowed while a cluster slot is being imported.
        ASKING = 13, "asking";
        /// Constant or logarithmic time.
        FAST = 14, "fast";
        /// Needs no authentication.
        NO_AUTH = 15, "no_auth";
        /// May add to the stream for replicas although it is no write (PUBLISH). Not shown.
        MAY_REPLICATE = 16, "may_replicate";
        /// Allowed on a Sentinel. Not shown.
        SENTINEL = 17, "sentinel";
        /// Only on a Sentinel. Not shown.
        ONLY_SENTINEL = 18, "only_sentinel";
        /// Not while loading in the background.
        NO_ASYNC_LOADING = 20, "no_async_loading";
        /// Not inside MULTI.
        NO_MULTI = 21, "no_multi";
        /// Keys cannot be told from positions alone.
        MOVABLEKEYS = 22, "movablekeys";
        /// Allowed while a script is stuck.
        ALLOW_BUSY = 23, "allow_busy";
        /// Needs `enable-…-command`. Not shown.
        PROTECTED = 24, "protected";
        /// No mandatory keys.
        NO_MANDATORY_KEYS = 25, "no_mandatory_keys";
        /// May touch keys that are not among its arguments. Not shown.
        TOUCHES_ARBITRARY_KEYS = 26, "touches_arbitrary_keys";
    }
}

impl Flags {
    /// Flags that COMMAND INFO does not show.
    pub const HIDDEN: Flags = Flags::MAY_REPLICATE
        .and(Flags::SENTINEL)
        .and(Flags::ONLY_SENTINEL)
        .and(Flags::PROTECTED)
        .and(Flags::TOUCHES_ARBITRARY_KEYS);
}

bit_set! {
    /// ACL categories, in the order of ACL CAT.
    Category: u32 {
        /// Concerns key names.
        KEYSPACE = 0, "keyspace";
        /// Reads.
        READ = 1, "read";
        /// Writes.
        WRITE = 2, "write";
        /// Sets.
        SET = 3, "set";
        /// Sorted sets.
        SORTEDSET = 4, "sortedset";
        /// Lists.
        LIST = 5, "list";
        /// Hashes.
        HASH = 6, "hash";
        /// Strings.
        STRING = 7, "string";
        /// Bitmaps.
        BITMAP = 8, "bitmap";
        /// HyperLogLogs.
        HYPERLOGLOG = 9, "hyperloglog";
        /// Geo indexes.
        GEO = 10, "geo";
        /// Streams.
        STREAM = 11, "stream";
        /// Channels.
        PUBSUB = 12, "pubsub";
        /// Administration.
        ADMIN = 13, "admin";
        /// Quick.
        FAST = 14, "fast";
        /// Not quick.
        SLOW = 15, "slow";
        /// May block.
        BLOCKING = 16, "blocking";
        /// Can do harm.
        DANGEROUS = 17, "dangerous";
        /// The connection itself.
        CONNECTION = 18, "connection";
        /// Transactions.
        TRANSACTION = 19, "transaction";
        /// Scripts.
        SCRIPTING = 20, "scripting";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_in_redis_order_and_read_back() {
        let flags = Flags::FAST.and(Flags::WRITE);
        assert_eq!(flags.words().collect::<Vec<_>>(), ["write", "fast"]);
        assert_eq!(Category::named("SortedSet"), Some(Category::SORTEDSET));
    }
}
