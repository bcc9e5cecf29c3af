//! Connecting to somebody without waiting for it.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream as StdTcpStream};

use mio::net::TcpStream;
use socket2::{Domain, SockAddr, SockRef, Socket as RawSocket, Type};

use super::conn::Socket;
use super::sockopt::{set_keepalive, set_nodelay};

/// How to connect.
#[derive(Clone, Copy, Debug, Default)]
pub struct DialOptions {
    /// The address of ours to connect from.
    pub source: Option<IpAddr>,
    /// When that address cannot be used, connect from any instead of failing.
    pub source_is_optional: bool,
    /// Seconds of silence after which the system probes the peer, zero for never.
    pub keepalive: u32,
    /// Speak TLS.
    pub is_tls: bool,
}

/// Begins to connect to `to`. An error here means that not even the attempt could be made.
pub(super) fn begin(to: SocketAddr, options: &DialOptions) -> io::Result<Socket> {
    match begin_from(to, options.source, options) {
        Err(_) if options.source.is_some() && options.source_is_optional => begin_from(to, None, options),
        result => result,
    }
}

fn begin_from(to: SocketAddr, source: Option<IpAddr>, options: &DialOptions) -> io::Result<Socket> {
    let socket = RawSocket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    set_nodelay(&SockRef::from(&socket))?;
    if options.keepalive > 0 {
        set_keepalive(&SockRef::from(&socket), options.keepalive)?;
    }
    if let Some(source) = source {
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(SocketAddr::from((source, 0))))?;
    }
    match socket.connect(&SockAddr::from(to)) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(Socket::Tcp(TcpStream::from_std(StdTcpStream::from(socket))))
}
