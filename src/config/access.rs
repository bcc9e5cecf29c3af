//! CONFIG GET and CONFIG SET, without a server.
//!
//! SET takes several names and values and changes either all or none of them. It goes in two steps, so that the server
//! can keep its own house:
//!
//! ```text
//!   prepare(&config, pairs, rights)      checks names, then values, on a copy         → Change
//!   change.carry_out(&config, |effect, from, to| …)                                   → the new Config, or an error
//!        the server acts on each effect (opens a port, …) with the settings before and after;
//!        when one fails, those already done are asked again with `from` and `to` exchanged
//! ```
//!
//! Names are checked before values, in the order given; the first refusal is reported. `dir` is changed
//! first, because a port is easier to give back than a working directory is to lose.

use std::borrow::Cow;
use std::fmt;

use crate::base::glob;
use crate::base::quote;
use crate::config::directive::{Apply, Directive, Flags, Reason, Turn, When};
use crate::config::model::Config;
use crate::config::table;

/// Names and values that match any of the patterns, each once. A pattern without wildcards is looked up as it is, and
/// then finds hidden directives too; its name is returned as it was asked for.
pub fn get<'a>(config: &Config, patterns: &[&'a [u8]]) -> Vec<(Cow<'a, [u8]>, Vec<u8>)> {
    let mut found: Vec<(Cow<'a, [u8]>, Vec<u8>)> = Vec::new();
    let mut add = |name: Cow<'a, [u8]>, directive: &Directive| {
        if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            found.push((name, directive.get(config)));
        }
    };
    for &pattern in patterns {
        if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
            if let Some(directive) = table::find(pattern).filter(|directive| directive.has_value()) {
                add(Cow::Borrowed(pattern), directive);
            }
            continue;
        }
        for directive in table::all().filter(|d| d.has_value() && !d.flags.has(Flags::HIDDEN)) {
            for name in std::iter::once(directive.name).chain(directive.alias) {
                if glob::matches_ignoring_case(pattern, name.as_bytes()) {
                    add(Cow::Borrowed(name.as_bytes()), directive);
                }
            }
        }
    }
    found
}

/// True when the value of this directive must not show up in MONITOR or the slow log.
pub fn is_sensitive(name: &[u8]) -> bool {
    table::find(name).is_some_and(|directive| directive.flags.has(Flags::SENSITIVE))
}

/// What the client that sends CONFIG SET may do, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rights {
    /// `enable-protected-configs` lets this client change protected directives.
    pub may_change_protected: bool,
    /// The data set is being loaded.
    pub is_loading: bool,
}

/// Why CONFIG SET was refused. `Display` is the text for the client, prefix included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// A name without a value.
    Syntax,
    /// Not while the data set is being loaded.
    Loading,
    /// No such directive.
    Unknown(String),
    /// A value, or what it entails, was refused.
    Failed {
        /// The name of the directive.
        name: String,
        /// Why.
        reason: Reason,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("ERR syntax error"),
            Self::Loading => f.write_str("LOADING Redis is loading the dataset in memory"),
            Self::Unknown(name) => write!(f, "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"),
            Self::Failed { name, reason } => {
                write!(f, "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
        }
    }
}

/// A CONFIG SET whose values are all acceptable.
#[derive(Debug)]
pub struct Change {
    to: Config,
    effects: Vec<(Apply, &'static str)>,
}

/// Checks names and values (`name value name value …`). Nothing is changed.
pub fn prepare(config: &Config, pairs: &[&[u8]], rights: Rights) -> Result<Change, SetError> {
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(SetError::Syntax);
    }
    let mut to = config.clone();
    let mut effects: Vec<(Apply, &'static str)> = Vec::new();
    for Setting { name, directive, value } in settable(pairs, rights)? {
        let before = directive.get(&to);
        set_one(directive, &mut to, value).map_err(|reason| SetError::Failed { name: name.to_owned(), reason })?;
        let is_changed = directive.flags.has(Flags::VOLATILE) || directive.get(&to) != before;
        if let Some(effect) = directive.apply.filter(|_| is_changed)
            && !effects.iter().any(|(known, _)| *known == effect)
        {
            effects.push((effect, name));
        }
    }
    effects.sort_by_key(|(effect, _)| *effect != Apply::Directory);
    Ok(Change { to, effects })
}

/// A name and a value of CONFIG SET.
struct Setting<'a> {
    /// What to blame in errors. An alias is a name of its own here, as in Redis.
    name: &'static str,
    directive: &'static Directive,
    value: &'a [u8],
}

