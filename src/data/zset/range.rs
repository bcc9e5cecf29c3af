//! Ranges of a sorted set by score and by name.

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End<T> {
    /// Up to this, which belongs to it.
    With(T),
    /// Up to this, which does not.
    Without(T),
}

/// A range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lower end.
    pub min: End<f64>,
    /// The upper end.
    pub max: End<f64>,
}

impl ScoreRange {
    /// Whether a score lies before the range.
    pub fn is_below(&self, score: f64) -> bool {
        match self.min {
            End::With(min) => score < min,
            End::Without(min) => score <= min,
        }
    }

    /// Whether a score lies behind the range.
    pub fn is_above(&self, score: f64) -> bool {
        match self.max {
            End::With(max) => score > max,
            End::Without(max) => score >= max,
        }
    }
}

/// An end of a range of names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LexEnd<'a> {
    /// Before every name: `-`.
    Lowest,
    /// Behind every name: `+`.
    Highest,
    /// At a name.
    At(End<&'a [u8]>),
}

/// A range of names, for sets whose members have the same score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LexRange<'a> {
    /// The lower end.
    pub min: LexEnd<'a>,
    /// The upper end.
    pub max: LexEnd<'a>,
}

impl LexRange<'_> {
    /// Whether a name lies before the range.
    pub fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexEnd::Lowest => false,
            LexEnd::Highest => true,
            LexEnd::At(End::With(min)) => member < min,
            LexEnd::At(End::Without(min)) => member <= min,
        }
    }

    /// Whether a name lies behind the range.
    pub fn is_above(&self, member: &[u8]) -> bool {
        match self.max {
            LexEnd::Lowest => true,
            LexEnd::Highest => false,
            LexEnd::At(End::With(max)) => member > max,
            LexEnd::At(End::Without(max)) => member >= max,
        }
    }
}
