//! Where an instance is: a host as somebody named it, its IP address once known, and a port.
//!
//! Two addresses are the same when their ports are and either their IPs or their host names are (names in any case).
//! An instance keeps the name it was given, so that a look-up can be repeated when it moves.

use std::net::IpAddr;

/// Host, port, and the IP the host was last found at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// An IP or a host name, as configured or reported.
    pub host: String,
    /// `None` while a name has never been resolved.
    pub ip: Option<IpAddr>,
    /// Zero marks an address known to be invalid: never connected to.
    pub port: u16,
}

impl Address {
    /// An address whose IP is known when `host` is one.
    pub fn new(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), ip: host.parse().ok(), port }
    }

    /// The same place?
    pub fn is_same(&self, other: &Address) -> bool {
        let same_ip = self.ip.is_some() && self.ip == other.ip;
        self.port == other.port && (same_ip || self.host.eq_ignore_ascii_case(&other.host))
    }

    /// How others are told: the name when names are announced, else the IP. A name never resolved is told as it is,
    /// where Redis would tell nothing at all.
    pub fn announced(&self, hostnames: bool) -> String {
        match self.ip {
            Some(ip) if !hostnames => ip.to_string(),
            _ => self.host.clone(),
        }
    }

    /// `host:port`, or `[host]:port` for IPv6: the name of a replica.
    pub fn announced_with_port(&self, hostnames: bool) -> String {
        let host = self.announced(hostnames);
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_ip_or_same_name_in_any_case_is_the_same_place() {
        let by_ip = Address::new("10.0.0.1", 6379);
        let mut by_name = Address::new("Redis-1", 6379);
        assert!(!by_ip.is_same(&by_name));
        by_name.ip = by_ip.ip;
        assert!(by_ip.is_same(&by_name));
        assert!(Address::new("redis-1", 6379).is_same(&by_name));
        assert!(!Address::new("redis-1", 6380).is_same(&by_name));
    }

    #[test]
    fn names_are_announced_only_on_request() {
        let mut address = Address::new("redis-1", 1);
        assert_eq!(address.announced(false), "redis-1");
        address.ip = Some("::1".parse().unwrap());
        assert_eq!(address.announced_with_port(false), "[::1]:1");
        assert_eq!(address.announced_with_port(true), "redis-1:1");
    }
}