/// The directives that are named; the first name that may not be set is the one reported.
fn settable<'a>(pairs: &[&'a [u8]], rights: Rights) -> Result<Vec<Setting<'a>>, SetError> {
    let mut found: Vec<Setting<'a>> = Vec::new();
    for pair in pairs.chunks_exact(2) {
        let typed = printable(pair[0]);
        let Some(directive) = table::find(pair[0]).filter(|directive| directive.has_value()) else {
            return Err(SetError::Unknown(typed));
        };
        let is_alias = !directive.name.as_bytes().eq_ignore_ascii_case(pair[0]);
        let name = directive.alias.filter(|_| is_alias).unwrap_or(directive.name);
        let refuse = |reason: &'static str| Err(SetError::Failed { name: typed.clone(), reason: reason.into() });
        if directive.when == When::Start {
            return refuse("can't set immutable config");
        }
        if directive.flags.has(Flags::PROTECTED) && !rights.may_change_protected {
            return refuse("can't set protected config");
        }
        if directive.flags.has(Flags::DENY_LOADING) && rights.is_loading {
            return Err(SetError::Loading);
        }
        if found.iter().any(|known| known.name == name) {
            return refuse("duplicate parameter");
        }
        found.push(Setting { name, directive, value: pair[1] });
    }
    Ok(found)
}

/// Sets one directive from one text; those of several words are cut at white space.
fn set_one(directive: &Directive, config: &mut Config, value: &[u8]) -> Result<(), Reason> {
    if directive.flags.has(Flags::MULTI) && !value.is_empty() {
        let words: Vec<&[u8]> = value.split(|byte| quote::is_space(*byte)).filter(|word| !word.is_empty()).collect();
        return directive.set(config, &words, Turn::First);
    }
    directive.set(config, &[value], Turn::First)
}

/// Error replies are one line of text.
fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace(['\r', '\n'], " ")
}

impl Change {
    /// The settings as they will be.
    pub fn to(&self) -> &Config {
        &self.to
    }

