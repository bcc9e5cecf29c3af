//! What happened, line by line, for whoever has to find out why a run failed.
//!
//! Most runs succeed and nobody reads of them. They write nothing; one that fails is run again, from the same seed, and writes.

/// Lines shown on failure; all of them go to a file.
const SHOWN_LINES: usize = 60;

/// The lines, or none when nobody will read them.
#[derive(Debug)]
pub struct Transcript(Option<Vec<String>>);

/// Why a run that wrote nothing failed: the payload of its panic.
pub struct Failure(pub String);

impl Transcript {
    pub fn written() -> Transcript {
        Transcript(Some(Vec::new()))
    }

    pub fn unwritten() -> Transcript {
        Transcript(None)
    }

    pub fn note(&mut self, now: u64, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.push(format!("{now:>7} {}", text()));
        }
    }

    /// Ends the test, with everything that was noted.
    pub fn fail(&self, seed: u64, why: &str) -> ! {
        let Some(lines) = &self.0 else { std::panic::resume_unwind(Box::new(Failure(why.to_owned()))) };
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-{seed}.log"));
        std::fs::write(&path, lines.join("\n")).expect("the transcript is written");
        eprintln!("{}", lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"));
        panic!("SEED={seed} {why}\ntranscript: {}", path.display());
    }
}
