//! ACL LOG: what was refused lately. Equal refusals within a minute are one entry with a count.

use std::collections::VecDeque;

use crate::base::time::UnixMillis;

/// Refusals alike that are at most this old are counted together.
const SAME_WITHIN_MS: i64 = 60_000;

/// Where a refused command came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A client.
    TopLevel,
    /// A command of a transaction.
    Multi,
    /// A script.
    Lua,
}

impl Context {
    /// The word in ACL LOG.
    pub const fn as_str(self) -> &'static str {
        match self {
            Context::TopLevel => "toplevel",
            Context::Multi => "multi",
            Context::Lua => "lua",
        }
    }
}

/// One refusal, or several alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// How often.
    pub count: u64,
    /// `auth`, `command`, `key` or `channel`.
    pub reason: &'static str,
    /// Where it came from.
    pub context: Context,
    /// The command, key or channel; for a login the command it was tried with.
    pub object: Vec<u8>,
    /// The user.
    pub user: Vec<u8>,
    /// The client as CLIENT LIST shows it, at the last refusal.
    pub client: String,
    /// Serial number.
    pub id: u64,
    /// First refusal.
    pub created: UnixMillis,
    /// Last refusal.
    pub updated: UnixMillis,
}

/// The log.
#[derive(Clone, Debug)]
pub struct AclLog {
    /// Newest first.
    entries: VecDeque<LogEntry>,
    next_id: u64,
    /// `acllog-max-len`.
    len_max: usize,
}

impl Default for AclLog {
    fn default() -> AclLog {
        AclLog { entries: VecDeque::new(), next_id: 0, len_max: 128 }
    }
}

/// What there is to note about a refusal.
#[derive(Clone, Debug)]
pub struct Refused<'a> {
    /// `auth`, `command`, `key` or `channel`.
    pub reason: &'static str,
    /// Where it came from.
    pub context: Context,
    /// See [`LogEntry::object`].
    pub object: &'a [u8],
    /// The user.
    pub user: &'a [u8],
    /// The client as CLIENT LIST shows it.
    pub client: String,
}

impl AclLog {
    /// Notes a refusal.
    pub fn add(&mut self, refused: Refused<'_>, now: UnixMillis) {
        let is_same = |entry: &LogEntry| {
            entry.reason == refused.reason
                && entry.context == refused.context
                && entry.object == refused.object
                && entry.user == refused.user
                && now.0 - entry.updated.0 <= SAME_WITHIN_MS
        };
        // A look-alike far back would not be worth the search.
        let known = self.entries.iter().take(10).position(is_same);
        let entry = match known.and_then(|at| self.entries.remove(at)) {
            Some(known) => LogEntry { count: known.count + 1, client: refused.client, updated: now, ..known },
            None => {
                let id = self.next_id;
                self.next_id += 1;
                LogEntry {
                    count: 1,
                    reason: refused.reason,
                    context: refused.context,
                    object: refused.object.to_vec(),
                    user: refused.user.to_vec(),
                    client: refused.client,
                    id,
                    created: now,
                    updated: now,
                }
            }
        };
        self.entries.push_front(entry);
        self.entries.truncate(self.len_max);
    }

    /// Newest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &LogEntry> {
        self.entries.iter()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// `acllog-max-len` was changed.
    pub fn set_len_max(&mut self, len_max: usize) {
        self.len_max = len_max;
        self.entries.truncate(len_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(object: &[u8]) -> Refused<'_> {
        Refused { reason: "key", context: Context::TopLevel, object, user: b"u", client: "id=1".into() }
    }

    #[test]
    fn equal_refusals_within_a_minute_are_one_entry() {
        let mut log = AclLog::default();
        log.add(refused(b"a"), UnixMillis(0));
        log.add(refused(b"b"), UnixMillis(1));
        log.add(refused(b"a"), UnixMillis(60_000));
        log.add(refused(b"b"), UnixMillis(70_000));
        let shown: Vec<_> = log.entries().map(|e| (e.id, e.count, e.object.clone())).collect();
        assert_eq!(shown, [(2, 1, b"b".to_vec()), (0, 2, b"a".to_vec()), (1, 1, b"b".to_vec())]);
        log.set_len_max(1);
        assert_eq!(log.entries().len(), 1);
    }
}
