//! What the commands about expiries of fields share: how a moment and a list of fields are read, how a field gets an expiry, and
//! how one is told.
//!
//! A moment is kept in milliseconds since 1970. Replicas and the AOF receive `HPEXPIREAT key ms FIELDS n field …` with the fields
//! that got it, and `HDEL key field` for each field that is gone because the moment has passed. The latter is not for a replica
//! to decide, nor while loading: there a past moment is only stored.

use crate::base::number::{format_i64, parse_i64};
use crate::base::time::UnixMillis;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, Outcome};
use crate::data::hash::Hash;
use crate::keyspace::Event;
use crate::resp::args::{Args, OwnedArgs};
use crate::spec::{Arg, ArgKind};

/// Latest moment that a field may have: the first 46 bits, as in Redis.
const MOMENT_MAX: i64 = (1 << 46) - 1;

/// How a moment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The command, for its errors.
    pub command: &'static str,
    /// It counts from now, instead of from 1970.
    pub is_relative: bool,
    /// Milliseconds in one unit: 1000 or 1.
    pub unit_ms: i64,
}

impl Form {
    /// The form that `EX`, `PX`, `EXAT` or `PXAT` stands for.
    pub fn named(word: &[u8], command: &'static str) -> Option<Form> {
        [(&b"EX"[..], true, 1000), (b"PX", true, 1), (b"EXAT", false, 1000), (b"PXAT", false, 1)]
            .into_iter()
            .find(|(name, ..)| word.eq_ignore_ascii_case(name))
            .map(|(_, is_relative, unit_ms)| Form { command, is_relative, unit_ms })
    }

    /// The moment that `text` means.
    pub fn moment(self, text: &[u8], now: UnixMillis) -> Result<UnixMillis, CommandError> {
        let amount = parse_i64(text).ok_or(CommandError::NotInteger)?;
        if amount < 0 {
            return Err(CommandError::err("invalid expire time, must be >= 0"));
        }
        let base = if self.is_relative { now.0 } else { 0 };
        let moment = amount.checked_mul(self.unit_ms).and_then(|ms| ms.checked_add(base));
        let moment = moment.filter(|moment| *moment <= MOMENT_MAX).map(UnixMillis);
        moment.ok_or(CommandError::InvalidExpire { command: self.command })
    }
}

/// NX, XX, GT, LT: when the expiry of a field may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    None,
    /// It has none.
    Nx,
    /// It has one.
    Xx,
    /// It has an earlier one.
    Gt,
    /// It has a later one, or none.
    Lt,
}

impl Condition {
    fn named(word: &[u8]) -> Condition {
        [(&b"NX"[..], Condition::Nx), (b"XX", Condition::Xx), (b"GT", Condition::Gt), (b"LT", Condition::Lt)]
            .into_iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name))
            .map_or(Condition::None, |(_, condition)| condition)
    }

    /// Whether a field that is over at `present` may be over at `wanted` instead.
    fn allows(self, present: Option<UnixMillis>, wanted: UnixMillis) -> bool {
        match (self, present) {
            (Condition::None, _) => true,
            (Condition::Nx, present) => present.is_none(),
            (Condition::Xx, present) => present.is_some(),
            (Condition::Gt, present) => present.is_some_and(|present| present < wanted),
            (Condition::Lt, present) => present.is_none_or(|present| present > wanted),
        }
    }
}

/// Reads `FIELDS numfields field …` from word `at` on, up to the end; gives the number of the first field's word.
pub fn fields_at(args: &Args<'_>, at: usize, bad_count: &str) -> Result<usize, CommandError> {
    if at >= args.len() || !args.is(at, "FIELDS") {
        return Err(CommandError::err("Mandatory argument FIELDS is missing or not at the right position"));
    }
    let mismatch = || CommandError::err("The `numfields` parameter must match the number of arguments");
    if at + 1 >= args.len() {
        return Err(mismatch());
    }
    let count = parse_i64(args.get(at + 1)).filter(|count| *count >= 1).ok_or_else(|| CommandError::err(bad_count))?;
    if count as u64 != (args.len() - at - 2) as u64 {
        return Err(mismatch());
    }
    Ok(at + 2)
}

/// What most of these commands say about a bad number of fields.
pub const BAD_COUNT: &str = "Number of fields must be a positive integer";

