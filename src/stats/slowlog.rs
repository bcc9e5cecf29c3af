//! The slow log: the latest commands that took longer than a limit, with their arguments cut to a readable size.

use std::collections::VecDeque;

use crate::base::time::Now;

/// Arguments kept of one command; the last place tells how many are left out.
const ARGS_MAX: usize = 32;
/// Bytes kept of one argument.
const ARG_BYTES_MAX: usize = 128;

/// One slow command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its serial number, never used again.
    pub id: u64,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Microseconds it took.
    pub usec: u64,
    /// Its words, cut.
    pub args: Vec<Vec<u8>>,
    /// The client's address.
    pub addr: Box<str>,
    /// The client's name, perhaps empty.
    pub name: Vec<u8>,
}

/// The log.
#[derive(Clone, Debug)]
pub struct SlowLog {
    /// Newest first.
    entries: VecDeque<Entry>,
    next_id: u64,
    /// `slowlog-log-slower-than`: microseconds from which a command is logged; negative: none is.
    pub threshold_usec: i64,
    /// `slowlog-max-len`.
    len_max: usize,
}

impl SlowLog {
    /// Empty.
    pub fn new(threshold_usec: i64, len_max: usize) -> SlowLog {
        SlowLog { entries: VecDeque::new(), next_id: 0, threshold_usec, len_max }
    }

    /// Whether a command that took `usec` belongs in the log.
    #[inline]
    pub fn is_slow(&self, usec: u64) -> bool {
        self.threshold_usec >= 0 && usec >= self.threshold_usec as u64
    }

    /// Logs the command if it was slow.
    pub fn consider<'a>(
        &mut self,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
        usec: u64,
        now: Now,
        addr: &str,
        name: Option<&[u8]>,
    ) {
        if self.is_slow(usec) {
            let args = cut(args);
            let (at, name) = (now.wall().as_secs(), name.unwrap_or_default().to_vec());
            self.entries.push_front(Entry { id: self.next_id, at, usec, args, addr: addr.into(), name });
            self.next_id += 1;
            self.entries.truncate(self.len_max);
        }
    }

    /// Newest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all. Serial numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// `slowlog-max-len` was changed.
    pub fn set_len_max(&mut self, len_max: usize) {
        self.len_max = len_max;
        self.entries.truncate(len_max);
    }
}

fn cut<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let total = args.len();
    let kept = if total > ARGS_MAX { ARGS_MAX - 1 } else { total };
    let mut words: Vec<Vec<u8>> = args.take(kept).map(cut_arg).collect();
    if total > kept {
        words.push(format!("... ({} more arguments)", total - kept).into_bytes());
    }
    words
}

fn cut_arg(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= ARG_BYTES_MAX {
        return arg.to_vec();
    }
    let mut text = arg[..ARG_BYTES_MAX].to_vec();
    text.extend_from_slice(format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX).as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(log: &mut SlowLog, words: &[&[u8]], usec: u64) {
        log.consider(words.iter().copied(), usec, Now::at_millis(5000), "1.2.3.4:5", None);
    }

    #[test]
    fn only_slow_commands_are_kept_newest_first_within_the_bound() {
        let mut slow = SlowLog::new(10, 2);
        log(&mut slow, &[b"fast"], 9);
        for n in 0..3u8 {
            log(&mut slow, &[&[b'a' + n]], 10);
        }
        let kept: Vec<_> = slow.entries().map(|e| (e.id, e.args[0].clone(), e.at)).collect();
        assert_eq!(kept, [(2, b"c".to_vec(), 5), (1, b"b".to_vec(), 5)]);
        slow.set_len_max(1);
        assert_eq!(slow.len(), 1);
        slow.clear();
        log(&mut slow, &[b"d"], 10);
        assert_eq!(slow.entries().next().unwrap().id, 3);
    }

    #[test]
    fn a_negative_limit_logs_nothing_and_zero_everything() {
        let mut slow = SlowLog::new(-1, 9);
        log(&mut slow, &[b"x"], u64::MAX);
        assert!(slow.is_empty());
        slow.threshold_usec = 0;
        log(&mut slow, &[b"x"], 0);
        assert_eq!(slow.len(), 1);
    }

    #[test]
    fn long_commands_and_arguments_are_cut() {
        let mut slow = SlowLog::new(0, 1);
        let (long, words) = ([b'x'; 130], [&b"a"[..]; 33]);
        log(&mut slow, &[&long], 1);
        let expected = format!("{}... (2 more bytes)", "x".repeat(128)).into_bytes();
        assert_eq!(slow.entries().next().unwrap().args[0], expected);
        log(&mut slow, &words, 1);
        let args = &slow.entries().next().unwrap().args;
        assert_eq!((args.len(), &args[31][..]), (32, &b"... (2 more arguments)"[..]));
    }
}
