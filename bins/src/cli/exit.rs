//! The exit codes of the programs, for their help; the README has the same table.

use std::fmt::Write;

/// A code and what it means.
type Row = (u8, &'static str);

/// Of `iobench` and `iobench-controller`.
const OF_RUNS: &[Row] = &[
    (0, "complete: all agents completed; or the command did what it was asked for"),
    (1, "no agent completed; or the command failed"),
    (2, "partial: some agents completed"),
    (3, "interrupted by the user"),
    (4, "an agent cannot be reached, or is busy"),
    (5, "the configuration or the storage was refused, here or by an agent"),
    (6, "something before the start took too long"),
    (
        7,
        "the results could not be written, and the summary was printed; or the summary could not be printed, or was not read",
    ),
    (64, "the command line is wrong"),
];

/// Of `iobench-agent`.
const OF_AGENTS: &[Row] = &[
    (0, "it was told to end (Ctrl-C, SIGTERM)"),
    (1, "it failed"),
    (5, "it cannot start: its address, its certificates or its state directory"),
    (64, "the command line is wrong"),
];

/// The end of the long help of what carries out runs.
pub(super) fn of_runs() -> String {
    help(OF_RUNS)
}

/// The end of the long help of the agent.
pub(super) fn of_agents() -> String {
    help(OF_AGENTS)
}

fn help(rows: &[Row]) -> String {
    let mut text = "Exit codes:".to_owned();
    for (code, meaning) in rows {
        write!(text, "\n  {code:>2}  {meaning}").expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{REJECTED, UNREACHABLE, USAGE};
    use iobench_core::controller::ExitCode as Run;

    #[test]
    fn every_code_is_explained_here_and_in_the_readme() {
        let readme = include_str!("../../../README.md");
        for (code, meaning) in OF_RUNS {
            assert!(readme.contains(&format!("| {code} | {meaning} |")), "{code}");
        }
        for (code, meaning) in OF_AGENTS {
            assert!(readme.contains(&format!("{code}: {meaning}")), "{code}");
        }
        let ends = [
            Run::AllCompleted,
            Run::NoneCompleted,
            Run::SomeCompleted,
            Run::Interrupted,
            Run::Unreachable,
            Run::Rejected,
            Run::TimedOut,
            Run::ResultsUnwritten,
        ];
        let codes = ends.map(Run::code).into_iter().chain([USAGE, REJECTED, UNREACHABLE]);
        for code in codes {
            assert!(OF_RUNS.iter().any(|row| row.0 == code), "{code}");
        }
    }
}
