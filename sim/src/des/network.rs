//! The network: connections with two directions, each in order; links that hold or lose what crosses them.

use super::scenario::{Nanos, Way};
use super::world::{Event, World};
use crate::checkers::{Process, Seen};
use crate::coverage::Mark;
use iobench_core::agent;
use iobench_core::controller::{ConnectError, Input};
use iobench_core::message::{AgentIndex, Gone, StreamId};
use std::collections::VecDeque;
use std::time::Duration;

/// How often the network tries again to connect through a link that is cut.
const SYN_AGAIN: Nanos = 1_000_000_000;

/// Index of [`Connection::last`] and the like: to the agent.
pub(super) const DOWN: usize = 0;
/// To the controller.
pub(super) const UP: usize = 1;

/// One stream between an agent's process and a controller's, or a stranger's.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) host: usize,
    /// Which process of the host.
    pub(super) boot: u32,
    /// Which controller; `None`: a stranger's.
    pub(super) run: Option<u32>,
    /// Each side's own end.
    pub(super) agent_open: bool,
    pub(super) controller_open: bool,
    /// The controller has ended its side and still listens.
    half_closed: bool,
    /// A direction in which nothing will ever arrive again.
    pub(super) dead: [bool; 2],
    /// When the last message of a direction arrives.
    last: [Nanos; 2],
}

/// What is wrong with the way to and from a host.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// How many faults hold each direction, and what waits.
    pub(super) holds: [u32; 2],
    pub(super) held: [VecDeque<Event>; 2],
    pub(super) losses: [u32; 2],
    pub(super) extra: Nanos,
    pub(super) deaf: u32,
    /// Messages that will be damaged, or doubled.
    pub(super) garble: [u32; 2],
    pub(super) repeat: [u32; 2],
    /// Its host has vanished: nothing comes back.
    pub(super) vanished: bool,
}

/// What becomes of something that arrives.
pub(super) enum Gate<'q> {
    Open,
    /// It is lost.
    Shut,
    /// It waits here.
    Held(&'q mut VecDeque<Event>),
}

impl Link {
    fn is_cut(&self, way: usize) -> bool {
        self.holds[way] > 0 || self.losses[way] > 0 || self.vanished
    }
}

impl Way {
    /// Which directions it means.
    pub(super) fn indices(self) -> &'static [usize] {
        match self {
            Self::Down => &[DOWN],
            Self::Up => &[UP],
            Self::Both => &[DOWN, UP],
        }
    }
}

