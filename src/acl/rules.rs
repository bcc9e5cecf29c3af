//! The language of ACL SETUSER: one word after the other changes a user.
//!
//! Words about the user itself (`on`, `>password`, `reset`) are handled here first; `( … )` makes a further selector; all
//! else speaks about the user's root selector. A word that is wrong leaves everything as it was, because changes are made
//! to a copy (`Acl::set_user`).

use crate::acl::password::Digest;
use crate::acl::selector::{KeyPattern, KeyRight, Selector};
use crate::acl::user::User;
use crate::base::quote;
use crate::spec::{Catalog, Category};

/// What is wrong with a word. The texts are Redis's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No such rule.
    #[error("Syntax error")]
    Syntax,
    /// `+nosuch`, `+@nosuch`.
    #[error("Unknown command or category name in ACL")]
    UnknownName,
    /// `~x` after `~*`.
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
    )]
    KeysAreAll,
    /// `&x` after `&*`.
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
    )]
    ChannelsAreAll,
    /// `<x` where x is no password of the user.
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    /// `#x` where x is no digest.
    #[error("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")]
    NoDigest,
    /// `+config|get|x`.
    #[error("Allowing first-arg of a subcommand is not supported")]
    FirstArgOfSubcommand,
}

/// Applies one word to a user. `channels_open` is what `reset` and new selectors give for channels
/// (`acl-pubsub-default`).
pub fn apply(user: &mut User, word: &[u8], catalog: &Catalog, channels_open: bool) -> Result<(), RuleError> {
    if word.is_empty() {
        return Ok(());
    }
    match word.to_ascii_lowercase().as_slice() {
        b"on" => user.is_on = true,
        b"off" => user.is_on = false,
        b"nopass" => {
            user.is_nopass = true;
            user.passwords.clear();
        }
        b"resetpass" => {
            user.is_nopass = false;
            user.passwords.clear();
        }
        b"sanitize-payload" => user.is_payload_trusted = false,
        b"skip-sanitize-payload" => user.is_payload_trusted = true,
        b"clearselectors" => user.selectors.truncate(1),
        b"reset" => user.reset(channels_open),
        _ => match word[0] {
            b'>' => user.add_password(Digest::of(&word[1..])),
            b'#' => user.add_password(Digest::parse(&word[1..]).ok_or(RuleError::NoDigest)?),
            b'<' => user.remove_password(&Digest::of(&word[1..]))?,
            b'!' => user.remove_password(&Digest::parse(&word[1..]).ok_or(RuleError::NoDigest)?)?,
            b'(' if word.ends_with(b")") => {
                let mut selector = Selector::new(channels_open);
                let inner = &word[1..word.len() - 1];
                for rule in quote::split_args(inner).ok_or(RuleError::Syntax)? {
                    if reads_otherwise(&rule) {
                        return Err(RuleError::Syntax);
                    }
                    apply_to_selector(&mut selector, &rule, catalog)?;
                }
                user.selectors.push(selector);
            }
            _ => apply_to_selector(&mut user.selectors[0], word, catalog)?,
        },
    }
    Ok(())
}

/// Whether a word of a selector would be taken for something else where the selector is written down: for the selector's end, or for one
/// in quotes.
fn reads_otherwise(rule: &[u8]) -> bool {
    rule.ends_with(b")") || rule.iter().any(|byte| matches!(byte, b'"' | b'\''))
}

fn apply_to_selector(selector: &mut Selector, word: &[u8], catalog: &Catalog) -> Result<(), RuleError> {
    match word.to_ascii_lowercase().as_slice() {
        b"allkeys" | b"~*" => {
            selector.is_all_keys = true;
            selector.keys.clear();
        }
        b"resetkeys" => {
            selector.is_all_keys = false;
            selector.keys.clear();
        }
        b"allchannels" | b"&*" => {
            selector.is_all_channels = true;
            selector.channels.clear();
        }
        b"resetchannels" => {
            selector.is_all_channels = false;
            selector.channels.clear();
        }
        b"allcommands" | b"+@all" => selector.allow_all_commands(catalog),
        b"nocommands" | b"-@all" => selector.forbid_all_commands(),
        _ => match (word.first(), word.get(1)) {
            (Some(b'~' | b'%'), _) => add_key_pattern(selector, word)?,
            (Some(b'&'), _) => add_channel(selector, &word[1..])?,
            (Some(sign @ (b'+' | b'-')), Some(b'@')) => {
                let name = std::str::from_utf8(&word[2..]).map_err(|_| RuleError::UnknownName)?;
                let found = Category::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
                let (category, name) = found.ok_or(RuleError::UnknownName)?;
                selector.set_category((name, *category), *sign == b'+', catalog);
            }
            (Some(b'+'), _) => allow(selector, &word[1..], catalog)?,
            (Some(b'-'), _) => {
                let command = declared(catalog, &word[1..]).ok_or(RuleError::UnknownName)?;
                selector.set_command(command, false, catalog);
            }
            _ => return Err(RuleError::Syntax),
        },
    }
    Ok(())
}

