//! What Lua hands to native functions, and what comes back: arguments of `redis.call`, replies as values and values as replies, and the
//! libraries. Whatever the bytes, nothing panics; what cjson and cmsgpack wrote they read again as what it was.
//!
//! The first byte chooses what is tried, the rest is ARGV[1].

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::resp::args::OwnedArgs;
use rredis::resp::out::Out;
use rredis::resp::reply::{Proto, Reply};
use rredis::script::{Calls, Chunk, LogLevel, Propagation, Vm};

/// Answers with the last word as RESP, if it is one reply, and bounds the time.
struct Mirror {
    ticks: u32,
}

impl Calls for Mirror {
    fn call(&mut self, words: &OwnedArgs, proto: Proto, out: &mut Out) {
        let args = words.as_args();
        let mut reply = Reply::new(out, proto);
        reply.array(args.len());
        args.iter().for_each(|word| reply.bulk(word));
    }
    fn is_permitted(&mut self, words: &OwnedArgs) -> Option<bool> {
        Some(words.as_args().len() > 1)
    }
    fn log(&mut self, _: LogLevel, _: &[u8]) {}
    fn set_propagation(&mut self, _: Propagation) {}
    fn tick(&mut self) -> Result<(), &'static str> {
        self.ticks += 1;
        if self.ticks > 50 { Err("Script killed by user with SCRIPT KILL...") } else { Ok(()) }
    }
}

const SCRIPTS: [&str; 8] = [
    // Any text as a script.
    "local f = loadstring(ARGV[1]) if f then return f() end",
    // cjson there and back: the second text is the first.
    "local ok, v = pcall(cjson.decode, ARGV[1]) if ok then local t = cjson.encode(v) local again = cjson.encode(cjson.decode(t)) \
     assert(#again == #t, 'cjson') return v end",
    // (One value of many: Lua's own pcall fails a check of its debug builds when it returns dozens.)
    "local ok, v = pcall(function(text) return (cmsgpack.unpack(text)) end, ARGV[1]) if ok and v ~= nil then local p = cmsgpack.pack(v) \
     assert(#cmsgpack.pack(cmsgpack.unpack(p)) == #p, 'cmsgpack') return v end",
    "return { pcall(cmsgpack.unpack_limit, ARGV[1], 3, #ARGV[1] % 7) }",
    // Half is the format, half the data.
    "local h = math.floor(#ARGV[1] / 2) return { pcall(function(format, text) return { struct.unpack(format, text) } end, ARGV[1]:sub(1, h), ARGV[1]:sub(h + 1)) }",
    "local h = math.floor(#ARGV[1] / 2) return { pcall(struct.pack, ARGV[1]:sub(1, h), 1, 'x', -2.5, ARGV[1]:sub(h + 1), 7, 8) }",
    // Words of a command.
    "local words = {} for word in ARGV[1]:gmatch('%S+') do words[#words + 1] = tonumber(word) or word end \
     return { redis.pcall(unpack(words)), pcall(redis.acl_check_cmd, unpack(words)), redis.sha1hex(ARGV[1]) }",
    "local n = {} for i = 1, #ARGV[1] do n[i] = ARGV[1]:byte(i) * 16777259 end \
     return { pcall(bit.bxor, unpack(n)), pcall(bit.rol, unpack(n)), pcall(bit.tohex, unpack(n)), pcall(redis.error_reply, ARGV[1]) }",
];

thread_local! {
    static WORLD: (Vm, Vec<Chunk>) = {
        let vm = Vm::new("user_script", "7.2.6", 1);
        let chunks = SCRIPTS.iter().map(|code| vm.compile(code.as_bytes()).unwrap()).collect();
        (vm, chunks)
    };
}

fuzz_target!(|data: &[u8]| WORLD.with(|(vm, chunks)| {
    let Some((choice, text)) = data.split_first() else { return };
    let chunk = &chunks[usize::from(*choice) % chunks.len()];
    for proto in [Proto::Resp2, Proto::Resp3] {
        let mut out = Out::new();
        match vm.run(chunk, &[], &[text], &mut Mirror { ticks: 0 }, &mut Reply::new(&mut out, proto)) {
            Ok(_) => assert!(!out.is_empty()),
            Err(failure) => {
                let text = failure.message("f");
                assert!(!text.contains("cjson\"") && !text.ends_with(": cjson") && !text.ends_with(": cmsgpack"), "{text}");
                assert!(out.is_empty());
            }
        }
    }
    let mut steps = 50;
    vm.collect(&mut || {
        steps -= 1;
        steps > 0
    });
}));
