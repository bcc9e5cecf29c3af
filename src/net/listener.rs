//! Listening sockets: which addresses a `bind` list means, and how they are opened.
//!
//! `*` is every IPv4 address, `::*` every IPv6 address; what contains a colon is IPv6 and takes IPv6 only, so that both can
//! be bound on one port; the rest is IPv4, names included. An address may begin with `-`: when the machine does not have
//! it, it is left out. A kind of address that the system does not support at all is left out too.
//!
//! The options that every accepted connection needs (no delay, keepalive) are set on the listening socket, from which
//! Linux copies them: five system calls less per connection.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdTcpListener, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockAddr, SockRef, Socket as RawSocket, Type};

use super::conn::{Peer, Socket};
use super::sockopt::{error_text, set_keepalive, set_nodelay};

/// The name of a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub(super) u32);

/// What is asked of a TCP listening socket besides its address.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// `tcp-backlog`.
    pub backlog: u32,
    /// `tcp-keepalive` in seconds, zero for none.
    pub keepalive: u32,
    /// Clients speak TLS.
    pub is_tls: bool,
    /// `socket-mark-id`, zero for none.
    pub mark: u32,
}

/// How opening a `bind` list went.
#[derive(Debug, Default)]
pub struct ListenReport {
    /// The sockets that are open.
    pub listeners: Vec<ListenerId>,
    /// Redis's log lines about those that could not be opened.
    pub warnings: Vec<String>,
    /// One that must not be left out could not be opened; then none is open.
    pub failed: bool,
}

#[derive(Debug)]
pub(super) enum ListenSocket {
    Tcp(TcpListener),
    Unix(UnixListener, Arc<str>),
}

/// What one attempt to accept brought.
pub(super) enum AcceptOutcome {
    Accepted(Socket, Peer),
    Nothing,
    Failed(io::Error),
}

impl ListenSocket {
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            ListenSocket::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            ListenSocket::Unix(listener, _) => registry.register(listener, token, Interest::READABLE),
        }
    }

    pub(super) fn accept(&self) -> AcceptOutcome {
        let accepted = match self {
            ListenSocket::Tcp(listener) => {
                listener.accept().map(|(stream, address)| (Socket::Tcp(stream), Peer::Tcp(address)))
            }
            ListenSocket::Unix(listener, path) => {
                listener.accept().map(|(stream, _)| (Socket::Unix(stream), Peer::Unix(Arc::clone(path))))
            }
        };
        match accepted {
            Ok((socket, peer)) => AcceptOutcome::Accepted(socket, peer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => AcceptOutcome::Nothing,
            Err(error) => AcceptOutcome::Failed(error),
        }
    }

    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            ListenSocket::Tcp(listener) => listener.local_addr().ok(),
            ListenSocket::Unix(..) => None,
        }
    }

    pub(super) fn set_keepalive(&self, seconds: u32) -> io::Result<()> {
        match self {
            ListenSocket::Tcp(listener) => set_keepalive(&SockRef::from(listener), seconds),
            ListenSocket::Unix(..) => Ok(()),
        }
    }

    /// Removes the socket file, when there is one.
    pub(super) fn remove_file(&self) {
        if let ListenSocket::Unix(_, path) = self {
            // Nothing is lost when somebody else has removed it.
            let _ = fs::remove_file(&**path);
        }
    }
}

/// Opens one address of a `bind` list.
fn bind_address(text: &str, port: u16, options: &ListenOptions) -> io::Result<ListenSocket> {
    let address = resolve_bind(text, port)?;
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    let named = |step: &'static str| move |error: io::Error| step_error(step, &error);
    socket.bind(&SockAddr::from(address)).map_err(named("bind"))?;
    if options.mark != 0 {
        socket.set_mark(options.mark).map_err(named("set the mark"))?;
    }
    socket.listen(options.backlog.min(i32::MAX as u32) as i32).map_err(named("listen"))?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(StdTcpListener::from(socket));
    set_nodelay(&SockRef::from(&listener))?;
    set_keepalive(&SockRef::from(&listener), options.keepalive)?;
    Ok(ListenSocket::Tcp(listener))
}

/// An error that says which step failed, and can still be told by its number.
fn step_error(step: &'static str, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        StepError { text: format!("{step}: {}", error_text(error)), code: error.raw_os_error() },
    )
}

#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct StepError {
    text: String,
    code: Option<i32>,
}

fn os_code(error: &io::Error) -> Option<i32> {
    let step = error.get_ref().and_then(|inner| inner.downcast_ref::<StepError>());
    step.map_or(error.raw_os_error(), |step| step.code)
}

