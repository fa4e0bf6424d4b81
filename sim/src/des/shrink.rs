//! Makes a failing scenario small: what can be left out or made shorter while it still fails is.

use super::scenario::{Nanos, SECOND, Scenario};
use super::world::run;

/// No time is halved to less than this.
const SOONEST: Nanos = SECOND / 10;

/// The smallest scenario found that violates the same invariant. Gives it back as it is if it violates none.
#[must_use]
pub fn shrink(scenario: &Scenario) -> Scenario {
    let Some(checker) = first_checker(scenario) else { return scenario.clone() };
    let fails = |candidate: &Scenario| first_checker(candidate) == Some(checker);
    let mut best = scenario.clone();
    while let Some(smaller) = smaller(&best).into_iter().find(&fails) {
        best = smaller;
    }
    best
}

fn first_checker(scenario: &Scenario) -> Option<&'static str> {
    run(scenario).violations.first().map(|violation| violation.checker)
}

/// Each simplification by itself, the greatest first.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let with = |change: &dyn Fn(&mut Scenario)| {
        let mut changed = scenario.clone();
        change(&mut changed);
        changed
    };
    let mut all = Vec::new();
    if scenario.again {
        all.push(with(&|it| it.again = false));
    }
    if scenario.ghosts_ppm > 0 {
        all.push(with(&|it| it.ghosts_ppm = 0));
    }
    let last = scenario.hosts.len() - 1;
    if last > 0 && scenario.schedule.iter().all(|(_, fault)| fault.host() != Some(last)) {
        all.push(with(&|it| it.hosts.truncate(last)));
    }
    for index in 0..scenario.schedule.len() {
        all.push(with(&|it| {
            it.schedule.remove(index);
        }));
        if let Some(half) = scenario.schedule[index].1.halved() {
            all.push(with(&|it| it.schedule[index].1 = half.clone()));
        }
        // Sooner, but never before the fault ahead of it, and never for ever.
        let (at, before) = (scenario.schedule[index].0 / 2, index.checked_sub(1));
        if at >= SOONEST && before.is_none_or(|before| scenario.schedule[before].0 <= at) {
            all.push(with(&|it| it.schedule[index].0 = at));
        }
    }
    let last = scenario.schedule.last().map_or(0, |(at, _)| *at);
    if scenario.healed_at / 2 > last.max(SOONEST) {
        all.push(with(&|it| it.healed_at /= 2));
    }
    all
}
