//! The layout of a stream.
//!
//! ```text
//! nodes        count | node …            node: id where it begins (string of 16 bytes) | listpack (string)
//! facts        entries | last id  [ | first id | largest deleted id | entries ever added ]
//! groups       count | group …           group: name | last id  [ | entries read ]  | pending | consumers
//! pending      count | (id in 16 bytes | time of delivery, 8 bytes | how often) …
//! consumers    count | (name | seen, 8 bytes  { | active, 8 bytes }  | count | id in 16 bytes …) …
//! ```
//!
//! Ids are two numbers, except where they say that they take 16 bytes (big endian). What is in `[ ]` came with 7.0 (number
//! 19; 15 before), what is in `{ }` with 7.2 (number 21). We write 19, which 7.0 can read. What is lost by that is when a
//! consumer last got something, as opposed to when it last tried; a reader takes one for the other.
//!
//! Nothing is believed. A node is walked entry by entry; ids have to grow from node to node; the number of entries has to be
//! right; names and pending entries may not repeat; and every pending entry has to belong to exactly one consumer.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::data::stream::{ConsumerId, Group, Groups, History, Id, Log, Node, Stream};
use crate::data::{Limits, Value};
use crate::rdb::build::Build;
use crate::rdb::encode::{Chunk, Out};
use crate::rdb::format;
use crate::rdb::read::{Stop, take_array, take_length, take_string, text};

/// The number before the key.
pub fn type_id(_value: &Stream) -> u8 {
    format::TYPE_STREAM_LISTPACKS_2
}

/// Lays out a value.
pub fn encode(value: &Stream, out: &mut impl Out) -> ControlFlow<()> {
    let (log, history) = (value.log(), value.log().history());
    out.chunk().length(log.nodes_len() as u64);
    for node in log.nodes() {
        out.chunk().string(&node.first_id().to_bytes());
        out.chunk().string(node.as_bytes());
        out.between()?;
    }
    let chunk = out.chunk();
    chunk.length(log.len());
    put_id(chunk, history.last_id);
    put_id(chunk, log.first_id());
    put_id(chunk, history.max_deleted_id);
    chunk.length(history.entries_added);
    chunk.length(value.groups().len() as u64);
    for (name, group) in value.groups() {
        out.chunk().string(name);
        encode_group(group, out)?;
    }
    ControlFlow::Continue(())
}

fn encode_group(group: &Group, out: &mut impl Out) -> ControlFlow<()> {
    let chunk = out.chunk();
    put_id(chunk, group.last_id);
    chunk.length(group.entries_read.unwrap_or(UNKNOWN) as u64);
    chunk.length(group.pending_len() as u64);
    for (id, pending) in group.pending_in(..) {
        let chunk = out.chunk();
        chunk.raw(&id.to_bytes());
        chunk.raw(&pending.delivered_at.to_le_bytes());
        chunk.length(pending.deliveries);
        out.between()?;
    }
    let consumers = group.consumers();
    out.chunk().length(consumers.len() as u64);
    for consumer in consumers {
        let chunk = out.chunk();
        chunk.string(consumer.name());
        chunk.raw(&consumer.seen_at.to_le_bytes());
        chunk.length(consumer.pending().len() as u64);
        for id in consumer.pending().ids(..) {
            out.chunk().raw(&id.to_bytes());
            out.between()?;
        }
    }
    ControlFlow::Continue(())
}

fn put_id(chunk: &mut Chunk, id: Id) {
    chunk.length(id.ms);
    chunk.length(id.seq);
}

/// Stands for a number of entries read that is not known, and a time that never was.
const UNKNOWN: i64 = -1;

/// A reader, if the number is one of this type.
pub fn builder(id: u8, _limits: &Limits) -> Option<Box<dyn Build>> {
    let (has_history, has_active) = match id {
        format::TYPE_STREAM_LISTPACKS => (false, false),
        format::TYPE_STREAM_LISTPACKS_2 => (true, false),
        format::TYPE_STREAM_LISTPACKS_3 => (true, true),
        _ => return None,
    };
    Some(Box::new(Builder { has_history, has_active, ..Builder::default() }))
}

