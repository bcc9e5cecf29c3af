//! Full or partial: the decision, and the refusals before it. Pure functions.
//!
//! A replica may continue when the byte it asks for belongs to our history (by either of our two ids) and is still in
//! the backlog. The position after our last byte counts as held: a replica that has everything asks for exactly that.

use std::fmt;

use crate::base::id::HexId;
use crate::repl::history::History;

/// Why a partial resync is not possible. `Display` is the text for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The replica has no history to continue.
    Fresh,
    /// It comes from another history.
    OtherHistory {
        /// The id it has.
        asked: String,
        /// Ours.
        ids: [HexId; 2],
    },
    /// It comes from our former history, but went on in it after we had left.
    PastSecond {
        /// The position it asks for.
        asked: i64,
        /// The last position both have.
        limit: i64,
    },
    /// The byte is not in the backlog.
    NotHeld {
        /// The position it asks for.
        asked: i64,
        /// Whether that lies in our future: it knows bytes that we never wrote.
        ahead: bool,
    },
}

/// Where to continue for a replica that has `replid` up to the byte before `position`.
pub fn decide(history: &History, replid: &[u8], position: i64) -> Result<u64, Refusal> {
    let identity = history.identity();
    if !identity.covers(replid, position) {
        return Err(if replid.first() == Some(&b'?') {
            Refusal::Fresh
        } else if replid.eq_ignore_ascii_case(identity.second_id().as_bytes()) {
            Refusal::PastSecond { asked: position, limit: identity.second_offset() }
        } else {
            let asked = String::from_utf8_lossy(&replid[..replid.len().min(40)]).into_owned();
            Refusal::OtherHistory { asked, ids: [identity.id(), identity.second_id()] }
        });
    }
    match u64::try_from(position) {
        Ok(position) if history.holds(position) => Ok(position),
        _ => Err(Refusal::NotHeld { asked: position, ahead: position > history.end() as i64 }),
    }
}

impl Refusal {
    /// The lines for the log; `replica` is its name.
    pub fn lines<'a>(&'a self, replica: &'a str) -> impl fmt::Display + 'a {
        Lines { refusal: self, replica }
    }
}

struct Lines<'a> {
    refusal: &'a Refusal,
    replica: &'a str,
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replica = self.replica;
        match self.refusal {
            Refusal::Fresh => write!(f, "Full resync requested by replica {replica}"),
            Refusal::OtherHistory { asked, ids: [id, second] } => write!(
                f,
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '{asked}', my \
                 replication IDs are '{id}' and '{second}')"
            ),
            Refusal::PastSecond { asked, limit } => write!(
                f,
                "Partial resynchronization not accepted: Requested offset for second ID was {asked}, but I can reply \
                 up to {limit}"
            ),
            Refusal::NotHeld { asked, .. } => write!(
                f,
                "Unable to partial resync with replica {replica} for lack of backlog (Replica request was: {asked})."
            ),
        }
    }
}

/// What the shell knows of a connection that sends SYNC or PSYNC.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The replication id word of PSYNC, when it is a request with the word FAILOVER behind it.
    pub failover: Option<&'a [u8]>,
    /// We hand over to a replica at the moment.
    pub failing_over: bool,
    /// Replies wait to be written to that connection.
    pub pending_output: bool,
    /// It wants parts of the snapshot only, but cannot take one of unknown length.
    pub filter_without_eof: bool,
}

