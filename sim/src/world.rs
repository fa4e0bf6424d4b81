//! A cluster on one thread: hosts, network, clocks, disks; and one who sees everything.

#![expect(clippy::panic, reason = "a simulation that cannot go on is a test that has failed")]

mod injection;

use crate::checkers::Seen;
use crate::clock::EPOCH;
use crate::coverage::Coverage;
use crate::disk::Disk;
use crate::hosts::{agent_process, controller_process};
use crate::state::{AgentHost, ControllerHost, Host, State, replace, with};
use crate::trace::Trace;
use iobench::drive::{agent, controller};
use iobench::report;
use iobench::results::{Condition, Finished, JOURNAL, Place, Results, Source};
use iobench_core::agent::StateName;
use iobench_core::config;
use iobench_core::controller::{AgentSpec, ExitCode, Lead, Level, Order, Outcome};
use iobench_core::message::{AgentIndex, AgentMessage, ControlMessage, RunId, StreamId};
use iobench_core::time::nanos;
use std::cell::RefCell;
use std::panic;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use turmoil::Sim;

/// Simulated time that a scenario may wait for anything.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// A cluster that is to be simulated.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// How many hosts run agents.
    pub agents: usize,
    /// The run's configuration.
    pub yaml: String,
    /// Settings that go over it.
    pub overrides: Vec<String>,
    /// Everything random in the network derives from it.
    pub seed: u64,
    /// The least and the most time that a message takes, whole milliseconds.
    pub latency: (Duration, Duration),
    /// Time in which hosts run one after another. Longer is cheaper, and messages arrive later.
    pub tick: Duration,
    /// A check of the core that is broken, in builds that can.
    #[cfg(feature = "mutants")]
    pub broken: Option<&'static str>,
}

impl Cluster {
    /// So many agents that prepare for 3 s and then run a workload for 20 s.
    #[must_use]
    pub fn of(agents: usize) -> Self {
        let last = agents.saturating_sub(1);
        let yaml = format!(
            "name: simulated\n\
             target: file:///bench\n\
             duration: 20s\n\
             concurrency: 4\n\
             prepare:\n  ensure_objects:\n    - {{base_uri: data/, count: 30, size: 4KiB}}\n\
             workload:\n  - {{op: get, path: data/}}\n\
             distributed:\n  start_delay: 2s\n  agents: ['agent-[0-{last}]:7420']\n"
        );
        Self {
            agents,
            yaml,
            overrides: Vec::new(),
            seed: 1,
            latency: (Duration::from_millis(1), Duration::from_millis(5)),
            tick: Duration::from_millis(5),
            #[cfg(feature = "mutants")]
            broken: None,
        }
    }

    /// With a setting, `key.path=value`.
    #[must_use]
    pub fn set(mut self, setting: impl Into<String>) -> Self {
        self.overrides.push(setting.into());
        self
    }

    /// With other agents than the hosts that there are.
    #[must_use]
    pub fn naming(self, agents: &str) -> Self {
        self.set(format!("distributed.agents={agents}"))
    }
}

/// What a simulation leaves.
#[derive(Debug)]
pub struct Record {
    /// What crossed the machines' boundaries.
    pub trace: Trace,
    /// Which inputs met which states.
    pub coverage: Coverage,
    /// True time that has passed.
    pub simulated: Duration,
}

