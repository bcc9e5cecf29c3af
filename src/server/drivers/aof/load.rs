//! Loading the AOF: at the start of the program by slices, while the server already answers, and at once for DEBUG LOADAOF.
//!
//! Commands are executed like those of a master: nobody is asked whether they may, nothing is answered, nothing is passed on.
//! A server with `appendonly yes` never looks at the RDB file: the AOF has everything, or it is a new server.

use std::rc::Rc;

use bytes::Bytes;
use tracing::{error, info, warn};

use super::Unusable;
use crate::base::id::ClientId;
use crate::base::time::{Instant, Now};
use crate::config::values::PropagationError;
use crate::exec::functions::Policy;
use crate::exec::replay;
use crate::keyspace::{FlushMode, Keyspace};
use crate::persist::aof::load::{Failure, Load, Refused, Replay, Settings};
use crate::persist::file_load::LoadProgress;
use crate::rdb::header::{Facts, ReplFacts};
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::server::dispatch::CommandTable;
use crate::server::drivers::loading::put_libraries;
use crate::server::drivers::loading::{LoadFigures, rules};
use crate::server::expected::Expected;
use crate::server::{Server, Turn};
use crate::session::{Kind, Session};
use crate::spec::LookupError;

/// Commands that failed are told so often; more would say the same.
const COMPLAINTS_MAX: u32 = 10;

/// An AOF being loaded.
pub struct AofLoading {
    load: Load,
    client: Client,
    started: Now,
}

/// Who executes the commands.
struct Client {
    session: Box<Session>,
    replies: Out,
    complaints: u32,
    expected: Expected,
}

struct Player<'t, 'a> {
    turn: &'t mut Turn<'a>,
    table: Rc<CommandTable>,
    client: &'t mut Client,
}

impl Client {
    fn new(server: &Server) -> Client {
        let engine = &server.engine;
        let mut session = Session::new(ClientId(0), "aof:0", "aof:0", false, &engine.acl, engine.now.mono);
        session.kind = Kind::Master;
        session.user = None;
        session.is_authenticated = true;
        Client { session: Box::new(session), replies: Out::new(), complaints: 0, expected: Expected::default() }
    }
}

impl Replay for Player<'_, '_> {
    fn run(&mut self, args: &Args<'_>) -> Result<(), Refused> {
        if let Err(LookupError::UnknownCommand(_) | LookupError::UnknownSubcommand(_)) = self.table.lookup(args) {
            return Err(Refused::Unknown);
        }
        let Client { session, replies, complaints, .. } = &mut *self.client;
        let applied = replay::apply(self.turn, &self.table, session, args, replies);
        let Some(text) = applied.error else { return Ok(()) };
        let engine = &mut self.turn.server.engine;
        engine.counters.unexpected_error_replies += 1;
        if engine.config.replication.propagation_error_behavior == PropagationError::Panic {
            return Err(Refused::Failed(text));
        }
        if *complaints < COMPLAINTS_MAX {
            *complaints += 1;
            let name = args.shown(0);
            warn!("A command of the AOF failed: '{name}' answered '{text}'. Were all files written by one server?");
        }
        Ok(())
    }

    fn expect(&mut self, args: &Args<'_>) {
        self.client.expected.note(&self.turn.server.engine.keyspace, self.client.session.db as u32, args);
    }

    fn fetch_expected(&mut self) {
        self.client.expected.fetch(&self.turn.server.engine.keyspace);
    }

    fn is_in_multi(&mut self) -> bool {
        self.client.session.multi.is_some()
    }

    fn keyspace(&mut self) -> &mut Keyspace {
        &mut self.turn.server.engine.keyspace
    }

    fn libraries(&mut self, texts: &[Bytes]) -> Result<(), String> {
        put_libraries(&mut self.turn.server.engine, texts, Policy::Append)
    }
}

impl AofLoading {
    /// Figures as of `now`.
    pub fn figures(&self, now: Now) -> LoadFigures {
        let used = self.load.used_memory();
        LoadFigures::new(self.started, now, self.load.total_bytes(), self.load.loaded_bytes(), used)
    }
}