    /// Performs the change: `apply` is called for each effect with the settings before and after it. When one fails, the
    /// effects performed so far are called again in reverse order with the two exchanged (their failure cannot be helped
    /// and is for `apply` to log), and `config` still holds. Otherwise the returned settings do.
    pub fn carry_out(
        self,
        config: &Config,
        mut apply: impl FnMut(Apply, &Config, &Config) -> Result<(), Reason>,
    ) -> Result<Config, SetError> {
        for (index, (effect, name)) in self.effects.iter().enumerate() {
            if let Err(reason) = apply(*effect, config, &self.to) {
                for (done, _) in self.effects[..index].iter().rev() {
                    // The first failure is the one to report.
                    let _ = apply(*done, &self.to, config);
                }
                return Err(SetError::Failed { name: (*name).to_owned(), reason });
            }
        }
        Ok(self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Rights = Rights { may_change_protected: true, is_loading: false };

    fn change(pairs: &[&str], rights: Rights) -> Result<Config, String> {
        let config = Config::default();
        let pairs: Vec<&[u8]> = pairs.iter().map(|word| word.as_bytes()).collect();
        let change = prepare(&config, &pairs, rights).map_err(|error| error.to_string())?;
        change.carry_out(&config, |_, _, _| Ok(())).map_err(|error| error.to_string())
    }

    fn names(patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let found = get(&Config::default(), &patterns);
        found.iter().map(|(name, _)| String::from_utf8(name.to_vec()).unwrap()).collect()
    }

    #[test]
    fn get_lists_both_names_and_each_once() {
        let mut found = names(&["min-*", "MIN-slaves-max-lag", "port", "por*"]);
        found.sort();
        assert_eq!(
            found,
            ["min-replicas-max-lag", "min-replicas-to-write", "min-slaves-max-lag", "min-slaves-to-write", "port"]
        );
        assert_eq!(names(&["REQUIREPASS"]), ["REQUIREPASS"]);
        assert_eq!(names(&["nonsense", "include", "user", "list-max-ziplist-entries"]), Vec::<String>::new());
        assert_eq!(names(&["PORT*"]), ["port"]);
    }

    #[test]
    fn hidden_directives_must_be_named() {
        assert_eq!(names(&["watchdog*"]), Vec::<String>::new());
        assert_eq!(names(&["watchdog-period"]), ["watchdog-period"]);
    }

    #[test]
    fn set_changes_all() {
        let config = change(&["maxclients", "5", "SAVE", " 10   3  20 4", "slave-priority", "7"], ALL).unwrap();
        assert_eq!(config.clients.maxclients, 5);
        assert_eq!(config.persistence.save.len(), 2);
        assert_eq!(config.replication.replica_priority, 7);
    }

    #[test]
    fn refusals_have_the_words_of_redis() {
        let none = Rights::default();
        let failed = "ERR CONFIG SET failed (possibly related to argument";
        for (pairs, rights, text) in [
            (&["foo", "1"][..], ALL, "ERR Unknown option or number of arguments for CONFIG SET - 'foo'".to_owned()),
            (&["user", "x"], ALL, "ERR Unknown option or number of arguments for CONFIG SET - 'user'".to_owned()),
            (&["port", "1", "2"], ALL, "ERR syntax error".to_owned()),
            (&["Daemonize", "yes"], ALL, format!("{failed} 'Daemonize') - can't set immutable config")),
            (&["replicaof", "a 1"], ALL, format!("{failed} 'replicaof') - can't set immutable config")),
            (&["dir", "/"], none, format!("{failed} 'dir') - can't set protected config")),
            (&["dbfilename", "x"], none, format!("{failed} 'dbfilename') - can't set protected config")),
            (&["port", "1", "PORT", "2"], ALL, format!("{failed} 'PORT') - duplicate parameter")),
            (&["PORT", "x"], ALL, format!("{failed} 'port') - argument couldn't be parsed into an integer")),
            (
                &["slave-priority", "x"],
                ALL,
                format!("{failed} 'slave-priority') - argument couldn't be parsed into an integer"),
            ),
            (
                &["foo", "1", "daemonize", "1"],
                ALL,
                "ERR Unknown option or number of arguments for CONFIG SET - 'foo'".to_owned(),
            ),
            (&["daemonize", "yes", "port", "1"], ALL, format!("{failed} 'daemonize') - can't set immutable config")),
            (
                &["maxclients", "1", "port", "x"],
                ALL,
                format!("{failed} 'port') - argument couldn't be parsed into an integer"),
            ),
        ] {
            assert_eq!(change(pairs, rights).unwrap_err(), text, "{pairs:?}");
        }
        let loading = Rights { is_loading: true, ..ALL };
        assert_eq!(change(&["dir", "/"], loading).unwrap_err(), "LOADING Redis is loading the dataset in memory");
        assert!(change(&["port", "1"], loading).is_ok());
    }

    #[test]
    fn a_name_with_a_line_break_stays_on_one_line() {
        let error = change(&["a\r\nb", "1"], ALL).unwrap_err();
        assert!(error.ends_with("'a  b'"), "{error}");
    }

    #[test]
    fn both_names_of_one_directive_are_no_duplicate_and_the_last_wins() {
        let config = change(&["slave-priority", "1", "replica-priority", "2"], ALL).unwrap();
        assert_eq!(config.replication.replica_priority, 2);
    }

    #[test]
    fn effects_happen_once_and_only_for_changes() {
        let config = Config::default();
        let pairs: [&[u8]; 8] =
            [b"min-replicas-to-write", b"1", b"min-replicas-max-lag", b"3", b"hz", b"10", b"dir", b"/"];
        let mut seen = Vec::new();
        prepare(&config, &pairs, ALL)
            .unwrap()
            .carry_out(&config, |effect, _, _| {
                seen.push(effect);
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [Apply::Directory, Apply::GoodReplicas]);
        let volatile: [&[u8]; 2] = [b"tls-cert-file", b""];
        assert_eq!(prepare(&config, &volatile, ALL).unwrap().effects.len(), 1);
    }

    #[test]
    fn a_failing_effect_undoes_the_earlier_ones() {
        let config = Config::default();
        let pairs: [&[u8]; 6] = [b"hz", b"20", b"maxclients", b"7", b"port", b"1"];
        let mut calls = Vec::new();
        let error = prepare(&config, &pairs, ALL)
            .unwrap()
            .carry_out(&config, |effect, from, to| {
                calls.push((effect, from.network.port, to.network.port));
                if effect == Apply::Port {
                    Err("Unable to listen on this port. Check server logs.".into())
                } else {
                    Ok(())
                }
            })
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
        );
        assert_eq!(
            calls,
            [
                (Apply::Hz, 6379, 1),
                (Apply::MaxClients, 6379, 1),
                (Apply::Port, 6379, 1),
                (Apply::MaxClients, 1, 6379),
                (Apply::Hz, 1, 6379)
            ]
        );
    }

    #[test]
    fn secrets_are_known() {
        assert!(is_sensitive(b"RequirePass") && is_sensitive(b"masterauth"));
        assert!(!is_sensitive(b"port") && !is_sensitive(b"nonsense"));
    }
}
