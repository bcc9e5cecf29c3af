//! The command line, as `redis-server` has it.
//!
//! ```text
//!  rredis-server [FILE] [-] [--name value …] [--sentinel]
//! ```
//!
//! A first word that does not begin with a dash is the config file; `-` reads more settings from standard input. The
//! rest becomes lines of a config file, so that the grammar and the errors are the same: `--slaveof host 6379
//! --requirepass x` is two lines. What follows `--name` is its value even when it begins with dashes; further words up to
//! the next one with dashes are more values. `--save` without a value means `save ""`. Words of our own, which come
//! alone: `--version`, `--help`, `--check-config FILE`, and in front of the words of a tool `--check-aof`, `--check-rdb`.
//! `--restore-to MOMENT` goes with all others: it is about this start alone, and so it is no setting.

use clap::{Arg, ArgAction, Command};

use crate::base::calendar::moment;
use crate::base::quote;
use crate::config::file::Mode;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    /// Print this and leave with success.
    Print(String),
    /// Print this to standard error and leave with failure.
    Refuse(String),
    /// Examine files and leave.
    Tool {
        /// Which files, and how.
        tool: Tool,
        /// What the tool is called, for its usage line.
        program: String,
        /// Its words.
        words: Vec<String>,
    },
    /// Validate a config file and leave.
    Check {
        /// Which program would read it.
        mode: Mode,
        /// The file.
        file: String,
    },
    /// Run.
    Run {
        /// Which program.
        mode: Mode,
        /// The config file, if any.
        file: Option<String>,
        /// Whether to read standard input after the file.
        reads_stdin: bool,
        /// The options as lines of a config file.
        lines: String,
        /// `--restore-to`: begin with the data of this moment, in seconds since 1970.
        restore_to: Option<i64>,
    },
}

/// The tools in the same executable: chosen by the end of the program's name, or by the first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `redis-check-aof`, `--check-aof`.
    CheckAof,
    /// `redis-check-rdb`, `--check-rdb`.
    CheckRdb,
}

/// Reads the command line; `words` without the program's name.
pub fn parse(program: &str, words: &[String]) -> Launch {
    let base = program.rsplit('/').next().unwrap_or(program);
    let tools = [("check-aof", Tool::CheckAof), ("check-rdb", Tool::CheckRdb)];
    if let Some((_, tool)) = tools.iter().find(|(name, _)| base.ends_with(name)) {
        return Launch::Tool { tool: *tool, program: base.to_owned(), words: words.to_vec() };
    }
    if let Some(first) = words.first()
        && let Some((_, tool)) = tools.iter().find(|(name, _)| first.strip_prefix("--") == Some(*name))
    {
        return Launch::Tool { tool: *tool, program: format!("{base} {first}"), words: words[1..].to_vec() };
    }
    let is_sentinel = base.contains("redis-sentinel") || words.iter().any(|word| word == "--sentinel");
    let mode = if is_sentinel { Mode::Sentinel } else { Mode::Server };
    let mut words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "--sentinel").collect();
    let restore_to = match take_restore_to(&mut words) {
        Ok(Some(_)) if is_sentinel => {
            return Launch::Refuse(format!("{base}: --restore-to is for a server, not a Sentinel."));
        }
        Ok(moment) => moment,
        Err(text) => return Launch::Refuse(format!("{base}: {text}")),
    };
    match words.first().copied() {
        Some("-v" | "--version") => return Launch::Print(version()),
        Some("-h" | "--help") => return Launch::Print(command(base).render_long_help().to_string()),
        Some("--check-config") => {
            return match words.as_slice() {
                [_, file] => Launch::Check { mode, file: (*file).to_owned() },
                _ => Launch::Refuse(format!("usage: {base} --check-config FILE [--sentinel]")),
            };
        }
        Some("--test-memory" | "--check-system") => {
            return Launch::Refuse(format!("{base}: {} is not part of rredis.", words[0]));
        }
        _ => {}
    }
    let mut rest = words.as_slice();
    let mut file = None;
    let mut reads_stdin = false;
    if let [first, after @ ..] = rest
        && !first.starts_with('-')
    {
        file = Some((*first).to_owned());
        rest = after;
    }
    if let [first, after @ ..] = rest
        && *first == "-"
    {
        reads_stdin = true;
        rest = after;
    }
    if let [before @ .., last] = rest
        && *last == "-"
        && !reads_stdin
    {
        reads_stdin = true;
        rest = before;
    }
    match lines_of(rest) {
        Ok(lines) => Launch::Run { mode, file, reads_stdin, lines, restore_to },
        Err(word) => {
            Launch::Refuse(format!("{base}: '{word}' is neither an option nor the value of one. Try {base} --help."))
        }
    }
}

