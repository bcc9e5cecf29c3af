//! Options of sockets, set as Redis sets them.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// Sends small replies at once.
pub fn set_nodelay(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)
}

/// Lets the system find dead peers: a first probe after `seconds` of silence, then two more, a third of that time apart.
/// Zero switches probing off.
pub fn set_keepalive(socket: &SockRef<'_>, seconds: u32) -> io::Result<()> {
    if seconds == 0 {
        return socket.set_keepalive(false);
    }
    let apart = Duration::from_secs(u64::from(seconds / 3).max(1));
    let probes = TcpKeepalive::new().with_time(Duration::from_secs(u64::from(seconds))).with_interval(apart);
    socket.set_tcp_keepalive(&probes.with_retries(3))
}

/// The words of the system for an error, as `strerror` gives them: `Connection refused`.
pub fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_come_without_their_number() {
        assert_eq!(error_text(&io::Error::from_raw_os_error(libc::ECONNREFUSED)), "Connection refused");
        assert_eq!(error_text(&io::Error::other("odd")), "odd");
    }

    #[test]
    fn keepalive_as_redis_sets_it() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        set_keepalive(&SockRef::from(&socket), 300).unwrap();
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(300));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(100));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        set_keepalive(&SockRef::from(&socket), 1).unwrap();
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(1));
        set_keepalive(&SockRef::from(&socket), 0).unwrap();
        assert!(!socket.keepalive().unwrap());
    }
}
