//! Which words of a command are secrets. The slow log and MONITOR show `(redacted)` in their place.

use crate::resp::args::{Args, OwnedArgs};
use crate::spec::Command;
use crate::spec::options::is;

/// Directives whose values are secrets.
const SECRET_SETTINGS: [&str; 5] =
    ["requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"];

/// The same words with secrets replaced, or `None` when there are none.
pub fn redacted(command: &Command, args: &Args<'_>) -> Option<OwnedArgs> {
    let secret = secret_words(&command.full_name, args);
    if secret.is_empty() {
        return None;
    }
    let mut shown = OwnedArgs::new();
    for (index, word) in args.iter().enumerate() {
        shown.push(if secret.contains(&index) { b"(redacted)" } else { word });
    }
    Some(shown)
}

fn secret_words(name: &str, args: &Args<'_>) -> Vec<usize> {
    match name {
        "auth" => (1..args.len()).collect(),
        "acl|setuser" | "acl|getuser" | "acl|deluser" => (2..args.len()).collect(),
        "hello" | "migrate" => after_options(args),
        "config|set" => (2..args.len().saturating_sub(1))
            .step_by(2)
            .filter(|index| SECRET_SETTINGS.iter().any(|name| args.is(*index, name)))
            .map(|index| index + 1)
            .collect(),
        _ => Vec::new(),
    }
}

/// The words after AUTH (one in MIGRATE, two in HELLO) and AUTH2.
fn after_options(args: &Args<'_>) -> Vec<usize> {
    let mut secret = Vec::new();
    for (index, word) in args.iter().enumerate() {
        let words = match () {
            _ if is(word, "AUTH2") || is(word, "AUTH") && args.is(0, "hello") => 2,
            _ if is(word, "AUTH") => 1,
            _ => 0,
        };
        secret.extend((index + 1..args.len()).take(words));
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, words: &str) -> String {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let owned = OwnedArgs::of(&words);
        let secret = secret_words(name, &owned.as_args());
        let word = |(index, word): (usize, &&[u8])| match secret.contains(&index) {
            true => "*".to_owned(),
            false => String::from_utf8_lossy(word).into_owned(),
        };
        words.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn passwords_are_hidden_and_other_words_are_not() {
        assert_eq!(shown("auth", "AUTH u p"), "AUTH * *");
        assert_eq!(shown("hello", "HELLO 3 AUTH u p SETNAME n"), "HELLO 3 AUTH * * SETNAME n");
        assert_eq!(shown("hello", "hello 3 auth u"), "hello 3 auth *");
        assert_eq!(shown("acl|setuser", "ACL SETUSER u >p"), "ACL SETUSER * *");
        assert_eq!(shown("config|set", "CONFIG SET maxmemory 1 masterauth p"), "CONFIG SET maxmemory 1 masterauth *");
        assert_eq!(shown("migrate", "MIGRATE h 1 k 0 9 AUTH p KEYS a"), "MIGRATE h 1 k 0 9 AUTH * KEYS a");
        assert_eq!(shown("set", "SET auth p"), "SET auth p");
    }
}
