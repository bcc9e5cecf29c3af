//! Listpacks of foreign origin: what passes the check can be walked both ways, searched and edited, and stays a listpack.
//!
//! The first two bytes choose an edit; the rest is the listpack, with a proper total and end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rredis::data::listpack::Listpack;

fn texts(listpack: &Listpack) -> Vec<Vec<u8>> {
    listpack.iter().map(|item| item.to_vec()).collect()
}

fuzz_target!(|data: &[u8]| {
    let _ = Listpack::parse(data);
    let [at, edit, rest @ ..] = data else { return };
    let mut bytes = rest.to_vec();
    if bytes.len() >= 7 {
        let len = bytes.len();
        bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
        bytes[len - 1] = 0xff;
    }
    let Ok(mut listpack) = Listpack::parse(&bytes) else { return };
    let mut model = texts(&listpack);
    assert_eq!((listpack.as_bytes(), listpack.len()), (&bytes[..], model.len()));
    assert!(listpack.iter().rev().map(|item| item.to_vec()).eq(model.iter().rev().cloned()));
    let Some(pos) = listpack.seek(isize::from(*at)) else { return };
    let index = usize::from(*at);
    let found = listpack.find(listpack.first().expect("it has an entry"), &model[index], 0).expect("the text is there");
    assert_eq!(listpack.get(found).to_vec(), model[index]);
    let text = rest;
    match edit % 6 {
        0 => {
            listpack.insert_before(pos, text);
            model.insert(index, text.to_vec());
        }
        1 => {
            listpack.insert_after(pos, text);
            model.insert(index + 1, text.to_vec());
        }
        2 => {
            listpack.replace(pos, text);
            model[index] = text.to_vec();
        }
        3 => {
            let count = usize::from(edit / 6);
            listpack.remove(pos, count);
            model.drain(index..(index + count).min(model.len()));
        }
        4 => {
            let tail = listpack.split_off(pos);
            assert_eq!(texts(&tail), model[index..]);
            listpack.append(&tail);
        }
        _ => {
            listpack.remove_before(Some(pos));
            model.drain(..index);
        }
    }
    assert_eq!(texts(&listpack), model);
    assert!(Listpack::parse(listpack.as_bytes()).is_ok());
});