/// Plays a scenario twice, each time from the beginning, and demands that the same happened.
///
/// # Panics
/// When the scenario does, when a task of a host did, when an invariant was violated, or when the two runs differ.
pub fn simulate(cluster: &Cluster, scenario: impl Fn(&mut World<'_>) + Sync) {
    let (first, second) = (play(cluster, &scenario), play(cluster, &scenario));
    if let Some(difference) = first.trace.difference(&second.trace) {
        panic!("{difference}");
    }
}

/// Plays a scenario once.
///
/// # Panics
/// As [`simulate`].
pub fn play(cluster: &Cluster, scenario: &(impl Fn(&mut World<'_>) + Sync)) -> Record {
    // The ids of tokio's tasks are counted for the whole process, and the order in which a crashed host's tasks are
    // dropped depends on them: one simulation at a time, each beginning at the same residue.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    watch_panics();
    let played = std::thread::scope(|scope| {
        // A fresh thread, because `RandomState` counts for each thread.
        let thread = scope.spawn(|| {
            align_task_ids();
            #[cfg(feature = "mutants")]
            iobench_core::mutants::set_mutant(cluster.broken);
            let mut world = World::new(cluster);
            scenario(&mut world);
            world.end()
        });
        thread.join()
    });
    played.unwrap_or_else(|cause| panic::resume_unwind(cause))
}

fn align_task_ids() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O needs nothing");
    let next = || runtime.spawn(async {}).id().to_string().parse::<u64>();
    while next().expect("a task's id is a number") % 64 != 0 {}
}

thread_local!(static PANICS: RefCell<Vec<String>> = RefCell::default());

/// A panic in a host's task is swallowed by its runtime: it is remembered here, and the world looks at each step.
fn watch_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            usual(info);
        }));
    });
}

/// The simulated cluster in the hands of a scenario.
pub struct World<'a> {
    sim: Sim<'a>,
    tick: Duration,
    /// Where journals are put to be read, one directory a controller.
    files: TempDir,
    /// How long the controller's process was stopped, all in all.
    stood: Duration,
}

/// How a run ended, as its user sees it.
#[derive(Debug)]
pub struct Ending {
    /// What the controller decided.
    pub outcome: Outcome,
    /// When, in true time.
    pub at: Duration,
    /// What the process returned.
    pub exit: ExitCode,
    /// What can be read from the journal.
    pub results: Results,
    /// The summary for standard output.
    pub text: String,
}

impl<'a> World<'a> {
    fn new(cluster: &Cluster) -> Self {
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(cluster.seed)
            .epoch(std::time::UNIX_EPOCH + EPOCH)
            .tick_duration(cluster.tick)
            .simulation_duration(Duration::from_secs(1 << 30))
            .min_message_latency(cluster.latency.0)
            .max_message_latency(cluster.latency.1)
            .tcp_capacity(1024);
        let agents = (0..cluster.agents).map(AgentHost::new).collect();
        let latency = cluster.latency.1 + cluster.tick;
        replace(State { agents, trace: Trace::new(), latency, ..State::default() });
        PANICS.take();
        let files = tempfile::tempdir().expect("there is a directory for temporary files");
        let mut world = Self { sim: builder.build(), tick: cluster.tick, files, stood: Duration::ZERO };
        world.order(&cluster.yaml, &cluster.overrides);
        world
    }

    /// Sets up a run with a controller of its own, which does not begin before the next step. Gives its number.
    pub fn order(&mut self, yaml: &str, overrides: &[String]) -> usize {
        let run = config::load(yaml, overrides, "simulated.yaml").unwrap_or_else(|error| panic!("{error}"));
        let specs = run.agents.iter();
        let specs = specs.map(|agent| AgentSpec { id: agent.id.clone(), address: agent.address.clone() });
        let number = with(|state| state.controllers.len());
        let order = Order {
            run: RunId(0x1000 + number as u128),
            agents: specs.collect(),
            yaml: yaml.to_owned(),
            overrides: overrides.to_vec(),
            seed: 7,
            outline: run.outline(),
            policy: run.policy,
            lead: Lead::Ahead(run.start_delay),
        };
        with(|state| state.controllers.push(ControllerHost::new(order, run, Disk::default())));
        number
    }

