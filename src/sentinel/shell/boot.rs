//! From a config file to a Sentinel that watches.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::acl::Acl;
use crate::acl::file::AclFile;
use crate::base::files::{RealFiles, read_whole};
use crate::base::id::HexId;
use crate::base::log;
use crate::base::process;
use crate::base::rng::Rng;
use crate::config::file::{LoadError, Loaded, SourceLine};
use crate::config::startup;
use crate::config::title;
use crate::config::values::PubsubDefault;
use crate::net::{ListenOptions, Loop, TlsContext, mailbox};
use crate::sentinel::commands;
use crate::sentinel::core::Sentinel;
use crate::sentinel::core::coordinated_state::Reader;
use crate::sentinel::core::io::Outputs;
use crate::sentinel::core::settings::{Environment, State};
use crate::sentinel::shell::store::{self, Store};
use crate::sentinel::shell::{Figures, Handler, Program, SentinelTable};
use crate::session::{Program as About, Role, handlers};
use crate::spec::{Flags, Table};

/// The version whose behaviour clients may expect.
const COMPATIBLE_VERSION: &str = "7.2.6";

/// The Sentinel's command table: its own commands, and those of the shared ones that a Sentinel serves.
fn table() -> SentinelTable {
    let own = commands::TABLE.iter().fold(Table::builder(), |table, family| table.add(family, Handler::Sentinel));
    let shared = handlers::FAMILIES.iter().fold(own, |table, family| {
        let family: Vec<_> = family.iter().copied().filter(|spec| spec.meta.name != "publish").collect();
        table.add(&family, Handler::Session)
    });
    shared
        .add_containers(commands::CONTAINERS)
        .add_containers(handlers::CONTAINERS)
        .retain(|meta| meta.flags.has(Flags::SENTINEL))
        .build()
}

/// Reads the `sentinel` lines. Scripts are looked for from `dir`, where the process will be.
fn state_of(lines: &[SourceLine], dir: &Path) -> Result<State, LoadError> {
    let words: Vec<Vec<Vec<u8>>> = lines.iter().map(|line| line.words[1..].to_vec()).collect();
    let is_executable = |path: &str| is_executable(&dir.join(path).to_string_lossy());
    let reader = Reader { resolve: &resolve_now, is_executable: &is_executable };
    reader.read(&words).map_err(|refused| LoadError::at(&lines[refused.index], refused.reason))
}

/// Looks a name up, waiting for the answer: only while the configuration is read, before there is anything to wait for us.
fn resolve_now(host: &str) -> Option<std::net::IpAddr> {
    use std::net::ToSocketAddrs;
    (host, 0).to_socket_addrs().ok()?.next().map(|address| address.ip())
}

fn is_executable(path: &str) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Whether a Sentinel could start with these settings.
pub fn check(loaded: &Loaded) -> Result<(), String> {
    state_of(&loaded.sentinel, &loaded.config.process.dir).map_err(|error| error.to_string())?;
    users(&mut Acl::new(), &table(), &loaded.users).map_err(|error| error.to_string())
}

fn users(acl: &mut Acl, table: &SentinelTable, lines: &[SourceLine]) -> Result<(), LoadError> {
    let users: Vec<_> = lines.iter().map(|line| line.words[1..].to_vec()).collect();
    acl.configure(&users, table.catalog()).map_err(|(at, error)| LoadError::at(&lines[at], error.to_string()))
}

