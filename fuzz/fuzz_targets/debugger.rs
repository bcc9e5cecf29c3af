//! What a client of the debugger sends: any bytes, in pieces that end at zero bytes. Nothing panics, the script ends, and afterwards the
//! interpreter is as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::resp::args::OwnedArgs;
use rredis::resp::out::Out;
use rredis::resp::reply::{Proto, Reply};
use rredis::script::{Calls, Chunk, Heard, LogLevel, Propagation, Vm};

const CODE: &str = "local t = { 1, { k = 'v' }, 2.5 }\nlocal function f(x)\n  local y = x .. '!'\n  redis.debug(y, t)\n  return y\nend\n\
    local r = redis.call('ECHO', f(ARGV[1]))\nreturn { r, KEYS }";

struct Client<'a> {
    pieces: Vec<&'a [u8]>,
    ticks: u32,
}

impl Calls for Client<'_> {
    fn call(&mut self, words: &OwnedArgs, proto: Proto, out: &mut Out) {
        let args = words.as_args();
        let mut reply = Reply::new(out, proto);
        reply.array(args.len());
        args.iter().for_each(|word| reply.bulk(word));
    }
    fn is_permitted(&mut self, _: &OwnedArgs) -> Option<bool> {
        None
    }
    fn log(&mut self, _: LogLevel, _: &[u8]) {}
    fn set_propagation(&mut self, _: Propagation) {}
    fn tick(&mut self) -> Result<(), &'static str> {
        self.ticks += 1;
        if self.ticks > 50 { Err("Script killed by user with SCRIPT KILL...") } else { Ok(()) }
    }
    fn converse(&mut self, _: &[u8]) -> Heard {
        self.pieces.pop().map_or(Heard::Gone, |piece| Heard::Bytes(piece.to_vec()))
    }
}

thread_local! {
    static WORLD: (Vm, Chunk) = {
        let vm = Vm::new("user_script", "7.2.6", 1);
        let chunk = vm.compile(CODE.as_bytes()).unwrap();
        (vm, chunk)
    };
}

/// What `eval` runs cannot be ended (nor can it in Redis).
fn may_be_endless(data: &[u8]) -> bool {
    let has = |word: &[u8]| data.windows(word.len()).any(|part| part == word);
    has(b"while") || has(b"for") || has(b"repeat") || has(b"function") || has(b"rep")
}

fuzz_target!(|data: &[u8]| WORLD.with(|(vm, chunk)| {
    if may_be_endless(data) {
        return;
    }
    let mut pieces: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    pieces.reverse();
    let mut out = Out::new();
    let words: (&[&[u8]], &[&[u8]]) = (&[b"k"], &[b"a"]);
    let mut client = Client { pieces, ticks: 0 };
    let _ = vm.run_debugged(chunk, CODE.as_bytes(), words, &mut client, &mut Reply::new(&mut out, Proto::Resp2));
    let mut out = Out::new();
    let mut nobody = Client { pieces: Vec::new(), ticks: 0 };
    vm.run(chunk, &[], &[b"b"], &mut nobody, &mut Reply::new(&mut out, Proto::Resp2)).expect("the script itself has no fault");
    assert!(out.to_vec().starts_with(b"*2\r\n"));
    let mut steps = 50;
    vm.collect(&mut || {
        steps -= 1;
        steps > 0
    });
}));
