//! Server processes: started on a free port in a folder of their own, stopped when dropped.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{Client, Value};

/// Longest wait for a server to take connections.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub struct Server {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Starts a program that takes redis.conf.
    pub fn start(program: &Path) -> Server {
        let dir = tempfile::tempdir().expect("a folder for the server");
        // The port is free now; that it still is when the server binds it is very likely, and else the start fails.
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its number").port();
        let conf = dir.path().join("redis.conf");
        let mut file = std::fs::File::create(&conf).expect("a configuration file");
        write!(
            file,
            "port {port}\nbind 127.0.0.1\nsave \"\"\nappendonly no\ndir {}\nlogfile {}\nenable-debug-command yes\n\
             repl-diskless-sync no\nrepl-ping-replica-period 3600\nnotify-keyspace-events AKE\n",
            dir.path().display(),
            dir.path().join("log").display()
        )
        .expect("a written configuration file");
        let child = Command::new(program)
            .arg(&conf)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let server = Server { child, port, _dir: dir };
        server.wait();
        server
    }

    fn wait(&self) {
        let begun = Instant::now();
        loop {
            if let Ok(mut client) = Client::connect(self.port)
                && client.run("PING") == Value::Simple("PONG".to_owned())
            {
                return;
            }
            assert!(begun.elapsed() < START_PATIENCE, "the server at port {} does not answer", self.port);
            std::thread::yield_now();
        }
    }

    /// Becomes the replica of another, with all of its data.
    pub fn follow(&self, master: &Server) {
        let mut client = self.client();
        assert_eq!(client.run(&format!("REPLICAOF 127.0.0.1 {}", master.port)), Value::Simple("OK".to_owned()));
        self.wait_for(master);
    }

    /// Waits until this replica has executed all that the master has done so far.
    pub fn wait_for(&self, master: &Server) {
        let Some(goal) = master.client().info_number("replication", "master_repl_offset") else {
            panic!("a master has an offset")
        };
        let (mut client, begun) = (self.client(), Instant::now());
        while client.info_number("replication", "slave_repl_offset").is_none_or(|offset| offset < goal)
            || client.info_number("replication", "master_sync_in_progress") != Some(0)
        {
            assert!(begun.elapsed() < START_PATIENCE, "the replica at port {} does not catch up", self.port);
            std::thread::yield_now();
        }
    }

    /// A new connection.
    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("the server takes connections")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both may fail only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our own server, or the one that `RREDIS_SERVER` names (another build).
pub fn ours() -> PathBuf {
    std::env::var_os("RREDIS_SERVER").map_or_else(|| env!("CARGO_BIN_EXE_rredis-server").into(), PathBuf::from)
}

/// The Redis to compare with. `None` when there is none, which CI does not accept.
pub fn stock() -> Option<PathBuf> {
    let named = std::env::var_os("REDIS_SERVER").map(PathBuf::from);
    let found = named.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|program| program.is_file())
    });
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs a redis-server to compare with");
        eprintln!("SKIPPED: no redis-server to compare with; install one or set REDIS_SERVER");
    }
    found
}
