//! The layout of a list.
//!
//! | number | layout | written by |
//! |---|---|---|
//! | 1 | count, elements | Redis up to 2.2 |
//! | 10 | a string that is a ziplist | Redis 2.0 to 3.0 |
//! | 14 | count of nodes, strings that are ziplists | Redis 3.2 to 6.2 |
//! | 18 | count of nodes; each: 1 and an element, or 2 and a string that is a listpack | Redis 7, and us |
//!
//! A list of a single listpack is written as one node. Nodes that lie compressed in memory are written as they are: their form
//! is that of a compressed string.

use std::ops::ControlFlow;

use crate::data::list::{List, Packing};
use crate::data::listpack::Listpack;
use crate::data::quicklist::{End, NodeView, Quicklist};
use crate::data::string::IntText;
use crate::data::{Collection, Limits, Value};
use crate::rdb::build::Build;
use crate::rdb::encode::Out;
use crate::rdb::format;
use crate::rdb::read::{Stop, take_length, take_string, text};
use crate::rdb::ziplist::Ziplist;

/// A node that is one element.
const PLAIN: u64 = 1;

/// A node that is a listpack.
const PACKED: u64 = 2;

/// The number before the key.
pub fn type_id(_value: &List) -> u8 {
    format::TYPE_LIST_QUICKLIST_2
}

/// Lays out a value.
pub fn encode(value: &List, out: &mut impl Out) -> ControlFlow<()> {
    out.chunk().length(value.node_count() as u64);
    for node in value.nodes() {
        let chunk = out.chunk();
        match node {
            NodeView::Packed(entries) => {
                chunk.length(PACKED);
                chunk.string(entries.as_bytes());
            }
            NodeView::Squeezed { lzf, byte_len } => {
                chunk.length(PACKED);
                chunk.compressed(lzf, byte_len);
            }
            NodeView::Plain(text) => {
                chunk.length(PLAIN);
                chunk.string(text);
            }
        }
        out.between()?;
    }
    ControlFlow::Continue(())
}

/// A reader, if the number is one of this type.
pub fn builder(id: u8, limits: &Limits) -> Option<Box<dyn Build>> {
    let (parts, left) = match id {
        format::TYPE_LIST => (Parts::Elements, None),
        format::TYPE_LIST_ZIPLIST => (Parts::Ziplists, Some(1)),
        format::TYPE_LIST_QUICKLIST => (Parts::Ziplists, None),
        format::TYPE_LIST_QUICKLIST_2 => (Parts::Nodes, None),
        _ => return None,
    };
    let packing = Packing::from(limits);
    Some(Box::new(Reader { parts, left, nodes: Quicklist::new(packing), packing, scratch: Vec::new() }))
}

/// What the list is made of.
#[derive(Clone, Copy, Debug)]
enum Parts {
    Elements,
    Ziplists,
    Nodes,
}

#[derive(Debug)]
struct Reader {
    parts: Parts,
    /// How many parts are still to come; `None` as long as that has not been read.
    left: Option<u64>,
    nodes: Quicklist,
    packing: Packing,
    scratch: Vec<u8>,
}

impl Build for Reader {
    fn step(&mut self, input: &mut &[u8]) -> Result<Value, Stop> {
        let mut left = match self.left {
            Some(left) => left,
            None => take_length(input)?,
        };
        while left > 0 {
            self.left = Some(left);
            let mut rest = *input;
            self.part(&mut rest)?;
            *input = rest;
            left -= 1;
        }
        self.left = Some(0);
        let nodes = std::mem::replace(&mut self.nodes, Quicklist::new(self.packing));
        Ok(List::from_nodes(nodes, self.packing).into_value())
    }
}

