//! The values that have a grammar of their own, and the conditions that a value must meet.

use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::base::cpus;
use crate::base::number;
use crate::base::quote;
use crate::config::directive::{INT_MAX, Kind, Number, Reason, Special, Text, Turn, one_of};
use crate::config::memory_units;
use crate::config::model::Config;
use crate::config::title;
use crate::config::values::{
    BindAddress, BufferLimit, BufferLimits, ClientMemory, EventClasses, HostPort, SavePoint, ShutdownFlags,
};

/// Most addresses of `bind`.
const BIND_MAX: usize = 16;

pub const BIND: Kind = Kind::Special(Special {
    default: &["*", "-::*"],
    set: |config, words, _| {
        if words.len() > BIND_MAX {
            return Err("Too many bind addresses specified.".into());
        }
        let words = if words == [b""] { &[] } else { words };
        config.network.bind = words.iter().map(|word| bind_address(word)).collect::<Result<_, _>>()?;
        Ok(())
    },
    get: |config| joined(&config.network.bind),
    lines: |config| vec![or_empty(joined(&config.network.bind))],
});

fn bind_address(word: &[u8]) -> Result<BindAddress, Reason> {
    let text = text(word)?;
    Ok(match text.strip_prefix('-') {
        Some(host) => BindAddress { host: host.to_owned(), is_optional: true },
        None => BindAddress { host: text, is_optional: false },
    })
}

/// Relative to the directory that holds so far, as `chdir` is.
pub const DIR: Kind = Kind::Text {
    default: "",
    slot: Text {
        get: |config| config.process.dir.as_os_str().as_bytes(),
        set: |config, bytes| {
            let given = PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()));
            config.process.dir = config.process.dir.join(given).components().collect();
            Ok(())
        },
    },
};

pub const SAVE: Kind = Kind::Special(Special {
    default: &["3600", "1", "300", "100", "60", "10000"],
    set: |config, words, turn| {
        let mut points = match turn {
            Turn::First => Vec::new(),
            Turn::Further => std::mem::take(&mut config.persistence.save),
        };
        if words == [b""] {
            points.clear();
        } else {
            points.extend(save_points(words).ok_or("Invalid save parameters")?);
        }
        config.persistence.save = points;
        Ok(())
    },
    get: |config| joined(&save_texts(config)),
    lines: |config| match save_texts(config) {
        texts if texts.is_empty() => vec!["\"\"".to_owned()],
        texts => texts,
    },
});

fn save_points(words: &[&[u8]]) -> Option<Vec<SavePoint>> {
    if !words.len().is_multiple_of(2) {
        return None;
    }
    let pair = |pair: &[&[u8]]| {
        let (seconds, changes) = (parse_u31(pair[0])?, parse_u31(pair[1])?);
        (seconds >= 1).then_some(SavePoint { seconds, changes })
    };
    words.chunks_exact(2).map(pair).collect()
}

fn save_texts(config: &Config) -> Vec<String> {
    config.persistence.save.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect()
}

pub const CLIENT_OUTPUT_BUFFER_LIMIT: Kind = Kind::Special(Special {
    default: &["normal", "0", "0", "0", "slave", "256mb", "64mb", "60", "pubsub", "32mb", "8mb", "60"],
    set: |config, words, _| {
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        let mut limits = config.clients.client_output_buffer_limit;
        for class in words.chunks_exact(4) {
            let slot = buffer_class(&mut limits, class[0])
                .ok_or("Invalid client class specified in buffer limit configuration.")?;
            *slot = buffer_limit(&class[1..])
                .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        }
        config.clients.client_output_buffer_limit = limits;
        Ok(())
    },
    get: |config| {
        let limits = config.clients.client_output_buffer_limit;
        let of = |class, limit: BufferLimit| format!("{class} {} {} {}", limit.hard, limit.soft, limit.soft_seconds);
        joined(&[of("normal", limits.normal), of("slave", limits.replica), of("pubsub", limits.pubsub)])
    },
    lines: |config| {
        let limits = config.clients.client_output_buffer_limit;
        let of = |class, limit: BufferLimit| {
            let (hard, soft) = (memory_units::format(limit.hard), memory_units::format(limit.soft));
            format!("{class} {hard} {soft} {}", limit.soft_seconds)
        };
        vec![of("normal", limits.normal), of("replica", limits.replica), of("pubsub", limits.pubsub)]
    },
});

