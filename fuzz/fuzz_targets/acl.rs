//! ACL rules: whatever the words, applying, showing and checking do not panic; what is shown can be read again and says the same;
//! what was refused has changed nothing; an ACL file made of any bytes is taken whole or not at all.
//!
//! Words are cut at spaces; lines are users.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rredis::acl::{Acl, file};
use rredis::resp::args::OwnedArgs;
use rredis::server::dispatch;

thread_local! {
    static TABLE: LazyLock<dispatch::CommandTable> = LazyLock::new(dispatch::table);
}

fuzz_target!(|data: &[u8]| TABLE.with(|table| {
    let catalog = table.catalog();
    let mut acl = Acl::new();
    for line in data.split(|byte| *byte == b'\n').take(8) {
        let words: Vec<Vec<u8>> = line.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
        let before = acl.lines();
        match acl.set_user(b"u", &words, catalog) {
            Ok(user) => {
                let shown = acl.lines();
                let mut again = Acl::new();
                let cut: Vec<Vec<Vec<u8>>> = shown
                    .iter()
                    .map(|line| line[5..].split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect())
                    .collect();
                again.configure(&cut, catalog).unwrap_or_else(|(_, error)| panic!("{error}: {shown:?}"));
                assert_eq!(again.lines(), shown);
                let twin = again.id(b"u").unwrap();
                let called = OwnedArgs::of(&line.split(|byte| *byte == b' ').collect::<Vec<_>>());
                if let Ok(command) = table.lookup(&called.as_args()) {
                    let (one, other) = (acl.check(user, command, &called.as_args()), again.check(twin, command, &called.as_args()));
                    assert_eq!(one.is_ok(), other.is_ok(), "{shown:?}");
                }
            }
            Err(error) => {
                let _ = error.to_string();
                assert_eq!(acl.lines(), before);
            }
        }
    }
    if let Ok(users) = file::parse(data, Path::new("f"), catalog, false) {
        let lines: Vec<Vec<u8>> = users.iter().map(|user| [b"user ", &*user.name, b" ", &*user.describe()].concat()).collect();
        let again = file::parse(&lines.join(&b'\n'), Path::new("f"), catalog, false);
        assert_eq!(again.as_ref(), Ok(&users), "{lines:?}");
    }
}));
