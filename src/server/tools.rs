//! `redis-check-aof` and `redis-check-rdb`: their command lines and their standard output. What they do is in `persist`.

use std::io::{self, BufRead, Write};
use std::path::Path;

use crate::base::files::RealFiles;
use crate::net::Clock;
use crate::persist::aof::check::{Console, Options, check_aof};
use crate::persist::check_rdb::check_rdb;

/// Standard input and output.
struct Terminal;

impl Console for Terminal {
    fn line(&mut self, text: &str) {
        // A reader who left early does not change what was found.
        let _ = writeln!(io::stdout().lock(), "{text}");
    }

    fn confirm(&mut self, question: &str) -> bool {
        let mut out = io::stdout().lock();
        let _ = write!(out, "{question}").and_then(|()| out.flush());
        drop(out);
        let mut answer = String::new();
        let _ = io::stdin().lock().read_line(&mut answer);
        answer.trim_start().starts_with(['y', 'Y'])
    }
}

/// `redis-check-aof [--fix|--truncate-to-timestamp seconds] file`. The exit code.
pub fn check_aof_main(program: &str, words: &[String]) -> i32 {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (options, file) = match words.as_slice() {
        [file] if !file.starts_with("--") => (Options::default(), *file),
        ["--fix", file] => (Options { fix: true, truncate_to: None }, *file),
        ["--truncate-to-timestamp", timestamp, file] => match timestamp.parse() {
            Ok(timestamp) => (Options { fix: false, truncate_to: Some(timestamp) }, *file),
            Err(_) => {
                println!("Invalid timestamp, aborting...");
                return 1;
            }
        },
        _ => {
            println!("Usage: {program} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>");
            return 1;
        }
    };
    let now = Clock::start().now().wall();
    i32::from(!check_aof(&RealFiles, Path::new(file), options, now, &mut Terminal))
}

/// `redis-check-rdb file`. The exit code.
pub fn check_rdb_main(program: &str, words: &[String]) -> i32 {
    match words {
        [word] if word == "-v" || word == "--version" => {
            println!("redis-check-rdb {}", crate::server::VERSION);
            0
        }
        [file] => {
            let now = Clock::start().now().wall();
            let found = check_rdb(&RealFiles, Path::new(file), now, &mut |line| Terminal.line(line));
            i32::from(found.is_none())
        }
        _ => {
            eprintln!("Usage: {program} <rdb-file-name>");
            1
        }
    }
}
