//! The drivers of saving, loading and receiving, on a disk in memory and without sockets.

use std::path::Path;
use std::sync::Arc;

use crate::base::files::memory::{Fault, MemoryFiles};
use crate::base::files::{Files, read_whole};
use crate::base::time::Instant;
use crate::config::values::{DisklessLoad, SavePoint};
use crate::data::string::{NewStr, Str};
use crate::keyspace::{Access, Event, Expiry, FlushMode, Keyspace};
use crate::server::drivers::loading::{Loading, Turned, load_now, rules};
use crate::server::drivers::saves::{Clocks, Happened, Snapshots, Target};
use crate::server::drivers::transfer::{Advance, Transfer};
use crate::testkit::stage::Stage;

struct Scene {
    stage: Stage,
    files: MemoryFiles,
    snapshots: Snapshots,
}

impl Scene {
    fn new() -> Scene {
        let stage = Stage::default();
        let files = MemoryFiles::new();
        let snapshots = Snapshots::new(Arc::new(files.clone()), Arc::new(|| {}), 77, stage.engine.now);
        Scene { stage, files, snapshots }
    }

    /// A scene with data, and with `changes` changes since the last save.
    fn with_keys(keys: u32) -> Scene {
        let mut scene = Scene::new();
        (0..keys).for_each(|i| scene.set(format!("key:{i}").as_bytes(), b"value"));
        scene
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        put(&mut self.stage.engine.keyspace, key, value);
        self.stage.engine.dirty_since_save += 1;
    }

    fn begin(&mut self, target: Target) {
        self.snapshots.begin(&mut self.stage.engine, target, None);
    }

    fn turn(&mut self) -> Vec<Happened> {
        let mut happened = Vec::new();
        let mut us = 0;
        let mut clock = || {
            us += 10;
            us
        };
        let clocks = Clocks { wall: &mut clock, cpu: &mut || 0 };
        self.snapshots.turn(&mut self.stage.engine, 0, clocks, &mut happened);
        happened
    }

    /// Turns until the running snapshot has ended. What was streamed, and whether it ended well.
    fn finish(&mut self) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        loop {
            for event in self.turn() {
                match event {
                    Happened::Piece(piece) => bytes.extend_from_slice(&piece),
                    Happened::Ended { ok, .. } => return (bytes, ok),
                }
            }
            std::thread::yield_now();
        }
    }

    fn save_now(&mut self) -> bool {
        self.snapshots.save_now(&mut self.stage.engine, None, &mut || 0, &mut |_| true).is_ok()
    }

    fn is_due(&self) -> bool {
        self.snapshots.is_due(&self.stage.engine)
    }

    fn load(&mut self) -> bool {
        let engine = &mut self.stage.engine;
        let Some(mut loading) = Loading::begin(engine, &self.snapshots, true).unwrap() else { return false };
        assert!(engine.facts.is_loading);
        loop {
            match loading.turn(engine, &mut self.snapshots, &mut || 0) {
                Turned::Loading(_) => std::thread::yield_now(),
                Turned::Loaded(facts) => {
                    assert_eq!(facts.redis_version.as_deref(), Some("0"));
                    assert!(!engine.facts.is_loading);
                    return true;
                }
                Turned::Failed => return false,
            }
        }
    }
}

fn put(keyspace: &mut Keyspace, key: &[u8], value: &[u8]) {
    let now = crate::base::time::UnixMillis(0);
    keyspace.db(0, Access::master(now)).put(key, NewStr::Text(value), Expiry::Clear, Event::SET);
}

fn get(keyspace: &mut Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    let now = crate::base::time::UnixMillis(0);
    keyspace.db(0, Access::master(now)).read::<Str>(key).unwrap().map(|view| view.to_vec())
}

#[test]
fn what_was_saved_in_the_background_is_loaded_again() {
    let mut scene = Scene::with_keys(5000);
    scene.begin(Target::File);
    scene.turn();
    scene.set(b"key:1", b"changed after the beginning");
    assert_eq!(scene.finish(), (vec![], true));
    assert_eq!(scene.stage.engine.dirty_since_save, 1, "what came later is still to be saved");
    assert_eq!(scene.files.list(Path::new(".")).unwrap(), ["dump.rdb"]);
    let record = &scene.snapshots.record;
    assert!(record.is_last_ok && record.saves == 1 && record.last_seconds == Some(0));

    scene.stage.engine.keyspace.flush_all(FlushMode::Sync);
    assert!(scene.load());
    assert_eq!(scene.stage.engine.keyspace.len(), 5000);
    assert_eq!(get(&mut scene.stage.engine.keyspace, b"key:1").unwrap(), b"value");
    assert_eq!(scene.snapshots.record.load_keys_loaded, 5000);
}

