//! What COMMAND, its subcommands and every container's HELP answer, from the declarations.

use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::keys::{KeyList, legacy_range};
use crate::spec::{Arg, ArgKind, BeginSearch, Catalog, Command, FindKeys, Flags, KeySpec};

/// One command as COMMAND INFO shows it: ten elements, subcommands inside.
pub fn reply_info(reply: &mut Reply<'_>, catalog: &Catalog, command: &Command) {
    let range = legacy_range(command.meta.keys);
    reply.array(10);
    reply.bulk(command.full_name.as_bytes());
    reply.int(command.meta.arity.as_redis());
    let shown = Flags::HIDDEN.complement();
    let words: Vec<_> = Flags::ALL
        .iter()
        .filter(|(flag, _)| command.flags.has(*flag) && shown.has(*flag))
        .map(|(_, word)| *word)
        .collect();
    reply_set_of_simple(reply, &words);
    reply.int(range.first as i64);
    reply.int(range.last as i64);
    reply.int(range.step as i64);
    let categories: Vec<String> = command.categories.words().map(|word| format!("@{word}")).collect();
    reply.set(categories.len());
    categories.iter().for_each(|category| reply.simple(category));
    reply.set(command.meta.tips.len());
    command.meta.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(command.meta.keys.len());
    command.meta.keys.iter().for_each(|spec| reply_key_spec(reply, spec));
    reply.set(command.subcommands.len());
    command.subcommands.iter().for_each(|id| reply_info(reply, catalog, catalog.get(*id)));
}

fn reply_set_of_simple(reply: &mut Reply<'_>, words: &[&str]) {
    reply.set(words.len());
    words.iter().for_each(|word| reply.simple(word));
}

fn reply_key_spec(reply: &mut Reply<'_>, spec: &KeySpec) {
    reply.map(3);
    reply.bulk(b"flags");
    let marks = [(spec.not_key, "not_key"), (spec.incomplete, "incomplete"), (spec.variable_flags, "variable_flags")];
    let marks = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| *word);
    reply_set_of_simple(reply, &spec.access.words().chain(marks).collect::<Vec<_>>());
    reply.bulk(b"begin_search");
    match spec.begin {
        BeginSearch::Index(index) => reply_variant(reply, "index", &[("index", index as i64)], None),
        BeginSearch::Keyword { word, from } => {
            reply_variant(reply, "keyword", &[("startfrom", from as i64)], Some(("keyword", word)));
        }
        BeginSearch::Unknown => reply_variant(reply, "unknown", &[], None),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        FindKeys::Range { last, step, limit } => {
            let fields = [("lastkey", last as i64), ("keystep", step as i64), ("limit", limit as i64)];
            reply_variant(reply, "range", &fields, None);
        }
        FindKeys::KeyNum { index, first, step } => {
            let fields = [("keynumidx", index as i64), ("firstkey", first as i64), ("keystep", step as i64)];
            reply_variant(reply, "keynum", &fields, None);
        }
        FindKeys::Unknown => reply_variant(reply, "unknown", &[], None),
    }
}

