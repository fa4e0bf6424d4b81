//! What must hold, whatever happens: one checker an invariant, one file a checker.
//!
//! A simulation, whichever tier, tells a [`Suite`] everything it sees as [`Seen`]; the checkers keep what they need
//! of it and say when something cannot be. They judge by what crosses the machines' boundaries and by what the
//! simulation knows to be true; they never look at how a machine came to do something.
//!
//! To add one: a file with a type that implements [`Checker`] and `Default`, and a line in the list below.

mod acknowledged;
mod counted_once;
mod deadlines;
mod ends;
mod engine_stop;
mod exit_code;
mod fault_free;
mod idle_again;
mod inert;
mod issue;
mod lease;
mod liveness;
mod memory;
mod no_spin;
mod ready_once;
#[cfg(test)]
mod tests;
mod transitions;

use iobench_core::agent::{self, Agent};
use iobench_core::controller::{self, Controller, Order};
use iobench_core::message::{AgentIndex, AgentMessage, RunId};
use iobench_core::time::{Mono, Now};
use std::fmt;
use std::time::Duration;

/// A process of the simulation. Agents are named by the host they run on; hosts are numbered as the agents of the
/// run are, from 0.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Process {
    /// The controller.
    Controller,
    /// The agent on this host.
    Agent(usize),
}

/// What a simulation sees.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A controller is about to begin a run.
    RunBegins {
        /// The run.
        order: &'a Order,
        /// How long all untimed stages together may take, on the slowest agent.
        untimed: Duration,
        /// What one message may take from one host to another, at most, faults apart.
        latency: Duration,
    },
    /// A process begins, with a fresh machine.
    Up(Process),
    /// A process is gone, whether or not anybody is told.
    Down(Process),
    /// A process is stopped: it handles nothing and its engine does nothing.
    Stalled(Process),
    /// It goes on.
    Resumed(Process),
    /// A fault takes effect.
    Fault {
        /// Whom it may harm; `None`: every agent.
        host: Option<usize>,
        /// Nobody may fail because of it.
        harmless: bool,
        /// How much later than without it a run may end because of it.
        delay: Duration,
    },
    /// Nothing is disturbed any more, and everything that was down is up.
    Healed,
    /// Before an agent handles an input.
    AgentInput(usize, Now, &'a agent::Input),
    /// Before an agent's output is executed.
    AgentOutput(usize, Now, &'a agent::Output),
    /// After an agent's outputs were executed.
    AgentSettled(usize, Now, &'a Agent),
    /// What the agent is about to handle belongs to the past: the machine must treat it like a needless time-out.
    AgentReplay(usize, &'a Agent),
    /// Before the controller handles an input.
    ControllerInput(Now, &'a controller::Input),
    /// Before a controller's output is executed.
    ControllerOutput(Now, &'a controller::Output),
    /// After the controller's outputs were executed.
    ControllerSettled(Now, &'a Controller),
    /// What the controller is about to handle belongs to the past: it must treat it like a needless time-out.
    ControllerReplay(&'a Controller),
    /// An engine issues operations from now on.
    LoadBegins {
        /// Where.
        host: usize,
        /// For which stage.
        stage: u32,
        /// Whether it is a timed one.
        timed: bool,
    },
    /// An engine issues nothing any more.
    LoadEnds {
        /// Where.
        host: usize,
    },
    /// A stage is over on an engine, and this many operations have completed in it, in truth.
    Counted {
        /// Where.
        host: usize,
        /// In which run.
        run: RunId,
        /// In which stage.
        stage: u32,
        /// Operations.
        operations: u64,
    },
    /// A message is safe on disk.
    Journalled(AgentIndex, &'a AgentMessage),
    /// The simulation ends: a run that has not ended never will.
    End,
}

/// Something that must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which checker saw it.
    pub checker: &'static str,
    /// When, in true time since the simulation began.
    pub at: Mono,
    /// What.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.0 as f64 / 1e9;
        write!(f, "{} at {seconds:.3} s: {}", self.checker, self.text)
    }
}

/// What a checker says of an observation: `Err` says what cannot be.
pub type Verdict = Result<(), String>;

/// Watches one invariant.
pub trait Checker: Default {
    /// The invariant, in a word or two: the name of its file.
    const NAME: &'static str;

    /// Takes note of an observation; `at` is true time. Inlined into [`Suite::see`]: most observations concern few
    /// checkers, and the others must cost nothing.
    fn see(&mut self, at: Mono, seen: &Seen<'_>) -> Verdict;
}

macro_rules! suite {
    ($($name:ident: $checker:ty),* $(,)?) => {
        /// All checkers together.
        #[derive(Debug, Default)]
        pub struct Suite {
            $($name: $checker,)*
            violations: Vec<Violation>,
        }

        impl Suite {
            /// The names of all checkers.
            pub const NAMES: &'static [&'static str] = &[$(<$checker as Checker>::NAME),*];

            /// Shows an observation to all checkers; `at` is true time since the simulation began.
            pub fn see(&mut self, at: Mono, seen: &Seen<'_>) {
                $(if let Err(text) = self.$name.see(at, seen) {
                    self.violate(<$checker as Checker>::NAME, at, text);
                })*
            }
        }
    };
}

suite! {
    acknowledged: acknowledged::Acknowledged,
    counted_once: counted_once::CountedOnce,
    deadlines: deadlines::Deadlines,
    ends: ends::Ends,
    engine_stop: engine_stop::EngineStop,
    exit_code: exit_code::ExitCodes,
    fault_free: fault_free::FaultFree,
    idle_again: idle_again::IdleAgain,
    inert: inert::Inert,
    issue: issue::Issue,
    lease: lease::Lease,
    liveness: liveness::Liveness,
    memory: memory::Memory,
    no_spin: no_spin::NoSpin,
    ready_once: ready_once::ReadyOnce,
    transitions: transitions::Transitions,
}

impl Suite {
    /// What was seen that must not be: of each checker the first few.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Adds what was seen.
    #[cold]
    pub(crate) fn violate(&mut self, checker: &'static str, at: Mono, text: String) {
        if self.violations.iter().filter(|known| known.checker == checker).count() < 3 {
            self.violations.push(Violation { checker, at, text });
        }
    }
}

/// One entry for each host, made when it is first heard of.
#[derive(Clone, Debug, Default)]
struct PerHost<T>(Vec<T>);

impl<T: Default> PerHost<T> {
    fn at(&mut self, host: usize) -> &mut T {
        if self.0.len() <= host {
            self.0.resize_with(host + 1, T::default);
        }
        &mut self.0[host]
    }

    fn of(&mut self, agent: AgentIndex) -> &mut T {
        self.at(agent.0 as usize)
    }
}
