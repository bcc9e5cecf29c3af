//! The debugger of scripts, as `redis-cli --ldb-sync-mode` uses it: a script stops before a line, and its client looks around.
//!
//! ```text
//! inspect.rs   the hook that Lua calls before each line, and what it shows of the interpreter
//! mod.rs       where to stop, what the client may say, what it is answered
//! values.rs    replies of commands as people read them
//! ```
//!
//! While a script stands, nothing else of the server does either, but other clients are told that it is busy. What is to be said is
//! gathered in the [`Console`], and sent as one array whenever the client has its turn.

pub(super) mod inspect;
mod values;

use std::cell::{Cell, RefCell};

use crate::base::number::parse_i64;
use crate::resp::args::OwnedArgs;
use crate::resp::out::Out;

/// Most breakpoints.
const BREAKPOINTS_MAX: usize = 64;
/// Most bytes of a value or reply that are shown, unless the client says otherwise.
const LENGTH: usize = 256;
/// The client cannot ask for fewer.
const LENGTH_MIN: usize = 60;
/// Most bytes that the client may have said without saying anything whole.
const INPUT_MAX: usize = 1 << 20;
/// Most words of what it says, and most bytes of a word.
const WORDS_MAX: i64 = 1024;
/// Lines around the present one.
const CONTEXT: usize = 5;
/// Words of a command that are shown.
const WORDS_SHOWN: usize = 10;

/// What is said to the client, and what functions that the script calls have to know.
#[derive(Default)]
pub(super) struct Console {
    /// Whether there is a session at all.
    pub is_active: Cell<bool>,
    /// Stop before the next line; and commands are shown with their replies.
    pub is_stepping: Cell<bool>,
    /// `redis.breakpoint` was called.
    pub is_asked_to_stop: Cell<bool>,
    /// Where the script is.
    pub line: Cell<usize>,
    /// How much of a value is shown; 0 for all of it.
    length: Cell<usize>,
    is_hint_given: Cell<bool>,
    lines: RefCell<Vec<String>>,
    /// Arrays of lines that are to be sent.
    unsent: RefCell<Vec<u8>>,
}

impl Console {
    /// For a new session, which begins before the first line.
    fn begin(&self) {
        self.lines.borrow_mut().clear();
        self.unsent.borrow_mut().clear();
        self.is_active.set(true);
        self.is_stepping.set(true);
        self.is_asked_to_stop.set(false);
        self.is_hint_given.set(false);
        self.length.set(LENGTH);
    }

    fn end(&self) {
        self.is_active.set(false);
        self.is_stepping.set(false);
    }

    /// The session is over: the last words, in front of the reply.
    pub fn finish(&self, out: &mut Out) {
        self.end();
        self.say("<endsession>");
        self.close_array();
        out.append(&self.take());
    }

    /// Says something.
    pub fn say(&self, line: impl Into<String>) {
        self.lines.borrow_mut().push(line.into());
    }

    /// Says something that may be long.
    pub fn say_cut(&self, mut line: String) {
        let length = self.length.get();
        if length == 0 || line.len() <= length {
            return self.say(line);
        }
        line.truncate(line.floor_char_boundary(length));
        self.say(line + " ...");
        if !self.is_hint_given.replace(true) {
            self.say("<hint> The line above was cut. 'maxlen <bytes>' changes the limit, 'maxlen 0' lifts it.");
        }
    }

    /// A command that the script calls.
    pub fn command(&self, words: &OwnedArgs) {
        let words = words.as_args();
        let mut line = String::from("<redis>");
        for word in words.iter().take(WORDS_SHOWN) {
            line.push(' ');
            line.push_str(&String::from_utf8_lossy(word));
        }
        if words.len() > WORDS_SHOWN {
            line.push_str(&format!(" ... ({} more)", words.len() - WORDS_SHOWN));
        }
        self.say(line);
    }

    /// And its reply.
    pub fn reply(&self, bytes: &[u8]) {
        self.say_cut(format!("<reply> {}", values::readable(bytes)));
    }

    /// What was said since this was last called is one array of simple strings: the answer to one request.
    pub fn close_array(&self) {
        let lines = std::mem::take(&mut *self.lines.borrow_mut());
        let mut bytes = self.unsent.borrow_mut();
        bytes.extend(format!("*{}\r\n", lines.len()).bytes());
        for line in lines {
            bytes.push(b'+');
            bytes.extend(line.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
            bytes.extend_from_slice(b"\r\n");
        }
    }

    /// The arrays that are to be sent.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.unsent.borrow_mut())
    }
}

/// What the interpreter shows of a script that stands.
pub(super) trait Frames {
    /// The value of the nearest variable of this name.
    fn variable(&mut self, name: &[u8]) -> Option<String>;
    /// The variables of the present function.
    fn variables(&mut self) -> Vec<(String, String)>;
    /// The functions of the script that wait for each other, from the present one: their names and lines.
    fn trace(&mut self) -> Vec<(Option<String>, usize)>;
    /// The value of a piece of code, or its error.
    fn eval(&mut self, code: &[u8]) -> Result<String, String>;
    /// Calls a command, which shows itself.
    fn command(&mut self, words: &OwnedArgs);
}

