//! FCALL and FUNCTION: libraries of functions, kept with the data and replicated like them.

use crate::base::glob;
use crate::base::time::Instant;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::exec::flow::eval::{Job, run_script, words_of};
use crate::exec::functions::{ENGINE, Policy, read_dump};
use crate::exec::scripts::ScriptName;
use crate::exec::{Engine, Handler, Host, gates, reply};
use crate::resp::args::{Args, OwnedArgs};
use crate::resp::out::Out;
use crate::resp::reply::Proto;
use crate::script::{Calls, LogLevel, Propagation};
use crate::session::Session;
use crate::spec::Table;

/// Milliseconds that loading a library may take.
const LOAD_MS_MAX: u64 = 500;

/// FCALL and FCALL_RO name numkeys key… arg…
pub fn fcall<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    is_read_only: bool,
    session: &mut Session,
    args: &Args<'_>,
    out: &mut Out,
) -> CommandResult {
    let engine = host.engine();
    let function = engine.functions.get(args.get(1)).ok_or_else(|| CommandError::err("Function not found"))?;
    let (keys, argv) = words_of(args, CommandError::err("Bad number of keys provided"))?;
    let job = Job {
        chunk: &function.chunk,
        flags: Some(function.flags),
        is_function: true,
        is_read_only,
        keys: &keys,
        argv: &argv,
        debugged: None,
    };
    let name = ScriptName::Function(String::from_utf8_lossy(&function.name).into_owned());
    run_script(host, table, name, job, session, args, out)
}

/// What a library may do while it is loaded: log, and be done in time.
pub struct Loading<'a> {
    clock: Option<&'a mut dyn FnMut() -> Instant>,
    began: Option<Instant>,
}

impl<'a> Loading<'a> {
    /// With a clock.
    pub fn within_time(clock: &'a mut dyn FnMut() -> Instant) -> Loading<'a> {
        let began = Some(clock());
        Loading { clock: Some(clock), began }
    }

    /// For libraries that a file or our master brings: they have been loaded before.
    pub fn without_limit() -> Loading<'static> {
        Loading { clock: None, began: None }
    }
}

impl Calls for Loading<'_> {
    fn call(&mut self, _: &OwnedArgs, _: Proto, _: &mut Out) {}

    fn is_permitted(&mut self, _: &OwnedArgs) -> Option<bool> {
        None
    }

    fn log(&mut self, _: LogLevel, text: &[u8]) {
        tracing::info!("{}", String::from_utf8_lossy(text));
    }

    fn set_propagation(&mut self, _: Propagation) {}

    fn tick(&mut self) -> Result<(), &'static str> {
        let (Some(clock), Some(began)) = (&mut self.clock, self.began) else { return Ok(()) };
        if clock().since(began) > LOAD_MS_MAX { Err("FUNCTION LOAD timeout") } else { Ok(()) }
    }
}

