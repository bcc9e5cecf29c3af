//! INFO keyspace: how many keys each database has.

use crate::server::Turn;
use crate::stats::info::InfoWriter;

/// `# Keyspace`
pub fn write(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    info.section("Keyspace");
    let engine = &turn.server.engine;
    for size in engine.keyspace.sizes(engine.now.wall()) {
        if size.keys > 0 {
            // Only 7.4 has the last part, and older tools take the line apart: it is there when it says something.
            let fields =
                if size.field_expires > 0 { format!(",subexpiry={}", size.field_expires) } else { String::new() };
            info.line(format_args!(
                "db{}:keys={},expires={},avg_ttl={}{fields}",
                size.db, size.keys, size.expires, size.avg_ttl_ms
            ));
        }
    }
}
