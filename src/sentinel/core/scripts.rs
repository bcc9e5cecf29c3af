//! The queue of scripts: at most 256 waiting, 16 at a time, retried with growing patience, killed when they hang.
//!
//! A script that ends with code 1 or by a signal is tried again, ten times in all, after 30 s and then twice as long each
//! time. Any other failure is final. A script may run for a minute.

use std::collections::VecDeque;

use super::Sentinel;
use super::io::{JobId, Level, Output, Outputs, ScriptEnd};
use crate::base::time::Instant;

/// Most entries in the queue; the oldest that is not running gives way.
pub const QUEUE_MAX: usize = 256;
/// Most scripts running at a time.
pub const RUNNING_MAX: usize = 16;
/// Most attempts.
const TRIES_MAX: u32 = 10;
/// What stands in the place of a signal when a script could not be started.
const NOT_STARTED_SIGNAL: i32 = 99;

/// One script, waiting or running.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    /// Path and arguments.
    pub argv: Vec<String>,
    /// Attempts begun.
    pub tries: u32,
    pub state: JobState,
}

/// Whether a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Not before this moment.
    Waiting(Instant),
    /// Since then. The process id is known once the shell has told it.
    Running { since: Instant, pid: Option<i64>, is_killed: bool },
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    jobs: VecDeque<Job>,
    next: u64,
}

impl Scripts {
    /// Everything waiting or running, oldest first.
    pub fn jobs(&self) -> impl ExactSizeIterator<Item = &Job> {
        self.jobs.iter()
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.jobs.iter().filter(|job| matches!(job.state, JobState::Running { .. })).count()
    }

    pub(super) fn schedule(&mut self, argv: Vec<String>, now: Instant) {
        self.next += 1;
        self.jobs.push_back(Job { id: JobId(self.next), argv, tries: 0, state: JobState::Waiting(now) });
        if self.jobs.len() > QUEUE_MAX
            && let Some(oldest) = self.jobs.iter().position(|job| matches!(job.state, JobState::Waiting(_)))
        {
            self.jobs.remove(oldest);
        }
    }

    fn find(&mut self, id: JobId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    pub(super) fn deadline(&self, max_runtime: u64) -> Option<Instant> {
        let can_start = self.running() < RUNNING_MAX;
        let due = |job: &Job| match job.state {
            JobState::Waiting(at) => can_start.then_some(at),
            JobState::Running { since, pid: Some(_), is_killed: false } => Some(since + max_runtime + 1),
            JobState::Running { .. } => None,
        };
        self.jobs.iter().filter_map(due).min()
    }
}

impl Sentinel {
    pub(super) fn poll_scripts(&mut self, now: Instant, out: &mut Outputs) {
        let mut running = self.scripts.running();
        for job in &mut self.scripts.jobs {
            if let JobState::Waiting(at) = job.state
                && at <= now
                && running < RUNNING_MAX
            {
                running += 1;
                job.tries += 1;
                job.state = JobState::Running { since: now, pid: None, is_killed: false };
                out.push(Output::RunScript { job: job.id, argv: job.argv.clone() });
            }
        }
        let max_runtime = self.periods.script_max_runtime;
        let mut hanging = Vec::new();
        for job in &mut self.scripts.jobs {
            if let JobState::Running { since, pid: Some(pid), is_killed: is_killed @ false } = &mut job.state
                && now.since(*since) > max_runtime
            {
                *is_killed = true;
                hanging.push((job.id, *pid, job.argv[0].clone()));
            }
        }
        for (job, pid, path) in hanging {
            self.event_text(out, now, Level::Warning, "-script-timeout", None, format!("{path} {pid}"));
            out.push(Output::KillScript { job, pid });
        }
    }

    pub(super) fn script_started(&mut self, id: JobId, pid: i64, now: Instant, out: &mut Outputs) {
        if let Some(Job { state: JobState::Running { pid: known, .. }, .. }) = self.scripts.find(id) {
            *known = Some(pid);
            self.event_text(out, now, Level::Debug, "+script-child", None, pid.to_string());
        }
    }

