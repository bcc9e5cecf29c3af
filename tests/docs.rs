//! The shipped config files say what the declarations say, and work.
//!
//! After changing a declaration: `RREDIS_WRITE_DOCS=1 cargo test --test docs`, then look at the difference and commit it.

use std::collections::BTreeSet;
use std::path::Path;

use rredis::base::files::RealFiles;
use rredis::config::document;
use rredis::config::file::{Loaded, Loader, Mode};
use rredis::config::table;

fn shipped(name: &str, declared: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("RREDIS_WRITE_DOCS").is_some() {
        std::fs::write(&path, declared).expect("the file can be written");
    }
    std::fs::read_to_string(&path).expect("the file is there")
}

fn load(mode: Mode, text: &str) -> Loaded {
    let mut loader = Loader::new(&RealFiles, mode);
    loader.text("shipped", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    loader.finish().unwrap_or_else(|error| panic!("{error}"))
}

/// The settings shown as defaults: lines with a `#` and no blank behind it. Those with `<…>` show a shape, not a value.
fn shown_defaults(text: &str) -> Vec<&str> {
    let shown = text.lines().filter_map(|line| line.strip_prefix('#'));
    shown.filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase())).collect()
}

#[test]
fn the_files_are_those_of_the_declarations() {
    for (name, declared) in [("redis.conf", document::redis_conf()), ("sentinel.conf", document::sentinel_conf())] {
        let is_current = shipped(name, &declared) == declared;
        assert!(is_current, "{name} is out of date: RREDIS_WRITE_DOCS=1 cargo test --test docs");
    }
}

#[test]
fn both_files_can_be_used_as_they_are() {
    let server = load(Mode::Server, &shipped("redis.conf", &document::redis_conf()));
    assert_eq!(server.config, Mode::Server.defaults());
    let sentinel = load(Mode::Sentinel, &shipped("sentinel.conf", &document::sentinel_conf()));
    assert_eq!(sentinel.config, Mode::Sentinel.defaults());
    assert_eq!(sentinel.sentinel.len(), 1);
}

#[test]
fn what_is_shown_as_a_default_is_the_default() {
    let text = shipped("redis.conf", &document::redis_conf());
    let lines: Vec<&str> = shown_defaults(&text).into_iter().filter(|line| !line.contains('<')).collect();
    let loaded = load(Mode::Server, &lines.join("\n"));
    assert!(loaded.not_in_effect.is_empty(), "{:?}", loaded.not_in_effect);
    let mut config = loaded.config;
    config.process.dir.clear(); // `.` is a way to say: where we are.
    assert_eq!(config, Mode::Server.defaults());

    let text = shipped("sentinel.conf", &document::sentinel_conf());
    let lines: Vec<&str> = shown_defaults(&text).into_iter().filter(|line| !line.contains('<')).collect();
    load(Mode::Sentinel, &format!("sentinel monitor mymaster 127.0.0.1 6379 2\n{}", lines.join("\n")));
}

#[test]
fn every_directive_in_effect_is_shown_and_no_other() {
    let text = shipped("redis.conf", &document::redis_conf());
    let shown: BTreeSet<&str> = shown_defaults(&text).iter().filter_map(|line| line.split(' ').next()).collect();
    let declared: BTreeSet<&str> = table::all().filter(|d| document::is_documented(d)).map(|d| d.name).collect();
    assert_eq!(shown, declared);
}