    /// True time since the beginning.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.sim.elapsed()
    }

    /// Lets the hosts run for a tick.
    pub fn step(&mut self) {
        self.start_hosts();
        self.resume();
        if let Err(error) = self.sim.step() {
            self.give_up(&format!("a host failed: {error}"));
        }
        let panics = PANICS.take();
        if !panics.is_empty() {
            self.give_up(&format!("a task panicked: {panics:?}"));
        }
        self.check();
        let ended: Vec<usize> = with(|state| {
            let controllers = state.controllers.iter_mut().enumerate();
            controllers.filter_map(|(index, it)| std::mem::take(&mut it.ended).then_some(index)).collect()
        });
        for index in ended {
            self.sim.crash(Host::Controller(index).to_string());
            self.controller_of(index, |host| host.gone = true);
            self.down(Host::Controller(index));
        }
    }

    /// Hosts are registered late, so that a scenario can change them before.
    fn start_hosts(&mut self) {
        let (agents, controllers) = with(|state| (state.agents.len(), state.controllers.len()));
        let hosts = (0..agents).map(Host::Agent).chain((0..controllers).map(Host::Controller));
        for host in hosts {
            let fresh = with(|state| match host {
                Host::Agent(index) => !std::mem::replace(&mut state.agents[index].started, true),
                Host::Controller(index) => !std::mem::replace(&mut state.controllers[index].started, true),
            });
            match host {
                _ if !fresh => {}
                Host::Agent(index) => self.sim.host(host.to_string(), move || agent_process(index)),
                Host::Controller(index) => self.sim.host(host.to_string(), move || controller_process(index)),
            }
        }
    }

    /// Tells the checkers of processes that go on in the coming tick.
    fn resume(&mut self) {
        let soon = nanos(self.now() + self.tick);
        with(|state| {
            let (due, later): (Vec<_>, Vec<_>) = state.resuming.iter().partition(|(at, _)| *at <= soon);
            state.resuming = later;
            for (at, process) in due {
                state.see(at, &Seen::Resumed(process));
            }
        });
    }

    fn see(&self, seen: &Seen<'_>) {
        let truth = nanos(self.now());
        with(|state| state.see(truth, seen));
    }

    fn down(&self, host: Host) {
        if let Some(process) = with(|state| state.process(host)) {
            self.see(&Seen::Down(process));
        }
    }

    /// Tells the checkers that something else than an injected fault disturbs the run: of one agent, or of all.
    pub fn disturb(&self, agent: Option<usize>) {
        self.see(&Seen::Fault { host: agent, harmless: false, delay: Duration::ZERO });
    }

    fn give_up(&self, why: &str) -> ! {
        let (tail, notices) = with(|state| {
            let notices = state.controllers.iter().flat_map(|it| it.notices.iter());
            let notices = notices.map(|(at, notice)| format!("{at:?} {:?} {}", notice.level, notice.text));
            (state.trace.tail(), notices.collect::<Vec<_>>().join("\n"))
        });
        panic!(
            "at {:?}: {why}\n--- last of the trace\n{tail}\n--- what a person was told\n{notices}",
            self.now()
        );
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            self.step();
        }
    }

    /// Lets time pass until something is so.
    ///
    /// # Panics
    /// When it never is.
    pub fn run_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = self.now() + PATIENCE;
        while !is_so(self) {
            if self.now() >= end {
                self.give_up(&format!("never: {what}"));
            }
            self.step();
        }
    }

    /// Until every agent is in a state.
    pub fn until_all(&mut self, state: StateName) {
        self.run_until(&format!("all agents {state}"), |world| {
            world.agents().all(|index| world.agent(index, |agent| agent.state == state))
        });
    }

    /// Until the controller's run is over and its process has ended.
    pub fn ending(&mut self) -> Ending {
        self.ending_of(0)
    }

    /// The same for a later controller.
    pub fn ending_of(&mut self, controller: usize) -> Ending {
        self.run_until("the run ends", |world| world.has_ended(controller));
        let (at, outcome) = self
            .controller_of(controller, |host| host.outcome.clone())
            .expect("a controller's process ends with its outcome");
        let (results, text, failure) = self.results(controller, Condition::Finished);
        let finished = Finished { directory: None, results, text, failure };
        Ending { outcome, at, exit: finished.exit(), results: finished.results, text: finished.text }
    }

    fn has_ended(&self, controller: usize) -> bool {
        self.controller_of(controller, |host| host.outcome.is_some() && host.gone)
    }

    /// What the journal of a controller holds, its summary, and why it is not whole.
    #[must_use]
    pub fn results(&self, controller: usize, condition: Condition) -> (Results, String, Option<String>) {
        let directory = self.files.path().join(format!("results-{controller}"));
        let disk = self.controller_of(controller, |host| host.disk.clone());
        std::fs::create_dir_all(&directory).expect("the directory for temporary files takes more");
        std::fs::write(directory.join(JOURNAL), &disk.bytes)
            .expect("the directory for temporary files takes more");
        let source = Source { unwritten: disk.unwritten, ..Source::journal(directory.join(JOURNAL)) };
        let place = match &disk.fails {
            Some(cause) => Place::Unwritten { cause: cause.clone(), partly: Some(directory) },
            None => Place::Directory(directory),
        };
        let results = Results::fold(&source, condition, place);
        let results =
            results.unwrap_or_else(|error| self.give_up(&format!("the journal cannot be read: {error}")));
        let text = report::text(&results);
        (results, text, disk.fails)
    }

    /// The places of the agents' hosts.
    pub fn agents(&self) -> impl Iterator<Item = usize> + use<'a> {
        0..with(|state| state.agents.len())
    }

    /// Looks at, or changes, an agent's host.
    pub fn agent<R>(&self, index: usize, f: impl FnOnce(&mut AgentHost) -> R) -> R {
        with(|state| f(&mut state.agents[index]))
    }

    /// Looks at, or changes, the controller's host.
    pub fn controller<R>(&self, f: impl FnOnce(&mut ControllerHost) -> R) -> R {
        self.controller_of(0, f)
    }

    /// The same for a later controller.
    pub fn controller_of<R>(&self, index: usize, f: impl FnOnce(&mut ControllerHost) -> R) -> R {
        with(|state| f(&mut state.controllers[index]))
    }

    /// A name that leads to another host.
    pub fn alias(&mut self, name: &str, host: &str) {
        with(|state| state.aliases.insert(name.to_owned(), host.to_owned()));
    }

    /// Whether an agent's engine issues operations.
    #[must_use]
    pub fn works(&self, agent: usize) -> bool {
        self.agent(agent, |host| host.engine.works())
    }

    /// What a person was told, of this importance or more.
    #[must_use]
    pub fn told(&self, level: Level) -> Vec<String> {
        self.controller(|host| {
            let notices = host.notices.iter().filter(|(_, notice)| notice.level >= level);
            notices.map(|(_, notice)| notice.text.clone()).collect()
        })
    }

    /// Gives an agent's process a message again, as if its stream did.
    pub fn tell_agent(&mut self, agent: usize, stream: StreamId, message: ControlMessage) {
        let inbox = self.agent(agent, |host| host.inbox.clone());
        inbox.expect("the process runs").send(agent::Event::Received(stream, message));
    }

    /// Gives the controller's process a message, as if a stream did.
    pub fn tell_controller(&mut self, agent: usize, stream: StreamId, message: AgentMessage) {
        let inbox = self.controller(|host| host.inbox.clone());
        let agent = AgentIndex(u32::try_from(agent).expect("few agents in a simulation"));
        let input = iobench_core::controller::Input::Received(agent, stream, message);
        inbox.expect("the process runs").send(controller::Event::Machine(input));
    }

    /// Until every run is over and every agent is idle, and a while longer.
    pub fn end_of_run(&mut self) {
        self.run_until("every run ends", |_| with(|state| state.controllers.iter().all(|it| it.gone)));
        self.until_all(StateName::Idle);
        self.run_for(Duration::from_secs(5));
    }

    /// Every scenario ends with all runs over, every agent idle again, and no invariant violated.
    fn end(mut self) -> Record {
        self.run_until("all controllers have ended", |_| {
            with(|state| state.controllers.iter().all(|it| it.gone))
        });
        self.run_until("every agent is idle again", |world| {
            world
                .agents()
                .all(|index| world.agent(index, |host| host.inbox.is_none() || host.state == StateName::Idle))
        });
        self.see(&Seen::End);
        self.check();
        let simulated = self.now();
        drop(self.sim);
        let State { trace, coverage, .. } = replace(State::default());
        Record { trace, coverage, simulated }
    }

    fn check(&self) {
        let violations: Vec<_> =
            with(|state| state.suite.violations().iter().map(ToString::to_string).collect());
        if !violations.is_empty() {
            self.give_up(&violations.join("\n"));
        }
    }
}
