//! EVAL, EVALSHA and their read-only forms: scripts that call commands.
//!
//! A script is one unit, like an EXEC: nothing of other clients runs in between, and what its commands leave for replicas is
//! wrapped in MULTI … EXEC when it is more than one entry. Replicas receive the effects, never the script.
//!
//! Admission happens twice. The script as a whole is looked at when its first line says what it may do ([`may_start`]); each command
//! is looked at when it is called ([`Runner::admit`]), with texts of its own, since a script is told more bluntly than a client.
//!
//! A script that runs for longer than `busy-reply-threshold` lets other clients be served by [`Host::serve_others`]; the gate then
//! refuses all but a few commands with BUSY.

use tracing::{debug, info, trace, warn};

use crate::acl::Context;
use crate::base::hash;
use crate::base::number::parse_i64;
use crate::base::time::Instant;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::exec::flow::Flow;
use crate::exec::gates::{self, Facts};
use crate::exec::memory;
use crate::exec::scripts::{Listeners, Running, ScriptName, parse_sha};
use crate::exec::{Engine, Handler, Host, acl_refusal, call, reply};
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::out::Out;
use crate::resp::reply::{Proto, Reply};
use crate::script::shebang::{self, ScriptFlags};
use crate::script::{Calls, Chunk, Failure, Heard, LogLevel, Propagation, ReplyError};
use crate::session::{Kind, Session};
use crate::spec::{Command, Flags, LookupError, Table};

/// Milliseconds between two times that other clients are served while a script is stuck.
const SERVE_EVERY_MS: u64 = 10;

/// Of so many questions whether to go on, one reads the clock.
const TICKS_PER_READING: u32 = 16;

/// Milliseconds after which a script that is debugged stops by itself, where `busy-reply-threshold` says nothing.
const DEBUG_LATE_MS: u64 = 5000;

/// Words of the calling command that FUNCTION STATS shows.
const SHOWN_WORDS: usize = 32;

/// How a script was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// By its SHA1 instead of its text.
    pub by_sha: bool,
    /// Writes are refused.
    pub is_read_only: bool,
}

/// EVAL and its relatives.
pub fn eval<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    form: Form,
    session: &mut Session,
    args: &Args<'_>,
    out: &mut Out,
) -> CommandResult {
    let (keys, argv) = words_of(args, CommandError::NotInteger)?;
    let engine = host.engine();
    let sha = if form.by_sha {
        let no_script = || CommandError::text("NOSCRIPT No matching script. Please use EVAL.");
        let sha = parse_sha(args.get(1)).ok_or_else(no_script)?;
        engine.scripts.get(&sha).ok_or_else(no_script)?;
        sha
    } else {
        hash::sha1(args.get(1))
    };
    let script = match engine.scripts.get(&sha) {
        Some(script) => script.clone(),
        None => {
            let seed = engine.rng.next_u64();
            engine.scripts.add(sha, args.get(1), engine.program.version, seed).map_err(CommandError::err)?
        }
    };
    let job = Job {
        chunk: &script.chunk,
        flags: script.flags,
        is_function: false,
        is_read_only: form.is_read_only,
        keys: &keys,
        argv: &argv,
        debugged: None,
    };
    if !session.debugs_scripts || host.engine().depth > 0 {
        return run_script(host, table, ScriptName::Sha(sha), job, session, args, out);
    }
    if !out.is_empty() {
        return Err(CommandError::err("A script is debugged outside a pipeline only").into());
    }
    let source =
        if form.by_sha { args.get(1) } else { shebang::read(args.get(1)).map_or(args.get(1), |script| script.code) };
    info!("Debugging of a script by a client has begun");
    let result =
        run_script(host, table, ScriptName::Sha(sha), Job { debugged: Some(source), ..job }, session, args, out);
    info!("Debugging of a script has ended");
    // The end of the connection is the end of the session, for the client.
    session.marks.is_closing_after_reply = true;
    result
}

