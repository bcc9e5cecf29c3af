//! Libraries of functions: any text as a library, any bytes as a dump. Nothing panics; what was loaded is dumped, and the dump brings back
//! the same libraries; what is refused changes nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::exec::functions::{Functions, Policy, read_dump};
use rredis::resp::args::OwnedArgs;
use rredis::resp::out::Out;
use rredis::resp::reply::Proto;
use rredis::script::{Calls, LogLevel, Propagation};

struct Nobody(u32);

impl Calls for Nobody {
    fn call(&mut self, _: &OwnedArgs, _: Proto, _: &mut Out) {}
    fn is_permitted(&mut self, _: &OwnedArgs) -> Option<bool> {
        None
    }
    fn log(&mut self, _: LogLevel, _: &[u8]) {}
    fn set_propagation(&mut self, _: Propagation) {}
    fn tick(&mut self) -> Result<(), &'static str> {
        self.0 += 1;
        if self.0 > 50 { Err("too long") } else { Ok(()) }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut functions = Functions::default();
    let mut nobody = Nobody(0);
    let before = functions.dump();
    if functions.load(data, false, &mut nobody).is_err() {
        assert_eq!(functions.dump(), before);
        let rest = functions.load(&[b"#!lua name=x\n", data].concat(), true, &mut nobody);
        let _ = rest.map_err(|text| assert!(!text.is_empty()));
    }
    let dump = functions.dump();
    let mut again = Functions::default();
    let texts = read_dump(&dump).expect("our own dump");
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    again.load_all(&texts, Policy::Append, &mut Nobody(0)).expect("our own libraries");
    assert_eq!(again.dump(), dump);
    if let Ok(texts) = read_dump(data) {
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let _ = again.load_all(&texts, Policy::Flush, &mut nobody);
    }
});
