//! An agent and a controller that says what none would.

use super::{Probe, outline, probe};
use iobench_core::agent::{Agent, Input, Output, StateName, WAITING_STREAMS};
use iobench_core::engine::{EngineCommand, EngineEvent, Epoch};
use iobench_core::machine::Machine;
use iobench_core::message::{
    AgentMessage, Capabilities, Configure, Control, ControlMessage, FailureClass, Gone, Ping, Report, RunId,
    Session, StartAt, StreamId,
};
use iobench_core::plan::{Outline, Timeouts};
use iobench_core::time::{Mono, Now, Unix, nanos};
use std::time::Duration;

/// What an agent can be probed for.
pub const AGENT: &[Probe] = &[
    probe("waiting_streams", "any number of streams may wait", || {
        let mut bench = Bench::new(0);
        let last = StreamId(WAITING_STREAMS as u64 + 1);
        (1..=last.0).for_each(|stream| bench.tell(Input::Opened(StreamId(stream))));
        bench.out.contains(&Output::Close(last))
    }),
    probe("shutdown", "an agent that is ending takes new streams", || {
        let mut bench = Bench::new(0);
        bench.tell(Input::Shutdown);
        bench.tell(Input::Opened(STREAM));
        bench.out.contains(&Output::Close(STREAM))
    }),
    probe("leave", "an agent that is told to end waits for its engine as long as the run says", || {
        let mut bench = Bench::new(0);
        let patient = Timeouts { abort: Duration::from_secs(1_000), ..Timeouts::default() };
        bench.configure_with(&[("prepare", false)], patient);
        bench.hear(Control::Begin { stage: 0 });
        bench.tell(Input::Shutdown);
        bench.pass(Duration::from_secs(10));
        bench.failed(FailureClass::Resource)
    }),
    probe("stream_end", "work goes on when its stream has ended", || {
        let mut bench = Bench::configured(&[("prepare", false), ("execute", true)]);
        bench.hear(Control::Begin { stage: 0 });
        bench.tell(Input::Closed(STREAM, Gone::Ended));
        bench.out.iter().any(|output| matches!(output, Output::Engine(_, EngineCommand::Stop)))
    }),
    probe("begin", "any untimed stage may begin", || {
        let mut bench = Bench::configured(&[("first", false), ("second", false), ("execute", true)]);
        bench.hear(Control::Begin { stage: 1 });
        !bench.has_run()
    }),
    probe("start", "any timed stage may start", || {
        let mut bench = Bench::configured(&[("first", true), ("second", true)]);
        bench.hear(bench.start(1, Duration::from_secs(1)));
        bench.pass(Duration::from_secs(2));
        !bench.has_run()
    }),
    probe("far_start", "a start may be any time ahead", || {
        let mut bench = Bench::configured(&[("execute", true)]);
        bench.hear(bench.start(0, Duration::from_secs(301)));
        bench.failed(FailureClass::Protocol)
    }),
    probe("future_ping", "an echo from the future renews the lease", || {
        let mut bench = Bench::configured(&[("execute", true)]);
        let newest = Some(bench.now.mono.after(Duration::from_secs(1_000)));
        bench.hear(Control::Ping(Ping { number: 0, stamp: Mono(0), newest, again_from: None }));
        bench.pass(Duration::from_secs(70));
        bench.machine.status().state == StateName::Error
    }),
    probe("again", "pings that were held up bring as many copies of what is missing", || {
        let mut bench = Bench::configured(&[("execute", true)]);
        let ping = Ping { number: 0, stamp: Mono(0), newest: None, again_from: Some(0) };
        bench.out.clear();
        (0..8).for_each(|number| bench.hear(Control::Ping(Ping { number, ..ping })));
        let accepted = |output: &&Output| {
            matches!(output, Output::Send(_, AgentMessage { body: Report::Accepted(_), .. }))
        };
        bench.out.iter().filter(accepted).count() == 1
    }),
    probe("acknowledge", "what was never sent may be acknowledged", || {
        let mut bench = Bench::configured(&[("execute", true)]);
        bench.hear(Control::Acknowledge { sequence: 99 });
        bench.warned("it acknowledges what was never sent")
    }),
    probe("agent_invalid", "what makes no sense is not counted", || {
        let mut bench = Bench::configured(&[("execute", true)]);
        bench.hear(Control::Attach { sequence: 1 });
        bench.warned("Attach is reserved")
    }),
    probe("exhausted", "an agent goes on without sequence numbers", || {
        let mut bench = Bench::new(u64::MAX - 1);
        bench.configure(&[("execute", true)]);
        bench.failed(FailureClass::Protocol)
    }),
];

const STREAM: StreamId = StreamId(1);

struct Bench {
    machine: Agent,
    now: Now,
    out: Vec<Output>,
}

impl Bench {
    fn new(first_sequence: u64) -> Self {
        let now = Now { mono: Mono(nanos(Duration::from_secs(1_000))), unix: Unix(0) };
        Self { machine: Agent::with_first_sequence(first_sequence), now, out: Vec::new() }
    }

    /// An agent that has accepted a run of these stages, timed or not.
    fn configured(stages: &[(&str, bool)]) -> Self {
        let mut bench = Self::new(0);
        bench.configure(stages);
        bench
    }

    fn configure(&mut self, stages: &[(&str, bool)]) {
        self.configure_with(stages, Timeouts::default());
    }

    fn configure_with(&mut self, stages: &[(&str, bool)], timeouts: Timeouts) {
        let outline = Outline { timeouts, ..outline(stages) };
        self.tell(Input::Opened(STREAM));
        let lease = outline.timeouts.lease;
        self.hear(Control::Configure(Box::new(Configure { lease, ..Configure::default() })));
        let (outline, capabilities) = (Box::new(outline), Box::<Capabilities>::default());
        self.tell(Input::Engine(Epoch(1), EngineEvent::Validated { outline, capabilities }));
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(self.now, input);
        while let Some(output) = self.machine.poll_output() {
            self.out.push(output);
        }
    }

    fn hear(&mut self, body: Control) {
        let message = ControlMessage { run: RunId(1), session: Session(1), body };
        self.tell(Input::Received(STREAM, message));
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono.after(time);
        self.tell(Input::Timeout);
    }

    fn start(&self, stage: u32, ahead: Duration) -> Control {
        Control::Start { stage, at: Some(StartAt { mono: self.now.mono.after(ahead), unix: Unix(0) }) }
    }

    fn has_run(&self) -> bool {
        self.out.iter().any(|output| matches!(output, Output::Engine(_, EngineCommand::Run { .. })))
    }

    fn warned(&self, words: &str) -> bool {
        self.out.iter().any(|output| matches!(output, Output::Warn(text) if text.contains(words)))
    }

    fn failed(&self, class: FailureClass) -> bool {
        self.out.iter().any(|output| {
            matches!(output, Output::Send(_, AgentMessage { body: Report::Error { failure, .. }, .. })
                if failure.class == class)
        })
    }
}
