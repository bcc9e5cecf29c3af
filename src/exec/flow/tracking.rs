//! CLIENT TRACKING on|off …, CLIENT CACHING yes|no: client-side caching, switched on, off, and for one command.
//!
//! Reply:   OK.
//! Errors:  ERR for options that contradict each other, or what is on already; prefixes must not overlap, or a change would be told
//!          twice.
//! Source:  redis.io/commands/client-tracking, since 6.0.0.
//!
//! They are here and not with the other subcommands of CLIENT because the table of who has read what is on this floor.

use bytes::Bytes;

use crate::base::id::ClientId;
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, Outcome};
use crate::exec::flow::Flow;
use crate::exec::{Host, reply, tracking};
use crate::resp::args::Args;
use crate::resp::out::Out;
use crate::session::Session;
use crate::session::handlers::CLIENT_BASE;
use crate::session::tracking::{Mode, Tracking};
use crate::spec::options::{Words, is};
use crate::spec::{Arg, ArgKind, Arity, Meta, Spec};

/// Both.
pub const TABLE: &[&Spec<Flow>] = &[&CACHING, &TRACKING];

const CACHING: Spec<Flow> = Spec {
    meta: Meta {
        name: "caching",
        since: "6.0.0",
        arity: Arity::Exactly(3),
        summary: "Says whether the keys of the next command are tracked, in the modes OPTIN and OPTOUT.",
        args: &[Arg::one_of("mode", &[Arg::token("yes", "YES"), Arg::token("no", "NO")])],
        ..CLIENT_BASE
    },
    handler: Flow::Caching,
};

const TRACKING: Spec<Flow> = Spec {
    meta: Meta {
        name: "tracking",
        since: "6.0.0",
        arity: Arity::AtLeast(3),
        summary: "Says whether this connection hears when keys it has read change.",
        complexity: "O(1); some options may introduce additional complexity.",
        args: &[
            Arg::one_of("status", &[Arg::token("on", "ON"), Arg::token("off", "OFF")]),
            Arg::new("client-id", ArgKind::Integer).after("REDIRECT").optional(),
            Arg::new("prefix", ArgKind::String).after("PREFIX").optional().multiple(),
            Arg::token("bcast", "BCAST").optional(),
            Arg::token("optin", "OPTIN").optional(),
            Arg::token("optout", "OPTOUT").optional(),
            Arg::token("noloop", "NOLOOP").optional(),
        ],
        ..CLIENT_BASE
    },
    handler: Flow::Tracking,
};

/// The options as they were written.
#[derive(Default)]
struct Options<'a> {
    redirect: Option<ClientId>,
    prefixes: Vec<&'a [u8]>,
    is_broadcast: bool,
    is_optin: bool,
    is_optout: bool,
    is_noloop: bool,
}

/// CLIENT TRACKING.
pub fn tracking<H: Host>(host: &mut H, session: &mut Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    let options = read(host, session, args)?;
    match () {
        _ if args.is(2, "on") => {
            let mode = mode(&options, session.tracking.as_deref())?;
            if mode == Mode::Broadcast {
                refuse_overlaps(&options.prefixes, session.tracking.as_deref())?;
            }
            let mut prefixes: Vec<Bytes> =
                options.prefixes.iter().map(|prefix| Bytes::copy_from_slice(prefix)).collect();
            if mode == Mode::Broadcast && prefixes.is_empty() {
                prefixes.push(Bytes::new());
            }
            let new = Tracking {
                redirect: options.redirect,
                mode,
                is_noloop: options.is_noloop,
                prefixes,
                ..Tracking::default()
            };
            tracking::enable(host, session, new);
        }
        _ if args.is(2, "off") => tracking::disable(host.engine(), session),
        _ => return Err(CommandError::Syntax.into()),
    }
    reply(session, out).ok();
    Ok(Outcome::Done)
}

