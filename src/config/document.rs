//! The shipped `redis.conf` and `sentinel.conf`, written from the declarations, so that they cannot say anything else.
//!
//! Every directive that is in effect is explained: what it does, which values it takes, whether it can be changed at run
//! time, and below that its default as a line that only lacks the removal of its `#`. Hidden directives are for tests and
//! stay out. `tests/docs.rs` compares the files with these texts.

use std::fmt::Write as _;

use crate::config::directive::{Directive, Effect, Flags, INT_MAX, Kind, When};
use crate::config::model::Config;
use crate::config::sentinel_words::{Author, SENTINEL_WORDS, SentinelWord};
use crate::config::table::GROUPS;

/// Width of the text behind `# `.
const WIDTH: usize = 78;

const REDIS_INTRO: &str = "Settings of an rredis server. Start it with this file as its first argument:\n\n    \
rredis-server /path/to/redis.conf\n\n\
Lines with a blank behind their `#` are text. Lines without, such as `#port 6379`, are settings at their default: remove \
the `#` and change the value. A setting is a name and one or more values. Values with blanks go into quotes: \"two words\", \
in which \\n, \\xHH and the like are escapes, or 'two words'. What follows a `#` that stands alone behind a value is a \
comment. Names are not case-sensitive; when a setting is given twice, the later line wins.\n\n\
Sizes take a unit: 1k is 1000 bytes, 1kb 1024, 1m 1000000, 1mb 1048576, 1g 1000000000, 1gb 1073741824.\n\n\
On the command line settings have two dashes and win over this file: rredis-server redis.conf --port 6380. To check a file \
without starting: rredis-server --check-config redis.conf. Settings that can be changed at run time are changed with CONFIG \
SET, and written back to this file with CONFIG REWRITE.\n\n\
Files made for Redis 7 are understood. What such a file sets and this version does not act on is named in the log at \
start.";

const SENTINEL_INTRO: &str = "Settings of an rredis Sentinel, which watches masters and their replicas, and promotes a \
replica when a master is down. Start it with this file as its first argument:\n\n    rredis-server sentinel.conf \
--sentinel\n\n\
Run at least three Sentinels, on hosts that fail independently. They find each other and the replicas through the master.\n\n\
The Sentinel writes to this file: what it has found, the present master, and its votes. So the file and its folder must \
be writable, and each Sentinel needs a file of its own. Your lines and comments stay.\n\n\
The rules for lines are those of redis.conf, and its settings for the network, the log and the process can be used here as \
well: bind, port, protected-mode, requirepass, loglevel, logfile, syslog-enabled, daemonize, pidfile, dir, supervised.";

/// The text of `redis.conf`.
pub fn redis_conf() -> String {
    let mut text = String::new();
    paragraphs(&mut text, REDIS_INTRO);
    for group in GROUPS {
        let directives: Vec<&Directive> =
            group.directives.iter().filter(|directive| is_documented(directive)).collect();
        if directives.is_empty() {
            continue;
        }
        heading(&mut text, group.title);
        if !group.intro.is_empty() {
            text.push('\n');
            paragraphs(&mut text, group.intro);
        }
        for directive in directives {
            text.push('\n');
            entry(&mut text, directive);
        }
    }
    without_effect(&mut text);
    text
}

/// What is accepted and changes nothing, with the reason.
fn without_effect(text: &mut String) {
    heading(text, "Settings without effect");
    text.push('\n');
    paragraphs(
        text,
        "These are accepted, kept and shown, and named in the log, because there is nothing here that they could change.",
    );
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for directive in GROUPS.iter().flat_map(|group| group.directives) {
        let Effect::NoSubject(reason) = directive.effect else { continue };
        if directive.flags.has(Flags::HIDDEN) || matches!(directive.kind, Kind::Line { .. }) {
            continue;
        }
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(directive.name),
            None => reasons.push((reason, vec![directive.name])),
        }
    }
    for (reason, names) in reasons {
        text.push_str("#\n");
        paragraphs(text, &format!("{}: {reason}.", names.join(", ")));
    }
}

/// The text of `sentinel.conf`.
pub fn sentinel_conf() -> String {
    let mut text = String::new();
    paragraphs(&mut text, SENTINEL_INTRO);
    heading(&mut text, "Process");
    text.push('\n');
    paragraphs(&mut text, "The TCP port.");
    text.push_str("port 26379\n\n");
    paragraphs(
        &mut text,
        "While no password is set, whether to answer only clients of this host. Sentinels must reach each other, so here \
         the default is no; keep strangers out with a firewall or with requirepass.",
    );
    text.push_str("#protected-mode no\n\n");
    paragraphs(&mut text, "Go to the background; then a log file is needed.");
    text.push_str("#daemonize no\n#logfile \"\"\n#dir .\n");
    for (title, author) in [("This Sentinel", Author::Global), ("The masters to watch", Author::Master)] {
        heading(&mut text, title);
        for word in SENTINEL_WORDS.iter().filter(|word| word.author == author) {
            text.push('\n');
            sentinel_entry(&mut text, word);
        }
    }
    text
}

