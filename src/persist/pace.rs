//! The pauses that `rdb-key-save-delay` and `key-load-delay` ask for: microseconds per key, or, when negative, one
//! microsecond per so many keys. Nothing here sleeps: whoever works on keys may not be further than this by then.

/// When work that began at `started_us` may go on after `keys` keys; `None` without a delay.
pub fn due_us(started_us: u64, keys: u64, delay: i32) -> Option<u64> {
    let pause = match delay {
        0 => return None,
        delay if delay > 0 => keys.saturating_mul(u64::from(delay.unsigned_abs())),
        per => keys / u64::from(per.unsigned_abs()),
    };
    Some(started_us.saturating_add(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positive_delays_are_per_key_and_negative_ones_per_so_many_keys() {
        assert_eq!(due_us(500, 10, 0), None);
        assert_eq!(due_us(500, 10, 1000), Some(10_500));
        assert_eq!(due_us(500, 10, -5), Some(502));
        assert_eq!(due_us(500, u64::MAX, i32::MAX), Some(u64::MAX));
    }
}
