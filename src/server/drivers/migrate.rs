//! Handing keys to another server: the part of MIGRATE that talks.
//!
//! ```text
//!  AUTH …, SELECT …, RESTORE key …, RESTORE key …    all sent at once; answers are read afterwards
//! ```
//!
//! Connections are kept for [`IDLE_MAX_MS`] after their last use, since keys tend to be moved many at a time. One that was kept may
//! be dead: then it is tried again with a new one, provided that nothing was answered and the time was not up.
//!
//! The loop stands still while this goes on, up to the caller's timeout for each piece sent and each line read.

use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::base::number::format_i64;
use crate::base::time::Instant;
use crate::exec::Engine;
use crate::keyspace::{Access, AnyValue};
use crate::net::sync_conn::SyncConn;
use crate::rdb::dump::dump;
use crate::resp::encode;

/// How long an unused connection is kept.
const IDLE_MAX_MS: u64 = 10_000;
/// How many connections are kept.
const LINKS_MAX: usize = 64;
/// Small keys are sent together.
const BUFFER: usize = 64 * 1024;

/// Where keys go, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// Its port; 0 when what was said is none, and nobody answers there.
    pub port: u16,
    /// The user, if one is named, and the password.
    pub login: Option<(Option<Vec<u8>>, Vec<u8>)>,
    /// Number of the database there.
    pub db: i64,
    /// Keys that are there already are replaced.
    pub is_replacing: bool,
    /// How long each act may take.
    pub limit: Duration,
}

/// Connections to other servers, oldest use first.
#[derive(Debug, Default)]
pub struct Links {
    kept: Vec<Link>,
}

/// A connection.
#[derive(Debug)]
struct Link {
    target: Target,
    conn: SyncConn,
    /// The database that is selected there, if that is known.
    db: Option<i64>,
    used: Instant,
}

/// What came of handing over.
#[derive(Debug, Default)]
pub struct Handed<'k> {
    /// The keys that the other server has now.
    pub keys: Vec<&'k [u8]>,
    /// What it said against the first of the others, or against us.
    pub refusal: Option<String>,
    /// The connection failed.
    pub failure: Option<Failure>,
}

/// What could not be done.
#[derive(Debug)]
pub enum Failure {
    /// There is no connection.
    Connect,
    /// Bytes could not be sent.
    Write(io::Error),
    /// An answer did not come.
    Read(io::Error),
}

impl Links {
    /// How many connections are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Closes connections that were not used for a while.
    pub fn close_idle(&mut self, now: Instant) {
        self.kept.retain(|link| now.since(link.used) < IDLE_MAX_MS);
    }

    /// Hands keys of database `db` to another server.
    pub fn hand_over<'k>(
        &mut self,
        engine: &mut Engine,
        db: u32,
        access: Access,
        keys: &[&'k [u8]],
        target: &Target,
    ) -> Handed<'k> {
        let mut may_retry = true;
        loop {
            let Ok(mut link) = self.take(target, engine.now.mono) else {
                return Handed { failure: Some(Failure::Connect), ..Handed::default() };
            };
            let mut handed = Handed::default();
            let is_untouched = match link.exchange(engine, db, access, keys, target, &mut handed) {
                Ok(()) => {
                    link.db = handed.refusal.is_none().then_some(target.db);
                    self.kept.push(link);
                    return handed;
                }
                Err(failure) => {
                    let is_late = failure.is_late();
                    handed.failure = Some(failure);
                    handed.keys.is_empty() && handed.refusal.is_none() && !is_late
                }
            };
            if !is_untouched || !std::mem::take(&mut may_retry) {
                return handed;
            }
        }
    }

    /// A connection to `target`: one that was kept, or a new one.
    fn take(&mut self, target: &Target, now: Instant) -> io::Result<Link> {
        if let Some(at) = self.kept.iter().position(|link| link.is_for(target)) {
            return Ok(Link { used: now, ..self.kept.remove(at) });
        }
        let conn = SyncConn::connect(&target.host, target.port, target.limit)?;
        if self.kept.len() >= LINKS_MAX {
            self.kept.remove(0);
        }
        Ok(Link { target: target.clone(), conn, db: None, used: now })
    }
}

impl Link {
    /// Who logged in as somebody else is somebody else.
    fn is_for(&self, target: &Target) -> bool {
        let Target { host, port, login, .. } = &self.target;
        (host, port, login) == (&target.host, &target.port, &target.login)
    }

    fn exchange<'k>(
        &mut self,
        engine: &mut Engine,
        db: u32,
        access: Access,
        keys: &[&'k [u8]],
        target: &Target,
        handed: &mut Handed<'k>,
    ) -> Result<(), Failure> {
        let (mut out, mut preludes) = (Vec::new(), 0);
        if let Some((user, password)) = &target.login {
            let user = user.as_deref();
            let words: Vec<&[u8]> = [&b"AUTH"[..]].into_iter().chain(user).chain([&password[..]]).collect();
            encode::command(&mut out, &words);
            preludes += 1;
        }
        if self.db != Some(target.db) {
            encode::command(&mut out, &[b"SELECT", &format_i64(target.db)]);
            preludes += 1;
        }
        let mut sent = Vec::with_capacity(keys.len());
        for &key in keys {
            if !restore_command(engine, db, access, key, target.is_replacing, &mut out) {
                continue;
            }
            sent.push(key);
            if out.len() >= BUFFER {
                self.conn.send(&out, target.limit).map_err(Failure::Write)?;
                out.clear();
            }
        }
        self.conn.send(&out, target.limit).map_err(Failure::Write)?;
        let mut refused_before = None;
        for _ in 0..preludes {
            let answer = self.answer(target)?;
            refused_before = refused_before.or(answer);
        }
        for key in sent {
            let answer = self.answer(target)?;
            match refused_before.clone().or(answer) {
                None => handed.keys.push(key),
                Some(text) => {
                    handed.refusal.get_or_insert(text);
                }
            }
        }
        Ok(())
    }

    /// The text of an answer that is an error.
    fn answer(&mut self, target: &Target) -> Result<Option<String>, Failure> {
        let line = self.conn.line(target.limit).map_err(Failure::Read)?;
        Ok(line.strip_prefix(b"-").map(|text| String::from_utf8_lossy(text).into_owned()))
    }
}

impl Failure {
    /// The time was up: trying again would take as long again.
    fn is_late(&self) -> bool {
        matches!(self, Failure::Write(error) | Failure::Read(error) if error.kind() == ErrorKind::TimedOut)
    }
}

/// Appends the command that makes a key elsewhere; false when the key is gone.
fn restore_command(
    engine: &mut Engine,
    db: u32,
    access: Access,
    key: &[u8],
    is_replacing: bool,
    out: &mut Vec<u8>,
) -> bool {
    let now = access.now;
    let mut db = engine.keyspace.db(db, access);
    // A key whose time is over at this very moment may live for one more millisecond there.
    let ttl = db.peek_expiry(key).flatten().map_or(0, |at| (at.0 - now.0).max(1));
    let Ok(Some(value)) = db.peek::<AnyValue>(key) else { return false };
    let payload = dump(value);
    let ttl = format_i64(ttl);
    let words = [&b"RESTORE"[..], key, &ttl, &payload, b"REPLACE"];
    encode::command(out, if is_replacing { &words } else { &words[..4] });
    true
}
