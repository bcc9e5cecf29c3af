//! DEBUG: what the upstream tests need to look inside, and to make rare things happen now.
//!
//! Refused unless `enable-debug-command` allows it. Subcommands are looked up here and not in the command table, as in
//! Redis: an unknown one answers with a hint at DEBUG HELP.

mod encodings;

use crate::base::crash;
use crate::base::hash;
use crate::base::number;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::config::memory_units;
use crate::config::rewrite::Defaults;
use crate::config::values::Allowed;
use crate::data::ValueRef;
use crate::data::string::{NewStr, StrView};
use crate::keyspace::{Access, AnyValue, DbHandle, Event, ExpiredKeys, Expiry};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::admin::{AdminHandler, config};
use crate::server::{Turn, is_local};
use crate::session::Session;
use crate::spec::{Arity, Flags, Group, Meta, Spec};

/// DEBUG.
pub const SPEC: Spec<AdminHandler> = Spec {
    meta: Meta {
        name: "debug",
        group: Group::Server,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE).and(Flags::PROTECTED),
        summary: "A container for debugging commands.",
        complexity: "Depends on the subcommand.",
        ..Meta::NEW
    },
    handler: debug,
};

fn debug(turn: &mut Turn<'_>, session: &mut Session, args: &Args<'_>, mut reply: Reply<'_>) -> CommandResult {
    let is_allowed = match turn.server.engine.config.security.enable_debug_command {
        Allowed::Yes => true,
        Allowed::Local => is_local(session),
        Allowed::No => false,
    };
    if !is_allowed {
        return Err(CommandError::err(
            "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
             local connection, otherwise you need to set this option in the configuration file, and then restart the \
             server.",
        )
        .into());
    }
    let word = args.get(1).to_ascii_lowercase();
    match (word.as_slice(), args.len()) {
        (b"help", 2) => help(&mut reply),
        (b"set-active-expire", 3) => {
            turn.server.is_active_expire_on = is_one(args, 2);
            reply.ok();
        }
        (b"pause-cron", 3) => {
            turn.server.is_cron_paused = is_one(args, 2);
            reply.ok();
        }
        (b"set-disable-deny-scripts", 3) => {
            turn.server.engine.scripts.is_everything_allowed = is_one(args, 2);
            reply.ok();
        }
        (b"set-skip-checksum-validation", 3) => {
            turn.server.is_checksum_skipped = is_one(args, 2);
            turn.server.refresh_settings();
            reply.ok();
        }
        (b"sleep", 3) => {
            let seconds = number::parse_f64(args.get(2)).ok_or(CommandError::NotFloat)?;
            sleep(seconds);
            reply.ok();
        }
        (b"object", 3 | 4) => object(turn, session, args.get(2), &mut reply)?,
        (b"listpack", 3) => encodings::listpack(&mut db(turn, session), args.get(2), &mut reply)?,
        (b"quicklist", 3 | 4) => {
            let full = args.len() == 4 && is_one(args, 3);
            encodings::quicklist(&mut db(turn, session), args.get(2), full, &mut reply)?;
        }
        (b"quicklist-packed-threshold", 3) => {
            // Redis's bounds: a megabyte short of 4 GiB, and 0 for what it was.
            let bytes = memory_units::parse(args.get(2)).filter(|bytes| *bytes <= (1 << 32) - (1 << 20));
            turn.server.engine.settings.limits.list_plain_from = bytes.ok_or_else(|| {
                CommandError::err("argument must be a memory value bigger than 1 and smaller than 4gb")
            })?;
            reply.ok();
        }
        // Buffers of replies are lent by a pool and go back with the last byte: there is no size that could be kept.
        (b"replybuffer", 4) if args.is(2, "resizing") => reply.ok(),
        (b"digest", 2) => reply.simple(&dataset_digest(turn)),
        (b"digest-value", 3..) => {
            reply.array(args.len() - 2);
            for key in args.from(2) {
                reply.simple(&value_digest(turn, session, key));
            }
        }
        (b"populate", 3..=5) => populate(turn, session, args, &mut reply)?,
        (b"replicate", 3..) => {
            turn.server.engine.journal.append_for_replicas(session.db, &args.skip(2));
            reply.ok();
        }
        (b"config-rewrite-force-all", 2) => {
            return config::rewrite_file(turn, Defaults::Written, reply);
        }
        (b"reload", 2..) => reload(turn, args, &mut reply)?,
        (b"loadaof", 2) => {
            turn.debug_load_aof().map_err(CommandError::text)?;
            reply.ok();
        }
        (b"log", 3) => {
            tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.get(2)));
            reply.ok();
        }
        (b"aof-flush-sleep", 3) => {
            let us = number::parse_u64(args.get(2)).ok_or(CommandError::NotInteger)?;
            turn.server.aof.flush_sleep_us = us;
            reply.ok();
        }
        (b"protocol", 3) => protocol(args.get(2), &mut reply)?,
        (b"stringmatch-len", 4) => {
            let length = number::parse_u64(args.get(3)).filter(|n| *n <= 1 << 30).ok_or(CommandError::NotInteger)?;
            let text = vec![b'A'; length as usize];
            reply.int(i64::from(crate::base::glob::matches(args.get(2), &text)));
        }
        (b"segfault", 2) => crash::segfault(),
        (b"panic", 2) => panic!("DEBUG PANIC asked for it"),
        _ => return Err(unknown(args).into()),
    }
    Ok(Outcome::Done)
}

