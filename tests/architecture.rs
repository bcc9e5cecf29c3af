//! The house rules that a compiler does not check: who may import whom, where unsafe code may be, and that public items
//! are documented. The table below is the one in ARCHITECTURE.md; a new arrow is a design change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → the modules it may import, besides itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("stats", &["base"]),
    ("resp", &["base"]),
    ("data", &["base"]),
    ("config", &["base"]),
    ("spec", &["base", "resp"]),
    ("pubsub", &["base", "resp"]),
    ("net", &["base", "resp", "stats"]),
    ("rdb", &["base", "data"]),
    ("keyspace", &["base", "data", "stats"]),
    ("repl", &["base", "resp", "stats"]),
    ("script", &["base", "resp"]),
    ("acl", &["base", "resp", "spec"]),
    ("persist", &["base", "resp", "data", "rdb", "keyspace", "stats"]),
    ("commands", &["base", "resp", "spec", "data", "rdb", "keyspace"]),
    ("session", &["base", "resp", "spec", "stats", "config", "acl", "pubsub"]),
    (
        "exec",
        &[
            "base", "resp", "spec", "stats", "config", "acl", "pubsub", "data", "keyspace", "session", "commands",
            "script",
        ],
    ),
    ("sentinel", &["base", "resp", "spec", "stats", "config", "acl", "pubsub", "net", "session"]),
    (
        "server",
        &[
            "base", "resp", "data", "config", "stats", "spec", "acl", "pubsub", "net", "keyspace", "rdb", "persist",
            "repl", "commands", "session", "exec",
        ],
    ),
    ("main", &["base", "config", "net", "server", "sentinel"]),
];

/// Where `unsafe` may be written; docs/unsafe.md says why for each.
const UNSAFE_ALLOWED: &[&str] = &[
    "base/alloc.rs",
    "base/cpus.rs",
    "base/crash.rs",
    "base/files/write_out.rs",
    "base/prefetch.rs",
    "base/title.rs",
    "data/intset.rs",
    "data/listpack/block.rs",
    "keyspace/entry.rs",
    "keyspace/table/",
    "script/debugger/inspect.rs",
    "script/door.rs",
    "script/stack.rs",
];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The text without comments, and without what only tests see (from `#[cfg(test)] mod` to the end of the file).
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    body.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_import_points_down() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        if name == "lib.rs" || name.starts_with("testkit/") || name.ends_with("/tests.rs") {
            continue;
        }
        let module = name.split(['/', '.']).next().unwrap();
        let allowed = table.get(module).unwrap_or_else(|| panic!("{name}: module {module} is not in the table"));
        let prefix = if module == "main" { "rredis::" } else { "crate::" };
        let code = code(&text);
        for (at, _) in code.match_indices(prefix) {
            let target: String =
                code[at + prefix.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if target != module && table.contains_key(target.as_str()) && !allowed.contains(&target.as_str()) {
                wrong.push(format!("{name} imports {target}"));
            }
        }
        if module != "main" {
            assert!(!code.contains("use crate::{"), "{name}: name the module in each `use crate::…` line");
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "imports against the table:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_cycle() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut done: Vec<&str> = Vec::new();
    while done.len() < table.len() {
        let ready: Vec<&str> = table
            .iter()
            .filter(|(module, needs)| !done.contains(*module) && needs.iter().all(|need| done.contains(need)))
            .map(|(module, _)| *module)
            .collect();
        assert!(
            !ready.is_empty(),
            "a cycle among {:?}",
            table.keys().filter(|m| !done.contains(*m)).collect::<Vec<_>>()
        );
        done.extend(ready);
    }
}

#[test]
fn unsafe_code_is_only_where_it_is_listed() {
    let listed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/unsafe.md")).unwrap();
    for (name, text) in sources() {
        let has_unsafe = code(&text).contains("unsafe {")
            || code(&text).contains("unsafe fn")
            || code(&text).contains("unsafe impl");
        let allowed = UNSAFE_ALLOWED.iter().any(|place| name.starts_with(place));
        assert!(!has_unsafe || allowed, "{name} contains unsafe code and is not in the list");
        if has_unsafe {
            let documented =
                listed.contains(&name) || listed.contains(name.rsplit_once('/').map_or("", |(folder, _)| folder));
            assert!(documented, "docs/unsafe.md does not speak of {name}");
            assert!(text.contains("SAFETY:"), "{name} has unsafe code without a proof");
        }
    }
}

#[test]
fn public_items_and_modules_are_documented() {
    let mut bare = Vec::new();
    for (name, text) in sources() {
        if name.ends_with("/tests.rs") {
            continue;
        }
        assert!(text.starts_with("//!"), "{name} does not say what it is");
        let body = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let lines: Vec<&str> = body.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let item = line.trim_start();
            let is_item = ["pub fn ", "pub struct ", "pub enum ", "pub trait ", "pub const fn "]
                .iter()
                .any(|start| item.starts_with(start));
            // What a macro makes gets its words from where the macro is used.
            if !is_item || item.contains('$') {
                continue;
            }
            let mut above = number;
            while above > 0
                && (lines[above - 1].trim_start().starts_with("#[") || lines[above - 1].trim_end().ends_with(")]"))
            {
                above -= 1;
            }
            if above == 0 || !lines[above - 1].trim_start().starts_with("///") {
                bare.push(format!("{name}:{}: {item}", number + 1));
            }
        }
    }
    assert!(bare.is_empty(), "public items without a word about them:\n{}", bare.join("\n"));
}

#[test]
fn nothing_below_the_programs_reads_a_clock_or_opens_a_file() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let module = name.split(['/', '.']).next().unwrap();
        let is_exempt = matches!(module, "net" | "server" | "sentinel" | "main" | "lib" | "testkit")
            || ["base/crash.rs", "base/files.rs", "base/log.rs", "base/process.rs", "base/rng.rs", "base/title.rs"]
                .contains(&name.as_str());
        if is_exempt && !name.starts_with("sentinel/core/") {
            continue;
        }
        for forbidden in ["SystemTime::now", "std::time::Instant", "std::fs::", "std::net::Tcp", "mio::"] {
            if code(&text).contains(forbidden) {
                wrong.push(format!("{name} uses {forbidden}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