impl Reader {
    fn part(&mut self, input: &mut &[u8]) -> Result<(), Stop> {
        let kind = match self.parts {
            Parts::Nodes => take_length(input)?,
            Parts::Elements | Parts::Ziplists => PACKED,
        };
        let bytes = text(take_string(input)?, &mut self.scratch).map_err(Stop::Bad)?;
        match (self.parts, kind) {
            (Parts::Elements, _) => self.nodes.push(End::Right, bytes, self.packing.plain_from),
            (Parts::Ziplists, _) => {
                let ziplist = Ziplist::parse(bytes).map_err(|_| Stop::corrupt("Ziplist integrity check failed."))?;
                match ziplist.to_listpack() {
                    Some(entries) => self.nodes.push_listpack(entries),
                    None => ziplist.iter().for_each(|item| {
                        let mut room = IntText::new();
                        self.nodes.push(End::Right, item.as_bytes(&mut room), self.packing.plain_from);
                    }),
                }
            }
            (Parts::Nodes, PACKED) => {
                let entries = Listpack::parse(bytes).map_err(|_| Stop::corrupt("Listpack integrity check failed."))?;
                self.nodes.push_listpack(entries);
            }
            (Parts::Nodes, PLAIN) if bytes.is_empty() => {
                return Err(Stop::corrupt("Quicklist integrity check failed: a node of its own for nothing"));
            }
            (Parts::Nodes, PLAIN) => self.nodes.push_plain(bytes),
            (Parts::Nodes, _) => return Err(Stop::corrupt("Quicklist integrity check failed.")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::crc64;
    use crate::data::NewValue;
    use crate::rdb::dump::{RestoreError, dump, restore};
    use crate::rdb::ziplist::tests::ziplist;

    fn list(texts: &[&[u8]], packing: Packing) -> List {
        let mut list = List::new();
        list.push(End::Right, || texts.iter().copied(), packing);
        list
    }

    fn texts(list: &List) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        list.each_in(0..list.len(), End::Left, |item| all.push(item.to_vec()));
        all
    }

    fn content(list: &List) -> Vec<u8> {
        let mut payload = dump(crate::data::ValueRef::List(list));
        payload.truncate(payload.len() - 10);
        payload
    }

    fn read(content: &[u8], limits: &Limits) -> Result<List, RestoreError> {
        let mut payload = content.to_vec();
        payload.extend_from_slice(&10u16.to_le_bytes());
        payload.extend_from_slice(&crc64(&payload).to_le_bytes());
        match restore(&payload, limits)? {
            NewValue::Other(Value::List(list)) => Ok(list),
            other => panic!("{other:?}"),
        }
    }

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        crate::rdb::length::put(&mut out, bytes.len() as u64);
        out.extend_from_slice(bytes);
        out
    }

    #[test]
    fn a_small_list_is_written_as_redis_7_writes_it() {
        // RPUSH k a 1000 hello -5 123456 12345678901 -40000 17, as DUMP of Redis 7.0.15 shows it.
        let list =
            list(&[b"a", b"1000", b"hello", b"-5", b"123456", b"12345678901", b"-40000", b"17"], Packing::default());
        let redis =
            b"\x12\x01\x02\x2d\x2d\0\0\0\x08\0\x81a\x02\xc3\xe8\x02\x85hello\x06\xdf\xfb\x02\xf2\x40\xe2\x01\x04\
            \xf4\x35\x1c\xdc\xdf\x02\0\0\0\x09\xf2\xc0\x63\xff\x04\x11\x01\xff";
        assert_eq!(content(&list), redis);
        assert_eq!(texts(&read(redis, &Limits::default()).unwrap()), texts(&list));
    }

    #[test]
    fn every_kind_of_node_comes_back() {
        let limits =
            Limits { list_max_listpack_size: 2, list_compress_depth: 1, list_plain_from: 500, ..Limits::DEFAULT };
        let (long, large) = ([b'x'; 300], [b'y'; 600]);
        let all: [&[u8]; 9] = [b"a", b"b", &long, &long, b"17", b"18", &large, b"c", b"d"];
        let list = list(&all, Packing::from(&limits));
        let kinds = |list: &List| {
            let kind = |node| match node {
                NodeView::Packed(_) => 'p',
                NodeView::Squeezed { .. } => 's',
                NodeView::Plain(_) => 'l',
            };
            list.nodes().map(kind).collect::<String>()
        };
        assert_eq!(kinds(&list), "psplp");
        let again = read(&content(&list), &limits).unwrap();
        assert_eq!((texts(&again), kinds(&again)), (texts(&list), kinds(&list)));
        let elsewhere = read(&content(&list), &Limits::default()).unwrap();
        assert_eq!(texts(&elsewhere), texts(&list));
    }

    #[test]
    fn older_layouts_are_read_into_the_present_encodings() {
        let limits = Limits::default();
        let old = [&[1, 3][..], b"\x01a", b"\xc0\x05", b"\x02bc"].concat();
        let list = read(&old, &limits).unwrap();
        assert_eq!((texts(&list).concat(), list.as_listpack().is_some()), (b"a5bc".to_vec(), true));
        let packed = [&[10][..], &string(&ziplist(&[b"a", b"5", b"-70000"]))].concat();
        let list = read(&packed, &limits).unwrap();
        assert_eq!((texts(&list).concat(), list.as_listpack().is_some()), (b"a5-70000".to_vec(), true));
        let nodes = [&[14, 2][..], &string(&ziplist(&[b"a", b"5"])), &string(&ziplist(&[b"b"]))].concat();
        let list = read(&nodes, &limits).unwrap();
        assert_eq!((texts(&list).concat(), list.node_count()), (b"a5b".to_vec(), 2));
    }

    #[test]
    fn a_value_arrives_byte_by_byte() {
        let limits = Limits { list_max_listpack_size: 2, ..Limits::DEFAULT };
        let list = list(&[b"a", b"b", b"c", b"d", b"e"], Packing::from(&limits));
        let bytes = content(&list);
        let mut reader = builder(bytes[0], &limits).unwrap();
        let (mut taken, mut value) = (1, None);
        for end in 1..=bytes.len() {
            let mut input = &bytes[taken..end];
            match reader.step(&mut input) {
                Ok(done) => value = Some(done),
                Err(Stop::Short) => {}
                Err(bad) => panic!("{bad:?}"),
            }
            taken = end - input.len();
        }
        let Some(Value::List(again)) = value else { panic!("it did not become complete") };
        assert_eq!(texts(&again), texts(&list));
    }

    #[test]
    fn nonsense_is_refused() {
        let limits = Limits::default();
        let refused = |parts: &[&[u8]]| read(&parts.concat(), &limits).unwrap_err();
        let good = Listpack::with(&["a"]);
        assert_eq!(refused(&[&[18, 1, 3], &string(good.as_bytes())]), RestoreError::BadData);
        assert_eq!(refused(&[&[18, 1, 2], &string(b"not a listpack")]), RestoreError::BadData);
        assert_eq!(refused(&[&[18, 2, 2], &string(good.as_bytes())]), RestoreError::BadData);
        assert_eq!(refused(&[&[18, 1, 2], &string(Listpack::new().as_bytes())]), RestoreError::BadData);
        assert_eq!(refused(&[&[10], &string(b"not a ziplist")]), RestoreError::BadData);
        assert_eq!(refused(&[&[1, 0]]), RestoreError::BadData);
    }
}
