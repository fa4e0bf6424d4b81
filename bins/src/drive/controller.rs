//! The controller's driver: connections, streams and the journal on one side, the machine on the other.

use super::{Clock, Edge, Inbox, Local, Observer, Remote, drive, offer};
use crate::grpc::{self, Dial, pump};
use iobench_core::controller::{Controller, Input, Notice, Order, Outcome, Output};
use iobench_core::message::{AgentIndex, AgentMessage, ControlMessage, Gone, StreamId};
use iobench_core::time::Now;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tonic::Streaming;

/// Messages that may wait on a stream: pings, acknowledgements and a few commands. More means that the agent has
/// stopped reading.
const QUEUE: usize = 128;

/// What arrives at a controller's driver.
#[derive(Debug)]
pub enum Event {
    /// A stream to an agent is open.
    Opened(AgentIndex, u32, mpsc::Sender<ControlMessage>, Streaming<AgentMessage>),
    /// What the machine understands as it is.
    Machine(Input),
}

/// Where the machine's results go: the journal.
pub trait Results {
    /// Queues a message that counts; the answer comes as [`Input::Persisted`] or [`Input::PersistFailed`].
    fn persist(&mut self, now: Now, agent: AgentIndex, message: AgentMessage);
    /// Notes a state transition, of an agent or of the run.
    fn transition(&mut self, now: Now, who: Option<AgentIndex>, from: &str, to: &str);
    /// Notes what a person was told.
    fn notice(&mut self, now: Now, notice: &Notice);
}

/// What a controller's driver needs of the world.
pub struct Ports<C, D, R, O> {
    /// Time.
    pub clock: C,
    /// How agents are reached.
    pub dial: D,
    /// The journal.
    pub results: R,
    /// Sees everything.
    pub observer: O,
}

/// Tells a controller from outside what happens to it.
#[derive(Clone, Debug)]
pub struct Handle(Local<Event>);

impl Handle {
    /// For the controller with this inbox.
    #[must_use]
    pub fn of(inbox: &Inbox<Event>) -> Self {
        Self(inbox.local())
    }

    /// Ctrl-C or SIGTERM.
    pub fn interrupt(&self) {
        self.0.send(Event::Machine(Input::Interrupt));
    }

    /// The journal's answer for one message; an error is path and cause.
    pub fn persisted(&self, agent: AgentIndex, sequence: u64, result: Result<(), String>) {
        self.0.send(Event::Machine(match result {
            Ok(()) => Input::Persisted { agent, sequence },
            Err(cause) => Input::PersistFailed { agent, sequence, cause },
        }));
    }
}

/// Carries out a run; gives how it ended, and the results port back.
pub async fn run<C, D, R, O>(order: Order, mut inbox: Inbox<Event>, ports: Ports<C, D, R, O>) -> (Outcome, R)
where
    C: Clock,
    D: Dial,
    R: Results,
    O: Observer<Controller>,
{
    let Ports { clock, dial, results, mut observer } = ports;
    let addresses = order.agents.iter().map(|agent| agent.address.clone()).collect();
    let mut machine = Controller::new(order);
    let mut edge = ControllerEdge {
        local: inbox.local(),
        remote: inbox.remote(),
        addresses,
        dial,
        results,
        streams: BTreeMap::new(),
        dialling: BTreeMap::new(),
        opened: 0,
    };
    edge.local.send(Event::Machine(Input::Begin));
    let outcome = drive(&mut machine, &clock, &mut inbox, &mut edge, &mut observer).await;
    (outcome.expect("the inbox holds its own senders, so that only the outcome ends the loop"), edge.results)
}

struct ControllerEdge<D, R> {
    local: Local<Event>,
    remote: Remote<Event>,
    addresses: Vec<String>,
    dial: D,
    results: R,
    streams: BTreeMap<(AgentIndex, StreamId), Stream>,
    dialling: BTreeMap<AgentIndex, AbortHandle>,
    opened: u64,
}

/// An open stream: `None` once our side has ended.
struct Stream {
    sender: Option<mpsc::Sender<ControlMessage>>,
    pump: AbortHandle,
}

impl<D: Dial, R: Results> Edge<Controller> for ControllerEdge<D, R> {
    type Event = Event;
    type End = Outcome;

    fn admit(&mut self, _: &Controller, _: Now, event: Event) -> Option<Input> {
        Some(match event {
            Event::Opened(agent, attempt, sender, incoming) => {
                self.opened += 1;
                let stream = StreamId(self.opened);
                let (received, closed) = (self.remote.clone(), self.remote.clone());
                let pump = tokio::spawn(pump(
                    incoming,
                    move |message| {
                        let received = received.clone();
                        async move { received.send(Event::Machine(Input::Received(agent, stream, message))).await }
                    },
                    move |gone| async move {
                        closed.send(Event::Machine(Input::Closed(agent, stream, gone))).await
                    },
                ));
                let stream_entry = Stream { sender: Some(sender), pump: pump.abort_handle() };
                self.streams.insert((agent, stream), stream_entry);
                Input::Opened { agent, attempt, stream }
            }
            Event::Machine(input) => {
                if let Input::Closed(agent, stream, _) = &input {
                    self.end(*agent, *stream);
                }
                input
            }
        })
    }

