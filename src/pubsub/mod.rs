//! Channels, patterns and shard channels: who hears what. Knows clients only by number.
//!
//! Both directions are kept here: from a channel to its subscribers, in the order they subscribed, which is the order in
//! which they receive; and from a client to what it subscribes to. A subscription has a serial number, so that leaving a
//! channel with many subscribers costs a tree look-up and not a scan.
//!
//! [`PubSub::publish`] only says who receives what; delivery is the caller's. A [`Message`] is encoded at most once per
//! protocol version however many receive it.

mod message;

pub use message::Message;

use std::collections::BTreeMap;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::base::glob;
use crate::base::id::ClientId;

/// What a subscription names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// SUBSCRIBE.
    Channel,
    /// PSUBSCRIBE.
    Pattern,
    /// SSUBSCRIBE.
    Shard,
}

/// How many subscriptions a client has of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Channels.
    pub channels: usize,
    /// Patterns.
    pub patterns: usize,
    /// Shard channels.
    pub shard: usize,
}

impl Counts {
    /// All together.
    pub const fn total(&self) -> usize {
        self.channels + self.patterns + self.shard
    }

    /// The count that goes with a reply about `space`: channels and patterns are counted together, as Redis does.
    pub const fn shown_for(&self, space: Space) -> usize {
        match space {
            Space::Channel | Space::Pattern => self.channels + self.patterns,
            Space::Shard => self.shard,
        }
    }
}

/// Serial number of a subscription, within the whole process.
type Serial = u64;

/// One name space: names to subscribers, both in the order of subscription.
#[derive(Default)]
struct Names {
    subscribers: HashMap<Bytes, BTreeMap<Serial, ClientId>>,
}

/// One client's side.
#[derive(Default)]
struct Subscriber {
    names: [HashMap<Bytes, Serial>; 3],
}

/// All subscriptions.
#[derive(Default)]
pub struct PubSub {
    spaces: [Names; 3],
    clients: HashMap<ClientId, Subscriber>,
    next_serial: Serial,
}

impl PubSub {
    /// No subscriptions.
    pub fn new() -> PubSub {
        PubSub::default()
    }