/// `FIELDS numfields field [field ...]`, for COMMAND DOCS.
pub const FIELDS_ARG: Arg =
    Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()])
        .after("FIELDS");

/// `NX | XX | GT | LT`, for COMMAND DOCS.
pub const CONDITION_ARG: Arg = Arg::one_of(
    "condition",
    &[Arg::token("nx", "NX"), Arg::token("xx", "XX"), Arg::token("gt", "GT"), Arg::token("lt", "LT")],
)
.optional();

/// What became of a field that was to get an expiry. The number is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// There is no such field.
    Missing = -2,
    /// The condition did not hold.
    Refused = 0,
    /// It has the expiry.
    Set = 1,
    /// The moment has passed, and so the field is gone.
    Deleted = 2,
}

/// Fields, apart by what became of them: for the events and for what is propagated.
#[derive(Debug, Default)]
pub struct Fates<'a> {
    /// Those that have the expiry.
    pub set: Vec<&'a [u8]>,
    /// Those that are gone.
    pub deleted: Vec<&'a [u8]>,
}

impl<'a> Fates<'a> {
    /// Gives the field `name` the expiry `when`, or removes it if that has passed and `is_past_deletion`.
    pub fn decide(
        &mut self,
        hash: &mut Hash,
        name: &'a [u8],
        when: UnixMillis,
        condition: Condition,
        now: UnixMillis,
        is_past_deletion: bool,
    ) -> Fate {
        let Some(field) = hash.get(name) else { return Fate::Missing };
        if !condition.allows(field.expiry, when) {
            return Fate::Refused;
        }
        if when <= now && is_past_deletion {
            hash.remove(name);
            self.deleted.push(name);
            return Fate::Deleted;
        }
        hash.set_expiry(name, Some(when));
        self.set.push(name);
        Fate::Set
    }

    /// How many fields have changed.
    pub fn changes(&self) -> usize {
        self.set.len() + self.deleted.len()
    }

    /// The HDELs for what is gone, then what `set` makes of the fields that have the expiry.
    pub fn propagate(&self, ctx: &DataCtx<'_>, key: &[u8], set: impl FnOnce(&[&[u8]]) -> OwnedArgs) -> Outcome {
        if !ctx.is_propagated {
            return Outcome::Done;
        }
        let deleted = self.deleted.iter().map(|name| OwnedArgs::of(&[b"HDEL", key, name]));
        let set = (!self.set.is_empty()).then(|| set(&self.set));
        Outcome::propagate_each(deleted.chain(set).collect())
    }
}

/// `head … FIELDS n field …`
pub fn with_fields(head: &[&[u8]], fields: &[&[u8]]) -> OwnedArgs {
    let mut command = OwnedArgs::of(head);
    command.push(b"FIELDS");
    command.push(&format_i64(fields.len() as i64));
    fields.iter().for_each(|field| command.push(field));
    command
}

/// Removes those of these fields of the hash at `key` that are over, if that is ours to do, before a command that writes.
pub fn settle_fields<'a>(
    ctx: &mut DataCtx<'_>,
    key: &[u8],
    names: impl Iterator<Item = &'a [u8]>,
) -> Result<(), CommandError> {
    let now = ctx.db.fields_at();
    let Some(hash) = ctx.db.peek::<Hash>(key)?.filter(|hash| hash.has_expiries()) else { return Ok(()) };
    let is_over = |name: &&[u8]| hash.get(name).is_some_and(|field| field.is_over(now));
    let over: Vec<&[u8]> = names.filter(is_over).collect();
    if !over.is_empty() {
        ctx.db.expire_fields(key, over.into_iter());
    }
    Ok(())
}

