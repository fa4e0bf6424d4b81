//! What runs on the hosts: the shipping drivers and gRPC code over simulated TCP.

use crate::checkers::{Process, Seen};
use crate::clock::{SimClock, truth};
use crate::disk::Journal;
use crate::engine::{Model, ModelEngine};
use crate::faulty::Faulty;
use crate::socket::Socket;
use crate::state::{AgentHost, ControllerHost, Host, with};
use iobench::drive::agent::{Ports as AgentPorts, engine_events};
use iobench::drive::controller::{Handle, Ports};
use iobench::drive::{self, Clock, Inbox, Observer};
use iobench::grpc::{self, Dial};
use iobench::results::Header;
use iobench::ui::Plain;
use iobench_core::agent::{self, Agent};
use iobench_core::controller::{self, Controller};
use iobench_core::message::{Control, ControlMessage, Report};
use iobench_core::plan::StageOutline;
use iobench_core::time::Now;
use iobench_proto::{Description, PROTOCOL};
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Server;
use turmoil::net::{TcpListener, TcpStream};

/// The port agents listen on.
pub(crate) const PORT: u16 = iobench_proto::DEFAULT_PORT;

fn agent<R>(index: usize, f: impl FnOnce(&mut AgentHost) -> R) -> R {
    with(|state| f(&mut state.agents[index]))
}

fn controller<R>(index: usize, f: impl FnOnce(&mut ControllerHost) -> R) -> R {
    with(|state| f(&mut state.controllers[index]))
}

/// An agent's process.
pub(crate) async fn agent_process(index: usize) -> turmoil::Result {
    if agent(index, |host| host.absent) {
        return std::future::pending().await;
    }
    with(|state| state.see(truth(), &Seen::Up(Process::Agent(index))));
    let inbox = Inbox::default();
    let (first, tamper) = agent(index, |host| {
        host.inbox = Some(inbox.local());
        host.state = agent::StateName::Idle;
        (host.first_sequence, host.tamper)
    });
    let ports = AgentPorts {
        clock: SimClock(Host::Agent(index)),
        engine: ModelEngine::new(index, engine_events(&inbox)),
        observer: Watch(Host::Agent(index)),
        keep: move |now: Now, run| agent(index, |host| host.kept.push((now, run))),
        description: description(index),
    };
    let incoming = listen(index).await?;
    let (local, remote) = (inbox.local(), inbox.remote());
    let serving = async move {
        match tamper {
            None => grpc::serve(Server::builder(), incoming, local, remote).await,
            Some(tamper) => {
                Server::builder().add_service(Faulty { remote, tamper }).serve_with_incoming(incoming).await
            }
        }
    };
    let machine = Agent::with_first_sequence(first);
    tokio::select! {
        biased;
        () = drive::agent::run(machine, inbox, ports) => Ok(()),
        served = serving => Ok(served?),
    }
}

/// A controller's process.
pub(crate) async fn controller_process(index: usize) -> turmoil::Result {
    let clock = SimClock(Host::Controller(index));
    let inbox = Inbox::default();
    let handle = Handle::of(&inbox);
    let now = clock.now();
    let order = controller(index, |host| {
        host.inbox = Some(inbox.local());
        host.handle = Some(handle.clone());
        let header = Header::new(&host.order, &host.run, now);
        host.disk.begin(header);
        host.order.clone()
    });
    run_begins(index, &order);
    let ids = order.agents.iter().map(|agent| agent.id.clone()).collect();
    let progress = Plain::writing(order.outline.clone(), order.agents.len(), false, Screen(index));
    let results = Journal { controller: index, handle, ids };
    let ports =
        Ports { clock, dial: SimDial, results, observer: Both(Watch(Host::Controller(index)), progress) };
    let (outcome, journal) = drive::controller::run(order, inbox, ports).await;
    journal.finish(outcome).await;
    // The world ends the process: only then do its sockets close.
    controller(index, |host| host.ended = true);
    std::future::pending().await
}

/// Tells the checkers what to expect.
fn run_begins(index: usize, order: &controller::Order) {
    with(|state| {
        if state.controllers[state.watched].gone {
            state.watched = index;
        }
        if state.watched != index {
            return;
        }
        let untimed = |engine: &Model| {
            let of = |stage: &StageOutline| match stage.timed {
                Some(_) => engine.flush,
                None => engine.prepare + engine.rest,
            };
            order.outline.stages.iter().map(of).sum()
        };
        let untimed = state.agents.iter().map(|agent| untimed(&agent.engine)).max().unwrap_or_default();
        let latency = state.latency;
        state.see(truth(), &Seen::Up(Process::Controller));
        state.see(truth(), &Seen::RunBegins { order, untimed, latency });
    });
}

fn description(index: usize) -> Description {
    Description {
        version: "simulated".to_owned(),
        protocol: PROTOCOL,
        host: Host::Agent(index).to_string(),
        cores: 4,
        memory: 1 << 34,
        state: String::new(),
        agent_id: String::new(),
        current: None,
    }
}

/// Connections over the simulated network.
#[derive(Clone, Debug)]
struct SimDial;

impl Dial for SimDial {
    type Io = Socket;