impl World<'_> {
    pub(super) fn latency(&mut self, host: usize) -> Nanos {
        let (least, most) = self.scenario.latency;
        self.dice.between(least, most) + self.hosts[host].link.extra
    }

    pub(super) fn connect_to(&mut self, host: usize, run: Option<u32>) -> usize {
        let boot = self.hosts[host].boot;
        let connection = Connection {
            host,
            boot,
            run,
            agent_open: true,
            controller_open: true,
            half_closed: false,
            dead: [false; 2],
            last: [0; 2],
        };
        self.connections.push(connection);
        self.connections.len() - 1
    }

    /// Puts something on its way, behind what is already on it.
    pub(super) fn transmit(&mut self, connection: usize, way: usize, event: Event) {
        let host = self.connections[connection].host;
        if self.connections[connection].dead[way] || (way == UP && self.hosts[host].link.vanished) {
            return;
        }
        let latency = self.latency(host);
        let last = &mut self.connections[connection].last[way];
        *last = (*last).max(self.now + latency);
        let at = *last;
        self.queue.push(at, event);
    }

    /// Whether what arrives in a direction gets through now.
    pub(super) fn gate(&mut self, connection: usize, way: usize) -> Gate<'_> {
        if self.received {
            return Gate::Open;
        }
        let known = &mut self.connections[connection];
        let host = &mut self.hosts[known.host];
        if known.dead[way] {
            return Gate::Shut;
        }
        if host.link.losses[way] > 0 || (way == DOWN && host.link.vanished) {
            known.dead[way] = true;
            self.coverage.mark(Mark::Lost);
            return Gate::Shut;
        }
        if host.link.holds[way] == 0 && way == DOWN && (known.boot != host.boot || !host.up) {
            // The process that it is for is gone, and its host says so.
            known.agent_open = false;
            self.transmit(connection, UP, Event::ControllerLoses(connection, Gone::Broken));
            return Gate::Shut;
        }
        let link = &mut self.hosts[self.connections[connection].host].link;
        if link.holds[way] > 0 {
            self.coverage.mark(Mark::Held);
            return Gate::Held(&mut link.held[way]);
        }
        Gate::Open
    }

    /// The agent's process has ended its side.
    pub(super) fn agent_ends(&mut self, connection: usize, gone: Gone) {
        if std::mem::replace(&mut self.connections[connection].agent_open, false) {
            self.transmit(connection, UP, Event::ControllerLoses(connection, gone));
        }
    }

    /// The controller's process has ended its side and does not listen any more.
    pub(super) fn controller_ends(&mut self, connection: usize, gone: Gone) {
        let known = &mut self.connections[connection];
        if std::mem::replace(&mut known.controller_open, false) {
            let half_closed = std::mem::replace(&mut known.half_closed, true);
            if !half_closed || gone == Gone::Broken {
                self.transmit(connection, DOWN, Event::AgentLoses(connection, gone));
            }
        }
    }

    /// The controller has nothing more to say, and still listens.
    pub(super) fn controller_half_closes(&mut self, connection: usize) {
        let known = &mut self.connections[connection];
        if known.controller_open && !std::mem::replace(&mut known.half_closed, true) {
            self.transmit(connection, DOWN, Event::AgentLoses(connection, Gone::Ended));
        }
    }

    pub(super) fn can_send_down(&self, connection: usize) -> bool {
        self.connections.get(connection).is_some_and(|it| it.controller_open && !it.half_closed)
    }

    /// An attempt to connect has crossed the network and come back.
    pub(super) fn dialled(&mut self, agent: usize, attempt: u32, run: u32) {
        if self.controller.dialling(run, agent) != Some(attempt) {
            return;
        }
        let host = &self.hosts[agent];
        if host.link.is_cut(DOWN) || host.link.is_cut(UP) {
            self.coverage.mark(Mark::SynLost);
            return self.queue.push(self.now + SYN_AGAIN, Event::Dialled { agent, attempt, run });
        }
        if !host.up {
            return self.refused(agent, attempt, run);
        }
        let index = agent_index(agent);
        self.controller_gets(Input::Connected { agent: index, attempt });
        let latency = self.latency(agent);
        self.queue.push(self.now + latency, Event::StreamAtAgent { agent, attempt, run });
    }

    fn refused(&mut self, agent: usize, attempt: u32, run: u32) {
        self.coverage.mark(Mark::Refused);
        self.controller.hang_up(run, agent);
        let cause = ConnectError { message: "connection refused".to_owned() };
        self.controller_gets(Input::ConnectFailed { agent: agent_index(agent), attempt, cause });
    }

    /// The request for a stream arrives at the agent.
    pub(super) fn stream_at_agent(&mut self, agent: usize, attempt: u32, run: u32) {
        if self.controller.dialling(run, agent) != Some(attempt) {
            return;
        }
        let host = &mut self.hosts[agent];
        if host.link.deaf > 0 {
            self.coverage.mark(Mark::StreamUnanswered);
            return;
        }
        if host.link.is_cut(DOWN) {
            return self.queue.push(self.now + SYN_AGAIN, Event::StreamAtAgent { agent, attempt, run });
        }
        if !host.up {
            return self.refused(agent, attempt, run);
        }
        if host.stalled {
            host.backlog.push_back(Event::StreamAtAgent { agent, attempt, run });
            return;
        }
        let connection = self.connect_to(agent, Some(run));
        self.agent_gets(agent, agent::Input::Opened(StreamId(connection as u64)));
        self.transmit(connection, UP, Event::StreamAtController { connection, attempt });
    }

    /// The answer arrives at the controller.
    pub(super) fn stream_at_controller(&mut self, connection: usize, attempt: u32) {
        let Connection { host, run, .. } = self.connections[connection];
        let Some(run) = run else { return };
        let wanted = self.controller.dialling(run, host) == Some(attempt);
        // What was given up may be in the inbox already.
        let crossed = self.controller.up && self.controller.run == run && self.dice.once_in(2);
        if wanted || crossed {
            if wanted {
                self.controller.hang_up(run, host);
            } else {
                self.coverage.mark(Mark::LateStream);
            }
            let stream = StreamId(connection as u64);
            self.controller_gets(Input::Opened { agent: agent_index(host), attempt, stream });
        } else {
            self.coverage.mark(Mark::LateStream);
            self.controller_ends(connection, Gone::Broken);
        }
    }

    /// A host's process is gone: its kernel ends its connections, or nobody does.
    pub(super) fn sever_agent(&mut self, host: usize, fin: bool) {
        for index in 0..self.connections.len() {
            if self.connections[index].host == host && self.connections[index].agent_open {
                if fin {
                    self.agent_ends(index, Gone::Broken);
                } else {
                    self.connections[index].agent_open = false;
                }
            }
        }
    }

    /// The controller's process is gone.
    pub(super) fn sever_controller(&mut self, run: u32, fin: bool) {
        for index in 0..self.connections.len() {
            if self.connections[index].run == Some(run) && self.connections[index].controller_open {
                if fin {
                    self.controller_ends(index, Gone::Broken);
                } else {
                    self.connections[index].controller_open = false;
                    self.connections[index].dead = [true; 2];
                }
            }
        }
    }

    /// A stream is reset in the middle.
    pub(super) fn reset(&mut self, host: usize) {
        let open =
            |it: &Connection| it.host == host && it.run.is_some() && it.agent_open && it.controller_open;
        let Some(connection) = self.connections.iter().rposition(open) else { return };
        self.transmit(connection, UP, Event::ControllerLoses(connection, Gone::Broken));
        self.transmit(connection, DOWN, Event::AgentLoses(connection, Gone::Broken));
    }

    /// A direction is open again: what waited arrives now, in order.
    pub(super) fn release(&mut self, host: usize, way: usize) {
        while self.hosts[host].link.holds[way] == 0
            && let Some(event) = self.hosts[host].link.held[way].pop_front()
        {
            self.happen(event);
        }
    }

    pub(super) fn tell_fault(&mut self, host: Option<usize>, harmless: bool, delay: Nanos) {
        let delay = Duration::from_nanos(delay);
        self.see(&Seen::Fault { host, harmless, delay });
    }

    pub(super) fn tell(&mut self, what: fn(Process) -> Seen<'static>, who: Process) {
        self.see(&what(who));
    }
}

pub(super) fn agent_index(host: usize) -> AgentIndex {
    AgentIndex(u32::try_from(host).expect("hosts are counted in 32 bits"))
}