/// HEXPIRE and its relatives: `command key time [NX | XX | GT | LT] FIELDS numfields field …`.
pub fn set_expiries(ctx: &mut DataCtx<'_>, args: &Args<'_>, form: Form) -> CommandResult {
    let (key, now) = (args.get(1), ctx.now.wall());
    ctx.db.peek::<Hash>(key)?;
    let when = form.moment(args.get(2), now)?;
    let condition = Condition::named(args.get(3));
    let at = if condition == Condition::None { 3 } else { 4 };
    let first = fields_at(args, at, "Parameter `numFields` should be greater than 0")?;
    settle_fields(ctx, key, args.from(first))?;

    let is_past_deletion = ctx.settings.is_past_expiry_deletion;
    let (mut fates, mut answers) = (Fates::default(), Vec::with_capacity(args.len() - first));
    ctx.db.edit::<Hash, _>(key, |hash, notes| {
        // As in Redis, asking is enough to change the encoding.
        hash.allow_expiries();
        for name in args.from(first) {
            answers.push(fates.decide(hash, name, when, condition, now, is_past_deletion));
        }
        if fates.changes() > 0 {
            let event = if fates.deleted.is_empty() { Event::HEXPIRE } else { Event::HDEL };
            notes.changed(event, fates.changes() as u64);
        }
    })?;
    ctx.reply.array(args.len() - first);
    for index in 0..args.len() - first {
        ctx.reply.int(answers.get(index).map_or(Fate::Missing, |fate| *fate) as i64);
    }
    Ok(fates.propagate(ctx, key, |set| {
        let when = format_i64(when.0);
        let mut head: Vec<&[u8]> = vec![b"HPEXPIREAT", key, &when];
        if condition != Condition::None {
            head.push(args.get(3));
        }
        with_fields(&head, set)
    }))
}

/// What the HTTL family asks for.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// How long from now, instead of the moment itself.
    pub is_relative: bool,
    /// Milliseconds in one unit of the answer: 1000 or 1.
    pub unit_ms: i64,
}

/// HTTL and its relatives: `command key FIELDS numfields field …`. For each field -2 if it is missing, -1 if it has no expiry.
/// Seconds are rounded up.
pub fn ask_expiries(ctx: &mut DataCtx<'_>, args: &Args<'_>, question: Question) -> CommandResult {
    let judged_at = ctx.db.fields_at();
    let base = if question.is_relative { ctx.now.wall().0 } else { 0 };
    let hash = ctx.db.read::<Hash>(args.get(1))?;
    let first = fields_at(args, 2, BAD_COUNT)?;
    ctx.reply.array(args.len() - first);
    for name in args.from(first) {
        let field = hash.and_then(|hash| hash.get(name)).filter(|field| !field.is_over(judged_at));
        ctx.reply.int(match field.map(|field| field.expiry) {
            None => -2,
            Some(None) => -1,
            Some(Some(when)) => (when.0 - base + question.unit_ms - 1).div_euclid(question.unit_ms),
        });
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_look_at_the_expiry_so_far() {
        let (wanted, earlier, later) = (UnixMillis(10), UnixMillis(5), UnixMillis(20));
        for (condition, never, before, same, after) in [
            (Condition::None, true, true, true, true),
            (Condition::Nx, true, false, false, false),
            (Condition::Xx, false, true, true, true),
            (Condition::Gt, false, true, false, false),
            (Condition::Lt, true, false, false, true),
        ] {
            let found = [None, Some(earlier), Some(wanted), Some(later)].map(|p| condition.allows(p, wanted));
            assert_eq!(found, [never, before, same, after], "{condition:?}");
        }
    }

    #[test]
    fn moments_fit_46_bits() {
        let now = UnixMillis(1000);
        let moment = |word: &str, text: &str| Form::named(word.as_bytes(), "c").unwrap().moment(text.as_bytes(), now);
        let invalid = Err(CommandError::InvalidExpire { command: "c" });
        assert_eq!(moment("ex", "2"), Ok(UnixMillis(3000)));
        assert_eq!(moment("PXAT", "0"), Ok(UnixMillis(0)));
        assert_eq!(moment("pxat", "70368744177663"), Ok(UnixMillis(MOMENT_MAX)));
        assert_eq!(moment("pxat", "70368744177664"), invalid);
        assert_eq!(moment("px", "70368744176663"), Ok(UnixMillis(MOMENT_MAX)));
        assert_eq!(moment("px", "70368744176664"), invalid);
        assert_eq!(moment("exat", "9223372036854775807"), invalid);
        assert_eq!(moment("ex", "x"), Err(CommandError::NotInteger));
        assert_eq!(moment("ex", "-1"), Err(CommandError::err("invalid expire time, must be >= 0")));
        assert_eq!(Form::named(b"KEEPTTL", "c"), None);
    }
}
