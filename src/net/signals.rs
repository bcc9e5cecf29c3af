//! Signals as events of the loop.
//!
//! The handler sets a flag and writes a byte into a pipe that the loop listens to; nothing else is allowed in a handler.
//! SIGHUP and SIGPIPE are ignored, as Redis does. A second SIGINT while the first was not even seen means that the loop
//! hangs: the process then exits at once with status 1, so that Ctrl-C always works.

use std::io::{self, Read};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// A request to end the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT, usually Ctrl-C.
    Interrupt,
}

/// Tells whoever keeps the loop busy that a SIGINT waits to be seen.
#[derive(Clone, Debug, Default)]
pub struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// Whether one has arrived since the loop last looked.
    pub fn is_pending(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub(super) struct Signals {
    pipe: UnixStream,
    terminate: Arc<AtomicBool>,
    interrupt: Arc<AtomicBool>,
}

impl Signals {
    /// Installs the handlers for the whole process.
    pub(super) fn install(registry: &Registry, token: Token) -> io::Result<Signals> {
        let (read, write) = StdUnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        let signals = Signals {
            pipe: UnixStream::from_std(read),
            terminate: Arc::new(AtomicBool::new(false)),
            interrupt: Arc::new(AtomicBool::new(false)),
        };
        // The order of registration is the order of execution: first look whether a SIGINT is still waiting.
        flag::register_conditional_shutdown(SIGINT, 1, Arc::clone(&signals.interrupt))?;
        for (signal, pending) in [(SIGINT, &signals.interrupt), (SIGTERM, &signals.terminate)] {
            flag::register(signal, Arc::clone(pending))?;
            low_level::pipe::register(signal, write.try_clone()?)?;
        }
        flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
        let mut signals = signals;
        registry.register(&mut signals.pipe, token, Interest::READABLE)?;
        Ok(signals)
    }

    pub(super) fn interrupts(&self) -> Interrupts {
        Interrupts(Arc::clone(&self.interrupt))
    }

    /// The signals that arrived since the last call.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Signal> + use<> {
        let mut bytes = [0; 64];
        while matches!(self.pipe.read(&mut bytes), Ok(count) if count > 0) {}
        let pending = [(&self.terminate, Signal::Terminate), (&self.interrupt, Signal::Interrupt)]
            .map(|(pending, signal)| pending.swap(false, Ordering::AcqRel).then_some(signal));
        pending.into_iter().flatten()
    }
}
