//! Saving and loading: the shell around `persist`.

use crate::base::time::Instant;
use crate::persist::rdb_file::SaveError;
use crate::server::drivers::saves::Target;
use crate::server::{Server, Turn};

impl Server {
    /// What FLUSHALL means for the files: nothing yet to bring the keys back.
    pub fn after_flushall(&mut self) {}

    /// Ends a background save, because something better is about to happen.
    pub fn cancel_background_save(&mut self) {
        if self.snapshots.target() == Some(Target::File) {
            self.snapshots.cancel(&mut self.engine);
        }
    }
}

impl Turn<'_> {
    /// Saves now, while everybody waits.
    pub fn save_now(&mut self) -> Result<(), SaveError> {
        let position = self.replication_position();
        let server = &mut *self.server;
        server.snapshots.cancel(&mut server.engine);
        let clock = self.net.clock();
        let mut pause = |us| std::thread::sleep(std::time::Duration::from_micros(us));
        server.snapshots.save_now(&mut server.engine, position, &mut || clock.micros(), &mut pause)
    }

    /// What other threads have sent is looked at when the turn ends.
    pub fn look_into_mailboxes(&mut self) {}

    /// The snapshot's part of the end of a turn; when it needs the next.
    pub fn end_turn_of_snapshots(&mut self) -> Instant {
        let unsent = self.unsent_to_members();
        let clock = self.net.clock();
        let mut happened = Vec::new();
        let server = &mut *self.server;
        let next = server.snapshots.turn(&mut server.engine, unsent, &mut || clock.micros(), &mut happened);
        happened.into_iter().for_each(|event| self.snapshot_happened(event));
        next.unwrap_or(Instant::from_millis(u64::MAX))
    }
}
