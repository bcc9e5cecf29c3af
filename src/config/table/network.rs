//! Listening sockets.

use crate::config::directive::{Apply, Directive, Flags, INT_MAX, PORT_MAX, RUNTIME, START, flag, integer, text};
use crate::config::table::{Group, special};

/// Listening sockets.
pub static GROUP: Group = Group {
    title: "Network",
    intro: "Where clients find us.",
    directives: &[
        Directive {
            name: "bind",
            kind: special::BIND,
            flags: Flags::MULTI,
            apply: Some(Apply::Bind),
            doc: "Addresses to listen on, at most 16, separated by spaces. `*` stands for every IPv4 address and `::*` \
                  for every IPv6 address of this host. An address with a leading `-` may be missing: the server starts \
                  without it. An empty list (`bind \"\"`) means no TCP at all.\n\n\
                  A server that is reachable from outside needs a password, or protected-mode keeps strangers out.\n\n\
                  Examples: `bind 127.0.0.1 -::1` for this host only, `bind 192.168.1.100 10.0.0.1` for two networks.",
            ..RUNTIME
        },
        Directive {
            name: "port",
            kind: integer!(Int, network.port, 6379, 0..=PORT_MAX),
            apply: Some(Apply::Port),
            doc: "The TCP port. 0 means no TCP. A Sentinel's default is 26379.",
            ..RUNTIME
        },
        Directive {
            name: "protected-mode",
            kind: flag!(network.protected_mode, true),
            doc: "While the user `default` has no password, answer only clients of this host and refuse all others. A \
                  Sentinel's default is `no`.",
            ..RUNTIME
        },
        Directive {
            name: "unixsocket",
            kind: text!(network.unixsocket, ""),
            doc: "Path of a Unix socket to listen on besides TCP. Empty: none. A stale socket file is replaced.",
            ..START
        },
        Directive {
            name: "unixsocketperm",
            kind: integer!(Octal, network.unixsocketperm, 0, 0..=0o777),
            doc: "Permissions of the Unix socket, in octal, such as `700`. 0 leaves them to the umask.",
            ..START
        },
        Directive {
            name: "tcp-backlog",
            kind: integer!(Int, network.tcp_backlog, 511, 0..=INT_MAX),
            doc: "How many connections the kernel keeps waiting until we accept them. The kernel cuts it down to \
                  /proc/sys/net/core/somaxconn without saying so.",
            ..START
        },
        Directive {
            name: "tcp-keepalive",
            kind: integer!(Int, network.tcp_keepalive, 300, 0..=INT_MAX),
            apply: Some(Apply::ClientLimits),
            doc: "Seconds of silence after which the kernel probes whether a client is still there. It finds dead peers \
                  and keeps firewalls from forgetting the connection. 0 switches it off.",
            ..RUNTIME
        },
        Directive {
            name: "bind-source-addr",
            kind: text!(network.bind_source_addr, ""),
            doc: "Local address of the connections we open, to a master for example. Empty: the system chooses.",
            ..RUNTIME
        },
        Directive {
            name: "socket-mark-id",
            kind: integer!(Int, network.socket_mark_id, 0, 0..=u32::MAX as i128),
            doc: "Mark that the kernel puts on packets of listening sockets, for routing and firewalls. 0: none.",
            ..START
        },
        Directive {
            name: "io-threads",
            kind: integer!(Int, network.io_threads, 1, 1..=128),
            flags: Flags::DEBUG,
            doc: "Threads that write to sockets, encryption included, at most 128; 1 means that the thread that executes \
                  commands does that as well. Commands are always parsed and executed by that one thread. The others help \
                  when at least twice as many clients as there are threads have to be answered at once, and sleep \
                  otherwise.\n\n\
                  Each of them needs a processor of its own: set it to less than there are. It is meant for many clients at once, \
                  when one processor is not enough for all that they send and are sent.",
            ..START
        },
        Directive {
            name: "io-threads-do-reads",
            kind: flag!(network.io_threads_do_reads, false),
            flags: Flags::DEBUG,
            doc: "Whether io-threads also read, decrypt and parse.",
            ..START
        },
    ],
};
