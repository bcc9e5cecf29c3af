//! Config files: whatever the bytes, reading and rewriting do not panic; what was rewritten is rewritten to itself, and
//! CONFIG SET takes any words.
//!
//! The first byte chooses the program, the rest is the file. Nothing is read from the disk of this host.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::base::files::memory::MemoryFiles;
use rredis::config::access::{Rights, get, prepare};
use rredis::config::file::{Loader, Mode};
use rredis::config::model::Config;
use rredis::config::rewrite::{Defaults, Extra, rewrite};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let files = MemoryFiles::new();
    let mode = if choice & 1 == 0 { Mode::Server } else { Mode::Sentinel };
    let mut loader = Loader::new(&files, mode);
    if let Err(error) = loader.text("input", text) {
        let _ = error.to_string();
    }
    let config = loader.finish().map_or_else(|_| Config::default(), |loaded| loaded.config);
    let again = |text: &[u8]| rewrite(text, &config, &Extra::default(), Defaults::LeftOut);
    let once = again(text);
    assert_eq!(again(&once), once);

    let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
    let _ = get(&config, &words);
    if let Err(error) = prepare(&config, &words, Rights { may_change_protected: true, is_loading: false }) {
        assert!(!error.to_string().contains('\n') || text.contains(&b'\n'));
    }
});
