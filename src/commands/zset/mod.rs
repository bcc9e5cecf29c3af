//! Sorted-set commands. One file each; `args.rs`, `add.rs`, `range.rs`, `remrange.rs`, `pop.rs` and `combine.rs` hold what several
//! of them share.

use crate::commands::contract::{DataCtx, DataHandler};
use crate::data::zset::Zset;
use crate::keyspace::{Event, Expiry};
use crate::spec::Spec;

mod add;
mod args;
mod bzmpop;
mod bzpop;
mod combine;
mod pop;
mod range;
mod remrange;
mod zadd;
mod zcard;
mod zcount;
mod zdiff;
mod zdiffstore;
mod zincrby;
mod zinter;
mod zintercard;
mod zinterstore;
mod zlexcount;
mod zmpop;
mod zmscore;
mod zpopmax;
mod zpopmin;
mod zrandmember;
mod zrange;
mod zrangebylex;
mod zrangebyscore;
mod zrangestore;
mod zrank;
mod zrem;
mod zremrangebylex;
mod zremrangebyrank;
mod zremrangebyscore;
mod zrevrange;
mod zrevrangebylex;
mod zrevrangebyscore;
mod zrevrank;
mod zscan;
mod zscore;
mod zunion;
mod zunionstore;

/// The family.
pub const TABLE: &[&Spec<DataHandler>] = &[
    &bzmpop::SPEC,
    &bzpop::BZPOPMAX,
    &bzpop::BZPOPMIN,
    &zadd::SPEC,
    &zcard::SPEC,
    &zcount::SPEC,
    &zdiff::SPEC,
    &zdiffstore::SPEC,
    &zincrby::SPEC,
    &zinter::SPEC,
    &zintercard::SPEC,
    &zinterstore::SPEC,
    &zlexcount::SPEC,
    &zmpop::SPEC,
    &zmscore::SPEC,
    &zpopmax::SPEC,
    &zpopmin::SPEC,
    &zrandmember::SPEC,
    &zrange::SPEC,
    &zrangebylex::SPEC,
    &zrangebyscore::SPEC,
    &zrangestore::SPEC,
    &zrank::SPEC,
    &zrem::SPEC,
    &zremrangebylex::SPEC,
    &zremrangebyrank::SPEC,
    &zremrangebyscore::SPEC,
    &zrevrange::SPEC,
    &zrevrangebylex::SPEC,
    &zrevrangebyscore::SPEC,
    &zrevrank::SPEC,
    &zscan::SPEC,
    &zscore::SPEC,
    &zunion::SPEC,
    &zunionstore::SPEC,
];

/// Stores a result at `target`, whatever was there, and replies how many members it has. Without any, `target` is deleted.
fn store(ctx: &mut DataCtx<'_>, target: &[u8], result: Zset, event: Event) {
    let length = result.len();
    if length == 0 {
        ctx.db.remove(target, Event::DEL);
    } else {
        ctx.db.put(target, result, Expiry::Clear, event);
    }
    ctx.reply.int(length as i64);
}
