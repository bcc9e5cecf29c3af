//! What a snapshot and a load cost, without a server around them.
//!
//! `cargo bench --bench snapshot -- file.rdb` only loads a file; `-- [keys] [value bytes]` fills a keyspace, takes a snapshot into a file in the temporary
//! folder by slices, loads it again, and prints time and CPU per key of the data thread, and the longest slice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rredis::base::cpus::Work;
use rredis::base::files::RealFiles;
use rredis::base::rng::Rng;
use rredis::base::time::UnixMillis;
use rredis::data::Limits;
use rredis::data::string::NewStr;
use rredis::keyspace::Keyspace;
use rredis::persist::file_load::{FileLoad, LoadProgress};
use rredis::persist::rdb_file::{Footer, Plan};
use rredis::persist::rdb_load::Rules;
use rredis::persist::snapshot::{Progress, Settings, Snapshot};
use rredis::persist::writer::{Flow, Report, Writer};
use rredis::rdb::header::Header;

fn main() {
    if let Some(path) = std::env::args().find(|arg| arg.ends_with(".rdb")) {
        return load(&PathBuf::from(path));
    }
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u64>().ok());
    let (keys, len) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(16) as usize);
    let epoch = Instant::now();
    let mut clock = || epoch.elapsed().as_micros() as u64;
    let now = UnixMillis(1_700_000_000_000);
    let folder: PathBuf = std::env::temp_dir();
    let path = folder.join(format!("rredis-bench-{}.rdb", std::process::id()));

    let mut keyspace = Keyspace::new(16, Rng::seeded(1));
    let mut rng = Rng::seeded(2);
    let (started, cpu) = (clock(), cpu_ns());
    for number in 0..keys {
        let mut value = format!("{:016x}", rng.next_u64()).into_bytes();
        value.resize(len, b'x');
        let key = format!("key:{number:012}").into_bytes();
        keyspace.insert_loaded(0, keyspace.hash(&key), &key, NewStr::Text(&value).into(), None, 0);
    }
    report("fill", keys, clock() - started, cpu_ns() - cpu);

    let plan = Plan {
        path: path.clone(),
        claim: None,
        temporary: folder.join(format!("rredis-bench-temp-{}.rdb", std::process::id())),
        compress: true,
        footer: Footer::Checksum,
        incremental_fsync: false,
    };
    let header = Header {
        redis_version: "7.2.6".into(),
        created: now,
        used_memory: 0,
        repl: None,
        is_aof_base: false,
        libraries: Vec::new(),
    };
    let (started, cpu) = (clock(), cpu_ns());
    let settings = Settings { compress: true, ..Settings::default() };
    let mut snapshot = Snapshot::begin(&mut keyspace, &header, settings, started);
    let writer = Writer::file(Arc::new(RealFiles), plan, Work::Save, Arc::new(|| {}));
    let mut added_peak = 0;
    loop {
        snapshot.give_buffers(&mut keyspace, || writer.buffer());
        let progress = snapshot.step(&mut keyspace, writer.under_way() >= Flow::HIGH, &mut clock);
        added_peak = added_peak.max(snapshot.figures(&mut keyspace).waiting_bytes + writer.memory());
        while let Some(chunk) = snapshot.take(&mut keyspace) {
            writer.add(chunk);
        }
        match progress {
            Progress::Done => break,
            Progress::Waiting => std::thread::sleep(std::time::Duration::from_micros(200)),
            Progress::More | Progress::Until(_) => {}
        }
    }
    let figures = snapshot.figures(&mut keyspace);
    snapshot.end(&mut keyspace);
    writer.finish();
    report("save: data thread", keys, clock() - started, cpu_ns() - cpu);
    let Some(Report::Done { bytes }) = writer.wait() else { panic!("the file was not written") };
    report("save: until the file is in place", keys, clock() - started, cpu_ns() - cpu);
    println!("  longest slice {} us, most memory {} bytes, file {bytes} bytes", figures.slice_max_us, added_peak);
    drop(keyspace);

    load(&path);
    let _ = std::fs::remove_file(path);
}

fn load(path: &Path) {
    let epoch = Instant::now();
    let mut clock = || epoch.elapsed().as_micros() as u64;
    let now = UnixMillis(1_700_000_000_000);
    let mut keyspace = Keyspace::new(16, Rng::seeded(3));
    let limits = Limits::default();
    let rules = Rules { verify_checksum: true, drop_expired: true, replace: false, bytes_there: 0, now, limits };
    let (started, cpu) = (clock(), cpu_ns());
    let mut load = FileLoad::open(&RealFiles, path, rules, 0, started, Arc::new(|| {})).expect("just written");
    let (mut slice_max, mut waited) = (0, 0);
    let keys = loop {
        let before = clock();
        let progress = load.step(&mut keyspace, &mut clock).expect("just written");
        slice_max = slice_max.max(clock() - before);
        match progress {
            LoadProgress::Done(loaded) => {
                break loaded.keys;
            }
            LoadProgress::Waiting => {
                std::thread::sleep(std::time::Duration::from_micros(200));
                waited += clock() - before;
            }
            LoadProgress::More | LoadProgress::Until(_) => {}
        }
    };
    report("load", keys, clock() - started, cpu_ns() - cpu);
    println!("  longest slice {slice_max} us, {waited} us waiting for the disk");
}

/// Nanoseconds that this thread has been on a processor: other work on the machine does not count.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn report(what: &str, keys: u64, wall_us: u64, cpu_ns: u64) {
    let (wall, cpu) = (wall_us as f64 * 1000.0 / keys as f64, cpu_ns as f64 / keys as f64);
    println!("{what}: {wall:.0} ns per key, {cpu:.0} ns of them on this thread's processor");
}
