//! Redis's pattern match: KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET, ACL key patterns.
//!
//! | in a pattern      | matches                                                                     |
//! |-------------------|-----------------------------------------------------------------------------|
//! | `?`               | one byte                                                                    |
//! | `*`               | any bytes, also none                                                        |
//! | `[abc]`, `[a-c]`  | one byte of these; `[^…]` one of the others; a backslash quotes inside       |
//! | `\x`              | x                                                                           |
//! | other             | itself                                                                      |
//!
//! A pattern comes from a client, so its cost has to be bounded. Trying every length for every star is exponential. The
//! insight that avoids it: once the part between two stars has matched at its first possible place, no later place can
//! make the rest match that the first one could not. So only the last star is ever reconsidered, and the work is at most
//! pattern × text. Even that product can be large when both come from a client, so the bytes looked at again are counted
//! and the match is given up (as no match) at [`limits::GLOB_RETRY_MAX`].
//!
//! Details that programs may depend on and that are kept: an unclosed class ends with the pattern; an empty text matches
//! only the empty pattern (not `*`); a pattern of more than a thousand stars matches nothing; ranges compare bytes as
//! signed numbers; a quoted byte inside a class is compared exactly even where case is ignored.

use crate::base::limits::{GLOB_RETRY_MAX, GLOB_STARS_MAX};

/// Whether the whole `text` matches `pattern`.
#[inline]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_impl::<false>(pattern, text)
}

/// The same, where ASCII letters match in either case.
pub fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    matches_impl::<true>(pattern, text)
}

/// Whether `pattern` matches only itself: it has none of the special bytes.
pub fn is_literal(pattern: &[u8]) -> bool {
    memchr::memchr3(b'*', b'?', b'[', pattern).is_none() && memchr::memchr(b'\\', pattern).is_none()
}

fn matches_impl<const NOCASE: bool>(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to resume when what follows the last star does not fit: the pattern after it, and the next place to try.
    let mut retry: Option<(usize, usize)> = None;
    let (mut stars, mut retried) = (0u32, 0u64);
    if text.is_empty() {
        return pattern.is_empty();
    }
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            while pattern.get(p) == Some(&b'*') {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > GLOB_STARS_MAX {
                return false;
            }
            retry = Some((p, t + 1));
            continue;
        }
        match pattern.get(p).and_then(|_| match_one::<NOCASE>(&pattern[p..], text[t])) {
            Some(used) => {
                p += used;
                t += 1;
            }
            None => {
                let Some((after_star, next)) = retry else { return false };
                retried += (t + 1 - next) as u64;
                if next >= text.len() || retried > GLOB_RETRY_MAX {
                    return false;
                }
                (p, t) = (after_star, next);
                retry = Some((after_star, next + 1));
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Matches one byte against the first element of `pattern` (not empty, not a star); how many bytes of the pattern that
/// element takes, or `None` when it does not match.
#[inline]
fn match_one<const NOCASE: bool>(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern[0] {
        b'?' => Some(1),
        b'[' => match_class::<NOCASE>(pattern, byte),
        b'\\' if pattern.len() >= 2 => same::<NOCASE>(pattern[1], byte).then_some(2),
        literal => same::<NOCASE>(literal, byte).then_some(1),
    }
}

/// Matches one byte against the class that `pattern` begins with.
fn match_class<const NOCASE: bool>(pattern: &[u8], byte: u8) -> Option<usize> {
    let is_negated = pattern.get(1) == Some(&b'^');
    let mut p = 1 + usize::from(is_negated);
    let mut found = false;
    loop {
        match &pattern[p.min(pattern.len())..] {
            [] => break, // never closed: the end of the pattern closes it
            [b'\\', quoted, ..] => {
                found |= *quoted == byte;
                p += 2;
            }
            [b']', ..] => {
                p += 1;
                break;
            }
            [low, b'-', high, ..] => {
                found |= in_range::<NOCASE>(*low, *high, byte);
                p += 3;
            }
            [literal, ..] => {
                found |= same::<NOCASE>(*literal, byte);
                p += 1;
            }
        }
    }
    (found != is_negated).then_some(p)
}

#[inline]
fn same<const NOCASE: bool>(a: u8, b: u8) -> bool {
    a == b || (NOCASE && a.eq_ignore_ascii_case(&b))
}

fn in_range<const NOCASE: bool>(low: u8, high: u8, byte: u8) -> bool {
    let fold = |b: u8| if NOCASE { b.to_ascii_lowercase() as i8 } else { b as i8 };
    // Which end is the lower one is decided before the case is folded.
    let (low, high) = if (low as i8) > (high as i8) { (high, low) } else { (low, high) };
    (fold(low)..=fold(high)).contains(&fold(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn the_usual_patterns_match() {
        for (pattern, text) in [
            ("", ""),
            ("*", "a"),
            ("a*", "a"),
            ("a**", "a"),
            ("*a*b*", "xaxbx"),
            ("h?llo", "hello"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[a-b]llo", "hbllo"),
            ("h[b-a]llo", "hallo"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("[a", "a"),
            ("[^", "x"),
            ("x\\", "x\\"),
            ("foo*", "foo:bar"),
            ("[a-]", "`"),
            ("*[ab", "xxb"),
        ] {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn what_should_not_match_does_not() {
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("*", ""),
            ("**", ""),
            ("a", "b"),
            ("a", "ab"),
            ("ab", "a"),
            ("h[^e]llo", "hello"),
            ("[", "["),
            ("[]", "]"),
            ("?", ""),
            ("*a", "ab"),
            ("A", "a"),
            ("[A-C]", "b"),
        ] {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn case_is_ignored_where_asked() {
        for (pattern, text) in [("MAX*", "maxmemory"), ("[A-C]x", "bX"), ("\\A", "a")] {
            assert!(matches_ignoring_case(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        assert!(!matches_ignoring_case(b"[\\A]", b"a"));
    }

    #[test]
    fn literals_are_known() {
        assert!(is_literal(b"user:1"));
        assert!([&b"a*"[..], b"a?", b"[a", b"\\a"].iter().all(|p| !is_literal(p)));
    }

    #[test]
    fn patterns_made_to_take_for_ever_end() {
        let pattern = b"a*".repeat(500);
        assert!(!matches(&[&pattern[..], b"b"].concat(), &[b'a'; 2000]));
        assert!(!matches(&b"*a".repeat(1001), &[b'a'; 2000]));
        let half = [&b"*"[..], &[b'a'; 100_000], b"b"].concat();
        assert!(!matches(&half, &[b'a'; 200_000]));
    }

    /// The definition, without any shortcut.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| model(rest, &text[skip..])),
            (_, []) => false,
            (_, [byte, more @ ..]) => {
                match_one::<false>(pattern, *byte).is_some_and(|used| model(&pattern[used..], more))
            }
        }
    }

    #[test]
    fn random_patterns_agree_with_the_definition() {
        let mut rng = Rng::seeded(5);
        for _ in 0..50_000 {
            let pattern: Vec<u8> = (0..rng.below(8)).map(|_| b"ab*?[]^-\\"[rng.below(9) as usize]).collect();
            let text: Vec<u8> = (0..1 + rng.below(7)).map(|_| b"ab-"[rng.below(3) as usize]).collect();
            assert_eq!(matches(&pattern, &text), model(&pattern, &text), "{:?} {:?}", pattern, text);
        }
    }
}
