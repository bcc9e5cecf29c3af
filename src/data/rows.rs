//! A long row of parts that can be frozen: a copy for a snapshot to read from costs next to nothing, and what is altered afterwards
//! is copied part by part.
//!
//! A snapshot wants a table of millions of elements as it is now, while the next command already alters it. Copying the table
//! would stop the server, and so would counting references of a hundred thousand parts. So parts lie in rows of [`ROW`], and a
//! row is frozen as a whole: it becomes the *base*, which nobody alters any more, with a row over it that is empty at first.
//!
//! ```text
//! before      [ part | part | part | part ]
//!
//! frozen      [ part | part | part | part ]     base, shared with the snapshot
//!             [      |      | copy |      ]     the row over it, after one part was altered
//! ```
//!
//! When the snapshot has let go of the base, the next alteration of the row puts both together again. As long as nothing is frozen,
//! all of this is one comparison, and a part costs no more than in a `Vec`.
//!
//! What was copied is counted ([`copied_bytes`]), since it is memory that a snapshot adds.

use std::cell::Cell;

use triomphe::Arc;

/// Parts in a row: freezing a million parts touches a thousand places, and the row over a frozen one is made within
/// microseconds.
pub const ROW: usize = 1024;

thread_local! {
    static COPIED: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that this thread has copied so far because a snapshot held what had to be altered.
pub fn copied_bytes() -> u64 {
    COPIED.get()
}

/// Counts such a copy.
pub fn note_copy(bytes: usize) {
    COPIED.set(COPIED.get() + bytes as u64);
}

/// What a row consists of.
pub trait Part: Clone {
    /// Bytes on the heap that a copy takes.
    fn heap_bytes(&self) -> usize;
}

impl Part for Box<[u8]> {
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

/// The parts.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    /// All but the last have [`ROW`] parts.
    rows: Vec<Row<T>>,
    len: usize,
}

#[derive(Debug)]
enum Row<T> {
    Own(Vec<T>),
    Over(Box<Over<T>>),
}

#[derive(Debug)]
struct Over<T> {
    base: Arc<Row<T>>,
    /// Parts that are no longer those of the base; shorter than the row while the rest is.
    changed: Vec<Option<T>>,
    len: usize,
}

impl<T> Default for Rows<T> {
    fn default() -> Rows<T> {
        Rows { rows: Vec::new(), len: 0 }
    }
}

/// A copy shares nothing.
impl<T: Clone> Clone for Row<T> {
    fn clone(&self) -> Row<T> {
        Row::Own((0..self.len()).map(|at| self.get(at).clone()).collect())
    }
}

impl<T> Row<T> {
    fn len(&self) -> usize {
        match self {
            Row::Own(parts) => parts.len(),
            Row::Over(over) => over.len,
        }
    }

    #[inline]
    fn get(&self, at: usize) -> &T {
        match self {
            Row::Own(parts) => &parts[at],
            Row::Over(over) => over.get(at),
        }
    }
}

impl<T> Over<T> {
    #[cold]
    fn get(&self, at: usize) -> &T {
        debug_assert!(at < self.len);
        match self.changed.get(at) {
            Some(Some(part)) => part,
            _ => self.base.get(at),
        }
    }
}

impl<T: Part> Row<T> {
    #[inline]
    fn get_mut(&mut self, at: usize) -> &mut T {
        match self {
            Row::Own(parts) => &mut parts[at],
            Row::Over(_) => self.get_mut_over(at),
        }
    }

    #[cold]
    fn get_mut_over(&mut self, at: usize) -> &mut T {
        self.reunite();
        match self {
            Row::Own(parts) => &mut parts[at],
            Row::Over(over) => {
                assert!(at < over.len, "part {at} of {}", over.len);
                over.spread();
                let Over { base, changed, .. } = &mut **over;
                changed[at].get_or_insert_with(|| copy_of(base.get(at)))
            }
        }
    }

    fn set(&mut self, at: usize, part: T) {
        match self {
            Row::Own(parts) => parts[at] = part,
            Row::Over(over) => {
                assert!(at < over.len, "part {at} of {}", over.len);
                over.spread();
                over.changed[at] = Some(part);
            }
        }
    }

    fn push(&mut self, part: T) {
        match self {
            Row::Own(parts) => parts.push(part),
            Row::Over(over) => {
                over.spread();
                over.changed.push(Some(part));
                over.len += 1;
            }
        }
    }

    /// The last part; there must be one.
    fn pop(&mut self) -> T {
        self.reunite();
        match self {
            Row::Own(parts) => parts.pop().expect("a row has parts"),
            Row::Over(over) => {
                over.spread();
                over.len -= 1;
                let part = over.changed.pop().expect("as long as the row");
                part.unwrap_or_else(|| copy_of(over.base.get(over.len)))
            }
        }
    }

    /// Puts a row and its base together if nobody else holds the base.
    fn reunite(&mut self) {
        if !matches!(self, Row::Over(over) if over.base.is_unique()) {
            return;
        }
        let Row::Over(over) = std::mem::replace(self, Row::Own(Vec::new())) else { unreachable!("just seen") };
        let Over { base, mut changed, len } = *over;
        let Ok(mut base) = Arc::try_unwrap(base) else { unreachable!("nobody else holds it") };
        base.reunite();
        *self = match base {
            Row::Own(mut parts) => {
                parts.truncate(len);
                for (at, part) in changed.into_iter().enumerate() {
                    match part {
                        Some(part) if at < parts.len() => parts[at] = part,
                        Some(part) => parts.push(part),
                        None => {}
                    }
                }
                debug_assert_eq!(parts.len(), len);
                Row::Own(parts)
            }
            // An older snapshot holds what is below.
            Row::Over(mut below) => {
                changed.resize_with(len, || None);
                for (above, part) in changed.iter_mut().zip(below.changed) {
                    *above = above.take().or(part);
                }
                below.changed = changed;
                below.len = len;
                Row::Over(below)
            }
        };
    }

    /// A row over the same base as this one is from now on.
    fn freeze(&mut self) -> Row<T> {
        self.reunite();
        let len = self.len();
        let over = |base| Row::Over(Box::new(Over { base, changed: Vec::new(), len }));
        if let Row::Over(already) = self
            && already.changed.is_empty()
            && already.len == already.base.len()
        {
            return over(already.base.clone());
        }
        let base = Arc::new(std::mem::replace(self, Row::Own(Vec::new())));
        *self = over(base.clone());
        over(base)
    }
}

impl<T> Over<T> {
    /// Makes room for every part to be changed.
    fn spread(&mut self) {
        self.changed.resize_with(self.len, || None);
    }
}

fn copy_of<T: Part>(part: &T) -> T {
    note_copy(part.heap_bytes());
    part.clone()
}

impl<T> Rows<T> {
    /// How many parts there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part.
    #[inline]
    pub fn get(&self, index: usize) -> &T {
        self.rows[index / ROW].get(index % ROW)
    }

    /// Bytes on the heap besides those of the parts; room that waits for more parts is counted.
    pub fn memory(&self) -> usize {
        let rows: usize = self
            .rows
            .iter()
            .map(|row| match row {
                Row::Own(parts) => parts.capacity() * size_of::<T>(),
                Row::Over(over) => size_of::<Over<T>>() + (over.changed.capacity() + over.len) * size_of::<T>(),
            })
            .sum();
        rows + self.rows.capacity() * size_of::<Row<T>>()
    }
}

impl<T: Part> Rows<T> {
    /// A part to be altered.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> &mut T {
        self.rows[index / ROW].get_mut(index % ROW)
    }

    /// Puts another part in the place of one, which is not copied for that.
    pub fn set(&mut self, index: usize, part: T) {
        self.rows[index / ROW].set(index % ROW, part);
    }

    /// Adds a part at the end.
    pub fn push(&mut self, part: T) {
        if self.len.is_multiple_of(ROW) {
            // The first row grows with its parts, for it may remain the only one.
            self.rows.reserve_exact(usize::from(self.len == 0));
            self.rows.push(Row::Own(Vec::with_capacity(if self.len == 0 { 1 } else { ROW })));
        }
        let row = self.rows.last_mut().expect("just seen to");
        row.push(part);
        self.len += 1;
    }

    /// Takes the last part away.
    pub fn pop(&mut self) -> Option<T> {
        let row = self.rows.last_mut()?;
        let part = row.pop();
        match row {
            row if row.len() == 0 => drop(self.rows.pop()),
            Row::Own(parts) if parts.len() < parts.capacity() / 4 => parts.shrink_to(parts.len() * 2),
            _ => {}
        }
        if self.rows.len() < self.rows.capacity() / 4 {
            self.rows.shrink_to(self.rows.len() * 2);
        }
        self.len -= 1;
        Some(part)
    }

    /// A copy that costs next to nothing: both share their parts until either alters them.
    pub fn freeze(&mut self) -> Rows<T> {
        Rows { rows: self.rows.iter_mut().map(Row::freeze).collect(), len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    type Parts = Vec<Box<[u8]>>;

    fn part(rng: &mut Rng) -> Box<[u8]> {
        vec![rng.next_u64() as u8; 1 + rng.below(3) as usize].into()
    }

    fn content(rows: &Rows<Box<[u8]>>) -> Parts {
        (0..rows.len()).map(|at| rows.get(at).clone()).collect()
    }

    /// Whatever happens after it was frozen, a copy stays as it was; and so does every other one.
    #[test]
    fn frozen_copies_stay_what_they_were() {
        for seed in 0..20 {
            let mut rng = Rng::seeded(seed);
            let (mut rows, mut model) = (Rows::default(), Vec::new());
            let mut frozen: Vec<(Rows<Box<[u8]>>, Parts)> = Vec::new();
            let start = [0, 5, ROW as u64 - 3, 3 * ROW as u64][rng.below(4) as usize];
            for _ in 0..start {
                let part = part(&mut rng);
                rows.push(part.clone());
                model.push(part);
            }
            for _ in 0..3000 {
                match rng.below(100) {
                    0..30 => {
                        let part = part(&mut rng);
                        rows.push(part.clone());
                        model.push(part);
                    }
                    30..60 => assert_eq!(rows.pop(), model.pop()),
                    60..95 if !model.is_empty() => {
                        let (at, part) = (rng.below(model.len() as u64) as usize, part(&mut rng));
                        assert_eq!(rows.get_mut(at), &mut model[at]);
                        match rng.percent(50) {
                            true => *rows.get_mut(at) = part.clone(),
                            false => rows.set(at, part.clone()),
                        }
                        model[at] = part;
                    }
                    95..97 if frozen.len() < 3 => frozen.push((rows.freeze(), model.clone())),
                    97..99 if !frozen.is_empty() => {
                        let (copy, expected) = frozen.swap_remove(rng.below(frozen.len() as u64) as usize);
                        assert_eq!(content(&copy), expected, "seed {seed}");
                    }
                    _ => {}
                }
            }
            assert_eq!((content(&rows), rows.len()), (model.clone(), model.len()), "seed {seed}");
            assert_eq!(content(&rows.clone()), model);
            for (copy, expected) in frozen {
                assert_eq!(content(&copy), expected, "seed {seed}");
            }
        }
    }

    #[test]
    fn freezing_copies_nothing_and_altering_copies_one_part() {
        let mut rows: Rows<Box<[u8]>> = Rows::default();
        (0..5 * ROW).for_each(|_| rows.push(vec![7; 100].into()));
        let before = copied_bytes();
        let frozen = rows.freeze();
        assert_eq!(copied_bytes() - before, 0);
        rows.get_mut(2 * ROW)[0] = 8;
        rows.get_mut(2 * ROW)[1] = 8;
        assert_eq!(copied_bytes() - before, 100);
        assert_eq!(rows.pop(), Some(vec![7; 100].into()));
        assert_eq!((copied_bytes() - before, rows.len(), frozen.len()), (200, 5 * ROW - 1, 5 * ROW));
        assert_eq!((rows.get(2 * ROW)[0], frozen.get(2 * ROW)[0]), (8, 7));
        drop(frozen);
        rows.get_mut(2 * ROW + 1)[0] = 8;
        assert_eq!((copied_bytes() - before, rows.get(2 * ROW)[0]), (200, 8));
        assert!(matches!(rows.rows[2], Row::Own(_)), "nobody shares it any more");
    }

    #[test]
    fn a_few_parts_take_little() {
        let mut rows: Rows<Box<[u8]>> = Rows::default();
        rows.push(Box::default());
        assert_eq!(rows.memory(), size_of::<Row<Box<[u8]>>>() + size_of::<Box<[u8]>>());
        (0..3 * ROW).for_each(|_| rows.push(Box::default()));
        while rows.len() > 3 {
            rows.pop();
        }
        assert!(rows.memory() < 1024, "{}", rows.memory());
    }
}
