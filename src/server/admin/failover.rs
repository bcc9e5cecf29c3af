//! FAILOVER [TO host port [FORCE]] [TIMEOUT milliseconds] | ABORT: hand over to a replica without losing a write.
//!
//! Reply:   OK as soon as it begins; `master_failover_state` of INFO replication shows how far it is.
//! Errors:  in a cluster; while one is under way (ABORT: while none is); on a replica; without replicas; FORCE without target or
//!          timeout; a target that is not an online replica; a timeout that is not positive.
//! Source:  redis.io/commands/failover, since 6.2.0.
//!
//! Writes are paused until it is over. How it goes on is in `repl/failover.rs`.

use crate::base::number;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::repl::{HostPort, Input, Plan};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arg, ArgKind, Arity, Flags, Group, Meta, Spec};

const TARGET: &[Arg] =
    &[Arg::new("host", ArgKind::String), Arg::new("port", ArgKind::Integer), Arg::token("force", "FORCE").optional()];

/// FAILOVER.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "failover",
        group: Group::Server,
        since: "6.2.0",
        arity: Arity::AtLeast(1),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::STALE),
        summary: "Hands over from a master to one of its replicas.",
        complexity: "O(1)",
        args: &[
            Arg::block("target", TARGET).after("TO").optional(),
            Arg::token("abort", "ABORT").optional(),
            Arg::new("milliseconds", ArgKind::Integer).after("TIMEOUT").optional(),
        ],
        ..Meta::NEW
    },
    handler: failover,
};

fn failover(turn: &mut Turn<'_>, _: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if turn.server.engine.config.cluster.cluster_enabled {
        return Err(
            CommandError::err("FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.").into()
        );
    }
    if args.len() == 2 && args.is(1, "abort") {
        if !turn.server.repl.node.is_failing_over() {
            return Err(CommandError::err("No failover in progress.").into());
        }
        turn.repl(Input::FailoverAbort);
    } else {
        let plan = plan(args)?;
        if let Some(text) = turn.server.repl.node.refuse_failover(&plan) {
            return Err(CommandError::err(text).into());
        }
        turn.repl(Input::Failover(plan));
    }
    reply.ok();
    Ok(Outcome::Done)
}

/// Reads the options. Each may be given once; a port that cannot be one is that of no replica.
fn plan(args: &Args<'_>) -> Result<Plan, CommandError> {
    let mut plan = Plan::default();
    let mut index = 1;
    while index < args.len() {
        let left = args.len() - index - 1;
        if args.is(index, "timeout") && left >= 1 && plan.timeout_ms.is_none() {
            let timeout = number::parse_i64(args.get(index + 1)).ok_or(CommandError::NotInteger)?;
            let timeout = u64::try_from(timeout).ok().filter(|timeout| *timeout > 0);
            plan.timeout_ms =
                Some(timeout.ok_or_else(|| CommandError::err("FAILOVER timeout must be greater than 0"))?);
            index += 2;
        } else if args.is(index, "to") && left >= 2 && plan.target.is_none() {
            let port = number::parse_i64(args.get(index + 2)).ok_or(CommandError::NotInteger)?;
            let host = String::from_utf8_lossy(args.get(index + 1)).into_owned();
            plan.target = Some(HostPort { host, port: u16::try_from(port).unwrap_or(0) });
            index += 3;
        } else if args.is(index, "force") && !plan.force {
            plan.force = true;
            index += 1;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;

    fn read(line: &str) -> Result<Plan, CommandError> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        plan(&OwnedArgs::of(&words).as_args())
    }

    #[test]
    fn options_come_in_any_order_and_once() {
        let target = Some(HostPort { host: "h".into(), port: 7 });
        assert_eq!(read("FAILOVER").unwrap(), Plan::default());
        let plan = Plan { target: target.clone(), force: true, timeout_ms: Some(9) };
        assert_eq!(read("FAILOVER timeout 9 FORCE to h 7").unwrap(), plan);
        assert_eq!(read("FAILOVER TO h 7").unwrap(), Plan { target, ..Plan::default() });
        for (line, text) in [
            ("FAILOVER TO h", "ERR syntax error"),
            ("FAILOVER FORCE FORCE", "ERR syntax error"),
            ("FAILOVER TIMEOUT 1 TIMEOUT 1", "ERR syntax error"),
            ("FAILOVER ABORT TIMEOUT 1", "ERR syntax error"),
            ("FAILOVER TIMEOUT", "ERR syntax error"),
            ("FAILOVER TIMEOUT x", "ERR value is not an integer or out of range"),
            ("FAILOVER TIMEOUT 0", "ERR FAILOVER timeout must be greater than 0"),
            ("FAILOVER TIMEOUT -5", "ERR FAILOVER timeout must be greater than 0"),
            ("FAILOVER TO h port", "ERR value is not an integer or out of range"),
        ] {
            assert_eq!(read(line).unwrap_err().to_string(), text, "{line}");
        }
    }
}
