//! The server's plain counters, as INFO's section `stats` names them where it shows them.
//!
//! Parts that count for themselves (the keyspace: hits, misses, expired keys; replication: syncs) keep their own; what is
//! here is counted by the loop and the path of a command.

use crate::base::time::Instant;
use crate::stats::rate::Rate;

/// Counters since the start, or since CONFIG RESETSTAT.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub total_connections_received: u64,
    /// Connections closed at once because of `maxclients`.
    pub rejected_connections: u64,
    /// Commands run.
    pub total_commands_processed: u64,
    /// Bytes received from clients.
    pub total_net_input_bytes: u64,
    /// Bytes sent to clients.
    pub total_net_output_bytes: u64,
    /// Bytes received from our master.
    pub total_net_repl_input_bytes: u64,
    /// Bytes sent to our replicas.
    pub total_net_repl_output_bytes: u64,
    /// Reads from sockets that brought something.
    pub total_reads_processed: u64,
    /// Writes to sockets.
    pub total_writes_processed: u64,
    /// Keys evicted to make room.
    pub evicted_keys: u64,
    /// Clients closed to make room.
    pub evicted_clients: u64,
    /// Clients closed because their output grew too large.
    pub client_output_buffer_limit_disconnections: u64,
    /// Clients closed because their input grew too large.
    pub client_query_buffer_limit_disconnections: u64,
    /// Error replies to our master or to a replay, which nobody expects.
    pub unexpected_error_replies: u64,
    /// Turns of the event loop.
    pub eventloop_cycles: u64,
    /// Microseconds spent in commands.
    pub eventloop_duration_cmd_sum: u64,
    /// Most clients connected at once.
    pub peak_clients: u64,
    /// Recent speeds.
    pub recent: Recent,
}

/// Speeds over the last one or two seconds.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    commands: Rate,
    net_input: Rate,
    net_output: Rate,
    repl_input: Rate,
    repl_output: Rate,
    cycles: Rate,
}

impl Counters {
    /// Takes one sample of each speed. To be called ten times a second or so; the exact interval does not matter.
    pub fn sample(&mut self, now: Instant) {
        let recent = &mut self.recent;
        recent.commands.sample(self.total_commands_processed, now);
        let input = self.total_net_input_bytes + self.total_net_repl_input_bytes;
        let output = self.total_net_output_bytes + self.total_net_repl_output_bytes;
        recent.net_input.sample(input, now);
        recent.net_output.sample(output, now);
        recent.repl_input.sample(self.total_net_repl_input_bytes, now);
        recent.repl_output.sample(self.total_net_repl_output_bytes, now);
        recent.cycles.sample(self.eventloop_cycles, now);
    }

    /// Everything back to zero: CONFIG RESETSTAT.
    pub fn reset(&mut self) {
        *self = Counters::default();
    }
}

impl Recent {
    /// Commands per second.
    pub fn ops_per_sec(&self) -> u64 {
        self.commands.per_second()
    }

    /// Kibibytes per second received.
    pub fn input_kbps(&self) -> f64 {
        self.net_input.per_second() as f64 / 1024.0
    }

    /// Kibibytes per second sent.
    pub fn output_kbps(&self) -> f64 {
        self.net_output.per_second() as f64 / 1024.0
    }

    /// Kibibytes per second received from our master.
    pub fn input_repl_kbps(&self) -> f64 {
        self.repl_input.per_second() as f64 / 1024.0
    }

    /// Kibibytes per second sent to our replicas.
    pub fn output_repl_kbps(&self) -> f64 {
        self.repl_output.per_second() as f64 / 1024.0
    }

    /// Turns of the event loop per second.
    pub fn cycles_per_sec(&self) -> u64 {
        self.cycles.per_second()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_follow_the_counters_and_reset_clears_both() {
        let mut counters = Counters::default();
        for tick in 0..20u64 {
            counters.total_commands_processed = tick * 50;
            counters.total_net_input_bytes = tick * 1024;
            counters.sample(Instant::from_millis(tick * 100));
        }
        assert_eq!(counters.recent.ops_per_sec(), 500);
        assert_eq!(counters.recent.input_kbps(), 10.0);
        counters.reset();
        assert_eq!((counters.total_commands_processed, counters.recent.ops_per_sec()), (0, 0));
    }
}
