//! "Did you mean …": the known name nearest to an unknown one.

/// The candidate that takes the fewest typing mistakes to become `word`, if few enough that it is probably meant: one for
/// each three letters. A mistake is a letter missing, added, wrong, or exchanged with its neighbour. Case is ignored.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    // Nobody mistypes a name of that length; and the work is the product of two lengths.
    if word.len() > 64 {
        return None;
    }
    let distances = candidates.map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate));
    let (mistakes, candidate) = distances.min_by_key(|(mistakes, _)| *mistakes)?;
    (mistakes * 3 <= candidate.len().max(word.len())).then_some(candidate)
}

/// Optimal string alignment: row `i` of the table holds the distances of the first `i` letters of `a` to the beginnings
/// of `b`; three rows are enough.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_mistakes() {
        for (a, b, mistakes) in [
            ("", "", 0),
            ("", "abc", 3),
            ("port", "port", 0),
            ("prot", "port", 1),
            ("prt", "port", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), mistakes, "{a} {b}");
            assert_eq!(distance(b.as_bytes(), a.as_bytes()), mistakes, "{b} {a}");
        }
    }

    #[test]
    fn a_name_is_suggested_only_when_it_is_near() {
        let names = ["port", "tls-port", "daemonize", "notification-script"];
        let near = |word| nearest(word, names.iter().copied());
        assert_eq!(near("daemonise"), Some("daemonize"));
        assert_eq!(near("Prot"), Some("port"));
        assert_eq!(near("norification-script"), Some("notification-script"));
        assert_eq!(near("something-else"), None);
        assert_eq!(near("x"), None);
        assert_eq!(near(&"a".repeat(100_000)), None);
    }
}