    async fn connect(&self, address: &str) -> io::Result<Socket> {
        let name = address.split(':').next().unwrap_or(address);
        let known = with(|state| {
            let name = state.aliases.get(name).map_or(name, String::as_str).to_owned();
            let agent = (0..state.agents.len()).find(|index| Host::Agent(*index).to_string() == name);
            agent.map(|agent| (name, agent))
        });
        let Some((name, agent)) = known else {
            let unknown = "failed to lookup address information: Name or service not known";
            return Err(io::Error::other(unknown));
        };
        let connected = TcpStream::connect((name, PORT)).await.map_err(|error| match error.kind() {
            // As Linux says it.
            io::ErrorKind::ConnectionRefused => io::Error::from_raw_os_error(111),
            _ => error,
        });
        connected.map(|stream| Socket::dialled(stream, agent))
    }
}

async fn listen(agent: usize) -> io::Result<impl Stream<Item = io::Result<Socket>>> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let accepted = listener.accept().await.map(|(stream, _)| Socket::accepted(stream, agent));
            if sender.send(accepted).await.is_err() {
                return;
            }
        }
    });
    Ok(ReceiverStream::new(receiver))
}

/// The simulation, and the person at the controller.
struct Both(Watch, Plain<Screen>);

impl Observer<Controller> for Both {
    fn input(&mut self, now: Now, input: &controller::Input) {
        Observer::<Controller>::input(&mut self.0, now, input);
        self.1.input(now, input);
    }

    fn output(&mut self, now: Now, output: &controller::Output) {
        Observer::<Controller>::output(&mut self.0, now, output);
        self.1.output(now, output);
    }

    fn settled(&mut self, now: Now, machine: &Controller) {
        Observer::<Controller>::settled(&mut self.0, now, machine);
        self.1.settled(now, machine);
    }
}

/// Where a controller's progress is written.
struct Screen(usize);

impl io::Write for Screen {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        controller(self.0, |host| host.screen.push_str(&String::from_utf8_lossy(text)));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sees everything that crosses the boundary of a host's machine.
struct Watch(Host);

impl Watch {
    fn line(&self, what: fmt::Arguments<'_>) {
        with(|state| state.trace.line(truth(), &self.0, what));
    }

    /// Tells the checkers, who watch the first controller alone.
    fn show(&self, seen: &Seen<'_>) {
        with(|state| {
            if state.process(self.0).is_some() {
                state.see(truth(), seen);
            }
        });
    }
}

impl Observer<Agent> for Watch {
    fn input(&mut self, now: Now, input: &agent::Input) {
        self.line(format_args!("< {input:?}"));
        let Host::Agent(index) = self.0 else { return };
        self.show(&Seen::AgentInput(index, now, input));
        with(|state| state.coverage.agent(state.agents[index].state, input));
        if let agent::Input::Received(stream, message) = input
            && !matches!(message.body, Control::Ping(_) | Control::Acknowledge { .. })
        {
            let at = Duration::from_nanos(truth());
            agent(index, |host| host.received.push((at, *stream, message.clone())));
        }
    }

    fn output(&mut self, now: Now, output: &agent::Output) {
        self.line(format_args!("> {output:?}"));
        let Host::Agent(index) = self.0 else { return };
        self.show(&Seen::AgentOutput(index, now, output));
        let at = Duration::from_nanos(truth());
        agent(index, |host| match output {
            agent::Output::Entered { to, .. } => {
                host.state = *to;
                host.states.push((at, *to));
            }
            agent::Output::Warn(text) => host.warnings.push(text.clone()),
            agent::Output::Send(_, message) if !matches!(message.body, Report::Acknowledge(_)) => {
                host.sent.push((at, message.clone()));
            }
            _ => {}
        });
    }

    fn settled(&mut self, now: Now, machine: &Agent) {
        let Host::Agent(index) = self.0 else { return };
        self.show(&Seen::AgentSettled(index, now, machine));
        if let Some((_, run, _)) = machine.current() {
            agent(index, |host| host.run = run);
        }
    }
}

impl Observer<Controller> for Watch {
    fn input(&mut self, now: Now, input: &controller::Input) {
        self.line(format_args!("< {input:?}"));
        self.show(&Seen::ControllerInput(now, input));
        let Host::Controller(index) = self.0 else { return };
        with(|state| {
            let host = &state.controllers[index];
            state.coverage.controller(host.state, input, |agent| host.agents.get(agent).copied());
        });
        if let controller::Input::Received(agent, _, message) = input
            && matches!(message.body, Report::Running(_))
        {
            controller(index, |host| *host.intervals.entry(agent.0 as usize).or_default() += 1);
        }
    }

    fn output(&mut self, now: Now, output: &controller::Output) {
        self.line(format_args!("> {output:?}"));
        self.show(&Seen::ControllerOutput(now, output));
        let Host::Controller(index) = self.0 else { return };
        let at = Duration::from_nanos(truth());
        controller(index, |host| match output {
            controller::Output::RunEntered { to, .. } => {
                host.state = *to;
                host.states.push((at, *to));
            }
            controller::Output::AgentEntered { agent, to, .. } => {
                host.agents[agent.0 as usize] = *to;
                host.agent_states.push((at, agent.0 as usize, *to));
            }
            controller::Output::Notice(notice) => host.notices.push((at, notice.clone())),
            controller::Output::Finish(outcome) => host.outcome = Some((at, (**outcome).clone())),
            controller::Output::Send(
                agent,
                _,
                ControlMessage { body: Control::Acknowledge { sequence }, .. },
            ) => {
                host.acknowledged.insert(agent.0 as usize, *sequence);
            }
            _ => {}
        });
    }

    fn settled(&mut self, now: Now, machine: &Controller) {
        self.show(&Seen::ControllerSettled(now, machine));
    }
}
