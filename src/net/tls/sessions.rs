//! Sessions that clients may resume: so many, for so long.
//!
//! A client that comes back within the time skips the exchange of certificates. Entries leave in the order in which they came, by
//! age or when there are too many. One that is taken or overwritten leaves its place in that order behind; it is skipped later.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;
use rustls::server::StoresServerSessions;

/// Sessions kept when the setting says "no limit".
const SESSIONS_MAX: usize = 1 << 20;

/// The sessions.
#[derive(Debug)]
pub struct Sessions {
    max: usize,
    lifetime: Duration,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_key: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl Sessions {
    /// Keeps `max` sessions (0: as many as there is room for), each for `seconds`.
    pub fn new(max: u32, seconds: u32) -> Sessions {
        let max = if max == 0 { SESSIONS_MAX } else { (max as usize).min(SESSIONS_MAX) };
        Sessions { max, lifetime: Duration::from_secs(u64::from(seconds)), kept: Mutex::default() }
    }

    fn put_at(&self, key: Vec<u8>, value: Vec<u8>, now: Instant) {
        let mut kept = self.kept.lock();
        let Kept { by_key, order } = &mut *kept;
        while order.len() >= self.max
            || order.front().is_some_and(|(since, _)| now.duration_since(*since) >= self.lifetime)
        {
            let Some((since, old)) = order.pop_front() else { break };
            if by_key.get(&old).is_some_and(|(own, _)| *own == since) {
                by_key.remove(&old);
            }
        }
        order.push_back((now, key.clone()));
        by_key.insert(key, (now, value));
    }

    fn get_at(&self, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let kept = self.kept.lock();
        let (since, value) = kept.by_key.get(key)?;
        (now.duration_since(*since) < self.lifetime).then(|| value.clone())
    }

    fn take_at(&self, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let (since, value) = self.kept.lock().by_key.remove(key)?;
        (now.duration_since(since) < self.lifetime).then_some(value)
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.put_at(key, value, Instant::now());
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get_at(key, Instant::now())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.take_at(key, Instant::now())
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_leave_by_age_and_by_number() {
        let sessions = Sessions::new(2, 10);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        sessions.put_at(b"a".into(), b"1".into(), at(0));
        sessions.put_at(b"b".into(), b"2".into(), at(1));
        assert_eq!(sessions.get_at(b"a", at(9)), Some(b"1".to_vec()));
        assert_eq!(sessions.get_at(b"a", at(10)), None);
        sessions.put_at(b"c".into(), b"3".into(), at(2));
        assert_eq!(sessions.get_at(b"a", at(2)), None);
        assert_eq!((sessions.take_at(b"b", at(3)), sessions.take_at(b"b", at(3))), (Some(b"2".to_vec()), None));
        sessions.put_at(b"d".into(), b"4".into(), at(20));
        assert_eq!(sessions.kept.lock().by_key.len(), 1);
        assert_eq!(sessions.kept.lock().order.len(), 1);
    }

    #[test]
    fn a_session_put_again_outlives_its_first_entry() {
        let sessions = Sessions::new(2, 10);
        let start = Instant::now();
        sessions.put_at(b"a".into(), b"1".into(), start);
        sessions.put_at(b"a".into(), b"2".into(), start + Duration::from_secs(1));
        sessions.put_at(b"b".into(), b"3".into(), start + Duration::from_secs(2));
        assert_eq!(sessions.get_at(b"a", start + Duration::from_secs(2)), Some(b"2".to_vec()));
    }
}
