//! How replicas and the AOF hear of what a group did. Reading and claiming change the lists of pending entries by chance and
//! by the clock, so each entry is told as an XCLAIM that says all there is to say.

use crate::base::number::format_i64;
use crate::commands::contract::DataCtx;
use crate::data::stream::{Group, Pending};
use crate::resp::args::OwnedArgs;

/// The commands, collected while a group is altered.
pub(super) struct Told<'a> {
    is_wanted: bool,
    key: &'a [u8],
    group: &'a [u8],
    commands: Vec<OwnedArgs>,
}

impl<'a> Told<'a> {
    /// Nothing yet, about a group of the stream at `key`.
    pub(super) fn about(ctx: &DataCtx<'_>, key: &'a [u8], group: &'a [u8]) -> Told<'a> {
        Told { is_wanted: ctx.is_propagated, key, group, commands: Vec::new() }
    }

    /// The entry `id` is pending like this. If the stream no longer has it, whoever hears this forgets about it.
    pub(super) fn claim(&mut self, id: &[u8], pending: &Pending, group: &Group) {
        if !self.is_wanted {
            return;
        }
        self.commands.push(OwnedArgs::of(&[
            b"XCLAIM",
            self.key,
            self.group,
            group.consumer(pending.consumer).name(),
            b"0",
            id,
            b"TIME",
            &format_i64(pending.delivered_at),
            b"RETRYCOUNT",
            &format_i64(pending.deliveries as i64),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            &group.last_id.text(),
        ]));
    }

    /// How far the group has read.
    pub(super) fn position(&mut self, group: &Group) {
        if self.is_wanted {
            self.commands.push(OwnedArgs::of(&[
                b"XGROUP",
                b"SETID",
                self.key,
                self.group,
                &group.last_id.text(),
                b"ENTRIESREAD",
                &format_i64(group.entries_read.unwrap_or(-1)),
            ]));
        }
    }

    /// There is a new consumer.
    pub(super) fn consumer(&mut self, name: &[u8]) {
        if self.is_wanted {
            self.commands.push(OwnedArgs::of(&[b"XGROUP", b"CREATECONSUMER", self.key, self.group, name]));
        }
    }

    /// What there is to tell.
    pub(super) fn commands(self) -> Vec<OwnedArgs> {
        self.commands
    }
}