/// What comes next.
#[derive(Debug, Default)]
enum Next {
    #[default]
    NodesLen,
    Nodes(u64),
    Facts,
    /// So many groups.
    Groups(u64),
    /// So many pending entries of the group that was opened last.
    Pending(u64),
    ConsumersLen,
    Consumers(u64),
    /// So many entries of this consumer, and so many consumers after it.
    Entries(ConsumerId, u64, u64),
}

/// A group that is being read.
#[derive(Debug)]
struct Open {
    name: Box<[u8]>,
    group: Group,
    /// Pending entries that no consumer has claimed yet: when they were delivered, and how often.
    unclaimed: BTreeMap<Id, (i64, u64)>,
    /// So many groups come after it.
    left: u64,
}

#[derive(Debug, Default)]
struct Builder {
    has_history: bool,
    has_active: bool,
    next: Next,
    log: Log,
    groups: Groups,
    open: Option<Open>,
    scratch: Vec<u8>,
}

impl Build for Builder {
    fn step(&mut self, input: &mut &[u8]) -> Result<Value, Stop> {
        loop {
            if let Next::Groups(0) = self.next {
                let (log, groups) = (std::mem::take(&mut self.log), std::mem::take(&mut self.groups));
                return Ok(Value::Stream(Stream::new(log, groups)));
            }
            // Each of these takes one element, or nothing.
            let mut rest = *input;
            self.next = self.take(&mut rest)?;
            *input = rest;
        }
    }
}

impl Builder {
    fn take(&mut self, input: &mut &[u8]) -> Result<Next, Stop> {
        Ok(match self.next {
            Next::NodesLen => Next::Nodes(take_length(input)?),
            Next::Nodes(0) => Next::Facts,
            Next::Nodes(left) => {
                self.node(input)?;
                Next::Nodes(left - 1)
            }
            Next::Facts => Next::Groups(self.facts(input)?),
            Next::Groups(left) => Next::Pending(self.group(input, left - 1)?),
            Next::Pending(0) => Next::ConsumersLen,
            Next::Pending(left) => {
                self.pending(input)?;
                Next::Pending(left - 1)
            }
            Next::ConsumersLen => Next::Consumers(take_length(input)?),
            Next::Consumers(0) => Next::Groups(self.close()?),
            Next::Consumers(left) => {
                let (consumer, entries) = self.consumer(input)?;
                Next::Entries(consumer, entries, left - 1)
            }
            Next::Entries(_, 0, consumers) => Next::Consumers(consumers),
            Next::Entries(consumer, left, consumers) => {
                self.entry(input, consumer)?;
                Next::Entries(consumer, left - 1, consumers)
            }
        })
    }

    fn node(&mut self, input: &mut &[u8]) -> Result<(), Stop> {
        let key = take_string(input)?;
        let pack = take_string(input)?;
        let key = text(key, &mut self.scratch).map_err(Stop::Bad)?;
        let key = key.try_into().map_err(|_| Stop::corrupt("the id of a node is not 16 bytes long"))?;
        let bytes = text(pack, &mut self.scratch).map_err(Stop::Bad)?;
        let node = Node::parse(Id::from_bytes(key), bytes);
        let node = node.map_err(|_| Stop::corrupt("Stream listpack integrity check failed."))?;
        match self.log.add_node(node) {
            true => Ok(()),
            false => Err(Stop::corrupt("the nodes of a stream are not in order")),
        }
    }

    /// Gives how many groups there are.
    fn facts(&mut self, input: &mut &[u8]) -> Result<u64, Stop> {
        let len = take_length(input)?;
        let last_id = take_id(input)?;
        let mut history = History { last_id, max_deleted_id: Id::MIN, entries_added: len };
        if self.has_history {
            // Which entry is the first is seen from the entries.
            take_id(input)?;
            history.max_deleted_id = take_id(input)?;
            history.entries_added = take_length(input)?;
        }
        let groups = take_length(input)?;
        match self.log.complete(len, history) {
            true => Ok(groups),
            false => Err(Stop::corrupt("Stream length inconsistent with rax entries")),
        }
    }

