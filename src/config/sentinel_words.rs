//! The `sentinel …` directives of a Sentinel's config file: names, how many words follow, what they mean.
//!
//! The Sentinel itself gives them meaning. This table finds misspelt ones, checks their shape, and documents them.

/// One `sentinel` directive.
pub struct SentinelWord {
    /// The second word of the line.
    pub name: &'static str,
    /// What follows it.
    pub usage: &'static str,
    /// Fewest and most words that follow.
    pub words: (usize, usize),
    /// Who writes it.
    pub author: Author,
    /// The default, as it would be written; empty when there is none.
    pub default: &'static str,
    /// What it does, for `sentinel.conf`.
    pub doc: &'static str,
}

/// Who writes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The user, about a master.
    Master,
    /// The user, about the Sentinel.
    Global,
    /// The Sentinel itself, to remember what it knows.
    State,
}

const fn word(name: &'static str, usage: &'static str, words: (usize, usize), author: Author) -> SentinelWord {
    SentinelWord { name, usage, words, author, default: "", doc: "" }
}

/// All of them.
pub static SENTINEL_WORDS: [SentinelWord; 24] = [
    SentinelWord {
        doc: "Watch a master: its name (which clients ask for), address, port, and the quorum: how many Sentinels must \
              find it down before it counts as down. The failover itself always needs more than half of all Sentinels \
              that ever watched it. Replicas and other Sentinels are found through the master. This line comes before \
              all others about that master.",
        ..word("monitor", "<name> <host> <port> <quorum>", (4, 4), Author::Master)
    },
    SentinelWord {
        default: "30000",
        doc: "Milliseconds without an acceptable answer after which an instance counts as down for this Sentinel.",
        ..word("down-after-milliseconds", "<name> <milliseconds>", (2, 2), Author::Master)
    },
    SentinelWord {
        default: "180000",
        doc: "Milliseconds a failover may take in each of its long steps. After a failed one the next is not tried \
              before twice this time, and a replica that follows the wrong master is put right after this time.",
        ..word("failover-timeout", "<name> <milliseconds>", (2, 2), Author::Master)
    },
    SentinelWord {
        default: "1",
        doc: "How many replicas may be pointed to the new master at a time. A replica that must load a snapshot cannot \
              answer meanwhile.",
        ..word("parallel-syncs", "<name> <replicas>", (2, 2), Author::Master)
    },
    SentinelWord {
        doc: "Password for the master and its replicas; one for all of them.",
        ..word("auth-pass", "<name> <password>", (2, 2), Author::Master)
    },
    SentinelWord {
        doc: "User to be there, for servers with ACLs. Needs auth-pass.",
        ..word("auth-user", "<name> <user>", (2, 2), Author::Master)
    },
    SentinelWord {
        doc: "Program called with two arguments, event type and text, for every event of importance about this master \
              and everything below it. It must exist and be executable. Exit code 1 has it called again later, up to ten \
              times; it is killed after a minute.",
        ..word("notification-script", "<name> <path>", (2, 2), Author::Master)
    },
    SentinelWord {
        doc: "Program called when the master has moved: <name> <leader or observer> start <from-ip> <from-port> <to-ip> \
              <to-port>.",
        ..word("client-reconfig-script", "<name> <path>", (2, 2), Author::Master)
    },
    SentinelWord {
        doc: "The name that the servers of this master gave a command with their own rename-command.",
        ..word("rename-command", "<name> <command> <new name>", (3, 3), Author::Master)
    },
    SentinelWord {
        default: "0",
        doc: "Milliseconds that a master may take to answer after it was seen to have restarted, before it counts as \
              down. 0: no special rule.",
        ..word("master-reboot-down-after-period", "<name> <milliseconds>", (2, 2), Author::Master)
    },
    SentinelWord {
        doc: "Address that other Sentinels should use to reach this one, when it is behind NAT or in a container.",
        ..word("announce-ip", "<address>", (1, 1), Author::Global)
    },
    SentinelWord {
        default: "0",
        doc: "Port that others should use. 0: the port we listen on.",
        ..word("announce-port", "<port>", (1, 1), Author::Global)
    },
    SentinelWord {
        default: "yes",
        doc: "Refuse SENTINEL SET of scripts, with which a client could run any program here.",
        ..word("deny-scripts-reconfig", "<yes or no>", (1, 1), Author::Global)
    },
    SentinelWord { doc: "User to be at other Sentinels.", ..word("sentinel-user", "<user>", (1, 1), Author::Global) },
    SentinelWord {
        doc: "Password for other Sentinels. Without it our own requirepass is used, so that one password for all \
              Sentinels needs one line each.",
        ..word("sentinel-pass", "<password>", (1, 1), Author::Global)
    },
    SentinelWord {
        default: "no",
        doc: "Accept host names instead of addresses.",
        ..word("resolve-hostnames", "<yes or no>", (1, 1), Author::Global)
    },
    SentinelWord {
        default: "no",
        doc: "Tell clients and servers host names instead of addresses, where names are known.",
        ..word("announce-hostnames", "<yes or no>", (1, 1), Author::Global)
    },
    word("myid", "<40 hexadecimal digits>", (1, 1), Author::State),
    word("current-epoch", "<epoch>", (1, 1), Author::State),
    word("config-epoch", "<name> <epoch>", (2, 2), Author::State),
    word("leader-epoch", "<name> <epoch>", (2, 2), Author::State),
    word("known-replica", "<name> <ip> <port>", (3, 3), Author::State),
    word("known-slave", "<name> <ip> <port>", (3, 3), Author::State),
    word("known-sentinel", "<name> <ip> <port> [<run id>]", (3, 4), Author::State),
];

/// The directive with that second word, in any case.
pub fn find(name: &[u8]) -> Option<&'static SentinelWord> {
    SENTINEL_WORDS.iter().find(|word| word.name.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_in_any_case() {
        let mut names: Vec<&str> = SENTINEL_WORDS.iter().map(|word| word.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SENTINEL_WORDS.len());
        assert_eq!(find(b"MyId").map(|word| word.words), Some((1, 1)));
        assert!(find(b"norification-script").is_none());
    }

    #[test]
    fn what_users_write_is_documented() {
        for word in &SENTINEL_WORDS {
            assert_eq!(word.doc.is_empty(), word.author == Author::State, "{}", word.name);
        }
    }
}
