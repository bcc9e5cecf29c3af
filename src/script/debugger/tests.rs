//! Sessions, as a client has them.

use crate::resp::args::OwnedArgs;
use crate::resp::out::Out;
use crate::resp::reply::{Proto, Reply};
use crate::script::{Calls, Heard, LogLevel, Propagation, Vm};

/// Says one thing after the other, and goes away.
#[derive(Default)]
struct Client {
    says: Vec<Vec<u8>>,
    hears: String,
    is_late: bool,
    ticks: u32,
}

impl Calls for Client {
    fn call(&mut self, words: &OwnedArgs, proto: Proto, out: &mut Out) {
        let words = words.as_args();
        let mut reply = Reply::new(out, proto);
        match words.get(0) {
            b"FAIL" => reply.error("WRONG thing"),
            _ => {
                reply.array(words.len());
                words.iter().for_each(|word| reply.bulk(word));
            }
        }
    }
    fn is_permitted(&mut self, _: &OwnedArgs) -> Option<bool> {
        None
    }
    fn log(&mut self, _: LogLevel, _: &[u8]) {}
    fn set_propagation(&mut self, _: Propagation) {}
    fn tick(&mut self) -> Result<(), &'static str> {
        self.ticks += 1;
        if self.ticks > 200 { Err("Script killed by user with SCRIPT KILL...") } else { Ok(()) }
    }
    fn is_late(&mut self) -> bool {
        self.is_late
    }
    fn converse(&mut self, said: &[u8]) -> Heard {
        self.hears += &String::from_utf8_lossy(said);
        if self.says.is_empty() { Heard::Gone } else { Heard::Bytes(self.says.remove(0)) }
    }
}

fn request(line: &str) -> Vec<u8> {
    let words: Vec<&str> = line.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes()));
    bytes
}

/// What a client hears that debugs a script, without the ends of lines, and then the reply.
fn session_with(code: &str, mut client: Client) -> String {
    let vm = Vm::new("user_script", "7.2.6", 1);
    let chunk = vm.compile(code.as_bytes()).unwrap();
    let mut out = Out::new();
    let words: (&[&[u8]], &[&[u8]]) = (&[b"k1"], &[b"a", b"b"]);
    let result = vm.run_debugged(&chunk, code.as_bytes(), words, &mut client, &mut Reply::new(&mut out, Proto::Resp2));
    let mut text = client.hears + &String::from_utf8(out.to_vec()).unwrap();
    if let Err(failure) = result {
        text += &failure.message("f");
    }
    // Afterwards nothing of it is left.
    let mut out = Out::new();
    let again = vm.compile(b"local x = 1\nreturn {redis.call('x')[1], redis.breakpoint()}").unwrap();
    vm.run(&again, &[], &[], &mut Client::default(), &mut Reply::new(&mut out, Proto::Resp2)).unwrap();
    assert_eq!(out.to_vec(), b"*2\r\n$1\r\nx\r\n$-1\r\n");
    text.replace("\r\n", "|")
}

fn session(code: &str, says: &[&str]) -> String {
    session_with(code, Client { says: says.iter().map(|line| request(line)).collect(), ..Client::default() })
}

const CODE: &str = "local a = 1\nlocal t = {1, 'x', {k = true}}\nlocal function f(n)\n  return n * 2\nend\nlocal b = f(a)\nreturn b\n\n";

#[test]
fn a_script_stops_before_each_line() {
    let stop =
        |line: u32, source: &str| format!("*2|+* Stopped at {line}, stop reason = step over|+-> {line}   {source}|");
    let expected = [
        stop(1, "local a = 1"),
        stop(2, "local t = {1, 'x', {k = true}}"),
        // A function is made when its end is reached.
        stop(5, "end"),
        "*1|+<endsession>|:2|".to_owned(),
    ];
    assert_eq!(session(CODE, &["s", "next", "continue"]), expected.concat());
}

