//! Reading positions, distances and units, and writing positions and distances; and the arguments that several geo commands
//! document alike.

use crate::base::number::parse_f64;
use crate::commands::contract::CommandError;
use crate::data::geohash::Position;
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::{Arg, ArgKind};

/// The unit of a distance.
pub const UNIT: Arg = Arg::one_of(
    "unit",
    &[Arg::token("m", "m"), Arg::token("km", "km"), Arg::token("ft", "ft"), Arg::token("mi", "mi")],
);

/// In which order results come.
pub const ORDER: Arg = Arg::one_of("order", &[Arg::token("asc", "ASC"), Arg::token("desc", "DESC")]).optional();

/// How many results.
pub const COUNT: Arg = Arg::block(
    "count-block",
    &[Arg::new("count", ArgKind::Integer).after("COUNT"), Arg::token("any", "ANY").optional()],
)
.optional();

/// The centre of a search.
pub const FROM: Arg = Arg::one_of(
    "from",
    &[
        Arg::new("member", ArgKind::String).after("FROMMEMBER"),
        Arg::block("fromlonlat", &[Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double)])
            .after("FROMLONLAT"),
    ],
);

/// The shape of a search.
pub const BY: Arg = Arg::one_of(
    "by",
    &[
        Arg::block("circle", &[Arg::new("radius", ArgKind::Double).after("BYRADIUS"), UNIT]),
        Arg::block(
            "box",
            &[Arg::new("width", ArgKind::Double).after("BYBOX"), Arg::new("height", ArgKind::Double), UNIT],
        ),
    ],
);

/// The position in words `at` and `at + 1`.
pub fn position(args: &Args<'_>, at: usize) -> Result<Position, CommandError> {
    let number = |at| parse_f64(args.get(at)).ok_or(CommandError::NotFloat);
    let (longitude, latitude) = (number(at)?, number(at + 1)?);
    Position::new(longitude, latitude)
        .ok_or_else(|| CommandError::err(format!("invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
}

/// Metres of a unit.
pub fn unit(word: &[u8]) -> Result<f64, CommandError> {
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    match () {
        _ if is("m") => Ok(1.0),
        _ if is("km") => Ok(1000.0),
        _ if is("ft") => Ok(0.3048),
        _ if is("mi") => Ok(1609.34),
        _ => Err(CommandError::err("unsupported unit provided. please use M, KM, FT, MI")),
    }
}

/// A length; `error` when it is no number.
pub fn length(word: &[u8], error: &str) -> Result<f64, CommandError> {
    parse_f64(word).ok_or_else(|| CommandError::err(error))
}

/// Writes a distance with four decimals.
pub fn write_distance(reply: &mut Reply<'_>, distance: f64) {
    // As an integer of ten-thousandths, halves to even. What does not fit (no distance on Earth) is the lowest integer, as
    // x86 has it.
    let scaled = (distance * 10_000.0).round_ties_even();
    let units = if scaled.abs() < i64::MAX as f64 { scaled as i64 } else { i64::MIN };
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    reply.bulk_display(format_args!("{sign}{}.{:04}", units / 10_000, units % 10_000));
}

/// Writes longitude and latitude with up to 17 decimals.
pub fn write_position(reply: &mut Reply<'_>, position: &Position) {
    reply.array(2);
    for coordinate in [position.longitude, position.latitude] {
        let text = format!("{coordinate:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        reply.double_text(if text == "-0" { "0" } else { text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::out::Out;
    use crate::resp::reply::Proto;

    #[test]
    fn distances_have_four_decimals() {
        for (distance, text) in [
            (0.0, "$6\r\n0.0000\r\n"),
            (0.775, "$6\r\n0.7750\r\n"),
            (166274.15156960033, "$11\r\n166274.1516\r\n"),
            (f64::NAN, "$21\r\n-922337203685477.5808\r\n"),
        ] {
            let mut out = Out::new();
            write_distance(&mut Reply::new(&mut out, Proto::Resp2), distance);
            assert_eq!(String::from_utf8(out.to_vec()).unwrap(), text);
        }
    }
}
