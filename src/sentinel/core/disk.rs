//! What must be on disk before it may be told.
//!
//! A Sentinel that votes, crashes, forgets and votes again can give one epoch two leaders. So a vote and a candidacy are
//! made durable first, and told second. The core does not wait: it asks the shell to persist ([`Output::Persist`]), keeps
//! what depends on it here, and goes on. When the disk refuses, what depended on it is refused too: a vote is answered
//! with "no vote", a candidacy is withdrawn, a command fails; the state is offered to the disk again five seconds later.
//!
//! Other changes (a new replica, an adopted epoch, a new configuration) are persisted as well, but nothing waits for
//! them: a Sentinel that forgets them learns them again from the others.

use std::collections::VecDeque;

use super::Sentinel;
use super::io::{CommandReply, MasterId, Output, Outputs, ReplySlot, Ticket};
use crate::base::time::Instant;

/// How long after a failed write the state is offered again, in milliseconds.
const RETRY_AFTER: u64 = 5000;

/// The text a command is answered with when its effect could not be saved.
const NOT_SAVED: &str = "ERR Failed to save config file. Check server logs.";

/// What waits for the disk.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// An answer to a command or to a peer's question.
    Reply { slot: ReplySlot, reply: CommandReply },
    /// Asking the others for their votes in this epoch.
    Candidacy { master: MasterId, epoch: u64 },
}

/// The state of our requests to the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    issued: Ticket,
    durable: Ticket,
    is_dirty: bool,
    held: VecDeque<(Ticket, Held)>,
    retry: Option<Instant>,
}

impl Disk {
    /// The state changed. Gives the ticket that will cover the change.
    pub fn changed(&mut self) -> Ticket {
        self.is_dirty = true;
        Ticket(self.issued.0 + 1)
    }

    /// Keeps something until `ticket` is durable.
    pub fn hold(&mut self, ticket: Ticket, held: Held) {
        self.held.push_back((ticket, held));
    }

    /// Whether everything up to `ticket` is on disk.
    pub fn is_durable(&self, ticket: Ticket) -> bool {
        ticket <= self.durable
    }

    /// Whether `ticket` still can become durable without another request.
    pub fn is_pending(&self, ticket: Ticket) -> bool {
        ticket.0 > self.issued.0 || self.held.iter().any(|(held, _)| *held >= ticket)
    }

    /// At the end of a turn: asks for one write for all that changed.
    pub fn flush(&mut self, out: &mut Outputs) {
        if self.is_dirty {
            self.is_dirty = false;
            self.retry = None;
            self.issued.0 += 1;
            out.push(Output::Persist(self.issued));
        }
    }

    /// When the state is to be offered again after a failure.
    pub fn deadline(&self) -> Option<Instant> {
        self.retry
    }

    /// Offers it again if that moment has come.
    pub fn poll(&mut self, now: Instant) {
        if self.retry.is_some_and(|at| now >= at) {
            self.changed();
        }
    }

    fn take_up_to(&mut self, ticket: Ticket) -> Vec<Held> {
        let (ready, waiting) = self.held.drain(..).partition(|(held, _)| *held <= ticket);
        self.held = waiting;
        let ready: VecDeque<(Ticket, Held)> = ready;
        ready.into_iter().map(|(_, held)| held).collect()
    }
}

impl Sentinel {
    /// Answers once `ticket` is durable.
    pub(super) fn reply_when_durable(
        &mut self,
        ticket: Ticket,
        slot: ReplySlot,
        reply: CommandReply,
        out: &mut Outputs,
    ) {
        if self.disk.is_durable(ticket) {
            out.push(Output::Reply { slot, reply });
        } else {
            self.disk.hold(ticket, Held::Reply { slot, reply });
        }
    }

    pub(super) fn persisted(&mut self, ticket: Ticket, out: &mut Outputs) {
        if ticket.0 > self.disk.issued.0 {
            return;
        }
        self.disk.durable = self.disk.durable.max(ticket);
        for held in self.disk.take_up_to(ticket) {
            match held {
                Held::Reply { slot, reply } => out.push(Output::Reply { slot, reply }),
                Held::Candidacy { master, epoch } => self.candidacy_is_durable(master, epoch),
            }
        }
    }

    pub(super) fn persist_failed(&mut self, ticket: Ticket, now: Instant, out: &mut Outputs) {
        self.disk.retry = Some(now + RETRY_AFTER);
        for held in self.disk.take_up_to(ticket) {
            match held {
                Held::Reply { slot, reply } => {
                    let reply = match reply {
                        CommandReply::Down { down, .. } => CommandReply::Down { down, leader: None, leader_epoch: 0 },
                        _ => CommandReply::Error(NOT_SAVED.to_owned()),
                    };
                    out.push(Output::Reply { slot, reply });
                }
                Held::Candidacy { master, epoch } => self.candidacy_refused_by_disk(master, epoch, now, out),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_one_turn_share_one_write() {
        let (mut disk, mut out) = (Disk::default(), Outputs::new());
        assert_eq!((disk.changed(), disk.changed()), (Ticket(1), Ticket(1)));
        assert!(disk.is_pending(Ticket(1)) && !disk.is_durable(Ticket(1)));
        disk.flush(&mut out);
        disk.flush(&mut out);
        assert_eq!(out.drain().count(), 1);
        assert_eq!(disk.changed(), Ticket(2));
    }

    #[test]
    fn what_waits_is_taken_in_order_and_only_as_far_as_the_ticket() {
        let mut disk = Disk::default();
        for ticket in [1, 1, 2] {
            disk.hold(Ticket(ticket), Held::Candidacy { master: MasterId(0), epoch: ticket });
        }
        assert_eq!(disk.take_up_to(Ticket(1)).len(), 2);
        assert_eq!(disk.take_up_to(Ticket(1)).len(), 0);
        assert_eq!(disk.take_up_to(Ticket(9)).len(), 1);
    }
}
