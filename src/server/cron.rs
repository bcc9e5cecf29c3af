//! Work that recurs, `hz` times a second, each piece with its own rhythm and budget.
//!
//! Nothing here runs longer than about a millisecond at a time. Active expiry is the only piece that can have a lot to
//! do: as long as it finds much, it asks for another turn at once, and clients are served in between.

use crate::base::limits::SLICE_MAX_US;
use crate::base::time::Instant;
use crate::exec::{after, tracking};
use crate::server::Turn;
use crate::session::Kind;
use crate::session::limits::is_idle_too_long;

/// When which piece is due.
#[derive(Debug, Default)]
pub struct Cron {
    next: Instant,
    next_sample: Instant,
    next_second: Instant,
    next_verbose: Instant,
}

/// Microseconds after which a slice of active expiry ends. A fraction of what a slice may take: a client that asks for one thing after the
/// other waits for a slice each time, and a turn costs little beside even this.
const SLICE_US: u64 = SLICE_MAX_US / 4;

/// Figures of active expiry.
#[derive(Debug, Default)]
pub struct ExpireFigures {
    /// How often a slice ended because its time was up.
    pub time_cap_reached: u64,
    /// Microseconds spent.
    pub cpu_us: u64,
    /// The longest slice.
    pub longest_slice_us: u64,
    /// The last slice left much behind.
    pub is_behind: bool,
}

impl ExpireFigures {
    /// CONFIG RESETSTAT.
    pub fn reset(&mut self) {
        *self = ExpireFigures { is_behind: self.is_behind, ..ExpireFigures::default() };
    }
}

impl Turn<'_> {
    /// Runs what is due. Gives the moment at which the next piece is.
    pub fn cron(&mut self) -> Instant {
        let now = self.server.engine.now.mono;
        if self.server.is_cron_paused {
            return now + 100;
        }
        if let Some(wish) = self.server.signalled_shutdown.take() {
            self.shut_down_for_signal(wish);
        }
        if self.server.expire.is_behind {
            self.expire_slice();
        }
        if now < self.server.cron.next {
            return self.server.cron.next;
        }
        let began = self.net.clock().micros();
        let period = 1000 / u64::from(self.server.effective_hz());
        self.server.cron.next = now + period.max(1);
        self.expire_slice();
        tracking::keep_limit(self, None);
        if now >= self.server.cron.next_sample {
            self.server.cron.next_sample = now + 100;
            self.cron_of_snapshots();
            self.cron_of_aof();
            self.collect_traffic();
            self.collect_garbage_of_scripts();
            self.enforce_soft_limits();
            self.consider_defrag();
            self.server.engine.counters.sample(now);
            self.server.loop_times.sample(now);
            crate::base::alloc::observe_peak();
        }
        if now >= self.server.cron.next_second {
            self.server.cron.next_second = now + 1000;
            self.cron_of_tls();
            self.close_idle_clients();
            self.server.links.close_idle(now);
        }
        if now >= self.server.cron.next_verbose {
            self.server.cron.next_verbose = now + 5000;
            self.log_figures();
        }
        self.server.loop_times.cron_sum += self.net.clock().micros().saturating_sub(began);
        self.server.cron.next
    }

    /// One slice of active expiry. On a replica only what its own clients let expire may be removed, while loading and while
    /// writes are paused nothing.
    fn expire_slice(&mut self) {
        let server = &mut *self.server;
        let facts = &server.engine.facts;
        server.expire.is_behind = false;
        if !server.is_active_expire_on || facts.is_loading || facts.is_write_paused {
            return;
        }
        let clock = self.net.clock();
        let started = clock.micros();
        let mut is_time_up = false;
        let mut more = || {
            is_time_up = clock.micros() - started >= SLICE_US;
            !is_time_up
        };
        let (keyspace, now) = (&mut server.engine.keyspace, server.engine.now.wall());
        let step = match facts.is_replica {
            true => keyspace.expire_own_step(now, &mut more),
            false => keyspace.expire_step(now, &mut more),
        };
        let elapsed = clock.micros() - started;
        server.expire.cpu_us += elapsed;
        server.expire.longest_slice_us = server.expire.longest_slice_us.max(elapsed);
        server.engine.latency.note("expire-cycle", elapsed, &server.engine.now);
        server.expire.time_cap_reached += u64::from(is_time_up);
        server.expire.is_behind = !step.finished;
        after::background_changes(self, None);
    }

    /// Scripts leave garbage, which the interpreter would collect while others run.
    fn collect_garbage_of_scripts(&mut self) {
        let clock = self.net.clock();
        let started = clock.micros();
        let mut more = || clock.micros() - started < SLICE_US;
        self.server.engine.scripts.collect(&mut more);
        self.server.engine.functions.collect(&mut more);
    }

    /// Adds what the network counted since the last call to the counters, apart for replication links.
    pub fn collect_traffic(&mut self) {
        self.collect_replication_traffic();
        let stats = self.net.stats();
        let counters = &mut self.server.engine.counters;
        counters.total_net_input_bytes = stats.bytes_in.saturating_sub(counters.total_net_repl_input_bytes);
        counters.total_net_output_bytes = stats.bytes_out.saturating_sub(counters.total_net_repl_output_bytes);
        counters.total_reads_processed = stats.reads;
        counters.total_writes_processed = stats.writes;
        counters.eventloop_cycles = stats.turns;
    }

    fn close_idle_clients(&mut self) {
        let timeout = u64::from(self.server.engine.config.clients.timeout);
        if timeout == 0 {
            return;
        }
        let now = self.server.engine.now.mono;
        let is_idle = |client: &&crate::server::clients::Client| {
            client.blocked.is_none()
                && client.session.as_ref().is_some_and(|session| {
                    matches!(session.kind, Kind::Client)
                        && !session.is_subscriber()
                        && is_idle_too_long(session.last_interaction, timeout, now)
                })
        };
        let idle: Vec<_> = self.server.clients.iter().filter(is_idle).map(|client| client.conn).collect();
        for conn in idle {
            tracing::debug!("Closing idle client");
            self.close(conn);
        }
    }

    /// Soft limits on output are about time; somebody has to look.
    fn enforce_soft_limits(&mut self) {
        for id in std::mem::take(&mut self.server.over_soft_limit) {
            if let Some(conn) = self.server.clients.conn_of(id) {
                self.enforce_output_limit(conn);
            }
        }
    }

    fn log_figures(&self) {
        let engine = &self.server.engine;
        for size in engine.keyspace.sizes(engine.now.wall()) {
            if size.keys > 0 {
                tracing::debug!("DB {}: {} keys ({} volatile)", size.db, size.keys, size.expires);
            }
        }
        tracing::trace!(
            "{} clients connected, {} bytes in use",
            self.server.clients.len(),
            crate::base::alloc::used_memory()
        );
    }
}
