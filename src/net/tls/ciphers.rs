//! Versions and ciphers by the names that config files have for them.
//!
//! TLS 1.3 suites are named as in its standard, ciphers of TLS 1.2 as in OpenSSL. A list of ciphers may have OpenSSL's words for
//! groups of them, as far as the six ciphers we have can be told apart by them: `DEFAULT`, `ALL`, `HIGH`, `ECDHE`, `AESGCM`,
//! `AES128`, `AES256`, `CHACHA20`, `aRSA`, `ECDSA`, several joined by `+`. Behind `!` or `-` anything may stand: what we do
//! not have is excluded already. Anything else that we do not have is an error, since who asks for it counts on it.

use std::sync::LazyLock;

use rustls::crypto::ring::cipher_suite as all;
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

/// TLS 1.3 suites, best first.
static SUITES: LazyLock<[(&str, SupportedCipherSuite); 3]> = LazyLock::new(|| {
    [
        ("TLS_AES_256_GCM_SHA384", all::TLS13_AES_256_GCM_SHA384),
        ("TLS_AES_128_GCM_SHA256", all::TLS13_AES_128_GCM_SHA256),
        ("TLS_CHACHA20_POLY1305_SHA256", all::TLS13_CHACHA20_POLY1305_SHA256),
    ]
});

/// TLS 1.2 ciphers, best first.
static CIPHERS: LazyLock<[(&str, SupportedCipherSuite); 6]> = LazyLock::new(|| {
    [
        ("ECDHE-ECDSA-AES256-GCM-SHA384", all::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        ("ECDHE-RSA-AES256-GCM-SHA384", all::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", all::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        ("ECDHE-RSA-AES128-GCM-SHA256", all::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", all::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
        ("ECDHE-RSA-CHACHA20-POLY1305", all::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ]
});

/// `TLSv1.2 TLSv1.3`.
pub fn versions(text: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let mut found: Vec<&'static SupportedProtocolVersion> = Vec::new();
    for word in text.split_ascii_whitespace() {
        let version = match word.to_ascii_lowercase().as_str() {
            "tlsv1.2" => &TLS12,
            "tlsv1.3" => &TLS13,
            "tlsv1" | "tlsv1.0" | "tlsv1.1" => {
                return Err(format!(
                    "tls-protocols: {word} is not safe any more and not supported; use TLSv1.2 or TLSv1.3"
                ));
            }
            _ => return Err(format!("tls-protocols: '{word}' is no version; use TLSv1.2 or TLSv1.3")),
        };
        if !found.contains(&version) {
            found.push(version);
        }
    }
    Ok(if found.is_empty() { vec![&TLS13, &TLS12] } else { found })
}

/// What may be used, in the order of preference: the suites of `tls-ciphersuites`, then the ciphers of `tls-ciphers`.
pub fn ciphers(suites_text: &str, ciphers_text: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen = suites(suites_text)?;
    chosen.extend(old_ciphers(ciphers_text)?);
    Ok(chosen)
}

fn suites(text: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen = Vec::new();
    for word in text.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        let known = SUITES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        chosen.push(known.ok_or_else(|| not_supported("tls-ciphersuites", word, &*SUITES))?.1);
    }
    Ok(if chosen.is_empty() { SUITES.iter().map(|(_, suite)| *suite).collect() } else { chosen })
}

fn old_ciphers(text: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let mut chosen: Vec<&str> = Vec::new();
    let mut banned: Vec<&str> = Vec::new();
    let mut words = 0;
    for word in text.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        // `@STRENGTH` and `+word` only change the order.
        if word.starts_with(['@', '+']) {
            continue;
        }
        if let Some(rest) = word.strip_prefix(['!', '-']) {
            let out = members(rest);
            chosen.retain(|name| !out.contains(name));
            if word.starts_with('!') {
                banned.extend(out);
            }
            continue;
        }
        words += 1;
        let found = members(word);
        if found.is_empty() {
            return Err(not_supported("tls-ciphers", word, &*CIPHERS));
        }
        chosen.extend(found.into_iter().filter(|name| !banned.contains(name)).collect::<Vec<_>>());
    }
    if words == 0 {
        chosen = CIPHERS.iter().map(|(name, _)| *name).filter(|name| !banned.contains(name)).collect();
    }
    if chosen.is_empty() {
        return Err("tls-ciphers: nothing is left of this list".to_owned());
    }
    let mut suites = Vec::new();
    for name in chosen {
        let suite = CIPHERS.iter().find(|(known, _)| *known == name).expect("a name of the table").1;
        if !suites.contains(&suite) {
            suites.push(suite);
        }
    }
    Ok(suites)
}

/// The ciphers that a word stands for.
fn members(word: &str) -> Vec<&'static str> {
    let names = CIPHERS.iter().map(|(name, _)| *name);
    if let Some(name) = names.clone().find(|name| name.eq_ignore_ascii_case(word)) {
        return vec![name];
    }
    names.filter(|name| word.split('+').all(|part| is_in_group(name, part))).collect()
}

