//! Whether a command may run now: the admission rules, in Redis's order.
//!
//! ```text
//! known → arity → protected → authenticated → not forbidden in MULTI → ACL → memory → disk → good replicas → read-only
//!       → RESP2 subscriber → stale → loading → replica link → pause
//! ```
//!
//! Which rule speaks first is visible to clients (a command that is wrong in two ways answers the first), so the order
//! is part of the protocol. Each rule is a function of the command's flags and of [`Facts`], the present state of the
//! server as plain values; none of them changes anything.

use crate::session::admission::{NOAUTH, is_allowed_while_subscribed};
use crate::spec::{Flags, Meta};

/// What the rules look at, kept current by the server.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The data set is being loaded and nothing can be read.
    pub is_loading: bool,
    /// A new data set is being loaded beside the old one, which can be read.
    pub is_loading_async: bool,
    /// This server follows a master.
    pub is_replica: bool,
    /// … and its link is up.
    pub is_master_link_up: bool,
    /// `replica-read-only`.
    pub is_replica_read_only: bool,
    /// `replica-serve-stale-data`.
    pub is_stale_data_served: bool,
    /// `min-replicas-to-write` asks for more good replicas than there are.
    pub lacks_good_replicas: bool,
    /// Writes are paused (CLIENT PAUSE, a hand-over): nothing may change, expired keys are hidden and not removed.
    pub is_write_paused: bool,
    /// The append only file cannot be written or synced: why.
    pub aof_trouble: Option<String>,
    /// The last save failed, save points exist and `stop-writes-on-bgsave-error` is set.
    pub is_save_failing: bool,
    /// When the present command, transaction or script began, more memory was in use than `maxmemory` allows.
    pub is_out_of_memory: bool,
    /// A script is stuck, and this is what others are told.
    pub busy: Option<Refusal>,
}

/// Who asks, as far as the rules care.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// This is the stream from our master: nothing of what follows applies to it.
    pub is_master: bool,
    /// This connection is a replica's link.
    pub is_replica_link: bool,
    /// Subscribed, and speaking RESP2.
    pub is_resp2_subscriber: bool,
    /// Logged in, or no login needed.
    pub is_authenticated: bool,
    /// Inside MULTI (a command to be queued).
    pub is_in_multi: bool,
    /// The command is EXEC and its queue contains a write.
    pub has_queued_writes: bool,
    /// The command is EXEC and its queue contains a command that replicas may have to hear of.
    pub has_queued_effects: bool,
    /// The command is EXEC and its queue contains a command that may not run on stale data.
    pub has_queued_no_stale: bool,
    /// The command is EXEC and its queue contains a command that may not run while loading.
    pub has_queued_no_loading: bool,
    /// The command is EXEC and its queue contains a command that is refused when memory is short.
    pub has_queued_denyoom: bool,
}

/// Why a command was not admitted. The wire text, prefix included.
pub type Refusal = &'static str;

/// The last background save failed.
pub const MISCONF_RDB: Refusal = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
    persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report \
    errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for \
    details about the RDB error.";
/// Too few replicas have confirmed lately.
pub const NOREPLICAS: Refusal = "NOREPLICAS Not enough good replicas to write.";
/// A write on a read-only replica.
pub const READONLY: Refusal = "READONLY You can't write against a read only replica.";
/// A replica that lost its master and must not serve old data.
pub const MASTERDOWN: Refusal = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
/// The data set is not there yet.
pub const LOADING: Refusal = "LOADING Redis is loading the dataset in memory";
/// A script of EVAL is stuck.
pub const BUSY_SCRIPT: Refusal =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
/// A function is stuck.
pub const BUSY_FUNCTION: Refusal =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
/// A replica's link is not for queries.
pub const REPLICA_KEYSPACE: Refusal = "ERR Replica can't interact with the keyspace";
/// WATCH and friends inside MULTI.
pub const NO_MULTI: Refusal = "ERR Command not allowed inside a transaction";

/// What keeps writes away while the disk fails.
pub fn disk_refusal(facts: &Facts) -> Option<Refusal> {
    (facts.is_save_failing && !facts.is_replica).then_some(MISCONF_RDB)
}

/// The rules that come before the ACL.
pub fn before_acl(meta: &Meta, caller: &Caller) -> Result<(), Refusal> {
    if !caller.is_authenticated && !meta.flags.has(Flags::NO_AUTH) {
        return Err(NOAUTH);
    }
    if caller.is_in_multi && meta.flags.has(Flags::NO_MULTI) {
        return Err(NO_MULTI);
    }
    Ok(())
}

