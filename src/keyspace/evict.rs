//! Choosing a key to remove when memory is short.
//!
//! The best key to remove (unused for longest, used least often, over soonest) is not looked for in all of the data. Some keys
//! are drawn at random, and the best candidates met so far are remembered in a small pool from one eviction to the next, which
//! comes close to the true order: after a few hundred keys were looked at, the pool holds keys from the worst few per cent.
//!
//! Two things make the choice better than one from the draw alone would be:
//!
//!   * a candidate is remembered with its recency bits, not with a rank, so that candidates drawn at different times
//!     compare as they are now;
//!   * before a candidate goes it is looked at again. One that was used since it was drawn, or has got another expiry, has to
//!     compare anew. Of equal ones the one that was drawn first goes: it has had the most time to be used and was not.
//!
//! Candidates are known by the hashes of their keys. Should two keys share all 64 bits, one goes for the other: it was drawn
//! at random as well.

use super::table::{Loc, Table};
use super::{Effect, EntryRef, Event, Keyspace, Recency};
use crate::base::time::UnixMillis;

/// What speaks for removing a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictBy {
    /// It was not used for long.
    LastUse,
    /// It was used seldom.
    Uses,
    /// Its time is over soon.
    Expiry,
    /// Nothing: one is as good as another.
    Chance,
}

/// How keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionRule {
    /// By what.
    pub by: EvictBy,
    /// Only among keys with an expiry.
    pub is_volatile_only: bool,
    /// At least so many keys of each database are looked at for each that is removed, if it has as many.
    pub samples: usize,
}

/// How many candidates are remembered.
const POOL: usize = 16;

/// A key that may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    db: u32,
    hash: u64,
    bits: u32,
    expiry: Option<UnixMillis>,
}

impl Candidate {
    fn of(db: u32, hash: u64, entry: EntryRef<'_>) -> Candidate {
        Candidate { db, hash, bits: entry.recency(), expiry: entry.expiry() }
    }

    /// How much speaks for removing it.
    fn weight(&self, by: EvictBy, recency: Recency, now: UnixMillis) -> u64 {
        weight(by, recency, now, self.bits, self.expiry)
    }
}

fn weight(by: EvictBy, recency: Recency, now: UnixMillis, bits: u32, expiry: Option<UnixMillis>) -> u64 {
    match by {
        EvictBy::LastUse => recency.idle_secs(bits, now),
        // Of those that were used equally often the one that was not for longest.
        EvictBy::Uses => {
            let seldom = u32::from(u8::MAX).saturating_sub(recency.frequency(bits, now));
            u64::from(seldom) << 16 | u64::from(recency.idle_minutes(bits, now))
        }
        // Moments before 1970 are over as much as one can be.
        EvictBy::Expiry => u64::MAX - expiry.map_or(i64::MAX, |when| when.0).max(0) as u64,
        EvictBy::Chance => 0,
    }
}

/// What is remembered between evictions.
#[derive(Default)]
pub(super) struct Evictor {
    /// In the order in which they were drawn.
    pool: Vec<Candidate>,
    /// By what the pool was filled.
    rule: Option<(EvictBy, bool)>,
    /// The database whose turn it is when chance decides.
    next_db: u32,
}

impl Keyspace {
    /// Removes one key as `rule` says, and notes it; gives how many bytes it took, or `None` when there is none to remove.
    pub fn evict(&mut self, rule: EvictionRule, now: UnixMillis) -> Option<usize> {
        let found = match rule.by {
            EvictBy::Chance => self.any_key(rule),
            _ => self.best_key(rule, now),
        };
        let (index, hash, loc) = found?;
        if self.cut.is_some() {
            self.pre_image(index, hash);
        }
        let table = &mut self.dbs.get(index).table;
        let entry = table.entry(loc);
        let (bytes, outside) = (entry.memory(), entry.value().memory());
        self.changes.always(index, entry.key(), Event::EVICTED, Effect::Evicted);
        self.lazy.sized_value(table.remove(loc), outside);
        self.stats.evicted += 1;
        Some(bytes)
    }

