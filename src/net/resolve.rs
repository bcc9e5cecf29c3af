//! Host names into addresses, on a side thread: the system's resolver blocks, for seconds when a name server is away.
//!
//! The thread starts with the first name. Answers come back through a mailbox and reach the application as `resolved`,
//! with the tag it chose. An address written as digits needs nobody's help and never gets here.

use std::io;
use std::net::IpAddr;
use std::thread;

use tokio::sync::mpsc;

use crate::base::cpus::{self, Work};

use super::wake::{MailSender, Mailbox, WakeHandle, mailbox};

/// Most names being looked up at once. A program knows a handful of peers.
const LOOKUPS_MAX: usize = 256;

/// Threads of the system's resolver: one name server that hangs must not hold up the other names.
const THREADS_MAX: usize = 4;

/// An answer.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) tag: u64,
    pub(super) result: io::Result<Vec<IpAddr>>,
}

#[derive(Debug)]
struct Lookup {
    tag: u64,
    host: String,
}

#[derive(Debug)]
pub(super) struct Resolver {
    answers: Mailbox<Resolved>,
    reply_to: MailSender<Resolved>,
    requests: Option<mpsc::Sender<Lookup>>,
}

impl Resolver {
    pub(super) fn new(wake: WakeHandle) -> Resolver {
        let (reply_to, answers) = mailbox(wake, 2 * LOOKUPS_MAX);
        Resolver { answers, reply_to, requests: None }
    }

    /// Asks for the addresses of `host`. An error means that the question could not even be asked.
    pub(super) fn ask(&mut self, tag: u64, host: &str) -> io::Result<()> {
        let requests = match &self.requests {
            Some(requests) => requests,
            None => self.requests.insert(start(self.reply_to.clone())?),
        };
        let lookup = Lookup { tag, host: host.to_owned() };
        requests.try_send(lookup).map_err(|_| io::Error::other("too many names are being looked up"))
    }

    /// The answers that have come.
    pub(super) fn answers(&self) -> impl Iterator<Item = Resolved> + '_ {
        self.answers.drain()
    }
}

fn start(reply_to: MailSender<Resolved>) -> io::Result<mpsc::Sender<Lookup>> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().max_blocking_threads(THREADS_MAX).build()?;
    let (requests, mut inbox) = mpsc::channel::<Lookup>(LOOKUPS_MAX);
    thread::Builder::new().name("resolver".to_owned()).spawn(move || {
        cpus::enter(Work::Background);
        runtime.block_on(async {
            while let Some(lookup) = inbox.recv().await {
                let reply_to = reply_to.clone();
                tokio::spawn(async move {
                    let result = look_up(&lookup.host).await;
                    // When the loop is gone nobody wants the answer.
                    let _ = reply_to.try_send(Resolved { tag: lookup.tag, result });
                });
            }
        });
    })?;
    Ok(requests)
}

async fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> = Vec::new();
    for address in tokio::net::lookup_host((host, 0)).await? {
        if !found.contains(&address.ip()) {
            found.push(address.ip());
        }
    }
    Ok(found)
}
