//! `bit`: operations on the low 32 bits of numbers. Results are signed.
//!
//! A number is rounded to the nearest integer and taken modulo 2^32, by the rule of the library that Redis carries: adding
//! 2^52 + 2^51 leaves those bits at the end of the sum. Beyond 2^51 the result means nothing, there as here.

use mlua::{Lua, Result, Table, Variadic};

/// The low 32 bits of a number.
fn bits(number: f64) -> u32 {
    (number + 6_755_399_441_055_744.0).to_bits() as u32
}

fn signed(bits: u32) -> f64 {
    f64::from(bits as i32)
}

/// `bit.tohex(x, n)`: the last `|n|` digits, at most eight; capitals when `n` is negative.
fn tohex(number: f64, digits: Option<f64>) -> String {
    let wanted = digits.map_or(8, |n| bits(n) as i32);
    let count = (wanted.unsigned_abs() as usize).min(8);
    let text = if wanted < 0 { format!("{:08X}", bits(number)) } else { format!("{:08x}", bits(number)) };
    text[8 - count..].to_owned()
}

/// The table.
pub fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let one =
        |name: &str, f: fn(u32) -> u32| table.set(name, lua.create_function(move |_, x: f64| Ok(signed(f(bits(x)))))?);
    one("tobit", |x| x)?;
    one("bnot", |x| !x)?;
    one("bswap", u32::swap_bytes)?;
    let many = |name: &str, f: fn(u32, u32) -> u32| {
        let fold = move |_: &Lua, (first, rest): (f64, Variadic<f64>)| {
            Ok(signed(rest.iter().fold(bits(first), |all, x| f(all, bits(*x)))))
        };
        table.set(name, lua.create_function(fold)?)
    };
    many("band", |a, b| a & b)?;
    many("bor", |a, b| a | b)?;
    many("bxor", |a, b| a ^ b)?;
    let shift = |name: &str, f: fn(u32, u32) -> u32| {
        table.set(name, lua.create_function(move |_, (x, n): (f64, f64)| Ok(signed(f(bits(x), bits(n) & 31))))?)
    };
    shift("lshift", |x, n| x << n)?;
    shift("rshift", |x, n| x >> n)?;
    shift("arshift", |x, n| ((x as i32) >> n) as u32)?;
    shift("rol", u32::rotate_left)?;
    shift("ror", u32::rotate_right)?;
    table.set("tohex", lua.create_function(|_, (x, n): (f64, Option<f64>)| Ok(tohex(x, n)))?)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_wrap() {
        assert_eq!(bits(0xffff_ffffu32 as f64), 0xffff_ffff);
        assert_eq!(signed(bits(4_294_967_295.0)), -1.0);
        assert_eq!((bits(-1.0), bits(1.5), bits(2.5)), (0xffff_ffff, 2, 2));
    }

    #[test]
    fn hex_digits_are_cut_from_the_left() {
        assert_eq!(tohex(65535.0, None), "0000ffff");
        assert_eq!(tohex(65535.0, Some(-2_147_483_648.0)), "0000FFFF");
        assert_eq!((tohex(1.0, Some(-2.0)), tohex(1.0, Some(0.0))), ("01".into(), String::new()));
    }

    #[test]
    fn the_functions_do_what_their_names_say() {
        let lua = Lua::new();
        lua.globals().set("bit", table(&lua).unwrap()).unwrap();
        let check = "return bit.band(0xff, 0x0f, 3) == 3 and bit.bor(1, 2, 4) == 7 and bit.bnot(0) == -1 \
            and bit.lshift(1, 31) == -2147483648 and bit.arshift(-8, 1) == -4 and bit.rshift(-1, 28) == 15 \
            and bit.rol(0x12345678, 12) == 0x45678123 and bit.bswap(0x12345678) == 0x78563412 and bit.bxor(5, 1) == 4";
        assert!(lua.load(check).eval::<bool>().unwrap());
        assert!(lua.load("return bit.band()").eval::<f64>().is_err());
    }
}
