//! Chooses the program: the data server, the Sentinel (by name or by `--sentinel`), or one of the tools that examine files.

use std::process::ExitCode;

use rredis::base::files::RealFiles;
use rredis::base::{process, title};
use rredis::config::cli::{self, Launch, Tool};
use rredis::config::file::{Loaded, Loader, Mode};
use rredis::{sentinel, server};

fn main() -> ExitCode {
    title::claim();
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    match cli::parse(&program, &words) {
        Launch::Print(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Launch::Refuse(text) => fail(&text),
        Launch::Tool { tool, program, words } => ExitCode::from(match tool {
            Tool::CheckAof => server::tools::check_aof_main(&program, &words),
            Tool::CheckRdb => server::tools::check_rdb_main(&program, &words),
        } as u8),
        Launch::Check { mode, file } => match check(mode, &file) {
            Ok(()) => {
                println!("{file}: the configuration is valid");
                ExitCode::SUCCESS
            }
            Err(text) => fail(&text),
        },
        Launch::Run { mode, file, reads_stdin, lines, restore_to } => {
            match load(mode, file.as_deref(), reads_stdin, &lines) {
                Ok((loaded, file, stdin)) => run(mode, loaded, file, stdin, restore_to),
                Err(text) => fail(&text),
            }
        }
    }
}

fn fail(text: &str) -> ExitCode {
    eprintln!("{}", text.trim_end());
    ExitCode::FAILURE
}

/// The settings, the absolute path of the config file (empty without one), and what was read from standard input.
fn load(mode: Mode, file: Option<&str>, reads_stdin: bool, lines: &str) -> Result<(Loaded, String, Vec<u8>), String> {
    let mut loader = Loader::new(&RealFiles, mode);
    let path = file.map(process::absolute);
    if let Some(path) = &path {
        loader.file(path).map_err(|error| error.to_string())?;
    }
    let mut stdin = Vec::new();
    if reads_stdin {
        stdin = process::read_stdin().map_err(|error| format!("can't read standard input: {error}"))?;
        loader.text("standard input", &stdin).map_err(|error| error.to_string())?;
    }
    loader.text("command line", lines.as_bytes()).map_err(|error| error.to_string())?;
    let loaded = loader.finish().map_err(|error| error.to_string())?;
    Ok((loaded, path.map(|path| path.display().to_string()).unwrap_or_default(), stdin))
}

fn check(mode: Mode, file: &str) -> Result<(), String> {
    let (loaded, ..) = load(mode, Some(file), false, "")?;
    match mode {
        Mode::Server => server::boot::check(&loaded),
        Mode::Sentinel => sentinel::shell::check(&loaded),
    }
}

fn run(mode: Mode, loaded: Loaded, config_file: String, stdin: Vec<u8>, restore_to: Option<i64>) -> ExitCode {
    if loaded.config.process.daemonize && !process::is_daemon() {
        return match process::daemonize(&stdin) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("can't start the daemon: {error}")),
        };
    }
    if process::is_daemon() {
        process::leave_terminal();
    }
    let result = match mode {
        Mode::Server => server::boot::run(loaded, config_file, restore_to),
        Mode::Sentinel => sentinel::shell::run(loaded, config_file),
    };
    match result {
        Ok(code) => ExitCode::from(code as u8),
        Err(text) => fail(&text),
    }
}
