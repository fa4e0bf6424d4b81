//! Carries out a run: the controller with its journal and its person, and, on one host, the agent as well.

mod journal;
mod told;

use crate::drive::agent::{Ports as AgentPorts, engine_events};
use crate::drive::controller::{Handle, Ports};
use crate::drive::{self, Clock, Inbox, SystemClock};
use crate::grpc::{self, Dial};
use crate::results::{Finished, Header};
use crate::ui::{LogAgent, Plain};
use anyhow::Context;
use iobench_backends::{LocalEngine, host};
use iobench_core::agent::Agent;
use iobench_core::config::Run;
use iobench_core::controller::{AgentSpec, Lead, Order};
use iobench_core::message::RunId;
use iobench_proto::{Description, PROTOCOL};
use journal::Journal;
use std::path::PathBuf;
use std::time::Duration;
use told::Told;
use tonic::transport::Server;

/// Controller and agent of one process end together: neither can lose the other, however long the process is stopped.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// The name and address of the agent of a run on one host.
pub const LOCAL: &str = "local";

/// A run that is ready to go.
#[derive(Debug)]
pub struct Job {
    /// What was understood.
    pub run: Run,
    /// What was written.
    pub yaml: String,
    /// What goes over it.
    pub overrides: Vec<String>,
    /// Everything random derives from it.
    pub seed: u64,
    /// Where the results directory is made.
    pub results: PathBuf,
    /// Only warnings and errors while it runs.
    pub quiet: bool,
}

/// Carries out a run on this host: its one agent is in this process.
pub async fn local(job: Job) -> anyhow::Result<Finished> {
    let clock = SystemClock::start();
    let inbox = Inbox::default();
    let (dial, incoming) = grpc::memory();
    let ports = AgentPorts {
        clock,
        engine: LocalEngine::new(clock.origin(), engine_events(&inbox)),
        observer: LogAgent::default(),
        // The controller of the same process has shown what it could not write.
        keep: |_, run| tracing::debug!(?run, "not confirmed"),
        description: description(LOCAL),
    };
    let serving = grpc::serve(Server::builder(), incoming, inbox.local(), inbox.remote());
    // It ends when the controller no longer dials, while that still writes its results.
    let serving = async {
        match serving.await {
            Ok(()) => std::future::pending().await,
            Err(error) => error,
        }
    };
    let agent = drive::agent::run(Agent::new(), inbox, ports);
    let spec = AgentSpec { id: LOCAL.to_owned(), address: LOCAL.to_owned() };
    let controller = conduct(job, vec![spec], Lead::AtOnce, dial, clock);
    tokio::select! {
        finished = controller => finished,
        error = serving => Err(error).context("the connection to the agent of this process failed"),
        () = agent => anyhow::bail!("the agent of this process ended before its run"),
    }
}

/// Carries out a run on the agents that its configuration names.
pub async fn distributed(job: Job, dial: impl Dial) -> anyhow::Result<Finished> {
    let agents = job.run.agents.iter();
    let agents = agents.map(|agent| AgentSpec { id: agent.id.clone(), address: agent.address.clone() });
    let (agents, lead) = (agents.collect(), Lead::Ahead(job.run.start_delay));
    conduct(job, agents, lead, dial, SystemClock::start()).await
}

async fn conduct(
    job: Job,
    agents: Vec<AgentSpec>,
    lead: Lead,
    dial: impl Dial,
    clock: SystemClock,
) -> anyhow::Result<Finished> {
    let mut outline = job.run.outline();
    if lead == Lead::AtOnce {
        outline.timeouts.lease = NEVER;
    }
    let order = Order {
        run: RunId(random()),
        agents,
        yaml: job.yaml,
        overrides: job.overrides,
        seed: job.seed,
        outline,
        policy: job.run.policy,
        lead,
    };
    let inbox = Inbox::default();
    let handle = Handle::of(&inbox);
    // Before anything is made.
    let told = Told::from_now_on(&handle)?;
    let header = Header::new(&order, &job.run, clock.now());
    let results = Journal::begin(job.results, header, handle, &told).await?;
    let observer = Plain::new(order.outline.clone(), order.agents.len(), job.quiet);
    let ports = Ports { clock, dial, results, observer };
    let (outcome, journal) = drive::controller::run(order, inbox, ports).await;
    journal.finish(outcome, &told).await
}

/// How the agent of this process introduces itself.
#[must_use]
pub fn description(agent_id: &str) -> Description {
    Description {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
        host: host::name(),
        cores: host::cores(),
        memory: host::memory_available(),
        state: String::new(),
        agent_id: agent_id.to_owned(),
        current: None,
    }
}

/// Bits from the operating system.
#[must_use]
pub fn random() -> u128 {
    use rand::TryRng;
    let mut bytes = [0; 16];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).expect("the kernel gives random bytes");
    u128::from_ne_bytes(bytes)
}
