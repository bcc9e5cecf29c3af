//! What the EXPIRE family (set a moment) and the TTL family (ask for it) share.
//!
//! A moment is kept in milliseconds since 1970, whatever unit it was given in. Replicas and the AOF always receive
//! `PEXPIREAT key ms`: a relative time would mean another moment when it is read later. Condition words go along, as
//! stock servers send them; they hold there as they did here.
//!
//! A moment that has passed deletes the key at once, and `DEL key` (`UNLINK` with lazyfree-lazy-expire) goes out. Not so
//! on a replica and while loading, where only the master's own DEL may remove a key.

use crate::base::number::{format_i64, parse_i64};
use crate::base::time::UnixMillis;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, Outcome};
use crate::keyspace::Event;
use crate::resp::args::{Args, OwnedArgs};

/// How a moment was written.
#[derive(Clone, Copy)]
pub struct Form {
    /// The command, for its errors.
    pub command: &'static str,
    /// It counts from now, instead of from 1970.
    pub is_relative: bool,
    /// Milliseconds in one unit: 1000 or 1.
    pub unit_ms: i64,
}

/// NX, XX, GT, LT: when an expiry may be changed.
#[derive(Clone, Copy, Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    fn parse(args: &Args<'_>) -> Result<Conditions, CommandError> {
        let mut conditions = Conditions::default();
        for word in args.from(3) {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if is("NX") {
                conditions.nx = true;
            } else if is("XX") {
                conditions.xx = true;
            } else if is("GT") {
                conditions.gt = true;
            } else if is("LT") {
                conditions.lt = true;
            } else {
                return Err(CommandError::err(format!("Unsupported option {}", String::from_utf8_lossy(word))));
            }
        }
        let Conditions { nx, xx, gt, lt } = conditions;
        if nx && (xx || gt || lt) {
            return Err(CommandError::err("NX and XX, GT or LT options at the same time are not compatible"));
        }
        if gt && lt {
            return Err(CommandError::err("GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// Whether a key that now expires at `present` may expire at `wanted` instead. A key that never expires counts as
    /// expiring infinitely late.
    fn allow(self, present: Option<UnixMillis>, wanted: UnixMillis) -> bool {
        match present {
            None => !self.xx && !self.gt,
            Some(present) => !self.nx && (!self.gt || wanted > present) && (!self.lt || wanted < present),
        }
    }
}

/// EXPIRE and its relatives: `command key time [NX | XX | GT | LT]`.
pub fn set_expiry(ctx: &mut DataCtx<'_>, args: &Args<'_>, form: Form) -> CommandResult {
    let conditions = if args.len() > 3 { Conditions::parse(args)? } else { Conditions::default() };
    let now = ctx.now.wall();
    let amount = parse_i64(args.get(2)).ok_or(CommandError::NotInteger)?;
    let base = if form.is_relative { now.0 } else { 0 };
    let moment = amount.checked_mul(form.unit_ms).and_then(|ms| ms.checked_add(base)).map(UnixMillis);
    let moment = moment.ok_or(CommandError::InvalidExpire { command: form.command })?;

    let key = args.get(1);
    let is_allowed = ctx.db.peek_expiry(key).is_some_and(|present| conditions.allow(present, moment));
    ctx.reply.int(is_allowed.into());
    if !is_allowed {
        return Ok(Outcome::Done);
    }
    if moment <= now && ctx.settings.is_past_expiry_deletion {
        ctx.db.remove(key, Event::DEL);
        let word: &[u8] = if ctx.settings.is_expire_lazy { b"UNLINK" } else { b"DEL" };
        return Ok(ctx.propagate(&[word, key]));
    }
    ctx.db.expire_at(key, Some(moment), Event::EXPIRE);
    if !form.is_relative && form.unit_ms == 1 {
        return Ok(Outcome::Done);
    }
    Ok(ctx.propagate_with(|| {
        let mut command = OwnedArgs::of(&[b"PEXPIREAT", key, &format_i64(moment.0)]);
        (3..args.len()).for_each(|index| command.push_arg(args, index));
        command
    }))
}

/// What the TTL family asks for.
#[derive(Clone, Copy)]
pub struct Question {
    /// How long from now, instead of the moment itself.
    pub is_relative: bool,
    /// Milliseconds in one unit of the answer: 1000 or 1.
    pub unit_ms: i64,
}

/// TTL and its relatives: -2 for a missing key, -1 for a key without expiry. Seconds are rounded to the nearest.
pub fn ask_expiry(ctx: &mut DataCtx<'_>, args: &Args<'_>, question: Question) -> CommandResult {
    let answer = match ctx.db.expiry(args.get(1)) {
        None => -2,
        Some(None) => -1,
        Some(Some(moment)) => {
            let base = if question.is_relative { ctx.now.wall().0 } else { 0 };
            let ms = moment.0.saturating_sub(base).max(0);
            if question.unit_ms == 1 { ms } else { ms.saturating_add(500) / question.unit_ms }
        }
    };
    ctx.reply.int(answer);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_never_expires_counts_as_expiring_infinitely_late() {
        let (wanted, earlier, later) = (UnixMillis(10), UnixMillis(5), UnixMillis(20));
        for (name, never, before, same, after) in [
            ("nx", true, false, false, false),
            ("xx", false, true, true, true),
            ("gt", false, true, false, false),
            ("lt", true, false, false, true),
            ("", true, true, true, true),
        ] {
            let conditions = Conditions { nx: name == "nx", xx: name == "xx", gt: name == "gt", lt: name == "lt" };
            let found = [None, Some(earlier), Some(wanted), Some(later)].map(|p| conditions.allow(p, wanted));
            assert_eq!(found, [never, before, same, after], "{name}");
        }
    }
}
