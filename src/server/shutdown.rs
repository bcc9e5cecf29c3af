//! Leaving: SHUTDOWN, SIGTERM, SIGINT.
//!
//! ```text
//!  running ── asked ──► waiting for replicas ── in sync, or shutdown-timeout over ──► leaving: save, close, exit 0
//!     ▲                        │                                                        │
//!     └──────── ABORT ─────────┘                         save failed, no FORCE ─────────┘ back to running
//! ```
//!
//! While it waits, writes are paused, so that the replicas can reach the master's offset; that the new master after a
//! planned restart has everything depends on it. NOW skips the wait. A save happens when save points exist, with SAVE
//! always and with NOSAVE never. When the save fails the server stays up, unless FORCE says that leaving matters more
//! than the data. A SIGINT during the save means the same at once: nothing is saved any more, and the exit code is 1.

use crate::base::time::Instant;
use crate::config::values::ShutdownFlags;
use crate::repl::Input;
use crate::server::clients::BlockReason;
use crate::server::pause::Reason;
use crate::server::{Server, Turn};
use crate::session::context::Pause;

/// What a shutdown was asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Save even without save points.
    pub save: bool,
    /// Do not save.
    pub nosave: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Leave even if saving fails.
    pub force: bool,
}

impl From<ShutdownFlags> for Wish {
    fn from(flags: ShutdownFlags) -> Wish {
        Wish { save: flags.save, nosave: flags.nosave, now: flags.now, force: flags.force }
    }
}

/// A shutdown under way.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    wish: Wish,
    deadline: Instant,
}

/// What became of a request to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The loop ends after this turn.
    Leaving,
    /// Replicas have to catch up first.
    Waiting,
    /// It failed; the server goes on.
    Failed,
}

impl Server {
    /// Milliseconds until a shutdown under way waits no longer for replicas.
    pub fn shutdown_in_ms(&self) -> Option<u64> {
        self.pending_shutdown.map(|pending| pending.deadline.since(self.engine.now.mono))
    }
}

impl Turn<'_> {
    /// Begins to shut down.
    pub fn shut_down(&mut self, wish: Wish) -> Progress {
        let timeout = u64::from(self.server.engine.config.process.shutdown_timeout);
        if !wish.now && timeout > 0 && self.server.lagging_replicas() > 0 {
            let deadline = self.server.engine.now.mono + timeout * 1000;
            tracing::info!("Waiting for replicas before shutting down.");
            self.server.pending_shutdown = Some(Pending { wish, deadline });
            self.server.pauses.pause(Reason::Shutdown, Pause::Write, Instant::from_millis(u64::MAX));
            self.server.refresh_facts();
            self.repl(Input::AckWanted);
            return Progress::Waiting;
        }
        self.leave(wish)
    }

    /// The same, when nobody waits for an answer.
    pub fn shut_down_for_signal(&mut self, wish: Wish) {
        if self.shut_down(wish) == Progress::Failed {
            tracing::warn!("Errors trying to shut down the server. Check the logs for more information.");
        }
    }

    /// SHUTDOWN ABORT. False when none was under way.
    pub fn abort_shutdown(&mut self) -> bool {
        let was_signalled = self.server.signalled_shutdown.take().is_some();
        if self.server.pending_shutdown.is_none() && !was_signalled {
            return false;
        }
        tracing::info!("Shutdown manually aborted.");
        self.end_pending();
        self.answer_waiting("ERR Errors trying to SHUTDOWN. Check logs.");
        true
    }

    /// Looks whether a shutdown that waits can go on. To be called when replicas confirm, and as time passes.
    pub fn poll_shutdown(&mut self) {
        let Some(pending) = self.server.pending_shutdown else { return };
        let lagging = self.server.lagging_replicas();
        if lagging > 0 && self.server.engine.now.mono < pending.deadline {
            return;
        }
        self.end_pending();
        self.server.report_lagging_replicas();
        if self.leave(pending.wish) == Progress::Failed {
            tracing::warn!("Errors trying to shut down the server. Check the logs for more information.");
            self.answer_waiting("ERR Errors trying to SHUTDOWN. Check logs.");
        }
    }

    fn end_pending(&mut self) {
        self.server.pending_shutdown = None;
        self.server.pauses.end(Reason::Shutdown);
        self.server.refresh_facts();
    }

    fn answer_waiting(&mut self, text: &str) {
        for (id, blocked) in self.server.clients.waiting() {
            if blocked.reason != BlockReason::Shutdown {
                continue;
            }
            self.answer_blocked(id, |reply| reply.error(text));
        }
    }

    /// Brings the append only file to the disk. False when the program must stay up.
    fn leave_aof(&mut self, wish: Wish) -> bool {
        if self.server.aof.is_starting() {
            // What is in the files is older than the data, or there is nothing.
            // A stuck script leaves no other way out, and who says NOSAVE in its face means it.
            let is_last_resort = wish.nosave && self.server.engine.facts.busy.is_some();
            if !wish.force && !is_last_resort {
                tracing::warn!("Writing initial AOF, can't exit.");
                return false;
            }
            tracing::warn!("Writing initial AOF. Exit anyway.");
        }
        if self.server.aof.is_rewriting() {
            tracing::warn!("There is a child rewriting the AOF. Killing it!");
            self.cancel_rewrite();
        }
        if self.flush_aof_for_good() || wish.force {
            return true;
        }
        tracing::warn!("Error trying to write the AOF, can't exit.");
        false
    }

    /// Saves if it must, and ends the loop.
    fn leave(&mut self, wish: Wish) -> Progress {
        let engine = &self.server.engine;
        let has_save_points = !engine.config.persistence.save.is_empty();
        // While loading, the file holds more than the memory: it must stay as it is.
        let may_save = !engine.facts.is_loading;
        self.server.cancel_background_save();
        if may_save && ((has_save_points && !wish.nosave) || wish.save) {
            tracing::info!("Saving the final RDB snapshot before exiting.");
            let interrupts = self.net.interrupts();
            if let Err(error) = self.save_unless(&|| interrupts.is_pending()) {
                if interrupts.is_pending() {
                    tracing::warn!("You insist... exiting now.");
                    self.server.exit_code = 1;
                    return self.stop_serving();
                }
                if !wish.force {
                    tracing::warn!("Error trying to save the DB, can't exit. {error}");
                    return Progress::Failed;
                }
                tracing::warn!("Error trying to save the DB, but leaving all the same, as FORCE asks. {error}");
            }
        }
        if may_save && !self.leave_aof(wish) {
            return Progress::Failed;
        }
        self.stop_serving()
    }

    fn stop_serving(&mut self) -> Progress {
        self.server.is_leaving = true;
        // Who tries to connect from here on shall find nobody, not somebody who hangs up.
        for is_tls in [false, true] {
            let listeners = std::mem::take(self.server.listeners_of(is_tls));
            listeners.into_iter().for_each(|id| self.net.stop_listening(id));
        }
        self.server.refresh_facts();
        Progress::Leaving
    }
}
