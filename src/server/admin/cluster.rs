//! CLUSTER, READONLY, READWRITE, ASKING: there is no cluster here, and all of them say so.
//!
//! Reply:   none.
//! Errors:  `This instance has cluster support disabled`, as a server outside a cluster answers.
//!
//! The subcommands are declared, so that ACL rules and COMMAND know them and a misspelt one is told apart.

use crate::commands::contract::{CommandError, CommandResult};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::server::Turn;
use crate::server::admin::AdminHandler;
use crate::session::Session;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// The container.
pub const CONTAINER: Meta = Meta {
    name: "cluster",
    group: Group::Cluster,
    since: "3.0.0",
    arity: Arity::AtLeast(2),
    summary: "What a cluster is asked and told; there is none here.",
    complexity: "Depends on the subcommand.",
    ..Meta::NEW
};

const READ: Flags = Flags::STALE;
const ALWAYS: Flags = READ.and(Flags::LOADING);
const ADMIN: Flags = READ.and(Flags::ADMIN);
const CHANGE: Flags = ADMIN.and(Flags::NO_ASYNC_LOADING);
const RESET: Flags = ADMIN.and(Flags::NOSCRIPT);

const fn sub(
    name: &'static str,
    since: &'static str,
    arity: Arity,
    flags: Flags,
    summary: &'static str,
) -> Spec<AdminHandler> {
    Spec {
        meta: Meta { name, container: "cluster", group: Group::Cluster, since, arity, flags, summary, ..Meta::NEW },
        handler: refuse,
    }
}

static SUBCOMMANDS: [Spec<AdminHandler>; 28] = [
    sub("addslots", "3.0.0", Arity::AtLeast(3), CHANGE, "Assigns slots to a node."),
    sub("addslotsrange", "7.0.0", Arity::AtLeast(4), CHANGE, "Assigns ranges of slots to a node."),
    sub("bumpepoch", "3.0.0", Arity::Exactly(2), CHANGE, "Raises the configuration epoch."),
    sub("count-failure-reports", "3.0.0", Arity::Exactly(3), ADMIN, "Returns how many nodes report a node as failing."),
    sub("countkeysinslot", "3.0.0", Arity::Exactly(3), READ, "Returns how many keys are in a slot."),
    sub("delslots", "3.0.0", Arity::AtLeast(3), CHANGE, "Takes slots away from a node."),
    sub("delslotsrange", "7.0.0", Arity::AtLeast(4), CHANGE, "Takes ranges of slots away from a node."),
    sub("failover", "3.0.0", Arity::AtLeast(2), CHANGE, "Makes a replica the master of its slots."),
    sub("flushslots", "3.0.0", Arity::Exactly(2), CHANGE, "Takes all slots away from a node."),
    sub("forget", "3.0.0", Arity::Exactly(3), CHANGE, "Removes a node from the table of nodes."),
    sub("getkeysinslot", "3.0.0", Arity::Exactly(4), READ, "Returns keys of a slot."),
    sub("help", "5.0.0", Arity::Exactly(2), ALWAYS, "Lists the subcommands."),
    sub("info", "3.0.0", Arity::Exactly(2), READ, "Returns the state of the cluster."),
    sub("keyslot", "3.0.0", Arity::Exactly(3), READ, "Returns the slot of a key."),
    sub("links", "7.0.0", Arity::Exactly(2), READ, "Returns the links between nodes."),
    sub("meet", "3.0.0", Arity::AtLeast(4), CHANGE, "Makes two nodes know each other."),
    sub("myid", "3.0.0", Arity::Exactly(2), READ, "Returns the id of this node."),
    sub("myshardid", "7.2.0", Arity::Exactly(2), READ, "Returns the id of the shard of this node."),
    sub("nodes", "3.0.0", Arity::Exactly(2), READ, "Returns the table of nodes."),
    sub("replicas", "5.0.0", Arity::Exactly(3), ADMIN, "Returns the replicas of a node."),
    sub("replicate", "3.0.0", Arity::Exactly(3), CHANGE, "Makes this node a replica of another."),
    sub("reset", "3.0.0", Arity::AtLeast(2), RESET, "Makes this node forget the cluster."),
    sub("saveconfig", "3.0.0", Arity::Exactly(2), CHANGE, "Writes the table of nodes to the disk."),
    sub("set-config-epoch", "3.0.0", Arity::Exactly(3), CHANGE, "Sets the configuration epoch of a new node."),
    sub("setslot", "3.0.0", Arity::AtLeast(4), CHANGE, "Changes who serves a slot."),
    sub("shards", "7.0.0", Arity::Exactly(2), ALWAYS, "Returns the shards and who serves them."),
    sub("slaves", "3.0.0", Arity::Exactly(3), ADMIN, "Returns the replicas of a node."),
    sub("slots", "3.0.0", Arity::Exactly(2), ALWAYS, "Returns which node serves which slots."),
];

const fn alone(name: &'static str, flags: Flags, summary: &'static str) -> Spec<AdminHandler> {
    let flags = flags.and(Flags::FAST);
    let (group, arity, categories) = (Group::Cluster, Arity::Exactly(1), Category::CONNECTION);
    Spec { meta: Meta { name, group, since: "3.0.0", arity, flags, categories, summary, ..Meta::NEW }, handler: refuse }
}

static READONLY: Spec<AdminHandler> = alone("readonly", ALWAYS, "Lets a connection read from a replica in a cluster.");
static READWRITE: Spec<AdminHandler> = alone("readwrite", ALWAYS, "Ends what READONLY began.");
static ASKING: Spec<AdminHandler> = alone("asking", Flags::NONE, "Says that the next command follows a redirection.");

/// All of them.
pub static TABLE: &[&Spec<AdminHandler>] = &[
    &SUBCOMMANDS[0],
    &SUBCOMMANDS[1],
    &SUBCOMMANDS[2],
    &SUBCOMMANDS[3],
    &SUBCOMMANDS[4],
    &SUBCOMMANDS[5],
    &SUBCOMMANDS[6],
    &SUBCOMMANDS[7],
    &SUBCOMMANDS[8],
    &SUBCOMMANDS[9],
    &SUBCOMMANDS[10],
    &SUBCOMMANDS[11],
    &SUBCOMMANDS[12],
    &SUBCOMMANDS[13],
    &SUBCOMMANDS[14],
    &SUBCOMMANDS[15],
    &SUBCOMMANDS[16],
    &SUBCOMMANDS[17],
    &SUBCOMMANDS[18],
    &SUBCOMMANDS[19],
    &SUBCOMMANDS[20],
    &SUBCOMMANDS[21],
    &SUBCOMMANDS[22],
    &SUBCOMMANDS[23],
    &SUBCOMMANDS[24],
    &SUBCOMMANDS[25],
    &SUBCOMMANDS[26],
    &SUBCOMMANDS[27],
    &READONLY,
    &READWRITE,
    &ASKING,
];

fn refuse(_: &mut Turn<'_>, _: &mut Session, _: &Args<'_>, _: Reply<'_>) -> CommandResult {
    Err(CommandError::err("This instance has cluster support disabled").into())
}