impl Server {
    /// Begins to load the AOF, at the start of the program. False when there is nothing to load and everything is ready. The
    /// reason of an error was logged, and the program must end.
    pub fn begin_loading_aof(&mut self) -> Result<bool, Unusable> {
        let files = self.aof.files.clone();
        let aof = &mut self.aof;
        let manifest = aof.folder.read(&*files).and_then(|manifest| {
            let taken_over = match self.engine.config.persistence.appendonly {
                true => aof.folder.take_over_old_file(&*files, &manifest)?,
                false => None,
            };
            Ok(taken_over.unwrap_or(manifest))
        });
        aof.manifest = manifest.map_err(|error| {
            error.log();
            Unusable
        })?;
        if let (Some(_), Some(reason)) = (self.aof.restore_to, self.refuse_restore()) {
            error!("{reason}");
            return Err(Unusable);
        }
        if !self.engine.config.persistence.appendonly {
            return Ok(false);
        }
        self.aof.keep_others_away()?;
        let load = self.aof_load().map_err(|failure| {
            log(&failure);
            Unusable
        })?;
        match load {
            Some(load) => {
                let started = self.engine.now;
                self.engine.facts.is_loading = true;
                self.aof_loading = Some(AofLoading { load, client: Client::new(self), started });
                self.refresh_facts();
                Ok(true)
            }
            None => {
                self.open_aof()?;
                self.refresh_replication_facts();
                Ok(false)
            }
        }
    }

    /// Why going back to a moment makes no sense here.
    fn refuse_restore(&self) -> Option<&'static str> {
        let config = &self.engine.config;
        if !config.persistence.appendonly {
            Some("--restore-to needs appendonly yes: only the append only file knows what was when.")
        } else if config.replication.replicaof.is_some() {
            Some("--restore-to is for a master: the data of a replica are its master's, and would be replaced.")
        } else if self.aof.manifest.is_empty() {
            Some("--restore-to finds no append only file that it could go back in. Are dir and appenddirname right?")
        } else {
            None
        }
    }

    fn aof_load(&self) -> Result<Option<Load>, Failure> {
        let persistence = &self.engine.config.persistence;
        let settings = Settings {
            accepts_cut_end: persistence.aof_load_truncated,
            key_delay: persistence.key_load_delay,
            restore_to: self.aof.restore_to,
            backlog: self.engine.config.replication.repl_backlog_size,
            rules: rules(&self.engine, false, !self.is_checksum_skipped),
        };
        let (aof, now) = (&self.aof, self.engine.now);
        Load::begin(aof.files.clone(), &aof.folder, &aof.manifest, settings, now.mono_us, aof.wake.clone())
    }

    fn aof_loaded(&mut self, load: &Load) {
        let keys = load.keys();
        self.snapshots.record.load_keys_loaded = keys.keys;
        self.snapshots.record.load_keys_expired = keys.expired;
        let manifest = self.aof.manifest.clone();
        self.aof.note_files(manifest, load.total_bytes(), load.base_bytes());
        // What came from a file is no change.
        self.engine.dirty_since_save = 0;
    }
}

