//! The first line of a script or a library: `#!lua name=mylib flags=no-writes,allow-stale`.

use std::fmt;

/// What a script says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags {
    /// It changes nothing: `no-writes`.
    pub no_writes: bool,
    /// It may run when memory is short: `allow-oom`.
    pub allow_oom: bool,
    /// It may run on stale data: `allow-stale`.
    pub allow_stale: bool,
    /// It does not run on a cluster node: `no-cluster`.
    pub no_cluster: bool,
    /// It may touch keys of several slots: `allow-cross-slot-keys`.
    pub allow_cross_slot_keys: bool,
}

impl ScriptFlags {
    /// Adds one flag by its name; false when there is none of this name.
    pub fn add(&mut self, name: &[u8]) -> bool {
        match name {
            b"no-writes" => self.no_writes = true,
            b"allow-oom" => self.allow_oom = true,
            b"allow-stale" => self.allow_stale = true,
            b"no-cluster" => self.no_cluster = true,
            b"allow-cross-slot-keys" => self.allow_cross_slot_keys = true,
            _ => return false,
        }
        true
    }

    /// The names, in the order in which Redis lists them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.no_writes, "no-writes"),
            (self.allow_oom, "allow-oom"),
            (self.allow_stale, "allow-stale"),
            (self.no_cluster, "no-cluster"),
            (self.allow_cross_slot_keys, "allow-cross-slot-keys"),
        ];
        all.into_iter().filter_map(|(is_set, name)| is_set.then_some(name))
    }
}

/// Why a first line was refused. `Display` is the wire text without its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShebangError {
    /// The line does not end.
    Unterminated,
    /// Another engine than Lua.
    Engine(String),
    /// A word that is none of the options.
    Option(String),
    /// A flag that does not exist.
    Flag(String),
}

impl fmt::Display for ShebangError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShebangError::Unterminated => f.write_str("Invalid script shebang"),
            ShebangError::Engine(engine) => write!(f, "Unexpected engine in script shebang: {engine}"),
            ShebangError::Option(option) => write!(f, "Unknown lua shebang option: {option}"),
            ShebangError::Flag(flag) => write!(f, "Unexpected flag in script shebang: {flag}"),
        }
    }
}

/// A script, its first line read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// `None`: there is no such line, and the rules of old apply.
    pub flags: Option<ScriptFlags>,
    /// What Lua is to read: the text from the end of the first line on, so that line numbers stay right.
    pub code: &'a [u8],
}

/// Reads the first line of a script given to EVAL.
pub fn read(text: &[u8]) -> Result<Script<'_>, ShebangError> {
    let Some(rest) = text.strip_prefix(b"#!") else { return Ok(Script { flags: None, code: text }) };
    let end = memchr::memchr(b'\n', rest).ok_or(ShebangError::Unterminated)?;
    let (line, code) = rest.split_at(end);
    let shown = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    match words.next() {
        Some(b"lua") => {}
        other => return Err(ShebangError::Engine(shown(other.unwrap_or_default()))),
    }
    let mut flags = ScriptFlags::default();
    for word in words {
        let list = word.strip_prefix(b"flags=").ok_or_else(|| ShebangError::Option(shown(word)))?;
        for flag in list.split(|byte| *byte == b',').filter(|flag| !flag.is_empty()) {
            if !flags.add(flag) {
                return Err(ShebangError::Flag(shown(flag)));
            }
        }
    }
    Ok(Script { flags: Some(flags), code })
}

/// A library, its first line read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryText<'a> {
    /// What follows `name=`.
    pub name: Vec<u8>,
    /// What Lua is to read, from the end of the first line on.
    pub code: &'a [u8],
}

/// Reads the first line of a library given to FUNCTION LOAD. The error is the text for the client, without its prefix.
pub fn read_library(text: &[u8]) -> Result<LibraryText<'_>, String> {
    let rest = text.strip_prefix(b"#!").ok_or("Missing library metadata")?;
    let end = memchr::memchr(b'\n', rest).ok_or("Invalid library metadata")?;
    let (line, code) = rest.split_at(end);
    let shown = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let words = crate::base::quote::split_args(line).ok_or("Invalid library metadata")?;
    // The engine follows without a blank, so a line that begins with one names none.
    let (engine, options) = match words.split_first() {
        Some((engine, options)) if !line.starts_with(b" ") => (&engine[..], options),
        _ => (&b""[..], &words[..]),
    };
    let mut name = None;
    for word in options {
        match word.strip_prefix(b"name=") {
            Some(_) if name.is_some() => {
                return Err("Invalid metadata value, name argument was given multiple times".into());
            }
            Some(value) => name = Some(value.to_vec()),
            None => return Err(format!("Invalid metadata value given: {}", shown(word))),
        }
    }
    let name = name.ok_or("Library name was not given")?;
    if !super::is_valid_name(&name) {
        return Err("Library names can only contain letters, numbers, or underscores(_) and must be at least one \
             character long"
            .into());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(format!("Engine '{}' not found", shown(engine)));
    }
    Ok(LibraryText { name, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_the_line_has_no_flags() {
        assert_eq!(read(b"return 1"), Ok(Script { flags: None, code: b"return 1" }));
    }

    #[test]
    fn flags_are_read_and_the_line_stays_for_counting() {
        let script = read(b"#!lua flags=no-writes,allow-stale\nreturn 1").unwrap();
        assert_eq!(script.code, b"\nreturn 1");
        let names: Vec<_> = script.flags.unwrap().names().collect();
        assert_eq!(names, ["no-writes", "allow-stale"]);
        assert_eq!(read(b"#!lua flags=\n").unwrap().flags, Some(ScriptFlags::default()));
    }

    #[test]
    fn what_is_not_known_is_named() {
        let text = |script: &[u8]| read(script).unwrap_err().to_string();
        assert_eq!(text(b"#!lua"), "Invalid script shebang");
        assert_eq!(text(b"#!not-lua\n"), "Unexpected engine in script shebang: not-lua");
        assert_eq!(text(b"#!lua badger=data\n"), "Unknown lua shebang option: badger=data");
        assert_eq!(text(b"#!lua flags=allow-oom,what?\n"), "Unexpected flag in script shebang: what?");
    }

    #[test]
    fn libraries_have_a_name() {
        let library = read_library(b"#!LUA name=my_lib\nreturn").unwrap();
        assert_eq!((&library.name[..], library.code), (&b"my_lib"[..], &b"\nreturn"[..]));
        for (text, error) in [
            ("return 1", "Missing library metadata"),
            ("#!lua name=x", "Invalid library metadata"),
            ("#!lua\n", "Library name was not given"),
            ("#!lua name=a name=b\n", "Invalid metadata value, name argument was given multiple times"),
            ("#!lua name=a foo=bar\n", "Invalid metadata value given: foo=bar"),
            ("#! name=a\n", "Engine '' not found"),
            ("#!js name=a\n", "Engine 'js' not found"),
        ] {
            assert_eq!(read_library(text.as_bytes()).unwrap_err(), error, "{text:?}");
        }
        assert!(read_library(b"#!lua name=a-b\n").unwrap_err().starts_with("Library names can only contain"));
    }
}
