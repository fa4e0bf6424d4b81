//! Invariant 9: a run that was not condemned completes on every agent that nothing has harmed.

use super::{Checker, PerHost, Seen, Verdict};
use iobench_core::controller::{AgentEnd, Label, Outcome, Output};
use iobench_core::time::Mono;

/// Remembers whom a fault may have harmed.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    healed: bool,
    everyone: bool,
    harmed: PerHost<bool>,
}

impl Checker for Liveness {
    const NAME: &'static str = "liveness";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            // What was healed may have left its mark on the run in progress, but not on the next.
            Seen::RunBegins { .. } if self.healed => *self = Self::default(),
            Seen::Fault { host, harmless: false, .. } => match host {
                Some(host) => *self.harmed.at(*host) = true,
                None => self.everyone = true,
            },
            Seen::Healed => self.healed = true,
            Seen::ControllerOutput(_, Output::Finish(outcome)) => {
                return self.judge(outcome);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Liveness {
    fn judge(&mut self, outcome: &Outcome) -> Verdict {
        if self.everyone {
            return Ok(());
        }
        let nobody = self.harmed.0.iter().all(|harmed| !harmed);
        if nobody && !matches!(outcome.exit.code(), 0 | 7) {
            return Err(format!(
                "nothing harmed anyone, but the run ends with {}: {}",
                outcome.exit.code(),
                outcome.cause
            ));
        }
        // When the run is stopped the others are aborted; whoever is called failed is a cause of it.
        let stopped = matches!(outcome.label, Label::Aborted | Label::Unrepresentative);
        for (index, agent) in outcome.agents.iter().enumerate() {
            let blamed = agent.end == AgentEnd::Failed || (agent.end == AgentEnd::Aborted && !stopped);
            if blamed && !*self.harmed.at(index) {
                return Err(format!("nothing harmed agent {index}, but it failed: {}", agent.reason));
            }
        }
        Ok(())
    }
}
