//! `iobench-agent`: does the work on one host, run after run.

use super::output::{complain, ended, print};
use super::{REJECTED, block_on, exit, output, parse};
use crate::drive::agent::{Event, Ports, engine_events};
use crate::drive::{self, Inbox, Local, SystemClock};
use crate::grpc::{self, tls::ServerTls};
use crate::results::{self, Keeper};
use crate::run::description;
use crate::signals::when_told_to_end;
use crate::ui::LogAgent;
use anyhow::Context;
use clap::Parser;
use iobench_backends::LocalEngine;
use iobench_core::agent::{Agent, KeptRun};
use iobench_core::message::RunId;
use iobench_core::time::Now;
use std::ffi::OsString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::watch;
use tonic::transport::Server;
use tracing::{error, info, warn};

/// So long a disk may take at the end to keep what no controller has confirmed.
const KEEPING: Duration = Duration::from_secs(10);
/// … and no longer than this if it is told to end once more.
const HURRY: Duration = Duration::from_secs(1);

/// Generate the load of benchmark runs on this host
#[derive(Parser, Debug)]
#[command(name = "iobench-agent", version, max_term_width = 100, after_long_help = exit::of_agents())]
struct Cli {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7420")]
    listen: SocketAddr,
    /// Directory for results that no controller has confirmed (the last 20 runs)
    /// [default: ~/.local/state/iobench-agent]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Our certificate (PEM); enables TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of our certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Certificate authority (PEM) that must have signed the controllers' certificates
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Log more
    #[arg(long, short)]
    verbose: bool,
}

/// The program.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli: Cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    output::log(if cli.verbose { "debug" } else { "info" });
    ended(match block_on(serve(cli)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(format!("{error:#}"));
            ExitCode::from(REJECTED)
        }
        Err(code) => code,
    })
}

async fn serve(cli: Cli) -> anyhow::Result<()> {
    let state = cli.state_dir.clone().map_or_else(default_state_dir, Ok)?;
    let mut server = Server::builder();
    if let Some(tls) = server_tls(&cli) {
        server = server.tls_config(tls.config()?).context("TLS cannot be set up")?;
    } else if !cli.listen.ip().is_loopback() {
        warn!(
            "listening on {} without TLS: whoever reaches this port can make this host read, write and delete files as this user",
            cli.listen
        );
    }
    let (bound, incoming) = grpc::listen(cli.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another agent running there?", cli.listen))?;
    let clock = SystemClock::start();
    let inbox = Inbox::default();
    // It stops its run and tells its controller first.
    let told: Local<Event> = inbox.local();
    let (count, times) = watch::channel(0_u32);
    when_told_to_end(move || {
        count.send_modify(|times| *times += 1);
        told.send(Event::Shutdown);
    })?;
    let keeper = {
        let state = state.clone();
        Keeper::start(move |now, run| keep(&state, now, &run))
    };
    let keeper = keeper.context("the thread that keeps results cannot be started")?;
    let queue = keeper.queue();
    let ports = Ports {
        clock,
        engine: LocalEngine::new(clock.origin(), engine_events(&inbox)),
        observer: LogAgent::default(),
        keep: move |now, run: KeptRun| {
            let id = run.run;
            if !queue.keep(now, run) {
                not_kept(
                    id,
                    "too many runs are already waiting for the disk; look at the disk of --state-dir",
                );
            }
        },
        description: description(""),
    };
    print(&format!("iobench-agent {} listening on {bound}\n", env!("CARGO_PKG_VERSION")));
    let serving = grpc::serve(server, incoming, inbox.local(), inbox.remote());
    let ended = tokio::select! {
        () = drive::agent::run(Agent::new(), inbox, ports) => Ok(()),
        served = serving => served.context("the server ended"),
    };
    if !keeper.finish_within(KEEPING, told_twice(times)).await {
        error!(
            "results that no controller confirmed are not kept: {} has not answered in time (at most {} s, {} s after a second signal); look at that disk",
            state.display(),
            KEEPING.as_secs(),
            HURRY.as_secs()
        );
    }
    ended
}

/// Ends a moment after a person who was told that the process ends has told it once more.
async fn told_twice(mut times: watch::Receiver<u32>) {
    if times.wait_for(|&times| times > 1).await.is_err() {
        // Nobody is left who could tell.
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(HURRY).await;
}

fn server_tls(cli: &Cli) -> Option<ServerTls> {
    let (cert, key) = cli.tls_cert.clone().zip(cli.tls_key.clone())?;
    Some(ServerTls { cert, key, client_ca: cli.tls_client_ca.clone() })
}

/// Where state belongs according to the XDG Base Directory Specification.
fn default_state_dir() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    base.map(|base| base.join("iobench-agent"))
        .context("neither XDG_STATE_HOME nor HOME is set; give --state-dir")
}

fn keep(state: &Path, now: Now, run: &KeptRun) {
    match results::keep(state, now, run) {
        Ok(path) => info!(
            "no controller confirmed the results of run {}: kept in {}; add them to the controller's results with: iobench merge RESULTS_DIR {}",
            run.run,
            path.display(),
            path.display()
        ),
        Err(error) => not_kept(run.run, error),
    }
}

fn not_kept(run: RunId, why: impl Display) {
    error!("no controller confirmed the results of run {run}, and they cannot be kept: {why}");
}
