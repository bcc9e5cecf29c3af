//! What can be asked of the data: one file per command, one folder per family, no family knows another.

pub mod bitmap;
pub mod contract;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod many_keys;
pub mod repeating;
pub mod scanning;
pub mod set;
pub mod stream;
pub mod string;
pub mod timeout;
pub mod zset;

use contract::DataHandler;

use crate::spec::{Meta, Spec};

/// Every family.
pub const TABLES: &[&[&Spec<DataHandler>]] = &[
    bitmap::TABLE,
    generic::TABLE,
    geo::TABLE,
    hash::TABLE,
    hyperloglog::TABLE,
    list::TABLE,
    set::TABLE,
    stream::TABLE,
    string::TABLE,
    zset::TABLE,
];

/// Every container.
pub const CONTAINERS: &[&[&Meta]] = &[generic::CONTAINERS, stream::CONTAINERS];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Arity, BeginSearch, FindKeys, Flags};

    fn all() -> impl Iterator<Item = &'static Meta> {
        TABLES.iter().flat_map(|table| table.iter()).map(|spec| &spec.meta)
    }

    #[test]
    fn every_declaration_is_complete_and_agrees_with_itself() {
        for meta in all() {
            let name = (meta.container, meta.name);
            assert!(meta.summary.ends_with('.') && !meta.complexity.is_empty(), "{name:?} is documented");
            let (writes, reads) = (meta.flags.has(Flags::WRITE), meta.flags.has(Flags::READONLY));
            assert!(!(writes && reads), "{name:?} either writes or reads");
            assert!(meta.arity.as_redis() != 0 && (meta.args.is_empty() || !meta.arity.accepts(0)), "{name:?}");
            for spec in meta.keys {
                // Keys that may be missing begin where the least number of words ends.
                let is_open = matches!(meta.arity, Arity::AtLeast(_));
                let words = meta.arity.as_redis().unsigned_abs() as usize + usize::from(is_open);
                match (spec.begin, spec.find) {
                    (BeginSearch::Index(index), FindKeys::Range { step, .. }) => {
                        assert!(index < words && step > 0, "{name:?}: its first key is among its words");
                    }
                    (BeginSearch::Index(index), FindKeys::KeyNum { first, step, .. }) => {
                        assert!(
                            index < words && first > 0 && step > 0,
                            "{name:?}: its number of keys is among its words"
                        );
                    }
                    (BeginSearch::Keyword { .. }, FindKeys::Range { step, .. }) => assert!(step > 0, "{name:?}"),
                    (BeginSearch::Unknown, FindKeys::Unknown) => assert!(meta.keys_by.is_some(), "{name:?}"),
                    other => panic!("{name:?}: {other:?}"),
                }
            }
            assert_eq!(meta.name, meta.name.to_ascii_lowercase());
        }
    }

    #[test]
    fn subcommands_have_their_container_and_every_handler_its_own_name() {
        let containers: Vec<&str> = CONTAINERS.iter().flat_map(|list| list.iter()).map(|meta| meta.name).collect();
        let mut names: Vec<_> = all().map(|meta| (meta.container, meta.name)).collect();
        assert!(names.iter().all(|(container, _)| container.is_empty() || containers.contains(container)));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
