//! Applying a stream that is already history: the commands of our master. Nothing is admitted, answered or propagated;
//! each command is called, and MULTI … EXEC runs as one unit.

use crate::exec::{Handler, Host, execute};
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::session::Session;
use crate::spec::Table;

/// What came of one command of the stream.
pub struct Applied {
    /// The error it would have answered; a sign that master and replica have diverged.
    pub error: Option<String>,
}

/// Applies one command. `session` is the master's: its user is "may do everything", its kind says that the rules of
/// admission do not apply. `out` is where its reply goes to be looked at; it is left empty, and kept from call to call so
/// that nothing is allocated.
pub fn apply<H: Host>(
    host: &mut H,
    table: &Table<Handler<H::Admin>>,
    session: &mut Session,
    args: &Args<'_>,
    out: &mut Out,
) -> Applied {
    execute(host, table, session, args, out);
    let is_error = out.as_single().is_some_and(|reply| reply.first() == Some(&b'-'));
    let error = is_error.then(|| String::from_utf8_lossy(&out.to_vec()[1..]).trim_end().to_owned());
    out.clear();
    Applied { error }
}
