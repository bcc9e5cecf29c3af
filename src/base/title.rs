//! The title of the process: what `ps` shows in place of the words with which it was started.
//!
//! Linux shows the memory in which the words were handed over, and behind it lies the environment, one byte string after the other:
//!
//! ```text
//!  redis-server\0 /etc/redis.conf\0 HOME=/root\0 PATH=…\0
//!  └──────── words ───────────────┘ └─── environment ───┘
//! ```
//!
//! A title is written over both. If the last byte of the words is not zero any more, the kernel reads on into the environment up to the
//! next zero byte. So the environment has to be somewhere else first: [`claim`] copies it, before there is a second thread.
//! The bytes are then written through `/proc/self/mem`, at the addresses that `/proc/self/stat` names; where there is no such
//! file, the title stays as it was.

#![allow(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use parking_lot::Mutex;

/// Where the title stands.
static PLACE: Mutex<Option<Place>> = Mutex::new(None);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    start: u64,
    /// How many bytes there are.
    room: usize,
}

/// Makes the memory of the words and of the environment free for a title. To be called at the very beginning of the program, by its
/// only thread, when nobody needs the words any more.
pub fn claim() {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let Some(place) = place(&stat) else { return };
    let variables: Vec<_> = std::env::vars_os().collect();
    if variables.iter().any(|(name, _)| name.as_encoded_bytes().contains(&b'=')) {
        // A name that nobody could set: such an environment is left alone.
        return;
    }
    for (name, value) in variables {
        // SAFETY: no other thread exists that could read the environment meanwhile; `main` calls this first.
        unsafe { std::env::set_var(name, value) };
    }
    *PLACE.lock() = Some(place);
}

/// Fields 48 to 51 of `/proc/self/stat`: where the words begin and end, and the environment.
fn place(stat: &str) -> Option<Place> {
    // The second field is the name in parentheses and may hold anything.
    let fields: Vec<u64> =
        stat.rsplit_once(')')?.1.split_whitespace().skip(1).map(|field| field.parse().unwrap_or_default()).collect();
    let [start, end, env_start, env_end] = *fields.get(44..48)? else { return None };
    if start == 0 || end <= start {
        return None;
    }
    let end = if env_start == end && env_end > end { env_end } else { end };
    Some(Place { start, room: usize::try_from(end - start).ok()? })
}

/// Shows `title`, or as much of it as there is room for. Nothing happens unless the place was claimed.
pub fn set(title: &str) {
    let Some(place) = *PLACE.lock() else { return };
    let mut bytes = title.as_bytes()[..title.len().min(place.room - 1)].to_vec();
    bytes.resize(place.room, 0);
    if let Ok(memory) = OpenOptions::new().write(true).open("/proc/self/mem") {
        let _ = memory.write_all_at(&bytes, place.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_environment_are_one_place_when_they_follow_each_other() {
        let mut fields = vec!["0".to_owned(); 52];
        (fields[0], fields[1], fields[2]) = ("7".into(), "(a b) c)".into(), "S".into());
        let mut stat = |numbers: [&str; 4]| {
            fields[47..51].iter_mut().zip(numbers).for_each(|(field, number)| *field = number.into());
            fields.join(" ")
        };
        assert_eq!(place(&stat(["100", "120", "120", "180"])), Some(Place { start: 100, room: 80 }));
        assert_eq!(place(&stat(["100", "120", "128", "180"])), Some(Place { start: 100, room: 20 }));
        assert_eq!(place(&stat(["0", "0", "0", "0"])), None);
        assert_eq!(place(""), None);
        let real = place(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        let words = fs::read("/proc/self/cmdline").unwrap();
        assert!(real.room >= words.len());
    }
}
