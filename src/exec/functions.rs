//! Libraries of functions: what FUNCTION LOAD brought, kept by name, saved with the data.
//!
//! Libraries have their own interpreter, apart from that of scripts. A set of libraries is changed as a whole: whoever loads several
//! (a file, FUNCTION RESTORE) builds the new set first and puts it in place when all of it is right.

use std::collections::BTreeMap;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::base::hash;
use crate::script::shebang::{ScriptFlags, read_library};
use crate::script::{Calls, Chunk, Registered, Vm};

/// How errors name what is in a library.
const SOURCE: &str = "user_function";

/// The engine's name in replies.
pub const ENGINE: &str = "LUA";

/// Functions in one dump, and bytes of one code, are bounded by what arrived; this is the number before a library's code, as in RDB
/// files.
const OPCODE: u8 = 245;
/// The same as release candidates of 7.0 wrote it.
const OPCODE_PRE_GA: u8 = 246;
/// What stands before a compressed text: its packed length, its length and the data follow.
const COMPRESSED: u8 = 0xc3;
/// The RDB version in a dump.
const VERSION: u16 = 10;
/// The newest that is read.
const VERSION_MAX: u16 = 12;

/// One library.
#[derive(Clone)]
pub struct Library {
    /// Its text, first line included.
    pub text: Bytes,
    /// What it registered.
    pub functions: Vec<Registered>,
}

/// A function about to be called.
#[derive(Clone)]
pub struct Function {
    /// Its name as it was registered.
    pub name: Vec<u8>,
    /// What runs.
    pub chunk: Chunk,
    /// What it may do.
    pub flags: ScriptFlags,
}

/// What to do with libraries that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One of the same name is an error.
    Append,
    /// One of the same name is replaced.
    Replace,
    /// All are forgotten first.
    Flush,
}

/// All libraries.
#[derive(Default)]
pub struct Functions {
    vm: Option<Vm>,
    libraries: BTreeMap<Vec<u8>, Library>,
    index: Index,
    version: String,
    seed: u64,
}

impl Functions {
    /// What the interpreter is made with, when the first library is loaded.
    pub fn configure(&mut self, version: &str, seed: u64) {
        self.version = version.to_owned();
        self.seed = seed;
    }

    /// The interpreter, while it runs something; to be given back.
    pub fn take_vm(&mut self) -> Vm {
        let (version, seed) = (&self.version, self.seed);
        self.vm.take().unwrap_or_else(|| Vm::new(SOURCE, version, seed))
    }

    /// Gives the interpreter back.
    pub fn put_vm(&mut self, vm: Vm) {
        self.vm = Some(vm);
    }

    /// Loads one library; gives its name. Errors are the text for the client, without its prefix.
    pub fn load(&mut self, text: &[u8], replace: bool, calls: &mut dyn Calls) -> Result<Vec<u8>, String> {
        let policy = if replace { Policy::Replace } else { Policy::Append };
        let mut names = self.load_all(&[text], policy, calls)?;
        Ok(names.remove(0))
    }

    /// Loads several libraries, or none of them; gives their names.
    pub fn load_all(&mut self, texts: &[&[u8]], policy: Policy, calls: &mut dyn Calls) -> Result<Vec<Vec<u8>>, String> {
        let mut libraries = if policy == Policy::Flush { BTreeMap::new() } else { self.libraries.clone() };
        let mut names = Vec::new();
        for text in texts {
            let read = read_library(text)?;
            let is_there = libraries.contains_key(&read.name);
            if is_there && (policy != Policy::Replace || names.contains(&read.name)) {
                return Err(match texts.len() {
                    1 => format!("Library '{}' already exists", String::from_utf8_lossy(&read.name)),
                    _ => format!("Library {} already exists", String::from_utf8_lossy(&read.name)),
                });
            }
            let vm = self.take_vm();
            let functions = vm.load_library(read.code, calls);
            self.put_vm(vm);
            let functions = functions?;
            if functions.is_empty() {
                return Err("No functions registered".into());
            }
            libraries.insert(read.name.clone(), Library { text: Bytes::copy_from_slice(text), functions });
            names.push(read.name);
        }
        self.index = index_of(&libraries)?;
        self.libraries = libraries;
        Ok(names)
    }