/// The flags of a call. A script that says in its first line what it may do is taken at its word, instead of that of the command
/// that runs it.
pub fn flags_of_call(engine: &Engine, flow: Flow, command: &Command, args: &Args<'_>) -> Flags {
    let declared = match flow {
        Flow::Eval(Form { by_sha: true, .. }) => parse_sha(args.get(1)).and_then(|sha| engine.scripts.get(&sha)?.flags),
        Flow::Eval(_) => shebang::read(args.get(1)).ok().and_then(|script| script.flags),
        Flow::Fcall { .. } => engine.functions.get(args.get(1)).map(|function| function.flags),
        _ => None,
    };
    let Some(declared) = declared else { return command.flags };
    let said_here = Flags::STALE.and(Flags::DENYOOM).and(Flags::WRITE).and(Flags::MAY_REPLICATE);
    let said = |flag: Flags, is_set: bool| if is_set { flag } else { Flags::NONE };
    command
        .flags
        .without(said_here)
        .and(said(Flags::WRITE, !declared.no_writes))
        .and(said(Flags::DENYOOM, !declared.allow_oom && !declared.no_writes))
        .and(said(Flags::STALE, declared.allow_stale))
}

type Words<'a> = Vec<&'a [u8]>;

/// The keys and the other arguments, which follow their number at word 2.
pub(super) fn words_of<'a>(args: &Args<'a>, no_number: CommandError) -> Result<(Words<'a>, Words<'a>), CommandError> {
    let count = parse_i64(args.get(2)).ok_or(no_number)?;
    let count = usize::try_from(count).map_err(|_| CommandError::err("Number of keys can't be negative"))?;
    if count > args.len() - 3 {
        return Err(CommandError::err("Number of keys can't be greater than number of args"));
    }
    let mut words: Words<'a> = args.from(3).collect();
    let argv = words.split_off(count);
    Ok((words, argv))
}

/// Whether a script may start at all. One without a first line of flags is only asked about stale data: its commands are looked at
/// one by one.
fn may_start(
    flags: Option<ScriptFlags>,
    is_read_only_call: bool,
    facts: &Facts,
    session: &Session,
) -> Result<(), CommandError> {
    let is_master = session.kind == Kind::Master;
    let allow_stale = flags.is_some_and(|flags| flags.allow_stale);
    let is_stale = facts.is_replica && !facts.is_master_link_up && !facts.is_stale_data_served;
    if is_stale && !allow_stale && !is_master {
        return Err(CommandError::text(gates::MASTERDOWN));
    }
    let Some(flags) = flags else { return Ok(()) };
    if is_read_only_call && !flags.no_writes {
        return Err(CommandError::err("Can not execute a script with write flag using *_ro command."));
    }
    if flags.no_writes || is_master {
        return Ok(());
    }
    if facts.is_replica && facts.is_replica_read_only {
        return Err(CommandError::text(gates::READONLY));
    }
    if let Some(text) = gates::disk_refusal(facts) {
        return Err(CommandError::text(text));
    }
    if facts.lacks_good_replicas && !facts.is_replica {
        return Err(CommandError::text(gates::NOREPLICAS));
    }
    if facts.is_out_of_memory && !flags.allow_oom {
        return Err(CommandError::text(memory::OOM_SCRIPT));
    }
    Ok(())
}

/// A script or function about to run.
pub(super) struct Job<'a> {
    pub chunk: &'a Chunk,
    pub flags: Option<ScriptFlags>,
    pub is_function: bool,
    /// It was called by a command that only reads.
    pub is_read_only: bool,
    pub keys: &'a [&'a [u8]],
    pub argv: &'a [&'a [u8]],
    /// Its text, when the client debugs it.
    pub debugged: Option<&'a [u8]>,
}