#[test]
fn without_a_file_there_is_nothing_to_load_and_a_damaged_one_is_refused() {
    let mut scene = Scene::with_keys(100);
    assert!(!scene.load());
    assert!(scene.save_now());
    scene.stage.engine.keyspace.flush_all(FlushMode::Sync);
    scene.files.append(Path::new("dump.rdb")).unwrap().set_size(500).unwrap();
    assert!(!scene.load());
    let rules = rules(&scene.stage.engine, true, true);
    let error = load_now(&mut scene.stage.engine, &mut scene.snapshots, rules).unwrap_err();
    assert_eq!(error, "unexpected end: what begins at offset 495 is not complete");
}

#[test]
fn a_failed_save_stops_writes_until_one_succeeds() {
    let mut scene = Scene::with_keys(10);
    scene.files.fail_at(scene.files.operations() + 1, Fault::Error(libc::ENOSPC));
    scene.begin(Target::File);
    assert!(!scene.finish().1);
    assert!(!scene.snapshots.record.is_last_ok && scene.stage.engine.facts.is_save_failing);
    assert_eq!(scene.stage.engine.dirty_since_save, 10);
    assert!(scene.files.list(Path::new(".")).unwrap().is_empty(), "no litter");

    scene.stage.engine.config.persistence.stop_writes_on_bgsave_error = false;
    scene.snapshots.refresh_gate(&mut scene.stage.engine);
    assert!(!scene.stage.engine.facts.is_save_failing);
    scene.stage.engine.config.persistence.stop_writes_on_bgsave_error = true;
    scene.snapshots.refresh_gate(&mut scene.stage.engine);
    assert!(scene.stage.engine.facts.is_save_failing);

    scene.begin(Target::File);
    assert!(scene.finish().1);
    assert!(!scene.stage.engine.facts.is_save_failing);
}

#[test]
fn save_points_ask_for_a_save_when_both_numbers_are_reached() {
    let mut scene = Scene::with_keys(10);
    scene.stage.engine.config.persistence.save = vec![SavePoint { seconds: 60, changes: 11 }];
    scene.stage.advance(61_000);
    assert!(!scene.is_due(), "one change is missing");
    scene.set(b"one", b"more");
    assert!(scene.is_due());
    scene.begin(Target::File);
    assert!(!scene.is_due(), "one is running");
    scene.finish();
    assert!(!scene.is_due());
    (0..20).for_each(|_| scene.set(b"one", b"more"));
    scene.stage.advance(60_000);
    assert!(!scene.is_due(), "more than sixty seconds, not sixty");
    scene.stage.advance(1000);
    assert!(scene.is_due());
    scene.stage.engine.facts.is_loading = true;
    assert!(!scene.is_due());
}

#[test]
fn after_a_failure_the_next_try_waits_five_seconds() {
    let mut scene = Scene::with_keys(1);
    scene.stage.engine.config.persistence.save = vec![SavePoint { seconds: 0, changes: 1 }];
    scene.stage.advance(1000);
    scene.files.fail_at(0, Fault::Error(libc::EACCES));
    scene.begin(Target::File);
    assert!(!scene.finish().1);
    scene.stage.advance(5000);
    assert!(!scene.is_due());
    scene.stage.advance(1000);
    assert!(scene.is_due());
}

#[test]
fn a_scheduled_save_begins_when_nothing_is_in_its_way() {
    let mut scene = Scene::with_keys(1);
    scene.begin(Target::Stream { skip_keys: false });
    scene.snapshots.schedule();
    assert!(!scene.is_due());
    assert!(scene.finish().1);
    assert!(scene.is_due());
    scene.begin(Target::File);
    scene.finish();
    assert!(!scene.is_due(), "once");
}

#[test]
fn a_cancelled_save_is_no_failure_and_leaves_no_file() {
    let mut scene = Scene::with_keys(1000);
    scene.begin(Target::File);
    scene.turn();
    scene.snapshots.cancel(&mut scene.stage.engine);
    assert!(!scene.stage.engine.keyspace.is_cutting());
    assert!(scene.snapshots.record.is_last_ok && scene.snapshots.target().is_none());
    assert!(matches!(scene.turn()[..], [Happened::Ended { ok: false, target: Target::File }]));
    assert!(scene.turn().is_empty(), "told once");
    assert!(scene.save_now());
    assert_eq!(scene.stage.engine.dirty_since_save, 0);
    assert!(scene.load_again());
}