    /// Forgets one library; whether it was there.
    pub fn delete(&mut self, name: &[u8]) -> bool {
        if self.libraries.remove(name).is_none() {
            return false;
        }
        self.index.retain(|_, (library, _)| library != name);
        true
    }

    /// Forgets all. The interpreter goes with them.
    pub fn flush(&mut self) {
        self.libraries.clear();
        self.index.clear();
        self.vm = None;
    }

    /// A function by its name, in any case.
    pub fn get(&self, name: &[u8]) -> Option<Function> {
        let (library, place) = self.index.get(&name.to_ascii_lowercase())?;
        let function = &self.libraries.get(library)?.functions[*place];
        Some(Function { name: function.name.clone(), chunk: function.chunk.clone(), flags: function.flags })
    }

    /// All libraries, by name.
    pub fn libraries(&self) -> impl ExactSizeIterator<Item = (&[u8], &Library)> {
        self.libraries.iter().map(|(name, library)| (&name[..], library))
    }

    /// The texts of all libraries, as files keep them.
    pub fn texts(&self) -> Vec<Bytes> {
        self.libraries.values().map(|library| library.text.clone()).collect()
    }

    /// How many libraries there are.
    pub fn len(&self) -> usize {
        self.libraries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.libraries.is_empty()
    }

    /// How many functions there are.
    pub fn functions_len(&self) -> usize {
        self.index.len()
    }

    /// Gives back what functions have left in the interpreter, as long as there is `more` time.
    pub fn collect(&self, more: &mut dyn FnMut() -> bool) {
        self.vm.iter().for_each(|vm| vm.collect(more));
    }

    /// Bytes that the interpreter uses.
    pub fn vm_memory(&self) -> usize {
        self.vm.as_ref().map_or(0, Vm::memory)
    }

    /// The payload of FUNCTION DUMP: the libraries as in an RDB file, version and checksum behind them.
    pub fn dump(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        for library in self.libraries.values() {
            payload.push(OPCODE);
            put_length(&mut payload, library.text.len());
            payload.extend_from_slice(&library.text);
        }
        payload.extend_from_slice(&VERSION.to_le_bytes());
        payload.extend_from_slice(&hash::crc64(&payload).to_le_bytes());
        payload
    }
}

/// From a function's name in lower case to its library and its place there.
type Index = HashMap<Vec<u8>, (Vec<u8>, usize)>;

fn index_of(libraries: &BTreeMap<Vec<u8>, Library>) -> Result<Index, String> {
    let mut index = HashMap::new();
    for (name, library) in libraries {
        for (place, function) in library.functions.iter().enumerate() {
            let key = function.name.to_ascii_lowercase();
            if index.insert(key, (name.clone(), place)).is_some() {
                return Err(format!("Function {} already exists", String::from_utf8_lossy(&function.name)));
            }
        }
    }
    Ok(index)
}

