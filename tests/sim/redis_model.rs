//! A model of a data server: as much of one as a Sentinel can see.
//!
//! Its data are the numbers of the writes it has taken, in order; the replication offset is how many. A replica copies its
//! master's history whole when it connects, and each write after that.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use rredis::base::id::HexId;
use rredis::base::rng::Rng;
use rredis::resp::value::Value;

/// What a server does about replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Following {
    /// It is a master.
    Nobody,
    /// It is a replica of the server at this address.
    Master { ip: String, port: u16 },
}

/// What a connection to a server is used for.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub is_subscribed: bool,
    pub is_replica: bool,
    /// Commands between MULTI and EXEC.
    pub queued: Option<Vec<Vec<Vec<u8>>>>,
    /// Commands that wait for the end of CLIENT PAUSE.
    pub waiting: Vec<Vec<Vec<u8>>>,
}

/// What a command asks the world to do besides answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Reply(Value),
    Publish(Vec<u8>),
    Follow(Following),
    /// Close these kinds of clients, but not the one that asked.
    KillNormal,
    KillPubSub,
    Unpause,
}

#[derive(Debug)]
pub struct Server {
    pub ip: String,
    pub priority: u32,
    pub run_id: HexId,
    pub following: Following,
    /// The configuration file: what it follows after a restart.
    pub written: Following,
    pub history: Rc<Vec<u32>>,
    pub clients: BTreeMap<u64, Client>,
    /// The connection to its master.
    pub upstream: Option<u64>,
    pub is_link_up: bool,
    pub link_down_since: u64,
    pub last_from_master: u64,
    pub paused_until: u64,
    pub loading_until: u64,
    /// Answers every transaction with an error, as a server does that denies SLAVEOF to the Sentinel's user.
    pub refuses_promotion: bool,
}

impl Server {
    pub fn new(ip: String, priority: u32, rng: &mut Rng) -> Server {
        Server {
            ip,
            priority,
            run_id: HexId::random(rng),
            following: Following::Nobody,
            written: Following::Nobody,
            history: Rc::default(),
            clients: BTreeMap::new(),
            upstream: None,
            is_link_up: false,
            link_down_since: 0,
            last_from_master: 0,
            paused_until: 0,
            loading_until: 0,
            refuses_promotion: false,
        }
    }

    pub fn is_master(&self) -> bool {
        self.following == Following::Nobody
    }

    pub fn offset(&self) -> u64 {
        self.history.len() as u64
    }

    /// Starts again, with what the files say. Data are kept.
    pub fn restart(&mut self, now: u64, rng: &mut Rng) {
        self.run_id = HexId::random(rng);
        self.following = self.written.clone();
        self.clients.clear();
        self.upstream = None;
        self.is_link_up = false;
        self.link_down_since = now;
        self.paused_until = 0;
        self.loading_until = now + rng.below(300);
    }

    pub fn append(&mut self, write: u32) {
        Rc::make_mut(&mut self.history).push(write);
    }

