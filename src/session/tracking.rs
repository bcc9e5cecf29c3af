//! Client-side caching, as one client asked for it: CLIENT TRACKING's options. Who remembers which keys, and who is told
//! that one changed, is the business of `exec/tracking.rs`.

use bytes::Bytes;

use crate::base::id::ClientId;

/// Present while tracking is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// REDIRECT: who hears what this client should hear.
    pub redirect: Option<ClientId>,
    /// Which keys are remembered.
    pub mode: Mode,
    /// NOLOOP: what it changed itself is not told.
    pub is_noloop: bool,
    /// CLIENT CACHING was given for the next command.
    pub is_caching: bool,
    /// The client to which messages were redirected is gone.
    pub is_redirect_broken: bool,
    /// BCAST: the prefixes, in their order as bytes; an empty one stands for all keys.
    pub prefixes: Vec<Bytes>,
}

/// Which keys are remembered for a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Those it reads.
    #[default]
    Reads,
    /// Those it reads with the command after CLIENT CACHING YES.
    OptIn,
    /// Those it reads, except with the command after CLIENT CACHING NO.
    OptOut,
    /// None: it is told of every change of a key that begins with one of its prefixes.
    Broadcast,
}

impl Tracking {
    /// Whether the keys that the present command reads are to be remembered.
    pub fn remembers_reads(&self) -> bool {
        match self.mode {
            Mode::Reads => true,
            Mode::OptIn => self.is_caching,
            Mode::OptOut => !self.is_caching,
            Mode::Broadcast => false,
        }
    }

    /// The words of CLIENT TRACKINGINFO.
    pub fn words(&self) -> Vec<&'static str> {
        let words = [
            (true, "on"),
            (self.mode == Mode::Broadcast, "bcast"),
            (self.mode == Mode::OptIn, "optin"),
            (self.mode == Mode::OptIn && self.is_caching, "caching-yes"),
            (self.mode == Mode::OptOut, "optout"),
            (self.mode == Mode::OptOut && self.is_caching, "caching-no"),
            (self.is_noloop, "noloop"),
            (self.is_redirect_broken, "broken_redirect"),
        ];
        words.into_iter().filter(|(is_said, _)| *is_said).map(|(_, word)| word).collect()
    }

    /// CLIENT LIST's `redir` and the reply of CLIENT GETREDIR: -1 while tracking is off, 0 without redirection.
    pub fn redirect_number(tracking: Option<&Tracking>) -> i64 {
        tracking.map_or(-1, |tracking| tracking.redirect.map_or(0, |client| client.0 as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opting_in_and_out_turns_the_meaning_of_caching_around() {
        let with = |mode, is_caching| Tracking { mode, is_caching, ..Tracking::default() };
        let remembered = [Mode::Reads, Mode::OptIn, Mode::OptOut, Mode::Broadcast]
            .map(|mode| (with(mode, false).remembers_reads(), with(mode, true).remembers_reads()));
        assert_eq!(remembered, [(true, true), (false, true), (true, false), (false, false)]);
        assert_eq!(with(Mode::OptOut, true).words(), ["on", "optout", "caching-no"]);
        let redirected = Tracking { redirect: Some(ClientId(7)), is_redirect_broken: true, ..Tracking::default() };
        assert_eq!(redirected.words(), ["on", "broken_redirect"]);
        assert_eq!(Tracking::redirect_number(Some(&redirected)), 7);
        assert_eq!(Tracking::redirect_number(Some(&Tracking::default())), 0);
        assert_eq!(Tracking::redirect_number(None), -1);
    }
}