/// A length as RDB writes it.
fn put_length(out: &mut Vec<u8>, len: usize) {
    match len {
        0..64 => out.push(len as u8),
        64..16384 => out.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]),
        _ => {
            out.push(0x80);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

/// The texts in a payload of FUNCTION DUMP. Errors are the text for the client, without its prefix.
pub fn read_dump(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    const DAMAGED: &str = "DUMP payload version or checksum are wrong";
    let (body, crc) = payload.split_last_chunk::<8>().ok_or(DAMAGED)?;
    let (mut content, version) = body.split_last_chunk::<2>().ok_or(DAMAGED)?;
    let crc = u64::from_le_bytes(*crc);
    if u16::from_le_bytes(*version) > VERSION_MAX || (crc != 0 && crc != hash::crc64(body)) {
        return Err(DAMAGED);
    }
    let mut texts = Vec::new();
    while let Some((&opcode, rest)) = content.split_first() {
        content = rest;
        match opcode {
            OPCODE => texts.push(take_text(&mut content).ok_or("failed loading the given functions payload")?),
            OPCODE_PRE_GA => return Err("Pre-GA function format not supported"),
            _ => return Err("given type is not a function"),
        }
    }
    Ok(texts)
}

fn take_text(content: &mut &[u8]) -> Option<Vec<u8>> {
    let mut rest = *content;
    let text = if let Some(after) = rest.strip_prefix(&[COMPRESSED]) {
        rest = after;
        let (packed, len) = (take_length(&mut rest)?, take_length(&mut rest)?);
        let (data, after) = rest.split_at_checked(packed)?;
        rest = after;
        let mut text = Vec::new();
        crate::base::lzf::decompress(data, len, &mut text).ok()?;
        text
    } else {
        let len = take_length(&mut rest)?;
        let (text, after) = rest.split_at_checked(len)?;
        rest = after;
        text.to_vec()
    };
    *content = rest;
    Some(text)
}

/// A length as RDB writes it.
fn take_length(content: &mut &[u8]) -> Option<usize> {
    let (&first, rest) = content.split_first()?;
    let (len, rest) = match first >> 6 {
        0 => (usize::from(first & 63), rest),
        1 => (usize::from(first & 63) << 8 | usize::from(*rest.first()?), &rest[1..]),
        _ if first == 0x80 => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            (u32::from_be_bytes(*len) as usize, rest)
        }
        _ => return None,
    };
    *content = rest;
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::flow::functions::Loading;

    fn text(name: &str, function: &str) -> Vec<u8> {
        format!("#!lua name={name}\nredis.register_function('{function}', function() return 1 end)").into_bytes()
    }

    fn load(functions: &mut Functions, texts: &[&[u8]], policy: Policy) -> Result<Vec<Vec<u8>>, String> {
        functions.load_all(texts, policy, &mut Loading::without_limit())
    }

    #[test]
    fn libraries_are_loaded_all_or_none() {
        let mut functions = Functions::default();
        let (one, two) = (text("one", "f"), text("two", "g"));
        load(&mut functions, &[&one, &two], Policy::Append).unwrap();
        assert!(functions.get(b"F").is_some() && functions.get(b"g").is_some() && functions.get(b"h").is_none());
        let error = load(&mut functions, &[&one], Policy::Append).unwrap_err();
        assert_eq!(error, "Library 'one' already exists");
        let error = load(&mut functions, &[&text("three", "G")], Policy::Append).unwrap_err();
        assert_eq!(error, "Function g already exists");
        load(&mut functions, &[&text("one", "h")], Policy::Replace).unwrap();
        assert!(functions.get(b"f").is_none() && functions.get(b"h").is_some());
        assert!(functions.delete(b"one") && !functions.delete(b"one"));
        assert_eq!((functions.len(), functions.functions_len()), (1, 1));
        let error = load(&mut functions, &[b"#!lua name=x\nreturn 1"], Policy::Append).unwrap_err();
        assert_eq!(error, "No functions registered");
    }

    #[test]
    fn a_dump_is_read_back_and_damage_is_noticed() {
        let mut functions = Functions::default();
        let (one, two) = (text("one", "f"), [text("two", "g"), vec![b' '; 20_000]].concat());
        load(&mut functions, &[&one, &two], Policy::Append).unwrap();
        let dump = functions.dump();
        assert_eq!(read_dump(&dump).unwrap(), [one, two]);
        for cut in [0, 5, dump.len() - 1] {
            assert!(read_dump(&dump[..cut]).is_err());
        }
        let mut damaged = dump.clone();
        damaged[3] ^= 1;
        assert_eq!(read_dump(&damaged).unwrap_err(), "DUMP payload version or checksum are wrong");
        assert!(read_dump(&Functions::default().dump()).unwrap().is_empty());
    }
}