/// Whether `redis.conf` explains it. What is accepted and ignored is not worth a word.
pub fn is_documented(directive: &Directive) -> bool {
    let is_visible = !directive.flags.has(Flags::HIDDEN) && !matches!(directive.kind, Kind::Ignored);
    directive.effect == Effect::InEffect && is_visible
}

fn heading(text: &mut String, title: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{}\n# {title}\n{}", "#".repeat(WIDTH + 2), "#".repeat(WIDTH + 2));
}

fn entry(text: &mut String, directive: &Directive) {
    paragraphs(text, directive.doc);
    paragraphs(text, &shape(directive));
    for line in default_lines(directive) {
        let _ = writeln!(text, "#{} {line}", directive.name);
    }
}

/// The default as it would be written. What has no value shows its usage instead.
fn default_lines(directive: &Directive) -> Vec<String> {
    match &directive.kind {
        Kind::Line { usage, .. } => vec![usage[directive.name.len() + 1..].to_owned()],
        _ => match directive.name {
            "dir" => vec![".".to_owned()],
            "replicaof" => vec!["no one".to_owned()],
            _ => directive.lines(&Config::default()),
        },
    }
}

/// Which values it takes, when it can be set, what else it is called.
fn shape(directive: &Directive) -> String {
    let number = |start: &i128, end: &i128| match (*start, *end) {
        (start, end) if end >= INT_MAX => format!("at least {start}"),
        (start, end) => format!("{start} to {end}"),
    };
    let values = match &directive.kind {
        Kind::Bool { .. } => "yes or no.".to_owned(),
        Kind::Int { range, .. } => format!("A number, {}.", number(range.start(), range.end())),
        Kind::Octal { range, .. } => format!("An octal number, {:o} to {:o}.", range.start(), range.end()),
        Kind::Bytes { range, .. } => format!("A size, {} bytes.", number(range.start(), range.end())),
        Kind::Word { words, .. } => format!("One of: {}.", words.join(", ")),
        Kind::Text { .. } | Kind::Special(_) | Kind::Line { .. } | Kind::Ignored => String::new(),
    };
    let when = match (directive.when, directive.has_value()) {
        (When::Runtime, _) => "Can be changed at run time.",
        (When::Start, true) => "At start only.",
        (When::Start, false) => "",
    };
    let alias = directive.alias.map(|alias| format!("Also called {alias}.")).unwrap_or_default();
    [values.as_str(), when, &alias].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn sentinel_entry(text: &mut String, word: &SentinelWord) {
    paragraphs(text, word.doc);
    if word.name == "monitor" {
        paragraphs(text, &format!("sentinel {} {}", word.name, word.usage));
        text.push_str("sentinel monitor mymaster 127.0.0.1 6379 2\n");
        return;
    }
    let values = match (word.default, word.author) {
        ("", Author::Master) => word.usage.replace("<name>", "mymaster"),
        ("", _) => word.usage.to_owned(),
        (default, Author::Master) => format!("mymaster {default}"),
        (default, _) => default.to_owned(),
    };
    let _ = writeln!(text, "#sentinel {} {values}", word.name);
}

/// Wraps texts behind `# `. A line that begins with blanks is left as it is.
fn paragraphs(text: &mut String, source: &str) {
    for paragraph in source.lines() {
        let mut line = String::new();
        if paragraph.starts_with(' ') {
            line.push_str(paragraph);
        } else {
            for word in paragraph.split_whitespace() {
                if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                    let _ = writeln!(text, "# {line}");
                    line.clear();
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        if line.is_empty() && paragraph.is_empty() {
            text.push_str("#\n");
        } else {
            let _ = writeln!(text, "# {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;

    #[test]
    fn texts_are_wrapped() {
        let mut text = String::new();
        paragraphs(&mut text, &format!("{}\n\n    as it is", "word ".repeat(20)));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].len() <= WIDTH + 2 && lines[0].starts_with("# word word"));
        assert_eq!(lines[2..], ["#", "#     as it is"]);
    }

    #[test]
    fn shapes_tell_range_time_and_alias() {
        let of = |name: &str| shape(table::find(name.as_bytes()).unwrap());
        assert_eq!(of("port"), "A number, 0 to 65535. Can be changed at run time.");
        assert_eq!(
            of("slave-priority"),
            "A number, at least 0. Can be changed at run time. Also called slave-priority."
        );
        assert_eq!(of("unixsocketperm"), "An octal number, 0 to 777. At start only.");
        assert_eq!(of("proto-max-bulk-len"), "A size, at least 1048576 bytes. Can be changed at run time.");
        assert_eq!(of("daemonize"), "yes or no. At start only.");
        assert_eq!(of("include"), "");
    }
}