fn buffer_class<'a>(limits: &'a mut BufferLimits, class: &[u8]) -> Option<&'a mut BufferLimit> {
    Some(match class.to_ascii_lowercase().as_slice() {
        b"normal" => &mut limits.normal,
        b"slave" | b"replica" => &mut limits.replica,
        b"pubsub" => &mut limits.pubsub,
        _ => return None,
    })
}

fn buffer_limit(words: &[&[u8]]) -> Option<BufferLimit> {
    let (hard, soft) = (memory_units::parse(words[0])?, memory_units::parse(words[1])?);
    Some(BufferLimit { hard, soft, soft_seconds: parse_u31(words[2])? })
}

pub const MAXMEMORY_CLIENTS: Kind = Kind::Special(Special {
    default: &["0"],
    set: |config, words, _| {
        let [word] = words else { return Err("wrong number of arguments".into()) };
        config.clients.maxmemory_clients = client_memory(word)?;
        Ok(())
    },
    get: |config| match config.clients.maxmemory_clients {
        ClientMemory::Off => "0".to_owned(),
        ClientMemory::Bytes(bytes) => bytes.to_string(),
        ClientMemory::Percent(percent) => format!("{percent}%"),
    },
    lines: |config| {
        vec![match config.clients.maxmemory_clients {
            ClientMemory::Off => "0".to_owned(),
            ClientMemory::Bytes(bytes) => memory_units::format(bytes),
            ClientMemory::Percent(percent) => format!("{percent}%"),
        }]
    },
});

fn client_memory(word: &[u8]) -> Result<ClientMemory, Reason> {
    if let Some(bytes) = memory_units::parse(word) {
        return match bytes {
            0 => Ok(ClientMemory::Off),
            _ if i64::try_from(bytes).is_ok() => Ok(ClientMemory::Bytes(bytes)),
            _ => Err(format!("argument must be between -100 and {} inclusive", i64::MAX).into()),
        };
    }
    let percent = word.strip_suffix(b"%").and_then(number::parse_i64).filter(|percent| *percent >= 0);
    match percent.map(u8::try_from) {
        Some(Ok(0)) => Ok(ClientMemory::Off),
        Some(Ok(percent)) if percent <= 100 => Ok(ClientMemory::Percent(percent)),
        Some(_) => Err("percentage argument must be less or equal to 100".into()),
        None => Err("argument must be a memory or percent value".into()),
    }
}

const SHUTDOWN_WORDS: [&str; 5] = ["default", "save", "nosave", "now", "force"];

pub const SHUTDOWN_ON_SIGINT: Kind = Kind::Special(Special {
    default: &["default"],
    set: |config, words, _| {
        config.process.shutdown_on_sigint = shutdown_flags(words)?;
        Ok(())
    },
    get: |config| shutdown_text(config.process.shutdown_on_sigint),
    lines: |config| vec![shutdown_text(config.process.shutdown_on_sigint)],
});

pub const SHUTDOWN_ON_SIGTERM: Kind = Kind::Special(Special {
    default: &["default"],
    set: |config, words, _| {
        config.process.shutdown_on_sigterm = shutdown_flags(words)?;
        Ok(())
    },
    get: |config| shutdown_text(config.process.shutdown_on_sigterm),
    lines: |config| vec![shutdown_text(config.process.shutdown_on_sigterm)],
});

fn shutdown_flags(words: &[&[u8]]) -> Result<ShutdownFlags, Reason> {
    let mut flags = ShutdownFlags::default();
    if words.is_empty() {
        return Err(one_of(&SHUTDOWN_WORDS));
    }
    for word in words {
        match word.to_ascii_lowercase().as_slice() {
            b"default" => {}
            b"save" => flags.save = true,
            b"nosave" => flags.nosave = true,
            b"now" => flags.now = true,
            b"force" => flags.force = true,
            _ => return Err(one_of(&SHUTDOWN_WORDS)),
        }
    }
    Ok(flags)
}