/// Errors that SYNC and PSYNC get, in the order they are checked; `None`: go on. The text is without `-`.
pub fn refuse(circumstances: &Circumstances<'_>, link_up: Option<bool>, our_id: HexId) -> Option<&'static str> {
    if let Some(replid) = circumstances.failover {
        if link_up.is_none() {
            return Some("ERR PSYNC FAILOVER can't be sent to a master.");
        }
        if !replid.eq_ignore_ascii_case(our_id.as_bytes()) {
            return Some("ERR PSYNC FAILOVER replid must match my replid.");
        }
    }
    if circumstances.failing_over {
        return Some("NOMASTERLINK Can't SYNC while failing over");
    }
    if link_up == Some(false) && circumstances.failover.is_none() {
        return Some("NOMASTERLINK Can't SYNC while not connected with my master");
    }
    if circumstances.pending_output {
        return Some("ERR SYNC and PSYNC are invalid with pending output");
    }
    if circumstances.filter_without_eof {
        return Some("ERR Filtered replica requires EOF capability");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    /// Bytes 101..=200 of history `id`, of which 1..=150 were written under the second id.
    fn history() -> History {
        let mut rng = Rng::seeded(1);
        let mut history = History::new(&mut rng, 16 * 1024);
        history.adopt(HexId::random(&mut rng), 100);
        history.append(&[b'x'; 50]);
        history.promote(&mut rng);
        history.append(&[b'y'; 50]);
        history
    }

    #[test]
    fn either_id_continues_within_the_backlog() {
        let history = history();
        let (id, second) = (history.identity().id(), history.identity().second_id());
        assert_eq!(decide(&history, id.as_bytes(), 101), Ok(101));
        assert_eq!(decide(&history, id.as_bytes(), 201), Ok(201));
        assert_eq!(decide(&history, second.as_bytes(), 151), Ok(151));
        assert_eq!(decide(&history, id.as_str().to_uppercase().as_bytes(), 150), Ok(150));
    }

    #[test]
    fn refusals_and_their_log_lines() {
        let history = history();
        let (id, second) = (history.identity().id(), history.identity().second_id());
        let line = |asked: &[u8], position| match decide(&history, asked, position) {
            Ok(position) => panic!("granted from {position}"),
            Err(refusal) => refusal.lines("127.0.0.1:1").to_string(),
        };
        assert_eq!(line(b"?", -1), "Full resync requested by replica 127.0.0.1:1");
        assert_eq!(
            line(b"abc", 150),
            format!(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for 'abc', my \
                 replication IDs are '{id}' and '{second}')"
            )
        );
        assert_eq!(
            line(second.as_bytes(), 152),
            "Partial resynchronization not accepted: Requested offset for second ID was 152, but I can reply up to 151"
        );
        for position in [100, 202, -1, i64::MIN, i64::MAX] {
            assert_eq!(
                line(id.as_bytes(), position),
                format!(
                    "Unable to partial resync with replica 127.0.0.1:1 for lack of backlog (Replica request was: \
                     {position})."
                )
            );
        }
        let ahead =
            |position| matches!(decide(&history, id.as_bytes(), position), Err(Refusal::NotHeld { ahead: true, .. }));
        assert!(ahead(202) && !ahead(100));
    }

    #[test]
    fn an_identity_without_a_second_id_does_not_take_zeros_for_one() {
        let history = History::new(&mut Rng::seeded(1), 16 * 1024);
        assert!(decide(&history, HexId::ZERO.as_bytes(), -1).is_err());
    }

    #[test]
    fn errors_come_in_redis_order() {
        let id = history().identity().id();
        let all = Circumstances { failover: None, failing_over: true, pending_output: true, filter_without_eof: true };
        let text = |c: Circumstances<'_>, up| refuse(&c, up, id).unwrap_or("");
        assert!(text(all, Some(false)).starts_with("NOMASTERLINK Can't SYNC while failing over"));
        let calm = Circumstances { failing_over: false, ..all };
        assert!(text(calm, Some(false)).ends_with("not connected with my master"));
        assert!(text(calm, Some(true)).ends_with("pending output"));
        assert!(text(Circumstances { pending_output: false, ..calm }, None).ends_with("EOF capability"));
        let other = Circumstances { failover: Some(b"other"), ..all };
        assert!(text(other, None).ends_with("sent to a master."));
        assert!(text(other, Some(true)).ends_with("must match my replid."));
    }
}