/// The functions, taken out of the engine so that loading can use the rest of the program.
fn with_functions<H: Host, R>(
    host: &mut H,
    act: impl FnOnce(&mut crate::exec::functions::Functions, &mut Loading<'_>) -> R,
) -> R {
    let engine = host.engine();
    let (version, seed) = (engine.program.version, engine.rng.next_u64());
    let mut functions = std::mem::take(&mut engine.functions);
    functions.configure(version, seed);
    let mut clock = || host.clock();
    let result = act(&mut functions, &mut Loading::within_time(&mut clock));
    host.engine().functions = functions;
    result
}

/// FUNCTION LOAD [REPLACE] text: the library's name.
pub fn load<H: Host>(host: &mut H, session: &Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    let mut replace = false;
    for word in args.from(2).take(args.len() - 3) {
        if !word.eq_ignore_ascii_case(b"replace") {
            let shown = String::from_utf8_lossy(word);
            return Err(CommandError::err(format!("Unknown option given: {shown}")).into());
        }
        replace = true;
    }
    let text = args.get(args.len() - 1);
    let name = with_functions(host, |functions, loading| functions.load(text, replace, loading));
    reply(session, out).bulk(&name.map_err(CommandError::err)?);
    Ok(Outcome::Forced)
}

/// FUNCTION DELETE name.
pub fn delete(engine: &mut Engine, session: &Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    if !engine.functions.delete(args.get(2)) {
        return Err(CommandError::err("Library not found").into());
    }
    reply(session, out).ok();
    Ok(Outcome::Forced)
}

/// FUNCTION FLUSH [ASYNC|SYNC].
pub fn flush(engine: &mut Engine, session: &Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    if args.len() > 3 {
        return Err(wrong_subcommand("flush").into());
    }
    if args.len() == 3 && !args.is(2, "async") && !args.is(2, "sync") {
        return Err(CommandError::err("FUNCTION FLUSH only supports SYNC|ASYNC option").into());
    }
    engine.functions.flush();
    reply(session, out).ok();
    Ok(Outcome::Forced)
}

fn wrong_subcommand(name: &str) -> CommandError {
    CommandError::err(format!("unknown subcommand or wrong number of arguments for '{name}'. Try FUNCTION HELP."))
}

/// FUNCTION DUMP.
pub fn dump(engine: &Engine, session: &Session, out: &mut Out) -> CommandResult {
    reply(session, out).bulk(&engine.functions.dump());
    Ok(Outcome::Done)
}

/// FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE].
pub fn restore<H: Host>(host: &mut H, session: &Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    if args.len() > 4 {
        return Err(wrong_subcommand("restore").into());
    }
    let policy = match args.len() {
        3 => Policy::Append,
        _ if args.is(3, "append") => Policy::Append,
        _ if args.is(3, "replace") => Policy::Replace,
        _ if args.is(3, "flush") => Policy::Flush,
        _ => {
            return Err(CommandError::err(
                "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            )
            .into());
        }
    };
    let texts = read_dump(args.get(2)).map_err(CommandError::err)?;
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let result = with_functions(host, |functions, loading| functions.load_all(&texts, policy, loading));
    result.map_err(|text| CommandError::err(text.replace("Library '", "Library ").replace("' already", " already")))?;
    reply(session, out).ok();
    Ok(Outcome::Forced)
}

/// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE].
pub fn list(engine: &Engine, session: &Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    let (mut pattern, mut with_code) = (None, false);
    let mut words = args.from(2);
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"withcode") && !with_code {
            with_code = true;
        } else if word.eq_ignore_ascii_case(b"libraryname") && pattern.is_none() {
            let missing = || CommandError::err("library name argument was not given");
            pattern = Some(words.next().ok_or_else(missing)?);
        } else {
            return Err(CommandError::err(format!("Unknown argument {}", String::from_utf8_lossy(word))).into());
        }
    }
    let is_shown = |name: &[u8]| pattern.is_none_or(|pattern| glob::matches_ignoring_case(pattern, name));
    let shown: Vec<_> = engine.functions.libraries().filter(|(name, _)| is_shown(name)).collect();
    let mut reply = reply(session, out);
    reply.array(shown.len());
    for (name, library) in shown {
        reply.map(if with_code { 4 } else { 3 });
        reply.bulk(b"library_name");
        reply.bulk(name);
        reply.bulk(b"engine");
        reply.bulk(ENGINE.as_bytes());
        reply.bulk(b"functions");
        reply.array(library.functions.len());
        for function in &library.functions {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(&function.name);
            reply.bulk(b"description");
            match &function.description {
                Some(text) => reply.bulk(text),
                None => reply.null(),
            }
            reply.bulk(b"flags");
            let flags: Vec<_> = function.flags.names().collect();
            reply.set(flags.len());
            flags.iter().for_each(|flag| reply.simple(flag));
        }
        if with_code {
            reply.bulk(b"library_code");
            reply.bulk(&library.text);
        }
    }
    Ok(Outcome::Done)
}