    /// Subscribes; false when it already was.
    pub fn subscribe(&mut self, client: ClientId, space: Space, name: &[u8]) -> bool {
        let own = &mut self.clients.entry(client).or_default().names[space as usize];
        if own.contains_key(name) {
            return false;
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let subscribers = &mut self.spaces[space as usize].subscribers;
        // The name is stored once for all its subscribers.
        let name = match subscribers.get_key_value(name) {
            Some((name, _)) => name.clone(),
            None => Bytes::copy_from_slice(name),
        };
        own.insert(name.clone(), serial);
        subscribers.entry(name).or_default().insert(serial, client);
        true
    }

    /// Unsubscribes; false when it was not subscribed.
    pub fn unsubscribe(&mut self, client: ClientId, space: Space, name: &[u8]) -> bool {
        let Some(own) = self.clients.get_mut(&client) else { return false };
        let Some(serial) = own.names[space as usize].remove(name) else { return false };
        if own.names.iter().all(HashMap::is_empty) {
            self.clients.remove(&client);
        }
        let subscribers = &mut self.spaces[space as usize].subscribers;
        let of_name = subscribers.get_mut(name).expect("a client's subscription is also on the name's list");
        of_name.remove(&serial);
        if of_name.is_empty() {
            subscribers.remove(name);
        }
        true
    }

    /// What the client subscribes to in `space`, in the order it did.
    pub fn names_of(&self, client: ClientId, space: Space) -> Vec<Bytes> {
        let Some(own) = self.clients.get(&client) else { return Vec::new() };
        let mut names: Vec<(&Bytes, &Serial)> = own.names[space as usize].iter().collect();
        names.sort_unstable_by_key(|(_, serial)| **serial);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// How many subscriptions the client has.
    pub fn counts(&self, client: ClientId) -> Counts {
        let Some(own) = self.clients.get(&client) else { return Counts::default() };
        let len = |space: Space| own.names[space as usize].len();
        Counts { channels: len(Space::Channel), patterns: len(Space::Pattern), shard: len(Space::Shard) }
    }

    /// Forgets a client that is gone.
    pub fn remove_client(&mut self, client: ClientId) {
        for space in [Space::Channel, Space::Pattern, Space::Shard] {
            for name in self.names_of(client, space) {
                self.unsubscribe(client, space, &name);
            }
        }
    }

    /// Tells who receives a message published on `channel`, in Redis's order: the channel's subscribers by the time they
    /// subscribed, then those of each matching pattern. A client is told once per matching subscription. The result is
    /// how many receivers there were.
    pub fn publish(&self, channel: &[u8], payload: &[u8], deliver: &mut dyn FnMut(ClientId, &Message<'_>)) -> usize {
        let mut receivers = self.tell(Space::Channel, channel, &Message::channel(channel, payload), deliver);
        for pattern in self.spaces[Space::Pattern as usize].subscribers.keys() {
            if glob::matches(pattern, channel) {
                let message = Message::pattern(pattern, channel, payload);
                receivers += self.tell(Space::Pattern, pattern, &message, deliver);
            }
        }
        receivers
    }

    /// The same for a shard channel, which patterns do not match.
    pub fn publish_shard(
        &self,
        channel: &[u8],
        payload: &[u8],
        deliver: &mut dyn FnMut(ClientId, &Message<'_>),
    ) -> usize {
        self.tell(Space::Shard, channel, &Message::shard(channel, payload), deliver)
    }

    fn tell(
        &self,
        space: Space,
        name: &[u8],
        message: &Message<'_>,
        deliver: &mut dyn FnMut(ClientId, &Message<'_>),
    ) -> usize {
        let Some(subscribers) = self.spaces[space as usize].subscribers.get(name) else { return 0 };
        subscribers.values().for_each(|client| deliver(*client, message));
        subscribers.len()
    }

    /// Names in `space` with at least one subscriber, in no particular order.
    pub fn active(&self, space: Space) -> impl Iterator<Item = &Bytes> {
        self.spaces[space as usize].subscribers.keys()
    }

    /// How many names in `space` have at least one subscriber: INFO's `pubsub_channels`, PUBSUB NUMPAT.
    pub fn active_len(&self, space: Space) -> usize {
        self.spaces[space as usize].subscribers.len()
    }

    /// How many clients subscribe to this name.
    pub fn subscribers_len(&self, space: Space, name: &[u8]) -> usize {
        self.spaces[space as usize].subscribers.get(name).map_or(0, BTreeMap::len)
    }

    /// Whether nobody subscribes to anything, so that publishing can be skipped.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// How many clients subscribe to something: INFO's `pubsub_clients`.
    pub fn clients_len(&self) -> usize {
        self.clients.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientId = ClientId(1);
    const B: ClientId = ClientId(2);

    fn heard(pubsub: &PubSub, channel: &[u8]) -> (usize, Vec<ClientId>) {
        let mut to = Vec::new();
        let n = pubsub.publish(channel, b"x", &mut |id, _| to.push(id));
        (n, to)
    }

    #[test]
    fn subscribers_receive_in_the_order_they_came_and_patterns_after_channels() {
        let mut pubsub = PubSub::new();
        assert!(pubsub.subscribe(B, Space::Channel, b"news"));
        assert!(pubsub.subscribe(A, Space::Pattern, b"n*"));
        assert!(pubsub.subscribe(A, Space::Channel, b"news"));
        assert!(!pubsub.subscribe(A, Space::Channel, b"news"));
        assert_eq!(heard(&pubsub, b"news"), (3, vec![B, A, A]));
        assert_eq!(heard(&pubsub, b"nope"), (1, vec![A]));
        assert_eq!(heard(&pubsub, b"other"), (0, vec![]));
        assert_eq!(pubsub.counts(A), Counts { channels: 1, patterns: 1, shard: 0 });
    }

    #[test]
    fn unsubscribing_and_leaving_leave_nothing_behind() {
        let mut pubsub = PubSub::new();
        pubsub.subscribe(A, Space::Channel, b"a");
        pubsub.subscribe(A, Space::Channel, b"b");
        pubsub.subscribe(A, Space::Shard, b"a");
        assert!(pubsub.unsubscribe(A, Space::Channel, b"a"));
        assert!(!pubsub.unsubscribe(A, Space::Channel, b"a"));
        assert!(!pubsub.unsubscribe(B, Space::Channel, b"b"));
        assert_eq!(pubsub.names_of(A, Space::Channel), [Bytes::from_static(b"b")]);
        pubsub.remove_client(A);
        assert!(pubsub.is_empty());
        assert_eq!((pubsub.active_len(Space::Channel), pubsub.active_len(Space::Shard)), (0, 0));
    }

    #[test]
    fn shard_channels_are_a_name_space_of_their_own() {
        let mut pubsub = PubSub::new();
        pubsub.subscribe(A, Space::Shard, b"s");
        pubsub.subscribe(B, Space::Pattern, b"*");
        let mut to = Vec::new();
        assert_eq!(pubsub.publish_shard(b"s", b"x", &mut |id, _| to.push(id)), 1);
        assert_eq!(to, [A]);
        assert_eq!(heard(&pubsub, b"s"), (1, vec![B]));
    }
}
