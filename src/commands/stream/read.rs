//! The words that XREAD and XREADGROUP share, and how both answer.

use super::args::{bad_id, integer};
use crate::commands::contract::{Blocking, CommandError, DataCtx};
use crate::commands::timeout;
use crate::data::TypeName;
use crate::data::stream::Id;
use crate::resp::args::Args;
use crate::resp::reply::{Deferred, Reply};

/// What was asked.
pub(super) struct Request<'a> {
    /// The most entries of one stream; `None` for all.
    pub max: Option<usize>,
    /// BLOCK, and for how many milliseconds; `Some(None)` is for ever.
    pub block: Option<Option<u64>>,
    /// NOACK
    pub is_noack: bool,
    /// GROUP: the group and the consumer.
    pub group: Option<(&'a [u8], &'a [u8])>,
    /// Which word is the first key.
    pub first_key: usize,
    /// How many keys there are, and ids behind them.
    pub streams: usize,
}

impl<'a> Request<'a> {
    /// Reads all words but the ids, which need a look at the streams.
    pub(super) fn read(ctx: &DataCtx<'_>, args: &Args<'a>, is_group: bool) -> Result<Request<'a>, CommandError> {
        let mut request = Request { max: None, block: None, is_noack: false, group: None, first_key: 0, streams: 0 };
        let mut at = 1;
        while at < args.len() {
            let left = args.len() - 1 - at;
            if args.is(at, "BLOCK") && left > 0 {
                if ctx.is_scripted {
                    let name = String::from_utf8_lossy(args.get(0));
                    let text = format!("{name} command is not allowed with BLOCK option from scripts");
                    return Err(CommandError::err(text));
                }
                at += 1;
                request.block = Some(timeout::milliseconds(args.get(at), ctx.now)?);
            } else if args.is(at, "COUNT") && left > 0 {
                at += 1;
                let max = integer(args.get(at))?;
                request.max = (max > 0).then_some(max as usize);
            } else if args.is(at, "STREAMS") && left > 0 {
                if !left.is_multiple_of(2) {
                    let (name, symbol) = if is_group { ("xreadgroup", '>') } else { ("xread", '$') };
                    return Err(CommandError::err(format!(
                        "Unbalanced '{name}' list of streams: for each stream key an ID or '{symbol}' must be specified."
                    )));
                }
                (request.first_key, request.streams) = (at + 1, left / 2);
                break;
            } else if args.is(at, "GROUP") && left > 1 {
                only_with_group(is_group, "GROUP")?;
                request.group = Some((args.get(at + 1), args.get(at + 2)));
                at += 2;
            } else if args.is(at, "NOACK") {
                only_with_group(is_group, "NOACK")?;
                request.is_noack = true;
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        if request.streams == 0 {
            return Err(CommandError::Syntax);
        }
        if is_group && request.group.is_none() {
            return Err(CommandError::err("Missing GROUP option for XREADGROUP"));
        }
        Ok(request)
    }

    /// The keys.
    pub(super) fn keys(&self, args: &Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        args.from(self.first_key).take(self.streams)
    }

    /// Which word is the id that belongs to the `index`-th key.
    pub(super) fn id_at(&self, index: usize) -> usize {
        self.first_key + self.streams + index
    }

    /// What the client waits for, if it asked to wait and may.
    pub(super) fn blocking(&self, ctx: &DataCtx<'_>, args: &Args<'a>) -> Option<Blocking> {
        let timeout_ms = self.block.filter(|_| ctx.may_block)?;
        let mut blocking = Blocking::on(self.keys(args), TypeName::Stream, timeout_ms);
        blocking.is_woken_by_loss = self.group.is_some();
        Some(blocking)
    }
}

/// An id after which to read.
pub(super) fn after(text: &[u8]) -> Result<Id, CommandError> {
    Id::parse(text, 0).map_err(|_| bad_id())
}

fn only_with_group(is_group: bool, option: &str) -> Result<(), CommandError> {
    if is_group {
        return Ok(());
    }
    let text = format!("The {option} option is only supported by XREADGROUP. You called XREAD instead.");
    Err(CommandError::err(text))
}

/// The reply: an aggregate that begins with the first stream that has something. RESP3 has a map from keys to entries,
/// RESP2 an array of pairs.
#[derive(Default)]
pub(super) struct Streams {
    head: Option<Deferred>,
    len: usize,
}

impl Streams {
    /// Entries of `key` follow.
    pub(super) fn begin(&mut self, reply: &mut Reply<'_>, key: &[u8]) {
        let is_resp3 = reply.is_resp3();
        if self.head.is_none() {
            self.head = Some(if is_resp3 { reply.map_deferred() } else { reply.array_deferred() });
        }
        if !is_resp3 {
            reply.array(2);
        }
        reply.bulk(key);
        self.len += 1;
    }

    /// Ends the reply; false, and nothing was replied, if no stream had something.
    pub(super) fn finish(self, reply: &mut Reply<'_>) -> bool {
        let Some(head) = self.head else { return false };
        reply.finish(head, self.len);
        true
    }
}
