//! What makes something in the world go wrong, or right again.

use super::World;
use crate::checkers::Seen;
use crate::faults::Fault;
use crate::state::{Host, with};
use iobench_core::agent::StateName;
use iobench_core::time::nanos;
use std::time::Duration;

/// For so long in all a controller may stand still, and no agent's lease runs out: less than three quarters of it.
const HARMLESS_STALL: Duration = Duration::from_secs(20);

impl World<'_> {
    /// Makes something go wrong, or right again.
    pub fn inject(&mut self, fault: Fault) {
        let (host, mut harmless, delay) = fault.harm();
        if let Fault::Stall(Host::Controller(_), time) = fault {
            self.stood += time;
            harmless = self.stood <= HARMLESS_STALL;
        }
        if fault == Fault::Rival {
            // Whom the run holds, nobody else gets.
            harmless = self.agents().all(|agent| self.is_held(agent));
        }
        self.see(&Seen::Fault { host, harmless, delay });
        self.apply(fault);
    }

    fn apply(&mut self, fault: Fault) {
        let truth = nanos(self.now());
        with(|state| state.trace.line(truth, &"world", format_args!("! {fault:?}")));
        let ctl = Host::Controller(0).to_string();
        let name = |agent: usize| Host::Agent(agent).to_string();
        match fault {
            Fault::Hold(agent) => self.sim.hold(ctl, name(agent)),
            Fault::Release(agent) => self.sim.release(ctl, name(agent)),
            Fault::Partition(agent) => self.sim.partition(ctl, name(agent)),
            Fault::PartitionToController(agent) => self.sim.partition_oneway(name(agent), ctl),
            Fault::PartitionToAgent(agent) => self.sim.partition_oneway(ctl, name(agent)),
            Fault::Repair(agent) => self.sim.repair(ctl, name(agent)),
            Fault::Latency(agent, latency) => self.sim.set_link_latency(ctl, name(agent), latency),
            Fault::Jitter(agent, most) => self.sim.set_link_max_message_latency(ctl, name(agent), most),
            Fault::Close(agent) => self.agent(agent, |host| host.cuts.closed += 1),
            Fault::Reset(agent) => self.agent(agent, |host| host.cuts.reset += 1),
            Fault::Crash(agent) => self.kill_agent(agent),
            Fault::Vanish(agent) => {
                self.sim.partition(ctl, name(agent));
                self.kill_agent(agent);
            }
            Fault::Restart(agent) => {
                self.sim.repair(ctl, name(agent));
                self.sim.bounce(name(agent));
            }
            Fault::CrashController => self.kill_controller(),
            Fault::VanishController => {
                for agent in self.agents() {
                    self.sim.partition(ctl.clone(), name(agent));
                }
                self.kill_controller();
            }
            Fault::Stall(host, time) => with(|state| {
                state.hardware(host).stop(truth, time);
                if let Some(process) = state.process(host) {
                    state.see(truth, &Seen::Stalled(process));
                    state.resuming.push((truth + nanos(time), process));
                }
            }),
            Fault::StepClock(host, by) => with(|state| state.hardware(host).step(by)),
            Fault::Drift(host, ppm) => with(|state| state.hardware(host).drift(truth, ppm)),
            Fault::Interrupt => {
                let handle = self.controller(|host| host.handle.clone());
                handle.expect("the controller runs").interrupt();
            }
            Fault::DiskFails(cause) => self.controller(|host| host.disk.fails = Some(cause)),
            Fault::DiskSlow(latency) => self.controller(|host| host.disk.latency = latency),
            Fault::EngineHangs(agent) => self.agent(agent, |host| host.engine.hang(truth)),
            Fault::EngineRecovers(agent) => self.agent(agent, |host| host.engine.recover(truth)),
            Fault::PrepareStuck(agent) => self.agent(agent, |host| host.engine.stuck = true),
            Fault::OperationsStuck(agent) => self.agent(agent, |host| host.engine.held = true),
            Fault::OperationsReturn(agent) => self.agent(agent, |host| host.engine.held = false),
            Fault::Rival => {
                let (yaml, overrides) =
                    self.controller(|host| (host.order.yaml.clone(), host.order.overrides.clone()));
                self.order(&yaml, &overrides);
            }
            Fault::StorageStalls(agent, time) => {
                self.agent(agent, |host| host.engine.stalls.push((truth, truth + nanos(time))));
            }
            Fault::StageFails(agent, failure) => self.agent(agent, |host| host.engine.fails = Some(failure)),
        }
    }

    /// Whether a fault has an object: who is down cannot die, and nobody restarts who is up.
    #[must_use]
    pub fn can(&self, fault: &Fault) -> bool {
        let up = |agent: usize| self.agent(agent, |host| host.inbox.is_some());
        match *fault {
            Fault::Crash(agent) | Fault::Vanish(agent) => up(agent),
            Fault::Restart(agent) => !up(agent),
            Fault::EngineHangs(agent) | Fault::StageFails(agent, _) => self.works(agent),
            Fault::CrashController | Fault::VanishController | Fault::Interrupt => {
                !self.controller(|host| host.gone)
            }
            Fault::Stall(host, _) => {
                let truth = nanos(self.now());
                with(|state| state.hardware(host).stands_until(truth)).is_none()
            }
            _ => true,
        }
    }

    /// Ends all that disturbs: network, engines, and who is down is started. The checkers are told.
    pub fn heal(&mut self) {
        for agent in self.agents() {
            self.apply(Fault::Release(agent));
            self.apply(Fault::Repair(agent));
            self.apply(Fault::Latency(agent, Duration::from_millis(2)));
            self.apply(Fault::EngineRecovers(agent));
            self.apply(Fault::OperationsReturn(agent));
            self.agent(agent, |host| (host.engine.stuck, host.engine.fails) = (false, None));
            if self.can(&Fault::Restart(agent)) {
                self.apply(Fault::Restart(agent));
            }
        }
        self.controller(|host| host.disk.latency = Duration::from_millis(2));
        self.see(&Seen::Healed);
    }

    /// Whether the first controller's run holds an agent.
    fn is_held(&self, agent: usize) -> bool {
        let run = self.controller(|host| host.order.run);
        let states = [StateName::ConfigReceived, StateName::Ready, StateName::Running];
        self.agent(agent, |host| host.inbox.is_some() && host.run == run && states.contains(&host.state))
    }

    fn kill_agent(&mut self, agent: usize) {
        let now = self.now();
        self.sim.crash(Host::Agent(agent).to_string());
        self.agent(agent, |host| {
            host.engine.killed(now);
            host.inbox = None;
        });
        self.down(Host::Agent(agent));
        self.see(&Seen::LoadEnds { host: agent });
    }

    fn kill_controller(&mut self) {
        self.sim.crash(Host::Controller(0).to_string());
        self.controller(|host| {
            (host.inbox, host.handle) = (None, None);
            host.gone = true;
        });
        self.down(Host::Controller(0));
    }
}