/// Takes `--restore-to` and its value out of the words.
fn take_restore_to(words: &mut Vec<&str>) -> Result<Option<i64>, String> {
    let Some(place) = words.iter().position(|word| *word == "--restore-to") else { return Ok(None) };
    let text = words.get(place + 1).copied().unwrap_or_default();
    let Some(moment) = moment(text) else {
        return Err(format!(
            "--restore-to takes a moment, such as 1793887387 (seconds since 1970) or 2026-11-05T14:03:07Z, not '{text}'."
        ));
    };
    words.drain(place..place + 2);
    Ok(Some(moment))
}

/// Options as lines of a config file.
fn lines_of(words: &[&str]) -> Result<String, String> {
    let mut lines = String::new();
    let mut index = 0;
    // Redis also takes a first option without dashes.
    let bare = words.iter().take_while(|word| !word.starts_with('-')).count();
    if bare > 0 {
        let quoted: Vec<String> = words[..bare].iter().map(|word| quote::quoted(word.as_bytes())).collect();
        lines = quoted.join(" ") + "\n";
        index = bare;
    }
    while index < words.len() {
        let option = words[index].strip_prefix("--").filter(|name| !name.is_empty()).ok_or(words[index])?;
        index += 1;
        // "--port 6380" in one word is a line already, quotes included.
        let mut parts = option.trim().splitn(2, ' ');
        let name = parts.next().unwrap_or_default();
        let line = parts.next();
        let mut values: Vec<&str> = Vec::new();
        let takes_next = line.is_none()
            && index < words.len()
            && !(name.eq_ignore_ascii_case("save") && words[index].starts_with("--"));
        if takes_next {
            values.push(words[index]);
            index += 1;
        }
        while index < words.len() && !words[index].starts_with("--") {
            values.push(words[index]);
            index += 1;
        }
        if line.is_none() && values.is_empty() && name.eq_ignore_ascii_case("save") {
            values.push("");
        }
        lines.push_str(option.trim());
        for value in values {
            lines.push(' ');
            lines.push_str(&quote::quoted(value.as_bytes()));
        }
        lines.push('\n');
    }
    Ok(lines)
}

fn version() -> String {
    format!(
        "rredis server v={} compatible with Redis {} bits={} build={}",
        env!("CARGO_PKG_VERSION"),
        "7.2.6",
        usize::BITS,
        if cfg!(debug_assertions) { "debug" } else { "release" }
    )
}

