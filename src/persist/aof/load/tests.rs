//! Loading AOFs from a disk in memory; commands are noted instead of executed.

use std::path::Path;

use super::*;
use crate::base::files::memory::MemoryFiles;
use crate::base::files::read_whole;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::persist::aof::manifest::Entry;

/// Notes commands; knows MULTI and EXEC, and that BLA is none.
struct Notes {
    seen: Vec<String>,
    queued: Option<Vec<String>>,
    /// First arguments in the order in which they were announced.
    expected: Vec<String>,
    keyspace: Keyspace,
}

impl Replay for Notes {
    fn run(&mut self, args: &Args<'_>) -> Result<(), Refused> {
        let words: Vec<String> = args.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        match (words[0].as_str(), &mut self.queued) {
            ("BLA", _) => return Err(Refused::Unknown),
            ("WRONG", _) => return Err(Refused::Failed("ERR no".into())),
            ("MULTI", queued) => *queued = Some(Vec::new()),
            ("EXEC", queued) => self.seen.extend(queued.take().unwrap_or_default()),
            (_, Some(queued)) => queued.push(words.join(" ")),
            (_, None) => self.seen.push(words.join(" ")),
        }
        Ok(())
    }

    fn expect(&mut self, args: &Args<'_>) {
        self.expected.extend((args.len() > 1).then(|| String::from_utf8_lossy(args.get(1)).into_owned()));
    }

    fn fetch_expected(&mut self) {}

    fn is_in_multi(&mut self) -> bool {
        self.queued.is_some()
    }

    fn libraries(&mut self, texts: &[bytes::Bytes]) -> Result<(), String> {
        assert!(texts.is_empty());
        Ok(())
    }

    fn keyspace(&mut self) -> &mut Keyspace {
        &mut self.keyspace
    }
}

fn command(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes()));
    bytes
}

fn commands(all: &[&str]) -> Vec<u8> {
    all.iter().flat_map(|words| command(words)).collect()
}

struct Scene {
    files: MemoryFiles,
    manifest: Manifest,
    settings: Settings,
}

impl Scene {
    /// A base and files of changes with these contents.
    fn new(base: Option<&[u8]>, incr: &[&[u8]]) -> Scene {
        let files = MemoryFiles::new();
        files.create_folder(Path::new("/d")).unwrap();
        let mut manifest = Manifest::default();
        let put = |entry: &Entry, content: &[u8]| {
            files.create(&entry.path(Path::new("/d"))).unwrap().write_all(content).unwrap();
        };
        if let Some(content) = base {
            let entry = manifest.next_base(b"a", false);
            put(&entry, content);
            manifest = manifest.with_base(entry);
        }
        for content in incr {
            let entry = manifest.next_incr(b"a");
            put(&entry, content);
            manifest = manifest.with_incr(entry);
        }
        let rules = Rules {
            verify_checksum: true,
            drop_expired: false,
            replace: false,
            bytes_there: 0,
            now: UnixMillis(0),
            limits: Default::default(),
        };
        Scene {
            files,
            manifest,
            settings: Settings { accepts_cut_end: true, key_delay: 0, restore_to: None, backlog: 1000, rules },
        }
    }

    fn load(&self) -> (Vec<String>, Result<Option<Load>, Failure>) {
        let folder = Folder { outer: "/".into(), path: "/d".into(), prefix: b"a".to_vec() };
        let files = Arc::new(self.files.clone());
        let begun = Load::begin(files, &folder, &self.manifest, self.settings, 0, Arc::new(|| {}));
        let mut notes =
            Notes { seen: Vec::new(), queued: None, expected: Vec::new(), keyspace: Keyspace::new(16, Rng::seeded(1)) };
        let result = begun.and_then(|load| match load {
            None => Ok(None),
            Some(mut load) => load.run(&mut notes, &mut || 0).map(|()| Some(load)),
        });
        (notes.seen, result)
    }

    fn seen(&self) -> Vec<String> {
        let (seen, result) = self.load();
        result.unwrap();
        seen
    }

    fn failure(&self) -> String {
        self.load().1.err().expect("this cannot be loaded").to_string()
    }

    fn size(&self, name: &str) -> u64 {
        self.files.size(&Path::new("/d").join(name)).unwrap().unwrap()
    }
}

