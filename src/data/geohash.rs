//! Positions on Earth as numbers: what the geo commands keep as scores of a sorted set.
//!
//! Longitude and latitude are each cut into 2^26 steps, and the bits of the two step numbers take turns, longitude first.
//! The 52 bits that result fit a double exactly, and positions that share leading bits are in the same cell:
//!
//! ```text
//! longitude  -180 … 180         → 26 bits   x25      x24      …  x0
//! latitude   -85.05112878 …     → 26 bits       y25      y24  …      y0
//! score                         = 52 bits   x25 y25 x24 y24   …  x0 y0
//!
//! Palermo    13.361389, 38.115556  → 3479099956230698
//! ```
//!
//! A cell of n steps is the first 2n bits, so all its positions are the scores of one range. An area is searched by
//! choosing n so that the cell around its centre and the eight cells around that one cover it: nine ranges at most.
//!
//! Latitudes end where Web Mercator does. A geohash as others print it goes to ±90°, so the position is encoded anew for
//! that ([`geohash_text`]).
//!
//! Everything here is arithmetic that must give Redis's bits: scores travel in dumps, and distances are printed and
//! compared. So the order of operations matters.

use std::cmp::Ordering;
use std::f64::consts::PI;

/// Bits per coordinate of a score.
pub const STEPS_MAX: u32 = 26;
/// The northern end.
pub const LATITUDE_MAX: f64 = 85.05112878;
/// The eastern end.
pub const LONGITUDE_MAX: f64 = 180.0;

/// Metres, the mean of the ellipsoid's radii that Redis takes.
const EARTH_RADIUS: f64 = 6372797.560856;
/// Half of the equator in Web Mercator, in metres.
const MERCATOR_MAX: f64 = 20037726.37;
const RADIANS: f64 = PI / 180.0;

/// A position, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// East is positive.
    pub longitude: f64,
    /// North is positive.
    pub latitude: f64,
}

/// A cell: the first bits of the scores in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    bits: u64,
    steps: u32,
}

/// What is searched, around a centre. Lengths are in a unit of `unit` metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A circle.
    Circle {
        /// Its radius.
        radius: f64,
        /// Metres.
        unit: f64,
    },
    /// A box whose sides follow the meridians and parallels.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
        /// Metres.
        unit: f64,
    },
}

impl Position {
    /// The position, if it is one that has a score.
    pub fn new(longitude: f64, latitude: f64) -> Option<Position> {
        let is_within = longitude.abs() <= LONGITUDE_MAX && latitude.abs() <= LATITUDE_MAX;
        is_within.then_some(Position { longitude, latitude })
    }

