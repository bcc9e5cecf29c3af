//! The process itself: daemon, directory, signals, timers.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{Apply, Directive, Flags, INT_MAX, RUNTIME, START, flag, integer, text, word};
use crate::config::table::{Group, special};
use crate::config::values::{OomScoreAdj, Supervised};

/// The process itself.
pub static GROUP: Group = Group {
    title: "Process",
    intro: "The process and its surroundings.",
    directives: &[
        Directive {
            name: "daemonize",
            kind: flag!(process.daemonize, false),
            doc: "Go to the background. Standard output is then closed, so set a logfile. Service managers such as \
                  systemd want `no`.",
            ..START
        },
        Directive {
            name: "supervised",
            kind: word!(process.supervised: Supervised::No),
            doc: "How to tell a service manager that we are ready: `systemd` writes to $NOTIFY_SOCKET, `upstart` stops \
                  itself with SIGSTOP, `auto` looks at the environment, `no` tells nobody.",
            ..START
        },
        Directive {
            name: "pidfile",
            kind: text!(process.pidfile, ""),
            doc: "File that holds the process id while the server runs. Empty: none, except that a daemon writes \
                  /var/run/redis.pid. Failing to write it is not fatal.",
            ..START
        },
        Directive {
            name: "dir",
            kind: special::DIR,
            flags: Flags::PROTECTED.and(Flags::DENY_LOADING),
            apply: Some(Apply::Directory),
            doc: "The working directory: RDB files are written here, and relative paths in the lines that follow start \
                  here. The default is the directory the server was started in.",
            ..RUNTIME
        },
        Directive {
            name: "shutdown-timeout",
            kind: integer!(Int, process.shutdown_timeout, 10, 0..=INT_MAX),
            doc: "How many seconds a shutdown waits for replicas that lag, with writes paused, so that they get \
                  everything. 0: not at all.",
            ..RUNTIME
        },
        Directive {
            name: "shutdown-on-sigint",
            kind: special::SHUTDOWN_ON_SIGINT,
            flags: Flags::MULTI,
            check: Some(special::shutdown_words_agree),
            doc: "What SIGINT does: any of `save`, `nosave`, `now` (do not wait for replicas) and `force` (go even if \
                  saving fails), or `default`: save when save points are configured.",
            ..RUNTIME
        },
        Directive {
            name: "shutdown-on-sigterm",
            kind: special::SHUTDOWN_ON_SIGTERM,
            flags: Flags::MULTI,
            check: Some(special::shutdown_words_agree),
            doc: "The same for SIGTERM.",
            ..RUNTIME
        },
        Directive {
            name: "hz",
            kind: special::HZ,
            apply: Some(Apply::Hz),
            doc: "How often per second background work is looked at: expiry, clients, figures. Values are brought into \
                  1 to 500. Few servers gain by more than 100.",
            ..RUNTIME
        },
        Directive {
            name: "dynamic-hz",
            kind: flag!(process.dynamic_hz, true),
            apply: Some(Apply::Hz),
            doc: "Raise hz by itself while there are many clients.",
            ..RUNTIME
        },
        Directive {
            name: "set-proc-title",
            kind: flag!(process.set_proc_title, true),
            doc: "Change the title of the process that ps shows.",
            ..START
        },
        Directive {
            name: "proc-title-template",
            kind: text!(process.proc_title_template, "{title} {listen-addr} {server-mode}"),
            check: Some(special::title_template_is_valid),
            apply: Some(Apply::ProcTitle),
            doc: "What the title says. Variables: {title} {listen-addr} {server-mode} {port} {tls-port} {unixsocket} \
                  {config-file}.",
            ..RUNTIME
        },
        Directive {
            name: "always-show-logo",
            kind: flag!(process.always_show_logo, false),
            doc: "Print the logo also when the log is not a terminal.",
            ..START
        },
        Directive {
            name: "ignore-warnings",
            kind: text!(process.ignore_warnings, ""),
            effect: NoSubject("no check of the host stops the start"),
            doc: "Names of checks of the host whose failure must not stop the start.",
            ..RUNTIME
        },
        Directive {
            name: "disable-thp",
            kind: flag!(process.disable_thp, true),
            effect: NoSubject("nothing forks, so that large pages are not copied"),
            doc: "Switch transparent huge pages off for this process.",
            ..START
        },
        Directive {
            name: "oom-score-adj",
            kind: word!(process.oom_score_adj: OomScoreAdj::No),
            apply: Some(Apply::OomScore),
            doc: "Adjust how likely the kernel ends us when memory runs out: `yes` or `relative` adds one of oom-score-adj-values \
                  to what it was at the start, `absolute` sets it.",
            ..RUNTIME
        },
        Directive {
            name: "oom-score-adj-values",
            kind: special::OOM_SCORE_ADJ_VALUES,
            flags: Flags::MULTI,
            apply: Some(Apply::OomScore),
            doc: "The scores of a master, of a replica, and of a process that saves, which there is none here: nothing forks. \
                  -2000 to 2000.",
            ..RUNTIME
        },
        Directive {
            name: "server_cpulist",
            kind: text!(process.server_cpulist, ""),
            check: Some(special::cpu_lists_are_valid),
            doc: "Processors of the main thread, such as `0-7:2,9`. Empty: all.",
            ..START
        },
        Directive {
            name: "bio_cpulist",
            kind: text!(process.bio_cpulist, ""),
            check: Some(special::cpu_lists_are_valid),
            doc: "Processors of the threads that sync files, free memory and resolve names. Empty: those of the main thread.",
            ..START
        },
        Directive {
            name: "aof_rewrite_cpulist",
            kind: text!(process.aof_rewrite_cpulist, ""),
            check: Some(special::cpu_lists_are_valid),
            doc: "Processors of the thread that writes the image of an AOF rewrite. Empty: those of the main thread.",
            ..START
        },
        Directive {
            name: "bgsave_cpulist",
            kind: text!(process.bgsave_cpulist, ""),
            check: Some(special::cpu_lists_are_valid),
            doc: "Processors of the thread that writes a background save, or a snapshot for replicas. Empty: those of the main \
                  thread.",
            ..START
        },
        Directive {
            name: "crash-log-enabled",
            kind: flag!(process.crash_log_enabled, true),
            apply: Some(Apply::CrashReports),
            doc: "Write a report with a stack trace into the log when the process crashes.",
            ..RUNTIME
        },
        Directive {
            name: "crash-memcheck-enabled",
            kind: flag!(process.crash_memcheck_enabled, true),
            effect: NoSubject("memory is tested by programs made for that, not by a process that has just crashed"),
            doc: "Test the memory after a crash.",
            ..RUNTIME
        },
        Directive {
            name: "use-exit-on-panic",
            kind: flag!(process.use_exit_on_panic, false),
            flags: Flags::HIDDEN,
            apply: Some(Apply::CrashReports),
            doc: "Exit with status 1 instead of aborting on a failed assertion.",
            ..RUNTIME
        },
        Directive {
            name: "watchdog-period",
            kind: integer!(Int, process.watchdog_period, 0, 0..=INT_MAX),
            flags: Flags::HIDDEN,
            effect: NoSubject(
                "SLOWLOG, LATENCY and INFO debug tell what took long, and a debugger shows where a process stands",
            ),
            doc: "Milliseconds after which a stuck server logs where it is. 0: off.",
            ..RUNTIME
        },
        Directive {
            name: "locale-collate",
            kind: text!(process.locale_collate, ""),
            apply: Some(Apply::Locale),
            effect: NoSubject("SORT ALPHA compares bytes, so that all servers agree"),
            doc: "Locale that SORT ALPHA compares by. Empty: that of the environment.",
            ..RUNTIME
        },
        Directive {
            name: "include",
            kind: special::INCLUDE,
            doc: "Read another file at this place. Lines that come later win over earlier ones, so an include at the \
                  top gives defaults and one at the bottom overrides. The name of the file may be a pattern with `*`, \
                  `?` and `[…]`; a pattern that matches nothing is fine, a missing file is not. Files may include \
                  each other 16 deep.",
            ..START
        },
    ],
};
