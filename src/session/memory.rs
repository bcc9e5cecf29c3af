//! What a client takes besides the buffers of its connection: its state, an open transaction, what it watches, subscribes to
//! and follows.

use crate::session::Session;

/// A watched key in the index of watched keys, besides its name: its place in a table, and the list of its watchers.
const WATCH: usize = 96;

/// A subscription: its place among the client's names, and among the name's subscribers. The name itself is shared by all.
const SUBSCRIPTION: usize = 160;

/// Names whose lengths are looked at, when there are many; the others are taken to be as long.
const NAMES: usize = 64;

impl Session {
    /// Bytes that it takes, with what belongs to it elsewhere; names are estimated from some of them.
    pub fn memory(&self) -> usize {
        let multi = self.multi.as_ref().map_or(0, |multi| multi.memory);
        // Each name is kept twice, here and in the index.
        let watched = names_bytes(self.watched.iter().map(|watched| watched.key.len()));
        let watched =
            2 * watched + self.watched.len() * (WATCH + size_of_val(&self.watched[..]) / self.watched.len().max(1));
        let prefixes = self.tracking.as_ref().map_or(0, |tracking| {
            2 * names_bytes(tracking.prefixes.iter().map(bytes::Bytes::len)) + tracking.prefixes.len() * SUBSCRIPTION
        });
        let pushes: usize = self.pending_pushes.iter().map(bytes::Bytes::len).sum();
        size_of::<Session>() + multi + watched + prefixes + pushes + self.subscribed.total() * SUBSCRIPTION
    }
}

/// About how many bytes these lengths add up to.
fn names_bytes(lengths: impl ExactSizeIterator<Item = usize>) -> usize {
    let count = lengths.len();
    let looked_at = count.min(NAMES);
    let bytes: usize = lengths.take(looked_at).sum();
    bytes * count / looked_at.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Acl;
    use crate::base::id::ClientId;
    use crate::base::time::Instant;
    use crate::session::{Transaction, WatchedKey};

    #[test]
    fn everything_that_can_grow_counts() {
        let mut session = Session::new(ClientId(1), "", "", false, &Acl::new(), Instant::default());
        let idle = session.memory();
        session.multi = Some(Box::new(Transaction { memory: 1000, ..Transaction::default() }));
        assert_eq!(session.memory(), idle + 1000);
        session.multi = None;
        session.subscribed.patterns = 10;
        assert_eq!(session.memory(), idle + 10 * SUBSCRIPTION);
        session.subscribed.patterns = 0;
        for _ in 0..200 {
            session.watched.push(WatchedKey { db: 0, key: vec![b'k'; 500].into(), was_expired: false });
        }
        assert!((200 * 1000..200 * 1300).contains(&(session.memory() - idle)), "{}", session.memory());
    }
}
