//! Which history a server's data belongs to.
//!
//! A replication id names one history of writes; an offset counts its bytes. The pair says precisely what a data set
//! contains, so a replica may continue from any server that has the same history at its offset. After a promotion the
//! history goes on under a new id, and the old one stays valid up to the offset at which the two part:
//!
//! ```text
//!   A A A A A A A A A|B B B B          replid = B, replid2 = A, second offset = 10
//!                    ^10               whoever has A up to 9 asks for byte 10: granted
//! ```
//!
//! | what happens                               | replid       | replid2, second offset      |
//! |--------------------------------------------|--------------|-----------------------------|
//! | start; backlog created for a first replica | random       | none                        |
//! | backlog freed for want of replicas         | random       | none                        |
//! | replica is promoted                        | random       | old id, own offset + 1      |
//! | full resync done                           | the master's | none                        |
//! | +CONTINUE with another id                  | the master's | old id, own offset + 1      |
//! | master restarted from an RDB that says so  | random       | saved id, saved offset + 1  |
//! | replica restarted from such an RDB         | the saved    | none                        |

use crate::base::id::HexId;
use crate::base::rng::Rng;

/// The two ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    id: HexId,
    second: Option<(HexId, u64)>,
}

impl Identity {
    /// A new history.
    pub fn random(rng: &mut Rng) -> Identity {
        Identity { id: HexId::random(rng), second: None }
    }

    /// The history of somebody else, known from a full resync or a saved file.
    pub fn of(id: HexId) -> Identity {
        Identity { id, second: None }
    }

    /// `master_replid`.
    pub fn id(&self) -> HexId {
        self.id
    }

    /// `master_replid2`: zeros when there is none.
    pub fn second_id(&self) -> HexId {
        self.second.map_or(HexId::ZERO, |(id, _)| id)
    }

    /// `second_repl_offset`: -1 when there is none. Positions up to and including it may be asked for by the second id.
    pub fn second_offset(&self) -> i64 {
        self.second.map_or(-1, |(_, offset)| offset as i64)
    }

    /// The present history ends after byte `end`; another one, called `next`, continues it.
    pub fn continue_as(&mut self, next: HexId, end: u64) {
        self.second = Some((self.id, end + 1));
        self.id = next;
    }

    /// A new history that may be reached from `old`, which ended after byte `end`.
    pub fn succeed(&mut self, old: HexId, end: u64) {
        self.second = Some((old, end + 1));
    }

    /// Whether byte `position` of history `asked` is also ours. Ids compare in any case, as Redis does.
    pub fn covers(&self, asked: &[u8], position: i64) -> bool {
        let same = |id: &HexId| id.as_bytes().eq_ignore_ascii_case(asked);
        same(&self.id) || self.second.is_some_and(|(id, offset)| same(&id) && position <= offset as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_promotion_the_old_id_is_good_up_to_the_next_byte() {
        let mut rng = Rng::seeded(1);
        let mut identity = Identity::random(&mut rng);
        let old = identity.id();
        assert_eq!((identity.second_id(), identity.second_offset()), (HexId::ZERO, -1));
        identity.continue_as(HexId::random(&mut rng), 9);
        assert_eq!((identity.second_id(), identity.second_offset()), (old, 10));
        assert!(identity.covers(old.as_bytes(), 10) && identity.covers(old.as_bytes(), 3));
        assert!(!identity.covers(old.as_bytes(), 11));
        assert!(identity.covers(identity.id().as_str().to_uppercase().as_bytes(), 1000));
        assert!(!identity.covers(b"?", -1) && !identity.covers(HexId::ZERO.as_bytes(), -1));
    }

    #[test]
    fn a_restarted_master_keeps_its_new_id_and_remembers_the_saved_one() {
        let mut identity = Identity::random(&mut Rng::seeded(2));
        let (new, saved) = (identity.id(), HexId::random(&mut Rng::seeded(3)));
        identity.succeed(saved, 0);
        assert_eq!((identity.id(), identity.second_id(), identity.second_offset()), (new, saved, 1));
    }
}
