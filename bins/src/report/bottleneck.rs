//! Whether this tool, and not the storage, set the limit.

use super::units;
use crate::results::{AgentStage, Results, StageResult};
use iobench_core::stats::summary::Scope;
use std::time::Duration;

/// A completion that waits longer than this for one of our threads is measured later than it happened.
const LAG_MAX: Duration = Duration::from_millis(5);
/// Longer than this is no slow thread.
const STANDSTILL: Duration = Duration::from_secs(1);
/// CPUs busier than this, in percent, have nothing left for more operations.
const BUSY_MAX: f64 = 90.0;
/// Where less than this share of a busy host's CPU time is our own, others are to blame.
const OWN_SHARE: f64 = 0.5;
/// More than this, in percent, is no share of one host's CPUs, however its time was measured.
const SHARE_MAX: f64 = 105.0;
/// Over less time than this, nothing can be said.
const JUDGED_FROM: Duration = Duration::from_millis(500);
/// A 99th percentile of response time this many times that of service time means that operations were late.
const LATE: f64 = 2.0;

/// What the measurements say about the tool itself.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bottleneck {
    /// Signs that it was the bottleneck, one sentence each; empty when there are none.
    pub signs: Vec<String>,
    /// The longest time a completion waited for this tool.
    pub lag: Duration,
    /// The busiest host's CPU in user and kernel, percent; `None` where no host could read it.
    pub busy: Option<f64>,
    /// Signs that something else on a host took the CPUs, one sentence each. An agent's stage has no sign of one kind and of
    /// the other, but that it stood still.
    pub disturbed: Vec<String>,
    /// Operations that started late against the set rate, one sentence a stage.
    pub late: Vec<String>,
}

/// Looks through all timed stages of all agents.
#[must_use]
pub fn bottleneck(results: &Results) -> Bottleneck {
    let mut found = Bottleneck::default();
    for stage in results.stages.iter().filter(|stage| stage.timed.is_some()) {
        for part in stage.agents.iter().filter(|part| part.measured.duration >= JUDGED_FROM) {
            found.look(results, stage, part);
        }
        found.late.extend(late(stage));
    }
    found
}

impl Bottleneck {
    fn look(&mut self, results: &Results, stage: &StageResult, part: &AgentStage) {
        let who = match results.agents.len() {
            1 => stage.name.clone(),
            _ => format!("{} in {}", results.agent_id(part.agent), stage.name),
        };
        let lag = Duration::from_nanos(part.totals.lag);
        self.lag = self.lag.max(lag);
        let waited = units::latency(part.totals.lag as f64 / 1_000.0);
        let busy = part.totals.cpu.map(|cpu| f64::from(cpu.user.saturating_add(cpu.system)) / 100.0);
        self.busy = [self.busy, busy].into_iter().flatten().reduce(f64::max);
        let own = share(results, stage, part, |_| false);
        let ours = on_host(results, stage, part);
        if lag > STANDSTILL {
            self.signs.push(format!(
                "{who}: this tool stood still for {waited} (stopped, or given no CPU); its rates include that time"
            ));
        }
        let late = lag > LAG_MAX && lag <= STANDSTILL;
        match (busy.filter(|&busy| busy > BUSY_MAX), ours) {
            // Where others have the CPUs, that is also why a completion waits for one.
            (Some(busy), Some(ours)) if ours < OWN_SHARE * busy => {
                let late =
                    if late { format!(", and a completion waited {waited} for one") } else { String::new() };
                self.disturbed.push(format!(
                    "{who}: the host's CPUs were {busy:.0} % busy, {ours:.0} % by this tool{late}"
                ));
                return;
            }
            (Some(busy), Some(ours)) => {
                self.signs
                    .push(format!("{who}: the host's CPUs were {busy:.0} % busy, {ours:.0} % by this tool"));
            }
            (Some(busy), None) => {
                self.signs
                    .push(format!("{who}: the host's CPUs were {busy:.0} % busy; by whom is not known"));
            }
            (None, _) => {
                if let Some(own) = own.filter(|&own| own > BUSY_MAX) {
                    self.signs.push(format!("{who}: this tool used {own:.0} % of the CPUs it may use"));
                }
            }
        }
        if late {
            self.signs.push(format!("{who}: a completion waited {waited} for a thread of this tool"));
        }
    }
}

/// The share of the CPUs of an agent's host that this tool used there, in all its agents, percent. Agents may have CPUs of
/// their own on one host, and several machines one name: where together they have more than there is, it is this one's.
fn on_host(results: &Results, stage: &StageResult, part: &AgentStage) -> Option<f64> {
    let host = &results.agents.get(part.agent.0 as usize)?.capabilities.host;
    let beside = |other: &AgentStage| {
        let other = results.agents.get(other.agent.0 as usize);
        !host.is_empty() && other.is_some_and(|other| other.capabilities.host == *host)
    };
    let all = share(results, stage, part, beside).filter(|&all| all <= SHARE_MAX);
    all.map(|all| all.min(100.0)).or_else(|| share(results, stage, part, |_| false))
}

/// The share of the CPUs which an agent may use that it used, and the agents beside it, percent.
fn share(
    results: &Results,
    stage: &StageResult,
    part: &AgentStage,
    beside: impl Fn(&AgentStage) -> bool,
) -> Option<f64> {
    let cores = results.agents.get(part.agent.0 as usize)?.capabilities.cores;
    let counted = stage.agents.iter().filter(|other| other.agent == part.agent || beside(other));
    let used: u64 = counted.map(|other| other.totals.process_cpu).sum();
    let available = part.measured.duration.as_secs_f64() * f64::from(cores);
    (available > 0.0).then(|| 100.0 * used as f64 / 1e9 / available)
}

/// The operation that was late most, if any was.
fn late(stage: &StageResult) -> Option<String> {
    let operations = stage.total.rows.iter().filter_map(|row| match row.scope {
        Scope::Operation(operation) => Some((operation, row.service.p99, row.response?.p99)),
        Scope::Band(..) | Scope::Group(_) => None,
    });
    let late = operations.filter(|(_, service, response)| *response > LATE * service);
    let (operation, service, response) = late.max_by(|a, b| (a.2 / a.1).total_cmp(&(b.2 / b.1)))?;
    Some(format!(
        "{}: {operation} ran late: p99 {} from its schedule, {} from its issue; lower the rate",
        stage.name,
        units::latency(response),
        units::latency(service)
    ))
}
