//! Searching an area: one reader of words and one search for GEOSEARCH, GEOSEARCHSTORE and the GEORADIUS commands.
//!
//! The area gives at most nine ranges of scores (`data/geohash.rs`); each member in them is measured. With ANY the search ends
//! when there are enough, otherwise results are sorted by distance if so asked, or if there is a COUNT, which would mean nothing
//! without an order.

use super::args::{length, position, unit, write_distance, write_position};
use crate::base::number::parse_i64;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, Outcome};
use crate::data::geohash::{Position, Shape};
use crate::data::string::IntText;
use crate::data::zset::{Draft, End, ScoreRange, Zset};
use crate::keyspace::{Event, Expiry};
use crate::resp::args::Args;
use crate::resp::reply::Reply;
use crate::spec::options::is;

/// Which command searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// GEORADIUS key longitude latitude radius unit …
    Around {
        /// STORE and STOREDIST are allowed.
        may_store: bool,
    },
    /// GEORADIUSBYMEMBER key member radius unit …
    AroundMember {
        /// STORE and STOREDIST are allowed.
        may_store: bool,
    },
    /// GEOSEARCH key …
    Search,
    /// GEOSEARCHSTORE destination source …
    SearchStore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// The words of a call.
#[derive(Default)]
struct Query<'a> {
    centre: Option<Position>,
    shape: Option<Shape>,
    with_distance: bool,
    with_hash: bool,
    with_position: bool,
    order: Option<Order>,
    /// ANY: enough is enough.
    is_any: bool,
    count: Option<usize>,
    /// Where results are stored.
    target: Option<&'a [u8]>,
    /// The scores stored are distances.
    stores_distance: bool,
}

/// A member that was found.
struct Found {
    member: Vec<u8>,
    score: f64,
    position: Position,
    distance: f64,
}

/// Searches and replies or stores.
pub fn search(ctx: &mut DataCtx<'_>, args: &Args<'_>, form: Form) -> CommandResult {
    let source = if form == Form::SearchStore { 2 } else { 1 };
    let zset = ctx.db.read::<Zset>(args.get(source))?;
    let query = Query::parse(args, form, zset)?;
    // Without a set the centre may not be known, and nothing is found anyway.
    let unit = query.shape.map_or(1.0, |shape| shape.unit());
    let found = zset.map_or(Vec::new(), |zset| query.run(zset));
    match query.target {
        None => query.reply(&mut ctx.reply, found, unit),
        Some(target) => {
            let event = if form == Form::SearchStore { Event::GEOSEARCHSTORE } else { Event::GEORADIUSSTORE };
            let count = found.len();
            let mut draft = Draft::new();
            for Found { member, score, distance, .. } in found {
                let score = if query.stores_distance { distance / unit } else { score };
                draft.add(&member, if score.is_nan() { 0.0 } else { score }, |present| present);
            }
            match count {
                0 => drop(ctx.db.remove(target, Event::DEL)),
                _ => drop(ctx.db.put(target, draft.into_zset(&ctx.settings.limits), Expiry::Clear, event)),
            }
            ctx.reply.int(count as i64);
        }
    }
    Ok(Outcome::Done)
}