/// Our own options, for the help text. Everything else on the command line is a directive and read by the grammar of
/// config files.
fn command(name: &str) -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    Command::new("rredis-server")
        .bin_name(name.to_owned())
        .about("A Redis-compatible server, and with --sentinel a Sentinel that monitors and fails over.")
        .override_usage(format!(
            "{name} [FILE] [-] [--DIRECTIVE VALUE …]\n       {name} FILE --sentinel\n       {name} --check-config FILE [--sentinel]"
        ))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(Arg::new("FILE").help("The config file; '-' reads settings from standard input"))
        .arg(
            Arg::new("directives")
                .help("Any directive of the config file, as --name value …; wins over the file")
                .value_name("--DIRECTIVE VALUE")
                .num_args(0..)
                .allow_hyphen_values(true)
                .trailing_var_arg(true),
        )
        .arg(flag("sentinel", "Run as Sentinel; also chosen by calling the program rredis-sentinel"))
        .arg(Arg::new("check-config").long("check-config").value_name("FILE").help("Validate a config file and leave"))
        .arg(Arg::new("restore-to").long("restore-to").value_name("MOMENT").help(
            "Begin with the data of this moment, by the time stamps of the append only file: seconds since 1970, or \
             2026-11-05T14:03:07Z. What is later stays on disk in files of its own",
        ))
        .arg(flag("version", "Print the version and leave").short('v'))
        .arg(flag("help", "Print this and leave").short('h'))
        .after_help(
            "Examples:\n  rredis-server redis.conf\n  rredis-server --port 6380 --slaveof 127.0.0.1 6379 --requirepass x\n  \
             rredis-server sentinel.conf --sentinel\n  echo 'port 7000' | rredis-server -",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Launch {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        parse("/usr/bin/rredis-server", &words)
    }

    fn lines(words: &[&str]) -> String {
        match run(words) {
            Launch::Run { lines, .. } => lines,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_become_lines() {
        assert_eq!(
            lines(&["--slaveof", "host", "6379", "--requirepass", "x", "--port", "6380"]),
            "slaveof \"host\" \"6379\"\nrequirepass \"x\"\nport \"6380\"\n"
        );
        assert_eq!(lines(&["--port 6380"]), "port 6380\n");
        assert_eq!(lines(&["--save 60 1", "--requirepass 'a b'"]), "save 60 1\nrequirepass 'a b'\n");
        assert_eq!(lines(&["--save", "--port", "1"]), "save \"\"\nport \"1\"\n");
        assert_eq!(lines(&["--save"]), "save \"\"\n");
        assert_eq!(lines(&["--requirepass", "--odd", "--port", "1"]), "requirepass \"--odd\"\nport \"1\"\n");
        assert_eq!(lines(&["--bind", "127.0.0.1", "-::1"]), "bind \"127.0.0.1\" \"-::1\"\n");
    }

    #[test]
    fn files_standard_input_and_mode() {
        let Launch::Run { mode, file, reads_stdin, lines, .. } = run(&["a.conf", "-", "--port", "1", "--sentinel"])
        else {
            panic!()
        };
        assert_eq!(
            (mode, file.as_deref(), reads_stdin, lines.as_str()),
            (Mode::Sentinel, Some("a.conf"), true, "port \"1\"\n")
        );
        assert!(matches!(parse("rredis-sentinel", &["x".into()]), Launch::Run { mode: Mode::Sentinel, .. }));
        assert!(matches!(run(&["--port", "1", "-"]), Launch::Run { reads_stdin: true, .. }));
    }

    #[test]
    fn a_moment_to_go_back_to_is_no_directive() {
        let Launch::Run { lines, restore_to, .. } =
            run(&["a.conf", "--port", "1", "--restore-to", "1970-01-01T00:01:00Z"])
        else {
            panic!()
        };
        assert_eq!((lines.as_str(), restore_to), ("port \"1\"\n", Some(60)));
        assert!(matches!(run(&["a.conf"]), Launch::Run { restore_to: None, .. }));
        assert!(
            matches!(run(&["--restore-to", "yesterday"]), Launch::Refuse(text) if text.contains("not 'yesterday'"))
        );
        assert!(matches!(run(&["--restore-to"]), Launch::Refuse(_)));
        assert!(matches!(run(&["--restore-to", "1", "--sentinel"]), Launch::Refuse(_)));
    }

    #[test]
    fn words_of_our_own_come_alone() {
        assert!(matches!(run(&["--version"]), Launch::Print(text) if text.contains("v=")));
        assert!(matches!(run(&["-h"]), Launch::Print(text) if text.contains("--check-config")));
        assert_eq!(
            run(&["--check-config", "f", "--sentinel"]),
            Launch::Check { mode: Mode::Sentinel, file: "f".into() }
        );
        assert!(matches!(run(&["--check-config"]), Launch::Refuse(_)));
        assert!(matches!(run(&["a.conf", "-x"]), Launch::Refuse(text) if text.contains("'-x'")));
        let words = ["--fix".to_owned(), "a".to_owned()];
        assert!(matches!(parse("/bin/redis-check-rdb", &words),
            Launch::Tool { tool: Tool::CheckRdb, words, .. } if words.len() == 2));
        assert!(matches!(run(&["--check-aof", "a"]),
            Launch::Tool { tool: Tool::CheckAof, words, .. } if words == ["a"]));
    }
}
