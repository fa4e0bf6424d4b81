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
    /// Override a setting of the configuration, e.g. `workload.0.weight=5`; may be repeated
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub(super) overrides: Vec<String>,
    /// Directory in which the results directory is created
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) results: PathBuf,
    /// Seed of everything random; drawn and printed when absent
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Clean up even where objects lie at the root of a bucket
    #[arg(long)]
    pub(super) yes_delete_everything: bool,
    /// Print the summary as one JSON document and nothing else on standard output
    #[arg(long)]
    pub(super) json: bool,
    /// Show no progress, only warnings and errors
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Log every state transition; give it twice for more
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

/// TLS towards agents.
#[derive(Args, Clone, Debug)]
pub(super) struct TlsOptions {
    /// Certificate authority (PEM) that must have signed the agents' certificates; enables TLS
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Name in the agents' certificates, if it differs from their address
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    tls_domain: Option<String>,
    /// Our certificate (PEM), for agents that require one
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

    /// Reads and checks a configuration; what is wrong with it is shown, in the options that it was made of if it was.
    pub(super) fn job(
        mut self,
        yaml: String,
        origin: &str,
        made_of: Option<&[(&str, String)]>,
    ) -> Result<Job, ExitCode> {
        if self.yes_delete_everything {
            self.overrides.push("prepare.yes_delete_everything=true".to_owned());
        }
        let run = match made_of {
            Some(options) => config::load_options(&yaml, &self.overrides, origin, options),
            None => config::load(&yaml, &self.overrides, origin),
        };
        let run = run.map_err(|diagnostics| {
            complain_about(&diagnostics);
            ExitCode::from(REJECTED)
        })?;
        // By default it is the file's, which agents do not know: what they keep has it, too.
        self.overrides.push(format!("name='{}'", run.name));
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