/// `{type: …, spec: {…}}`, with the one textual field first.
fn reply_variant(reply: &mut Reply<'_>, kind: &str, numbers: &[(&str, i64)], text: Option<(&str, &str)>) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(numbers.len() + usize::from(text.is_some()));
    if let Some((name, value)) = text {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    for (name, value) in numbers {
        reply.bulk(name.as_bytes());
        reply.int(*value);
    }
}

/// One command as COMMAND DOCS shows it: its name, then a map.
pub fn reply_docs(reply: &mut Reply<'_>, catalog: &Catalog, command: &Command) {
    let meta = command.meta;
    reply.bulk(command.full_name.as_bytes());
    let map = reply.map_deferred();
    let mut fields = 4;
    reply_field(reply, "summary", meta.summary);
    reply_field(reply, "since", meta.since);
    reply_field(reply, "group", meta.group.as_str());
    reply_field(reply, "complexity", if command.is_container() { "Depends on subcommand." } else { meta.complexity });
    if let Some((since, instead)) = meta.deprecated {
        reply.bulk(b"doc_flags");
        reply_set_of_simple(reply, &["deprecated"]);
        reply_field(reply, "deprecated_since", since);
        reply_field(reply, "replaced_by", instead);
        fields += 3;
    }
    if !meta.history.is_empty() {
        reply.bulk(b"history");
        reply.set(meta.history.len());
        for (version, change) in meta.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
        fields += 1;
    }
    if !meta.args.is_empty() {
        reply.bulk(b"arguments");
        reply_args(reply, meta.args);
        fields += 1;
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        command.subcommands.iter().for_each(|id| reply_docs(reply, catalog, catalog.get(*id)));
        fields += 1;
    }
    reply.finish(map, fields);
}

fn reply_field(reply: &mut Reply<'_>, name: &str, value: &str) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

fn reply_args(reply: &mut Reply<'_>, args: &[Arg]) {
    reply.array(args.len());
    for arg in args {
        let map = reply.map_deferred();
        let mut fields = 2;
        reply_field(reply, "name", arg.name);
        reply_field(reply, "type", kind_word(arg.kind));
        if !matches!(arg.kind, ArgKind::OneOf | ArgKind::Block) {
            reply_field(reply, "display_text", arg.name);
            fields += 1;
        }
        if let Some(spec) = arg.key_spec {
            reply.bulk(b"key_spec_index");
            reply.int(spec as i64);
            fields += 1;
        }
        if let Some(token) = arg.token {
            reply_field(reply, "token", token);
            fields += 1;
        }
        if let Some(since) = arg.since {
            reply_field(reply, "since", since);
            fields += 1;
        }
        if arg.optional || arg.multiple {
            let words = [(arg.optional, "optional"), (arg.multiple, "multiple"), (arg.repeats_token, "multiple_token")];
            let words: Vec<_> = words.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| *word).collect();
            reply.bulk(b"flags");
            reply_set_of_simple(reply, &words);
            fields += 1;
        }
        if !arg.parts.is_empty() {
            reply.bulk(b"arguments");
            reply_args(reply, arg.parts);
            fields += 1;
        }
        reply.finish(map, fields);
    }
}

fn kind_word(kind: ArgKind) -> &'static str {
    match kind {
        ArgKind::String => "string",
        ArgKind::Integer => "integer",
        ArgKind::Double => "double",
        ArgKind::Key => "key",
        ArgKind::Pattern => "pattern",
        ArgKind::UnixTime => "unix-time",
        ArgKind::PureToken => "pure-token",
        ArgKind::OneOf => "oneof",
        ArgKind::Block => "block",
    }
}

/// The keys of a call as COMMAND GETKEYS shows them; `args` begins with the command's name.
pub fn reply_keys(reply: &mut Reply<'_>, args: &Args<'_>, keys: &KeyList) {
    reply.array(keys.len());
    keys.iter().for_each(|key| reply.bulk(args.get(key.index)));
}

/// The same with what is done to them: COMMAND GETKEYSANDFLAGS.
pub fn reply_keys_and_flags(reply: &mut Reply<'_>, args: &Args<'_>, keys: &KeyList) {
    reply.array(keys.len());
    for key in keys {
        reply.array(2);
        reply.bulk(args.get(key.index));
        reply_set_of_simple(reply, &key.access.words().collect::<Vec<_>>());
    }
}

/// A container's HELP: one line that says how to call it, then each subcommand with its arguments and its summary.
pub fn reply_help(reply: &mut Reply<'_>, catalog: &Catalog, container: &str) {
    let Some(command) = catalog.declared(container.as_bytes()) else {
        return reply.array(0);
    };
    let is_help = |command: &&Command| command.meta.name == "help";
    let subcommands = || command.subcommands.iter().map(|id| catalog.get(*id));
    let mut lines =
        vec![format!("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", container.to_ascii_uppercase())];
    // HELP itself comes last.
    for sub in subcommands().filter(|c| !is_help(c)).chain(subcommands().filter(is_help)) {
        lines.push(format!("{}{}", sub.meta.name.to_ascii_uppercase(), usage(sub.meta.args)));
        lines.push(format!("    {}", sub.meta.summary));
    }
    reply.array(lines.len());
    lines.iter().for_each(|line| reply.simple(line));
}

/// ` <key> [EX <seconds>] …` for arguments, each with a space before it.
pub fn usage(args: &[Arg]) -> String {
    args.iter().map(|arg| format!(" {}", usage_of(arg))).collect()
}