fn shutdown_text(flags: ShutdownFlags) -> String {
    let set = [(flags.save, "save"), (flags.nosave, "nosave"), (flags.now, "now"), (flags.force, "force")];
    let words: Vec<&str> = set.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| *word).collect();
    if words.is_empty() { "default".to_owned() } else { words.join(" ") }
}

pub const HZ: Kind = Kind::Int {
    default: 10,
    range: 0..=INT_MAX,
    slot: Number {
        get: |config| i128::from(config.process.hz),
        set: |config, value| config.process.hz = value.clamp(1, 500) as u32,
    },
};

pub const OOM_SCORE_ADJ_VALUES: Kind = Kind::Special(Special {
    default: &["0", "200", "800"],
    set: |config, words, _| {
        let [master, replica, saving] = words else { return Err("wrong number of arguments".into()) };
        let score = |word: &[u8]| parse_lenient(word).filter(|score| (-2000..=2000).contains(score)).map(|n| n as i32);
        let scores = (|| Some([score(master)?, score(replica)?, score(saving)?]))();
        config.process.oom_score_adj_values =
            scores.ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
        Ok(())
    },
    get: |config| joined(&config.process.oom_score_adj_values),
    lines: |config| vec![joined(&config.process.oom_score_adj_values)],
});

pub const NOTIFY_KEYSPACE_EVENTS: Kind = Kind::Special(Special {
    default: &[""],
    set: |config, words, _| {
        let [word] = words else { return Err("wrong number of arguments".into()) };
        config.keyspace.notify_keyspace_events =
            EventClasses::parse(word).ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        Ok(())
    },
    get: |config| config.keyspace.notify_keyspace_events.to_string(),
    lines: |config| vec![quote::quoted(config.keyspace.notify_keyspace_events.to_string().as_bytes())],
});

pub const REPLICAOF: Kind = Kind::Special(Special {
    default: &["no", "one"],
    set: |config, words, _| {
        let [host, port] = words else { return Err("wrong number of arguments".into()) };
        config.replication.replicaof = if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            None
        } else {
            let port = parse_lenient(port).and_then(|port| u16::try_from(port).ok()).ok_or("Invalid master port")?;
            Some(HostPort { host: text(host)?, port })
        };
        Ok(())
    },
    get: |config| {
        let master = config.replication.replicaof.as_ref();
        master.map_or_else(String::new, |master| format!("{} {}", master.host, master.port))
    },
    // A master writes no such line, so that lines of a former life as a replica disappear.
    lines: |config| {
        let line = |master: &HostPort| format!("{} {}", quote::quoted_if_needed(master.host.as_bytes()), master.port);
        config.replication.replicaof.iter().map(line).collect()
    },
});

pub const LATENCY_PERCENTILES: Kind = Kind::Special(Special {
    default: &["50", "99", "99.9"],
    set: |config, words, _| {
        let words = if words == [b""] { &[] } else { words };
        let mut percentiles = Vec::with_capacity(words.len());
        for word in words {
            let percentile = number::parse_f64(word).ok_or("Invalid latency-tracking-info-percentiles parameters")?;
            if !(0.0..=100.0).contains(&percentile) {
                return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into());
            }
            percentiles.push(percentile);
        }
        config.logging.latency_tracking_info_percentiles = percentiles;
        Ok(())
    },
    get: percentile_text,
    lines: |config| vec![or_empty(percentile_text(config))],
});

