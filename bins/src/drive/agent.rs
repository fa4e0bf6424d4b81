//! The agent's driver: gRPC streams and the engine on one side, the machine on the other.

use super::{Clock, Edge, Inbox, Local, Observer, Remote, drive, offer};
use crate::grpc::pump;
use iobench_core::agent::{Agent, Input, KeptRun, Output};
use iobench_core::engine::{Engine, EngineEvent, EngineEvents, Epoch};
use iobench_core::message::{AgentMessage, ControlMessage, Gone, StreamId};
use iobench_core::time::Now;
use iobench_proto::{CurrentRun, Description};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tonic::{Status, Streaming};

/// Messages that may wait on a stream. An agent has at most a few dozen unacknowledged; more means that the
/// controller has stopped reading.
pub const QUEUE: usize = 128;

/// Where messages to a controller go.
pub type Reply = mpsc::Sender<Result<AgentMessage, Status>>;

/// What arrives at an agent's driver.
#[derive(Debug)]
pub enum Event {
    /// A controller opened a stream.
    Opened(Streaming<ControlMessage>, Reply),
    /// A message arrived.
    Received(StreamId, ControlMessage),
    /// A stream is gone.
    Closed(StreamId, Gone),
    /// The engine said something.
    Engine(Epoch, EngineEvent),
    /// Someone asks who we are.
    Describe(oneshot::Sender<Description>),
    /// The process is to end.
    Shutdown,
}

/// What an agent's driver needs of the world.
pub struct Ports<C, E, O, K> {
    /// Time.
    pub clock: C,
    /// What does the I/O. Its events go to [`engine_events`].
    pub engine: E,
    /// Sees everything.
    pub observer: O,
    /// Keeps results that no controller has confirmed.
    pub keep: K,
    /// Who we are; state and run are filled in when asked.
    pub description: Description,
}

/// The callback of an engine whose agent has this inbox.
#[must_use]
pub fn engine_events(inbox: &Inbox<Event>) -> EngineEvents {
    let local = inbox.local();
    Arc::new(move |epoch, event| local.send(Event::Engine(epoch, event)))
}

/// Runs an agent until it was told to shut down.
pub async fn run<C, E, O, K>(machine: Agent, mut inbox: Inbox<Event>, ports: Ports<C, E, O, K>)
where
    C: Clock,
    E: Engine,
    O: Observer<Agent>,
    K: FnMut(Now, KeptRun),
{
    let Ports { clock, engine, mut observer, keep, description } = ports;
    let mut machine = machine;
    let mut edge = AgentEdge {
        local: inbox.local(),
        remote: inbox.remote(),
        streams: BTreeMap::new(),
        opened: 0,
        engine,
        keep,
        description,
    };
    drive(&mut machine, &clock, &mut inbox, &mut edge, &mut observer).await;
}

struct AgentEdge<E, K> {
    local: Local<Event>,
    remote: Remote<Event>,
    streams: BTreeMap<StreamId, (Reply, AbortHandle)>,
    opened: u64,
    engine: E,
    keep: K,
    description: Description,
}

impl<E: Engine, K: FnMut(Now, KeptRun)> Edge<Agent> for AgentEdge<E, K> {
    type Event = Event;
    type End = ();

    fn admit(&mut self, machine: &Agent, now: Now, event: Event) -> Option<Input> {
        Some(match event {
            Event::Opened(incoming, reply) => {
                self.opened += 1;
                let id = StreamId(self.opened);
                let (received, closed) = (self.remote.clone(), self.remote.clone());
                let pump = tokio::spawn(pump(
                    incoming,
                    move |message| {
                        let received = received.clone();
                        async move { received.send(Event::Received(id, message)).await }
                    },
                    move |gone| async move { closed.send(Event::Closed(id, gone)).await },
                ));
                self.streams.insert(id, (reply, pump.abort_handle()));
                Input::Opened(id)
            }
            Event::Received(id, message) => Input::Received(id, message),
            Event::Closed(id, gone) => {
                self.end(id);
                Input::Closed(id, gone)
            }
            Event::Engine(epoch, event) => Input::Engine(epoch, event),
            Event::Shutdown => Input::Shutdown,
            Event::Describe(asker) => {
                // Whoever asked may have gone away.
                asker.send(self.describe(machine, now)).ok();
                return None;
            }
        })
    }