impl Turn<'_> {
    /// A slice of loading the AOF at the start; when it needs the next.
    pub fn end_turn_of_aof_loading(&mut self) -> Instant {
        let Some(mut loading) = self.server.aof_loading.take() else { return super::FAR };
        let clock = self.net.clock();
        let table = Rc::clone(&self.server.table);
        let mut player = Player { turn: self, table, client: &mut loading.client };
        let next = match loading.load.step(&mut player, &mut || clock.micros()) {
            Ok(LoadProgress::More) => self.net.now().mono,
            Ok(LoadProgress::Until(us)) => Instant::from_millis(us.div_ceil(1000)),
            Ok(LoadProgress::Waiting) => super::FAR,
            Ok(LoadProgress::Done(_)) => {
                let seconds = clock.micros().saturating_sub(loading.started.mono_us) as f64 / 1e6;
                info!("DB loaded from append only file: {seconds:.3} seconds");
                self.server.engine.facts.is_loading = false;
                self.server.aof_loaded(&loading.load);
                self.server.refresh_facts();
                let is_restored = self.server.aof.restore_to.is_some();
                loading.load.restore_report().iter().for_each(|line| warn!("{line}"));
                if self.server.open_aof().is_err() {
                    return self.leave_after_failure();
                }
                // What was gone back to is a history of its own, and so is what was not executed as it had been.
                if !is_restored && loading.client.complaints == 0 {
                    self.restore_position(loading.load.position(), loading.load.last_bytes());
                }
                self.server.refresh_replication_facts();
                info!("Ready to accept connections tcp");
                return self.net.now().mono;
            }
            Err(failure) => {
                log(&failure);
                return self.leave_after_failure();
            }
        };
        self.server.aof_loading = Some(loading);
        next
    }

    fn leave_after_failure(&mut self) -> Instant {
        self.server.exit_code = 1;
        self.server.is_leaving = true;
        self.net.now().mono
    }

    fn restore_position(&mut self, position: Option<ReplFacts>, last_bytes: &[u8]) {
        if let Some(ReplFacts { stream_db, id, offset }) = position {
            let facts = Facts {
                repl_stream_db: Some(stream_db),
                repl_id: Some(id),
                repl_offset: Some(offset),
                ..Facts::default()
            };
            self.restore_replication(&facts, &Vec::new());
            self.server.repl.node.recall(last_bytes);
        }
    }

    /// DEBUG LOADAOF: empties the data set, forgets the functions, and loads the files as they are on disk.
    pub fn debug_load_aof(&mut self) -> Result<(), &'static str> {
        const FAILED: &str = "ERR Error trying to load the AOF files, check server logs.";
        self.drain_journal();
        let now = self.server.engine.now.mono;
        let flushed = self.server.aof.appender.flush(now);
        if flushed.is_err() {
            return Err(FAILED);
        }
        let server = &mut *self.server;
        let manifest = server.aof.folder.read(&*server.aof.files).map_err(|error| {
            error.log();
            FAILED
        })?;
        let dirty = server.engine.keyspace.changes().dirty();
        server.engine.keyspace.flush_all(FlushMode::Sync);
        server.engine.functions.flush();
        server.aof.manifest = manifest;
        if !server.aof.is_rewriting() && !server.engine.config.persistence.aof_disable_auto_gc {
            let manifest = std::mem::take(&mut server.aof.manifest);
            let files = server.aof.files.clone();
            server.aof.manifest = crate::persist::aof::disk::remove_history(&*files, &server.aof.folder, manifest);
        }
        let load = server.aof_load().map_err(|failure| {
            log(&failure);
            FAILED
        })?;
        let loaded = load.is_none_or(|mut load| {
            // Others wait anyway; only nothing of it may be taken for news.
            let (was_on, was_loading) = (self.server.engine.journal.is_on(), self.server.engine.facts.is_loading);
            self.server.engine.journal.set_on(false);
            self.server.engine.facts.is_loading = true;
            self.server.refresh_facts();
            let mut client = Client::new(self.server);
            let clock = self.net.clock();
            let table = Rc::clone(&self.server.table);
            let mut player = Player { turn: self, table, client: &mut client };
            let result = load.run(&mut player, &mut || clock.micros());
            self.server.engine.facts.is_loading = was_loading;
            self.server.engine.journal.set_on(was_on);
            self.server.refresh_facts();
            match result {
                Ok(()) => {
                    self.server.aof_loaded(&load);
                    true
                }
                Err(failure) => {
                    log(&failure);
                    false
                }
            }
        });
        self.server.engine.keyspace.changes_mut().take_back(dirty);
        self.server.engine.keyspace.changes_mut().clear();
        if !loaded {
            return Err(FAILED);
        }
        self.server.engine.dirty_since_save = 0;
        info!("Append Only File loaded by DEBUG LOADAOF");
        Ok(())
    }
}

fn log(failure: &Failure) {
    failure.lines.iter().for_each(|line| error!("{line}"));
}
