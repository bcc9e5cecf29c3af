//! SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]: the
//! elements of a list, set or sorted set in order.
//!
//! Reply:   array of the elements, or for each element of what the GET patterns stand for (null for nothing); with STORE an
//!          integer, how many texts were stored.
//! Errors:  syntax error; not an integer; One or more scores can't be converted into double; BY and GET denied due to
//!          insufficient ACL permissions; WRONGTYPE.
//!
//! Elements are compared by the number that they, or what BY stands for, are the text of; with ALPHA as bytes. Equal
//! numbers go by the elements' bytes. A BY pattern without a star means no order: lists and sorted sets stay as they are,
//! sets are as they happen to be, except that what is stored, or goes to a script, must be the same everywhere: it is sorted by
//! bytes.
//!
//! First the elements are copied, then the weights are looked up, and then the order is found among indexes. Only as much
//! is sorted as LIMIT asks for. The answer is written while GET patterns are looked up; nothing is collected for it.
//!
//! | file | |
//! |---|---|
//! | `options.rs` | the words of the command |
//! | `elements.rs` | the copy of the elements |
//! | `pattern.rs` | BY and GET patterns, and what they stand for |
//! | `order.rs` | weights, and the order that follows |

mod elements;
mod options;
mod order;
mod pattern;
mod sort_ro;
#[cfg(test)]
mod tests;

use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::list::{End, List, Packing};
use crate::data::quicklist::Quicklist;
use crate::data::string::{IntText, StrView};
use crate::keyspace::{AnyValue, Event, Expiry};
use crate::resp::args::Args;
use crate::spec::keys::{KeyAt, KeyList};
use crate::spec::{Access, Arg, ArgKind, Arity, Category, Flags, Group, KeySpec, Meta, Spec};

use elements::Texts;
use options::Options;

pub use sort_ro::SPEC as SORT_RO;

/// Categories of both commands.
const CATEGORIES: Category = Category::SET.and(Category::SORTEDSET).and(Category::LIST).and(Category::DANGEROUS);

/// The key that is sorted, and those that follow from its elements.
const READ_KEYS: [KeySpec; 2] =
    [KeySpec::one(1, Access::RO.and(Access::ACCESS)), KeySpec::unknown(Access::RO.and(Access::ACCESS))];

const BY: Arg = Arg { key_spec: Some(1), ..Arg::new("by-pattern", ArgKind::Pattern).after("BY").optional() };
const LIMIT: Arg = Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)])
    .after("LIMIT")
    .optional();
const GET: Arg = Arg {
    key_spec: Some(1),
    ..Arg::new("get-pattern", ArgKind::Pattern).after("GET").optional().multiple().repeats_token()
};
const ORDER: Arg = Arg::one_of("order", &[Arg::token("asc", "ASC"), Arg::token("desc", "DESC")]).optional();
const ALPHA: Arg = Arg::token("sorting", "ALPHA").optional();

const COMPLEXITY: &str = "O(N+M*log(M)), N being the number of elements and M the number of those returned";

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "sort",
        group: Group::Generic,
        since: "1.0.0",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: CATEGORIES,
        keys: &[READ_KEYS[0], READ_KEYS[1], KeySpec::unknown(Access::OW.and(Access::UPDATE))],
        keys_by: Some(keys),
        summary: "Returns or stores the elements of a list, set or sorted set in order.",
        complexity: COMPLEXITY,
        args: &[Arg::key("key", 0), BY, LIMIT, GET, ORDER, ALPHA, Arg::key("destination", 2).after("STORE").optional()],
        ..Meta::NEW
    },
    handler: sort,
};

/// The key, and the last STORE. Words that belong to an option are no options, except the one after STORE: so it is in Redis.
fn keys(args: &Args<'_>) -> Option<KeyList> {
    let mut keys = KeyList::from_iter([KeyAt { index: 1, access: Access::RO.and(Access::ACCESS) }]);
    let mut index = 2;
    while index < args.len() {
        if args.is(index, "limit") {
            index += 2;
        } else if args.is(index, "get") || args.is(index, "by") {
            index += 1;
        } else if args.is(index, "store") && index + 1 < args.len() {
            keys.truncate(1);
            keys.push(KeyAt { index: index + 1, access: Access::OW.and(Access::UPDATE) });
        }
        index += 1;
    }
    Some(keys)
}

fn sort(ctx: &mut DataCtx<'_>, args: &Args<'_>) -> CommandResult {
    let options = Options::parse(args, true, ctx.may_read_all_keys)?;
    run(ctx, args.get(1), options)
}

/// What SORT and SORT_RO do once their words are read.
fn run(ctx: &mut DataCtx<'_>, key: &[u8], mut options: Options<'_>) -> CommandResult {
    let is_scripted = ctx.is_scripted;
    let (texts, range) = match ctx.db.read::<AnyValue>(key)? {
        Some(value) => elements::copied(value, &mut options, is_scripted).ok_or(CommandError::WrongType)?,
        None => (Texts::default(), 0..0),
    };
    let order = order::of(ctx, &texts, &options, range.clone())?;
    let chosen = &order[range];
    match options.store {
        None => reply(ctx, &texts, chosen, &options),
        Some(destination) => store(ctx, destination, &texts, chosen, &options),
    }
    Ok(Outcome::Done)
}

/// Answers with the texts.
fn reply(ctx: &mut DataCtx<'_>, texts: &Texts, chosen: &[usize], options: &Options<'_>) {
    ctx.reply.array(chosen.len() * options.get.len().max(1));
    let (db, reply) = (&mut ctx.db, &mut ctx.reply);
    let mut answer = |text: Option<StrView<'_>>| match text {
        None => reply.null(),
        Some(StrView::Int(number)) => reply.bulk_int(number),
        Some(StrView::Bytes(bytes)) => reply.bulk(bytes),
        Some(StrView::Shared(bytes)) => reply.shared(bytes.clone()),
    };
    let mut scratch = Vec::new();
    for &index in chosen {
        let element = texts.get(index);
        if options.get.is_empty() {
            answer(Some(StrView::Bytes(element)));
        }
        for pattern in &options.get {
            pattern.look_up(db, element, &mut scratch, &mut answer);
        }
    }
}

/// Stores the texts as a list, or removes the key when there is none. What a pattern stands for and is not there is stored
/// as an empty text.
fn store(ctx: &mut DataCtx<'_>, destination: &[u8], texts: &Texts, chosen: &[usize], options: &Options<'_>) {
    let packing = Packing::from(&ctx.settings.limits);
    let mut list = Quicklist::new(packing);
    let mut scratch = Vec::new();
    for &index in chosen {
        let element = texts.get(index);
        if options.get.is_empty() {
            list.push(End::Right, element, packing.plain_from);
        }
        for pattern in &options.get {
            pattern.look_up(&mut ctx.db, element, &mut scratch, |text| {
                let mut room = IntText::new();
                let text = text.as_ref().map_or(&b""[..], |text| text.as_bytes(&mut room));
                list.push(End::Right, text, packing.plain_from);
            });
        }
    }
    let count = list.len();
    if count == 0 {
        ctx.db.remove(destination, Event::DEL);
    } else {
        ctx.db.put(destination, List::from_nodes(list, packing), Expiry::Clear, Event::SORTSTORE);
    }
    ctx.reply.int(count as i64);
}