/// Runs the Sentinel until it leaves. The process's exit code, or why it could not begin.
pub fn run(loaded: Loaded, config_file: String) -> Result<i32, String> {
    let mut config = loaded.config;
    if config_file.is_empty() {
        return Err("Sentinel needs config file on disk to save state. Exiting...".to_owned());
    }
    let path = Path::new(&config_file);
    let text = read_whole(&RealFiles, path, 16 * 1024 * 1024)
        .map_err(|error| format!("Sentinel config file {config_file} is not readable: {error}. Exiting..."))?;
    // The folder must be writable as well: the file is replaced, not overwritten.
    store::write(path, &text)
        .map_err(|error| format!("Sentinel config file {config_file} is not writable: {error}. Exiting..."))?;
    let state = state_of(&loaded.sentinel, &config.process.dir).map_err(|error| error.to_string())?;

    let (supervisor, pid_file) =
        startup::begin(&mut config, &config_file, &loaded.not_in_effect, "sentinel", log::Role::Sentinel)?;

    let mut rng = Rng::from_os();
    let mut event_loop = Loop::new().map_err(|error| format!("can't create the event loop: {error}"))?;
    event_loop.handle_signals().map_err(|error| format!("can't handle signals: {error}"))?;
    let net = event_loop.net();
    let now = net.now();

    let table = Rc::new(table());
    let mut acl = Acl::new();
    acl.set_requirepass(&config.security.requirepass);
    acl.is_pubsub_open = config.security.acl_pubsub_default == PubsubDefault::Allchannels;
    acl.log.set_len_max(config.security.acllog_max_len as usize);
    users(&mut acl, &table, &loaded.users).map_err(|error| error.to_string())?;
    let acl_path = &config.security.aclfile;
    if !acl_path.as_os_str().is_empty() {
        acl.file = Some(AclFile { path: acl_path.clone(), files: Arc::new(RealFiles) });
        acl.load(table.catalog()).map_err(|error| format!("Aborting Redis startup because of ACL errors: {error}"))?;
    }

    if config.tls.is_wanted() {
        let context = TlsContext::build(&config.tls.settings(), &RealFiles, now.wall());
        let context = context.map_err(|error| format!("Failed to configure TLS. {error}"))?;
        context.warnings.iter().for_each(|text| tracing::warn!("{text}"));
        net.set_tls(Some(Arc::new(context)));
    }
    let addresses: Vec<String> = config.network.bind.iter().map(ToString::to_string).collect();
    for (port, is_tls) in [(config.network.port, false), (config.tls.tls_port, true)] {
        if port == 0 || addresses.is_empty() {
            continue;
        }
        let options = ListenOptions {
            backlog: config.network.tcp_backlog,
            keepalive: config.network.tcp_keepalive,
            mark: config.network.socket_mark_id,
            is_tls,
        };
        let report = net.listen_tcp(&addresses, port, &options);
        report.warnings.iter().for_each(|text| tracing::warn!("{text}"));
        if report.failed {
            tracing::warn!("Failed listening on port {port} (tcp), aborting.");
            return Ok(1);
        }
    }

    let (written_mail, written) = mailbox(net.wake_handle(), 1024);
    let (script_mail, scripts) = mailbox(net.wake_handle(), 1024);
    let clock = net.clock();
    let store = Store::open(path.to_path_buf(), text, written_mail, move || clock.micros())
        .map_err(|error| format!("can't start the thread that writes the configuration: {error}"))?;
    let requirepass = (!config.security.requirepass.is_empty()).then(|| config.security.requirepass.clone());
    let port = config.tls.announced_port(config.network.port);
    let environment = Environment { port, requirepass, is_executable };
    let mut outputs = Outputs::new();
    let core = Sentinel::new(state, environment, Rng::seeded(rng.next_u64()), now, &mut outputs);
    let figures = Figures {
        table: Rc::clone(&table),
        program: About { version: COMPATIBLE_VERSION, role: Role::Sentinel, databases: 1 },
        run_id: HexId::random(&mut rng),
        started: now.mono,
        port: config.network.port,
        config_file,
        clients: 0,
        maxclients: config.clients.maxclients,
        waiting_clients: 0,
        pubsub_clients: 0,
        counters: Default::default(),
        config_writes: 0,
        config_write_longest_us: 0,
        log_level: config.logging.loglevel.as_str(),
    };
    let mut program = Program {
        core,
        outputs: Outputs::new(),
        later: Default::default(),
        clients: Default::default(),
        links: Default::default(),
        store,
        table,
        acl,
        pubsub: Default::default(),
        config,
        figures,
        batch: Default::default(),
        rng,
        now,
        killed: Vec::new(),
        written,
        scripts,
        script_mail,
        asked: None,
        next_sample: now.mono,
        next_tls_look: now.mono,
    };
    title::show(&program.config, &process::program_word(), &program.figures.config_file, "sentinel");
    program.perform(event_loop.net(), &mut outputs);
    supervisor.tell_ready();
    let result = event_loop.run(&mut program);
    if let Some(file) = pid_file {
        file.remove(true);
    }
    tracing::warn!("Sentinel is now ready to exit, bye bye...");
    result.map_err(|error| format!("the event loop failed: {error}"))?;
    Ok(0)
}
