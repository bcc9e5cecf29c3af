//! SENTINEL PENDING-SCRIPTS: what waits and what runs.

use super::{Act, BASE, SentinelHandler, View};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::sentinel::core::scripts::JobState;
use crate::spec::{Arity, Meta, Spec};

const PENDING: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "pending-scripts",
        arity: Arity::Exactly(2),
        summary: "Returns the scripts that wait or run.",
        ..BASE
    },
    handler: pending,
};

/// The family.
pub const TABLE: &[&Spec<SentinelHandler>] = &[&PENDING];

fn pending(view: &View<'_>, _: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    let jobs = view.sentinel.scripts().jobs();
    reply.array(jobs.len());
    for job in jobs {
        reply.map(5);
        reply.bulk(b"argv");
        reply.array(job.argv.len());
        job.argv.iter().for_each(|word| reply.bulk(word.as_bytes()));
        let (flags, pid, time_name, time) = match job.state {
            JobState::Running { since, pid, .. } => {
                ("running", pid.unwrap_or_default(), "run-time", view.now.mono.since(since))
            }
            JobState::Waiting(at) => ("scheduled", 0, "run-delay", at.since(view.now.mono)),
        };
        reply.bulk(b"flags");
        reply.bulk(flags.as_bytes());
        reply.bulk(b"pid");
        reply.bulk_int(pid);
        reply.bulk(time_name.as_bytes());
        reply.bulk_int(time as i64);
        reply.bulk(b"retry-num");
        reply.bulk_int(i64::from(job.tries));
    }
    Ok(Act::Answered)
}