fn read<'a, H: Host>(host: &mut H, session: &Session, args: &Args<'a>) -> Result<Options<'a>, CommandError> {
    let mut options = Options::default();
    let mut words = Words::new(args, 3);
    while let Some(word) = words.next() {
        match () {
            _ if is(word, "redirect") && words.left() > 0 => {
                if options.redirect.is_some() {
                    return Err(CommandError::err("A client can only redirect to a single other client"));
                }
                let id = words.next().and_then(parse_i64).ok_or(CommandError::NotInteger)?;
                let target = ClientId(id as u64);
                if target != session.id && !host.push(target, |_| None) {
                    return Err(CommandError::err("The client ID you want redirect to does not exist"));
                }
                options.redirect = Some(target);
            }
            _ if is(word, "bcast") => options.is_broadcast = true,
            _ if is(word, "optin") => options.is_optin = true,
            _ if is(word, "optout") => options.is_optout = true,
            _ if is(word, "noloop") => options.is_noloop = true,
            _ if is(word, "prefix") && words.left() > 0 => options.prefixes.extend(words.next()),
            _ => return Err(CommandError::Syntax),
        }
    }
    Ok(options)
}

/// The mode that the options ask for, unless they contradict each other or what is on already.
fn mode(options: &Options<'_>, present: Option<&Tracking>) -> Result<Mode, CommandError> {
    if !options.is_broadcast && !options.prefixes.is_empty() {
        return Err(CommandError::err("PREFIX option requires BCAST mode to be enabled"));
    }
    let present = present.map(|tracking| tracking.mode);
    if present.is_some_and(|mode| (mode == Mode::Broadcast) != options.is_broadcast) {
        return Err(CommandError::err(
            "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with \
             a different mode.",
        ));
    }
    if options.is_broadcast && (options.is_optin || options.is_optout) {
        return Err(CommandError::err("OPTIN and OPTOUT are not compatible with BCAST"));
    }
    if options.is_optin && options.is_optout {
        return Err(CommandError::err("You can't specify both OPTIN mode and OPTOUT mode"));
    }
    let is_switch =
        options.is_optin && present == Some(Mode::OptOut) || options.is_optout && present == Some(Mode::OptIn);
    if is_switch {
        return Err(CommandError::err(
            "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with \
             a different mode.",
        ));
    }
    Ok(match () {
        _ if options.is_broadcast => Mode::Broadcast,
        _ if options.is_optin => Mode::OptIn,
        _ if options.is_optout => Mode::OptOut,
        _ => Mode::Reads,
    })
}

fn refuse_overlaps(prefixes: &[&[u8]], present: Option<&Tracking>) -> Result<(), CommandError> {
    let is_overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let refusal = |prefix: &[u8], kind: &str, other: &[u8]| {
        CommandError::err(format!(
            "Prefix '{}' overlaps with {kind} prefix '{}'. Prefixes for a single client must not overlap.",
            String::from_utf8_lossy(prefix),
            String::from_utf8_lossy(other)
        ))
    };
    let present = present.map_or(&[][..], |tracking| &tracking.prefixes);
    for (number, prefix) in prefixes.iter().enumerate() {
        if let Some(other) = present.iter().find(|other| is_overlap(prefix, other)) {
            return Err(refusal(prefix, "an existing", other));
        }
        if let Some(other) = prefixes[number + 1..].iter().find(|other| is_overlap(prefix, other)) {
            return Err(refusal(prefix, "another provided", other));
        }
    }
    Ok(())
}

