//! Keyspace notifications: a change of a key, told on `__keyspace@<db>__:<key>` and `__keyevent@<db>__:<event>`.
//!
//! Which classes are told is `notify-keyspace-events`. The keyspace channel needs `K`, the keyevent channel `E`, and the
//! event's own class must be set too.

/// The two channels and their payloads for one event, ready to publish.
pub struct Notification {
    /// `__keyspace@0__:key`, with the event's name as payload; absent without `K`.
    pub keyspace: Option<(Vec<u8>, Vec<u8>)>,
    /// `__keyevent@0__:event`, with the key as payload; absent without `E`.
    pub keyevent: Option<(Vec<u8>, Vec<u8>)>,
}

/// Builds both messages.
pub fn notification(db: usize, key: &[u8], event: &str, has_keyspace: bool, has_keyevent: bool) -> Notification {
    let channel = |kind: &str, suffix: &[u8]| {
        let mut channel = format!("__{kind}@{db}__:").into_bytes();
        channel.extend_from_slice(suffix);
        channel
    };
    Notification {
        keyspace: has_keyspace.then(|| (channel("keyspace", key), event.as_bytes().to_vec())),
        keyevent: has_keyevent.then(|| (channel("keyevent", event.as_bytes()), key.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_channels_are_named_after_database_key_and_event() {
        let both = notification(3, b"k", "set", true, true);
        assert_eq!(both.keyspace, Some((b"__keyspace@3__:k".to_vec(), b"set".to_vec())));
        assert_eq!(both.keyevent, Some((b"__keyevent@3__:set".to_vec(), b"k".to_vec())));
        assert!(notification(0, b"k", "set", false, true).keyspace.is_none());
    }
}
