//! One client as CLIENT LIST, CLIENT INFO and ACL LOG show it.

use std::fmt::Write;

use crate::acl::Acl;
use crate::base::time::Now;
use crate::session::tracking::{Mode, Tracking};
use crate::session::{Figures, Kind, Marks, Session};
use crate::spec::Catalog;

/// The line without its line break. Fields and their order are those of Redis 7.2.
pub fn client_line(session: &Session, figures: &Figures, acl: &Acl, catalog: &Catalog, now: &Now) -> String {
    let text =
        |bytes: &Option<bytes::Bytes>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    let multi = session.multi.as_ref().map_or(-1, |multi| multi.queue.len() as i64);
    let multi_mem = session.multi.as_ref().map_or(0, |multi| multi.memory);
    let command = session.last_command.map_or("NULL", |id| &*catalog.get(id).full_name);
    let user = session.user.map_or_else(|| "(superuser)".into(), |user| acl.name_text(user));
    let (age, idle) = (now.mono.since(session.created) / 1000, now.mono.since(session.last_interaction) / 1000);
    let mut line = String::with_capacity(320);
    write!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={age} idle={idle} flags={} db={} sub={} psub={} ssub={} multi={multi} \
         qbuf={} qbuf-free={} argv-mem={} multi-mem={multi_mem} rbs=0 rbp=0 obl={} oll={} omem={} tot-mem={} \
         events={}{} cmd={command} user={user} redir={} resp={} lib-name={} lib-ver={}",
        session.id,
        session.addr,
        session.laddr,
        figures.fd,
        text(&session.name),
        flags(session),
        session.db,
        session.subscribed.channels,
        session.subscribed.patterns,
        session.subscribed.shard,
        figures.qbuf,
        figures.qbuf_free,
        figures.argv_mem,
        figures.obl,
        figures.oll,
        figures.omem,
        figures.buffers + session.memory() as u64,
        if figures.is_reading { "r" } else { "" },
        if figures.is_writing { "w" } else { "" },
        Tracking::redirect_number(session.tracking.as_deref()),
        session.proto.version(),
        text(&session.lib_name),
        text(&session.lib_ver),
    )
    .expect("writing to a string cannot fail");
    line
}

/// The letters of `flags`, `N` for none.
fn flags(session: &Session) -> String {
    let Marks {
        is_blocked,
        is_unblocked,
        is_closing_after_reply,
        is_closing_asap,
        is_unix,
        is_cluster_readonly,
        is_no_evict,
        is_no_touch,
    } = session.marks;
    let tracking = session.tracking.as_deref();
    let letters = [
        (session.kind == Kind::Monitor, 'O'),
        (session.kind == Kind::Replica, 'S'),
        (session.kind == Kind::Master, 'M'),
        (session.is_subscriber(), 'P'),
        (session.multi.is_some(), 'x'),
        (is_blocked, 'b'),
        (tracking.is_some(), 't'),
        (tracking.is_some_and(|tracking| tracking.is_redirect_broken), 'R'),
        (tracking.is_some_and(|tracking| tracking.mode == Mode::Broadcast), 'B'),
        (session.is_watch_broken, 'd'),
        (is_closing_after_reply, 'c'),
        (is_unblocked, 'u'),
        (is_closing_asap, 'A'),
        (is_unix, 'U'),
        (is_cluster_readonly, 'r'),
        (is_no_evict, 'e'),
        (is_no_touch, 'T'),
    ];
    let shown: String = letters.iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| *letter).collect();
    if shown.is_empty() { "N".into() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::ClientId;
    use crate::base::time::Instant;
    use crate::session::Transaction;
    use crate::spec::Table;

    #[test]
    fn fields_come_in_the_order_of_redis() {
        let (acl, table) = (Acl::new(), Table::<()>::builder().build());
        let mut session =
            Session::new(ClientId(7), "127.0.0.1:1", "127.0.0.1:2", true, &acl, Instant::from_millis(1000));
        session.multi = Some(Box::<Transaction>::default());
        session.marks.is_no_evict = true;
        session.lib_name = Some(bytes::Bytes::from_static(b"lib"));
        let figures = Figures { fd: 8, qbuf: 1, qbuf_free: 2, buffers: 9, is_reading: true, ..Figures::default() };
        let now = Now::at_millis(4500);
        assert_eq!(
            client_line(&session, &figures, &acl, table.catalog(), &now),
            format!(
                "id=7 addr=127.0.0.1:1 laddr=127.0.0.1:2 fd=8 name= age=3 idle=3 flags=xUe db=0 sub=0 psub=0 ssub=0 multi=0 \
             qbuf=1 qbuf-free=2 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem={} events=r cmd=NULL \
             user=default redir=-1 resp=2 lib-name=lib lib-ver=",
                9 + session.memory()
            )
        );
        session.user = None;
        session.kind = Kind::Master;
        let line = client_line(&session, &figures, &acl, table.catalog(), &now);
        assert!(line.contains("user=(superuser)") && line.contains("flags=MxUe"));
    }
}
