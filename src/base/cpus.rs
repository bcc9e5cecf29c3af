//! Which processors which threads may use (`server_cpulist` and its relatives), and which of them go first.
//!
//! The lists are said once at the start ([`assign`]); a thread asks for its own when it begins ([`enter`]). A thread whose list is
//! empty keeps what it inherited from the one that started it.
//!
//! Who writes an image gives way: it may have much to do at once, and where processors are scarce it would take one from the event loop.

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

/// How much lower the priority of a thread that writes an image is: enough not to be preferred to the event loop, and not so much that
/// it gets nowhere beside one that is always busy (a tenth of a processor).
const NICER: i32 = 10;

/// Binds the calling thread to the processors for its work, and gives it its priority. What fails is logged.
pub fn enter(work: Work) {
    if matches!(work, Work::AofRewrite | Work::Save)
        && let Err(error) = rustix::process::nice(NICER)
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
        let nice_of = |work| {
            let own = move || {
                enter(work);
                rustix::process::getpriority_process(None).unwrap()
            };
            std::thread::spawn(own).join().unwrap()
        };
        let own = rustix::process::getpriority_process(None).unwrap();
        let expected = [own, own, (own + NICER).min(19), (own + NICER).min(19)];
        let all = [Work::Server, Work::Background, Work::AofRewrite, Work::Save];
        assert_eq!(all.map(nice_of), expected);
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