impl<'a> Query<'a> {
    fn parse(args: &Args<'a>, form: Form, zset: Option<&Zset>) -> Result<Query<'a>, CommandError> {
        let mut query = Query::default();
        let first = match form {
            Form::Around { .. } => {
                query.centre = Some(position(args, 2)?);
                query.shape = Some(circle(args, 4)?);
                6
            }
            Form::AroundMember { .. } => {
                // Nothing is asked about radius and unit if there is no member to begin with.
                if let Some(zset) = zset {
                    query.centre = Some(position_of(zset, args.get(2))?);
                    query.shape = Some(circle(args, 3)?);
                }
                5
            }
            Form::Search => 2,
            Form::SearchStore => {
                query.target = Some(args.get(1));
                3
            }
        };
        query.options(args, first, form, zset)?;
        if query.is_any && query.count.is_none() {
            return Err(CommandError::err("the ANY argument requires COUNT argument"));
        }
        Ok(query)
    }

    fn options(&mut self, args: &Args<'a>, first: usize, form: Form, zset: Option<&Zset>) -> Result<(), CommandError> {
        let is_search = matches!(form, Form::Search | Form::SearchStore);
        let may_store = matches!(form, Form::Around { may_store: true } | Form::AroundMember { may_store: true });
        let (mut from_member, mut from_position, mut by_radius, mut by_box) = (false, false, false, false);
        let mut at = first;
        while at < args.len() {
            let (word, left) = (args.get(at), args.len() - at - 1);
            at += 1;
            match () {
                _ if is(word, "WITHDIST") => self.with_distance = true,
                _ if is(word, "WITHHASH") => self.with_hash = true,
                _ if is(word, "WITHCOORD") => self.with_position = true,
                _ if is(word, "ANY") => self.is_any = true,
                _ if is(word, "ASC") => self.order = Some(Order::Nearest),
                _ if is(word, "DESC") => self.order = Some(Order::Farthest),
                _ if is(word, "COUNT") && left >= 1 => {
                    let count = parse_i64(args.get(at)).ok_or(CommandError::NotInteger)?;
                    let count = usize::try_from(count).ok().filter(|count| *count > 0);
                    self.count = Some(count.ok_or_else(|| CommandError::err("COUNT must be > 0"))?);
                    at += 1;
                }
                _ if may_store && left >= 1 && (is(word, "STORE") || is(word, "STOREDIST")) => {
                    self.target = Some(args.get(at));
                    self.stores_distance = is(word, "STOREDIST");
                    at += 1;
                }
                _ if form == Form::SearchStore && is(word, "STOREDIST") => self.stores_distance = true,
                _ if is_search && !from_position && left >= 1 && is(word, "FROMMEMBER") => {
                    if let Some(zset) = zset {
                        self.centre = Some(position_of(zset, args.get(at))?);
                    }
                    from_member = true;
                    at += 1;
                }
                _ if is_search && !from_member && left >= 2 && is(word, "FROMLONLAT") => {
                    self.centre = Some(position(args, at)?);
                    from_position = true;
                    at += 2;
                }
                _ if is_search && !by_box && left >= 2 && is(word, "BYRADIUS") => {
                    self.shape = Some(circle(args, at)?);
                    by_radius = true;
                    at += 2;
                }
                _ if is_search && !by_radius && left >= 3 && is(word, "BYBOX") => {
                    self.shape = Some(rectangle(args, at)?);
                    by_box = true;
                    at += 3;
                }
                _ => return Err(CommandError::Syntax),
            }
        }
        let named = |what: &str| {
            let command = String::from_utf8_lossy(args.get(0));
            CommandError::err(format!("exactly one of {what} can be specified for {command}"))
        };
        self.check_target(form)?;
        if is_search && !from_member && !from_position {
            return Err(named("FROMMEMBER or FROMLONLAT"));
        }
        if is_search && !by_radius && !by_box {
            return Err(named("BYRADIUS and BYBOX"));
        }
        Ok(())
    }

    fn check_target(&self, form: Form) -> Result<(), CommandError> {
        if self.target.is_some() && (self.with_distance || self.with_hash || self.with_position) {
            let what = if form == Form::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(CommandError::err(format!(
                "{what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        Ok(())
    }

    /// The members in the area, in the order asked for.
    fn run(&self, zset: &Zset) -> Vec<Found> {
        let (Some(centre), Some(shape)) = (self.centre, self.shape) else { return Vec::new() };
        let most = self.count.filter(|_| self.is_any).unwrap_or(usize::MAX);
        let (mut found, mut room) = (Vec::new(), IntText::new());
        'cells: for cell in shape.cells(&centre) {
            let (min, behind) = cell.scores();
            let range = ScoreRange { min: End::With(min as f64), max: End::Without(behind as f64) };
            for (member, score) in zset.elements(zset.range_by_score(&range)) {
                let position = Position::of_score(score);
                if let Some(distance) = shape.reaches(&centre, &position) {
                    found.push(Found { member: member.as_bytes(&mut room).to_vec(), score, position, distance });
                }
                if found.len() >= most {
                    break 'cells;
                }
            }
        }
        let order = self.order.or(self.count.filter(|_| !self.is_any).map(|_| Order::Nearest));
        match order {
            Some(Order::Nearest) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
            Some(Order::Farthest) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
            None => {}
        }
        found.truncate(self.count.unwrap_or(usize::MAX));
        found
    }

    fn reply(&self, reply: &mut Reply<'_>, found: Vec<Found>, unit: f64) {
        let details = [self.with_distance, self.with_hash, self.with_position].iter().filter(|with| **with).count();
        reply.array(found.len());
        for Found { member, score, position, distance } in found {
            if details > 0 {
                reply.array(1 + details);
            }
            reply.bulk(&member);
            if self.with_distance {
                write_distance(reply, distance / unit);
            }
            if self.with_hash {
                reply.int(score as i64);
            }
            if self.with_position {
                write_position(reply, &position);
            }
        }
    }
}

fn position_of(zset: &Zset, member: &[u8]) -> Result<Position, CommandError> {
    let score = zset.score(member).ok_or_else(|| CommandError::err("could not decode requested zset member"))?;
    Ok(Position::of_score(score))
}

/// A circle from its radius and unit, words `at` and `at + 1`.
fn circle(args: &Args<'_>, at: usize) -> Result<Shape, CommandError> {
    let radius = length(args.get(at), "need numeric radius")?;
    if radius < 0.0 {
        return Err(CommandError::err("radius cannot be negative"));
    }
    Ok(Shape::Circle { radius, unit: unit(args.get(at + 1))? })
}

/// A box from its width, height and unit, words `at` to `at + 2`.
fn rectangle(args: &Args<'_>, at: usize) -> Result<Shape, CommandError> {
    let (width, height) =
        (length(args.get(at), "need numeric width")?, length(args.get(at + 1), "need numeric height")?);
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::err("height or width cannot be negative"));
    }
    Ok(Shape::Box { width, height, unit: unit(args.get(at + 2))? })
}
