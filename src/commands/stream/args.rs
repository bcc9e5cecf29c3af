//! What several stream commands read from their words: ids, intervals, how to trim, and where each has its own errors.

use crate::base::number::{format_i64, parse_i64};
use crate::commands::contract::{CommandError, DataCtx};
use crate::data::stream::{Id, Keep, NodeLimits, Stream, Trim};
use crate::keyspace::ExpiredKeys;
use crate::resp::args::{Args, OwnedArgs};

/// The most that approximate trimming takes away without LIMIT when nodes have no limit of entries, and the most at all.
const LIMIT_UNSET: u64 = 10_000;
const LIMIT_MAX: u64 = 1_000_000;
/// How many nodes approximate trimming takes away without LIMIT.
const LIMIT_NODES: u64 = 100;

/// The text of an invalid id.
pub(super) fn bad_id() -> CommandError {
    CommandError::err("Invalid stream ID specified as stream command argument")
}

/// An id; a missing sequence number is zero.
pub(super) fn id(text: &[u8]) -> Result<Id, CommandError> {
    Id::parse(text, 0).map_err(|_| bad_id())
}

/// All words from `start` on as ids.
pub(super) fn ids(args: &Args<'_>, start: usize) -> Result<Vec<Id>, CommandError> {
    args.from(start).map(id).collect()
}

/// The first id of an interval: `-`, `+`, an id, or `(id` for the one behind it.
pub(super) fn interval_start(text: &[u8]) -> Result<Id, CommandError> {
    match text {
        [b'(', text @ ..] if !text.is_empty() => {
            id(text)?.next().ok_or_else(|| CommandError::err("invalid start ID for the interval"))
        }
        text => Id::parse_bound(text, 0).map_err(|_| bad_id()),
    }
}

/// The last id of an interval, where a missing sequence number is the largest.
pub(super) fn interval_end(text: &[u8]) -> Result<Id, CommandError> {
    match text {
        [b'(', text @ ..] if !text.is_empty() => {
            let id = Id::parse(text, u64::MAX).map_err(|_| bad_id())?;
            id.prev().ok_or_else(|| CommandError::err("invalid end ID for the interval"))
        }
        text => Id::parse_bound(text, u64::MAX).map_err(|_| bad_id()),
    }
}

/// An integer.
pub(super) fn integer(text: &[u8]) -> Result<i64, CommandError> {
    parse_i64(text).ok_or(CommandError::NotInteger)
}

/// An integer, with an error text of its own.
pub(super) fn integer_or(text: &[u8], error: &'static str) -> Result<i64, CommandError> {
    parse_i64(text).ok_or_else(|| CommandError::err(error))
}

/// The error of a subcommand whose words do not fit.
pub(super) fn bad_subcommand(args: &Args<'_>, container: &str) -> CommandError {
    let word = &args.get(1)[..args.get(1).len().min(128)];
    let word = String::from_utf8_lossy(word);
    CommandError::err(format!("unknown subcommand or wrong number of arguments for '{word}'. Try {container} HELP."))
}

/// The error of a group that is not there.
pub(super) fn no_group(key: &[u8], group: &[u8], end: &str) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    CommandError::text(format!("NOGROUP No such key '{key}' or consumer group '{group}'{end}"))
}

