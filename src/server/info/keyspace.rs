//! INFO keyspace: how many keys each database has.

use crate::server::Turn;
use crate::stats::info::InfoWriter;

/// `# Keyspace`
pub fn write(turn: &mut Turn<'_>, info: &mut InfoWriter) {
    info.section("Keyspace");
    let engine = &turn.server.engine;
    for size in engine.keyspace.sizes(engine.now.wall()) {
        if size.keys > 0 {
            info.line(format_args!(
                "db{}:keys={},expires={},avg_ttl={}",
                size.db, size.keys, size.expires, size.avg_ttl_ms
            ));
        }
    }
}