/// CLIENT CACHING.
pub fn caching(session: &mut Session, args: &Args<'_>, out: &mut Out) -> CommandResult {
    let Some(tracking) = session.tracking.as_deref_mut() else {
        return Err(CommandError::err(
            "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        )
        .into());
    };
    let (wanted, refusal) = match () {
        _ if args.is(2, "yes") => {
            (Mode::OptIn, "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
        }
        _ if args.is(2, "no") => {
            (Mode::OptOut, "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
        }
        _ => return Err(CommandError::Syntax.into()),
    };
    if tracking.mode != wanted {
        return Err(CommandError::err(refusal).into());
    }
    tracking.is_caching = true;
    reply(session, out).ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn a_reader_hears_once_of_a_change_and_of_its_own_after_the_reply() {
        transcript(
            "
            @resp3
            > CLIENT TRACKING ON
            +OK
            > MGET a b
            *2
            _
            _
            @client 2
            > SET a 1
            +OK
            > SET a 2
            +OK
            @client 1
            (hears)
            >2
            $invalidate
            *1
            $a
            > SET b 1
            +OK
            >2
            $invalidate
            *1
            $b
            > CLIENT TRACKINGINFO
            %3
            $flags
            ~1
            $on
            $redirect
            :0
            $prefixes
            *0
            ",
        );
    }

    #[test]
    fn what_a_transaction_or_a_script_changed_follows_its_reply_in_the_clients_own_protocol() {
        transcript(
            r#"
            @resp3
            > CLIENT TRACKING ON
            +OK
            > GET a
            _
            > MULTI
            +OK
            > SET a 1
            +QUEUED
            > GET a
            +QUEUED
            > EXEC
            *2
            +OK
            $1
            >2
            $invalidate
            *1
            $a
            > EVAL "return {redis.call('SET', 'a', '2'), redis.call('GET', 'b')}" 0
            *2
            +OK
            _
            >2
            $invalidate
            *1
            $a
            @client 2
            > SET b 1
            +OK
            @client 1
            (hears)
            >2
            $invalidate
            *1
            $b
            "#,
        );
    }

    #[test]
    fn noloop_spares_the_client_its_own_changes() {
        transcript(
            r#"
            @resp3
            > CLIENT TRACKING ON NOLOOP
            +OK
            > GET a
            _
            > SET a 1
            +OK
            > EVAL_RO "return redis.call('GET', KEYS[1])" 1 a
            $1
            > EVAL "return redis.call('SET', KEYS[1], '2')" 1 a
            +OK
            > GET a
            $2
            @client 2
            > DEL a
            :1
            @client 1
            (hears)
            >2
            $invalidate
            *1
            $a
            "#,
        );
    }

    #[test]
    fn a_key_whose_time_is_over_was_changed_by_nobody() {
        transcript(
            "
            @resp3
            > CLIENT TRACKING ON NOLOOP
            +OK
            > SET a 1 PX 10
            +OK
            > GET a
            $1
            @advance 20
            > GET a
            _
            >2
            $invalidate
            *1
            $a
            ",
        );
    }

    #[test]
    fn opting_in_and_out_is_for_one_command_or_one_transaction() {
        transcript(
            "
            @resp3
            > CLIENT TRACKING ON OPTIN
            +OK
            > GET a
            _
            > CLIENT CACHING YES
            +OK
            > CLIENT ID
            :1
            > GET b
            _
            > GET c
            _
            > CLIENT CACHING YES
            +OK
            > MULTI
            +OK
            > GET d
            +QUEUED
            > GET e
            +QUEUED
            > EXEC
            *2
            _
            _
            @client 2
            > MSET a 1 b 1 c 1 d 1 e 1
            +OK
            @client 1
            (hears)
            >2
            $invalidate
            *1
            $b
            >2
            $invalidate
            *1
            $d
            >2
            $invalidate
            *1
            $e
            > CLIENT TRACKING OFF
            +OK
            > CLIENT TRACKING ON OPTOUT
            +OK
            > CLIENT CACHING NO
            +OK
            > GET a
            $1
            > GET b
            $1
            @client 2
            > MSET a 2 b 2
            +OK
            @client 1
            (hears)
            >2
            $invalidate
            *1
            $b
            ",
        );
    }

    #[test]
    fn redirected_messages_go_to_a_resp2_subscriber_and_a_broken_redirection_is_told() {
        transcript(
            "
            @client 2
            > SUBSCRIBE __redis__:invalidate
            *3
            $subscribe
            $__redis__:invalidate
            :1
            @client 1
            > CLIENT TRACKING ON REDIRECT 2
            +OK
            > CLIENT GETREDIR
            :2
            > GET a
            nil
            > SET a 1
            +OK
            @client 2
            (hears)
            *3
            $message
            $__redis__:invalidate
            *1
            $a
            @client 1
            > CLIENT TRACKING ON REDIRECT 99
            -ERR The client ID you want redirect to does not exist
            > CLIENT TRACKING ON REDIRECT 2 REDIRECT 2
            -ERR A client can only redirect to a single other client
            > GET a
            $1
            @resp3
            @gone 2
            > SET a 2
            +OK
            >2
            $tracking-redir-broken
            :2
            > CLIENT TRACKINGINFO
            %3
            $flags
            ~2
            $on
            $broken_redirect
            $redirect
            :2
            $prefixes
            *0
            ",
        );
    }

    #[test]
    fn broadcasts_gather_until_the_end_of_the_turn() {
        transcript(
            "
            @resp3
            > CLIENT TRACKING ON BCAST PREFIX a: PREFIX b: NOLOOP
            +OK
            > SET a:own 1
            +OK
            @client 2
            > MSET a:2 x a:1 x c x b:1 x
            +OK
            @endturn
            @client 1
            (hears)
            >2
            $invalidate
            *2
            $a:1
            $a:2
            >2
            $invalidate
            *1
            $b:1
            > CLIENT TRACKING ON BCAST PREFIX c
            +OK
            > CLIENT TRACKINGINFO
            %3
            $flags
            ~2
            $on
            $bcast
            $redirect
            :0
            $prefixes
            *3
            $a:
            $b:
            $c
            @client 2
            > DEL c
            :1
            @endturn
            @client 1
            (hears)
            >2
            $invalidate
            *1
            $c
            > RESET
            +RESET
            @client 2
            > SET c 1
            +OK
            @endturn
            ",
        );
    }

    #[test]
    fn keys_beyond_the_limit_are_forgotten_and_told_before_the_next_reply() {
        transcript(
            "
            @resp3
            > CLIENT TRACKING ON
            +OK
            > MGET a b
            *2
            _
            _
            @trackinglimit 1
            @client 2
            > PING
            +PONG
            @client 1
            (hears)
            >2
            $invalidate
            *1
            $a
            ",
        );
    }

    #[test]
    fn a_key_that_went_to_make_room_is_told_before_the_reply() {
        transcript(
            "
            @resp3
            @policy allkeys-random
            > CLIENT TRACKING ON NOLOOP
            +OK
            > SET a 1
            +OK
            > GET a
            $1
            @memory 50/key 40
            > PING
            >2
            $invalidate
            *1
            $a
            +PONG
            ",
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        transcript(
            "
            > CLIENT CACHING YES
            -ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled
            > CLIENT TRACKING ON PREFIX a
            -ERR PREFIX option requires BCAST mode to be enabled
            > CLIENT TRACKING ON BCAST OPTIN
            -ERR OPTIN and OPTOUT are not compatible with BCAST
            > CLIENT TRACKING ON OPTIN OPTOUT
            -ERR You can't specify both OPTIN mode and OPTOUT mode
            > CLIENT TRACKING ON BCAST PREFIX foobar PREFIX foo
            -ERR Prefix 'foobar' overlaps with another provided prefix 'foo'. Prefixes for a single client must not overlap.
            > CLIENT TRACKING maybe
            -ERR syntax error
            > CLIENT TRACKING ON REDIRECT
            -ERR syntax error
            > CLIENT TRACKING ON OPTIN
            +OK
            > CLIENT TRACKING ON OPTOUT
            -ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.
            > CLIENT TRACKING ON BCAST
            -ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.
            > CLIENT CACHING NO
            -ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
            > CLIENT TRACKING OFF
            +OK
            > CLIENT TRACKING ON BCAST PREFIX foo
            +OK
            > CLIENT TRACKING ON BCAST PREFIX foobar
            -ERR Prefix 'foobar' overlaps with an existing prefix 'foo'. Prefixes for a single client must not overlap.
            > CLIENT TRACKING OFF
            +OK
            ",
        );
    }
}