    /// Opens a group; gives how many entries it has pending.
    fn group(&mut self, input: &mut &[u8], left: u64) -> Result<u64, Stop> {
        let name = take_string(input)?;
        let last_id = take_id(input)?;
        let entries_read = match self.has_history {
            true => Some(take_length(input)? as i64).filter(|read| *read != UNKNOWN),
            false => self.log.entries_up_to(last_id).map(|read| read as i64),
        };
        let pending = take_length(input)?;
        let name: Box<[u8]> = text(name, &mut self.scratch).map_err(Stop::Bad)?.into();
        if self.groups.contains_key(&name) {
            return Err(Stop::corrupt("two consumer groups have the same name"));
        }
        let group = Group::new(last_id, entries_read);
        self.open = Some(Open { name, group, unclaimed: BTreeMap::new(), left });
        Ok(pending)
    }

    fn open(&mut self) -> &mut Open {
        self.open.as_mut().expect("a group was opened")
    }

    fn pending(&mut self, input: &mut &[u8]) -> Result<(), Stop> {
        let id = Id::from_bytes(take_array(input)?);
        let delivered_at = i64::from_le_bytes(take_array(input)?);
        let deliveries = take_length(input)?;
        match self.open().unclaimed.insert(id, (delivered_at, deliveries)) {
            None => Ok(()),
            Some(_) => Err(Stop::corrupt("an entry is pending twice in a consumer group")),
        }
    }

    /// Gives the consumer, and how many entries it has.
    fn consumer(&mut self, input: &mut &[u8]) -> Result<(ConsumerId, u64), Stop> {
        let name = take_string(input)?;
        let seen_at = i64::from_le_bytes(take_array(input)?);
        let active_at = match self.has_active {
            true => Some(i64::from_le_bytes(take_array(input)?)).filter(|at| *at != UNKNOWN),
            false => Some(seen_at),
        };
        let entries = take_length(input)?;
        let name = text(name, &mut self.scratch).map_err(Stop::Bad)?;
        let group = &mut self.open.as_mut().expect("a group was opened").group;
        if group.find_consumer(name).is_some() {
            return Err(Stop::corrupt("Duplicate stream consumer detected"));
        }
        let consumer = group.add_consumer(name, seen_at);
        group.consumer_mut(consumer).active_at = active_at;
        Ok((consumer, entries))
    }

    fn entry(&mut self, input: &mut &[u8], consumer: ConsumerId) -> Result<(), Stop> {
        let id = Id::from_bytes(take_array(input)?);
        let open = self.open();
        let Some((delivered_at, deliveries)) = open.unclaimed.remove(&id) else {
            return Err(Stop::corrupt("a consumer has an entry that its group has not, or another consumer has"));
        };
        open.group.assign(id, consumer, delivered_at, deliveries);
        Ok(())
    }

    /// Ends the group that is open; gives how many come after it.
    fn close(&mut self) -> Result<u64, Stop> {
        let Open { name, group, unclaimed, left } = self.open.take().expect("a group was opened");
        if !unclaimed.is_empty() {
            return Err(Stop::corrupt("an entry is pending with no consumer"));
        }
        self.groups.insert(name, group);
        Ok(left)
    }
}