impl Scene {
    fn load_again(&mut self) -> bool {
        self.stage.engine.keyspace.flush_all(FlushMode::Sync);
        self.load()
    }

    /// A snapshot as a master streams it.
    fn streamed(&mut self) -> Vec<u8> {
        self.begin(Target::Stream { skip_keys: false });
        let (bytes, ok) = self.finish();
        assert!(ok);
        bytes
    }

    fn receive(&mut self, bytes: &[u8]) -> Option<u64> {
        let length = Some(bytes.len() as u64);
        let begun = Transfer::begin(&mut self.stage.engine, &mut self.snapshots, length, true);
        self.received(begun, bytes)
    }

    /// The same, in doubt whether there is anything in it.
    fn receive_guarded(&mut self, bytes: &[u8]) -> Option<u64> {
        let transfer = Transfer::guarded(&mut self.stage.engine, None, false);
        self.received((transfer, Advance::Going(None)), bytes)
    }

    fn received(&mut self, (mut transfer, mut advance): (Transfer, Advance), bytes: &[u8]) -> Option<u64> {
        let engine = &mut self.stage.engine;
        for piece in bytes.chunks(1000) {
            if !matches!(advance, Advance::Failed) {
                advance = transfer.payload(engine, &mut self.snapshots, piece);
            }
        }
        if !matches!(advance, Advance::Failed) {
            advance = transfer.done(engine, &mut self.snapshots);
        }
        loop {
            match advance {
                Advance::Going(_) | Advance::Replaces => {
                    std::thread::yield_now();
                    advance = transfer.turn(engine, &mut self.snapshots, &mut || 0);
                }
                Advance::Loaded { .. } => return Some(self.snapshots.record.load_keys_loaded),
                Advance::Failed | Advance::Refused => return None,
            }
        }
    }
}

#[test]
fn a_snapshot_of_a_master_takes_the_place_of_our_data_by_disk() {
    let bytes = Scene::with_keys(3000).streamed();
    let mut replica = Scene::with_keys(0);
    replica.set(b"old", b"data");
    assert_eq!(replica.receive(&bytes), Some(3000));
    assert_eq!(get(&mut replica.stage.engine.keyspace, b"old"), None);
    assert_eq!(get(&mut replica.stage.engine.keyspace, b"key:7").unwrap(), b"value");
    assert!(!replica.stage.engine.facts.is_loading);
    assert!(read_whole(&replica.files, Path::new("dump.rdb"), 1 << 30).unwrap() == bytes, "the file is the master's");
}

#[test]
fn a_snapshot_of_a_master_goes_straight_into_an_empty_keyspace_if_that_is_wanted() {
    let bytes = Scene::with_keys(3000).streamed();
    let mut replica = Scene::new();
    replica.stage.engine.config.replication.repl_diskless_load = DisklessLoad::OnEmptyDb;
    assert_eq!(replica.receive(&bytes), Some(3000));
    assert!(replica.files.list(Path::new(".")).unwrap().is_empty());
}

#[test]
fn a_delay_per_key_makes_a_load_from_the_socket_wait() {
    let bytes = Scene::with_keys(3000).streamed();
    for load in [DisklessLoad::OnEmptyDb, DisklessLoad::Swapdb] {
        let mut replica = Scene::new();
        let (engine, snapshots) = (&mut replica.stage.engine, &mut replica.snapshots);
        engine.config.replication.repl_diskless_load = load;
        engine.config.persistence.key_load_delay = 1000;
        let began = engine.now;
        let (mut transfer, _) = Transfer::begin(engine, snapshots, Some(bytes.len() as u64), true);
        assert!(!transfer.is_full(engine));

        // 3000 keys may not be there before 3000 ms have gone by, however early they came.
        transfer.payload(engine, snapshots, &bytes);
        let whole = Instant::from_millis((began.mono_us + 3_000_000).div_ceil(1000));
        assert!(transfer.is_full(engine));
        let ended = transfer.done(engine, snapshots);
        assert!(matches!(ended, Advance::Going(Some(next)) if next == whole), "{ended:?}");
        engine.now.mono_us = began.mono_us + 2_999_999;
        let early = transfer.turn(engine, snapshots, &mut || 0);
        assert!(matches!(early, Advance::Going(Some(next)) if next == whole), "{early:?}");
        engine.now.mono_us += 1;
        assert!(!transfer.is_full(engine));
        let over = transfer.turn(engine, snapshots, &mut || 0);
        assert!(matches!(over, Advance::Loaded { .. }), "{over:?}");
        assert_eq!(engine.keyspace.len(), 3000);
    }
}

