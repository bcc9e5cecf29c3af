//! Points of the order: what a search looks for.

use super::super::members::MemberId;

/// A place in the order of elements.
pub(in super::super) trait Point {
    /// How many of these elements, which are in order, come before the point.
    fn count_before(&self, scores: &[f64], ids: &[MemberId]) -> usize;
}

/// Among the elements with this score, behind those for which `is_before` is true.
pub(in super::super) struct AtScore<F> {
    /// The score.
    pub score: f64,
    /// True for some of the elements with this score, false for all later ones.
    pub is_before: F,
}

/// Behind the elements for which `is_before` is true, whatever their scores.
pub(in super::super) struct AtName<F> {
    /// True for some elements, false for all later ones.
    pub is_before: F,
}

impl<F: Fn(MemberId) -> bool> Point for AtScore<F> {
    #[inline]
    fn count_before(&self, scores: &[f64], ids: &[MemberId]) -> usize {
        // Comparing all of them is quicker than halving: nothing to predict, and the cache misses of a leaf overlap.
        let lower: usize = scores.iter().map(|score| usize::from(*score < self.score)).sum();
        if scores.get(lower) != Some(&self.score) {
            return lower;
        }
        let equal = scores[lower..].partition_point(|score| *score <= self.score);
        lower + ids[lower..lower + equal].partition_point(|id| (self.is_before)(*id))
    }
}

impl<F: Fn(MemberId) -> bool> Point for AtName<F> {
    #[inline]
    fn count_before(&self, _scores: &[f64], ids: &[MemberId]) -> usize {
        ids.partition_point(|id| (self.is_before)(*id))
    }
}
