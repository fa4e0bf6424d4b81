//! An engine hears nothing after Stop in one epoch, at most one stage runs, and epochs only grow.

use super::{Checker, PerHost, Process, Seen, Verdict};
use iobench_core::agent::{Input, Output};
use iobench_core::engine::{EngineCommand, EngineEvent, Epoch};
use iobench_core::time::Mono;

/// Follows the commands to each engine.
#[derive(Debug, Default)]
pub(super) struct EngineStop {
    hosts: PerHost<Engine>,
}

#[derive(Debug, Default)]
struct Engine {
    epoch: Epoch,
    stopped: bool,
    busy: bool,
    /// It owes the answer to Stop.
    owes: bool,
}

impl Checker for EngineStop {
    const NAME: &'static str = "engine_stop";

    #[inline(always)]
    fn see(&mut self, _: Mono, seen: &Seen<'_>) -> Verdict {
        match seen {
            Seen::Up(Process::Agent(host)) => *self.hosts.at(*host) = Engine::default(),
            Seen::AgentInput(host, _, Input::Engine(epoch, event)) => {
                let engine = self.hosts.at(*host);
                // What has failed has stopped, too.
                let stops = matches!(event, EngineEvent::Stopped { .. } | EngineEvent::Failed { .. });
                engine.owes &= !(*epoch == engine.epoch && stops);
                let ends = matches!(
                    event,
                    EngineEvent::Validated { .. } | EngineEvent::StageDone(_) | EngineEvent::Failed { .. }
                );
                if *epoch == engine.epoch && ends {
                    engine.busy = false;
                }
            }
            Seen::AgentOutput(host, _, Output::Engine(epoch, command)) => {
                let engine = self.hosts.at(*host);
                if matches!(command, EngineCommand::Validate(_)) {
                    if *epoch <= engine.epoch {
                        return Err(format!("agent {host} begins a run in epoch {} again", epoch.0));
                    }
                    let stuck = engine.owes;
                    *engine = Engine { epoch: *epoch, busy: true, ..Engine::default() };
                    if stuck {
                        return Err(format!("agent {host} begins a run before its engine has stopped"));
                    }
                    return Ok(());
                }
                if *epoch != engine.epoch {
                    return Err(format!("agent {host} commands epoch {}, not {}", epoch.0, engine.epoch.0));
                }
                if engine.stopped {
                    return Err(format!("agent {host} sends {command:?} after Stop"));
                }
                match command {
                    EngineCommand::Run { stage } if engine.busy => {
                        return Err(format!("agent {host} runs stage {stage} while the engine is at work"));
                    }
                    EngineCommand::Run { .. } => engine.busy = true,
                    EngineCommand::Stop => (engine.stopped, engine.owes) = (true, true),
                    EngineCommand::Validate(_) | EngineCommand::Arm { .. } => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}