/// Runs a script or function as one unit, and answers.
pub(super) fn run_script<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    name: ScriptName,
    job: Job<'_>,
    session: &mut Session,
    args: &Args<'_>,
    out: &mut Out,
) -> CommandResult {
    may_start(job.flags, job.is_read_only, &host.engine().facts, session)?;
    let started = host.clock();
    let engine = host.engine();
    engine.scripts.running = Some(Running {
        name,
        is_function: job.is_function,
        command: Vec::new(),
        client: session.id,
        is_from_master: session.kind == Kind::Master,
        started,
        has_written: false,
        is_busy: false,
        is_killed: false,
    });
    let own = engine.scripts.session.take();
    let own = own.unwrap_or_else(|| Box::new(Session::new(session.id, "", "", false, &engine.acl, engine.now.mono)));
    engine.depth += 1;
    let vm = if job.is_function { engine.functions.take_vm() } else { engine.scripts.take_vm() };
    let mut own = own;
    own.tracking = session.tracking.take();
    let mut runner = Runner::new(host, table, session, own, args, &job, started);
    let mut own_reply = reply(session, out);
    let result = match (job.is_function, job.debugged) {
        (true, _) => vm.run_function(job.chunk, job.keys, job.argv, &mut runner, &mut own_reply),
        (false, None) => vm.run(job.chunk, job.keys, job.argv, &mut runner, &mut own_reply),
        (false, Some(text)) => vm.run_debugged(job.chunk, text, (job.keys, job.argv), &mut runner, &mut own_reply),
    };
    let Runner { session: mut own, .. } = runner;
    // What was published to the caller itself follows the script's reply.
    session.pending_pushes.append(&mut own.pending_pushes);
    session.tracking = own.tracking.take();
    let engine = host.engine();
    engine.depth -= 1;
    engine.scripts.session = Some(own);
    engine.scripts.listeners = Listeners::All;
    let running = engine.scripts.running.take().expect("it was put there above, and only one script runs at a time");
    let was_busy = running.is_busy;
    let result = answer(host, result, &running.name, session, out);
    let engine = host.engine();
    match job.is_function {
        true => engine.functions.put_vm(vm),
        false => engine.scripts.put_vm(vm),
    }
    if was_busy {
        host.script_ended();
    }
    result
}

/// Counts the error that a script returned, or gives the one with which it failed.
fn answer<H: Host>(
    host: &mut H,
    result: Result<Option<ReplyError>, Failure>,
    name: &ScriptName,
    session: &Session,
    out: &mut Out,
) -> CommandResult {
    match result {
        Ok(None) => Ok(Outcome::Done),
        // The error is the reply already; it only has to be counted.
        Ok(Some((text, is_counted))) => {
            if !is_counted {
                host.engine().command_stats.error(&String::from_utf8_lossy(&text));
            }
            Err(CommandError::Replied.into())
        }
        Err(failure) => {
            let text = failure.message(&name.to_string());
            match failure.is_counted {
                true => {
                    reply(session, out).error(&text);
                    Err(CommandError::Replied.into())
                }
                false => Err(CommandError::Text(text).into()),
            }
        }
    }
}

/// A script's way to the commands.
struct Runner<'a, H: Host> {
    host: &'a mut H,
    table: &'a Table<Handler<H::Admin>>,
    /// Who runs the script.
    caller: &'a Session,
    /// The command that it sent.
    words: &'a Args<'a>,
    /// Its stand-in, which calls the commands.
    session: Box<Session>,
    is_read_only: bool,
    may_take_memory: bool,
    started: Instant,
    served: Instant,
    /// When its client, which debugs it, last had its turn.
    talked: Instant,
    ticks: u32,
    is_killed: bool,
}

