//! Noting that somebody was refused: the figures in INFO, and ACL LOG.

use crate::acl::{Acl, Context, Denied, Reason, Refused, UserId};
use crate::base::time::Now;
use crate::resp::args::Args;
use crate::session::describe::client_line;
use crate::session::{Figures, Session};
use crate::spec::{Catalog, Command};

/// Who was refused, and when.
pub struct Scene<'a> {
    /// The client.
    pub session: &'a Session,
    /// Its connection.
    pub figures: &'a Figures,
    /// For the name of its last command.
    pub catalog: &'a Catalog,
    /// The moment.
    pub now: &'a Now,
}

impl Scene<'_> {
    /// A command that ACL rules refused. `context` says whether a client, a transaction or a script called it.
    pub fn note_denied(&self, acl: &mut Acl, command: &Command, args: &Args<'_>, denied: &Denied, context: Context) {
        let (reason, object, count) = match denied.reason {
            Reason::Command => ("command", command.full_name.as_bytes(), &mut acl.denials.command),
            Reason::Key(word) => ("key", args.get(word), &mut acl.denials.key),
            Reason::Channel(word) => ("channel", args.get(word), &mut acl.denials.channel),
        };
        *count += 1;
        let user = acl.name_text(self.session.user.unwrap_or(UserId::DEFAULT)).into_bytes();
        let client = self.client(acl);
        acl.log.add(Refused { reason, context, object, user: &user, client }, self.now.wall());
    }

    /// A login that failed; `object` is the command it was tried with.
    pub fn note_failed_login(&self, acl: &mut Acl, object: &[u8], user: &[u8]) {
        acl.denials.auth += 1;
        let context = if self.session.multi.is_some() { Context::Multi } else { Context::TopLevel };
        let client = self.client(acl);
        acl.log.add(Refused { reason: "auth", context, object, user, client }, self.now.wall());
    }

    fn client(&self, acl: &Acl) -> String {
        client_line(self.session, self.figures, acl, self.catalog, self.now)
    }
}
