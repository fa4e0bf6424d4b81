//! Options that several commands share.

use super::output::{complain, print_unless_told, tell, warn};
use super::{REJECTED, output};
use crate::grpc::tls::ClientTls;
use crate::report;
use crate::results::Finished;
use crate::run::{self, Job};
use clap::Args;
use iobench_core::config;
use iobench_core::controller::ExitCode as RunExit;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a run is carried out and shown.
#[derive(Args, Clone, Debug)]
pub(super) struct RunOptions {
    /// Put a setting over the configuration, e.g. `workload.0.weight=5`; may be repeated
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub(super) overrides: Vec<String>,
    /// Where the results directory is made
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) results: PathBuf,
    /// Everything random derives from this number; drawn and printed when absent
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Clean up even where objects lie at the root of a bucket
    #[arg(long)]
    pub(super) yes_delete_everything: bool,
    /// Print the summary as one JSON document and nothing else on standard output
    #[arg(long)]
    pub(super) json: bool,
    /// No progress, only warnings and errors
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Log every state transition (twice: more)
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

/// TLS towards agents.
#[derive(Args, Clone, Debug)]
pub(super) struct TlsOptions {
    /// Trust agents whose certificate this authority has signed (PEM); switches TLS on
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// The name in the agents' certificates, if it is not their address
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    tls_domain: Option<String>,
    /// Our certificate, for agents that want one (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of our certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", requires = "tls_ca")]
    tls_key: Option<PathBuf>,
}

impl TlsOptions {
    pub(super) fn into_tls(self) -> Option<ClientTls> {
        let Self { tls_ca, tls_domain, tls_cert, tls_key } = self;
        tls_ca.map(|ca| ClientTls { ca, domain: tls_domain, cert: tls_cert, key: tls_key })
    }
}

impl RunOptions {
    pub(super) fn log(&self) {
        output::log(match self.verbose {
            0 => "warn",
            1 => "info",
            _ => "debug",
        });
    }

    /// Reads and checks a configuration; what is wrong with it is shown.
    pub(super) fn job(mut self, yaml: String, origin: &str) -> Result<Job, ExitCode> {
        if self.yes_delete_everything {
            self.overrides.push("prepare.yes_delete_everything=true".to_owned());
        }
        let run = config::load(&yaml, &self.overrides, origin).map_err(|diagnostics| {
            complain_about(&diagnostics);
            ExitCode::from(REJECTED)
        })?;
        for warning in &run.warnings {
            warn(warning.message.as_str());
        }
        let seed = self.seed.or(run.seed).unwrap_or_else(|| run::random() as u64);
        let Self { overrides, results, quiet, .. } = self;
        Ok(Job { run, yaml, overrides, seed, results, quiet })
    }
}

pub(super) fn complain_about(diagnostics: &config::Diagnostics) {
    tell(diagnostics);
}

/// Shows how a run ended.
pub(super) fn show(finished: anyhow::Result<Finished>, json: bool) -> ExitCode {
    match finished {
        Ok(finished) => {
            let printed = if json {
                print_unless_told(report::json(&finished.results))
            } else if finished.directory.is_some() || finished.failure.is_some() {
                print_unless_told(finished.text.clone())
            } else {
                // Why a run ended before anything was measured was said when it did.
                true
            };
            if let Some(failure) = &finished.failure {
                complain(format!("the results could not be written: {failure}"));
            }
            let code = finished.exit();
            let unread = !printed && matches!(code, RunExit::AllCompleted | RunExit::SomeCompleted);
            ExitCode::from(if unread { RunExit::ResultsUnwritten } else { code }.code())
        }
        Err(error) => {
            complain(format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
