//! RDB files and the append only file.

use crate::config::directive::Effect::NoSubject;
use crate::config::directive::{
    Apply, Directive, Flags, INT_MAX, LONG_MAX, MIB, RUNTIME, START, flag, integer, text, word,
};
use crate::config::table::{Group, special};
use crate::config::values::{AppendFsync, SanitizePayload};

const INT_MIN: i128 = i32::MIN as i128;

/// RDB files and the append only file.
pub static GROUP: Group = Group {
    title: "Snapshots on disk",
    intro: "The data set is written to one file from time to time. Saving does not fork and does not stop the server.",
    directives: &[
        Directive {
            name: "save",
            kind: special::SAVE,
            flags: Flags::MULTI,
            apply: Some(Apply::Snapshots),
            doc: "When to save by itself: pairs of seconds and changes. `save 3600 1 300 100` saves when an hour has \
                  passed with at least one change, or five minutes with at least 100. Several lines add up. `save \"\"` \
                  switches it off. A Sentinel never saves.",
            ..RUNTIME
        },
        Directive {
            name: "dbfilename",
            kind: text!(persistence.dbfilename, "dump.rdb"),
            flags: Flags::PROTECTED,
            check: Some(special::dbfilename_is_a_name),
            apply: Some(Apply::Snapshots),
            doc: "Name of the file, inside dir.",
            ..RUNTIME
        },
        Directive {
            name: "rdbcompression",
            kind: flag!(persistence.rdbcompression, true),
            apply: Some(Apply::Snapshots),
            doc: "Compress strings in RDB files. Costs some processor time, saves disk and network.",
            ..RUNTIME
        },
        Directive {
            name: "rdbchecksum",
            kind: flag!(persistence.rdbchecksum, true),
            doc: "End RDB files with a checksum, and verify it when loading.",
            ..START
        },
        Directive {
            name: "rdb-save-incremental-fsync",
            kind: flag!(persistence.rdb_save_incremental_fsync, true),
            apply: Some(Apply::Snapshots),
            doc: "Bring the file to the disk every few megabytes instead of all at once at the end.",
            ..RUNTIME
        },
        Directive {
            name: "stop-writes-on-bgsave-error",
            kind: flag!(persistence.stop_writes_on_bgsave_error, true),
            apply: Some(Apply::Snapshots),
            doc: "Refuse writes (MISCONF) while save points are configured and the last background save failed, so that \
                  somebody notices.",
            ..RUNTIME
        },
        Directive {
            name: "rdb-del-sync-files",
            kind: flag!(persistence.rdb_del_sync_files, false),
            doc: "On a server without persistence of its own, delete the RDB file that a synchronization left behind.",
            ..RUNTIME
        },
        Directive {
            name: "sanitize-dump-payload",
            kind: word!(persistence.sanitize_dump_payload: SanitizePayload::No),
            flags: Flags::DEBUG,
            effect: NoSubject("what is loaded or restored is always checked in full"),
            doc: "Check the inside of values thoroughly when they are loaded or restored.",
            ..RUNTIME
        },
        Directive {
            name: "rdb-key-save-delay",
            kind: integer!(Int, persistence.rdb_key_save_delay, 0, INT_MIN..=INT_MAX),
            flags: Flags::HIDDEN,
            apply: Some(Apply::Snapshots),
            doc: "Microseconds to wait after each key written, for tests.",
            ..RUNTIME
        },
        Directive {
            name: "key-load-delay",
            kind: integer!(Int, persistence.key_load_delay, 0, INT_MIN..=INT_MAX),
            flags: Flags::HIDDEN,
            apply: Some(Apply::Snapshots),
            doc: "Microseconds to wait after each key loaded, for tests.",
            ..RUNTIME
        },
        Directive {
            name: "loading-process-events-interval-bytes",
            kind: integer!(Int, persistence.loading_process_events_interval_bytes, 2 * MIB, 1024..=INT_MAX),
            flags: Flags::HIDDEN,
            effect: NoSubject("loading lets clients be served after a span of time, not of bytes"),
            doc: "How much is loaded between two looks at clients.",
            ..RUNTIME
        },
        Directive {
            name: "appendonly",
            kind: flag!(persistence.appendonly, false),
            flags: Flags::DENY_LOADING,
            apply: Some(Apply::AppendOnly),
            doc: "Write every change to files that are read again at start. Then the RDB file is not looked at. Switched on at run \
                  time, it counts as soon as a first image of the data is complete.",
            ..RUNTIME
        },
        Directive {
            name: "appendfilename",
            kind: text!(persistence.appendfilename, "appendonly.aof"),
            check: Some(special::appendfilename_is_a_name),
            doc: "First part of the names of these files.",
            ..START
        },
        Directive {
            name: "appenddirname",
            kind: text!(persistence.appenddirname, "appendonlydir"),
            check: Some(special::appenddirname_is_a_name),
            doc: "Folder of these files, inside dir. To copy them from a running server, first set auto-aof-rewrite-percentage to 0 and \
                  wait until no rewrite runs, or begin with the manifest and copy again if it changed meanwhile.",
            ..START
        },
        Directive {
            name: "appendfsync",
            kind: word!(persistence.appendfsync: AppendFsync::Everysec),
            apply: Some(Apply::AppendFsync),
            doc: "When changes are brought to the disk. always: before their reply, one sync for all clients who wait. everysec: once a \
                  second, so a power cut can cost the last two. no: when the system pleases.",
            ..RUNTIME
        },
        Directive {
            name: "no-appendfsync-on-rewrite",
            kind: flag!(persistence.no_appendfsync_on_rewrite, false),
            doc: "Do not sync while a snapshot or rewrite is being written. A power cut then can cost much more.",
            ..RUNTIME
        },
        Directive {
            name: "auto-aof-rewrite-percentage",
            kind: integer!(Int, persistence.auto_aof_rewrite_percentage, 100, 0..=INT_MAX),
            doc: "Growth in per cent since the last rewrite that starts the next one, which replaces all files by new ones without \
                  history. 0: never.",
            ..RUNTIME
        },
        Directive {
            name: "auto-aof-rewrite-min-size",
            kind: integer!(Bytes, persistence.auto_aof_rewrite_min_size, 64 * MIB, 0..=LONG_MAX),
            doc: "Size of all files together up to which they are not rewritten without being asked.",
            ..RUNTIME
        },
        Directive {
            name: "aof-rewrite-incremental-fsync",
            kind: flag!(persistence.aof_rewrite_incremental_fsync, true),
            doc: "Bring a file that is being rewritten to the disk every few megabytes instead of all at once at the end.",
            ..RUNTIME
        },
        Directive {
            name: "aof-load-truncated",
            kind: flag!(persistence.aof_load_truncated, true),
            doc: "Start although the end of the last file is cut off, as a crash may leave it: what is incomplete is removed and logged. \
                  With no, the server does not start and changes nothing.",
            ..RUNTIME
        },
        Directive {
            name: "aof-use-rdb-preamble",
            kind: flag!(persistence.aof_use_rdb_preamble, true),
            doc: "Write bases as RDB images, which are smaller and faster to load. With no, they consist of commands.",
            ..RUNTIME
        },
        Directive {
            name: "aof-timestamp-enabled",
            kind: flag!(persistence.aof_timestamp_enabled, false),
            doc: "Write time stamps between the changes, so that the files can be cut at a moment (redis-check-aof). Servers before \
                  7.0 can't read them.",
            ..RUNTIME
        },
        Directive {
            name: "aof-disable-auto-gc",
            kind: flag!(persistence.aof_disable_auto_gc, false),
            flags: Flags::HIDDEN,
            doc: "Keep files that are no longer needed, for tests.",
            ..RUNTIME
        },
    ],
};
