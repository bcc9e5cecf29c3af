//! SENTINEL CONFIG GET pattern … and CONFIG SET name value …: settings of the Sentinel itself.

use super::{Act, BASE, SentinelHandler, View};
use crate::base::glob;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::sentinel::core::io::Command;
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

const CONFIG: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "config",
        since: "6.2.0",
        arity: Arity::AtLeast(4),
        summary: "Reads or changes settings of the Sentinel.",
        complexity: "O(N) in the number of settings.",
        history: &[("7.2.0", "Takes several settings at once.")],
        args: &[Arg::one_of(
            "action",
            &[
                Arg::new("parameter", ArgKind::String).after("GET").multiple(),
                Arg::block(
                    "parameter-value",
                    &[Arg::new("parameter", ArgKind::String), Arg::new("value", ArgKind::String)],
                )
                .after("SET")
                .multiple(),
            ],
        )],
        ..BASE
    },
    handler: config,
};

/// The family.
pub const TABLE: &[&Spec<SentinelHandler>] = &[&CONFIG];

fn config(view: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    if args.is(2, "set") {
        return Ok(Act::Change(Command::ConfigSet { words: args.from(3).map(<[u8]>::to_vec).collect() }));
    }
    if !args.is(2, "get") {
        return Err(
            "ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...]/ SET <param> <value> [<param> <value> \
                    ...] are supported."
                .to_owned(),
        );
    }
    let settings = view.sentinel.settings();
    let yes_no = |value: bool| if value { b"yes".to_vec() } else { b"no".to_vec() };
    let all: [(&str, Vec<u8>); 7] = [
        ("resolve-hostnames", yes_no(settings.resolve_hostnames)),
        ("announce-hostnames", yes_no(settings.announce_hostnames)),
        ("announce-ip", settings.announce_ip.clone().unwrap_or_default().into_bytes()),
        ("announce-port", settings.announce_port.to_string().into_bytes()),
        ("sentinel-user", settings.sentinel_user.clone().unwrap_or_default()),
        ("sentinel-pass", settings.sentinel_pass.clone().unwrap_or_default()),
        ("loglevel", view.figures.log_level.as_bytes().to_vec()),
    ];
    let is_asked =
        |name: &str| args.from(3).any(|pattern| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()));
    let shown: Vec<_> = all.into_iter().filter(|(name, _)| is_asked(name)).collect();
    reply.map(shown.len());
    for (name, value) in shown {
        reply.bulk(name.as_bytes());
        reply.bulk(&value);
    }
    Ok(Act::Answered)
}
