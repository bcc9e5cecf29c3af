//! Saving and loading: the shell around `persist`. What is saved when is in `saves.rs`, how a file is loaded in `loading.rs`;
//! here both meet the server's commands, its turns and its start.

use std::io;
use std::time::Duration;

use tracing::{error, info};

use super::loading::{LoadFigures, Loading, Turned, load_now, rules};
use super::saves::{Clocks, Target};
use crate::base::time::Instant;
use crate::keyspace::FlushMode;
use crate::persist::rdb_file::SaveError;
use crate::server::{Server, Turn};

/// Looks so often whether a save is given up.
const PAUSE_MAX_US: u64 = 10_000;

const FAR: Instant = Instant::from_millis(u64::MAX);

impl Server {
    /// Ends a background save, because something better is about to happen.
    pub fn cancel_background_save(&mut self) {
        if self.snapshots.target() == Some(Target::File) {
            self.snapshots.cancel(&mut self.engine);
        }
    }

    /// Begins to load the RDB file, at the start of the program. False when there is none. An error was logged, and the
    /// program must end.
    pub fn begin_loading(&mut self) -> io::Result<bool> {
        let is_master = !self.engine.facts.is_replica;
        self.loading = Loading::begin(&mut self.engine, &self.snapshots, is_master)?;
        self.refresh_facts();
        Ok(self.loading.is_some())
    }

    /// Figures of the load under way, from the own file or that of a master.
    pub fn load_figures(&self) -> Option<LoadFigures> {
        let now = self.engine.now;
        let own = self.loading.as_ref().map(|loading| loading.figures(now));
        let own = own.or_else(|| self.aof_loading.as_ref().map(|loading| loading.figures(now)));
        own.or_else(|| self.repl.transfer.as_ref()?.load_figures(now))
    }
}

impl Turn<'_> {
    /// What FLUSHALL means for the files: an image being taken holds what is gone, and the file must not bring it back. One
    /// on its way to replicas would be loaded for nothing.
    /// `dirty_before` is what the change log had counted before the flush.
    pub fn after_flushall(&mut self, dirty_before: u64) {
        if matches!(self.server.snapshots.target(), Some(Target::File | Target::Stream { .. })) {
            self.server.snapshots.cancel(&mut self.server.engine);
        }
        let is_saving = !self.server.engine.config.persistence.save.is_empty();
        if is_saving && self.server.snapshots.target().is_none() {
            // What was flushed is saved with that: nothing is left to save. A failure was logged, and the changes stay.
            if self.save_now().is_ok() {
                self.server.engine.keyspace.changes_mut().take_back(dirty_before);
            }
        }
    }

    /// Saves now, while everybody waits. An error was logged.
    pub fn save_now(&mut self) -> Result<(), SaveError> {
        self.save_unless(&|| false)
    }

    /// The same, for as long as nobody gives it up.
    pub fn save_unless(&mut self, is_given_up: &dyn Fn() -> bool) -> Result<(), SaveError> {
        let position = self.replication_position();
        if self.server.snapshots.target() == Some(Target::AofBase) {
            // One image at a time, and somebody waits for this one.
            self.cancel_rewrite();
            self.server.aof.schedule_rewrite();
        }
        let server = &mut *self.server;
        server.snapshots.cancel(&mut server.engine);
        let clock = self.net.clock();
        let mut pause = |mut us: u64| {
            while us > 0 && !is_given_up() {
                let part = us.min(PAUSE_MAX_US);
                std::thread::sleep(Duration::from_micros(part));
                us -= part;
            }
            !is_given_up()
        };
        server.snapshots.save_now(&mut server.engine, position, &mut || clock.micros(), &mut pause)
    }

    /// Begins a save when one is due.
    pub fn cron_of_snapshots(&mut self) {
        if !self.server.is_rewriting_aof() && self.server.snapshots.is_due(&self.server.engine) {
            self.begin_snapshot(Target::File);
        }
    }

    /// The snapshot's part of the end of a turn; when it needs the next.
    pub fn end_turn_of_snapshots(&mut self) -> Instant {
        let unsent = self.unsent_to_members();
        let clock = self.net.clock();
        let mut happened = Vec::new();
        let server = &mut *self.server;
        let clocks = Clocks { wall: &mut || clock.micros(), cpu: &mut || clock.cpu_micros() };
        let next = server.snapshots.turn(&mut server.engine, unsent, clocks, &mut happened);
        happened.into_iter().for_each(|event| self.snapshot_happened(event));
        next.unwrap_or(FAR)
    }

    /// A slice of loading the own file at the start; when it needs the next.
    pub fn end_turn_of_loading(&mut self) -> Instant {
        let server = &mut *self.server;
        let Some(loading) = &mut server.loading else { return FAR };
        let clock = self.net.clock();
        match loading.turn(&mut server.engine, &mut server.snapshots, &mut || clock.micros()) {
            Turned::Loading(next) => return next.unwrap_or(FAR),
            Turned::Loaded(facts) => {
                let gone = server.loading.take().map(|mut loading| loading.take_gone()).unwrap_or_default();
                server.refresh_facts();
                self.restore_replication(&facts, &gone);
                info!("Ready to accept connections tcp");
            }
            Turned::Failed => {
                // The last line says what to look for.
                error!("Fatal error loading the DB, check server logs. Exiting.");
                server.exit_code = 1;
                server.is_leaving = true;
            }
        }
        self.net.now().mono
    }

    /// DEBUG RELOAD: saves (or not), empties the data set (or not), and loads the file. The error text is for the client.
    pub fn debug_reload(&mut self, is_saved: bool, is_flushed: bool, is_merged: bool) -> Result<(), &'static str> {
        if is_saved {
            self.save_now().map_err(|_| "ERR")?;
        }
        let server = &mut *self.server;
        server.snapshots.cancel(&mut server.engine);
        let engine = &mut server.engine;
        let dirty = engine.keyspace.changes().dirty();
        if is_flushed {
            engine.keyspace.flush_all(FlushMode::Sync);
            engine.functions.flush();
        }
        let mut rules = rules(engine, !engine.facts.is_replica, !server.is_checksum_skipped);
        rules.replace = is_merged;
        let loaded = load_now(engine, &mut server.snapshots, rules);
        // What was taken out and put back is no change: nobody must be told, nothing is new to save.
        engine.keyspace.changes_mut().take_back(dirty);
        match loaded {
            Ok(_) => {
                tracing::warn!("DB reloaded by DEBUG RELOAD");
                Ok(())
            }
            Err(error) => {
                error!("Error reading the RDB file: {error}");
                Err("ERR Error trying to load the RDB dump, check server logs.")
            }
        }
    }
}
