//! Numbers as C's `printf("%.{precision}g")` prints them, which is how Lua and its JSON library show them.

/// `value`, which is finite, with at most `precision` significant digits and no trailing zeros; with an exponent of at least
/// two digits when it is below -4 or not below `precision`.
pub fn general(value: f64, precision: usize) -> String {
    let precision = precision.max(1);
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".into() } else { "0".into() };
    }
    let scientific = format!("{:.*e}", precision - 1, value);
    let (digits, exponent) = scientific.split_once('e').expect("this format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let cut = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    if exponent < -4 || exponent >= precision as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", cut(digits), exponent.unsigned_abs());
    }
    cut(&format!("{:.*}", (precision as i32 - 1 - exponent).max(0) as usize, value))
}

#[cfg(test)]
mod tests {
    use super::general;

    #[test]
    fn numbers_look_as_c_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-17.5, "-17.5"),
            (1e14, "1e+14"),
            (123456789012345.0, "1.2345678901234e+14"),
            (12345678901234.0, "12345678901234"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (2.22222222222222, "2.2222222222222"),
            (1e300, "1e+300"),
            (0.1 + 0.2, "0.3"),
        ] {
            assert_eq!(general(value, 14), text);
        }
        assert_eq!(general(0.1, 17), "0.10000000000000001");
        assert_eq!(general(123.0, 2), "1.2e+02");
    }
}
