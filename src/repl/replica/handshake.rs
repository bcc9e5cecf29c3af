//! What a replica says to its master before the data flows, and what it makes of the answers.
//!
//! ```text
//!   -> PING                                                     is anybody there?
//!   <- +PONG, or an error that only says who we must be first
//!   -> AUTH, REPLCONF listening-port, ip-address, capa          written together
//!   <- one line each, in order; only AUTH matters
//!   -> PSYNC <id> <position>, or PSYNC ? -1; with FAILOVER behind it when the other is to become the master
//!   <- +CONTINUE [id] | +FULLRESYNC id end | -LOADING, -NOMASTERLINK: later | another error: not known, use SYNC
//! ```
//!
//! Empty lines keep the connection alive and never reach this file.

use std::collections::VecDeque;

use tracing::{info, warn};

use crate::base::id::HexId;
use crate::repl::Turn;
use crate::repl::io::{Output, ResyncPoint};
use crate::repl::newborn;
use crate::repl::wire::command;

/// What was asked and not yet answered, oldest first.
#[derive(Debug)]
pub struct Handshake {
    asked: VecDeque<Question>,
    /// Our data may be replaced by whatever the master has.
    may_replace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Ping,
    Auth,
    ListeningPort,
    IpAddress,
    Capa,
    Psync { partial: bool },
}

/// What an answer leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// More answers are to come.
    Expect,
    /// Close and try again later.
    GiveUp,
    /// The same, because the master cannot give us its data at the moment.
    Later,
    /// The master does not know PSYNC.
    UseSync,
    /// A snapshot follows.
    FullResync(ResyncPoint),
    /// The stream goes on where we are; perhaps under another id.
    Continue(Option<HexId>),
}

impl Handshake {
    /// Sends the PING. `may_replace`: somebody has just decided that this is our master, or we have nothing to lose.
    pub fn start(turn: &mut Turn<'_>, may_replace: bool) -> Handshake {
        turn.out.push(Output::Send(command(&[b"PING"])));
        let may_replace = may_replace || !turn.settings.guards_data;
        Handshake { asked: VecDeque::from([Question::Ping]), may_replace }
    }

    /// Takes the answer to the oldest question, and asks on when all are answered. `resume`: whether our data has a
    /// place in a history. `asks_promotion`: whether the master shall become one with that.
    pub fn answer(&mut self, turn: &mut Turn<'_>, line: &[u8], resume: bool, asks_promotion: bool) -> Answer {
        let Some(question) = self.asked.pop_front() else { return Answer::GiveUp };
        let text = String::from_utf8_lossy(line);
        let refused = line.first() == Some(&b'-');
        let step = match question {
            Question::Ping => {
                let tolerated =
                    [&b"-NOAUTH"[..], b"-NOPERM", b"-ERR operation not permitted"].iter().any(|e| line.starts_with(e));
                if line.first() != Some(&b'+') && !tolerated {
                    warn!("Error reply to PING from master: '{text}'");
                    return Answer::GiveUp;
                }
                info!("Master replied to PING, replication can continue...");
                self.introduce(turn);
                Answer::Expect
            }
            Question::Auth => {
                if refused {
                    warn!("Unable to AUTH to MASTER: {text}");
                    return Answer::GiveUp;
                }
                Answer::Expect
            }
            Question::ListeningPort | Question::IpAddress | Question::Capa => {
                if refused {
                    let option = match question {
                        Question::ListeningPort => "listening-port",
                        Question::IpAddress => "ip-address",
                        _ => "capa",
                    };
                    info!("(Non critical) Master does not understand REPLCONF {option}: {text}");
                }
                Answer::Expect
            }
            Question::Psync { partial } => return psync_answer(line, &text, partial),
        };
        if self.asked.is_empty() {
            self.ask_for_data(turn, resume, asks_promotion);
        }
        step
    }

    /// The connection broke or fell silent in the middle: says which answer is missing.
    pub fn log_silence(&self) {
        match self.asked.front() {
            Some(Question::Psync { .. }) => warn!("Master did not reply to PSYNC, will try later"),
            _ => warn!("Master did not respond to command during SYNC handshake"),
        }
    }

    fn introduce(&mut self, turn: &mut Turn<'_>) {
        let (settings, may_replace) = (turn.settings, self.may_replace);
        let mut batch = Vec::new();
        let mut ask = |question, words: &[&[u8]]| {
            batch.extend_from_slice(&command(words));
            self.asked.push_back(question);
        };
        match (settings.master_user.as_slice(), settings.master_auth.as_slice()) {
            (_, b"") => {}
            (b"", password) => ask(Question::Auth, &[b"AUTH", password]),
            (user, password) => ask(Question::Auth, &[b"AUTH", user, password]),
        }
        let port = settings.announce_port.to_string();
        ask(Question::ListeningPort, &[b"REPLCONF", b"listening-port", port.as_bytes()]);
        if !settings.announce_ip.is_empty() {
            ask(Question::IpAddress, &[b"REPLCONF", b"ip-address", settings.announce_ip.as_bytes()]);
        }
        let mut capa: Vec<&[u8]> = vec![b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"];
        if may_replace {
            capa.extend([&b"capa"[..], newborn::REPLACE]);
        }
        ask(Question::Capa, &capa);
        turn.out.push(Output::Send(batch));
    }

    /// Whether all that is missing is the answer to PSYNC.
    pub fn awaits_psync(&self) -> bool {
        matches!(self.asked.front(), Some(Question::Psync { .. }))
    }

    fn ask_for_data(&mut self, turn: &mut Turn<'_>, resume: bool, asks_promotion: bool) {
        let id = turn.history.identity().id();
        let position = turn.history.next().to_string();
        let mut words: Vec<&[u8]> = if resume {
            info!("Trying a partial resynchronization (request {id}:{position}).");
            vec![b"PSYNC", id.as_bytes(), position.as_bytes()]
        } else {
            info!("Partial resynchronization not possible (no cached master)");
            vec![b"PSYNC", b"?", b"-1"]
        };
        if asks_promotion {
            words.push(b"FAILOVER");
        }
        turn.out.push(Output::Send(command(&words)));
        self.asked.push_back(Question::Psync { partial: resume });
    }
}

fn psync_answer(line: &[u8], text: &str, partial: bool) -> Answer {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    match words.next() {
        Some(b"+FULLRESYNC") => {
            let id = words.next().and_then(HexId::parse);
            let end = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
            match (id, end) {
                // The sum of an offset and any length must stay a number.
                (Some(id), Some(end)) if end <= i64::MAX as u64 / 2 => {
                    info!("Full resync from master: {id}:{end}");
                    Answer::FullResync(ResyncPoint { id, end })
                }
                _ => {
                    warn!("Master replied with wrong +FULLRESYNC syntax.");
                    Answer::GiveUp
                }
            }
        }
        Some(b"+CONTINUE") if partial => Answer::Continue(words.next().and_then(HexId::parse)),
        Some(b"-NOMASTERLINK" | b"-LOADING") => {
            info!("Master is currently unable to PSYNC but should be in the future: {text}");
            Answer::Later
        }
        Some(word) => {
            if word == b"-ERR" {
                info!("Master does not support PSYNC or is in error state (reply: {text})");
            } else {
                warn!("Unexpected reply to PSYNC from master: {text}");
            }
            Answer::UseSync
        }
        None => Answer::GiveUp,
    }
}