    fn execute(&mut self, now: Now, output: Output) -> ControlFlow<()> {
        match output {
            Output::Send(id, message) => {
                if let Some((reply, _)) = self.streams.get(&id)
                    && !offer(reply, Ok(message))
                {
                    self.local.send(Event::Closed(id, Gone::Overflow));
                }
            }
            Output::Close(id) => self.end(id),
            Output::Engine(epoch, command) => self.engine.command(epoch, command),
            Output::Keep(run) => (self.keep)(now, *run),
            Output::Entered { .. } | Output::Warn(_) => {}
            Output::Exit => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn timeout() -> Input {
        Input::Timeout
    }
}

impl<E, K> AgentEdge<E, K> {
    /// Forgets a stream. Dropping the sender ends our side once everything queued has been sent; nothing is heard from
    /// the other one any more, even if it goes on talking.
    fn end(&mut self, id: StreamId) {
        if let Some((_, pump)) = self.streams.remove(&id) {
            pump.abort();
        }
    }

    fn describe(&self, machine: &Agent, now: Now) -> Description {
        let status = machine.status();
        let current = status.run.map(|(run, since)| CurrentRun { run, age: now.mono.since(since.mono) });
        Description { state: status.state.as_str().to_owned(), current, ..self.description.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::testing::open_stream;
    use crate::results::testing::{RUN, at};
    use iobench_core::engine::EngineCommand;
    use iobench_core::message::{Report, Session};
    use iobench_core::time::Mono;
    use std::time::Duration;

    struct Idle;

    impl Engine for Idle {
        fn command(&mut self, _: Epoch, _: EngineCommand) {}
    }

    fn edge(inbox: &Inbox<Event>) -> AgentEdge<Idle, fn(Now, KeptRun)> {
        AgentEdge {
            local: inbox.local(),
            remote: inbox.remote(),
            streams: BTreeMap::new(),
            opened: 0,
            engine: Idle,
            keep: |_, _| {},
            description: crate::run::description(""),
        }
    }

    /// Says two things on a new stream, whose outgoing half has room for one message.
    fn say_twice(
        edge: &mut AgentEdge<Idle, fn(Now, KeptRun)>,
        machine: &Agent,
        incoming: Streaming<ControlMessage>,
        reply: Reply,
    ) {
        let opened = edge.admit(machine, at(0), Event::Opened(incoming, reply));
        let Some(Input::Opened(id)) = opened else { panic!("{opened:?}") };
        for sequence in 0..2 {
            let body = Report::Aborted { reason: String::new(), totals: Vec::new() };
            let message = AgentMessage {
                run: RUN,
                session: Session(1),
                sequence,
                stamp: Mono(0),
                kept_before: None,
                body,
            };
            assert!(edge.execute(at(0), Output::Send(id, message)).is_continue());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_gone_is_heard_to_the_last_word() {
        let mut inbox = Inbox::default();
        let mut edge = edge(&inbox);
        let (incoming, _still_open) = open_stream();
        let (reply, gone) = mpsc::channel(1);
        drop(gone);
        say_twice(&mut edge, &Agent::new(), incoming, reply);
        let more = tokio::time::timeout(Duration::from_secs(1), inbox.next()).await;
        assert!(more.is_err(), "only its own end ends it: {more:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_stopped_reading_is_not_listened_to_any_more() {
        let mut inbox = Inbox::default();
        let mut edge = edge(&inbox);
        let (incoming, not_heard) = open_stream();
        let (reply, _unread) = mpsc::channel(1);
        let machine = Agent::new();
        say_twice(&mut edge, &machine, incoming, reply);
        let event = inbox.next().await.unwrap();
        let closed = edge.admit(&machine, at(0), event);
        assert!(matches!(closed, Some(Input::Closed(_, Gone::Overflow))), "{closed:?}");
        tokio::time::timeout(Duration::from_secs(1), not_heard).await.expect("nobody listens");
    }
}