fn usage_of(arg: &Arg) -> String {
    let inner = match arg.kind {
        ArgKind::PureToken => arg.token.unwrap_or(arg.name).to_owned(),
        ArgKind::OneOf => {
            let parts = arg.parts.iter().map(usage_of).collect::<Vec<_>>().join("|");
            let bare = if arg.optional && arg.token.is_none() { parts } else { format!("({parts})") };
            with_token(arg, &bare)
        }
        ArgKind::Block => with_token(arg, &arg.parts.iter().map(usage_of).collect::<Vec<_>>().join(" ")),
        _ => with_token(arg, &format!("<{}>", arg.name)),
    };
    let repeated = if arg.multiple { format!("{inner} [{inner} ...]") } else { inner };
    if arg.optional { format!("[{repeated}]") } else { repeated }
}

fn with_token(arg: &Arg, text: &str) -> String {
    arg.token.map_or_else(|| text.to_owned(), |token| format!("{token} {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::out::Out;
    use crate::resp::reply::Proto;
    use crate::spec::{Access, Arity, Category, Group, Meta, Spec, Table};

    const SECONDS: Arg = Arg::new("seconds", ArgKind::Integer).after("EX");
    const GET: Spec<()> = Spec {
        meta: Meta {
            name: "get",
            group: Group::String,
            arity: Arity::Exactly(2),
            flags: Flags::READONLY.and(Flags::FAST).and(Flags::SENTINEL),
            categories: Category::STRING,
            keys: &[KeySpec::one(1, Access::RO.and(Access::ACCESS))],
            summary: "s",
            args: &[Arg::key("key", 0), SECONDS.optional()],
            ..Meta::NEW
        },
        handler: (),
    };
    const SUB: Spec<()> = Spec {
        meta: Meta {
            name: "on",
            container: "box",
            arity: Arity::AtLeast(2),
            summary: "Opens it.",
            args: &[Arg::one_of("x", &[Arg::token("yes", "YES"), Arg::token("no", "NO")])],
            ..Meta::NEW
        },
        handler: (),
    };
    const HELP: Spec<()> =
        Spec { meta: Meta { name: "help", container: "box", summary: "Prints this.", ..Meta::NEW }, handler: () };
    const BOX: Meta = Meta { name: "box", arity: Arity::AtLeast(2), ..Meta::NEW };

    fn written(proto: Proto, write: impl Fn(&mut Reply<'_>, &Catalog)) -> String {
        let table = Table::builder().add(&[&GET, &SUB, &HELP], |()| ()).add_containers(&[&BOX]).build();
        let mut out = Out::new();
        write(&mut Reply::new(&mut out, proto), table.catalog());
        String::from_utf8(out.iovecs(usize::MAX).iter().flat_map(|io| io.to_vec()).collect())
            .unwrap()
            .replace("\r\n", " ")
    }

    #[test]
    fn info_has_ten_elements_in_redis_order() {
        let text = written(Proto::Resp2, |reply, catalog| reply_info(reply, catalog, catalog.command(b"get").unwrap()));
        assert_eq!(
            text,
            "*10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 *1 *6 $5 flags *2 +RO +access \
             $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 \
             $9 find_keys *4 $4 type $5 range $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0 *0 "
        );
    }

    #[test]
    fn docs_are_a_map_with_only_the_fields_there_are() {
        let text = written(Proto::Resp3, |reply, catalog| reply_docs(reply, catalog, catalog.command(b"get").unwrap()));
        assert_eq!(
            text,
            "$3 get %5 $7 summary $1 s $5 since $5 1.0.0 $5 group $6 string $10 complexity $4 O(1) $9 arguments *2 \
             %4 $4 name $3 key $4 type $3 key $12 display_text $3 key $14 key_spec_index :0 \
             %5 $4 name $7 seconds $4 type $7 integer $12 display_text $7 seconds $5 token $2 EX $5 flags ~1 +optional "
        );
    }

    #[test]
    fn help_lists_the_subcommands_and_itself_last() {
        let text = written(Proto::Resp2, |reply, catalog| reply_help(reply, catalog, "box"));
        assert_eq!(
            text,
            "*5 +BOX <subcommand> [<arg> [value] [opt] ...]. Subcommands are: +ON (YES|NO) +    Opens it. +HELP \
             +    Prints this. "
        );
        assert_eq!(usage(GET.meta.args), " <key> [EX <seconds>]");
    }
}
