//! What can happen next, and what must hold in every state.

use super::bounds::{LONGEST, Pace, Runs};
use super::world::{BEGIN, Connection, End, Host, OPERATIONS, World};
use iobench_core::agent::{self, StateName};
use iobench_core::controller::{self, ConnectError};
use iobench_core::engine::EngineEvent;
use iobench_core::machine::Machine;
use iobench_core::message::{AgentIndex, Gone, StreamId};
use iobench_core::time::{Mono, nanos};
use stateright::{Model, Property};
use std::time::Duration;

/// Something that happens; of which agent.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// The next message to it arrives.
    ToAgent(usize),
    /// Its next message arrives.
    ToController(usize),
    /// It notices that its stream is over.
    AgentLoses(usize),
    /// The controller notices.
    ControllerLoses(usize),
    /// The stream that is asked for is open.
    Connects(usize),
    /// Its engine says what is due.
    Engine(usize),
    /// Time goes on to the next instant at which anything happens by itself.
    Time,
    /// A fault: it cannot be connected to.
    Refuses(usize),
    /// A fault: its stream breaks, whether or not anybody is told.
    Breaks(usize),
    /// A fault: its process is killed and started again.
    Crashes(usize),
    /// A fault: Ctrl-C.
    Interrupt,
    /// A fault: the controller's host is gone.
    Vanishes,
}

impl Step {
    fn is_fault(self) -> bool {
        matches!(
            self,
            Self::Refuses(_) | Self::Breaks(_) | Self::Crashes(_) | Self::Interrupt | Self::Vanishes
        )
    }
}

impl Host {
    fn steps(&self, index: usize, now: u64, steps: &mut Vec<Step>) {
        if self.dialling.is_some() {
            steps.extend([Step::Connects(index), Step::Refuses(index)]);
        }
        if let Some(it) = &self.connection {
            if it.agent_open && !it.to_agent.is_empty() {
                steps.push(Step::ToAgent(index));
            } else if it.agent_open && (it.half_closed || it.broken) {
                steps.push(Step::AgentLoses(index));
            }
            if it.controller_open && !it.to_controller.is_empty() {
                steps.push(Step::ToController(index));
            } else if it.controller_open && (!it.agent_open || it.broken) {
                steps.push(Step::ControllerLoses(index));
            }
            if !it.broken && (it.agent_open || it.controller_open) {
                steps.push(Step::Breaks(index));
            }
        }
        if self.engine.front().is_some_and(|(at, ..)| *at <= now) {
            steps.push(Step::Engine(index));
        }
        steps.push(Step::Crashes(index));
    }
}

/// Everything that can become of such runs.
pub(super) struct Space(pub(super) Runs);

impl Space {
    /// What each engine does in the timed stage.
    fn operations(&self) -> u64 {
        OPERATIONS * self.0.intervals()
    }
}

impl Model for Space {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        self.0.arm();
        vec![World::new(&self.0)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if world.is_too_late(&self.0) {
            return;
        }
        for (index, host) in world.hosts.iter().enumerate() {
            host.steps(index, world.now, steps);
        }
        if world.end.is_none() {
            steps.extend((!world.interrupted).then_some(Step::Interrupt));
            steps.push(Step::Vanishes);
        }
        steps.retain(|step| world.faults > 0 || !step.is_fault());
        let quiet = !steps.iter().any(|step| world.is_urgent(*step));
        let passes = world.next_instant().is_some_and(|next| world.may_take_until(next, self.0.lease()));
        if passes && (quiet || self.0.pace == Pace::Any) {
            steps.push(Step::Time);
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        self.0.arm();
        let mut world = last.clone();
        world.faults -= u8::from(step.is_fault());
        world.take(&self.0, step)?;
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing that cannot be is seen on the way", |_, world: &World| {
                world.violated.is_none()
            }),
            Property::always("nothing counts twice", |space: &Self, world: &World| {
                world.journalled.iter().all(|count| *count <= space.operations())
            }),
            Property::always(
                "exit 0 means that all completed, and all they did is on disk",
                |space: &Self, world: &World| {
                    let all_counted = world.journalled.iter().all(|count| *count == space.operations());
                    world.outcome().is_none_or(|(exit, completed)| {
                        let all = completed == world.hosts.len();
                        // Who completes after Ctrl-C is told so; the run was interrupted all the same.
                        (all || exit != 0) && (!all || exit == 0 || exit == 3) && (!all || all_counted)
                    })
                },
            ),
            Property::always("exit 3 means that somebody pressed Ctrl-C", |_, world: &World| {
                world.outcome().is_none_or(|(exit, _)| exit != 3 || world.interrupted)
            }),
            Property::always("every run ends in time", |space: &Self, world: &World| {
                world.end.is_some() || !world.is_too_late(&space.0)
            }),
            Property::always("until its end a run waits for an instant", |_, world: &World| {
                world.end.is_some() || world.controller.poll_timeout().is_some()
            }),
            Property::always(
                "no load outlives the run by more than the lease",
                |space: &Self, world: &World| world.is_load_over(space.0.lease()),
            ),
            Property::always("after the run every agent is idle again", |space: &Self, world: &World| {
                world.end.is_none()
                    || !world.is_too_late(&space.0)
                    || world.hosts.iter().all(|host| host.machine.status().state == StateName::Idle)
            }),
            Property::sometimes("all complete", |_, world: &World| {
                world.outcome().is_some_and(|(exit, _)| exit == 0)
            }),
        ]
    }
}

