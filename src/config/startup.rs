//! The first steps of either program: what the settings say about the process itself, carried out in the order in which
//! they depend on each other. The acts are in `base/process.rs` and `base/log.rs`.

use crate::base::cpus::{self, Work};
use crate::base::crash;
use crate::base::log::{self, Role, Threshold};
use crate::base::process::{self, PidFile, Supervisor};
use crate::config::model::Config;
use crate::config::table;
use crate::config::values::{LogLevel, Supervised, SyslogFacility};

/// All of the steps, in their order: the working directory, the log and its first lines, room for the clients, the
/// processors, the pid file.
/// Gives who supervises the process, and the pid file to remove at the end.
pub fn begin(
    config: &mut Config,
    config_file: &str,
    not_in_effect: &[&str],
    mode: &str,
    role: Role,
) -> Result<(Supervisor, Option<PidFile>), String> {
    enter_folder(config)?;
    open_log(config, role)?;
    banner(config, config_file, not_in_effect, mode);
    fit_clients(config);
    assign_processors(config);
    Ok((supervisor(config), pid_file(config)))
}

/// Enters the working directory, and puts its name into the settings.
fn enter_folder(config: &mut Config) -> Result<(), String> {
    let folder = &config.process.dir;
    if !folder.as_os_str().is_empty() {
        std::env::set_current_dir(folder)
            .map_err(|error| format!("Can't chdir to '{}': {}", folder.display(), error))?;
    }
    config.process.dir =
        std::env::current_dir().map_err(|error| format!("Can't tell the working directory: {error}"))?;
    Ok(())
}

/// Opens the log.
fn open_log(config: &Config, role: Role) -> Result<(), String> {
    log::install();
    log::set_role(role);
    set_log_level(config.logging.loglevel);
    // A daemon without a log file has nowhere to write: its standard output is closed.
    log::set_file(&config.logging.logfile).map_err(|error| format!("Can't open the log file: {error}"))?;
    crash::configure(config.process.crash_log_enabled, config.process.use_exit_on_panic);
    crash::install(&config.logging.logfile);
    if config.logging.syslog_enabled {
        log::set_syslog(Some((&config.logging.syslog_ident, facility(config.logging.syslog_facility))));
    }
    Ok(())
}

/// Changes how much is logged.
pub fn set_log_level(level: LogLevel) {
    log::set_threshold(match level {
        LogLevel::Debug => Threshold::Debug,
        LogLevel::Verbose => Threshold::Verbose,
        LogLevel::Notice => Threshold::Notice,
        LogLevel::Warning => Threshold::Warning,
        LogLevel::Nothing => Threshold::Nothing,
    });
}

fn facility(facility: SyslogFacility) -> u8 {
    match facility {
        SyslogFacility::User => 1,
        SyslogFacility::Local0 => 16,
        SyslogFacility::Local1 => 17,
        SyslogFacility::Local2 => 18,
        SyslogFacility::Local3 => 19,
        SyslogFacility::Local4 => 20,
        SyslogFacility::Local5 => 21,
        SyslogFacility::Local6 => 22,
        SyslogFacility::Local7 => 23,
    }
}

/// The first lines of the log: who we are, what was read, and what of it has no effect.
fn banner(config: &Config, config_file: &str, not_in_effect: &[&str], mode: &str) {
    tracing::info!("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    tracing::info!(
        "rredis version={}, bits={}, pid={}, just started",
        env!("CARGO_PKG_VERSION"),
        usize::BITS,
        std::process::id()
    );
    if config_file.is_empty() {
        tracing::warn!(
            "Warning: no config file specified, using the default config. In order to specify a config file use \
             rredis-server /path/to/redis.conf"
        );
    } else {
        tracing::info!("Configuration loaded");
    }
    for name in not_in_effect {
        let excuse = table::find(name.as_bytes()).and_then(|directive| directive.effect.excuse()).unwrap_or_default();
        tracing::warn!("The directive '{name}' has no effect: {excuse}.");
    }
    if config.process.always_show_logo || config.logging.logfile.as_os_str().is_empty() && process::has_terminal() {
        // The suites of clients and of Redis itself look for the pid in these words.
        let (version, port, pid) = (env!("CARGO_PKG_VERSION"), config.network.port, std::process::id());
        tracing::info!(
            "\n\n   r  rredis {version}\n  rr  Running in {mode} mode\n   r  Port: {port}\n   r  PID: {pid}\n"
        );
    }
    tracing::info!("Running mode={mode}, port={}.", config.network.port);
}

/// Says which threads run where, and binds this one.
fn assign_processors(config: &Config) {
    let process = &config.process;
    let lists = [&process.server_cpulist, &process.bio_cpulist, &process.aof_rewrite_cpulist, &process.bgsave_cpulist];
    cpus::assign(lists.map(|list| cpus::parse(list).unwrap_or_default()));
    cpus::enter(Work::Server);
}

/// Makes room for `maxclients` clients, or lowers it to what the system allows.
fn fit_clients(config: &mut Config) {
    if let Err(most) = process::allow_clients(config.clients.maxclients) {
        tracing::warn!(
            "You requested maxclients of {} requiring more open files than the system allows; maxclients has been \
             reduced to {most} to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
            config.clients.maxclients
        );
        config.clients.maxclients = most.max(1);
    }
}

/// Who supervises us.
fn supervisor(config: &Config) -> Supervisor {
    match config.process.supervised {
        Supervised::No => Supervisor::None,
        Supervised::Systemd => Supervisor::Systemd,
        Supervised::Upstart => Supervisor::Upstart,
        Supervised::Auto => Supervisor::detect(),
    }
}

/// Where a daemon without `pidfile` writes its pid.
const DEFAULT_PID_FILE: &str = "/var/run/redis.pid";

/// Writes the pid file, if one is wanted. That it cannot be written is logged and not fatal, as in Redis.
fn pid_file(config: &Config) -> Option<PidFile> {
    let path = match config.process.pidfile.as_os_str() {
        name if !name.is_empty() => config.process.pidfile.clone(),
        _ if config.process.daemonize => DEFAULT_PID_FILE.into(),
        _ => return None,
    };
    match PidFile::create(&path) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::warn!("Failed to write PID file {}: {error}", path.display());
            None
        }
    }
}