#[test]
fn all_files_are_read_in_the_order_of_the_manifest() {
    let scene = Scene::new(Some(&command("SET a 1")), &[&command("SET b 2"), b"", &command("SET c 3")]);
    assert_eq!(scene.seen(), ["SET a 1", "SET b 2", "SET c 3"]);
    let load = scene.load().1.unwrap().unwrap();
    assert_eq!((load.loaded_bytes(), load.base_bytes()), (load.total_bytes(), 27));
    assert!(Scene::new(None, &[]).load().1.unwrap().is_none());
    assert!(Scene::new(None, &[b""]).seen().is_empty());
}

#[test]
fn slices_give_the_same_as_all_at_once() {
    let all: Vec<String> = (0..5000).map(|i| format!("SET key:{i} {}", "v".repeat(i % 300))).collect();
    let content = commands(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let scene = Scene::new(None, &[&content]);
    let folder = Folder { outer: "/".into(), path: "/d".into(), prefix: b"a".to_vec() };
    let files = Arc::new(scene.files.clone());
    let mut load = Load::begin(files, &folder, &scene.manifest, scene.settings, 0, Arc::new(|| {})).unwrap().unwrap();
    let mut notes =
        Notes { seen: Vec::new(), queued: None, expected: Vec::new(), keyspace: Keyspace::new(16, Rng::seeded(1)) };
    let (mut us, mut slices) = (0, 0);
    loop {
        let mut clock = || {
            us += 300;
            us
        };
        match load.step(&mut notes, &mut clock).unwrap() {
            LoadProgress::Done(_) => break,
            LoadProgress::More => slices += 1,
            LoadProgress::Waiting => std::thread::yield_now(),
            LoadProgress::Until(_) => panic!("no delay was asked for"),
        }
    }
    assert_eq!(notes.seen, all);
    assert!(slices > 10, "{slices}");
    // Each key was announced once, however the file was cut into slices and blocks.
    assert_eq!(notes.expected, (0..5000).map(|i| format!("key:{i}")).collect::<Vec<_>>());
}

#[test]
fn a_missing_file_is_named() {
    let scene = Scene::new(None, &[b"", b""]);
    scene.files.remove(Path::new("/d/a.1.incr.aof")).unwrap();
    assert!(scene.failure().contains("a.1.incr.aof doesn't exist: No such file or directory"), "{}", scene.failure());
}

/// Wherever the last file is cut, what is whole is loaded and the rest is taken off; the second load finds nothing wrong.
#[test]
fn a_cut_end_of_the_last_file_is_taken_off() {
    let content = commands(&["SET a 1", "MULTI", "SET b 2", "SET c 3", "EXEC", "SET d 4"]);
    for cut in 0..content.len() {
        let scene = Scene::new(Some(&command("SET base 0")), &[&content[..cut]]);
        let seen = scene.seen();
        let after = scene.size("a.1.incr.aof");
        assert!(after <= cut as u64);
        assert!([1, 2, 4].contains(&seen.len()), "{cut}: {seen:?}");
        assert_eq!(scene.seen(), seen, "{cut}");
        assert_eq!(scene.size("a.1.incr.aof"), after);

        let mut strict = Scene::new(None, &[&content[..cut]]);
        strict.settings.accepts_cut_end = false;
        match strict.load().1 {
            Ok(_) => assert_eq!(after, cut as u64, "{cut}"),
            Err(error) => {
                assert!(error.to_string().starts_with("Unexpected end of file reading"), "{error}");
                assert_eq!(strict.size("a.1.incr.aof"), cut as u64, "the file is as it was");
            }
        }
    }
}

#[test]
fn a_cut_file_that_is_not_the_last_one_is_fatal_and_left_alone() {
    let content = command("SET a 1");
    let scene = Scene::new(None, &[&content[..10], &command("SET b 2")]);
    assert_eq!(scene.failure(), "Fatal error: the truncated file is not the last file");
    assert_eq!(scene.size("a.1.incr.aof"), 10);
}

#[test]
fn nonsense_is_told_with_its_place() {
    let mut content = command("SET a 1");
    content.extend_from_slice(b"!!!");
    let error = Scene::new(None, &[&content]).failure();
    assert!(error.contains("Bad file format reading the append only file a.1.incr.aof at offset 27 "), "{error}");
    let error = Scene::new(None, &[b"x"]).failure();
    assert!(error.contains("Bad file format") && error.contains("at offset 0"), "{error}");
    let error = Scene::new(None, &[&commands(&["SET a 1", "BLA x"])]).failure();
    assert_eq!(error, "Unknown command 'BLA' reading the append only file a.1.incr.aof (at offset 27)");
    let error = Scene::new(None, &[&commands(&["SET a 1", "WRONG x"])]).failure();
    assert_eq!(
        error,
        "Command 'WRONG' answered 'ERR no' reading the append only file a.1.incr.aof (at offset 27), and \
         propagation-error-behavior is panic"
    );
}

#[test]
fn annotations_are_skipped_and_time_stamps_can_stop_loading() {
    let mut content = b"#TS:100\r\n".to_vec();
    content.extend_from_slice(&command("SET a 1"));
    content.extend_from_slice(b"#whatever\r\n#TS:200\r\n");
    content.extend_from_slice(&command("SET b 2"));
    content.extend_from_slice(b"#TS:300\r\n");
    let mut scene = Scene::new(None, &[&content]);
    assert_eq!(scene.seen(), ["SET a 1", "SET b 2"]);
    scene.settings.restore_to = Some(199);
    assert_eq!(scene.seen(), ["SET a 1"]);
    let report = scene.load().1.unwrap().unwrap().restore_report().join("\n");
    assert!(report.contains("Left out: 45 bytes of a.1.incr.aof from offset 47 on."), "{report}");
    scene.settings.restore_to = Some(200);
    assert_eq!(scene.seen(), ["SET a 1", "SET b 2"]);
    scene.settings.restore_to = Some(300);
    assert_eq!(scene.seen(), ["SET a 1", "SET b 2"]);
    scene.settings.restore_to = Some(99);
    assert!(scene.failure().contains("nothing in the append only file is known to be of that moment"));
}

/// Going back changes no file, also where the end of one is cut off or missing; a transaction counts as a whole.
#[test]
fn going_back_to_a_moment_leaves_every_file_as_it_is() {
    let first = [&b"#TS:100\r\n"[..], &command("SET a 1")].concat();
    let open = [&first[..], &command("MULTI"), &command("SET b 2"), b"#TS:200\r\n", &command("EXEC")].concat();
    let with = |files: &[&[u8]], to| {
        let mut scene = Scene::new(None, files);
        scene.settings.restore_to = Some(to);
        let seen = scene.seen();
        for (number, content) in files.iter().enumerate() {
            assert_eq!(scene.size(&format!("a.{}.incr.aof", number + 1)), content.len() as u64);
        }
        (seen, scene.load().1.unwrap().unwrap().restore_report().join("\n"))
    };
    let (seen, report) = with(&[&open, b"whatever"], 150);
    assert_eq!(seen, ["SET a 1"]);
    let left = format!("Left out: {} bytes of a.1.incr.aof from offset {} on.", open.len() - first.len(), first.len());
    assert!(report.contains(&left) && report.contains("Left out: a.2.incr.aof with 8 bytes."), "{report}");
    assert_eq!(with(&[&open], 200).0, ["SET a 1", "SET b 2"]);
    let (seen, report) = with(&[&open[..open.len() - 3]], 500);
    assert_eq!(seen, ["SET a 1"]);
    assert!(report.contains(&format!("a.1.incr.aof from offset {} on", first.len())), "{report}");
    let second = [after_line(b"a.1.incr.aof", 1000), command("SET c 3")].concat();
    assert_eq!(with(&[&first, &second], 500).0, ["SET a 1"]);
    let mut scene = Scene::new(None, &[&command("SET a 1")]);
    scene.settings.restore_to = Some(500);
    assert!(scene.failure().contains("no time stamps (aof-timestamp-enabled)"), "{}", scene.failure());
}

#[test]
fn the_place_in_the_replication_stream_counts_only_when_nothing_follows() {
    let facts = ReplFacts { stream_db: 2, id: crate::base::id::HexId::parse(&[b'a'; 40]).unwrap(), offset: 77 };
    let mut content = command("SET a 1");
    content.extend_from_slice(format!("#RREDIS-REPL:{}:77:2\r\n", facts.id).as_bytes());
    let position = |content: &[u8]| Scene::new(None, &[content]).load().1.unwrap().unwrap().position();
    assert_eq!(position(&content), Some(facts));
    content.extend_from_slice(&command("SET b 1"));
    assert_eq!(position(&content), None);
}

/// A master's file is its stream: wherever it is cut, the place that is read belongs to what was executed.
#[test]
fn the_place_in_a_masters_stream_is_counted() {
    let id = crate::base::id::HexId::parse(&[b'a'; 40]).unwrap();
    let head = format!("#RREDIS-STREAM:{id}:1000:0\r\n").into_bytes();
    let words = ["SET a 1", "SELECT 3", "MULTI", "SET b 2", "EXEC", "SET c 3"];
    let stream = commands(&words);
    let content = [&head[..], &stream].concat();
    let ends: Vec<usize> = [1, 2, 5, 6].iter().map(|&count| commands(&words[..count]).len()).collect();
    for cut in head.len()..=content.len() {
        let load = Scene::new(None, &[&content[..cut]]).load().1.unwrap().unwrap();
        let executed = ends.iter().copied().filter(|end| *end <= cut - head.len()).max().unwrap_or(0);
        let db = if executed > ends[0] { 3 } else { 0 };
        let expected = ReplFacts { stream_db: db, id, offset: 1000 + executed as i64 };
        assert_eq!(load.position(), Some(expected), "{cut}");
        assert_eq!(load.last_bytes(), &stream[..executed], "{cut}");
    }
}

#[test]
fn a_base_that_begins_like_an_image_is_one() {
    let scene = Scene::new(Some(b"REDIS0011"), &[]);
    let error = scene.failure();
    assert_eq!(error, "Error reading the RDB preamble of the AOF file a.1.base.aof, AOF loading aborted");
    assert!(read_whole(&scene.files, Path::new("/d/a.1.base.aof"), 100).unwrap() == b"REDIS0011");
}

/// A power cut can leave the size of what was written without its content.
#[test]
fn zeros_at_the_end_of_the_last_file_are_a_cut_end() {
    let good = commands(&["SET a 1", "SET b 2"]);
    for cut in 0..good.len() {
        let mut content = good[..cut].to_vec();
        content.resize(cut + 5000, 0);
        let scene = Scene::new(None, &[&content]);
        let seen = scene.seen();
        assert_eq!(seen.len(), cut / 27, "{cut}: {seen:?}");
        assert_eq!(scene.size("a.1.incr.aof"), 27 * (cut as u64 / 27));
        content.push(b'x');
        assert!(Scene::new(None, &[&content]).failure().contains("Bad file format"), "{cut}");
    }
}

/// A power cut took the end of the first file, and left the beginning of the second.
#[test]
fn what_lies_behind_a_gap_is_cut_off() {
    let (first, second) = (commands(&["SET a 1", "SET b 2"]), commands(&["SET c 3"]));
    let second = [after_line(b"a.1.incr.aof", first.len() as u64), second].concat();
    let whole = Scene::new(None, &[&first, &second, &command("SET d 4")]);
    assert_eq!(whole.seen(), ["SET a 1", "SET b 2", "SET c 3", "SET d 4"]);
    let cut = Scene::new(None, &[&first[..27], &second, &command("SET d 4")]);
    assert_eq!(cut.seen(), ["SET a 1"]);
    assert_eq!((cut.size("a.2.incr.aof"), cut.size("a.3.incr.aof")), (0, 0));
    assert_eq!(cut.seen(), ["SET a 1"]);
    // The same in the middle of a command, with zeros behind it, and with an empty file in between.
    let torn = [&first[..40], &[0; 14]].concat();
    for cut in [&first[..40], &torn] {
        let scene = Scene::new(None, &[cut, b"", &second]);
        assert_eq!(scene.seen(), ["SET a 1"]);
        assert_eq!((scene.size("a.1.incr.aof"), scene.size("a.3.incr.aof")), (27, 0));
    }
    let mut strict = Scene::new(None, &[&first[..27], &second]);
    strict.settings.accepts_cut_end = false;
    assert_eq!(strict.failure(), "Fatal error: a file of the AOF has lost its end");
    // The first one is gone since a rewrite: nobody misses it.
    assert_eq!(Scene::new(Some(&first[..27]), &[&second]).seen(), ["SET a 1", "SET c 3"]);
}