fn is_in_group(name: &str, group: &str) -> bool {
    match group {
        "DEFAULT" | "ALL" | "HIGH" => true,
        "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" | "AEAD" | "TLSv1.2" => true,
        "AES" => name.contains("AES"),
        "AESGCM" => name.contains("GCM"),
        "AES128" => name.contains("AES128"),
        "AES256" => name.contains("AES256"),
        "CHACHA20" => name.contains("CHACHA20"),
        "aRSA" | "RSA" => name.contains("-RSA-"),
        "aECDSA" | "ECDSA" => name.contains("-ECDSA-"),
        "SHA256" => name.ends_with("SHA256"),
        "SHA384" => name.ends_with("SHA384"),
        _ => false,
    }
}

fn not_supported(directive: &str, word: &str, known: &[(&str, SupportedCipherSuite)]) -> String {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    format!("{directive}: '{word}' is not supported; supported are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_by_name() {
        assert_eq!(versions("").unwrap(), [&TLS13, &TLS12]);
        assert_eq!(versions("TLSv1.2").unwrap(), [&TLS12]);
        assert_eq!(versions(" tlsv1.3  TLSv1.2 ").unwrap(), [&TLS13, &TLS12]);
        assert!(versions("TLSv1.1 TLSv1.2").unwrap_err().contains("TLSv1.1 is not safe any more"));
        assert!(versions("SSLv3").unwrap_err().contains("'SSLv3' is no version"));
    }

    fn names(text: &str) -> Vec<&'static str> {
        let chosen = old_ciphers(text).unwrap_or_else(|error| panic!("{error}"));
        let name = |suite| CIPHERS.iter().find(|(_, known)| *known == suite).unwrap().0;
        chosen.into_iter().map(name).collect()
    }

    #[test]
    fn ciphers_by_name_and_by_group() {
        assert_eq!(names("").len(), 6);
        assert_eq!(names("DEFAULT:!MEDIUM:!aNULL").len(), 6);
        assert_eq!(
            names("ECDHE-RSA-AES128-GCM-SHA256:ECDHE+CHACHA20+aRSA"),
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"]
        );
        assert_eq!(names("!AES128:HIGH:!CHACHA20"), ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"]);
        assert_eq!(names("!ECDSA").len(), 3);
        assert!(
            old_ciphers("AES128-SHA")
                .unwrap_err()
                .starts_with("tls-ciphers: 'AES128-SHA' is not supported; supported are ECDHE-")
        );
        assert!(old_ciphers("AESGCM:!ALL").unwrap_err().contains("nothing is left"));
    }

    #[test]
    fn suites_by_name() {
        assert_eq!(ciphers("", "").unwrap().len(), 9);
        assert_eq!(suites("TLS_CHACHA20_POLY1305_SHA256").unwrap(), [all::TLS13_CHACHA20_POLY1305_SHA256]);
        assert!(suites("TLS_AES_128_CCM_SHA256").unwrap_err().contains("'TLS_AES_128_CCM_SHA256' is not supported"));
    }
}
