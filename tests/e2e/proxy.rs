//! A line between two processes that can go dead: nothing that is sent into it arrives, not the end of a connection either, and
//! nobody is told. That is what a pulled cable or a firewall that has forgotten a connection looks like from either side.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::node::free_port;

pub struct Proxy {
    pub port: u16,
    /// How many bytes may still go to those who connect. Without any, nothing goes in either direction.
    left: Arc<AtomicU64>,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens at this address of the machine itself and passes everything on to a port of 127.0.0.1.
    pub fn start(address: &str, target: u16) -> Proxy {
        let port = free_port();
        let listener = TcpListener::bind((address, port)).expect("an address of this machine");
        let (left, accepted) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicUsize::new(0)));
        let proxy = Proxy { port, left: Arc::clone(&left), accepted: Arc::clone(&accepted) };
        std::thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                accepted.fetch_add(1, Ordering::Relaxed);
                // Who is accepted into a dead line hears nothing, and the other end does not hear of him.
                let to = (left.load(Ordering::Relaxed) > 0).then(|| TcpStream::connect(("127.0.0.1", target)));
                match to {
                    Some(Ok(to)) => join(from, to, &left),
                    Some(Err(_)) => {}
                    None => std::mem::forget(from),
                }
            }
        });
        proxy
    }

    /// The line is dead from now on.
    pub fn swallow(&self) {
        self.swallow_after(0);
    }

    /// The line goes dead when so many more bytes have come from the target.
    pub fn swallow_after(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// New connections work again. Those that lost something stay dead for ever.
    pub fn pass(&self) {
        self.swallow_after(u64::MAX);
    }

    /// How often somebody has connected.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

fn join(from: TcpStream, to: TcpStream, left: &Arc<AtomicU64>) {
    let (source, sink) = (from.try_clone().expect("the same socket"), to.try_clone().expect("the same socket"));
    let budget = Arc::clone(left);
    std::thread::spawn(move || copy(source, sink, &budget, false));
    let budget = Arc::clone(left);
    std::thread::spawn(move || copy(to, from, &budget, true));
}

/// Passes bytes on while some are left; `counts` says whether these are the ones that are counted.
fn copy(mut source: TcpStream, mut sink: TcpStream, left: &AtomicU64, counts: bool) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = source.read(&mut buffer).unwrap_or(0);
        let allowed = left.load(Ordering::Relaxed).min(count as u64) as usize;
        if allowed < count || left.load(Ordering::Relaxed) == 0 {
            let _ = sink.write_all(&buffer[..allowed]);
            left.store(0, Ordering::Relaxed);
            // Nothing is read any more, so that the sender's buffers fill, and nothing is closed.
            std::mem::forget((source, sink));
            return;
        }
        if counts && left.load(Ordering::Relaxed) < u64::MAX {
            left.fetch_sub(count as u64, Ordering::Relaxed);
        }
        if count == 0 || sink.write_all(&buffer[..count]).is_err() {
            let _ = sink.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}