    /// Some key, from each database in turn.
    fn any_key(&mut self, rule: EvictionRule) -> Option<(u32, u64, Loc)> {
        let used = self.dbs.iter().filter(|(_, db)| matching(&db.table, rule) > 0);
        let (mut first, mut next) = (None, None);
        for (index, _) in used {
            first = first.or(Some(index));
            if index >= self.evictor.next_db {
                next = Some(index);
                break;
            }
        }
        let index = next.or(first)?;
        self.evictor.next_db = index.wrapping_add(1);
        let (mut chosen, mut seen) = (None, 0);
        let (table, rng, hasher) = (&self.dbs.peek(index)?.table, &mut self.rng, &self.dbs.hasher);
        let start = rng.next_u64();
        table.sample(start, 1, rule.is_volatile_only, &mut |entry| {
            seen += 1;
            if rng.below(seen) == 0 {
                chosen = Some(hasher.hash(entry.key()));
            }
        });
        let hash = chosen?;
        Some((index, hash, table.find_hash(hash)?))
    }

    /// The best candidate, after some more keys were looked at.
    fn best_key(&mut self, rule: EvictionRule, now: UnixMillis) -> Option<(u32, u64, Loc)> {
        let recency = self.recency;
        if self.evictor.rule != Some((rule.by, rule.is_volatile_only)) {
            self.evictor.rule = Some((rule.by, rule.is_volatile_only));
            self.evictor.pool.clear();
        }
        // A pool of nothing but keys that are gone is filled again; then at least one of them is there.
        for _ in 0..2 {
            self.fill_pool(rule, now);
            while let Some((nth, best)) = self.best_candidate(rule, now) {
                let found = self.dbs.peek(best.db).and_then(|db| {
                    let loc = db.table.find_hash(best.hash)?;
                    Some((loc, Candidate::of(best.db, best.hash, db.table.entry(loc))))
                });
                let candidate = &mut self.evictor.pool[nth];
                match found {
                    Some((loc, as_is)) if !rule.is_volatile_only || as_is.expiry.is_some() => {
                        let is_as_good = as_is.weight(rule.by, recency, now) >= best.weight(rule.by, recency, now);
                        if is_as_good {
                            self.evictor.pool.remove(nth);
                            return Some((best.db, best.hash, loc));
                        }
                        *candidate = as_is;
                    }
                    _ => {
                        self.evictor.pool.remove(nth);
                    }
                }
            }
        }
        None
    }

    fn best_candidate(&self, rule: EvictionRule, now: UnixMillis) -> Option<(usize, Candidate)> {
        // The last of equal ones is taken.
        let pool = self.evictor.pool.iter().copied().enumerate().rev();
        pool.max_by_key(|(_, candidate)| candidate.weight(rule.by, self.recency, now))
    }

    /// Draws keys from every database; those that are better than one in the pool take its place.
    fn fill_pool(&mut self, rule: EvictionRule, now: UnixMillis) {
        let (recency, hasher, pool) = (self.recency, &self.dbs.hasher, &mut self.evictor.pool);
        let weigh = |candidate: &Candidate| candidate.weight(rule.by, recency, now);
        for (index, db) in self.dbs.iter().filter(|(_, db)| matching(&db.table, rule) > 0) {
            let start = self.rng.next_u64();
            db.table.sample(start, rule.samples, rule.is_volatile_only, &mut |entry| {
                let weight = weight(rule.by, recency, now, entry.recency(), entry.expiry());
                let worst = pool.iter().enumerate().min_by_key(|(_, candidate)| weigh(candidate));
                let place = match worst {
                    Some((nth, worst)) if pool.len() >= POOL => {
                        if weight <= weigh(worst) {
                            return;
                        }
                        Some(nth)
                    }
                    _ => None,
                };
                let new = Candidate::of(index, hasher.hash(entry.key()), entry);
                if let Some(same) = pool.iter_mut().find(|old| old.hash == new.hash && old.db == index) {
                    *same = new;
                } else {
                    if let Some(nth) = place {
                        pool.remove(nth);
                    }
                    pool.push(new);
                }
            });
        }
    }
}

