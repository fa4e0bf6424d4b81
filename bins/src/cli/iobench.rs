//! `iobench`: one host, and everything about results.

use super::input::read;
use super::options::{RunOptions, complain_about, show};
use super::output::{complain, ended, print, tell, warn};
use super::quick::{self, Made, Quick};
use super::{REJECTED, USAGE, block_on, exit, parse};
use crate::report;
use crate::results::{Results, merge, rebuild};
use crate::run;
use clap::{Args, Parser, Subcommand, ValueEnum};
use iobench_core::config;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measure file systems and object stores
#[derive(Parser, Debug)]
#[command(name = "iobench", version, max_term_width = 100, after_long_help = exit::of_runs())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a configuration file on this host
    #[command(after_long_help = exit::of_runs())]
    Run {
        /// The configuration; `-` reads standard input
        file: PathBuf,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Check a configuration file and show what is understood, with all defaults; touches no storage without --connect
    Check(Check),
    /// Measure reads of blocks, e.g. `iobench read file:///mnt/t --block-size 4KiB --size 4GiB`; a file that is there is read as it is
    #[command(mut_args(|arg| quick::shown(arg, quick::Command::Read)), after_long_help = exit::of_runs())]
    Read(Quick),
    /// Measure writes of blocks
    #[command(mut_args(|arg| quick::shown(arg, quick::Command::Write)), after_long_help = exit::of_runs())]
    Write(Quick),
    /// Measure reads of whole objects
    #[command(mut_args(|arg| quick::shown(arg, quick::Command::Get)), after_long_help = exit::of_runs())]
    Get(Quick),
    /// Measure writes of whole objects
    #[command(mut_args(|arg| quick::shown(arg, quick::Command::Put)), after_long_help = exit::of_runs())]
    Put(Quick),
    /// Show the results in a directory, even of a run that was interrupted
    Report {
        /// A results directory
        directory: PathBuf,
        /// Format of the output
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Combine the results of one run from several directories, such as those that agents kept
    Merge {
        /// Results directories, kept runs, or state directories of agents
        #[arg(required = true)]
        directories: Vec<PathBuf>,
        /// Format of the output
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Args, Debug)]
struct Check {
    /// The configuration; `-` reads standard input
    file: PathBuf,
    /// Override a setting, e.g. `workload.0.weight=5`; may be repeated
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    overrides: Vec<String>,
    /// Connect to the storage from this host: authenticate, list and, if the run writes, write, read and delete one object
    #[arg(long)]
    connect: bool,
}

#[derive(ValueEnum, Copy, Clone, Debug, Default)]
enum Format {
    /// One screen for people
    #[default]
    Text,
    /// Tab-separated values
    Tsv,
    /// One JSON document
    Json,
}

/// The program.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse::<Cli>(arguments).and_then(|cli| cli.command.carry_out()) {
        Ok(code) | Err(code) => ended(code),
    }
}

impl Command {
    fn carry_out(self) -> Result<ExitCode, ExitCode> {
        match self {
            Self::Run { file, options } => run_here(read(&file)?, &file.display().to_string(), None, options),
            Self::Check(check) => check.carry_out(),
            Self::Read(quick) => quick_run(quick.run(quick::Command::Read)?),
            Self::Write(quick) => quick_run(quick.run(quick::Command::Write)?),
            Self::Get(quick) => quick_run(quick.run(quick::Command::Get)?),
            Self::Put(quick) => quick_run(quick.run(quick::Command::Put)?),
            Self::Report { directory, format } => Ok(match rebuild(&directory) {
                Ok(results) => format.print(&results),
                Err(error) => failed(error),
            }),
            Self::Merge { directories, format } => Ok(match merge(&directories) {
                Ok(results) => format.print(&results),
                Err(error) => failed(error),
            }),
        }
    }
}

fn quick_run(made: Made) -> Result<ExitCode, ExitCode> {
    run_here(made.yaml, "command line", Some(&made.given), made.options)
}

fn run_here(
    yaml: String,
    origin: &str,
    made_of: Option<&[(&str, String)]>,
    options: RunOptions,
) -> Result<ExitCode, ExitCode> {
    options.log();
    let json = options.json;
    let job = options.job(yaml, origin, made_of)?;
    if !job.run.agents.is_empty() {
        complain(format!("{origin} names agents; run it with: iobench-controller run {origin}"));
        return Err(ExitCode::from(USAGE));
    }
    Ok(show(block_on(run::local(job))?, json))
}

fn failed(error: impl std::fmt::Display) -> ExitCode {
    complain(error);
    ExitCode::FAILURE
}

impl Check {
    fn carry_out(self) -> Result<ExitCode, ExitCode> {
        let yaml = read(&self.file)?;
        match config::load(&yaml, &self.overrides, &self.file.display().to_string()) {
            Ok(run) => {
                run.warnings.iter().for_each(|warning| warn(warning.message.as_str()));
                let printed = print(&run.resolved_yaml(run.seed));
                let connected = !self.connect || connect(&run)?;
                Ok(if printed && connected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Err(diagnostics) => {
                complain_about(&diagnostics);
                Err(ExitCode::from(REJECTED))
            }
        }
    }
}

/// Tries every target of the run from this host; says what was done, or what failed and what to do.
fn connect(run: &config::Run) -> Result<bool, ExitCode> {
    let mut tried = Vec::new();
    for index in 0..u32::try_from(run.agents.len().max(1)).unwrap_or(u32::MAX) {
        let plan = run.plan(index, run.seed.unwrap_or_default());
        let same = (plan.target.clone(), plan.storage.endpoints.clone());
        if tried.contains(&same) {
            continue;
        }
        match iobench_backends::connect(&plan, &format!("{:032x}", run::random())) {
            Ok(steps) => tell(format!("{}: {}: all good", plan.target, steps.join(", "))),
            Err(failure) => {
                complain(failure);
                // As a run would end.
                return Err(ExitCode::from(REJECTED));
            }
        }
        tried.push(same);
    }
    if !run.agents.is_empty() {
        warn("only this host was checked; each agent checks for itself when a run begins");
    }
    Ok(true)
}

impl Format {
    fn print(self, results: &Results) -> ExitCode {
        let printed = print(&match self {
            Self::Text => report::text(results),
            Self::Tsv => report::tsv(results),
            Self::Json => report::json(results),
        });
        if printed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
