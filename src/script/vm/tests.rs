use super::*;
use crate::resp::args::OwnedArgs;
use crate::resp::out::Out;
use crate::resp::reply::Reply;
use crate::script::{LogLevel, Propagation};

/// Answers commands with their own words, `FAIL` with an error.
#[derive(Default)]
struct Echo {
    called: Vec<String>,
    ticks_left: Option<u32>,
}

impl Calls for Echo {
    fn call(&mut self, words: &OwnedArgs, proto: Proto, out: &mut Out) {
        let args = words.as_args();
        let words: Vec<String> = args.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        self.called.push(words.join(" "));
        let mut reply = Reply::new(out, proto);
        match words[0].as_str() {
            "FAIL" => reply.error("WRONG thing"),
            _ => {
                reply.array(words.len());
                words.iter().for_each(|word| reply.bulk(word.as_bytes()));
            }
        }
    }

    fn is_permitted(&mut self, words: &OwnedArgs) -> Option<bool> {
        match words.as_args().get(0) {
            b"may" => Some(true),
            b"may-not" => Some(false),
            _ => None,
        }
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        self.called.push(format!("{level:?} {}", String::from_utf8_lossy(text)));
    }

    fn set_propagation(&mut self, to: Propagation) {
        self.called.push(format!("{to:?}"));
    }

