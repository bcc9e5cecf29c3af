//! The rules of admission that both programs share: logging in, and what a RESP2 subscriber may do.

use tracing::warn;

use crate::resp::args::Args;
use crate::session::Session;

/// Not logged in.
pub const NOAUTH: &str = "NOAUTH Authentication required.";

/// Whether a RESP2 client with subscriptions may call this command (by its declared name).
pub fn is_allowed_while_subscribed(name: &str) -> bool {
    matches!(
        name,
        "ping"
            | "subscribe"
            | "unsubscribe"
            | "psubscribe"
            | "punsubscribe"
            | "ssubscribe"
            | "sunsubscribe"
            | "quit"
            | "reset"
    )
}

/// The refusal when it may not.
pub fn subscriber_text(command: &str) -> String {
    format!(
        "ERR Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    )
}

/// Whether these words are the beginning of an HTTP request. A web page can make a browser send one to a server on its
/// user's machine, with commands hidden in its body; so the connection is closed, and nothing behind this is executed.
pub fn refuse_web_request(session: &mut Session, args: &Args<'_>) -> bool {
    if !args.is(0, "post") && !args.is(0, "host:") {
        return false;
    }
    warn!(
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is \
         likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. \
         Connection from {} aborted.",
        session.addr
    );
    session.marks.is_closing_asap = true;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Acl;
    use crate::base::id::ClientId;
    use crate::base::time::Instant;
    use crate::resp::args::OwnedArgs;

    #[test]
    fn what_a_browser_sends_closes_the_connection() {
        let mut session =
            Session::new(ClientId(1), "10.0.0.1:5", "10.0.0.2:6379", false, &Acl::new(), Instant::default());
        assert!(!refuse_web_request(&mut session, &OwnedArgs::of(&[b"GET", b"/"]).as_args()));
        assert!(!session.marks.is_closing_asap);
        assert!(refuse_web_request(&mut session, &OwnedArgs::of(&[b"Host:", b"redis.local"]).as_args()));
        assert!(session.marks.is_closing_asap);
    }
}
