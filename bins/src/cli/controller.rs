//! `iobench-controller`: a run on many hosts.

use super::input::read;
use super::options::{RunOptions, TlsOptions, show};
use super::output::{complain, ended, print};
use super::{REJECTED, UNREACHABLE, USAGE, block_on, exit, parse};
use crate::grpc::{self, Tcp};
use crate::run;
use clap::{Parser, Subcommand};
use iobench_core::config;
use iobench_proto::Description;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Run a benchmark on many hosts, each with an agent
#[derive(Parser, Debug)]
#[command(name = "iobench-controller", version, max_term_width = 100, after_long_help = exit::of_runs())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a configuration file on agents
    #[command(after_long_help = exit::of_runs())]
    Run {
        /// The configuration; `-` reads standard input
        file: PathBuf,
        /// Agents instead of those in the file, e.g. `host[1-8]:7420` or `a:7420,b:7420`
        #[arg(long, value_name = "LIST")]
        agents: Option<String>,
        #[command(flatten)]
        tls: TlsOptions,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Show the version, host and state of agents
    Describe {
        /// `host:port`, `host` or `host[1-8]:port`
        #[arg(required = true)]
        addresses: Vec<String>,
        #[command(flatten)]
        tls: TlsOptions,
    },
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
            Self::Run { file, agents, tls, mut options } => {
                options.log();
                options.overrides.extend(agents.map(|list| agents_setting(&list)));
                let (yaml, origin, json) = (read(&file)?, file.display().to_string(), options.json);
                let job = options.job(yaml, &origin, None)?;
                if job.run.agents.is_empty() {
                    complain(format!("{origin} names no agents; add `distributed.agents`, or give --agents"));
                    return Err(ExitCode::from(USAGE));
                }
                let dial = dial(tls)?;
                Ok(show(block_on(run::distributed(job, dial))?, json))
            }
            Self::Describe { addresses, tls } => {
                let expanded: Result<Vec<_>, _> = addresses.iter().map(|it| config::addresses(it)).collect();
                let addresses = expanded.map_err(|wrong| {
                    complain(wrong);
                    ExitCode::from(USAGE)
                })?;
                Ok(describe(&addresses.concat(), &dial(tls)?))
            }
        }
    }
}

fn dial(tls: TlsOptions) -> Result<Tcp, ExitCode> {
    Tcp::new(tls.into_tls().as_ref()).map_err(|error| {
        complain(format!("{error:#}"));
        ExitCode::from(REJECTED)
    })
}

/// The list as a setting that goes over the file. Commas within brackets belong to a range.
fn agents_setting(list: &str) -> String {
    let mut addresses = vec![String::new()];
    let mut depth = 0_i32;
    for letter in list.chars() {
        depth += i32::from(letter == '[') - i32::from(letter == ']');
        match addresses.last_mut() {
            Some(address) if letter != ',' || depth > 0 => address.push(letter),
            _ => addresses.push(String::new()),
        }
    }
    let quoted = |address: &String| format!("'{}'", address.trim().replace('\'', "''"));
    let entries: Vec<_> = addresses.iter().map(quoted).collect();
    format!("distributed.agents=[{}]", entries.join(", "))
}

fn describe(addresses: &[String], dial: &Tcp) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for address in addresses {
        let asked = block_on(async {
            tokio::time::timeout(Duration::from_secs(10), grpc::describe(dial, address)).await
        });
        let asked = match asked {
            Ok(asked) => asked,
            Err(code) => return code,
        };
        match asked {
            Ok(Ok(description)) => {
                print(&line(address, &description));
            }
            Ok(Err(error)) => {
                complain(format!("{address} cannot be reached: {error}"));
                code = ExitCode::from(UNREACHABLE);
            }
            Err(_) => {
                complain(format!("{address} does not answer within 10 s"));
                code = ExitCode::from(UNREACHABLE);
            }
        }
    }
    code
}

fn line(address: &str, it: &Description) -> String {
    let mut line = format!(
        "{address}  {}  iobench {}, protocol {}, {} CPUs, {:.1} GiB  {}",
        it.host,
        it.version,
        it.protocol,
        it.cores,
        it.memory as f64 / f64::from(1 << 30),
        it.state
    );
    if let Some(current) = &it.current {
        write!(line, " for {} s by run {}", current.age.as_secs(), current.run)
            .expect("a string takes everything");
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::agents_setting;

    #[test]
    fn a_list_of_agents_becomes_a_setting() {
        assert_eq!(agents_setting("a:1, n[1,3-4]:2"), "distributed.agents=['a:1', 'n[1,3-4]:2']");
    }
}
