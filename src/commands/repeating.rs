//! Elements drawn again and again, as a negative count asks for: HRANDFIELD, SRANDMEMBER, ZRANDMEMBER.
//!
//! Such a reply has nothing to do with how many data there are. Redis writes whatever is asked for; here a reply of more than
//! `REPEATED_REPLY_MAX` bytes, by the average length of elements, is refused, unless the client has a limit on its output: it is closed
//! when that is reached, and nothing is written beyond.

use crate::commands::contract::CommandError;
use crate::resp::reply::Reply;

/// Writes an array of `heads` and then `times` elements, of `average` bytes each.
pub fn repeat(
    reply: &mut Reply<'_>,
    heads: usize,
    times: usize,
    average: usize,
    mut write: impl FnMut(&mut Reply<'_>),
) -> Result<(), CommandError> {
    let each = average.saturating_add("$1\r\n\r\n".len());
    if !reply.may_repeat(times.saturating_mul(each)) {
        return Err(CommandError::err("value is out of range"));
    }
    reply.array(heads);
    for _ in 0..times {
        if reply.is_cut() {
            break;
        }
        write(reply);
    }
    Ok(())
}