    fn tick(&mut self) -> Result<(), &'static str> {
        match &mut self.ticks_left {
            Some(0) => Err("Script killed by user with SCRIPT KILL..."),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn vm() -> Vm {
    Vm::new("user_script", "7.2.6", 1)
}

/// The reply of a script, or its error message.
fn eval_in(vm: &Vm, code: &str, calls: &mut Echo) -> String {
    let chunk = match vm.compile(code.as_bytes()) {
        Ok(chunk) => chunk,
        Err(text) => return text,
    };
    let mut out = Out::new();
    match vm.run(&chunk, &[b"k1", b"k2"], &[b"a"], calls, &mut Reply::new(&mut out, Proto::Resp2)) {
        Ok(_) => String::from_utf8(out.to_vec()).unwrap().replace("\r\n", " ").trim().to_owned(),
        Err(failure) => failure.message("f"),
    }
}

fn eval(code: &str) -> String {
    eval_in(&vm(), code, &mut Echo::default())
}

#[test]
fn keys_and_arguments_are_there() {
    assert_eq!(eval("return {KEYS[1], KEYS[2], ARGV[1], #KEYS, #ARGV}"), "*5 $2 k1 $2 k2 $1 a :2 :1");
}

#[test]
fn commands_are_called_and_their_errors_raised_or_given() {
    assert_eq!(eval("return redis.call('SET', 'k', 10)"), "*3 $3 SET $1 k $2 10");
    assert_eq!(eval("return redis.pcall('FAIL')"), "-WRONG thing");
    assert_eq!(eval("\nredis.call('FAIL')"), "WRONG thing script: f, on @user_script:2.");
    assert_eq!(eval("return redis.pcall('FAIL').err"), "$11 WRONG thing");
    assert!(eval("return redis.call()").starts_with("ERR Please specify at least one argument"));
    assert!(eval("return redis.call('x', {})").starts_with("ERR Lua redis lib command arguments must be strings"));
}

#[test]
fn errors_of_lua_say_where() {
    assert_eq!(
        eval("return nope"),
        "ERR user_script:1: Script attempted to access nonexistent global variable 'nope' script: f, on @user_script:1."
    );
    assert_eq!(eval("\n\nerror('x')"), "ERR user_script:3: x script: f, on @user_script:3.");
    assert_eq!(eval("error({err = 'MINE x'})"), "MINE x script: f, on @user_script:1.");
    assert!(eval("return 1 +").contains("user_script:1: unexpected symbol near"));
    assert_eq!(
        eval("return cjson.decode('nope')"),
        "ERR user_script:1: Expected value but found invalid token at character 1 script: f, on @user_script:1."
    );
}

#[test]
fn globals_and_libraries_cannot_be_altered() {
    let vm = vm();
    for code in [
        "a = 1",
        "_G = {}",
        "_G.x = 1",
        "redis = 1",
        "redis.call = 1",
        "string.rep = 1",
        "cjson.encode = 1",
        "setmetatable(_G, {})",
        "getmetatable(_G).__index = {}",
        "rawset(_G, 'x', 1)",
        "rawset(string, 'x', 1)",
        "table.insert(redis, 1)",
        "getmetatable('').__index = {}",
        "getfenv(0).x = 1",
        "getfenv(string.len).x = 1",
        "setmetatable(getmetatable(_G), {})",
        "function f() end",
    ] {
        let text = eval_in(&vm, code, &mut Echo::default());
        assert!(text.contains("Attempt to modify a readonly table"), "{code}: {text}");
    }
    for name in ["print", "dofile", "loadfile", "require", "package", "io", "os", "debug", "module"] {
        let text = eval_in(&vm, &format!("return {name}"), &mut Echo::default());
        assert!(text.contains("nonexistent global variable"), "{name}: {text}");
    }
    assert_eq!(eval_in(&vm, "return {rawget(_G, 'x'), type(redis.call), ('x'):rep(3)}", &mut Echo::default()), "*0");
    assert_eq!(eval_in(&vm, "return ('x'):rep(3)", &mut Echo::default()), "$3 xxx");
}

#[test]
fn locked_tables_can_be_looked_at() {
    assert_eq!(eval("local n = 0 for k in pairs(bit) do n = n + 1 end return n"), ":12");
    assert_eq!(eval("return next(_G) ~= nil"), ":1");
    assert_eq!(eval("return _G"), "*0");
    assert_eq!(eval("return rawget(math, 'pi') == math.pi"), ":1");
}

#[test]
fn compiled_code_is_not_loaded() {
    let text = eval("return loadstring(string.dump(function() return 1 end))()");
    assert!(text.contains("attempt to call a nil value"), "{text}");
    assert_eq!(eval("return loadstring('return 7')()"), ":7");
    assert_eq!(eval("local n = 0 return load(function() n = n + 1 return ({'return ', '8'})[n] end)()"), ":8");
}

#[test]
fn a_script_that_is_killed_cannot_survive_by_catching_it() {
    for code in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local f = function() while true do end end while true do xpcall(f, function(x) return x end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    ] {
        let mut calls = Echo { ticks_left: Some(2), ..Echo::default() };
        let text = eval_in(&vm(), code, &mut calls);
        assert!(text.contains("Script killed by user"), "{code}: {text}");
    }
}

#[test]
fn caught_errors_are_texts() {
    assert_eq!(eval("local ok, e = pcall(cjson.decode, 'x') return type(e)"), "$6 string");
    assert_eq!(eval("local ok, e = pcall(redis.call, 'FAIL') return e.err"), "$11 WRONG thing");
    assert_eq!(eval("local ok, e = pcall(function() return 1 end) return {tostring(ok), e}"), "*2 $4 true :1");
}

#[test]
fn the_api_has_its_helpers() {
    assert_eq!(eval("return redis.sha1hex('')"), "$40 da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert!(eval("return redis.sha1hex()").starts_with("ERR wrong number of arguments"));
    assert_eq!(eval("return redis.error_reply('oops')"), "-ERR oops");
    assert_eq!(eval("return redis.status_reply('FINE')"), "+FINE");
    assert_eq!(eval("return redis.error_reply()"), "-ERR wrong number or type of arguments");
    assert_eq!(eval("return redis.REDIS_VERSION_NUM"), ":459270");
    assert!(eval("return redis.setresp(4)").starts_with("ERR RESP version must be 2 or 3."));
    assert!(eval("return redis.log(10, 'x')").starts_with("ERR Invalid debug level."));
    assert_eq!(eval("return {redis.acl_check_cmd('may'), redis.acl_check_cmd('may-not')}"), "*2 :1 $-1");
    let mut calls = Echo::default();
    eval_in(&vm(), "redis.log(redis.LOG_NOTICE, 'a', 1) redis.set_repl(redis.REPL_AOF)", &mut calls);
    assert_eq!(calls.called, ["Notice a 1", "Propagation { to_aof: true, to_replicas: false }"]);
}

#[test]
fn random_numbers_follow_their_seed() {
    let code = "math.randomseed(7) return {math.random(1000000), math.random(5, 5)}";
    assert_eq!(eval(code), eval(code));
    assert!(eval(code).ends_with(":5"));
    assert!(eval("return math.random(0)").contains("interval is empty"));
}

#[test]
fn much_is_unpacked_and_recursion_ends() {
    assert_eq!(eval("local a = {} for i = 1, 7999 do a[i] = 1 end return #redis.call('x', unpack(a))"), ":8000");
    let text = eval("local function f() return f() + 1 end return f()");
    assert!(text.contains("stack overflow"), "{text}");
}

/// What a script returns, as a RESP2 reply.
fn replied(code: &str) -> (String, Vec<String>) {
    let (vm, mut calls) = (vm(), Echo::default());
    let chunk = vm.compile(code.as_bytes()).unwrap();
    let mut out = Out::new();
    let result = vm.run(&chunk, &[], &[], &mut calls, &mut Reply::new(&mut out, Proto::Resp2));
    result.unwrap_or_else(|failure| panic!("{}", failure.message("x")));
    (String::from_utf8(out.to_vec()).unwrap().replace("\r\n", " "), calls.called)
}

#[test]
fn metatables_of_what_is_returned_are_not_asked() {
    let (reply, called) =
        replied("return setmetatable({ 'a' }, { __index = function(_, key) redis.call('asked', key) end })");
    assert_eq!((reply.as_str(), called.len()), ("*1 $1 a ", 0));
    let (reply, _) = replied("return { setmetatable({}, { __index = { err = 'MY error' } }) }");
    assert_eq!(reply, "*1 *0 ");
}

#[test]
fn what_would_fill_the_machine_is_refused() {
    let (vm, mut calls) = (vm(), Echo::default());
    let mut failure = |code: &str| {
        let chunk = vm.compile(code.as_bytes()).unwrap();
        let mut out = Out::new();
        let result = vm.run(&chunk, &[], &[], &mut calls, &mut Reply::new(&mut out, Proto::Resp2));
        assert!(out.is_empty(), "what was written of it is taken back");
        String::from_utf8(result.unwrap_err().text).unwrap()
    };
    assert!(failure("return #string.rep('x', 2000000000)").contains("not enough memory"));
    assert!(failure("local s = 'x' while true do s = s .. s end").contains("not enough memory"));
    assert_eq!(failure("local t = {} t[1] = t t[2] = t return t"), "ERR The reply of the script has too many tables");
    let chunk = vm.compile(b"return 1").unwrap();
    let mut out = Out::new();
    assert!(vm.run(&chunk, &[], &[], &mut calls, &mut Reply::new(&mut out, Proto::Resp2)).is_ok());
}

/// Answers any command with these bytes.
struct Answers(&'static [u8]);

impl Calls for Answers {
    fn call(&mut self, _: &OwnedArgs, _: Proto, out: &mut Out) {
        out.append(self.0);
    }
    fn is_permitted(&mut self, _: &OwnedArgs) -> Option<bool> {
        None
    }
    fn log(&mut self, _: LogLevel, _: &[u8]) {}
    fn set_propagation(&mut self, _: Propagation) {}
    fn tick(&mut self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// What a script returns with the client's protocol, as one line.
fn written_by(code: &str, reply: &'static [u8], client: Proto) -> String {
    let vm = vm();
    let chunk = vm.compile(code.as_bytes()).unwrap();
    let mut out = Out::new();
    let result = vm.run(&chunk, &[], &[], &mut Answers(reply), &mut Reply::new(&mut out, client));
    result.unwrap_or_else(|failure| panic!("{code}: {}", failure.message("x")));
    String::from_utf8(out.to_vec()).unwrap().replace("\r\n", " ")
}

#[test]
fn replies_become_values() {
    for (reply, code) in [
        (&b":7\r\n"[..], "r == 7"),
        (b"$-1\r\n", "r == false"),
        (b"*-1\r\n", "r == false"),
        (b"+OK\r\n", "r.ok == 'OK'"),
        (b"-ERR x\r\n", "r.err == 'ERR x' and r.ignore_error_stats_update"),
        (b"*3\r\n$1\r\na\r\n:2\r\n*1\r\n$0\r\n\r\n", "r[1] == 'a' and r[2] == 2 and r[3][1] == ''"),
        (b"%1\r\n+k\r\n~1\r\n:1\r\n", "next(r.map).ok == 'k' and select(2, next(r.map)).set[1] == true"),
        (b",1.5\r\n", "r.double == 1.5"),
        (b"_\r\n", "r == nil"),
        (b"#t\r\n", "r == true"),
        (b"#f\r\n", "r == false"),
        (b"(123456789012345678901\r\n", "r.big_number == '123456789012345678901'"),
        (b"=7\r\ntxt:abc\r\n", "r.verbatim_string.string == 'abc' and r.verbatim_string.format == 'txt'"),
        (b"|1\r\n+ttl\r\n:1\r\n:5\r\n", "r == 5"),
        (b"%1\r\n_\r\n:1\r\n", "next(r.map) == nil"),
    ] {
        let script = format!("local r = redis.pcall('x') return ({code}) and 'yes'");
        assert_eq!(written_by(&script, reply, Proto::Resp2), "$3 yes ", "{code}");
    }
}

#[test]
fn values_become_replies() {
    let two = |code: &str| written_by(&format!("return {code}"), b"", Proto::Resp2);
    assert_eq!(two("100.9"), ":100 ");
    assert_eq!(two("-1.5"), ":-1 ");
    assert_eq!(two("{1, 'a', nil, 3}"), "*2 :1 $1 a ");
    assert_eq!(two("{ok = 'fine', 1}"), "+fine ");
    assert_eq!(two("{err = 'MY\\r\\nERR'}"), "-MY  ERR ");
    assert_eq!((two("true"), two("false"), two("nil")), (":1 ".into(), "$-1 ".into(), "$-1 ".into()));
    assert_eq!(two("{double = 3.5}"), "$3 3.5 ");
    assert_eq!(two("{big_number = '12'}"), "$2 12 ");
    assert_eq!(two("{verbatim_string = {format = 'txt', string = 'x'}}"), "$1 x ");
    assert_eq!(two("{map = {a = 1}}"), "*2 $1 a :1 ");
    assert_eq!(two("{set = {a = true}}"), "*1 $1 a ");
    assert_eq!(two("{{}, {1, {2}}}"), "*2 *0 *2 :1 *1 :2 ");
    let three = |code: &str| written_by(code, b"", Proto::Resp3);
    assert_eq!(three("redis.setresp(3) return {map = {a = true}}"), "%1 $1 a #t ");
    assert_eq!(three("return true"), ":1 ");
}

#[test]
fn a_table_within_itself_ends_with_an_error() {
    let text = written_by("local t = {} t[1] = t return t", b"", Proto::Resp2);
    assert!(text.ends_with("-ERR reached lua stack limit "));
}

#[test]
fn numbers_become_words_with_all_their_digits() {
    for (number, text) in [
        ("9007199254740991", "$16 9007199254740991"),
        ("0.1", "$19 0.10000000000000001"),
        ("-3", "$2 -3"),
        ("1e300", "$23 1.0000000000000001e+300"),
        ("1 / 0", "$3 inf"),
        ("-1 / 0", "$4 -inf"),
        ("0 / 0", "$3 nan"),
    ] {
        assert_eq!(eval(&format!("return redis.call('x', {number})[2]")).replace("$4 -nan", "$3 nan"), text);
    }
}

#[test]
fn userdata_have_metatables_but_no_finalisers() {
    let code = "local u = newproxy(true) local m = getmetatable(u) m.__len = function() return 7 end m.__gc = function() redis.call('GC') end \
                rawset(m, '__gc', function() redis.call('GC') end) local copy = newproxy(u) \
                return {#u, #copy, m.__len and 'len' or 'none', type(m.__gc), tostring(getmetatable(m)), type(newproxy(false))}";
    let (vm, mut calls) = (vm(), Echo::default());
    assert_eq!(eval_in(&vm, code, &mut calls), "*6 :7 :7 $3 len $8 function $5 false $8 userdata");
    eval_in(&vm, "collectgarbage() collectgarbage()", &mut calls);
    assert_eq!(calls.called.len(), 0, "the one in front of the metatable is not asked");
}

#[test]
fn what_scripts_leave_is_collected_between_them() {
    let (vm, mut calls) = (vm(), Echo::default());
    vm.collect(&mut || true);
    let before = vm.memory();
    eval_in(&vm, "local t = {} for i = 1, 100 do t[i] = 'some text that is new ' .. i end", &mut calls);
    assert!(vm.memory() > before + 4000);
    let mut steps = 0;
    vm.collect(&mut || {
        steps += 1;
        true
    });
    // The compiled script stays as long as its chunk, whose slot is used again by the next.
    assert!(vm.memory() < before + 2000, "{} after {before}", vm.memory());
    assert!(steps > 2 && steps < 1000, "{steps}");
    vm.collect(&mut || panic!("there is nothing to do"));
}

/// Answers with an array of this many strings of so many bytes, all of them different.
struct Large(usize, usize, u32);

impl Calls for Large {
    fn call(&mut self, _: &OwnedArgs, proto: Proto, out: &mut Out) {
        let (mut text, mut reply) = (vec![b'x'; self.1], Reply::new(out, proto));
        reply.array(self.0);
        for _ in 0..self.0 {
            self.2 += 1;
            text[..4].copy_from_slice(&self.2.to_le_bytes());
            reply.bulk(&text);
        }
    }
    fn is_permitted(&mut self, _: &OwnedArgs) -> Option<bool> {
        None
    }
    fn log(&mut self, _: LogLevel, _: &[u8]) {}
    fn set_propagation(&mut self, _: Propagation) {}
    fn tick(&mut self) -> Result<(), &'static str> {
        Ok(())
    }
}

#[test]
fn what_runs_out_of_memory_in_a_reply_leaves_the_interpreter_whole() {
    let vm = vm();
    let run = |code: &str, calls: &mut Large| {
        let mut out = Out::new();
        let result =
            vm.run(&vm.compile(code.as_bytes()).unwrap(), &[], &[], calls, &mut Reply::new(&mut out, Proto::Resp2));
        let text = result.map(|_| String::from_utf8(out.to_vec()).unwrap());
        text.unwrap_or_else(|failure| String::from_utf8(failure.text).unwrap())
    };
    // A gigabyte is full after seventeen. From then on each attempt ends within the reply, more of them than replies may be read at once.
    let code = "local kept, failed = {}, 0 for i = 1, 36 do local ok, reply = pcall(redis.call, 'x') \
                if ok then kept[#kept + 1] = reply else failed = failed + 1 end end return failed";
    let failed = run(code, &mut Large(10, 6 * 1024 * 1024, 0));
    assert!((17..=20).any(|count| failed == format!(":{count}\r\n")), "{failed}");
    assert_eq!(run("collectgarbage() return #redis.call('x')", &mut Large(3, 10, 0)), ":3\r\n");
}
