//! The keys of one command, one after the other: MGET, MSET, DEL and the like.
//!
//! What they will touch is asked for in groups, so that the cache misses of a group overlap.

use crate::base::limits::BATCH_COMMANDS;
use crate::commands::contract::DataCtx;
use crate::resp::args::Args;

/// Calls `f` with the position of each key: 1 and every `step`th argument from there. A value follows its key if `step` is 2.
pub fn each_key(ctx: &mut DataCtx<'_>, args: &Args<'_>, step: usize, mut f: impl FnMut(&mut DataCtx<'_>, usize)) {
    let mut from = 1;
    while from < args.len() {
        let end = args.len().min(from + BATCH_COMMANDS * step);
        let group = (from..end).step_by(step);
        from = end;
        if group.len() > 1 {
            ctx.db.prefetch(group.clone().map(|at| {
                let key = args.get(at);
                (key, (step == 2).then(|| key.len() + args.get(at + 1).len()))
            }));
        }
        group.for_each(|at| f(ctx, at));
    }
}

#[cfg(test)]
mod tests {
    use crate::base::limits::BATCH_COMMANDS;
    use crate::testkit::transcript;

    #[test]
    fn every_key_has_its_turn_once_and_in_order_however_many_there_are() {
        for count in [1, 2, BATCH_COMMANDS - 1, BATCH_COMMANDS, BATCH_COMMANDS + 1, BATCH_COMMANDS * 2 + 3] {
            let each = |write: &dyn Fn(usize) -> String| (0..count).map(write).collect::<String>();
            let (pairs, keys) = (each(&|i| format!(" k{i} v{i}")), each(&|i| format!(" k{i}")));
            let values = each(&|i| format!("\n$v{i}"));
            transcript(&format!(
                "> MSET{pairs}\n+OK\n> MGET{keys}\n*{count}{values}\n> EXISTS{keys} k0\n:{}\n> DEL k0{keys}\n:{count}\n> EXISTS{keys}\n:0",
                count + 1
            ))
            .propagates(&[&format!("MSET{pairs}"), &format!("DEL k0{keys}")]);
        }
    }
}