/// The same where the key is there.
pub(super) fn no_group_of_key(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    CommandError::text(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
}

/// When the nodes of a stream are full.
pub(super) fn node_limits(ctx: &DataCtx<'_>) -> NodeLimits {
    let limits = &ctx.settings.limits;
    NodeLimits { bytes: limits.stream_node_max_bytes, entries: limits.stream_node_max_entries }
}

/// The present moment in milliseconds since 1970.
pub(super) fn now_ms(ctx: &DataCtx<'_>) -> i64 {
    ctx.now.wall().0
}

/// MAXLEN or MINID with what belongs to it, and NOMKSTREAM.
#[derive(Debug, Default)]
pub(super) struct TrimOptions {
    /// The trimming asked for.
    pub trim: Option<Trim>,
    /// Which word is the threshold.
    pub threshold: usize,
    /// NOMKSTREAM
    pub is_nomkstream: bool,
    /// The word after the options: for XADD the id.
    pub next: usize,
}

impl TrimOptions {
    /// Reads the options of XADD, which end at the first word that is none.
    pub(super) fn of_xadd(ctx: &DataCtx<'_>, args: &Args<'_>) -> Result<TrimOptions, CommandError> {
        TrimOptions::read(ctx, args, true)
    }

    /// Reads those of XTRIM, where there is nothing else.
    pub(super) fn of_xtrim(ctx: &DataCtx<'_>, args: &Args<'_>) -> Result<TrimOptions, CommandError> {
        TrimOptions::read(ctx, args, false)
    }

    fn read(ctx: &DataCtx<'_>, args: &Args<'_>, is_xadd: bool) -> Result<TrimOptions, CommandError> {
        let mut options = TrimOptions::default();
        let mut keep: Option<Keep> = None;
        let mut is_approximate = false;
        let mut limit: Option<u64> = None;
        let mut at = 2;
        while at < args.len() {
            let has_value = at + 1 < args.len();
            let is_max_len = args.is(at, "MAXLEN") && has_value;
            if is_xadd && args.get(at) == b"*" {
                break;
            } else if is_max_len || (args.is(at, "MINID") && has_value) {
                if keep.is_some() {
                    let text = "syntax error, MAXLEN and MINID options at the same time are not compatible";
                    return Err(CommandError::err(text));
                }
                is_approximate = false;
                if at + 2 < args.len() && matches!(args.get(at + 1), b"~" | b"=") {
                    is_approximate = args.get(at + 1) == b"~";
                    at += 1;
                }
                at += 1;
                keep = Some(match is_max_len {
                    true => Keep::MaxLen(natural(args.get(at), "The MAXLEN argument must be >= 0.")?),
                    false => Keep::MinId(id(args.get(at))?),
                });
                options.threshold = at;
            } else if args.is(at, "LIMIT") && has_value {
                at += 1;
                limit = Some(natural(args.get(at), "The LIMIT argument must be >= 0.")?);
            } else if is_xadd && args.is(at, "NOMKSTREAM") {
                options.is_nomkstream = true;
            } else if is_xadd {
                break;
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        options.next = at;
        if is_xadd && at < args.len() && args.get(at) != b"*" {
            // Whatever ends the options must be an id, and is complained about before the options are.
            Id::parse_given(args.get(at)).map_err(|_| bad_id())?;
        }

        let Some(keep) = keep else {
            if limit.is_some_and(|limit| limit > 0) {
                let text = "syntax error, LIMIT cannot be used without specifying a trimming strategy";
                return Err(CommandError::err(text));
            }
            if !is_xadd {
                return Err(CommandError::err("syntax error, XTRIM must be called with a trimming strategy"));
            }
            return check_limit(ctx, limit, false).map(|_| options);
        };
        let limit = check_limit(ctx, limit, is_approximate)?;
        options.trim = Some(Trim { keep, is_approximate, limit });
        Ok(options)
    }

    /// How the command reads to replicas: `~` has become an exact threshold, since what it does depends on how the nodes
    /// happen to be filled, and the id of XADD is the one it got.
    pub(super) fn exact(&self, args: &Args<'_>, left: &Left, id: Option<Id>) -> OwnedArgs {
        let threshold = self.trim.filter(|trim| trim.is_approximate).map(|_| self.threshold);
        let mut command = OwnedArgs::new();
        for index in 0..args.len() {
            match (threshold, id, &self.trim) {
                (Some(at), _, _) if index + 1 == at => command.push(b"="),
                (Some(at), _, Some(Trim { keep: Keep::MaxLen(_), .. })) if index == at => {
                    command.push(&format_i64(left.len as i64));
                }
                (Some(at), _, _) if index == at => command.push(&left.first_kept.text()),
                (_, Some(id), _) if index == self.next => command.push(&id.text()),
                _ => command.push_arg(args, index),
            }
        }
        command
    }
}

/// What trimming left, as replicas are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// How many entries.
    pub len: u64,
    /// The first of them, or of deleted ones still kept.
    pub first_kept: Id,
}

impl Left {
    /// Of this stream.
    pub(super) fn of(stream: &Stream) -> Left {
        let log = stream.log();
        Left { len: log.len(), first_kept: log.first_kept_id().unwrap_or(Id::MAX) }
    }
}

/// The most that trimming takes away; zero for no limit.
fn check_limit(ctx: &DataCtx<'_>, limit: Option<u64>, is_approximate: bool) -> Result<u64, CommandError> {
    if ctx.db.access().expired == ExpiredKeys::Ignore {
        // Our master has said exactly what is left.
        return Ok(0);
    }
    match limit {
        Some(_) if !is_approximate => {
            Err(CommandError::err("syntax error, LIMIT cannot be used without the special ~ option"))
        }
        Some(limit) => Ok(limit),
        None if is_approximate => match ctx.settings.limits.stream_node_max_entries {
            0 => Ok(LIMIT_UNSET),
            entries => Ok(entries.saturating_mul(LIMIT_NODES).min(LIMIT_MAX)),
        },
        None => Ok(0),
    }
}

fn natural(text: &[u8], error: &'static str) -> Result<u64, CommandError> {
    u64::try_from(integer(text)?).map_err(|_| CommandError::err(error))
}