    /// The middle of the smallest cell with this score. Any number gives some position.
    pub fn of_score(score: f64) -> Position {
        let (min, max) = Cell { bits: as_c_unsigned(score), steps: STEPS_MAX }.corners();
        Position {
            longitude: ((min.longitude + max.longitude) / 2.0).clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: ((min.latitude + max.latitude) / 2.0).clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// Its score.
    pub fn score(&self) -> u64 {
        Cell::around(*self, STEPS_MAX).bits
    }

    /// Metres to another position along a great circle.
    pub fn distance(&self, other: &Position) -> f64 {
        let v = ((other.longitude * RADIANS - self.longitude * RADIANS) / 2.0).sin();
        if v == 0.0 {
            return self.distance_north(other);
        }
        let (from, to) = (self.latitude * RADIANS, other.latitude * RADIANS);
        let u = ((to - from) / 2.0).sin();
        let a = u * u + from.cos() * to.cos() * v * v;
        2.0 * EARTH_RADIUS * a.sqrt().asin()
    }

    /// Metres between the parallels of two positions.
    fn distance_north(&self, other: &Position) -> f64 {
        EARTH_RADIUS * (other.latitude * RADIANS - self.latitude * RADIANS).abs()
    }
}

/// A double as an unsigned integer, in the way of x86 also where C leaves it open.
fn as_c_unsigned(value: f64) -> u64 {
    const HALF: f64 = (1u64 << 63) as f64;
    let as_signed = |value: f64| if (-HALF..HALF).contains(&value) { value as i64 } else { i64::MIN };
    if value < HALF { as_signed(value) as u64 } else { as_signed(value - HALF) as u64 ^ (1 << 63) }
}

/// Spreads the bits of a number to the even places.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Gathers the bits at even places.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

impl Cell {
    fn around(position: Position, steps: u32) -> Cell {
        Cell::within(position, steps, LATITUDE_MAX)
    }

    /// The cell of a grid that reaches to ±`latitude_max`.
    fn within(position: Position, steps: u32, latitude_max: f64) -> Cell {
        let step = |value: f64, max: f64| ((value + max) / (max + max) * (1u64 << steps) as f64) as u32;
        let (x, y) = (step(position.longitude, LONGITUDE_MAX), step(position.latitude, latitude_max));
        Cell { bits: spread(y) | spread(x) << 1, steps }
    }

    /// Its south-western and north-eastern corners.
    fn corners(&self) -> (Position, Position) {
        let (x, y) = (gather(self.bits >> 1), gather(self.bits));
        let scale = (1u64 << self.steps) as f64;
        let at = |x: u32, y: u32| Position {
            longitude: -LONGITUDE_MAX + f64::from(x) / scale * (LONGITUDE_MAX + LONGITUDE_MAX),
            latitude: -LATITUDE_MAX + f64::from(y) / scale * (LATITUDE_MAX + LATITUDE_MAX),
        };
        (at(x, y), at(x.wrapping_add(1), y.wrapping_add(1)))
    }

    /// The cell so many cells to the east and to the north, around the globe.
    fn beside(&self, east: i32, north: i32) -> Cell {
        let mask = ((1u64 << self.steps) - 1) as u32;
        let moved = |at: u32, by: i32| if by == 0 { at } else { at.wrapping_add_signed(by) & mask };
        let (x, y) = (moved(gather(self.bits >> 1), east), moved(gather(self.bits), north));
        Cell { bits: spread(y) | spread(x) << 1, ..*self }
    }

    /// The lowest score in it, and the lowest one that is behind it.
    pub fn scores(&self) -> (u64, u64) {
        let shift = 2 * (STEPS_MAX - self.steps);
        (self.bits << shift, (self.bits + 1) << shift)
    }
}

impl Shape {
    /// Metres of the unit.
    pub fn unit(&self) -> f64 {
        match self {
            Shape::Circle { unit, .. } | Shape::Box { unit, .. } => *unit,
        }
    }

    /// Metres from `centre` to `position`, if that lies within the shape around it.
    pub fn reaches(&self, centre: &Position, position: &Position) -> Option<f64> {
        match self {
            Shape::Circle { radius, unit } => {
                // Rounding may give antipodes a distance that is no number; Redis finds them.
                let distance = centre.distance(position);
                (distance.partial_cmp(&(radius * unit)) != Some(Ordering::Greater)).then_some(distance)
            }
            Shape::Box { width, height, unit } => {
                let beside = Position { longitude: centre.longitude, latitude: position.latitude };
                let is_outside = position.distance_north(centre) > height * unit / 2.0
                    || position.distance(&beside) > width * unit / 2.0;
                (!is_outside).then(|| centre.distance(position))
            }
        }
    }

    /// Half of the width, half of the height, and the distance to the farthest point, in metres.
    fn extent(&self) -> (f64, f64, f64) {
        match self {
            Shape::Circle { radius, unit } => (unit * radius, unit * radius, radius * unit),
            Shape::Box { width, height, unit } => {
                let (width, height) = (width / 2.0, height / 2.0);
                (unit * width, unit * height, (width * width + height * height).sqrt() * unit)
            }
        }
    }

    /// The cells that together hold every position within the shape around `centre`, in the order in which they are looked at.
    pub fn cells(&self, centre: &Position) -> Vec<Cell> {
        let (half_width, half_height, farthest) = self.extent();
        let tall = half_height / EARTH_RADIUS / RADIANS;
        let wide = |latitude: f64| half_width / EARTH_RADIUS / (latitude * RADIANS).cos() / RADIANS;
        // The side that is nearer to a pole is the wider one in degrees.
        let wide = if centre.latitude < 0.0 { wide(centre.latitude - tall) } else { wide(centre.latitude + tall) };
        let (west, east) = (centre.longitude - wide, centre.longitude + wide);
        let (south, north) = (centre.latitude - tall, centre.latitude + tall);

        let mut cell = Cell::around(*centre, steps_for(farthest, centre.latitude));
        // Near the edge of its cell, the shape may reach beyond the neighbours.
        let reaches_beyond = cell.beside(0, 1).corners().1.latitude < north
            || cell.beside(0, -1).corners().0.latitude > south
            || cell.beside(1, 0).corners().1.longitude < east
            || cell.beside(-1, 0).corners().0.longitude > west;
        if reaches_beyond && cell.steps > 1 {
            cell = Cell::around(*centre, cell.steps - 1);
        }
        let (min, max) = cell.corners();
        // Neighbours that the shape does not reach; with huge cells that cannot be told.
        let is_fine = cell.steps >= 2;
        let is_left_out = |dx: i32, dy: i32| {
            is_fine
                && ((dy < 0 && min.latitude < south)
                    || (dy > 0 && max.latitude > north)
                    || (dx < 0 && min.longitude < west)
                    || (dx > 0 && max.longitude > east))
        };
        let mut cells: Vec<Cell> = Vec::with_capacity(9);
        for (dx, dy) in [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)] {
            let next = cell.beside(dx, dy);
            // Where cells are as large as half the globe, neighbours on both sides are the same one.
            if !is_left_out(dx, dy) && cells.last() != Some(&next) {
                cells.push(next);
            }
        }
        cells
    }
}

/// How fine cells may be, for nine of them to cover what is nearer than `metres`.
fn steps_for(metres: f64, latitude: f64) -> u32 {
    if metres == 0.0 {
        return STEPS_MAX;
    }
    let (mut metres, mut steps) = (metres, 1i32);
    while metres < MERCATOR_MAX {
        metres *= 2.0;
        steps += 1;
    }
    steps -= 2;
    // Cells are narrower near the poles.
    if latitude.abs() > 66.0 {
        steps -= 1;
        if latitude.abs() > 80.0 {
            steps -= 1;
        }
    }
    steps.clamp(1, STEPS_MAX as i32) as u32
}

/// The geohash of eleven characters as geohash.org has it. 52 bits make ten of them; the last is always `0`.
pub fn geohash_text(position: Position) -> [u8; 11] {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let bits = Cell::within(position, STEPS_MAX, 90.0).bits;
    std::array::from_fn(|index| match index {
        10 => ALPHABET[0],
        _ => ALPHABET[(bits >> (52 - (index + 1) * 5)) as usize & 31],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn at(longitude: f64, latitude: f64) -> Position {
        Position::new(longitude, latitude).unwrap()
    }

    #[test]
    fn known_places_have_their_known_scores() {
        let (palermo, catania) = (at(13.361389, 38.115556), at(15.087269, 37.502669));
        assert_eq!((palermo.score(), catania.score()), (3479099956230698, 3479447370796909));
        let decoded = Position::of_score(3479099956230698.0);
        assert_eq!(
            format!("{:.17} {:.17}", decoded.longitude, decoded.latitude),
            "13.36138933897018433 38.11555639549629859"
        );
        let distance = decoded.distance(&Position::of_score(catania.score() as f64));
        assert_eq!(format!("{distance:.4}"), "166274.1516");
        assert_eq!(&geohash_text(decoded), b"sqc8b49rny0");
    }

    #[test]
    fn positions_outside_have_no_score() {
        for (longitude, latitude) in [(180.1, 0.0), (-181.0, 0.0), (0.0, 86.0), (0.0, -85.06), (f64::NAN, 0.0)] {
            assert_eq!(Position::new(longitude, latitude), None);
        }
        // The very ends have one, even if it takes a bit more.
        assert_eq!(at(180.0, LATITUDE_MAX).score(), 3 << 52);
    }

    #[test]
    fn any_score_gives_some_position() {
        for score in [0.0, -1.0, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, 1e19, 1.5] {
            let position = Position::of_score(score);
            assert!(Position::new(position.longitude, position.latitude).is_some(), "{score}");
            geohash_text(position);
        }
        assert_eq!(as_c_unsigned(-1.0), u64::MAX);
        assert_eq!(as_c_unsigned(1e19), 10_000_000_000_000_000_000);
        assert_eq!((as_c_unsigned(f64::INFINITY), as_c_unsigned(-1e300)), (0, 1 << 63));
    }

    #[test]
    fn bits_that_were_spread_are_gathered_again() {
        let mut rng = Rng::seeded(1);
        for _ in 0..1000 {
            let (x, y) = (rng.next_u64() as u32, rng.next_u64() as u32);
            let bits = spread(y) | spread(x) << 1;
            assert_eq!((gather(bits), gather(bits >> 1)), (y, x));
        }
    }

    #[test]
    fn cells_hold_everything_that_is_near() {
        let mut rng = Rng::seeded(7);
        let mut within = |max: f64| (rng.next_u64() as f64 / u64::MAX as f64 * 2.0 - 1.0) * max;
        for round in 0..3000 {
            let centre = at(within(180.0), within(60.0));
            let unit = [1.0, 1000.0, 1609.34][round % 3];
            let size = 10f64.powf(within(3.0).abs() + 1.0);
            let shape = if round % 2 == 0 {
                Shape::Circle { radius: size, unit }
            } else {
                Shape::Box { width: size, height: size / 3.0, unit }
            };
            let cells = shape.cells(&centre);
            for _ in 0..20 {
                let degrees = size * unit / 100_000.0;
                let (longitude, latitude) = (centre.longitude + within(degrees), centre.latitude + within(degrees));
                let Some(near) = Position::new(longitude, latitude) else { continue };
                let near = Position::of_score(near.score() as f64);
                // Redis does not look across the date line either.
                let is_far = (near.longitude - centre.longitude).abs() > 170.0;
                if shape.reaches(&centre, &near).is_some() && !is_far && size * unit < 500_000.0 {
                    let score = near.score();
                    let is_covered = cells.iter().any(|cell| (cell.scores().0..cell.scores().1).contains(&score));
                    assert!(is_covered, "{shape:?} around {centre:?} misses {near:?}");
                }
            }
        }
    }
}