    /// Executes a command of a client.
    pub fn execute(
        &mut self,
        client: u64,
        words: &[Vec<u8>],
        now: u64,
        addresses: &[(u64, String, u16)],
    ) -> Vec<Effect> {
        let name = String::from_utf8_lossy(&words[0]).to_ascii_uppercase();
        let state = self.clients.entry(client).or_default();
        if let Some(queued) = &mut state.queued
            && name != "EXEC"
        {
            queued.push(words.to_vec());
            return vec![Effect::Reply(Value::Simple("QUEUED".into()))];
        }
        if now < self.loading_until && name == "PING" {
            return vec![Effect::Reply(Value::Error("LOADING Redis is loading the dataset in memory".into()))];
        }
        match name.as_str() {
            "PING" => vec![Effect::Reply(Value::Simple("PONG".into()))],
            "INFO" => vec![Effect::Reply(Value::bulk(&self.info(now, addresses)))],
            "AUTH" => vec![Effect::Reply(Value::ok())],
            "SUBSCRIBE" => {
                state.is_subscribed = true;
                vec![Effect::Reply(Value::Array(Vec::new()))]
            }
            "PUBLISH" if now < self.paused_until => {
                state.waiting.push(words.to_vec());
                Vec::new()
            }
            "PUBLISH" => vec![Effect::Publish(words[2].clone()), Effect::Reply(Value::Int(1))],
            "CLIENT" => self.client_command(words, now),
            "MULTI" => {
                state.queued = Some(Vec::new());
                vec![Effect::Reply(Value::ok())]
            }
            "EXEC" => {
                let queued = state.queued.take().unwrap_or_default();
                if self.refuses_promotion {
                    return vec![Effect::Reply(Value::Error("EXECABORT Transaction discarded".into()))];
                }
                let mut effects = Vec::new();
                let mut replies = Vec::new();
                for words in queued {
                    for effect in self.execute(client, &words, now, addresses) {
                        match effect {
                            Effect::Reply(value) => replies.push(value),
                            other => effects.push(other),
                        }
                    }
                }
                effects.push(Effect::Reply(Value::Array(replies)));
                effects
            }
            "SLAVEOF" => {
                let following = if words[1].eq_ignore_ascii_case(b"NO") {
                    Following::Nobody
                } else {
                    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
                    Following::Master { ip: text(&words[1]), port: text(&words[2]).parse().unwrap_or(0) }
                };
                vec![Effect::Follow(following), Effect::Reply(Value::ok())]
            }
            "CONFIG" => vec![Effect::Reply(Value::ok())],
            _ => vec![Effect::Reply(Value::Error("ERR unknown command".into()))],
        }
    }

    fn client_command(&mut self, words: &[Vec<u8>], now: u64) -> Vec<Effect> {
        let ok = Effect::Reply(Value::ok());
        match words[1].to_ascii_uppercase().as_slice() {
            b"KILL" if words[3] == b"normal" => vec![Effect::KillNormal, Effect::Reply(Value::Int(0))],
            b"KILL" => vec![Effect::KillPubSub, Effect::Reply(Value::Int(0))],
            b"PAUSE" => {
                let ms: u64 = String::from_utf8_lossy(&words[2]).parse().unwrap_or(0);
                self.paused_until = now + ms;
                vec![ok]
            }
            b"UNPAUSE" => {
                self.paused_until = 0;
                vec![Effect::Unpause, ok]
            }
            _ => vec![ok],
        }
    }

    fn info(&self, now: u64, replicas: &[(u64, String, u16)]) -> String {
        let mut text = format!("# Server\r\nrun_id:{}\r\n# Replication\r\n", self.run_id);
        match &self.following {
            Following::Nobody => {
                write!(text, "role:master\r\nconnected_slaves:{}\r\n", replicas.len()).expect("a string");
                for (index, (_, ip, port)) in replicas.iter().enumerate() {
                    write!(text, "slave{index}:ip={ip},port={port},state=online,offset=0,lag=0\r\n").expect("a string");
                }
            }
            Following::Master { ip, port } => {
                let status = if self.is_link_up { "up" } else { "down" };
                write!(text, "role:slave\r\nmaster_host:{ip}\r\nmaster_port:{port}\r\nmaster_link_status:{status}\r\n")
                    .expect("a string");
                if !self.is_link_up {
                    let seconds = (now - self.link_down_since) / 1000;
                    write!(text, "master_link_down_since_seconds:{seconds}\r\n").expect("a string");
                }
                write!(
                    text,
                    "slave_repl_offset:{}\r\nslave_priority:{}\r\nreplica_announced:1\r\n",
                    self.offset(),
                    self.priority
                )
                .expect("a string");
            }
        }
        write!(text, "master_repl_offset:{}\r\n", self.offset()).expect("a string");
        text
    }
}