#[test]
fn a_damaged_snapshot_of_a_master_leaves_nothing_half() {
    let mut bytes = Scene::with_keys(300).streamed();
    bytes[200] ^= 0x40;
    for load in [DisklessLoad::Disabled, DisklessLoad::OnEmptyDb, DisklessLoad::Swapdb] {
        let mut replica = Scene::new();
        replica.stage.engine.config.replication.repl_diskless_load = load;
        assert_eq!(replica.receive(&bytes), None);
        assert!(replica.stage.engine.keyspace.is_empty() && !replica.stage.engine.facts.is_loading);
        assert!(!replica.stage.engine.facts.is_loading_async);
    }
}

#[test]
fn a_full_disk_at_the_replica_keeps_its_old_data() {
    let bytes = Scene::with_keys(3000).streamed();
    let mut replica = Scene::new();
    replica.set(b"old", b"data");
    replica.files.set_capacity(Some(100));
    assert_eq!(replica.receive(&bytes), None);
    assert_eq!(get(&mut replica.stage.engine.keyspace, b"old").unwrap(), b"data");
}

#[test]
fn a_replica_without_persistence_keeps_no_file_when_told_so() {
    let bytes = Scene::with_keys(30).streamed();
    let mut replica = Scene::new();
    replica.stage.engine.config.persistence.save.clear();
    replica.stage.engine.config.persistence.rdb_del_sync_files = true;
    assert_eq!(replica.receive(&bytes), Some(30));
    assert!(replica.files.list(Path::new(".")).unwrap().is_empty());
}

#[test]
fn a_snapshot_loaded_aside_leaves_the_old_data_in_service_until_it_is_whole() {
    let bytes = Scene::with_keys(3000).streamed();
    for is_same_history in [true, false] {
        for is_lost in [true, false] {
            let mut replica = Scene::with_keys(0);
            replica.set(b"old", b"data");
            let engine = &mut replica.stage.engine;
            engine.config.replication.repl_diskless_load = DisklessLoad::Swapdb;
            let (mut transfer, advance) = Transfer::begin(engine, &mut replica.snapshots, None, is_same_history);
            assert!(matches!(advance, Advance::Going(None)));
            let (first, second) = bytes.split_at(bytes.len() / 2);
            transfer.payload(engine, &mut replica.snapshots, first);
            assert_eq!((engine.facts.is_loading, engine.facts.is_loading_async), (!is_same_history, is_same_history));
            assert_eq!(get(&mut engine.keyspace, b"old").unwrap(), b"data");
            assert!(transfer.load_figures(engine.now).unwrap().loaded_bytes > 0);
            if is_lost {
                transfer.abort(engine);
                assert_eq!((engine.keyspace.len(), get(&mut engine.keyspace, b"old").unwrap()), (1, b"data".to_vec()));
            } else {
                transfer.payload(engine, &mut replica.snapshots, second);
                let advance = transfer.done(engine, &mut replica.snapshots);
                assert!(matches!(advance, Advance::Loaded { is_swapped: true, .. }));
                assert_eq!((engine.keyspace.len(), get(&mut engine.keyspace, b"old")), (3000, None));
            }
            assert!(!engine.facts.is_loading && !engine.facts.is_loading_async);
            assert!(replica.files.list(Path::new(".")).unwrap().is_empty());
        }
    }
}

#[test]
fn a_guarded_replica_takes_data_in_and_leaves_nothing_out() {
    let (empty, full) = (Scene::new().streamed(), Scene::with_keys(30).streamed());
    for load in [DisklessLoad::Disabled, DisklessLoad::Swapdb] {
        let mut replica = Scene::new();
        replica.stage.engine.config.replication.repl_diskless_load = load;
        replica.set(b"old", b"data");
        let old = |replica: &mut Scene| get(&mut replica.stage.engine.keyspace, b"old");
        assert_eq!(replica.receive_guarded(&empty), None);
        assert_eq!(old(&mut replica).unwrap(), b"data");
        assert!(replica.files.list(Path::new(".")).unwrap().is_empty(), "no file was touched");
        assert_eq!(replica.receive_guarded(&empty[..empty.len() - 9]), None, "a cut end is no proof of anything");
        assert_eq!(replica.receive_guarded(&full), Some(30));
        assert_eq!((replica.stage.engine.keyspace.len(), old(&mut replica)), (30, None));
        assert!(!replica.stage.engine.facts.is_loading);
        // Who is not in doubt takes in an empty one, too.
        assert_eq!(replica.receive(&empty), Some(0));
        assert_eq!(replica.stage.engine.keyspace.len(), 0);
    }
}