    fn execute(&mut self, now: Now, output: Output) -> ControlFlow<Outcome> {
        match output {
            Output::Connect { agent, attempt } => self.connect(agent, attempt),
            Output::Disconnect { agent } => {
                if let Some(task) = self.dialling.remove(&agent) {
                    task.abort();
                }
            }
            Output::Send(agent, stream, message) => self.send(agent, stream, message),
            Output::HalfClose(agent, stream) => {
                // Dropping the sender ends our side once everything queued has been sent.
                if let Some(stream) = self.streams.get_mut(&(agent, stream)) {
                    stream.sender = None;
                }
            }
            Output::Drop(agent, stream) => self.end(agent, stream),
            Output::Persist(agent, message) => self.results.persist(now, agent, *message),
            Output::AgentEntered { agent, from, to } => {
                self.results.transition(now, Some(agent), from.as_str(), to.as_str());
            }
            Output::RunEntered { from, to } => self.results.transition(now, None, from.as_str(), to.as_str()),
            Output::Notice(notice) => self.results.notice(now, &notice),
            Output::Finish(outcome) => return ControlFlow::Break(*outcome),
        }
        ControlFlow::Continue(())
    }

    fn timeout() -> Input {
        Input::Timeout
    }
}

impl<D: Dial, R> ControllerEdge<D, R> {
    fn connect(&mut self, agent: AgentIndex, attempt: u32) {
        let address = self.addresses[agent.0 as usize].clone();
        let (dial, local) = (self.dial.clone(), self.local.clone());
        let task = tokio::spawn(async move {
            let connected = local.clone();
            let connected = move || connected.send(Event::Machine(Input::Connected { agent, attempt }));
            let (sender, outgoing) = mpsc::channel(QUEUE);
            local.send(match grpc::open(&dial, &address, outgoing, connected).await {
                Ok(incoming) => Event::Opened(agent, attempt, sender, incoming),
                Err(cause) => Event::Machine(Input::ConnectFailed { agent, attempt, cause }),
            });
        });
        if let Some(earlier) = self.dialling.insert(agent, task.abort_handle()) {
            earlier.abort();
        }
    }

    /// Forgets a stream: nothing is heard from the agent there any more, even if it goes on talking.
    fn end(&mut self, agent: AgentIndex, stream: StreamId) {
        if let Some(stream) = self.streams.remove(&(agent, stream)) {
            stream.pump.abort();
        }
    }

    fn send(&mut self, agent: AgentIndex, stream: StreamId, message: ControlMessage) {
        let sender = self.streams.get(&(agent, stream)).and_then(|stream| stream.sender.as_ref());
        if sender.is_some_and(|sender| !offer(sender, message)) {
            self.local.send(Event::Machine(Input::Closed(agent, stream, Gone::Overflow)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::testing::open_stream;
    use crate::results::testing::{RUN, at};
    use iobench_core::controller::Lead;
    use iobench_core::message::{Control, Session};
    use iobench_core::plan::{Outline, Policy, Timeouts};
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    struct Nowhere;

    impl Results for Nowhere {
        fn persist(&mut self, _: Now, _: AgentIndex, _: AgentMessage) {}
        fn transition(&mut self, _: Now, _: Option<AgentIndex>, _: &str, _: &str) {}
        fn notice(&mut self, _: Now, _: &Notice) {}
    }

    fn edge(inbox: &Inbox<Event>) -> (ControllerEdge<impl Dial + use<>, Nowhere>, Controller) {
        let edge = ControllerEdge {
            local: inbox.local(),
            remote: inbox.remote(),
            addresses: Vec::new(),
            dial: grpc::memory().0,
            results: Nowhere,
            streams: BTreeMap::new(),
            dialling: BTreeMap::new(),
            opened: 0,
        };
        let order = Order {
            run: RUN,
            agents: Vec::new(),
            yaml: String::new(),
            overrides: Vec::new(),
            seed: 0,
            outline: Outline { stages: Vec::new(), interval: SECOND, timeouts: Timeouts::default() },
            policy: Policy::default(),
            lead: Lead::AtOnce,
        };
        (edge, Controller::new(order))
    }

    /// Acknowledges twice on a new stream, whose outgoing half has room for one message.
    fn say_twice(
        edge: &mut ControllerEdge<impl Dial, Nowhere>,
        machine: &Controller,
        incoming: Streaming<AgentMessage>,
        sender: mpsc::Sender<ControlMessage>,
    ) {
        let agent = AgentIndex(0);
        let opened = edge.admit(machine, at(0), Event::Opened(agent, 1, sender, incoming));
        let Some(Input::Opened { stream, .. }) = opened else { panic!("{opened:?}") };
        for sequence in 0..2 {
            let body = Control::Acknowledge { sequence };
            let message = ControlMessage { run: RUN, session: Session(1), body };
            assert!(edge.execute(at(0), Output::Send(agent, stream, message)).is_continue());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_gone_is_heard_to_the_last_word() {
        let mut inbox = Inbox::default();
        let (mut edge, machine) = edge(&inbox);
        let (incoming, _still_open) = open_stream();
        let (sender, gone) = mpsc::channel(1);
        drop(gone);
        say_twice(&mut edge, &machine, incoming, sender);
        let more = tokio::time::timeout(SECOND, inbox.next()).await;
        assert!(more.is_err(), "only its own end ends it: {more:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_stopped_reading_is_not_listened_to_any_more() {
        let mut inbox = Inbox::default();
        let (mut edge, machine) = edge(&inbox);
        let (incoming, not_heard) = open_stream();
        let (sender, _unread) = mpsc::channel(1);
        say_twice(&mut edge, &machine, incoming, sender);
        let event = inbox.next().await.unwrap();
        let closed = edge.admit(&machine, at(0), event);
        assert!(matches!(closed, Some(Input::Closed(_, _, Gone::Overflow))), "{closed:?}");
        tokio::time::timeout(SECOND, not_heard).await.expect("nobody listens");
    }
}
