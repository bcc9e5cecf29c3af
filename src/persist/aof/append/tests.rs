//! The appender on a disk that fails.

use std::path::Path;

use super::*;
use crate::base::files::memory::{Fault, MemoryFiles};
use crate::base::files::{Files, read_whole};

const T0: Instant = Instant::from_millis(1_000_000);

struct Scene {
    files: MemoryFiles,
    appender: Appender,
}

impl Scene {
    fn new(policy: Policy) -> Scene {
        let files = MemoryFiles::new();
        let mut appender = Appender::new(policy);
        assert_eq!(appender.switch_to(files.append(Path::new("f")).unwrap(), 0), None);
        Scene { files, appender }
    }

    fn add(&mut self, text: &'static str) {
        self.appender.add(Bytes::from_static(text.as_bytes()));
    }

    fn turn(&mut self, now: Instant) -> Wanted {
        self.appender.turn(now).unwrap()
    }

    fn content(&self) -> String {
        String::from_utf8(read_whole(&self.files, Path::new("f"), 1 << 20).unwrap()).unwrap()
    }

    fn fail_next(&self, fault: Fault) {
        self.files.fail_at(self.files.operations(), fault);
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

#[test]
fn always_syncs_each_turn_and_gathers_what_comes_meanwhile() {
    let mut scene = Scene::new(Policy::Always);
    scene.add("one ");
    assert_eq!((scene.turn(T0).sync, scene.appender.safe()), (Some(4), 0));
    scene.add("two ");
    assert_eq!(scene.turn(T0).sync, None, "a sync is under way");
    scene.add("three");
    assert_eq!((scene.turn(T0).sync, scene.content().as_str()), (None, "one "));
    scene.appender.synced(T0, Ok(())).unwrap();
    assert_eq!(scene.appender.safe(), 4, "the first reply may leave, no other");
    assert_eq!((scene.turn(T0).sync, scene.content().as_str()), (Some(13), "one two three"));
    assert_eq!(scene.appender.safe(), 4);
    scene.appender.synced(T0, Ok(())).unwrap();
    assert_eq!((scene.appender.safe(), scene.turn(T0)), (13, Wanted::default()));
}

#[test]
fn with_always_a_failure_ends_everything_and_nothing_was_promised() {
    let mut scene = Scene::new(Policy::Always);
    scene.add("one");
    scene.turn(T0);
    let fatal = scene.appender.synced(T0, Err(eio())).unwrap_err();
    assert!(fatal.0.starts_with("Can't persist AOF for fsync error"), "{}", fatal.0);
    assert_eq!(scene.appender.safe(), 0);
    for fault in [Fault::Error(libc::EIO), Fault::Error(libc::ENOSPC)] {
        let mut scene = Scene::new(Policy::Always);
        scene.add("one");
        scene.fail_next(fault);
        assert!(scene.appender.turn(T0).unwrap_err().0.starts_with("Can't recover from AOF write error"));
        assert_eq!(scene.appender.safe(), 0);
    }
}

#[test]
fn every_second_syncs_a_second_after_the_last_one() {
    let mut scene = Scene::new(Policy::EverySecond);
    scene.add("a");
    assert_eq!(scene.turn(T0).sync, Some(1));
    scene.appender.synced(T0, Ok(())).unwrap();
    scene.add("b");
    assert_eq!(scene.turn(T0 + 400), Wanted { sync: None, next: Some(T0 + 1000) });
    assert_eq!((scene.content().as_str(), scene.appender.safe(), scene.appender.on_disk()), ("ab", 2, 1));
    assert_eq!(scene.turn(T0 + 999).next, Some(T0 + 1000));
    assert_eq!(scene.turn(T0 + 1000).sync, Some(2));
    scene.appender.synced(T0 + 1000, Ok(())).unwrap();
    assert_eq!(scene.turn(T0 + 5000), Wanted::default(), "nothing is owed");
}

#[test]
fn a_slow_sync_holds_writes_up_for_two_seconds_and_no_longer() {
    let mut scene = Scene::new(Policy::EverySecond);
    scene.add("a");
    scene.turn(T0);
    scene.add("b");
    assert_eq!(scene.turn(T0 + 100), Wanted { sync: None, next: Some(T0 + 2100) });
    assert_eq!(scene.turn(T0 + 2099).next, Some(T0 + 2100));
    assert_eq!((scene.content().as_str(), scene.appender.delayed), ("a", 0));
    scene.turn(T0 + 2100);
    assert_eq!((scene.content().as_str(), scene.appender.delayed), ("ab", 1));
}

#[test]
fn never_writes_and_does_not_sync() {
    let mut scene = Scene::new(Policy::Never);
    scene.add("a");
    assert_eq!((scene.turn(T0), scene.content().as_str()), (Wanted::default(), "a"));
    assert_eq!((scene.appender.safe(), scene.appender.on_disk()), (1, 0));
    scene.appender.set_policy(Policy::Always);
    assert_eq!(scene.turn(T0).sync, Some(1), "what was owed is made up for");
}

#[test]
fn while_an_image_is_written_syncs_can_be_left_out() {
    let mut scene = Scene::new(Policy::Always);
    scene.appender.suspend_sync(true);
    scene.add("a");
    assert_eq!((scene.turn(T0).sync, scene.appender.safe()), (None, 1));
    scene.appender.suspend_sync(false);
    assert_eq!((scene.turn(T0).sync, scene.appender.safe()), (Some(1), 0));
}

#[test]
fn a_failed_write_is_cut_off_kept_and_tried_again() {
    let mut scene = Scene::new(Policy::EverySecond);
    scene.add("good ");
    scene.turn(T0);
    scene.appender.synced(T0, Ok(())).unwrap();
    // A short write, and then the disk is full.
    scene.files.set_capacity(Some(8));
    scene.add("command");
    assert_eq!(scene.turn(T0 + 1).next, Some(T0 + 1001));
    assert_eq!(scene.content(), "good ", "no half command");
    assert_eq!(scene.appender.trouble(), Some("no storage space"));
    scene.add(" more");
    scene.turn(T0 + 1001);
    assert_eq!((scene.content().as_str(), scene.appender.waiting_bytes()), ("good ", 12));
    scene.files.set_capacity(None);
    scene.turn(T0 + 2001);
    assert_eq!((scene.content().as_str(), scene.appender.trouble()), ("good command more", None));
}

#[test]
fn a_half_command_that_cannot_be_cut_off_is_continued() {
    let mut scene = Scene::new(Policy::EverySecond);
    scene.files.set_capacity(Some(3));
    scene.add("com");
    scene.add("mand");
    // Write (short), write (refused), cut (fails).
    scene.files.fail_at(scene.files.operations() + 2, Fault::Error(libc::EIO));
    scene.turn(T0);
    assert_eq!((scene.content().as_str(), scene.appender.size(), scene.appender.waiting_bytes()), ("com", 3, 4));
    scene.files.set_capacity(None);
    scene.appender.synced(T0, Ok(())).unwrap();
    scene.turn(T0 + 1000);
    assert_eq!(scene.content(), "command");
}

/// After a sync that failed, one that succeeds proves nothing about what was written before.
#[test]
fn a_failed_sync_is_not_made_good_by_a_later_one() {
    let mut scene = Scene::new(Policy::EverySecond);
    scene.add("a");
    scene.turn(T0);
    scene.appender.synced(T0, Err(eio())).unwrap();
    assert!(scene.appender.is_tainted());
    assert_eq!(scene.appender.trouble(), Some("Input/output error"));
    scene.add("b");
    scene.turn(T0 + 1000);
    scene.appender.synced(T0 + 1000, Ok(())).unwrap();
    assert_eq!((scene.appender.on_disk(), scene.appender.is_tainted()), (0, true));

    // A rewrite: the image holds "ab"; what comes after it is in another file.
    assert!(scene.appender.flush(T0 + 1000).unwrap());
    scene.appender.switch_to(scene.files.append(Path::new("g")).unwrap(), 0);
    let cut = scene.appender.taken();
    scene.add("c");
    assert_eq!(scene.turn(T0 + 2000).sync, Some(3));
    scene.appender.synced(T0 + 2000, Ok(())).unwrap();
    assert_eq!(scene.appender.on_disk(), 0, "the image is not complete");
    scene.appender.saved_elsewhere(cut);
    assert_eq!((scene.appender.on_disk(), scene.appender.trouble()), (2, None));
    assert_eq!(scene.turn(T0 + 3000).sync, Some(3), "and what came after it is synced for good");
    scene.appender.synced(T0 + 3000, Ok(())).unwrap();
    assert_eq!(scene.appender.on_disk(), 3);
}

#[test]
fn a_sync_that_fails_in_the_new_file_is_not_forgiven_by_an_older_image() {
    let mut scene = Scene::new(Policy::EverySecond);
    scene.add("a");
    assert!(scene.appender.flush(T0).unwrap());
    assert_eq!(scene.appender.switch_to(scene.files.append(Path::new("g")).unwrap(), 0), Some(1));
    let cut = scene.appender.taken();
    scene.appender.synced(T0, Ok(())).unwrap();
    scene.add("b");
    assert_eq!(scene.turn(T0 + 1000).sync, Some(2));
    scene.appender.synced(T0 + 1000, Err(eio())).unwrap();
    scene.appender.saved_elsewhere(cut);
    assert!(scene.appender.is_tainted());
    assert_eq!(scene.appender.on_disk(), 1);
}

/// Whatever happens to each operation, the file holds a prefix of what was taken, cut between commands or continued, and what
/// was said to be on disk survives a power cut.
#[test]
fn no_fault_breaks_a_promise() {
    const COMMANDS: [&str; 4] = ["<one>", "<two two>", "<three>", "<four four four>"];
    for policy in [Policy::Always, Policy::EverySecond] {
        for fault in [Fault::Error(libc::EIO), Fault::Error(libc::ENOSPC), Fault::ShortWrite, Fault::PowerCut] {
            for stop in 0..20 {
                let mut scene = Scene::new(policy);
                scene.files.sync_folder(Path::new(".")).unwrap();
                scene.files.fail_at(scene.files.operations() + stop, fault);
                let (mut now, mut promised, mut sync) = (T0, 0, scene.files.append(Path::new("f")).unwrap());
                let mut text = String::new();
                for command in COMMANDS {
                    scene.add(command);
                    text.push_str(command);
                    now = now + 1000;
                    let Ok(wanted) = scene.appender.turn(now) else { break };
                    if wanted.sync.is_some() && scene.appender.synced(now, sync.sync_data()).is_err() {
                        break;
                    }
                    promised = scene.appender.on_disk() as usize;
                }
                let after = read_whole(&scene.files.after_power_cut(), Path::new("f"), 1000).unwrap();
                let after = String::from_utf8(after).unwrap();
                assert!(text.starts_with(&after), "{policy:?} {fault:?} {stop}: {after}");
                assert!(after.len() >= promised, "{policy:?} {fault:?} {stop}: {after} of {promised}");
            }
        }
    }
}

#[test]
fn a_sync_can_wait_for_company() {
    let mut scene = Scene::new(Policy::Always);
    scene.appender.gather_until(Some(T0 + 2));
    scene.add("a");
    assert_eq!(scene.turn(T0), Wanted { sync: None, next: Some(T0 + 2) });
    assert_eq!((scene.content().as_str(), scene.appender.safe()), ("a", 0), "written, and nobody is told");
    scene.add("b");
    assert_eq!(scene.turn(T0 + 2).sync, Some(2));
}