/// What follows from what the client said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another turn of the client.
    Again,
    /// The script goes on.
    GoOn,
    /// The script ends.
    Abort,
}

/// One session.
pub(super) struct Debugger {
    source: Vec<String>,
    breakpoints: Vec<usize>,
    input: Vec<u8>,
}

impl Debugger {
    /// A session about a script.
    pub fn begin(source: &[u8], console: &Console) -> Debugger {
        console.begin();
        let source = String::from_utf8_lossy(source);
        let source = source.trim_end_matches(['\r', '\n']).split('\n').map(str::to_owned).collect();
        Debugger { source, breakpoints: Vec::new(), input: Vec::new() }
    }

    /// Whether to stop before this line; if so, it is said. `is_late` when the script has run for too long.
    pub fn stops_at(&self, line: usize, is_late: bool, console: &Console) -> bool {
        console.line.set(line);
        let is_asked = console.is_asked_to_stop.take();
        let reason = match () {
            () if is_asked => "redis.breakpoint() called",
            () if self.breakpoints.contains(&line) => "break point",
            () if is_late => "timeout reached, infinite loop?",
            () if console.is_stepping.get() => "step over",
            () => return false,
        };
        console.is_stepping.set(false);
        console.say(format!("* Stopped at {line}, stop reason = {reason}"));
        self.say_line(line, console);
        true
    }

    /// The client is gone: the script runs to its end.
    pub fn run_freely(&mut self, console: &Console) {
        self.breakpoints.clear();
        console.end();
    }

    /// The client said this.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.input.extend_from_slice(bytes);
        if self.input.len() > INPUT_MAX { Err("max client buffer reached") } else { Ok(()) }
    }

    /// The next whole thing that it said.
    pub fn next_words(&mut self) -> Result<Option<Vec<Vec<u8>>>, &'static str> {
        let mut rest = &self.input[..];
        let words = read_words(&mut rest).map_err(|()| "protocol error")?;
        if words.is_some() {
            let used = self.input.len() - rest.len();
            self.input.drain(..used);
        }
        Ok(words)
    }

    /// Does what the client said.
    pub fn act(&mut self, words: &[Vec<u8>], frames: &mut dyn Frames, console: &Console) -> Next {
        let (name, rest) = words.split_first().expect("there are no empty requests");
        let is = |long: &str| {
            let name = name.to_ascii_lowercase();
            name == long.as_bytes() || name == long.as_bytes()[..1]
        };
        let number = |at: usize| rest.get(at).map(|word| parse_i64(word).unwrap_or(0));
        match rest.len() {
            _ if is("step") || is("next") => {
                console.is_stepping.set(true);
                return Next::GoOn;
            }
            _ if is("continue") => return Next::GoOn,
            _ if is("abort") => return Next::Abort,
            _ if is("help") => HELP.lines().for_each(|line| console.say(line)),
            _ if is("trace") => self.trace(frames, console),
            _ if is("maxlen") => limit(number(0), console),
            _ if is("break") => self.change_breakpoints(rest, console),
            _ if is("list") => {
                let around = number(0).filter(|line| *line > 0).map_or(console.line.get(), |line| line as usize);
                self.list(around, number(1).map_or(CONTEXT, |lines| lines.max(0) as usize), console);
            }
            _ if is("whole") => self.list(1, usize::MAX, console),
            0 if is("print") => print_all(frames, console),
            1 if is("print") => match frames.variable(&rest[0]) {
                Some(value) => console.say_cut(format!("<value> {value}")),
                None => console.say("No such variable."),
            },
            1.. if is("eval") => match frames.eval(&rest.join(&b' ')) {
                Ok(value) => console.say_cut(format!("<retval> {value}")),
                Err(text) => console.say(format!("<error> {text}")),
            },
            1.. if is("redis") => {
                let words: Vec<&[u8]> = rest.iter().map(Vec::as_slice).collect();
                console.is_stepping.set(true);
                frames.command(&OwnedArgs::of(&words));
                console.is_stepping.set(false);
            }
            _ => console.say("<error> Unknown Redis Lua debugger command or wrong number of arguments."),
        }
        Next::Again
    }

    fn say_line(&self, line: usize, console: &Console) {
        let text = line.checked_sub(1).and_then(|at| self.source.get(at));
        let text = text.map_or("<out of range source code line>", String::as_str);
        let mark = match (line == console.line.get(), self.breakpoints.contains(&line)) {
            (true, true) => "->#",
            (true, false) => "-> ",
            (false, true) => "  #",
            (false, false) => "   ",
        };
        console.say(format!("{mark}{line:<3} {text}"));
    }

    fn list(&self, around: usize, context: usize, console: &Console) {
        (1..=self.source.len())
            .filter(|line| line.abs_diff(around) <= context)
            .for_each(|line| self.say_line(line, console));
    }

    fn trace(&self, frames: &mut dyn Frames, console: &Console) {
        for (level, (name, line)) in frames.trace().into_iter().enumerate() {
            let relation = if level == 0 { "In" } else { "From" };
            console.say(format!("{relation} {}:", name.as_deref().unwrap_or("top level")));
            self.say_line(line, console);
        }
    }

    fn change_breakpoints(&mut self, words: &[Vec<u8>], console: &Console) {
        if words.is_empty() {
            if self.breakpoints.is_empty() {
                return console.say("No breakpoints set. Use 'b <line>' to add one.");
            }
            console.say(format!("{} breakpoints set:", self.breakpoints.len()));
            self.breakpoints.iter().for_each(|line| self.say_line(*line, console));
        }
        for word in words {
            let Some(line) = parse_i64(word) else {
                console.say(format!("Invalid argument:'{}'", String::from_utf8_lossy(word)));
                continue;
            };
            let place = usize::try_from(line.unsigned_abs()).unwrap_or(usize::MAX);
            let known = self.breakpoints.iter().position(|other| *other == place);
            match (line, known) {
                (0, _) => {
                    self.breakpoints.clear();
                    console.say("All breakpoints removed.");
                }
                (..0, Some(at)) => {
                    self.breakpoints.remove(at);
                    console.say("Breakpoint removed.");
                }
                (..0, None) => console.say("No breakpoint in the specified line."),
                _ if self.breakpoints.len() >= BREAKPOINTS_MAX => console.say("Too many breakpoints set."),
                (_, None) if place <= self.source.len() => {
                    self.breakpoints.push(place);
                    self.list(place, 1, console);
                }
                _ => console.say("Wrong line number."),
            }
        }
    }
}

