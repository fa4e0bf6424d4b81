//! What crossed the machines' boundaries, line by line: equal for equal seeds.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

/// So many lines are kept for a failure's report.
const KEPT: usize = 80;

/// A fingerprint of everything that happened, and the last of it in words.
#[derive(Debug, Default)]
pub struct Trace {
    /// A hash of each line: says where two traces part.
    lines: Vec<u64>,
    last: VecDeque<String>,
    file: Option<std::fs::File>,
}

impl Trace {
    /// An empty trace. With the environment variable `SIM_TRACE` set to a path, lines are appended there too, behind a
    /// line that says that a simulation begins.
    #[must_use]
    pub fn new() -> Self {
        let open = |path| {
            let mut file = std::fs::File::options().create(true).append(true).open(path).ok()?;
            writeln!(file, "--- a simulation begins").ok()?;
            Some(file)
        };
        Self { file: std::env::var_os("SIM_TRACE").and_then(open), ..Self::default() }
    }

    /// Adds a line.
    pub fn line(&mut self, truth: u64, who: &dyn fmt::Display, what: fmt::Arguments<'_>) {
        let line = format!("{}.{:06} {who} {what}", truth / 1_000_000_000, truth % 1_000_000_000 / 1_000);
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        self.lines.push(hasher.finish());
        if let Some(file) = &mut self.file {
            // A trace is for a person who looks; that it cannot be written must not change the run.
            writeln!(file, "{line}").ok();
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// The first line in which two traces differ, and the end of this one.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let same = self.lines.iter().zip(&other.lines).take_while(|(a, b)| a == b).count();
        (self.lines != other.lines).then(|| {
            format!(
                "two runs of one seed part at line {same} of {} and {}; look with SIM_TRACE=FILE",
                self.lines.len(),
                other.lines.len()
            )
        })
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing has happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The last lines, cut to a readable width.
    #[must_use]
    pub fn tail(&self) -> String {
        let cut = |line: &String| line.chars().take(240).collect::<String>();
        self.last.iter().map(cut).collect::<Vec<_>>().join("\n")
    }
}