#[test]
fn breakpoints_are_kept_and_reached() {
    let text = session(CODE, &["b 4 99 x", "break", "c", "trace", "b -4", "b -4", "b 0", "c"]);
    for part in [
        "+   3   local function f(n)|+  #4     return n * 2|+   5   end|+Wrong line number.|+Invalid argument:'x'|",
        "+1 breakpoints set:|+  #4     return n * 2|",
        "+* Stopped at 4, stop reason = break point|+->#4     return n * 2|",
        "+In f:|+->#4     return n * 2|+From top level:|+   6   local b = f(a)|",
        "*1|+Breakpoint removed.|*1|+No breakpoint in the specified line.|*1|+All breakpoints removed.|",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = session("local x = redis.breakpoint()\nreturn x", &["c", "c"]);
    assert!(text.contains("+* Stopped at 2, stop reason = redis.breakpoint() called|+-> 2   return x|"), "{text}");
    assert!(text.ends_with(":1|"), "{text}");
}

#[test]
fn what_a_script_holds_is_shown() {
    let text = session(CODE, &["b 7", "c", "print", "p t", "p nothing", "p ARGV", "p b", "c"]);
    for part in [
        "+<value> a = 1|+<value> t = {1; \"x\"; {[\"k\"]=true}}|+<value> f = \"function@0x",
        "*1|+<value> {1; \"x\"; {[\"k\"]=true}}|*1|+No such variable.|*1|+<value> {\"a\"; \"b\"}|*1|+<value> 2|",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let deep = session("local t = {} t[1] = t\nreturn 1", &["s", "p t", "e redis.call", "p", "c"]);
    assert!(deep.contains("<value> {{{{{{{<max recursion level reached! Nested table?>}"), "{deep}");
    assert!(session("return 1", &["print", "c"]).contains("+No local variables in the current context.|"));
}

#[test]
fn code_and_commands_are_run_apart() {
    let text = session(
        "return 1",
        &["e 1 + 1", "eval redis.call('GET', 'k')", "e x = 1", "e error('no')", "e ++", "r GET k", "e \u{1b}x", "c"],
    );
    for part in [
        "*1|+<retval> 2|*1|+<retval> {\"GET\"; \"k\"}|",
        "Attempt to modify a readonly table",
        "+<error> ldb_eval:1: no|",
        "+<redis> GET k|+<reply> [\"GET\",\"k\"]|",
        "+<error> attempt to load a precompiled chunk|",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let many = format!("redis{}", " x".repeat(12));
    let text = session("return 1", &[&many, "r FAIL", "c"]);
    assert!(text.contains("+<redis> x x x x x x x x x x ... (2 more)|+<reply> [\"x\","), "{text}");
    assert!(text.contains("+<reply> \"-WRONG thing\"|"), "{text}");
}

#[test]
fn a_line_that_is_stepped_over_shows_its_commands_and_what_the_script_says() {
    let code = "redis.call('SET', 'k', 1)\nredis.debug('here', {1, 2}, nil)\nredis.call('DEL', 'k')\nreturn 1";
    let text = session(code, &["s", "s", "c"]);
    assert!(text.contains("+<redis> SET k 1|+<reply> [\"SET\",\"k\",\"1\"]|+* Stopped at 2"), "{text}");
    assert!(text.contains("+<debug> line 2: \"here\", {1; 2}, nil|+* Stopped at 3"), "{text}");
    assert!(!text.contains("<redis> DEL"), "not stepped over: {text}");
}

#[test]
fn long_values_are_cut_as_the_client_likes() {
    let text = session(
        "local s = string.rep('x', 1000)\nreturn 1",
        &["s", "p s", "p s", "maxlen 5", "p s", "m 0", "p s", "m", "c"],
    );
    let cut = |length: usize| format!("+<value> \"{} ...|", "x".repeat(length - 9));
    assert_eq!(text.matches(&cut(256)).count(), 2, "{text}");
    assert_eq!(text.matches("+<hint>").count(), 1);
    assert!(text.contains(&cut(60)) && text.contains(&format!("+<value> \"{}\"|", "x".repeat(1000))), "{text}");
    assert!(text.contains("truncated at 60 bytes.") && text.matches("replies are unlimited.").count() == 2, "{text}");
}

#[test]
fn the_source_is_listed() {
    let code: String = (1..=20).map(|line| format!("local l{line} = {line}\n")).collect();
    let text = session(&code, &["l", "list 10 1", "w", "l 0 0", "c"]);
    assert!(text.contains("*6|+-> 1   local l1 = 1|+   2   local l2 = 2|"), "{text}");
    assert!(text.contains("*3|+   9   local l9 = 9|+   10  local l10 = 10|+   11  local l11 = 11|"), "{text}");
    assert!(text.contains("*20|") && text.contains("*1|+-> 1   local l1 = 1|"), "{text}");
}

#[test]
fn what_is_not_understood_is_said_and_what_is_no_request_ends_the_script() {
    let unknown = "*1|+<error> Unknown Redis Lua debugger command or wrong number of arguments.|";
    assert_eq!(session("return 1", &["hello\0world", "\0hello", "print a b", "eval", "c"]).matches(unknown).count(), 4);
    assert!(session("return 1", &["help", "c"]).contains("+Redis Lua debugger help"));
    assert!(
        session("return 1", &["abort"])
            .ends_with("*1|+<endsession>|ERR script aborted for user request script: f, on @user_script:1.")
    );
    assert!(
        session("pcall(function()\nlocal a = 1\nend)\nwhile true do end", &["s", "abort"])
            .contains("script aborted for user request")
    );
    for wrong in [
        "PING\r\n",
        "*0\r\n",
        "*x\r\n",
        "*1\r\n$0\r\n\r\n",
        "*1\r\n$1\r\nab\r\n",
        "*1\r\n:1\r\n",
        "*1025\r\n",
        "*1\r\n$1025\r\n",
    ] {
        let text = session_with("return 1", Client { says: vec![wrong.as_bytes().to_vec()], ..Client::default() });
        assert!(text.contains("ERR protocol error"), "{wrong:?}: {text}");
    }
    let endless = vec![b"*2\r\n$900\r\n".to_vec(), vec![b'x'; 1 << 20]];
    let text = session_with("return 1", Client { says: endless, ..Client::default() });
    assert!(text.contains("ERR max client buffer reached") || text.contains("ERR protocol error"), "{text}");
}

#[test]
fn requests_may_come_in_pieces_or_together() {
    let both = [request("s"), request("c")].concat();
    for cut in 0..both.len() {
        let (one, two) = both.split_at(cut);
        let says = vec![one.to_vec(), two.to_vec()];
        let text = session_with("local a = 1\nlocal b = 2\nreturn 3", Client { says, ..Client::default() });
        assert!(
            text.contains("Stopped at 2") && !text.contains("Stopped at 3") && text.ends_with(":3|"),
            "{cut}: {text}"
        );
    }
}

#[test]
fn without_its_client_a_script_runs_to_its_end() {
    assert!(session("local a = 1\nlocal b = 2\nreturn a + b", &["b 3"]).ends_with("*1|+<endsession>|:3|"));
    let text = session("while true do end", &["c"]);
    assert!(text.contains("Script killed by user"), "{text}");
    let late = Client { says: vec![request("c"), request("abort")], is_late: true, ..Client::default() };
    let text = session_with("while true do end", late);
    assert!(text.contains("stop reason = timeout reached, infinite loop?") && text.contains("aborted"), "{text}");
}