fn resolve_bind(text: &str, port: u16) -> io::Result<SocketAddr> {
    match text {
        "*" => return Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        "::*" => return Ok((Ipv6Addr::UNSPECIFIED, port).into()),
        _ => {}
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok((ip, port).into());
    }
    let want_v6 = text.contains(':');
    let found = (text, port).to_socket_addrs()?.find(|address| address.is_ipv6() == want_v6);
    found.ok_or_else(|| io::Error::other("Name or service not known"))
}

/// Opens all addresses of a `bind` list. On failure everything opened so far is closed again.
pub(super) fn bind_all(
    addresses: &[impl AsRef<str>],
    port: u16,
    options: &ListenOptions,
) -> (Vec<ListenSocket>, Vec<String>, bool) {
    let (mut sockets, mut warnings) = (Vec::new(), Vec::new());
    for address in addresses {
        let address = address.as_ref();
        let (text, is_optional) = match address.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (address, false),
        };
        match bind_address(text, port, options) {
            Ok(socket) => sockets.push(socket),
            Err(error) => {
                warnings.push(format!(
                    "Warning: Could not create server TCP listening socket {text}:{port}: {}",
                    error_text(&error)
                ));
                let may_miss = match os_code(&error) {
                    Some(libc::EADDRNOTAVAIL) => is_optional,
                    Some(
                        libc::ENOPROTOOPT
                        | libc::EPROTONOSUPPORT
                        | libc::ESOCKTNOSUPPORT
                        | libc::EPFNOSUPPORT
                        | libc::EAFNOSUPPORT,
                    ) => true,
                    _ => false,
                };
                if !may_miss {
                    return (Vec::new(), warnings, true);
                }
            }
        }
    }
    (sockets, warnings, false)
}

/// Opens a socket file, replacing one that is there. `mode` zero leaves the permissions as the system gives them.
pub(super) fn bind_unix(path: &str, mode: u32, backlog: u32) -> io::Result<ListenSocket> {
    // Redis's words; a path of the file system's maximum does not fit an address of the socket interface.
    const PATH_MAX: usize = 108;
    if path.len() >= PATH_MAX {
        let text = format!("unix socket path too long ({}), must be under {PATH_MAX}", path.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let _ = fs::remove_file(path);
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?).map_err(|error| step_error("bind", &error))?;
    if mode != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    socket.listen(backlog.min(i32::MAX as u32) as i32).map_err(|error| step_error("listen", &error))?;
    socket.set_nonblocking(true)?;
    Ok(ListenSocket::Unix(UnixListener::from_std(StdUnixListener::from(socket)), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: ListenOptions = ListenOptions { backlog: 16, keepalive: 300, mark: 0, is_tls: false };

    #[test]
    fn stars_names_and_both_kinds_of_addresses() {
        assert_eq!(resolve_bind("*", 1).unwrap(), "0.0.0.0:1".parse().unwrap());
        assert_eq!(resolve_bind("::*", 1).unwrap(), "[::]:1".parse().unwrap());
        assert_eq!(resolve_bind("::1", 1).unwrap(), "[::1]:1".parse().unwrap());
        assert!(resolve_bind("localhost", 1).unwrap().is_ipv4());
    }

    #[test]
    fn a_taken_port_fails_in_redis_words() {
        let (sockets, warnings, failed) = bind_all(&["127.0.0.1"], 0, &OPTIONS);
        assert!(warnings.is_empty() && !failed);
        let port = sockets[0].local_address().unwrap().port();
        let (sockets, warnings, failed) = bind_all(&["127.0.0.1"], port, &OPTIONS);
        assert!(sockets.is_empty() && failed);
        let text = format!(
            "Warning: Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use"
        );
        assert_eq!(warnings, [text]);
    }

    #[test]
    fn an_address_the_machine_lacks_may_be_optional() {
        let (sockets, warnings, failed) = bind_all(&["-192.0.2.1", "127.0.0.1"], 0, &OPTIONS);
        assert_eq!((sockets.len(), warnings.len(), failed), (1, 1, false));
        assert!(warnings[0].ends_with("192.0.2.1:0: bind: Cannot assign requested address"), "{warnings:?}");
        assert!(bind_all(&["192.0.2.1"], 0, &OPTIONS).2);
    }

    #[test]
    fn a_socket_file_gets_its_permissions_and_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let path = path.to_str().unwrap();
        fs::write(path, "left over").unwrap();
        let socket = bind_unix(path, 0o700, 16).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        socket.remove_file();
        assert!(!std::path::Path::new(path).exists());
        let error = bind_unix(&"x".repeat(108), 0, 16).unwrap_err();
        assert_eq!(error_text(&error), "unix socket path too long (108), must be under 108");
        let error = bind_unix("/no/such/folder/s", 0, 16).unwrap_err();
        assert_eq!(error_text(&error), "bind: No such file or directory");
    }
}