/// DEBUG SLEEP: everybody waits, that is the point.
fn sleep(seconds: f64) {
    if let Ok(pause) = std::time::Duration::try_from_secs_f64(seconds) {
        std::thread::sleep(pause);
    }
}

fn unknown(args: &Args<'_>) -> CommandError {
    let word = args.shown(1);
    CommandError::err(format!("unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP."))
}

fn is_one(args: &Args<'_>, index: usize) -> bool {
    number::parse_i64(args.get(index)).is_some_and(|n| n != 0)
}

fn help(reply: &mut Reply<'_>) {
    const LINES: &[&str] = &[
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "AOF-FLUSH-SLEEP <microsec>",
        "    Sleep before each write to the append only file.",
        "CONFIG-REWRITE-FORCE-ALL",
        "    As CONFIG REWRITE, with all settings, those at their default too.",
        "DIGEST",
        "    A digest of the whole data set: equal data, equal digest.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    A digest of each key's value and expiry.",
        "LISTPACK <key>",
        "    Print the elements of a packed collection on stdout.",
        "LOADAOF",
        "    Write what waits for the append only file, empty the data set and load it from the files.",
        "LOG <message>",
        "    Write a message into the log.",
        "OBJECT <key>",
        "    What is known about a key's value.",
        "PAUSE-CRON <0|1>",
        "    Stop or resume periodic work.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Create <count> string keys that do not exist yet. Replicas are not told.",
        "PROTOCOL <type>",
        "    Answer with an example of a RESP type.",
        "QUICKLIST <key> [<0|1>]",
        "    Print the nodes of a long list on stdout, with 1 their elements too.",
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "    From which size on list elements are kept by themselves; 0 for the default.",
        "RELOAD [NOSAVE] [NOFLUSH] [MERGE]",
        "    Save the data set, empty it and load it again; without some of that if asked.",
        "REPLICATE <command> [<arg> ...]",
        "    Send this to the replicas, whatever it is, without executing it here.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Stop or resume the active removal of expired keys.",
        "SET-DISABLE-DENY-SCRIPTS <0|1>",
        "    Let scripts call what they may not, for tests.",
        "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        "    Whether checksums of RDB files and RESTORE payloads are ignored.",
        "SLEEP <seconds>",
        "    Stop the server for that long. Decimals are allowed.",
        "STRINGMATCH-LEN <pattern> <length>",
        "    Match a pattern against <length> letters A.",
        "HELP",
        "    Print this help.",
    ];
    reply.array(LINES.len());
    LINES.iter().for_each(|line| reply.simple(line));
}

/// The client's database, looked at without leaving a trace.
fn db<'t>(turn: &'t mut Turn<'_>, session: &Session) -> DbHandle<'t> {
    let engine = &mut turn.server.engine;
    let access = Access { now: engine.now.wall(), expired: engine.expired_rule(session), touch: false };
    engine.keyspace.db(session.db as u32, access)
}

fn object(turn: &mut Turn<'_>, session: &Session, key: &[u8], reply: &mut Reply<'_>) -> Result<(), CommandError> {
    // What is over but still there is looked at like anything else.
    let engine = &mut turn.server.engine;
    let access = Access { expired: ExpiredKeys::Ignore, touch: false, ..engine.access(session) };
    let mut db = engine.keyspace.db(session.db as u32, access);
    let Some(facts) = db.facts(key) else { return Err(CommandError::NoSuchKey) };
    reply.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}{}",
        facts.encoding.as_str(),
        facts.memory,
        facts.recency,
        facts.idle_secs,
        encodings::about_quicklist(&mut db, key)
    ));
    Ok(())
}

/// A digest that does not depend on the order of keys: each database's keys are digested alone and combined by XOR.
fn dataset_digest(turn: &mut Turn<'_>) -> String {
    let keyspace = &turn.server.engine.keyspace;
    let mut total = [0u8; 20];
    let sizes = keyspace.sizes(turn.server.engine.now.wall());
    for size in &sizes {
        mix(&mut total, &size.db.to_be_bytes());
        let mut of_keys = [0u8; 20];
        keyspace.for_each(size.db, &mut |entry| {
            let mut digest = [0u8; 20];
            mix(&mut digest, entry.key());
            mix_value(&mut digest, entry.value(), entry.expiry().is_some());
            xor(&mut of_keys, &digest);
        });
        xor(&mut total, &of_keys);
    }
    hash::hex(&total)
}

