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
}

impl Transaction {
    /// Queues a command. After a refusal nothing is kept: EXEC will not run it.
    pub fn push(&mut self, command: &Command, args: &Args<'_>) {
        if self.is_aborted {
            return;
        }
        let args = OwnedArgs::copy_of(args);
        self.memory += args.memory() + size_of::<Queued>();
        self.any_flags = self.any_flags.and(command.flags);
        self.queue.push(Queued { command: command.id, args });
    }
}
