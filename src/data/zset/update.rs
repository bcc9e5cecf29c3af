//! Adding and updating under conditions: what ZADD's options mean for one member.

use super::Zset;
use crate::data::Limits;

/// Under which conditions a member is added or gets another score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Only members that are not there (NX).
    pub only_new: bool,
    /// Only members that are there (XX).
    pub only_present: bool,
    /// One that is there: only to a higher score (GT).
    pub only_up: bool,
    /// One that is there: only to a lower score (LT).
    pub only_down: bool,
    /// The number is added to the score that a member has (INCR).
    pub is_increment: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Updated {
    /// It is new, with this score.
    Added(f64),
    /// It has this score, which is another one than before.
    Changed(f64),
    /// It has this score already.
    Same(f64),
    /// A condition forbade it.
    Refused,
    /// The sum would be ∞ − ∞. Nothing was done.
    NotANumber,
}

impl Zset {
    /// Adds or updates a member as far as the rule allows it. `score` is not NaN. O(log n).
    pub fn update(&mut self, member: &[u8], score: f64, rule: Rule, limits: &Limits) -> Updated {
        if rule == Rule::default() {
            return match self.put(member, score, limits) {
                None => Updated::Added(score),
                Some(old) if old == score => Updated::Same(score),
                Some(_) => Updated::Changed(score),
            };
        }
        let Some(old) = self.score(member) else {
            if rule.only_present {
                return Updated::Refused;
            }
            self.put(member, score, limits);
            return Updated::Added(score);
        };
        if rule.only_new {
            return Updated::Refused;
        }
        let score = if rule.is_increment { old + score } else { score };
        if score.is_nan() {
            return Updated::NotANumber;
        }
        if (rule.only_up && score <= old) || (rule.only_down && score >= old) {
            return Updated::Refused;
        }
        if score == old {
            return Updated::Same(score);
        }
        self.put(member, score, limits);
        Updated::Changed(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_does_what_it_says() {
        let limits = Limits::default();
        let nx = Rule { only_new: true, ..Rule::default() };
        let xx = Rule { only_present: true, ..Rule::default() };
        let gt = Rule { only_up: true, ..Rule::default() };
        let lt = Rule { only_down: true, ..Rule::default() };
        let incr = Rule { is_increment: true, ..Rule::default() };
        let mut zset = Zset::new();
        for (member, score, rule, expected) in [
            (b"a", 1.0, xx, Updated::Refused),
            (b"a", 1.0, nx, Updated::Added(1.0)),
            (b"a", 2.0, nx, Updated::Refused),
            (b"a", 2.0, xx, Updated::Changed(2.0)),
            (b"a", 2.0, Rule::default(), Updated::Same(2.0)),
            (b"a", 2.0, gt, Updated::Refused),
            (b"a", 3.0, gt, Updated::Changed(3.0)),
            (b"a", 3.0, lt, Updated::Refused),
            (b"a", 1.0, lt, Updated::Changed(1.0)),
            (b"b", 5.0, gt, Updated::Added(5.0)),
            (b"b", 0.0, incr, Updated::Same(5.0)),
            (b"b", f64::INFINITY, incr, Updated::Changed(f64::INFINITY)),
            (b"b", f64::NEG_INFINITY, incr, Updated::NotANumber),
            (b"b", 1.0, Rule { only_up: true, ..incr }, Updated::Refused),
        ] {
            assert_eq!(zset.update(member, score, rule, &limits), expected, "{rule:?}");
        }
        assert_eq!((zset.score(b"a"), zset.score(b"b")), (Some(1.0), Some(f64::INFINITY)));
    }
}
