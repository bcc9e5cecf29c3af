//! The keys that a group of commands is going to touch, brought closer before the first is executed.
//!
//! It is the first word behind the command's name that is taken for a key. A word that is none costs a wasted look, nothing else.

use crate::keyspace::{Keyspace, Lookup};
use crate::resp::args::Args;

/// Look-ups to come.
#[derive(Debug, Default)]
pub struct Expected {
    lookups: Vec<Lookup>,
}

impl Expected {
    /// A command on database `db` is going to be executed.
    #[inline]
    pub fn note(&mut self, keyspace: &Keyspace, db: u32, args: &Args<'_>) {
        if args.len() > 1 {
            let key = args.get(1);
            // What follows the key may be the value.
            let size = (args.len() > 2).then(|| (key.len() + args.get(2).len()) as u32);
            self.lookups.push(Lookup { db, hash: keyspace.hash(key), size });
        }
    }

    /// Asks for what all of them will touch, and forgets them.
    pub fn fetch(&mut self, keyspace: &Keyspace) {
        keyspace.prefetch(&self.lookups);
        self.lookups.clear();
    }
}