impl<'a, H: Host> Runner<'a, H> {
    /// For a script of `caller`, which runs commands with `session`.
    fn new(
        host: &'a mut H,
        table: &'a Table<Handler<H::Admin>>,
        caller: &'a Session,
        mut session: Box<Session>,
        words: &'a Args<'a>,
        job: &Job<'_>,
        started: Instant,
    ) -> Runner<'a, H> {
        session.id = caller.id;
        if session.addr != caller.addr {
            session.addr.clone_from(&caller.addr);
        }
        session.kind = caller.kind;
        session.user = caller.user;
        session.is_authenticated = caller.is_authenticated;
        session.db = caller.db;
        session.proto = Proto::Resp2;
        session.script_client_proto = Some(caller.push_proto());
        session.subscribed = caller.subscribed;
        let is_read_only = job.is_read_only || job.flags.is_some_and(|flags| flags.no_writes);
        let may_take_memory = job.flags.is_some_and(|flags| flags.allow_oom);
        Runner {
            host,
            table,
            caller,
            words,
            session,
            is_read_only,
            may_take_memory,
            started,
            served: started,
            talked: started,
            ticks: 0,
            is_killed: false,
        }
    }

    /// The rules for a command that a script calls, in Redis's order and words.
    fn admit(&mut self, args: &Args<'_>) -> Result<&'a Command, String> {
        let command = match self.table.lookup(args) {
            Ok(command) => self.table.catalog().get(command.id),
            Err(LookupError::WrongArity { .. }) => {
                return Err("ERR Wrong number of args calling Redis command from script".into());
            }
            Err(_) => return Err("ERR Unknown Redis command called from script".into()),
        };
        let engine = self.host.engine();
        let flags = command.flags;
        if flags.has(Flags::NOSCRIPT) && !engine.scripts.is_everything_allowed {
            return self.rejected(command, "ERR This Redis command is not allowed from script".into());
        }
        if matches!(command.meta.name, "xread" | "xreadgroup") && asks_to_block(args) {
            let text = format!("ERR {} command is not allowed with BLOCK option from scripts", command.meta.name);
            return self.rejected(command, text);
        }
        let facts = engine.facts.clone();
        let is_master = self.session.kind == Kind::Master;
        let is_write = flags.has(Flags::WRITE);
        let refusal = if facts.is_loading && !flags.has(Flags::LOADING) && !is_master {
            Some(gates::LOADING)
        } else if facts.is_replica
            && !facts.is_master_link_up
            && !facts.is_stale_data_served
            && !flags.has(Flags::STALE)
            && !is_master
        {
            Some("ERR Can not execute the command on a stale replica")
        } else {
            None
        };
        if let Some(text) = refusal {
            return self.rejected(command, text.to_owned());
        }
        if let Some(text) = acl_refusal(self.host, self.table, self.caller, command, args, Context::Lua) {
            let reason = text.strip_prefix("NOPERM ").unwrap_or(&text);
            return self.rejected(command, format!("ERR ACL failure in script: {reason}"));
        }
        // What replicas may have to hear of counts as a write here, so that such scripts can run while writes are paused.
        if self.is_read_only && flags.has(Flags::WRITE.and(Flags::MAY_REPLICATE)) {
            return self.rejected(command, "ERR Write commands are not allowed from read-only scripts.".into());
        }
        if is_write {
            let text = if is_master {
                None
            } else if facts.is_replica && facts.is_replica_read_only {
                Some(gates::READONLY)
            } else if let Some(text) = gates::disk_refusal(&facts) {
                Some(text)
            } else if facts.lacks_good_replicas && !facts.is_replica && !self.has_written() {
                Some(gates::NOREPLICAS)
            } else {
                None
            };
            if let Some(text) = text {
                return self.rejected(command, text.to_owned());
            }
        }
        // A script that has changed something is not stopped half-way.
        let is_short = facts.is_out_of_memory && !is_master && !self.may_take_memory;
        if is_short && flags.has(Flags::DENYOOM) && !self.has_written() {
            return self.rejected(command, memory::OOM.to_owned());
        }
        Ok(command)
    }

    fn has_written(&mut self) -> bool {
        self.host.engine().scripts.running.as_ref().is_some_and(|running| running.has_written)
    }

    fn rejected<T>(&mut self, command: &Command, text: String) -> Result<T, String> {
        self.host.engine().command_stats.rejected(command.id);
        Err(text)
    }
}

/// Whether the options of XREAD or XREADGROUP have BLOCK among them.
fn asks_to_block(args: &Args<'_>) -> bool {
    let mut options = args.from(1).take_while(|word| !word.eq_ignore_ascii_case(b"streams"));
    options.any(|word| word.eq_ignore_ascii_case(b"block"))
}

