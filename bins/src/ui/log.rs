//! The agent's log: every transition, every warning.

use crate::drive::Observer;
use iobench_core::agent::{Agent, Input, Output};
use iobench_core::message::{Control, Report, RunId, Session};
use iobench_core::time::Now;
use tracing::{debug, info, warn};

/// Logs what an agent does.
#[derive(Clone, Debug, Default)]
pub struct LogAgent {
    /// The run, session and number of the last failure that was told: it may be sent again.
    told: Option<(RunId, Session, u64)>,
}

impl Observer<Agent> for LogAgent {
    fn input(&mut self, _: Now, input: &Input) {
        match input {
            Input::Opened(stream) => debug!(stream = stream.0, "a controller opened a stream"),
            Input::Received(_, message) => match &message.body {
                Control::Configure(configure) => {
                    info!(run = %message.run, agent = configure.agent_id, "a controller configures this agent");
                }
                Control::Start { stage, .. } | Control::Begin { stage } => {
                    debug!(stage, "told to begin a stage")
                }
                Control::Abort { reason } => info!(reason, "told to stop"),
                _ => {}
            },
            Input::Closed(stream, gone) => debug!(stream = stream.0, ?gone, "a stream is gone"),
            Input::Shutdown => info!("told to end"),
            Input::Engine(..) | Input::Timeout => {}
        }
    }

    fn output(&mut self, _: Now, output: &Output) {
        match output {
            Output::Entered { from, to } => info!("{from} → {to}"),
            Output::Warn(text) => warn!("{text}"),
            Output::Send(_, message) => match &message.body {
                Report::Error { failure, .. } => {
                    let number = Some((message.run, message.session, message.sequence));
                    if std::mem::replace(&mut self.told, number) != number {
                        info!(class = %failure.class, "failed: {failure}");
                    }
                }
                Report::StageDone(totals) => debug!(stage = totals.stage, "a stage is done"),
                _ => {}
            },
            _ => {}
        }
    }

    fn settled(&mut self, _: Now, _: &Agent) {}
}
