//! SCRIPT: the cache of scripts, and the end of one that is stuck.

use crate::base::hash;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::exec::scripts::{parse_sha, sha_text};
use crate::exec::{Engine, reply};
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::session::Session;

/// SCRIPT LOAD text: compiles and keeps it; its SHA1.
pub fn load(engine: &mut Engine, session: &Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    let text = args.get(2);
    let sha = hash::sha1(text);
    if engine.scripts.get(&sha).is_none() {
        let seed = engine.rng.next_u64();
        engine.scripts.add(sha, text, engine.program.version, seed).map_err(CommandError::err)?;
    }
    reply(session, out).bulk(sha_text(&sha).as_bytes());
    Ok(Outcome::Done)
}

/// SCRIPT EXISTS sha…: 1 or 0 for each.
pub fn exists(engine: &mut Engine, session: &Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    let mut reply = reply(session, out);
    reply.array(args.len() - 2);
    for text in args.from(2) {
        let is_there = parse_sha(text).is_some_and(|sha| engine.scripts.get(&sha).is_some());
        reply.int(i64::from(is_there));
    }
    Ok(Outcome::Done)
}

/// SCRIPT FLUSH [ASYNC|SYNC]: forgets all scripts.
pub fn flush(engine: &mut Engine, session: &Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    let is_fine = args.len() == 2 || args.len() == 3 && (args.is(2, "async") || args.is(2, "sync"));
    if !is_fine {
        return Err(CommandError::err("SCRIPT FLUSH only support SYNC|ASYNC option").into());
    }
    engine.scripts.flush();
    reply(session, out).ok();
    Ok(Outcome::Done)
}

/// SCRIPT KILL and FUNCTION KILL: ends what is stuck, unless it has written.
pub fn kill(engine: &mut Engine, session: &Session, is_function: bool, out: &mut Out) -> CommandResult {
    let Some(running) = &mut engine.scripts.running else {
        return Err(CommandError::text("NOTBUSY No scripts in execution right now.").into());
    };
    if running.is_from_master {
        return Err(CommandError::text(
            "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed.",
        ).into());
    }
    if running.has_written {
        return Err(CommandError::text(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
             script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
        )
        .into());
    }
    if running.is_function != is_function {
        let text =
            if running.is_function { crate::exec::gates::BUSY_FUNCTION } else { crate::exec::gates::BUSY_SCRIPT };
        return Err(CommandError::text(text).into());
    }
    running.is_killed = true;
    reply(session, out).ok();
    Ok(Outcome::Done)
}

/// SCRIPT DEBUG. Redis debugs with YES in a child process whose changes are lost with it; we have none.
pub fn debug(session: &mut Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    if !out.is_empty() {
        return Err(CommandError::err("SCRIPT DEBUG must be called outside a pipeline").into());
    }
    if args.is(2, "yes") {
        return Err(CommandError::err("Nothing forks here, so scripts are debugged with SCRIPT DEBUG SYNC only").into());
    }
    if !args.is(2, "sync") && !args.is(2, "no") {
        return Err(CommandError::err("Use SCRIPT DEBUG YES/SYNC/NO").into());
    }
    session.debugs_scripts = args.is(2, "sync");
    reply(session, out).ok();
    Ok(Outcome::Done)
}