fn take_id(input: &mut &[u8]) -> Result<Id, Stop> {
    Ok(Id { ms: take_length(input)?, seq: take_length(input)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::NewValue;
    use crate::data::stream::NodeLimits;
    use crate::rdb::dump::{dump, restore};

    fn add(stream: &mut Stream, id: Id, pairs: &[(&str, &str)]) {
        let pairs = pairs.iter().map(|(field, value)| (field.as_bytes(), value.as_bytes()));
        stream.log_mut().add(id, pairs, NodeLimits { bytes: 4096, entries: 3 });
    }

    /// Nodes, a gap, two groups, one of them with consumers and pending entries.
    fn sample() -> Stream {
        let mut stream = Stream::default();
        for ms in 1..8 {
            add(&mut stream, Id::new(ms, ms), &[("field", "value"), ("n", "12")]);
        }
        add(&mut stream, Id::new(9, 0), &[("other", "1")]);
        stream.log_mut().delete(&[Id::new(2, 2)]);
        let mut group = Group::new(Id::new(5, 5), Some(4));
        let (a, b) = (group.add_consumer(b"a", 1000), group.add_consumer(b"77", 2000));
        group.assign(Id::new(1, 1), a, 5000, 1);
        group.assign(Id::new(2, 2), b, 6000, 7);
        group.assign(Id::new(3, 3), a, 7000, u64::MAX);
        group.add_consumer(b"idle", 3000);
        stream.groups_mut().insert(b"12345"[..].into(), group);
        stream.groups_mut().insert(b"unknown"[..].into(), Group::new(Id::MAX, None));
        stream
    }

    fn bytes(stream: &Stream) -> Vec<u8> {
        let payload = dump(crate::data::ValueRef::Stream(stream));
        payload[1..payload.len() - 10].to_vec()
    }

    fn read(id: u8, input: &[u8]) -> Result<Stream, Stop> {
        let mut rest = input;
        match builder(id, &Limits::DEFAULT).unwrap().step(&mut rest)? {
            Value::Stream(stream) if rest.is_empty() => Ok(stream),
            Value::Stream(_) => Err(Stop::corrupt("bytes are left")),
            _ => unreachable!(),
        }
    }

    fn why(result: Result<Stream, Stop>) -> String {
        format!("{:?}", result.expect_err("it is refused"))
    }

    #[test]
    fn what_is_written_reads_back_in_pieces_of_any_size() {
        let stream = sample();
        let bytes = bytes(&stream);
        for piece in [1, 7, bytes.len()] {
            let mut builder = builder(format::TYPE_STREAM_LISTPACKS_2, &Limits::DEFAULT).unwrap();
            let (mut arrived, mut value) = (Vec::new(), None);
            for more in bytes.chunks(piece) {
                arrived.extend_from_slice(more);
                let mut rest = arrived.as_slice();
                match builder.step(&mut rest) {
                    Ok(read) => value = Some(read),
                    Err(Stop::Short) => {}
                    Err(stop) => panic!("{stop:?}"),
                }
                arrived = rest.to_vec();
            }
            let Some(Value::Stream(again)) = value else { panic!("it is complete") };
            assert!(arrived.is_empty());
            assert_eq!(self::bytes(&again), bytes);
            let group = again.group(b"12345").unwrap();
            let a = group.consumer(group.find_consumer(b"a").unwrap());
            assert_eq!((a.seen_at, a.active_at, a.pending().len()), (1000, Some(1000), 2));
            assert_eq!(group.pending(Id::new(3, 3)).unwrap().deliveries, u64::MAX);
            assert_eq!((group.entries_read, again.group(b"unknown").unwrap().entries_read), (Some(4), None));
            assert_eq!(again.log().history(), stream.log().history());
            assert_eq!(again.log().first_id(), Id::new(1, 1));
        }
    }

    #[test]
    fn a_stream_of_7_2_is_read_with_all_it_says() {
        // XADD x 5-1 f v g w; XADD x 6-0 f 1; XGROUP CREATE x g 0; XREADGROUP GROUP g c COUNT 1 STREAMS x >
        let mut bytes = b"\x01\x10\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x01\x33\x33\0\0\0\x13\0\x02\x01\0\x01\x02\x01\x81f\
            \x02\x81g\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x81w\x02\x05\x01\0\x01\x01\x01\xdf\xff\x02\x01\x01\x81f\
            \x02\x01\x01\x06\x01\xff\x02\x06\0\x05\x01\0\0\x02\x01\x01g\x05\x01\x01"
            .to_vec();
        bytes.extend_from_slice(b"\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x01\x10\x27\0\0\0\0\0\0\x01");
        bytes.extend_from_slice(b"\x01\x01c\x11\x27\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
        bytes.extend_from_slice(b"\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x01");
        let stream = read(format::TYPE_STREAM_LISTPACKS_3, &bytes).unwrap();
        let group = stream.group(b"g").unwrap();
        let consumer = group.consumers().next().unwrap();
        assert_eq!((consumer.name(), consumer.seen_at, consumer.active_at), (&b"c"[..], 10001, None));
        assert_eq!(group.pending(Id::new(5, 1)).unwrap().delivered_at, 10000);
        assert_eq!((stream.log().len(), stream.lag(group)), (2, Some(1)));
    }

    #[test]
    fn a_stream_of_5_0_gets_what_can_be_told_from_its_entries() {
        let mut stream = Stream::default();
        add(&mut stream, Id::new(1, 1), &[("f", "v")]);
        add(&mut stream, Id::new(2, 0), &[("f", "v")]);
        let mut old = bytes(&stream);
        old.truncate(old.len() - 6); // first id, largest deleted, entries added, groups
        old.extend_from_slice(b"\x02\x01a\x01\x01\0\0\x01b\x02\0\0\0");
        let stream = read(format::TYPE_STREAM_LISTPACKS, &old).unwrap();
        let read = |name: &[u8]| stream.group(name).unwrap().entries_read;
        assert_eq!((stream.log().history().entries_added, read(b"a"), read(b"b")), (2, Some(1), Some(2)));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert!(read(19, &[0; 10]).is_ok_and(|stream| stream.log().is_empty() && stream.groups().is_empty()));
        assert!(read(19, &[0; 9]).is_err());
        let group = |rest: &[u8]| why(read(19, &[b"\0\0\x05\0\0\0\0\0\0", rest].concat()));
        let id = Id::new(1, 1).to_bytes();
        let time = [0; 8];
        let pending = [&id[..], &time, b"\x01"].concat();
        let named = |name: &[u8], rest: &[u8]| [name, &time, rest].concat();
        let twice = group(b"\x02\x01g\0\0\0\0\0\x01g\0\0\0\0\0");
        assert!(twice.contains("same name"), "{twice}");
        let twice = group(&[b"\x01\x01g\0\0\0\x02", &pending[..], &pending].concat());
        assert!(twice.contains("pending twice"), "{twice}");
        let twice = group(&[b"\x01\x01g\0\0\0\0\x02", &named(b"\x01c", b"\0")[..], &named(b"\x01c", b"\0")].concat());
        assert!(twice.contains("Duplicate stream consumer"), "{twice}");
        let nobody = group(&[b"\x01\x01g\0\0\0\x01", &pending[..], b"\0"].concat());
        assert!(nobody.contains("no consumer"), "{nobody}");
        let alien = group(&[b"\x01\x01g\0\0\0\0\x01", &named(b"\x01c", b"\x01")[..], &id].concat());
        assert!(alien.contains("has an entry"), "{alien}");
        assert!(why(read(19, b"\x01\x01k\x01p")).contains("16 bytes"));
        let mut count = bytes(&sample());
        let at = count.len() - bytes_after_nodes(&sample());
        count[at] += 1;
        assert!(why(read(19, &count)).contains("length inconsistent"));
    }

    fn bytes_after_nodes(stream: &Stream) -> usize {
        let mut chunk = Chunk::new(0, false);
        chunk.length(stream.log().nodes_len() as u64);
        let nodes: usize =
            stream.log().nodes().map(|node| 17 + 1 + node.byte_len() + usize::from(node.byte_len() > 63)).sum();
        let mut whole = Chunk::new(0, false);
        assert!(encode(stream, &mut whole).is_continue());
        whole.len() - chunk.len() - nodes
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        #[test]
        fn damaged_streams_are_refused_or_work(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            version in 0usize..3,
        ) {
            let mut bytes = bytes(&sample());
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(mut stream) = read([15, 19, 21][version], &bytes) {
                let written = self::bytes(&stream);
                prop_assert_eq!(self::bytes(&read(19, &written).unwrap()), written);
                let payload = dump(crate::data::ValueRef::Stream(&stream));
                prop_assert!(matches!(restore(&payload, &Limits::DEFAULT), Ok(NewValue::Other(Value::Stream(_)))));
                let ids: Vec<Id> = stream.log().range(Id::MIN, Id::MAX).map(|entry| entry.id).collect();
                prop_assert_eq!(stream.log_mut().delete(&ids), ids.len() as u64);
                prop_assert_eq!(stream.log().len(), 0);
            }
        }
    }
}
