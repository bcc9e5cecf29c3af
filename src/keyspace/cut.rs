//! Point-in-time cuts: the image of all databases at one moment, while writing goes on.
//!
//! See `docs/snapshots.md`. In short: every segment of every table has a version. [`Keyspace::begin_cut`] advances the
//! epoch, which makes all segments old. [`Keyspace::walk`] hands old segments to the sink in order of hash prefix and
//! stamps them. A verb that is about to write into an old segment hands that segment over first. So each segment
//! reaches the sink exactly once, as it was at the beginning.
//!
//! Tables have ids; a cut lists the ids and the number each table had at the beginning. SWAPDB therefore changes nothing
//! for it, and FLUSH hands an unfinished table to the cut, which walks it to its end and then has it freed.

use std::any::Any;

use super::Keyspace;
use super::table::{Sealed, Table};

/// Takes the image. Owned by the keyspace while the cut lasts; `as dyn Any` leads back to the concrete type.
pub trait CutSink: Any {
    /// The entries of one segment of database `db` (its number when the cut began), as they were at that moment.
    /// Each key that existed then is given exactly once over all calls; the order means nothing. Large values may be kept
    /// instead of being read at once.
    fn segment(&mut self, db: u32, entries: Sealed<'_>);

    /// Whether the walk may go on now. Writes do not ask.
    fn has_room(&self) -> bool {
        true
    }
}

/// How large a database was when the cut began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutDb {
    /// Its number.
    pub db: u32,
    /// Keys.
    pub keys: usize,
    /// Keys with an expiry.
    pub expires: usize,
}

/// How far a walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Out of budget; more is left.
    More,
    /// The sink has everything.
    Done,
}

struct CutTable {
    id: u64,
    db: u32,
    /// Set when the table was flushed before it was walked to its end.
    detached: Option<Table>,
}

pub(super) struct Cut {
    sink: Box<dyn CutSink>,
    tables: Vec<CutTable>,
    current: usize,
    position: u64,
}

impl Cut {
    /// Hands over the segment that a write to `hash` in the table `id` will alter, unless that is done already.
    #[inline]
    pub fn before_write(&mut self, id: u64, table: &mut Table, hash: u64, epoch: u64) {
        if let Some(segment) = table.seal(hash, epoch) {
            let db = self.tables.iter().find(|t| t.id == id).map(|t| t.db);
            // A table made after the cut began has no old segments.
            self.sink.segment(db.expect("a table with old segments belongs to the cut"), segment);
        }
    }

    /// Takes over a flushed table if it has not been walked to its end; gives it back otherwise.
    pub fn take(&mut self, id: u64, table: Table) -> Option<Table> {
        match self.tables.iter_mut().skip(self.current).find(|t| t.id == id) {
            Some(slot) => {
                slot.detached = Some(table);
                None
            }
            None => Some(table),
        }
    }
}

impl Keyspace {
    /// Begins a cut; the image is the data as it is now. Gives the sizes of the databases that have keys.
    ///
    /// Panics when a cut is running: one at a time, and who asks for a second waits.
    pub fn begin_cut(&mut self, sink: Box<dyn CutSink>) -> Vec<CutDb> {
        assert!(self.cut.is_none(), "a cut is already running");
        self.dbs.epoch += 1;
        let sizes: Vec<CutDb> = self
            .dbs
            .iter()
            .filter(|(_, db)| db.table.len() > 0)
            .map(|(index, db)| CutDb { db: index, keys: db.table.len(), expires: db.table.expires_len() })
            .collect();
        let tables = self.dbs.iter().map(|(db, d)| CutTable { id: d.id, db, detached: None }).collect();
        self.cut = Some(Cut { sink, tables, current: 0, position: 0 });
        sizes
    }

    /// Whether a cut is running.
    pub fn is_cutting(&self) -> bool {
        self.cut.is_some()
    }

    /// Hands more segments to the sink while `more` says so and the sink has room; both are asked after each segment (about 300 keys).
    /// `Done` when there is no cut.
    pub fn walk(&mut self, more: &mut dyn FnMut() -> bool) -> Walk {
        let epoch = self.dbs.epoch;
        let Some(cut) = &mut self.cut else { return Walk::Done };
        while cut.current < cut.tables.len() {
            let slot = &mut cut.tables[cut.current];
            let table = match &mut slot.detached {
                Some(table) => Some(table),
                None => self.dbs.by_id(slot.id).map(|db| &mut db.table),
            };
            let next = table.and_then(|table| {
                if let Some(segment) = table.seal(cut.position, epoch) {
                    cut.sink.segment(slot.db, segment);
                }
                table.segment_at(cut.position).1
            });
            match next {
                Some(position) => cut.position = position,
                None => {
                    if let Some(table) = slot.detached.take() {
                        self.lazy.table(table);
                    }
                    cut.current += 1;
                    cut.position = 0;
                }
            }
            if !more() || !cut.sink.has_room() {
                break;
            }
        }
        if cut.current == cut.tables.len() { Walk::Done } else { Walk::More }
    }

    /// Ends the cut, finished or not, and gives the sink back.
    pub fn end_cut(&mut self) -> Option<Box<dyn CutSink>> {
        let cut = self.cut.take()?;
        for table in cut.tables.into_iter().filter_map(|slot| slot.detached) {
            self.lazy.table(table);
        }
        Some(cut.sink)
    }

    /// The sink of the running cut, if it is a `T`.
    pub fn cut_sink<T: CutSink>(&mut self) -> Option<&mut T> {
        let sink: &mut dyn Any = self.cut.as_mut()?.sink.as_mut();
        sink.downcast_mut()
    }
}
