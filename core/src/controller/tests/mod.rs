//! A controller and its agents, run by run, on virtual time; by subject.

mod again;
mod failures;
mod interrupts;
mod journal;
mod messages;
mod start;

use crate::agent::StateName;
use crate::harness::Harness;

fn started(agents: usize) -> Harness {
    let mut harness = Harness::new(agents);
    harness.begin();
    harness.run_until("load on all agents", |h| h.hosts.iter().all(|host| !host.began.is_empty()));
    harness.run_for(5);
    harness
}

fn all_idle(harness: &Harness) -> bool {
    harness.hosts.iter().all(|host| host.dead || host.machine.status().state == StateName::Idle)
}