fn value_digest(turn: &mut Turn<'_>, session: &Session, key: &[u8]) -> String {
    let engine = &mut turn.server.engine;
    let access = Access { touch: false, ..engine.access(session) };
    let mut db = engine.keyspace.db(session.db as u32, access);
    let has_expiry = matches!(db.peek_expiry(key), Some(Some(_)));
    let mut digest = [0u8; 20];
    if let Ok(Some(value)) = db.peek::<AnyValue>(key) {
        mix_value(&mut digest, value, has_expiry);
    }
    hash::hex(&digest)
}

fn mix_value(digest: &mut [u8; 20], value: ValueRef<'_>, has_expiry: bool) {
    mix(digest, &(value.type_name() as u32).to_be_bytes());
    let mut digits = itoa::Buffer::new();
    match value {
        ValueRef::Str(StrView::Int(number)) => mix(digest, digits.format(number).as_bytes()),
        ValueRef::Str(StrView::Bytes(bytes)) => mix(digest, bytes),
        ValueRef::Str(StrView::Shared(bytes)) => mix(digest, bytes),
        other => mix_elements(digest, other),
    }
    if has_expiry {
        xor(digest, &hash::sha1(b"!!expire!!"));
    }
}

/// Elements of an ordered collection are mixed in one after the other; those of another are digested alone and combined by XOR.
fn mix_elements(digest: &mut [u8; 20], value: ValueRef<'_>) {
    let (mut in_order, mut in_no_order) = (*digest, *digest);
    let is_ordered = value.visit(&mut |parts| {
        let mut element = [0u8; 20];
        parts.iter().for_each(|part| mix(&mut element, part));
        mix(&mut in_order, &element);
        xor(&mut in_no_order, &element);
    });
    *digest = if is_ordered == Some(true) { in_order } else { in_no_order };
}

fn mix(digest: &mut [u8; 20], bytes: &[u8]) {
    xor(digest, &hash::sha1(bytes));
    *digest = hash::sha1(digest);
}

fn xor(digest: &mut [u8; 20], other: &[u8; 20]) {
    digest.iter_mut().zip(other).for_each(|(a, b)| *a ^= b);
}

fn populate(
    turn: &mut Turn<'_>,
    session: &Session,
    args: &Args<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), CommandError> {
    let count = number::parse_i64(args.get(2)).filter(|n| *n >= 0).ok_or(CommandError::NotInteger)?;
    let prefix = if args.len() > 3 { args.get(3) } else { b"key" };
    let size = match args.len() {
        5 => number::parse_u64(args.get(4)).filter(|n| *n <= 1 << 29).ok_or(CommandError::NotInteger)? as usize,
        _ => 0,
    };
    let engine = &mut turn.server.engine;
    let now = engine.now.wall();
    let dirty = engine.keyspace.changes().dirty();
    engine.keyspace.reserve(session.db as u32, count as u64);
    for number in 0..count {
        let mut digits = itoa::Buffer::new();
        let mut key = prefix.to_vec();
        key.push(b':');
        key.extend_from_slice(digits.format(number).as_bytes());
        let mut value = b"value:".to_vec();
        value.extend_from_slice(digits.format(number).as_bytes());
        if size > 0 {
            value.resize(size, 0);
        }
        let mut db = engine.keyspace.db(session.db as u32, Access { touch: false, ..Access::master(now) });
        if !db.contains(&key) {
            db.put(&key, NewStr::Text(&value), Expiry::Clear, Event::SET);
        }
    }
    // As in Redis nobody hears of it: neither replicas nor the next save.
    engine.keyspace.changes_mut().take_back(dirty);
    reply.ok();
    Ok(())
}

fn reload(turn: &mut Turn<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<(), CommandError> {
    let (mut is_saved, mut is_flushed, mut is_merged) = (true, true, false);
    for word in args.from(2) {
        match word.to_ascii_lowercase().as_slice() {
            b"nosave" => is_saved = false,
            b"noflush" => is_flushed = false,
            b"merge" => is_merged = true,
            _ => return Err(CommandError::err("DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")),
        }
    }
    turn.debug_reload(is_saved, is_flushed, is_merged).map_err(CommandError::text)?;
    reply.ok();
    Ok(())
}

fn protocol(kind: &[u8], reply: &mut Reply<'_>) -> Result<(), CommandError> {
    match kind.to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(f64::from(3141) / 1000.0),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"map" => {
            reply.map(3);
            for n in 0..3 {
                reply.int(n);
                reply.boolean(n == 1);
            }
        }
        b"attrib" => {
            if reply.is_resp3() {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.int(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.int(42);
        }
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        _ => {
            return Err(CommandError::err(
                "Wrong protocol type name. Please use one of the following: \
                 string|integer|double|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}