    pub(super) fn script_ended(&mut self, id: JobId, end: ScriptEnd, now: Instant, out: &mut Outputs) {
        let retry_delay = self.periods.script_retry_delay;
        let Some(job) = self.scripts.find(id) else { return };
        let JobState::Running { pid, .. } = job.state else { return };
        let (code, signal) = match end {
            ScriptEnd::Exited(code) => (code, 0),
            ScriptEnd::Signalled(signal) => (0, signal),
            ScriptEnd::NotStarted => (0, NOT_STARTED_SIGNAL),
        };
        let path = job.argv[0].clone();
        let is_retried = end != ScriptEnd::NotStarted && (signal != 0 || code == 1) && job.tries < TRIES_MAX;
        if is_retried {
            let doubled = retry_delay.saturating_mul(1 << (job.tries - 1));
            job.state = JobState::Waiting(now + doubled);
        } else {
            self.scripts.jobs.retain(|job| job.id != id);
        }
        if let Some(pid) = pid {
            self.event_text(out, now, Level::Debug, "-script-child", None, format!("{pid} {code} {signal}"));
        }
        if !is_retried && (signal != 0 || code != 0) {
            self.event_text(out, now, Level::Warning, "-script-error", None, format!("{path} {signal} {code}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::core::tests::Bench;

    fn started(out: &[Output]) -> Vec<JobId> {
        out.iter().filter_map(|o| if let Output::RunScript { job, .. } = o { Some(*job) } else { None }).collect()
    }

    #[test]
    fn a_failing_script_is_retried_ten_times_with_doubling_delays() {
        let mut bench = Bench::empty();
        bench.sentinel.scripts.schedule(vec!["/x".into()], bench.now().mono);
        let mut delay = 30_000;
        for attempt in 1..=10 {
            let out = bench.timer();
            let jobs = started(&out);
            assert_eq!(jobs.len(), 1, "attempt {attempt}");
            let out = bench.script_ended(jobs[0], ScriptEnd::Exited(1));
            assert_eq!(out.iter().any(|o| matches!(o, Output::Event(e) if e.name == "-script-error")), attempt == 10);
            bench.advance(delay - 1);
            assert!(started(&bench.timer()).is_empty());
            bench.advance(1);
            delay *= 2;
        }
        assert_eq!(bench.sentinel.scripts.jobs().len(), 0);
    }

    #[test]
    fn another_exit_code_is_final_and_success_is_silent() {
        for (end, is_error) in
            [(ScriptEnd::Exited(0), false), (ScriptEnd::Exited(2), true), (ScriptEnd::NotStarted, true)]
        {
            let mut bench = Bench::empty();
            bench.sentinel.scripts.schedule(vec!["/x".into()], bench.now().mono);
            let job = started(&bench.timer())[0];
            let out = bench.script_ended(job, end);
            assert_eq!(out.iter().any(|o| matches!(o, Output::Event(e) if e.name == "-script-error")), is_error);
            assert_eq!(bench.sentinel.scripts.jobs().len(), 0);
        }
    }

    #[test]
    fn a_hanging_script_is_killed_once_and_retried() {
        let mut bench = Bench::empty();
        bench.sentinel.scripts.schedule(vec!["/x".into()], bench.now().mono);
        let job = started(&bench.timer())[0];
        bench.script_started(job, 77);
        bench.advance(60_001);
        let killed = |out: &[Output]| out.iter().filter(|o| matches!(o, Output::KillScript { pid: 77, .. })).count();
        assert_eq!(killed(&bench.timer()), 1);
        bench.advance(1000);
        assert_eq!(killed(&bench.timer()), 0);
        bench.script_ended(job, ScriptEnd::Signalled(9));
        assert_eq!((bench.sentinel.scripts.jobs().len(), bench.sentinel.scripts.running()), (1, 0));
    }

    #[test]
    fn the_queue_drops_the_oldest_waiting_and_runs_sixteen() {
        let mut bench = Bench::empty();
        for n in 0..300 {
            bench.sentinel.scripts.schedule(vec![n.to_string()], bench.now().mono);
        }
        assert_eq!(bench.sentinel.scripts.jobs().len(), QUEUE_MAX);
        assert_eq!(bench.sentinel.scripts.jobs().next().unwrap().argv[0], "44");
        assert_eq!(started(&bench.timer()).len(), RUNNING_MAX);
    }
}
