//! The writer of INFO: sections of `name:value` lines. Each part of the program fills its own.
//!
//! ```text
//! # Server
//! redis_version:7.2.6
//!
//! # Clients
//! connected_clients:1
//! ```

use std::fmt::{Display, Write};

/// The text of INFO under construction.
#[derive(Debug, Default)]
pub struct InfoWriter {
    text: String,
    sections: usize,
}

impl InfoWriter {
    /// No text yet.
    pub fn new() -> InfoWriter {
        InfoWriter::default()
    }

    /// Begins a section; `title` as shown (`Server`).
    pub fn section(&mut self, title: &str) -> &mut InfoWriter {
        if self.sections > 0 {
            self.text.push_str("\r\n");
        }
        self.sections += 1;
        writeln_info(&mut self.text, format_args!("# {title}"));
        self
    }

    /// One line. The value must not hold line breaks.
    pub fn field(&mut self, name: &str, value: impl Display) -> &mut InfoWriter {
        writeln_info(&mut self.text, format_args!("{name}:{value}"));
        self
    }

    /// A statement: 1 or 0.
    pub fn flag(&mut self, name: &str, value: bool) -> &mut InfoWriter {
        self.field(name, u8::from(value))
    }

    /// A number with two decimals, as Redis shows ratios and percentages.
    pub fn ratio(&mut self, name: &str, value: f64) -> &mut InfoWriter {
        self.field(name, format_args!("{value:.2}"))
    }

    /// A whole line that is not `name:value` by the letter (`cmdstat_get:calls=1,…` is, `slave0:ip=…` is).
    pub fn line(&mut self, line: impl Display) -> &mut InfoWriter {
        writeln_info(&mut self.text, format_args!("{line}"));
        self
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }
}

fn writeln_info(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("writing to a string cannot fail");
    text.push_str("\r\n");
}

/// Bytes in the form of INFO's `…_human` fields: `1023B`, `1.50K`, `2.00G`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    for unit in UNITS {
        if value < 1024.0 || unit == "P" {
            return format!("{value:.2}{unit}");
        }
        value /= 1024.0;
    }
    unreachable!("the last unit takes all")
}

/// A percentile as the name of a field: `p50`, `p99`, `p99.9`.
pub fn percentile_name(percentile: f64) -> String {
    format!("p{percentile}")
}

/// Which sections an INFO asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sections {
    names: Vec<String>,
    is_default: bool,
    is_all: bool,
    is_everything: bool,
}

impl Sections {
    /// From INFO's arguments, in any case; none: the default sections.
    pub fn parse<'a>(args: impl Iterator<Item = &'a [u8]>) -> Sections {
        let names: Vec<String> = args.map(|arg| String::from_utf8_lossy(arg).to_ascii_lowercase()).collect();
        let has = |word: &str| names.iter().any(|name| name == word);
        let (is_all, is_everything) = (has("all"), has("everything"));
        Sections { is_default: names.is_empty() || has("default"), is_all, is_everything, names }
    }

    /// Whether section `name` (lower case) is asked for by its own name.
    pub fn names(&self, name: &str) -> bool {
        self.names.iter().any(|asked| asked == name)
    }

    /// Whether to write section `name` (lower case), of which `is_default` says whether a plain INFO shows it.
    pub fn wants(&self, name: &str, is_default: bool) -> bool {
        self.is_everything || self.is_all || self.is_default && is_default || self.names(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_parted_by_an_empty_line() {
        let mut info = InfoWriter::new();
        info.section("Server").field("redis_mode", "standalone").flag("x", true);
        info.section("Clients").ratio("r", 0.5);
        assert_eq!(info.finish(), "# Server\r\nredis_mode:standalone\r\nx:1\r\n\r\n# Clients\r\nr:0.50\r\n");
    }

    #[test]
    fn bytes_read_as_redis_writes_them() {
        let cases =
            [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1536, "1.50K"), (1 << 30, "1.00G"), (u64::MAX, "16384.00P")];
        for (bytes, text) in cases {
            assert_eq!(human_bytes(bytes), text);
        }
        assert_eq!((percentile_name(50.0), percentile_name(99.9)), ("p50".into(), "p99.9".into()));
    }

    #[test]
    fn a_plain_info_shows_the_default_sections() {
        let wants = |words: &[&str], name: &str, is_default| {
            Sections::parse(words.iter().map(|word| word.as_bytes())).wants(name, is_default)
        };
        assert!(wants(&[], "server", true) && !wants(&[], "commandstats", false));
        assert!(wants(&["ALL"], "commandstats", false) && wants(&["everything"], "commandstats", false));
        assert!(wants(&["CommandStats"], "commandstats", false) && !wants(&["commandstats"], "server", true));
        assert!(wants(&["default", "commandstats"], "commandstats", false));
    }
}
