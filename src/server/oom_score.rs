//! `oom-score-adj`: how likely the system is to end this process when memory runs out, by its role.
//!
//! What the score was before we changed it is kept, to add to it and to come back to it when the setting goes back to `no`.

use std::io;

use crate::base::process;
use crate::config::model::Config;
use crate::config::values::OomScoreAdj;
use crate::net::error_text;

/// What the score is because of us.
#[derive(Clone, Copy, Debug, Default)]
pub struct OomScore {
    /// Before we changed it, and what we have set.
    ours: Option<(i32, i32)>,
}

impl OomScore {
    /// Sets the score that the settings want for the role.
    pub fn adjust(&mut self, config: &Config, is_replica: bool) -> Result<(), String> {
        let failed = |error: io::Error| format!("can't adjust the OOM score: {}", error_text(&error));
        let values = config.process.oom_score_adj_values;
        let value = values[usize::from(is_replica)];
        let before = match self.ours {
            Some((before, _)) => before,
            None if config.process.oom_score_adj == OomScoreAdj::No => return Ok(()),
            None => process::oom_score().map_err(failed)?,
        };
        let wanted = match config.process.oom_score_adj {
            OomScoreAdj::No => before,
            OomScoreAdj::Yes | OomScoreAdj::Relative => before.saturating_add(value).clamp(-1000, 1000),
            OomScoreAdj::Absolute => value.clamp(-1000, 1000),
        };
        if self.ours.is_none_or(|(_, set)| set != wanted) {
            process::set_oom_score(wanted).map_err(failed)?;
        }
        self.ours = (config.process.oom_score_adj != OomScoreAdj::No).then_some((before, wanted));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Raising the score is allowed to everybody; lowering it below what it was at the start is not.
    #[test]
    fn the_score_follows_the_role_and_comes_back() {
        let before = process::oom_score().unwrap();
        let mut config = Config::default();
        config.process.oom_score_adj_values = [1, 2, 3];
        let mut score = OomScore::default();
        score.adjust(&config, false).unwrap();
        assert_eq!(process::oom_score().unwrap(), before);
        config.process.oom_score_adj = OomScoreAdj::Relative;
        score.adjust(&config, true).unwrap();
        assert_eq!(process::oom_score().unwrap(), (before + 2).min(1000));
        score.adjust(&config, false).unwrap();
        assert_eq!(process::oom_score().unwrap(), (before + 1).min(1000));
        config.process.oom_score_adj = OomScoreAdj::No;
        score.adjust(&config, false).unwrap();
        assert_eq!(process::oom_score().unwrap(), before);
    }
}