/// `~pattern`, `%R~pattern`, `%W~pattern`, `%RW~pattern`.
fn add_key_pattern(selector: &mut Selector, word: &[u8]) -> Result<(), RuleError> {
    if selector.is_all_keys {
        return Err(RuleError::KeysAreAll);
    }
    let (right, pattern) = if word[0] == b'~' {
        (KeyRight { read: true, write: true }, &word[1..])
    } else {
        let tilde = word.iter().position(|byte| *byte == b'~').ok_or(RuleError::Syntax)?;
        let letters = word[1..tilde].to_ascii_uppercase();
        let count = |letter: u8| letters.iter().filter(|byte| **byte == letter).count();
        let (read, write) = (count(b'R'), count(b'W'));
        if letters.is_empty() || read > 1 || write > 1 || read + write != letters.len() {
            return Err(RuleError::Syntax);
        }
        (KeyRight { read: read == 1, write: write == 1 }, &word[tilde + 1..])
    };
    if has_spaces(pattern) {
        return Err(RuleError::Syntax);
    }
    match selector.keys.iter_mut().find(|known| *known.pattern == *pattern) {
        Some(known) => {
            known.right.read |= right.read;
            known.right.write |= right.write;
        }
        None => selector.keys.push(KeyPattern { pattern: pattern.into(), right }),
    }
    Ok(())
}

fn add_channel(selector: &mut Selector, pattern: &[u8]) -> Result<(), RuleError> {
    if selector.is_all_channels {
        return Err(RuleError::ChannelsAreAll);
    }
    if has_spaces(pattern) {
        return Err(RuleError::Syntax);
    }
    if !selector.channels.iter().any(|known| **known == *pattern) {
        selector.channels.push(pattern.into());
    }
    Ok(())
}

/// `+get`, `+config|get`, `+select|0`.
fn allow(selector: &mut Selector, name: &[u8], catalog: &Catalog) -> Result<(), RuleError> {
    let Some(bar) = name.iter().rposition(|byte| *byte == b'|') else {
        let command = declared(catalog, name).ok_or(RuleError::UnknownName)?;
        selector.set_command(command, true, catalog);
        return Ok(());
    };
    let (container, word) = (&name[..bar], &name[bar + 1..]);
    let command = declared(catalog, container).ok_or(RuleError::UnknownName)?;
    if command.parent.is_some() {
        return Err(RuleError::FirstArgOfSubcommand);
    }
    if word.is_empty() {
        return Err(RuleError::Syntax);
    }
    if command.is_container() {
        let subcommand = catalog.subcommand(command, word).ok_or(RuleError::UnknownName)?;
        selector.set_command(subcommand, true, catalog);
    } else {
        // Shown and compared in lower case, as text.
        let word = std::str::from_utf8(word).map_err(|_| RuleError::Syntax)?;
        selector.allow_first_arg(command, &word.to_ascii_lowercase());
    }
    Ok(())
}

/// The command declared as `get` or `config|get`: ACL rules do not follow renames.
fn declared<'c>(catalog: &'c Catalog, name: &[u8]) -> Option<&'c crate::spec::Command> {
    match name.iter().position(|byte| *byte == b'|') {
        None => catalog.declared(name),
        Some(bar) => catalog.subcommand(catalog.declared(&name[..bar])?, &name[bar + 1..]),
    }
}

/// Whether a text could not be told apart from several words, or would be cut in a file.
pub fn has_spaces(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_whitespace() || matches!(*byte, 0 | 0x0b))
}

/// Joins words that belong to one `( … )`. The error is the word that opens a selector nobody closes.
pub fn join_selectors(words: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut joined: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<(Vec<u8>, Vec<u8>)> = None;
    for word in words {
        match &mut open {
            None if word.starts_with(b"(") && !word.ends_with(b")") => open = Some((word.clone(), word.clone())),
            None => joined.push(word.clone()),
            Some((_, text)) => {
                text.push(b' ');
                text.extend_from_slice(word);
                if word.ends_with(b")") {
                    joined.extend(open.take().map(|(_, text)| text));
                }
            }
        }
    }
    match open {
        Some((start, _)) => Err(start),
        None => Ok(joined),
    }
}
