//! Real processes for the end-to-end scenarios: ours and stock ones, each in a folder of its own, ended by pid.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::client::{Client, Reply};

/// Our binary.
pub const OURS: &str = env!("CARGO_BIN_EXE_rredis-server");

/// Waits for a condition, with a bound. Fails the test with `what` when it does not come.
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < end, "did not happen within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ten seconds: plenty for anything that should be immediate, also on a busy machine.
pub const SOON: Duration = Duration::from_secs(10);
/// For failovers and syncs.
pub const LATER: Duration = Duration::from_secs(60);

/// A port that nobody listens on and that no other test gets, in this run or in another on the same machine: a locked file stands for
/// it until this process ends. Below those that the system gives to connections.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static TAKEN: Mutex<Vec<fs::File>> = Mutex::new(Vec::new());
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    let folder = std::env::temp_dir().join("rredis-e2e-ports");
    fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    loop {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        let file = fs::File::create(folder.join(port.to_string())).expect("a file for a port can be made");
        if file.try_lock().is_ok() && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            TAKEN.lock().unwrap().push(file);
            return port;
        }
    }
}

/// The path of a stock program, or `None` with a loud word when it is not installed. In CI nothing may be missing.
pub fn stock(program: &str) -> Option<PathBuf> {
    let found = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed, and in CI nothing may be skipped");
        eprintln!("SKIPPED: {program} is not installed, so nothing is compared with it");
    }
    found
}

/// One process.
pub struct Node {
    pub port: u16,
    pub folder: PathBuf,
    program: PathBuf,
    args: Vec<String>,
    child: Option<Child>,
}

impl Node {
    /// Starts `program` (a server of ours unless said otherwise) with a config file holding `lines` and `port`, in a new
    /// folder below `root`.
    pub fn server(root: &Path, lines: &[&str]) -> Node {
        Node::start(root, Path::new(OURS), free_port(), "redis.conf", lines, &[])
    }

    /// A Sentinel of ours.
    pub fn sentinel(root: &Path, lines: &[&str]) -> Node {
        Node::start(root, Path::new(OURS), free_port(), "sentinel.conf", lines, &["--sentinel"])
    }

    /// Any program.
    pub fn start(root: &Path, program: &Path, port: u16, file: &str, lines: &[&str], extra: &[&str]) -> Node {
        let folder = root.join(format!("{}-{port}", file.split('.').next().unwrap_or(file)));
        fs::create_dir_all(&folder).expect("a folder for the node");
        let mut text = format!("port {port}\ndir {}\nlogfile {}\n", folder.display(), folder.join("log").display());
        if !lines.iter().any(|line| line.starts_with("bind ")) {
            text.push_str("bind 127.0.0.1\n");
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        let conf = folder.join(file);
        fs::write(&conf, text).expect("the config file");
        let mut args = vec![conf.display().to_string()];
        args.extend(extra.iter().map(ToString::to_string));
        Node::launch(program, port, folder, args)
    }

    /// A program with these words on its command line, in `folder`.
    pub fn launch(program: &Path, port: u16, folder: PathBuf, args: Vec<String>) -> Node {
        fs::create_dir_all(&folder).expect("a folder for the node");
        let mut node = Node { port, folder, program: program.to_path_buf(), args, child: None };
        node.start_again();
        node
    }

    /// Starts the process (again) and waits until it answers, its data loaded.
    pub fn start_again(&mut self) {
        self.start_quietly();
        let port = self.port;
        wait_for(&format!("{} {:?} answers", self.program.display(), self.args), LATER, || {
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
                && !status.success()
            {
                panic!("{:?} ended with {status}; its log:\n{}", self.args, self.log());
            }
            let answer = Client::connect(port).and_then(|mut client| client.call(&["PING"]));
            answer.is_ok_and(|reply| !reply.text().starts_with("LOADING"))
        });
    }

    /// Ends the process as an administrator does, and starts another program in its place, from the same files.
    pub fn replace(&mut self, program: &Path) {
        self.signal("TERM");
        self.wait_gone();
        self.program = program.to_path_buf();
        self.start_again();
    }

    /// Starts the process and does not wait.
    pub fn start_quietly(&mut self) {
        let output = fs::File::create(self.folder.join("output")).expect("a file for the output");
        let child = Command::new(&self.program)
            .args(&self.args)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the same file"))
            .stderr(output)
            .spawn()
            .expect("the program starts");
        self.child = Some(child);
    }

    /// What it has logged so far, wherever it logs.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        read("log") + &read("output")
    }

    /// The config file as it is now.
    pub fn conf(&self) -> String {
        fs::read_to_string(&self.args[0]).unwrap_or_default()
    }

    /// Its pid: of the child, or what the pid file says of a daemon.
    pub fn pid(&self) -> u32 {
        match fs::read_to_string(self.folder.join("pid")).ok().and_then(|text| text.trim().parse().ok()) {
            Some(pid) => pid,
            None => self.child.as_ref().map_or(0, Child::id),
        }
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid();
        assert_ne!(pid, 0, "the process is not running");
        Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().expect("kill runs");
    }

    /// SIGSTOP, and waits until each of its threads has stopped.
    pub fn stop(&self) {
        self.signal("STOP");
        let tasks = PathBuf::from(format!("/proc/{}/task", self.pid()));
        let is_stopped = |task: PathBuf| fs::read_to_string(task.join("status")).is_ok_and(|s| s.contains("State:\tT"));
        wait_for("the process stops", SOON, || {
            fs::read_dir(&tasks).is_ok_and(|all| all.flatten().all(|task| is_stopped(task.path())))
        });
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.wait_gone();
    }

    /// Waits until the process has ended.
    pub fn wait_gone(&mut self) {
        let pid = self.pid();
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
        wait_for("the process ends", LATER, || !is_alive(pid));
        let _ = fs::remove_file(self.folder.join("pid"));
    }

    /// The exit code, once the process has ended by itself.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.as_mut()?.try_wait().ok()??.code()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("the node accepts connections")
    }

    /// One command on a new connection.
    pub fn call(&self, words: &[&str]) -> Reply {
        self.client().call(words).unwrap_or_else(|error| panic!("{words:?} at port {}: {error}", self.port))
    }

    /// The same, as text; an error of the connection as text, too.
    pub fn ask(&self, words: &[&str]) -> String {
        match Client::connect(self.port).and_then(|mut client| client.call(words)) {
            Ok(reply) => reply.text(),
            Err(error) => format!("(no answer: {error})"),
        }
    }

    /// One field of INFO.
    pub fn info(&self, section: &str, field: &str) -> String {
        let text = self.ask(&["INFO", section]);
        let prefix = format!("{field}:");
        text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or("").trim().to_owned()
    }
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map_or("", |(_, rest)| rest.trim_start());
    pid != 0 && !state.is_empty() && !state.starts_with('Z')
}

impl Drop for Node {
    fn drop(&mut self) {
        let pid = self.pid();
        if is_alive(pid) {
            let _ = Command::new("kill").args(["-CONT", &pid.to_string()]).stderr(Stdio::null()).status();
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- end of the log of port {}:", self.port);
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}