fn percentile_text(config: &Config) -> String {
    let short = |value: &f64| {
        let text = format!("{value:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let percentiles = &config.logging.latency_tracking_info_percentiles;
    percentiles.iter().map(short).collect::<Vec<_>>().join(" ")
}

const ANY: usize = usize::MAX;
const fn line(usage: &'static str, words: RangeInclusive<usize>) -> Kind {
    Kind::Line { usage, words }
}
pub const INCLUDE: Kind = line("include <path or pattern>", 1..=1);
pub const RENAME_COMMAND: Kind = line("rename-command <command> <new name or \"\">", 2..=2);
pub const USER: Kind = line("user <name> <ACL rules…>", 1..=ANY);
pub const LOADMODULE: Kind = line("loadmodule <path> <arguments…>", 1..=ANY);

/// SAVE and NOSAVE contradict each other.
pub fn shutdown_words_agree(config: &Config) -> Result<(), &'static str> {
    let both = |flags: ShutdownFlags| flags.save && flags.nosave;
    if both(config.process.shutdown_on_sigint) || both(config.process.shutdown_on_sigterm) {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously");
    }
    Ok(())
}

/// True for the name of a file without a folder.
fn is_base_name(name: &str) -> bool {
    !name.contains('/') && !name.contains('\\') && !matches!(name, "." | "..") && !name.contains('\0')
}

/// The folder is what `dir` says.
pub fn dbfilename_is_a_name(config: &Config) -> Result<(), &'static str> {
    if !is_base_name(&config.persistence.dbfilename) {
        return Err("dbfilename can't be a path, just a filename");
    }
    Ok(())
}

/// The folder is what `appenddirname` says.
pub fn appendfilename_is_a_name(config: &Config) -> Result<(), &'static str> {
    match config.persistence.appendfilename.as_str() {
        "" => Err("appendfilename can't be empty"),
        name if !is_base_name(name) => Err("appendfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

/// It lies in `dir`.
pub fn appenddirname_is_a_name(config: &Config) -> Result<(), &'static str> {
    match config.persistence.appenddirname.as_str() {
        "" => Err("appenddirname can't be empty"),
        name if !is_base_name(name) => Err("appenddirname can't be a path, just a dirname"),
        _ => Ok(()),
    }
}

/// Every `{…}` must be a variable we know.
pub fn title_template_is_valid(config: &Config) -> Result<(), &'static str> {
    match title::expand(&config.process.proc_title_template, |name| title::VARIABLES.contains(&name).then(String::new))
    {
        Some(_) if !config.process.proc_title_template.is_empty() => Ok(()),
        _ => Err("template format is invalid or contains unknown variables"),
    }
}

/// Lists of processors are numbers and ranges.
pub fn cpu_lists_are_valid(config: &Config) -> Result<(), &'static str> {
    let process = &config.process;
    let lists = [&process.server_cpulist, &process.bio_cpulist, &process.aof_rewrite_cpulist, &process.bgsave_cpulist];
    match lists.iter().all(|list| cpus::parse(list).is_some()) {
        true => Ok(()),
        false => Err("must be a list of processors such as 0-7:2,9"),
    }
}

/// There is no cluster to be a node of. To say that one wants none is fine.
pub fn cluster_is_off(config: &Config) -> Result<(), &'static str> {
    match config.cluster.cluster_enabled {
        true => Err("this server cannot be a node of a cluster"),
        false => Ok(()),
    }
}

/// Letters, digits, hyphens and dots, fewer than 256.
pub fn announced_hostname_is_valid(config: &Config) -> Result<(), &'static str> {
    let name = &config.cluster.cluster_announce_hostname;
    if name.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.') {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots");
    }
    Ok(())
}

/// No characters that the text of CLUSTER NODES needs for itself.
pub fn announced_nodename_is_valid(config: &Config) -> Result<(), &'static str> {
    const FORBIDDEN: &[u8] = b"!#$%&()*+:;<>?@[]^{|}~";
    if config.cluster.cluster_announce_human_nodename.bytes().any(|byte| FORBIDDEN.contains(&byte)) {
        return Err("Announced human node name contained invalid character");
    }
    Ok(())
}

fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

fn or_empty(text: String) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { text }
}

fn text(word: &[u8]) -> Result<String, Reason> {
    String::from_utf8(word.to_vec()).map_err(|_| "argument must be valid UTF-8".into())
}

/// A decimal number that may have a sign and leading zeros, as `strtoll` reads it.
fn parse_lenient(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The same, not negative, and no more than a C `int` holds.
fn parse_u31(word: &[u8]) -> Option<u64> {
    parse_lenient(word).and_then(|n| u64::try_from(n).ok()).filter(|n| *n <= i32::MAX as u64)
}
