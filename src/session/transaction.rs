//! What a client has queued after MULTI, and what it watches.

use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Command, CommandId, Flags};

/// A key whose change makes EXEC fail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchedKey {
    /// Database number.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// Its time was over when it was watched, so that being found expired later is no change.
    pub was_expired: bool,
}

/// A command waiting for EXEC.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Which.
    pub command: CommandId,
    /// With what.
    pub args: OwnedArgs,
}

/// An open MULTI.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// In the order they came.
    pub queue: Vec<Queued>,
    /// A command was refused while queueing: EXEC will answer EXECABORT.
    pub is_aborted: bool,
    /// Bytes held by the queued arguments (`multi-mem` of CLIENT LIST).
    pub memory: usize,
    /// Flags that at least one queued command has.
    pub any_flags: Flags,
    /// Flags that at least one queued command lacks.
    pub lacking_flags: Flags,
}

impl Transaction {
    /// Queues a command, which has these flags. After a refusal nothing is kept: EXEC will not run it.
    pub fn push(&mut self, command: &Command, flags: Flags, args: &Args<'_>) {
        if self.is_aborted {
            return;
        }
        let args = OwnedArgs::copy_of(args);
        self.memory += args.memory() + size_of::<Queued>();
        self.any_flags = self.any_flags.and(flags);
        self.lacking_flags = self.lacking_flags.and(flags.complement());
        self.queue.push(Queued { command: command.id, args });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Arity, Meta, Spec, Table};

    const GET: Spec<()> =
        Spec { meta: Meta { name: "get", arity: Arity::Exactly(2), flags: Flags::READONLY, ..Meta::NEW }, handler: () };
    const PING: Spec<()> =
        Spec { meta: Meta { name: "ping", arity: Arity::AtLeast(1), flags: Flags::LOADING, ..Meta::NEW }, handler: () };

    #[test]
    fn the_queue_knows_what_its_commands_have_and_lack() {
        let table = Table::builder().add(&[&GET, &PING], |()| ()).build();
        let mut multi = Transaction::default();
        for words in [&[&b"get"[..], b"k"][..], &[b"ping"]] {
            let args = OwnedArgs::of(words);
            let args = args.as_args();
            let command = table.lookup(&args).unwrap_or_else(|e| panic!("{}", e.text()));
            multi.push(command, command.flags, &args);
        }
        assert_eq!(multi.queue.len(), 2);
        assert!(multi.any_flags.has(Flags::READONLY) && multi.lacking_flags.has(Flags::READONLY));
        assert!(multi.lacking_flags.has(Flags::WRITE) && !multi.any_flags.has(Flags::WRITE));
        assert!(multi.memory > 0);
    }

    #[test]
    fn a_spoilt_transaction_keeps_nothing_more() {
        let table = Table::builder().add(&[&GET], |()| ()).build();
        let mut multi = Transaction { is_aborted: true, ..Transaction::default() };
        let args = OwnedArgs::of(&[b"get", b"k"]);
        multi.push(table.catalog().command(b"get").unwrap(), Flags::READONLY, &args.as_args());
        assert!(multi.queue.is_empty());
    }
}
