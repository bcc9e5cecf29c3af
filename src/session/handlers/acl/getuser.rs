//! ACL GETUSER name: all about one user, or null.

use super::ADMIN;
use crate::acl::Selector;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::session::{SessionCtx, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "getuser",
        arity: Arity::Exactly(3),
        summary: "Returns all about one user.",
        complexity: "O(N) in the number of rules.",
        history: &[
            ("6.2.0", "Channel patterns are shown."),
            ("7.0.0", "Selectors are shown, and key and channel patterns as rules."),
        ],
        args: &[Arg::new("username", ArgKind::String)],
        ..ADMIN
    },
    handler: getuser,
};

fn getuser(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let Some(user) = ctx.acl.id(args.get(2)).and_then(|id| ctx.acl.user(id)) else {
        ctx.reply.null();
        return Ok(SessionOutcome::Done);
    };
    let reply = &mut ctx.reply;
    reply.map(6);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|digest| reply.bulk(digest.as_str().as_bytes()));
    reply_selector(reply, &user.selectors[0]);
    reply.bulk(b"selectors");
    reply.array(user.selectors.len() - 1);
    for selector in &user.selectors[1..] {
        reply.map(3);
        reply_selector(reply, selector);
    }
    Ok(SessionOutcome::Done)
}

/// Three fields of the map around it.
fn reply_selector(reply: &mut Reply<'_>, selector: &Selector) {
    reply.bulk(b"commands");
    reply.bulk(selector.describe_commands().as_bytes());
    reply.bulk(b"keys");
    reply.bulk(&selector.describe_keys());
    reply.bulk(b"channels");
    reply.bulk(&selector.describe_channels());
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn fields_come_in_the_order_of_redis() {
        let mut world = World::new();
        world.run("ACL SETUSER u on >pw +get ~a* %R~b &c (+mset ~x)");
        assert_eq!(
            world.run("ACL GETUSER u"),
            "*12 $flags *2 $on $sanitize-payload \
             $passwords *1 $30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4 \
             $commands $-@all +get $keys $~a* %R~b $channels $&c \
             $selectors *1 *6 $commands $-@all +mset $keys $~x $channels $"
        );
        assert_eq!(world.run("ACL GETUSER nobody"), "nil");
    }
}
