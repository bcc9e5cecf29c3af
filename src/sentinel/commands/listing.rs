//! SENTINEL MASTERS, MASTER, REPLICAS, SENTINELS, GET-MASTER-ADDR-BY-NAME, MYID, CKQUORUM, INFO-CACHE: what is known.
//!
//! Source:  redis.io/docs/latest/operate/oss_and_stack/management/sentinel. The PRIMARY spellings are Valkey's.

use super::{Act, BASE, SentinelHandler, View, master, write_fields};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

const NAME: &[Arg] = &[Arg::new("master-name", ArgKind::String)];

macro_rules! by_name {
    ($constant:ident, $name:literal, $since:literal, $summary:literal, $handler:ident) => {
        const $constant: Spec<SentinelHandler> = Spec {
            meta: Meta { name: $name, since: $since, arity: Arity::Exactly(3), summary: $summary, args: NAME, ..BASE },
            handler: $handler,
        };
    };
}

by_name!(MASTER, "master", "2.8.4", "Returns what is known of a master.", one_master);
by_name!(PRIMARY, "primary", "8.0.0", "Returns what is known of a master.", one_master);
by_name!(REPLICAS, "replicas", "5.0.0", "Returns the replicas of a master.", replicas);
by_name!(SLAVES, "slaves", "2.8.0", "Returns the replicas of a master.", replicas);
by_name!(SENTINELS, "sentinels", "2.8.4", "Returns the other Sentinels that watch a master.", sentinels);
by_name!(ADDRESS, "get-master-addr-by-name", "2.8.4", "Returns the address of the present master of a group.", address);
by_name!(
    PRIMARY_ADDRESS,
    "get-primary-addr-by-name",
    "8.0.0",
    "Returns the address of the present master of a group.",
    address
);
by_name!(CKQUORUM, "ckquorum", "2.8.4", "Says whether a failover could be decided.", ckquorum);

const MASTERS: Spec<SentinelHandler> = Spec {
    meta: Meta { name: "masters", arity: Arity::Exactly(2), summary: "Returns the monitored masters.", ..BASE },
    handler: masters,
};

const PRIMARIES: Spec<SentinelHandler> =
    Spec { meta: Meta { name: "primaries", since: "8.0.0", ..MASTERS.meta }, handler: masters };

const MYID: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "myid",
        since: "6.2.0",
        arity: Arity::Exactly(2),
        summary: "Returns the id of this Sentinel.",
        ..BASE
    },
    handler: myid,
};

const INFO_CACHE: Spec<SentinelHandler> = Spec {
    meta: Meta {
        name: "info-cache",
        since: "3.2.0",
        arity: Arity::AtLeast(3),
        summary: "Returns the last INFO of masters and their replicas.",
        args: &[Arg::new("nodename", ArgKind::String).multiple()],
        ..BASE
    },
    handler: info_cache,
};

/// The family.
pub const TABLE: &[&Spec<SentinelHandler>] = &[
    &MASTER,
    &PRIMARY,
    &MASTERS,
    &PRIMARIES,
    &REPLICAS,
    &SLAVES,
    &SENTINELS,
    &ADDRESS,
    &PRIMARY_ADDRESS,
    &CKQUORUM,
    &MYID,
    &INFO_CACHE,
];

fn masters(view: &View<'_>, _: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    reply.array(view.sentinel.masters().len());
    for master in view.sentinel.masters() {
        write_fields(reply, &view.sentinel.master_fields(master, view.now));
    }
    Ok(Act::Answered)
}

fn one_master(view: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    let master = master(view, args, 2)?;
    write_fields(reply, &view.sentinel.master_fields(master, view.now));
    Ok(Act::Answered)
}

fn replicas(view: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    let listing = view.sentinel.replica_listing(master(view, args, 2)?, view.now);
    reply.array(listing.len());
    listing.iter().for_each(|fields| write_fields(reply, fields));
    Ok(Act::Answered)
}

fn sentinels(view: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    let listing = view.sentinel.sentinel_listing(master(view, args, 2)?, view.now);
    reply.array(listing.len());
    listing.iter().for_each(|fields| write_fields(reply, fields));
    Ok(Act::Answered)
}

fn address(view: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    match view.sentinel.master_address(&super::text(args, 2)) {
        None => reply.null_array(),
        Some((host, port)) => {
            reply.array(2);
            reply.bulk(host.as_bytes());
            reply.bulk_int(i64::from(port));
        }
    }
    Ok(Act::Answered)
}

fn myid(view: &View<'_>, _: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    reply.bulk(view.sentinel.id().as_bytes());
    Ok(Act::Answered)
}

fn ckquorum(view: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    let quorum = view.sentinel.check_quorum(master(view, args, 2)?);
    let usable = quorum.usable;
    if quorum.reaches_quorum && quorum.reaches_majority {
        reply.simple(&format!("OK {usable} usable Sentinels. Quorum and failover authorization can be reached"));
        return Ok(Act::Answered);
    }
    let mut text = format!("NOQUORUM {usable} usable Sentinels. ");
    if !quorum.reaches_quorum {
        text.push_str("Not enough available Sentinels to reach the specified quorum for this master");
    }
    if !quorum.reaches_majority {
        if !quorum.reaches_quorum {
            text.push_str(". ");
        }
        text.push_str("Not enough available Sentinels to reach the majority and authorize a failover");
    }
    Err(text)
}

fn info_cache(view: &View<'_>, args: &Args<'_>, reply: &mut Reply<'_>) -> Result<Act, String> {
    let known = |name: &[u8]| view.sentinel.master(&String::from_utf8_lossy(name));
    let masters: Vec<_> = args.from(2).filter_map(known).collect();
    // Names and what belongs to them, but no map, whatever the protocol.
    reply.array(masters.len() * 2);
    for master in masters {
        reply.bulk(master.instance.name.as_bytes());
        let cached = view.sentinel.info_cache(master, view.now);
        reply.array(cached.len());
        for info in cached {
            reply.array(2);
            reply.int(info.age_ms as i64);
            match info.text {
                Some(text) => reply.bulk(&text),
                None => reply.null(),
            }
        }
    }
    Ok(Act::Answered)
}