/// How many keys the rule is about.
fn matching(table: &Table, rule: EvictionRule) -> usize {
    if rule.is_volatile_only { table.expires_len() } else { table.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::data::string::NewStr;
    use crate::keyspace::{Access, Expiry};

    const NOW: UnixMillis = UnixMillis(100_000_000);
    const LRU: EvictionRule = EvictionRule { by: EvictBy::LastUse, is_volatile_only: false, samples: 5 };

    fn keyspace(seed: u64) -> Keyspace {
        Keyspace::new(16, Rng::seeded(seed))
    }

    fn set(keyspace: &mut Keyspace, db: u32, n: u32, at: UnixMillis, expiry: Expiry) {
        let key = format!("key:{n}");
        keyspace.db(db, Access::master(at)).put(key.as_bytes(), NewStr::Text(b"v"), expiry, Event::SET);
        keyspace.changes_mut().clear();
    }

    fn exists(keyspace: &mut Keyspace, db: u32, n: u32) -> bool {
        keyspace.db(db, Access { touch: false, ..Access::history(NOW) }).contains(format!("key:{n}").as_bytes())
    }

    /// Which of the keys `0..total` of database 0 are left.
    fn left(keyspace: &mut Keyspace, total: u32) -> Vec<u32> {
        (0..total).filter(|&n| exists(keyspace, 0, n)).collect()
    }

    #[test]
    fn nothing_can_be_removed_from_nothing() {
        let mut ks = keyspace(1);
        set(&mut ks, 0, 1, NOW, Expiry::Clear);
        for by in [EvictBy::LastUse, EvictBy::Uses, EvictBy::Expiry, EvictBy::Chance] {
            assert_eq!(ks.evict(EvictionRule { by, is_volatile_only: true, samples: 5 }, NOW), None);
        }
        assert!(ks.evict(LRU, NOW).is_some());
        assert_eq!(ks.evict(LRU, NOW), None);
        assert_eq!((ks.len(), ks.stats().evicted), (0, 1));
    }

    #[test]
    fn every_rule_removes_every_key_it_may_and_no_other() {
        for by in [EvictBy::LastUse, EvictBy::Uses, EvictBy::Expiry, EvictBy::Chance] {
            for is_volatile_only in [false, true] {
                let mut ks = keyspace(2);
                for n in 0..3000 {
                    let expiry =
                        if n % 10 == 0 { Expiry::At(UnixMillis(NOW.0 + 1000 + i64::from(n))) } else { Expiry::Clear };
                    set(&mut ks, n % 3, n, UnixMillis(NOW.0 - 5000 * i64::from(n % 7)), expiry);
                }
                let rule = EvictionRule { by, is_volatile_only, samples: 5 };
                let mut removed = 0;
                while ks.evict(rule, NOW).is_some() {
                    removed += 1;
                    ks.changes_mut().clear();
                }
                let (expected, rest) = if is_volatile_only { (300, 2700) } else { (3000, 0) };
                assert_eq!((removed, ks.len()), (expected, rest), "{rule:?}");
            }
        }
    }

    /// Keys 0..1000, each used one second after the one before: after half of them are gone, those left should be the younger.
    #[test]
    fn what_was_not_used_for_long_goes_first() {
        for seed in 0..5 {
            let mut ks = keyspace(seed);
            for n in 0..1000 {
                set(&mut ks, 0, n, UnixMillis(NOW.0 - 1_000_000 + 1000 * i64::from(n)), Expiry::Clear);
            }
            (0..500).for_each(|_| assert!(ks.evict(LRU, NOW).is_some()));
            let left = left(&mut ks, 1000);
            let young = left.iter().filter(|&&n| n >= 500).count();
            assert!(young >= 430, "seed {seed}: {young} of the 500 youngest are left");
        }
    }

    #[test]
    fn what_was_used_seldom_goes_first() {
        let mut ks = keyspace(3);
        ks.set_recency(Recency::Lfu { log_factor: 10, decay_minutes: 1 });
        for n in 0..1000 {
            set(&mut ks, 0, n, NOW, Expiry::Clear);
            let key = format!("key:{n}");
            ks.db(0, Access::master(NOW)).set_recency(key.as_bytes(), Recency::from_frequency((n / 4) as u8, NOW));
        }
        let rule = EvictionRule { by: EvictBy::Uses, ..LRU };
        (0..500).for_each(|_| assert!(ks.evict(rule, NOW).is_some()));
        let often = left(&mut ks, 1000).iter().filter(|&&n| n >= 500).count();
        assert!(often >= 430, "{often}");
    }

    #[test]
    fn what_is_over_soonest_goes_first() {
        let mut ks = keyspace(4);
        for n in 0..1000 {
            set(&mut ks, 0, n, NOW, Expiry::At(UnixMillis(NOW.0 + 10_000 + i64::from(n))));
        }
        let rule = EvictionRule { by: EvictBy::Expiry, is_volatile_only: true, samples: 5 };
        (0..500).for_each(|_| assert!(ks.evict(rule, NOW).is_some()));
        let late = left(&mut ks, 1000).iter().filter(|&&n| n >= 500).count();
        assert!(late >= 430, "{late}");
    }

    /// With as many samples as keys the pool knows all; the oldest is used again, and must not go.
    #[test]
    fn a_candidate_that_was_used_since_is_not_removed() {
        let mut ks = keyspace(5);
        for n in 0..10 {
            set(&mut ks, 0, n, UnixMillis(NOW.0 - 100_000 + 1000 * i64::from(n)), Expiry::Clear);
        }
        let rule = EvictionRule { samples: 100, ..LRU };
        assert!(ks.evict(rule, NOW).is_some());
        assert!(!exists(&mut ks, 0, 0));
        ks.db(0, Access::master(NOW)).touch(b"key:1");
        assert!(ks.evict(rule, NOW).is_some());
        assert!(exists(&mut ks, 0, 1) && !exists(&mut ks, 0, 2));
    }

    #[test]
    fn chance_is_fair_and_takes_the_databases_in_turn() {
        let rule = EvictionRule { by: EvictBy::Chance, ..LRU };
        let mut survived = [0u32; 4];
        for seed in 0..400 {
            let mut ks = keyspace(seed);
            for n in 0..400 {
                set(&mut ks, 0, n, NOW, Expiry::Clear);
                set(&mut ks, 3, n, NOW, Expiry::Clear);
            }
            (0..400).for_each(|_| assert!(ks.evict(rule, NOW).is_some()));
            assert_eq!(ks.sizes(NOW).iter().map(|size| size.keys).collect::<Vec<_>>(), [200, 200]);
            for n in left(&mut ks, 400) {
                survived[n as usize / 100] += 1;
            }
        }
        // 100 keys of each group in each of 400 runs, of which half stay: 20,000 each, give or take.
        assert!(survived.iter().all(|&n| (19_000..21_000).contains(&n)), "{survived:?}");
    }

    #[test]
    fn removals_are_noted_with_their_event() {
        let mut ks = keyspace(6);
        set(&mut ks, 2, 7, NOW, Expiry::Clear);
        assert!(ks.evict(LRU, NOW).is_some());
        let noted: Vec<_> = ks.changes().iter().map(|change| (change.db, change.key.to_vec(), change.effect)).collect();
        assert_eq!(noted, [(2, b"key:7".to_vec(), Effect::Evicted)]);
        assert_eq!(ks.changes().iter().next().unwrap().event, Event::EVICTED);
    }
}
