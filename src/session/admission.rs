//! The rules of admission that both programs share: logging in, and what a RESP2 subscriber may do.

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
