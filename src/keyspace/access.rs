//! Under which conditions a handle looks at keys: what time it is, what becomes of keys whose time is over, and how
//! the recency of keys is remembered.
//!
//! Each entry has 24 bits for recency. Under an LRU policy they are a clock of seconds (wrapping after 194 days). Under
//! an LFU policy they are 16 bits of minutes, when the counter last decayed, and an 8-bit logarithmic counter of uses.
//! Both are Redis's formats, since RDB files and OBJECT FREQ carry them.

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

/// What happens when a verb meets a key whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredKeys {
    /// A master removes it and notes the removal.
    Delete,
    /// A replica pretends it is gone; removing it is for its master to say.
    Hide,
    /// The stream of our master, and loading, see it as alive.
    Ignore,
}

/// The conditions of one command.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The wall clock when the command, transaction or script began.
    pub now: UnixMillis,
    /// What becomes of keys whose time is over.
    pub expired: ExpiredKeys,
    /// Whether looking at a key counts as using it (not so after CLIENT NO-TOUCH).
    pub touch: bool,
}

impl Access {
    /// What a client of a master has.
    pub const fn master(now: UnixMillis) -> Access {
        Access { now, expired: ExpiredKeys::Delete, touch: true }
    }

    /// What a client of a replica has.
    pub const fn replica(now: UnixMillis) -> Access {
        Access { now, expired: ExpiredKeys::Hide, touch: true }
    }

    /// What our master's stream and the loading of files have.
    pub const fn history(now: UnixMillis) -> Access {
        Access { now, expired: ExpiredKeys::Ignore, touch: true }
    }
}

/// How the recency bits are used; follows `maxmemory-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recency {
    /// Seconds of the last use.
    Lru,
    /// Counter of uses.
    Lfu {
        /// `lfu-log-factor`: how hard it is for the counter to grow.
        log_factor: u32,
        /// `lfu-decay-time`: minutes after which the counter loses one; 0 means never.
        decay_minutes: u32,
    },
}

/// The counter of a key just made: not zero, or new keys would be the first to be evicted.
const LFU_INITIAL: u32 = 5;
/// Bits of recency in an entry.
const BITS: u32 = 24;
const MASK: u32 = (1 << BITS) - 1;

fn lru_clock(now: UnixMillis) -> u32 {
    (now.as_secs() as u64 & u64::from(MASK)) as u32
}

fn lfu_minutes(now: UnixMillis) -> u32 {
    (now.as_secs().div_euclid(60) as u64 & 0xffff) as u32
}

impl Recency {
    /// The bits of a key made at `now`.
    pub fn fresh(self, now: UnixMillis) -> u32 {
        match self {
            Recency::Lru => lru_clock(now),
            Recency::Lfu { .. } => lfu_minutes(now) << 8 | LFU_INITIAL,
        }
    }

    /// The bits of a key with bits `old` that is used at `now`.
    #[inline]
    pub fn used(self, old: u32, now: UnixMillis, rng: &mut Rng) -> u32 {
        match self {
            Recency::Lru => lru_clock(now),
            Recency::Lfu { log_factor, .. } => {
                let mut counter = self.frequency(old, now);
                if counter < 255 {
                    // The chance of counting one more use falls with the uses counted so far.
                    let steps = u64::from(counter.saturating_sub(LFU_INITIAL)) * u64::from(log_factor) + 1;
                    if rng.below(steps) == 0 {
                        counter += 1;
                    }
                }
                lfu_minutes(now) << 8 | counter
            }
        }
    }

    /// The counter of uses in `bits`, as decayed at `now`. Meaningful under LFU only.
    pub fn frequency(self, bits: u32, now: UnixMillis) -> u32 {
        let counter = bits & 0xff;
        match self {
            Recency::Lfu { decay_minutes, .. } if decay_minutes > 0 => {
                counter.saturating_sub(self.idle_minutes(bits, now) / decay_minutes)
            }
            _ => counter,
        }
    }

    /// Minutes since the last use according to `bits`. Meaningful under LFU only.
    pub fn idle_minutes(self, bits: u32, now: UnixMillis) -> u32 {
        lfu_minutes(now).wrapping_sub(bits >> 8) & 0xffff
    }

    /// Seconds since the last use according to `bits`. Meaningful under LRU only.
    pub fn idle_secs(self, bits: u32, now: UnixMillis) -> u64 {
        u64::from(lru_clock(now).wrapping_sub(bits) & MASK)
    }

    /// The bits of a key that a file says was idle for `secs` seconds.
    pub fn from_idle(secs: u64, now: UnixMillis) -> u32 {
        lru_clock(now).wrapping_sub(secs.min(u64::from(MASK)) as u32) & MASK
    }

    /// The bits of a key that a file says has the counter `frequency`.
    pub fn from_frequency(frequency: u8, now: UnixMillis) -> u32 {
        lfu_minutes(now) << 8 | u32::from(frequency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: Recency = Recency::Lfu { log_factor: 10, decay_minutes: 1 };

    #[test]
    fn idle_time_counts_from_the_last_use_and_survives_the_wrap() {
        let end = UnixMillis(((1i64 << 24) - 1) * 1000);
        let bits = Recency::Lru.fresh(end);
        assert_eq!(Recency::Lru.idle_secs(bits, UnixMillis(end.0 + 7000)), 7);
        assert_eq!(Recency::Lru.idle_secs(Recency::from_idle(100, end), end), 100);
    }

    #[test]
    fn a_new_key_starts_at_five_and_loses_one_per_minute() {
        let start = UnixMillis(600_000);
        let bits = LFU.fresh(start);
        assert_eq!(LFU.frequency(bits, start), 5);
        assert_eq!(LFU.frequency(bits, UnixMillis(600_000 + 3 * 60_000)), 2);
        assert_eq!(LFU.frequency(bits, UnixMillis(600_000 + 30 * 60_000)), 0);
        assert_eq!(LFU.frequency(Recency::from_frequency(200, start), start), 200);
    }

    #[test]
    fn a_counter_of_uses_grows_ever_more_slowly_and_stops_at_255() {
        let (now, mut rng) = (UnixMillis(0), Rng::seeded(1));
        let (mut bits, mut after_1000) = (LFU.fresh(now), 0);
        for uses in 0..100_000 {
            bits = LFU.used(bits, now, &mut rng);
            if uses == 1000 {
                after_1000 = LFU.frequency(bits, now);
            }
        }
        assert!((10..40).contains(&after_1000), "{after_1000}");
        assert!(LFU.frequency(bits, now) > 100);
        let always = Recency::Lfu { log_factor: 0, decay_minutes: 0 };
        bits = (0..1000).fold(bits, |bits, _| always.used(bits, now, &mut rng));
        assert_eq!(always.frequency(bits, now), 255);
    }
}