impl World {
    /// Whether everything must be over, so that nothing of interest follows.
    fn is_too_late(&self, runs: &Runs) -> bool {
        self.over_for().map_or(self.now > BEGIN + nanos(LONGEST), |over| over > nanos(runs.afterwards()))
    }

    /// Whether it happens at once if nothing is late. That a stream is broken may be noticed at any time, or never.
    fn is_urgent(&self, step: Step) -> bool {
        match step {
            Step::AgentLoses(index) | Step::ControllerLoses(index) => {
                !self.hosts[index].connection.as_ref().is_some_and(|it| it.broken)
            }
            _ => !step.is_fault(),
        }
    }

    /// What the controller has sent does not arrive later than a lease after its end.
    fn may_take_until(&self, next: u64, lease: Duration) -> bool {
        let on_its_way = |it: &Connection| it.agent_open && !it.to_agent.is_empty();
        self.end.is_none_or(|end| next <= end.at + nanos(lease))
            || !self.hosts.iter().any(|host| host.connection.as_ref().is_some_and(on_its_way))
    }

    /// `None`: it cannot happen.
    fn take(&mut self, runs: &Runs, step: Step) -> Option<()> {
        let outline = &runs.order.outline;
        match step {
            Step::ToAgent(index) => {
                let (stream, it) = self.connection(index)?;
                let message = it.to_agent.pop_front()?;
                self.tell_agent(outline, index, agent::Input::Received(stream, message));
            }
            Step::ToController(index) => {
                let (stream, it) = self.connection(index)?;
                let message = it.to_controller.pop_front()?;
                self.tell_controller(controller::Input::Received(name(index), stream, message));
            }
            Step::AgentLoses(index) => {
                let (stream, it) = self.connection(index)?;
                it.agent_open = false;
                self.tell_agent(outline, index, agent::Input::Closed(stream, Gone::Ended));
            }
            Step::ControllerLoses(index) => {
                let (stream, it) = self.connection(index)?;
                (it.controller_open, it.half_closed) = (false, true);
                self.tell_controller(controller::Input::Closed(name(index), stream, Gone::Ended));
            }
            Step::Connects(index) => {
                let attempt = self.hosts[index].dialling.take()?;
                self.streams += 1;
                let stream = StreamId(self.streams);
                self.hosts[index].connection = Some(Connection::new(stream.0));
                self.tell_agent(outline, index, agent::Input::Opened(stream));
                self.tell_controller(controller::Input::Opened { agent: name(index), attempt, stream });
            }
            Step::Engine(index) => {
                let host = &mut self.hosts[index];
                let (_, epoch, event) = host.engine.pop_front()?;
                host.load &= !matches!(event, EngineEvent::StageDone(_));
                self.tell_agent(outline, index, agent::Input::Engine(epoch, event));
            }
            Step::Time => self.pass(runs)?,
            Step::Refuses(index) => {
                let attempt = self.hosts[index].dialling.take()?;
                let cause = ConnectError { message: "connection refused".to_owned() };
                self.tell_controller(controller::Input::ConnectFailed { agent: name(index), attempt, cause });
            }
            Step::Breaks(index) => {
                let (_, it) = self.connection(index)?;
                it.broken = true;
                it.to_agent.clear();
                it.to_controller.clear();
            }
            Step::Crashes(index) => self.hosts[index].crash(),
            Step::Interrupt => {
                self.interrupted = true;
                self.tell_controller(controller::Input::Interrupt);
            }
            Step::Vanishes => self.vanish(),
        }
        Some(())
    }

    fn vanish(&mut self) {
        self.end = Some(End { outcome: None, at: self.now });
        for host in &mut self.hosts {
            host.dialling = None;
            if let Some(it) = &mut host.connection {
                it.broken = true;
                it.to_controller.clear();
            }
        }
    }

    /// Time goes on. An engine's event that is due waits for its own turn.
    fn pass(&mut self, runs: &Runs) -> Option<()> {
        self.now = self.next_instant()?.max(self.now);
        let now = Mono(self.now);
        if self.controller.poll_timeout().is_some_and(|at| at <= now) {
            self.tell_controller(controller::Input::Timeout);
        }
        for index in 0..self.hosts.len() {
            if self.hosts[index].machine.poll_timeout().is_some_and(|at| at <= now) {
                self.tell_agent(&runs.order.outline, index, agent::Input::Timeout);
            }
        }
        Some(())
    }

    fn connection(&mut self, index: usize) -> Option<(StreamId, &mut Connection)> {
        self.hosts[index].connection.as_mut().map(|it| (StreamId(it.stream), it))
    }
}

fn name(index: usize) -> AgentIndex {
    AgentIndex(u32::try_from(index).expect("few agents"))
}
