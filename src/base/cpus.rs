//! Which processors which threads may use (`server_cpulist` and its relatives), and which of them go first.
//!
//! The lists are said once at the start ([`assign`]); a thread asks for its own when it begins ([`enter`]). A thread whose list is
//! empty keeps what it inherited from the one that started it.
//!
//! Who writes an image gives way: it may have much to do at once, and where processors are scarce it would take one from the event loop.

#![allow(unsafe_code)]

use std::io;
use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_setaffinity};

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The event loop.
    Server,
    /// Syncing files, freeing memory, resolving names.
    Background,
    /// Writing the image of an AOF rewrite.
    AofRewrite,
    /// Writing an RDB file.
    Save,
}

/// The lists, in the order of [`Work`].
static LISTS: OnceLock<[Vec<usize>; 4]> = OnceLock::new();

/// Says which processors there are for which work; the second time nothing happens.
pub fn assign(lists: [Vec<usize>; 4]) {
    let _ = LISTS.set(lists);
}

/// How much lower the priority of a thread that writes an image is: enough that the event loop rarely waits for it, and not so much that
/// it gets nowhere beside one that is always busy (a thirtieth of a processor).
const NICER: i32 = 15;

/// Lowers the priority of the calling thread, and has it wait for its turn also when it wakes: the event loop wakes it in the middle of
/// a slice, and would often lose the processor to it there and then.
fn give_way() -> io::Result<()> {
    rustix::process::nice(NICER)?;
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        let param = libc::sched_param { sched_priority: 0 };
        // SAFETY: 0 is the calling thread, and the structure is only read during the call.
        if unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &param) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Binds the calling thread to the processors for its work, and gives it its priority. What fails is logged.
pub fn enter(work: Work) {
    if matches!(work, Work::AofRewrite | Work::Save)
        && let Err(error) = give_way()
    {
        tracing::warn!("Can't lower the priority of a thread that writes an image: {error}");
    }
    let Some(list) = LISTS.get().map(|lists| &lists[work as usize]).filter(|list| !list.is_empty()) else { return };
    let mut set = CpuSet::new();
    list.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(*cpu));
    if let Err(error) = sched_setaffinity(None, &set) {
        tracing::warn!("Can't bind a thread to the processors {list:?}: {error}");
    }
}

/// `0-7:2,9`: numbers and ranges, which may have a step. `None` when it is neither.
pub fn parse(list: &str) -> Option<Vec<usize>> {
    let number = |text: &str| text.parse::<usize>().ok().filter(|cpu| *cpu < CpuSet::MAX_CPU);
    let mut cpus = Vec::new();
    for part in list.split(',').filter(|_| !list.is_empty()) {
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last, step) = (number(first)?, number(last)?, number(step).filter(|step| *step > 0)?);
        if first > last {
            return None;
        }
        cpus.extend((first..=last).step_by(step));
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_numbers_and_ranges_with_steps() {
        assert_eq!(parse(""), Some(vec![]));
        assert_eq!(parse("0-7:2,9"), Some(vec![0, 2, 4, 6, 9]));
        assert_eq!(parse("3,1-2"), Some(vec![3, 1, 2]));
        for wrong in ["a", "1-", "3-1", "0-7:0", "1,,2", "99999999", "-1", "1-2-3"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn who_writes_an_image_gives_way_and_nobody_else() {
        // The policy is the 41st field of `stat`, the 39th after the name in brackets.
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            fields.split_whitespace().nth(38).unwrap().parse::<i32>().unwrap()
        };
        let priority_of = |work| {
            let own = move || {
                enter(work);
                (rustix::process::getpriority_process(None).unwrap(), policy())
            };
            std::thread::spawn(own).join().unwrap()
        };
        let own = (rustix::process::getpriority_process(None).unwrap(), policy());
        let lower = ((own.0 + NICER).min(19), libc::SCHED_BATCH);
        let all = [Work::Server, Work::Background, Work::AofRewrite, Work::Save];
        assert_eq!(all.map(priority_of), [own, own, lower, lower]);
    }

    #[test]
    fn a_thread_is_bound_to_its_list() {
        let first = (0..CpuSet::MAX_CPU)
            .find(|cpu| rustix::thread::sched_getaffinity(None).unwrap().is_set(*cpu))
            .expect("some processor is ours");
        assign([vec![], vec![first], vec![], vec![]]);
        let bound = std::thread::spawn(|| {
            enter(Work::Server);
            let inherited = rustix::thread::sched_getaffinity(None).unwrap().count();
            enter(Work::Background);
            (inherited, rustix::thread::sched_getaffinity(None).unwrap())
        });
        let (inherited, bound) = bound.join().unwrap();
        assert!(inherited >= 1 && bound.count() == 1 && bound.is_set(first));
    }
}
