//! What is known about scripts: those that were compiled, and the one that runs.
//!
//! A script is kept under the SHA1 of its text from the first EVAL or SCRIPT LOAD on, until SCRIPT FLUSH. The interpreter is made for
//! the first one. Scripts call commands as a client of their own: the caller's user and database, no reply mode, no
//! transaction.

use std::fmt;

use hashbrown::HashMap;

use crate::base::hash;
use crate::base::id::ClientId;
use crate::base::time::Instant;
use crate::script::shebang::{self, ScriptFlags};
use crate::script::{Chunk, Vm};
use crate::session::Session;

/// How errors name what EVAL runs.
const SOURCE: &str = "user_script";

/// The SHA1 of a script's text.
pub type Sha = [u8; 20];

/// A compiled script.
#[derive(Clone)]
pub struct Script {
    /// What runs.
    pub chunk: Chunk,
    /// What its first line says; `None` without such a line.
    pub flags: Option<ScriptFlags>,
}

/// How messages call a script. Most scripts end without one.
#[derive(Clone, Debug)]
pub enum ScriptName {
    /// By its SHA1.
    Sha(Sha),
    /// By the function's name.
    Function(String),
}

impl fmt::Display for ScriptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScriptName::Sha(sha) => f.write_str(&sha_text(sha)),
            ScriptName::Function(name) => f.write_str(name),
        }
    }
}

/// The script that runs now.
#[derive(Clone, Debug)]
pub struct Running {
    /// How messages call it.
    pub name: ScriptName,
    /// It was called by FCALL.
    pub is_function: bool,
    /// The words of the command that called it, for FUNCTION STATS. Empty until it is busy: nobody can ask before.
    pub command: Vec<Vec<u8>>,
    /// Who called it.
    pub client: ClientId,
    /// It was called by the link from our master.
    pub is_from_master: bool,
    /// When it began, by a clock that goes on while it runs.
    pub started: Instant,
    /// It has changed data, so it can no longer be killed.
    pub has_written: bool,
    /// It has run for longer than `busy-reply-threshold`: others are told BUSY.
    pub is_busy: bool,
    /// SCRIPT KILL was called.
    pub is_killed: bool,
}

/// Who hears of what a script changes: what `redis.set_repl` asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listeners {
    /// Replicas and the append-only file.
    #[default]
    All,
    /// Replicas alone.
    Replicas,
    /// The append-only file alone.
    File,
    /// None of them.
    Nobody,
}

/// All of it.
#[derive(Default)]
pub struct Scripts {
    vm: Option<Vm>,
    cache: HashMap<Sha, Script>,
    /// Bytes of the texts in the cache.
    text_bytes: usize,
    /// What scripts call commands with, kept from script to script.
    pub session: Option<Box<Session>>,
    /// The one that runs.
    pub running: Option<Running>,
    /// Who hears of changes.
    pub listeners: Listeners,
    /// DEBUG SET-DISABLE-DENY-SCRIPTS.
    pub is_everything_allowed: bool,
}

impl Scripts {
    /// The interpreter, while it runs something; to be given back.
    pub fn take_vm(&mut self) -> Vm {
        self.vm.take().expect("what runs was compiled by it")
    }

    /// Gives the interpreter back.
    pub fn put_vm(&mut self, vm: Vm) {
        self.vm = Some(vm);
    }

    /// The interpreter.
    pub fn vm(&mut self, version: &str, seed: u64) -> &Vm {
        self.vm.get_or_insert_with(|| Vm::new(SOURCE, version, seed))
    }

    /// A script that is in the cache.
    pub fn get(&self, sha: &Sha) -> Option<&Script> {
        self.cache.get(sha)
    }

    /// Compiles a script and keeps it. The error is the text for the client, without its prefix.
    pub fn add(&mut self, sha: Sha, text: &[u8], version: &str, seed: u64) -> Result<Script, String> {
        let shebang::Script { flags, code } = shebang::read(text).map_err(|error| error.to_string())?;
        let chunk = self.vm(version, seed).compile(code);
        let chunk = chunk.map_err(|error| format!("Error compiling script (new function): {error}"))?;
        let script = Script { chunk, flags };
        self.cache.insert(sha, script.clone());
        self.text_bytes += text.len();
        Ok(script)
    }

    /// SCRIPT FLUSH. The interpreter goes with its scripts.
    pub fn flush(&mut self) {
        self.cache.clear();
        self.text_bytes = 0;
        self.vm = None;
    }

    /// How many scripts are kept.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }

    /// Gives back what scripts have left in the interpreter, as long as there is `more` time.
    pub fn collect(&self, more: &mut dyn FnMut() -> bool) {
        self.vm.iter().for_each(|vm| vm.collect(more));
    }

    /// Bytes that the interpreter uses.
    pub fn vm_memory(&self) -> usize {
        self.vm.as_ref().map_or(0, Vm::memory)
    }

    /// Bytes that the cache uses besides the interpreter.
    pub fn cache_memory(&self) -> usize {
        self.text_bytes + self.cache.len() * size_of::<(Sha, Script)>()
    }
}

/// The SHA1 that 40 hexadecimal digits stand for, in either case.
pub fn parse_sha(text: &[u8]) -> Option<Sha> {
    let mut sha = Sha::default();
    if text.len() != 40 {
        return None;
    }
    for (byte, digits) in sha.iter_mut().zip(text.chunks(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(sha)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The digits of a SHA1.
pub fn sha_text(sha: &Sha) -> String {
    hash::hex(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_in_either_case() {
        let sha = hash::sha1(b"return 1");
        let text = sha_text(&sha);
        assert_eq!(parse_sha(text.as_bytes()), Some(sha));
        assert_eq!(parse_sha(text.to_uppercase().as_bytes()), Some(sha));
        assert_eq!(parse_sha(&text.as_bytes()[1..]), None);
        assert_eq!(parse_sha(b"zz34567890123456789012345678901234567890"), None);
    }

    #[test]
    fn a_script_is_compiled_once_and_forgotten_when_flushed() {
        let mut scripts = Scripts::default();
        let sha = hash::sha1(b"return 1");
        assert!(scripts.add(sha, b"return 1", "7.2.6", 0).is_ok() && scripts.get(&sha).is_some());
        assert!(scripts.add(sha, b"return (", "7.2.6", 0).err().unwrap().starts_with("Error compiling script"));
        scripts.flush();
        assert!(scripts.is_empty() && scripts.get(&sha).is_none());
    }
}