fn print_all(frames: &mut dyn Frames, console: &Console) {
    let variables = frames.variables();
    if variables.is_empty() {
        console.say("No local variables in the current context.");
    }
    for (name, value) in variables {
        console.say_cut(format!("<value> {name} = {value}"));
    }
}

fn limit(bytes: Option<i64>, console: &Console) {
    if let Some(bytes) = bytes {
        console.is_hint_given.set(true);
        console.length.set(if bytes <= 0 { 0 } else { (bytes as usize).max(LENGTH_MIN) });
    }
    match console.length.get() {
        0 => console.say("<value> replies are unlimited."),
        length => console.say(format!("<value> replies are truncated at {length} bytes.")),
    }
}

/// One request; `None` when it is not whole.
fn read_words(rest: &mut &[u8]) -> Result<Option<Vec<Vec<u8>>>, ()> {
    let Some(count) = read_number(rest, b'*')? else { return Ok(None) };
    let mut words = Vec::new();
    for _ in 0..count {
        let Some(len) = read_number(rest, b'$')? else { return Ok(None) };
        let Some((word, after)) = rest.split_at_checked(len) else { return Ok(None) };
        let Some((end, after)) = after.split_at_checked(2) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(());
        }
        words.push(word.to_vec());
        *rest = after;
    }
    Ok(Some(words))
}

fn read_number(rest: &mut &[u8], kind: u8) -> Result<Option<usize>, ()> {
    let Some(&first) = rest.first() else { return Ok(None) };
    if first != kind {
        return Err(());
    }
    let Some(end) = memchr::memchr(b'\n', rest) else {
        return if rest.len() > 32 { Err(()) } else { Ok(None) };
    };
    let digits = rest[1..end].strip_suffix(b"\r").ok_or(())?;
    let number = parse_i64(digits).filter(|number| (1..=WORDS_MAX).contains(number)).ok_or(())?;
    *rest = &rest[end + 1..];
    Ok(Some(number as usize))
}

const HELP: &str = "\
Redis Lua debugger help. The first letter of a command is enough.
help                 Shows this.
step, next           Runs this line and stops before the next one.
continue             Runs to the next breakpoint.
list [line] [lines]  Shows the source around a line (0: the present one), with so many lines before and after it.
whole                Shows all of the source.
print [variable]     Shows a variable, KEYS and ARGV included, or all local ones.
break [line...]      Shows the breakpoints, or adds one to a line; -line removes it, 0 removes all.
trace                Shows which function was called by which.
eval code            Runs a piece of Lua apart from the script, and shows its value.
redis command        Runs a command, and shows its reply.
maxlen [bytes]       Shows or changes how much of a value is shown; 0 for all of it.
abort                Ends the script. What it has changed stays changed.

Functions that scripts may call:
redis.debug(...)     Says something here.
redis.breakpoint()   Stops before the next line.";

#[cfg(test)]
mod tests;
