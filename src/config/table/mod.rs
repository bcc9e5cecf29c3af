//! Every directive, by subsystem, in the order in which `redis.conf` shows them.

mod clients;
mod cluster;
mod encoding;
mod keyspace;
mod logging;
mod memory;
mod network;
mod persistence;
mod process;
mod replication;
mod scripting;
mod security;
mod special;
mod tls;

use crate::config::directive::Directive;

/// The directives of one subsystem.
pub struct Group {
    /// Its heading.
    pub title: &'static str,
    /// What to know before reading on; may be empty.
    pub intro: &'static str,
    /// Its directives.
    pub directives: &'static [Directive],
}

/// All groups.
pub static GROUPS: [&Group; 13] = [
    &process::GROUP,
    &network::GROUP,
    &tls::GROUP,
    &security::GROUP,
    &clients::GROUP,
    &logging::GROUP,
    &keyspace::GROUP,
    &persistence::GROUP,
    &replication::GROUP,
    &memory::GROUP,
    &encoding::GROUP,
    &scripting::GROUP,
    &cluster::GROUP,
];

/// All directives.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    GROUPS.iter().flat_map(|group| group.directives)
}

/// The directive of that name or alias, in any case.
pub fn find(name: &[u8]) -> Option<&'static Directive> {
    all().find(|directive| directive.is_called(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::directive::{Flags, Kind, Turn};
    use crate::config::model::Config;

    #[test]
    fn names_are_lower_case_and_unique() {
        let mut names: Vec<&str> = all().flat_map(|d| std::iter::once(d.name).chain(d.alias)).collect();
        assert!(names.iter().all(|name| !name.is_empty() && name.to_ascii_lowercase() == *name));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    /// Two directives on one field would overwrite each other; a range wider than its field would wrap.
    #[test]
    fn every_value_up_to_the_ends_of_its_range_is_kept_and_changes_nothing_else() {
        let default = Config::default();
        for directive in all() {
            let mut values: Vec<String> = match &directive.kind {
                Kind::Int { range, .. } => vec![range.start().to_string(), range.end().to_string()],
                Kind::Bytes { range, .. } => vec![range.start().to_string(), range.end().to_string()],
                Kind::Octal { range, .. } => vec![format!("{:o}", range.start()), format!("{:o}", range.end())],
                Kind::Bool { .. } => vec!["yes".to_owned(), "no".to_owned()],
                Kind::Word { words, .. } => words.iter().map(|word| (*word).to_owned()).collect(),
                Kind::Text { .. } if directive.check.is_none() => vec!["/x".to_owned()],
                _ => Vec::new(),
            };
            if matches!(directive.name, "hz" | "cluster-enabled" | "dir") {
                values.clear();
            }
            for value in values {
                let mut config = default.clone();
                directive.set(&mut config, &[value.as_bytes()], Turn::First).unwrap();
                assert_eq!(String::from_utf8(directive.get(&config)).unwrap(), value, "{}", directive.name);
                directive.reset(&mut config);
                assert!(config == default, "{}", directive.name);
            }
        }
    }

    #[test]
    fn the_lines_of_a_value_give_that_value_again() {
        for directive in all().filter(|directive| directive.has_value()) {
            let mut config = Config::default();
            for (index, line) in directive.lines(&Config::default()).iter().enumerate() {
                let words = crate::base::quote::split_args(line.as_bytes()).unwrap();
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                let turn = if index == 0 { Turn::First } else { Turn::Further };
                directive.set(&mut config, &words, turn).unwrap();
            }
            assert_eq!(config, Config::default(), "{}", directive.name);
        }
    }

    #[test]
    fn every_directive_says_what_it_does() {
        for directive in all() {
            assert!(directive.doc.ends_with('.') && directive.doc.len() > 5, "{}", directive.name);
            assert!(!directive.flags.has(Flags::MULTI) || matches!(directive.kind, Kind::Special(_)));
        }
    }

    #[test]
    fn aliases_find_the_same_directive() {
        assert_eq!(find(b"SlaveOf").map(|directive| directive.name), Some("replicaof"));
        assert!(find(b"slave-of").is_none());
    }
}
