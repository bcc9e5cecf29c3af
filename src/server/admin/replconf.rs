//! REPLCONF option value [option value …]: what replicas tell their master, and GETACK the other way.
//!
//! Reply:   OK; none for ACK and GETACK.
//! Errors:  a syntax error for an odd number of words, `Unrecognized REPLCONF option: <x>`, values out of range.
//! Source:  redis.io/docs/management/replication, since 3.0.0.
//!
//! Before it asks for data a replica describes itself: `listening-port`, `ip-address`, `capa` (repeated; unknown ones
//! are ignored), `rdb-only 0|1`, `rdb-filter-only "<parts>"`. Afterwards it acknowledges: `ACK offset [FACK offset]`.

use crate::base::{number, quote};
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::repl::Input;
use crate::repl::io::ReplicaOption;
use crate::repl::master::full_sync::filter_only;
use crate::repl::newborn;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::{Kind, Session};
use crate::spec::{Arity, Flags, Group, Meta, Spec};

/// Longest address a replica may announce.
const ADDRESS_MAX: usize = 255;

/// REPLCONF.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "replconf",
        group: Group::Server,
        since: "3.0.0",
        arity: Arity::AtLeast(1),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE).and(Flags::ALLOW_BUSY),
        summary: "An internal command for configuring the replication stream.",
        ..Meta::NEW
    },
    handler: replconf,
};

fn replconf(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax.into());
    }
    let mut options = Vec::new();
    for index in (1..args.len()).step_by(2) {
        let value = args.get(index + 1);
        match args.get(index).to_ascii_lowercase().as_slice() {
            b"listening-port" => {
                let port = number::parse_i64(value).ok_or(CommandError::NotInteger)?;
                options.push(ReplicaOption::ListeningPort(u16::try_from(port).unwrap_or(0)));
            }
            b"ip-address" if value.len() <= ADDRESS_MAX => {
                // It is shown in INFO and in the log: one word of plain characters.
                let is_plain = value.iter().all(|byte| byte.is_ascii_graphic() && !b",=".contains(byte));
                let text = if is_plain { String::from_utf8_lossy(value).into_owned() } else { String::new() };
                options.push(ReplicaOption::IpAddress(text));
            }
            b"ip-address" => {
                return Err(CommandError::err(format!(
                    "REPLCONF ip-address provided by replica instance is too long: {} bytes",
                    value.len()
                ))
                .into());
            }
            b"capa" => match value.to_ascii_lowercase().as_slice() {
                b"eof" => options.push(ReplicaOption::CapaEof),
                b"psync2" => options.push(ReplicaOption::CapaPsync2),
                newborn::REPLACE => options.push(ReplicaOption::CapaReplace),
                _ => {}
            },
            b"ack" => {
                acknowledge(turn, session, args, index);
                return Ok(Outcome::Done);
            }
            b"getack" => {
                if session.kind == Kind::Master {
                    turn.server.repl.is_ack_asked = true;
                }
                return Ok(Outcome::Done);
            }
            b"rdb-only" => match number::parse_i64(value) {
                Some(flag @ (0 | 1)) => options.push(ReplicaOption::RdbOnly(flag == 1)),
                Some(_) => return Err(CommandError::err("value is out of range, must be between 0 and 1").into()),
                None => return Err(CommandError::NotInteger.into()),
            },
            b"rdb-filter-only" => {
                let words =
                    quote::split_args(value).ok_or_else(|| CommandError::err("Missing rdb-filter-only values"))?;
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                options.push(ReplicaOption::Filter(filter_only(&words).map_err(CommandError::text)?));
            }
            _ => {
                let option = String::from_utf8_lossy(args.get(index)).into_owned();
                return Err(CommandError::err(format!("Unrecognized REPLCONF option: {option}")).into());
            }
        }
    }
    for option in options {
        turn.repl(Input::Replconf(session.id, option));
    }
    reply.ok();
    Ok(Outcome::Done)
}

/// A replica's acknowledgement. Nonsense, and acknowledgements of others, are ignored without a word.
fn acknowledge(turn: &mut Turn<'_>, session: &Session, args: &Args<'_>, index: usize) {
    if session.kind != Kind::Replica {
        return;
    }
    let Some(offset) = number::parse_u64(args.get(index + 1)) else { return };
    let fsynced = (index + 3 < args.len() && args.is(index + 2, "fack"))
        .then(|| number::parse_u64(args.get(index + 3)))
        .flatten();
    turn.repl(Input::Ack { client: session.id, offset, fsynced });
}