/// FUNCTION STATS: what runs, and how much there is.
pub fn stats<H: Host>(host: &mut H, session: &Session, out: &mut Out) -> CommandResult {
    let now = host.clock();
    let engine = host.engine();
    if engine.scripts.running.as_ref().is_some_and(|running| running.is_busy && !running.is_function) {
        return Err(CommandError::text(gates::BUSY_SCRIPT).into());
    }
    let mut reply = reply(session, out);
    reply.map(2);
    reply.bulk(b"running_script");
    match &engine.scripts.running {
        Some(running) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(running.name.to_string().as_bytes());
            reply.bulk(b"command");
            reply.array(running.command.len());
            running.command.iter().for_each(|word| reply.bulk(word));
            reply.bulk(b"duration_ms");
            reply.int(now.since(running.started) as i64);
        }
        None => reply.null(),
    }
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(ENGINE.as_bytes());
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.int(engine.functions.len() as i64);
    reply.bulk(b"functions_count");
    reply.int(engine.functions.functions_len() as i64);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_function_is_loaded_called_and_deleted() {
        transcript(
            r##"
            > FUNCTION LOAD "#!lua name=lib\nredis.register_function('put', function(keys, args) local r = redis.call('set', keys[1], args[1]) return r end)"
            $lib
            > FCALL put 1 k v
            +OK
            > FCALL PUT 0
            -ERR Lua redis lib command arguments must be strings or integers script: put, on @user_function:2.
            > FCALL nope 0
            -ERR Function not found
            > FCALL put x
            -ERR Bad number of keys provided
            > FCALL_RO put 1 k v
            -ERR Can not execute a script with write flag using *_ro command.
            > FUNCTION DELETE lib
            +OK
            > FUNCTION DELETE lib
            -ERR Library not found
            > FUNCTION LIST
            *0
            "##,
        )
        .propagates(&[
            r##"FUNCTION LOAD "#!lua name=lib\nredis.register_function('put', function(keys, args) local r = redis.call('set', keys[1], args[1]) return r end)""##,
            "set k v",
            "FUNCTION DELETE lib",
        ]);
    }

    #[test]
    fn libraries_are_listed() {
        transcript(
            r##"
            > FUNCTION LOAD "#!lua name=lib\nredis.register_function{function_name='f', callback=function() return 1 end, description='d', flags={'no-writes'}}"
            $lib
            > FUNCTION LIST LIBRARYNAME L*
            *1
            *6
            $library_name
            $lib
            $engine
            $LUA
            $functions
            *1
            *6
            $name
            $f
            $description
            $d
            $flags
            *1
            +no-writes
            > FUNCTION STATS
            *4
            $running_script
            nil
            $engines
            *2
            $LUA
            *4
            $libraries_count
            :1
            $functions_count
            :1
            > FUNCTION LIST WITHCODE WITHCODE
            -ERR Unknown argument WITHCODE
            > FUNCTION LIST LIBRARYNAME
            -ERR library name argument was not given
            > FUNCTION LOAD X "#!lua name=lib\n"
            -ERR Unknown option given: X
            > FUNCTION LOAD "#!lua name=lib\nreturn 1"
            -ERR Library 'lib' already exists
            > FUNCTION RESTORE x NOW
            -ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.
            > FUNCTION RESTORE x
            -ERR DUMP payload version or checksum are wrong
            > FUNCTION FLUSH NOW
            -ERR FUNCTION FLUSH only supports SYNC|ASYNC option
            > FUNCTION FLUSH SYNC
            +OK
            "##,
        );
    }

    #[test]
    fn what_a_library_may_not_do_while_it_is_loaded() {
        for (code, text) in [
            ("return math.random()", "attempted to access nonexistent global variable 'math'"),
            ("return redis.call('ping')", "attempted to access nonexistent global variable 'call'"),
            ("a = 1", "Attempt to modify a readonly table"),
            ("redis.x = 1", "Attempt to modify a readonly table"),
            ("redis.register_function()", "wrong number of arguments to redis.register_function"),
            ("redis.register_function('f')", "single argument is only applicable to Lua table"),
            ("redis.register_function('f', 1)", "second argument to redis.register_function must be a function"),
            ("redis.register_function('a b', function() end)", "Library names can only contain"),
        ] {
            let mut stage = crate::testkit::stage::Stage::default();
            let library = format!("#!lua name=lib\n{code}");
            let words = [b"FUNCTION".to_vec(), b"LOAD".to_vec(), library.into_bytes()];
            let reply = String::from_utf8(stage.call(&words)).unwrap();
            assert!(reply.starts_with("-ERR Error registering functions:") && reply.contains(text), "{code}: {reply}");
        }
    }
}