/// The rules that come after the ACL. `None` text with a RESP2 subscriber is formatted by the caller, because it names
/// the command.
pub fn after_acl(meta: &Meta, caller: &Caller, facts: &Facts) -> Result<(), Gate> {
    let flags = meta.flags;
    let is_write = flags.has(Flags::WRITE) || caller.has_queued_writes;
    let is_denyoom = flags.has(Flags::DENYOOM) || caller.has_queued_denyoom;
    let may_replicate = is_write || flags.has(Flags::MAY_REPLICATE);
    // What has happened already, at our master or before we were started again, is not refused: neither for want of good
    // replicas nor for a disk in trouble. While a script is stuck, it is held back where it is read.
    if caller.is_master {
        return Ok(());
    }
    if let Some(text) = disk_refusal(facts)
        && (is_write || is_denyoom || meta.name == "ping")
    {
        return Err(Gate::Refused(text));
    }
    if facts.aof_trouble.is_some() && !facts.is_replica && (is_write || is_denyoom || meta.name == "ping") {
        return Err(Gate::AofTrouble);
    }
    if facts.lacks_good_replicas && !facts.is_replica && is_write {
        return Err(Gate::Refused(NOREPLICAS));
    }
    if facts.is_replica && facts.is_replica_read_only && is_write {
        return Err(Gate::Refused(READONLY));
    }
    if caller.is_resp2_subscriber && !is_allowed_while_subscribed(meta.name) {
        return Err(Gate::SubscriberContext);
    }
    let no_stale = !flags.has(Flags::STALE) || caller.has_queued_no_stale;
    if facts.is_replica && !facts.is_master_link_up && !facts.is_stale_data_served && no_stale {
        return Err(Gate::Refused(MASTERDOWN));
    }
    let no_loading = !flags.has(Flags::LOADING) || caller.has_queued_no_loading;
    if facts.is_loading && no_loading {
        return Err(Gate::Refused(LOADING));
    }
    if facts.is_loading_async && flags.has(Flags::NO_ASYNC_LOADING) {
        return Err(Gate::Refused(LOADING));
    }
    if let Some(text) = facts.busy
        && !flags.has(Flags::ALLOW_BUSY)
    {
        return Err(Gate::Refused(text));
    }
    if caller.is_replica_link && (may_replicate || flags.has(Flags::READONLY)) {
        return Err(Gate::Refused(REPLICA_KEYSPACE));
    }
    Ok(())
}

/// What [`after_acl`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Refused with this text.
    Refused(Refusal),
    /// The append only file is in trouble; the text says in which.
    AofTrouble,
    /// A RESP2 subscriber may only manage its subscriptions; the text names the command.
    SubscriberContext,
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Meta = Meta { name: "set", flags: Flags::WRITE.and(Flags::DENYOOM), ..Meta::NEW };
    const READ: Meta = Meta { name: "get", flags: Flags::READONLY.and(Flags::FAST), ..Meta::NEW };

    fn caller() -> Caller {
        Caller { is_authenticated: true, ..Caller::default() }
    }

    #[test]
    fn the_first_reason_in_redis_order_is_the_one_told() {
        let facts =
            Facts { lacks_good_replicas: true, is_save_failing: true, is_stale_data_served: true, ..Facts::default() };
        assert_eq!(after_acl(&WRITE, &caller(), &facts), Err(Gate::Refused(MISCONF_RDB)));
        assert_eq!(after_acl(&READ, &caller(), &facts), Ok(()));
        let facts = Facts { is_save_failing: false, ..facts };
        assert_eq!(after_acl(&WRITE, &caller(), &facts), Err(Gate::Refused(NOREPLICAS)));
    }

    #[test]
    fn a_replica_refuses_writes_of_clients_but_not_of_its_master() {
        let facts = Facts { is_replica: true, is_replica_read_only: true, is_master_link_up: true, ..Facts::default() };
        assert_eq!(after_acl(&WRITE, &caller(), &facts), Err(Gate::Refused(READONLY)));
        let master = Caller { is_master: true, ..caller() };
        assert_eq!(after_acl(&WRITE, &master, &facts), Ok(()));
        let exec = Meta { name: "exec", flags: Flags::LOADING.and(Flags::STALE), ..Meta::NEW };
        let queued = Caller { has_queued_writes: true, ..caller() };
        assert_eq!(after_acl(&exec, &queued, &facts), Err(Gate::Refused(READONLY)));
    }

    /// Found by restarting a master with `min-replicas-to-write` from its append only file: all of it was refused.
    #[test]
    fn history_is_not_refused() {
        let facts = Facts { lacks_good_replicas: true, is_save_failing: true, is_loading: true, ..Facts::default() };
        let history = Caller { is_master: true, ..caller() };
        assert_eq!(after_acl(&WRITE, &history, &facts), Ok(()));
        assert!(after_acl(&WRITE, &caller(), &facts).is_err());
    }

    #[test]
    fn stale_and_loading_servers_answer_only_what_is_safe() {
        let stale = Facts { is_replica: true, ..Facts::default() };
        assert_eq!(after_acl(&READ, &caller(), &stale), Err(Gate::Refused(MASTERDOWN)));
        let loading = Facts { is_loading: true, ..Facts::default() };
        assert_eq!(after_acl(&READ, &caller(), &loading), Err(Gate::Refused(LOADING)));
        let info = Meta { name: "info", flags: Flags::LOADING.and(Flags::STALE), ..Meta::NEW };
        assert_eq!(after_acl(&info, &caller(), &stale), Ok(()));
        assert_eq!(after_acl(&info, &caller(), &loading), Ok(()));
    }

    #[test]
    fn without_login_only_login_commands_pass() {
        let nobody = Caller::default();
        assert_eq!(before_acl(&READ, &nobody), Err(NOAUTH));
        let hello = Meta { name: "hello", flags: Flags::NO_AUTH, ..Meta::NEW };
        assert_eq!(before_acl(&hello, &nobody), Ok(()));
    }

    #[test]
    fn a_subscriber_may_only_manage_its_subscriptions() {
        let subscriber = Caller { is_resp2_subscriber: true, ..caller() };
        assert_eq!(after_acl(&READ, &subscriber, &Facts::default()), Err(Gate::SubscriberContext));
        assert!(crate::session::admission::subscriber_text("get").starts_with("ERR Can't execute 'get'"));
    }
}
