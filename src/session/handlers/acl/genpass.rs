//! ACL GENPASS [bits]: an unguessable password in hexadecimal digits, 256 bits unless said otherwise.

use super::BASE;
use crate::base::number::parse_i64;
use crate::base::rng::Rng;
use crate::resp::args::Args;
use crate::session::{SessionCtx, SessionError, SessionHandler, SessionOutcome, SessionResult};
use crate::spec::{Arg, ArgKind, Meta, Spec};

const BITS_MAX: i64 = 4096;

/// The declaration.
pub const SPEC: Spec<SessionHandler> = Spec {
    meta: Meta {
        name: "genpass",
        summary: "Returns an unguessable password.",
        args: &[Arg::new("bits", ArgKind::Integer).optional()],
        ..BASE
    },
    handler: genpass,
};

fn genpass(ctx: &mut SessionCtx<'_>, args: &Args<'_>) -> SessionResult {
    let bits = match args.len() {
        2 => 256,
        3 => parse_i64(args.get(2)).ok_or(SessionError::NOT_INTEGER)?,
        _ => {
            let word = String::from_utf8_lossy(args.get(1));
            let text = format!("ERR unknown subcommand or wrong number of arguments for '{word}'. Try ACL HELP.");
            return Err(SessionError::text(text));
        }
    };
    if !(1..=BITS_MAX).contains(&bits) {
        return Err(SessionError::fixed(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ));
    }
    let mut secret = [0u8; BITS_MAX as usize / 8];
    Rng::fill_secret(&mut secret);
    // A digit holds four bits.
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    ctx.reply.bulk(&digits.as_bytes()[..(bits as usize).div_ceil(4)]);
    Ok(SessionOutcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::session::handlers::testing::World;

    #[test]
    fn a_digit_holds_four_bits() {
        let mut world = World::new();
        assert_eq!(world.run("ACL GENPASS").len(), 1 + 64);
        assert_eq!(world.run("ACL GENPASS 5").len(), 1 + 2);
        assert_ne!(world.run("ACL GENPASS"), world.run("ACL GENPASS"));
    }

    #[test]
    fn nonsense_is_refused() {
        let mut world = World::new();
        for bits in ["0", "-1", "4097"] {
            assert!(
                world.run(&format!("ACL GENPASS {bits}")).starts_with("-ERR ACL GENPASS argument must be the number")
            );
        }
        assert_eq!(world.run("ACL GENPASS x"), "-ERR value is not an integer or out of range");
    }
}
