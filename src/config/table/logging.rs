//! Log, slow log, latency figures.

use crate::config::directive::{Apply, Directive, Flags, LONG_MAX, RUNTIME, START, flag, integer, text, word};
use crate::config::table::{Group, special};
use crate::config::values::{LogLevel, SyslogFacility};

/// Log, slow log, latency figures.
pub static GROUP: Group = Group {
    title: "Log and latency",
    intro: "",
    directives: &[
        Directive {
            name: "loglevel",
            kind: word!(logging.loglevel: LogLevel::Notice),
            apply: Some(Apply::LogLevel),
            doc: "How much is logged: `debug` everything, `verbose` many details, `notice` what an operator wants to \
                  know, `warning` only what needs attention, `nothing`.",
            ..RUNTIME
        },
        Directive {
            name: "logfile",
            kind: text!(logging.logfile, ""),
            doc: "File to log to. Empty: standard output. The file may be moved away at any time; the next line goes to \
                  a new one.",
            ..START
        },
        Directive {
            name: "syslog-enabled",
            kind: flag!(logging.syslog_enabled, false),
            doc: "Send the log to syslog as well.",
            ..START
        },
        Directive {
            name: "syslog-ident",
            kind: text!(logging.syslog_ident, "redis"),
            doc: "The name we have there.",
            ..START
        },
        Directive {
            name: "syslog-facility",
            kind: word!(logging.syslog_facility: SyslogFacility::Local0),
            doc: "The facility there.",
            ..START
        },
        Directive {
            name: "slowlog-log-slower-than",
            kind: integer!(Int, logging.slowlog_log_slower_than, 10000, -1..=LONG_MAX),
            apply: Some(Apply::SlowLog),
            doc: "Microseconds of execution from which a command is kept in the slow log. 0 keeps all, -1 none.",
            ..RUNTIME
        },
        Directive {
            name: "slowlog-max-len",
            kind: integer!(Int, logging.slowlog_max_len, 128, 0..=LONG_MAX),
            apply: Some(Apply::SlowLog),
            doc: "How many entries the slow log keeps. SLOWLOG RESET frees them.",
            ..RUNTIME
        },
        Directive {
            name: "latency-monitor-threshold",
            kind: integer!(Int, logging.latency_monitor_threshold, 0, 0..=LONG_MAX),
            apply: Some(Apply::Latency),
            doc: "Milliseconds from which the LATENCY commands remember an event. 0: off.",
            ..RUNTIME
        },
        Directive {
            name: "latency-tracking",
            kind: flag!(logging.latency_tracking, true),
            apply: Some(Apply::Latency),
            doc: "Keep a histogram of execution times for each command, for INFO latencystats and LATENCY HISTOGRAM.",
            ..RUNTIME
        },
        Directive {
            name: "latency-tracking-info-percentiles",
            kind: special::LATENCY_PERCENTILES,
            flags: Flags::MULTI,
            apply: Some(Apply::Latency),
            doc: "Percentiles that INFO latencystats shows, 0 to 100. `\"\"`: none.",
            ..RUNTIME
        },
    ],
};