impl<H: Host> Calls for Runner<'_, H> {
    fn call(&mut self, words: &OwnedArgs, proto: Proto, out: &mut Out) {
        let args = words.as_args();
        self.session.proto = proto;
        let command = match self.admit(&args) {
            Ok(command) => command,
            Err(text) => {
                self.host.engine().command_stats.error(&text);
                return Reply::new(out, proto).error(&text);
            }
        };
        if command.flags.has(Flags::WRITE.and(Flags::MAY_REPLICATE))
            && let Some(running) = &mut self.host.engine().scripts.running
        {
            running.has_written = true;
        }
        call::call(self.host, self.table, &mut self.session, command, &args, out);
    }

    fn is_permitted(&mut self, words: &OwnedArgs) -> Option<bool> {
        let args = words.as_args();
        let command = self.table.lookup(&args).ok()?;
        let Some(user) = self.session.user else { return Some(true) };
        let acl = &self.host.engine().acl;
        Some(acl.is_all_powerful(user) || acl.check(user, command, &args).is_ok())
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        match level {
            LogLevel::Debug => trace!("{text}"),
            LogLevel::Verbose => debug!("{text}"),
            LogLevel::Notice => info!("{text}"),
            LogLevel::Warning => warn!("{text}"),
        }
    }

    fn set_propagation(&mut self, to: Propagation) {
        self.host.engine().scripts.listeners = match (to.to_replicas, to.to_aof) {
            (true, true) => Listeners::All,
            (true, false) => Listeners::Replicas,
            (false, true) => Listeners::File,
            (false, false) => Listeners::Nobody,
        };
    }

    fn is_late(&mut self) -> bool {
        let threshold = match self.host.engine().config.scripting.busy_reply_threshold {
            0 => DEBUG_LATE_MS,
            threshold => threshold,
        };
        self.host.clock().since(self.talked) >= threshold
    }

    fn converse(&mut self, said: &[u8]) -> Heard {
        if let Some(running) = &mut self.host.engine().scripts.running {
            running.is_busy = true;
        }
        let heard = self.host.converse(self.caller.id, said);
        self.talked = self.host.clock();
        heard
    }

    fn tick(&mut self) -> Result<(), &'static str> {
        // Most scripts are over before a reading of the clock is worth it.
        self.ticks += 1;
        if !self.ticks.is_multiple_of(TICKS_PER_READING) && !self.is_killed {
            return Ok(());
        }
        let now = self.host.clock();
        let threshold = self.host.engine().config.scripting.busy_reply_threshold;
        if !self.is_killed
            && (threshold == 0 || now.since(self.started) < threshold || now.since(self.served) < SERVE_EVERY_MS)
        {
            return Ok(());
        }
        self.served = now;
        let spent = now.since(self.started);
        if let Some(running) = &mut self.host.engine().scripts.running {
            if !running.is_busy {
                warn!(
                    "Slow script detected: still in execution after {spent} milliseconds. You can try killing the script \
                     using the {} command. Script name is: {}.",
                    if running.is_function { "FUNCTION KILL" } else { "SCRIPT KILL" },
                    running.name
                );
            }
            if !running.is_busy {
                running.command = self.words.iter().take(SHOWN_WORDS).map(<[u8]>::to_vec).collect();
            }
            running.is_busy = true;
        }
        self.host.serve_others();
        let is_leaving = self.host.is_leaving();
        self.is_killed =
            is_leaving || self.host.engine().scripts.running.as_ref().is_some_and(|running| running.is_killed);
        match &self.host.engine().scripts.running {
            Some(running) if running.is_killed && running.is_function => {
                Err("Script killed by user with FUNCTION KILL.")
            }
            Some(running) if running.is_killed => Err("Script killed by user with SCRIPT KILL..."),
            _ if is_leaving => Err("The server is about to stop."),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_script_calls_commands_and_its_effects_are_one_unit() {
        transcript(
            r##"
            > EVAL "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('APPEND', KEYS[1], 'x')" 1 k v
            :2
            > EVAL "return redis.call('GET', KEYS[1])" 1 k
            $vx
            > EVAL "return {1, 'two', {3, false}, redis.status_reply('FINE')}" 0
            *4
            :1
            $two
            *2
            :3
            nil
            +FINE
            "##,
        )
        .propagates(&["MULTI", "SET k v", "APPEND k x", "EXEC"])
        .notifies(&["set k", "append k"]);
    }

    #[test]
    fn a_script_is_kept_under_its_sha1() {
        transcript(
            r##"
            > EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
            -NOSCRIPT No matching script. Please use EVAL.
            > SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
            *1
            :0
            > SCRIPT LOAD "return 1"
            $e0e1f9fabfc9d4800c877a703b823ac0578ff8db
            > EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
            :1
            > SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db x
            *2
            :1
            :0
            > SCRIPT FLUSH ASYNC
            +OK
            > SCRIPT FLUSH NOW
            -ERR SCRIPT FLUSH only support SYNC|ASYNC option
            > EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
            -NOSCRIPT No matching script. Please use EVAL.
            > SCRIPT KILL
            -NOTBUSY No scripts in execution right now.
            "##,
        );
    }

    #[test]
    fn numbers_of_keys_are_checked() {
        transcript(
            r##"
            > EVAL "return 1" x
            -ERR value is not an integer or out of range
            > EVAL "return 1" -1
            -ERR Number of keys can't be negative
            > EVAL "return 1" 1
            -ERR Number of keys can't be greater than number of args
            "##,
        );
    }

    #[test]
    fn what_a_script_may_not_call_is_refused() {
        transcript(
            r##"
            > EVAL "redis.call('nosuch')" 0
            -ERR Unknown Redis command called from script script: 1a5f26b56b1a2a11f0a6fb6ef1b1c68b9b6a33fd, on @user_script:1.
            "##
            .replace("1a5f26b56b1a2a11f0a6fb6ef1b1c68b9b6a33fd", &sha("redis.call('nosuch')"))
            .as_str(),
        );
        transcript(
            r##"
            > EVAL "return redis.pcall('get').err" 0
            $ERR Wrong number of args calling Redis command from script
            > EVAL "return redis.pcall('multi').err" 0
            $ERR This Redis command is not allowed from script
            > EVAL_RO "return redis.pcall('set', 'k', 'v').err" 0
            $ERR Write commands are not allowed from read-only scripts.
            > EVAL "#!lua flags=no-writes\nreturn redis.pcall('set', 'k', 'v').err" 0
            $ERR Write commands are not allowed from read-only scripts.
            > EVAL_RO "#!lua\nreturn 1" 0
            -ERR Can not execute a script with write flag using *_ro command.
            > EVAL "#!other\nreturn 1" 0
            -ERR Unexpected engine in script shebang: other
            > EXISTS k
            :0
            "##,
        )
        .propagates(&[]);
    }

    fn sha(text: &str) -> String {
        crate::base::hash::hex(&crate::base::hash::sha1(text.as_bytes()))
    }

    #[test]
    fn selecting_a_database_inside_does_not_move_the_caller() {
        transcript(
            r##"
            > EVAL "redis.call('select', 9) return redis.call('set', 'k', 'nine')" 0
            +OK
            > GET k
            nil
            @db 9
            > GET k
            $nine
            "##,
        );
    }

    #[test]
    fn nobody_hears_of_what_is_not_to_be_propagated() {
        transcript(
            r##"
            > EVAL "redis.set_repl(redis.REPL_NONE) redis.call('set', 'a', 1) redis.set_repl(redis.REPL_ALL) redis.call('set', 'b', 2)" 0
            nil
            > MULTI
            +OK
            > EVAL "return redis.call('incr', 'a')" 0
            +QUEUED
            > EXEC
            *1
            :2
            "##,
        )
        .propagates(&["set b 2", "incr a"]);
    }

    #[test]
    fn replies_of_resp3_reach_scripts_that_ask_for_them() {
        transcript(
            r##"
            > EVAL "redis.setresp(3) return redis.call('get', 'missing') == nil" 0
            :1
            > EVAL "return redis.call('get', 'missing') == false" 0
            :1
            @resp3
            > EVAL "redis.setresp(3) return true" 0
            #t
            > EVAL "return {double = 1.5}" 0
            ,1.5
            "##,
        );
    }
}
