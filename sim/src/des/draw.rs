//! From a seed to a scenario. A swarm: the seed first decides which kinds of fault there are at all, so that rare
//! combinations are not drowned by the sum of all kinds.

use super::dice::Dice;
use super::scenario::{Fault, HostSpec, Nanos, SECOND, Scenario, Way};
use iobench_core::controller::Lead;
use iobench_core::plan::{Outline, Policy, StageOutline, Timeouts};
use iobench_core::time::nanos;
use std::time::Duration;

const MILLI: Nanos = 1_000_000;
/// Kinds of fault, the arms of [`fault`].
const KINDS: u64 = 24;
/// Of several strangers at most so many: an agent lets eight streams wait.
const IDLERS: usize = 3;

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let agents = *dice.pick(&[1, 1, 2, 2, 2, 2, 3, 3, 3, 4]);
        let timeouts = if dice.once_in(2) { Timeouts::default() } else { timeouts(&mut dice) };
        let outline = outline(&mut dice, timeouts);
        let latency = latency(&mut dice, &timeouts);
        let exhausted = dice.once_in(100);
        let hosts: Vec<_> = (0..agents).map(|index| host(&mut dice, exhausted && index == 0)).collect();
        let alone = agents == 1 && dice.once_in(3);
        let lead = if alone { Lead::AtOnce } else { Lead::Ahead(lead(&mut dice)) };
        let mut scenario = Self {
            seed,
            outline,
            policy: Policy {
                min_alive_ppm: *dice.pick(&[500_000, 500_000, 0, 340_000, 1_000_000]),
                max_invalid_per_minute: *dice.pick(&[100, 20]),
            },
            lead,
            hosts,
            latency,
            ghosts_ppm: *dice.pick(&[0, 20_000, 100_000]),
            schedule: Vec::new(),
            healed_at: 0,
            again: !exhausted && dice.once_in(5),
        };
        scenario.schedule(&mut dice);
        scenario
    }

    fn schedule(&mut self, dice: &mut Dice) {
        let kinds: Vec<u64> = (0..KINDS).filter(|_| dice.once_in(6)).collect();
        let faults = if kinds.is_empty() { 0 } else { dice.below(6) };
        let nominal = self.nominal();
        for _ in 0..faults {
            let kind = *dice.pick(&kinds);
            let at = dice.below(nominal + nominal / 8);
            let fault = fault(dice, kind, self.hosts.len());
            if let Fault::NeverStops { host, lasting } = fault {
                // Only what makes it stop shows it, and only who comes then sees it.
                self.schedule.push((at + dice.below(lasting), Fault::Reset { host }));
                self.schedule.push((at + dice.below(lasting), Fault::Rival { host, lasting: SECOND }));
            }
            let idlers =
                self.schedule.iter().filter(|(_, other)| matches!(other, Fault::Idler { .. })).count();
            if !(matches!(fault, Fault::Idler { .. }) && idlers == IDLERS) {
                self.schedule.push((at, fault));
            }
        }
        let backs_up = |fault: &Fault| {
            matches!(fault, Fault::SlowDisk { .. } | Fault::DiskFull { .. } | Fault::StallController { .. })
        };
        if self.schedule.iter().any(|(_, fault)| backs_up(fault)) && dice.once_in(4) {
            // More intervals than an agent may send ahead of acknowledgement.
            self.outline.interval = Duration::from_millis(100);
        }
        if !self.schedule.is_empty() {
            // An agent that is not acknowledged sends no intervals: a long end of a stage looks like an engine that hangs.
            let hung = nanos(self.outline.timeouts.hung);
            self.hosts.iter_mut().for_each(|host| host.tail = host.tail.min(hung - 8 * SECOND));
        }
        self.schedule.sort_by_key(|(at, _)| *at);
        let last = self.schedule.last().map_or(0, |(at, _)| *at);
        self.healed_at = last + dice.between(0, 60) * SECOND;
    }

    /// How long the run takes if nothing happens.
    fn nominal(&self) -> Nanos {
        let validate = self.hosts.iter().map(|host| host.validate).max().unwrap_or(0);
        let lead = match self.lead {
            Lead::AtOnce => 0,
            Lead::Ahead(lead) => nanos(lead),
        };
        let timed = self.outline.stages.iter().filter_map(|stage| stage.timed);
        let timed: Nanos = timed.map(|timed| nanos(timed) + lead + 20 * self.latency.1).sum();
        validate + self.untimed() + timed + 10 * self.latency.1
    }
}

/// Deadlines under eight seconds are not drawn: a controller that is stopped for less than six may not notice it
/// (it was to wake up for its next Pings only, and a second later), and then blames its agents.
fn timeouts(dice: &mut Dice) -> Timeouts {
    let mut seconds = |least: u64, most: u64| Duration::from_millis(dice.between(least * 1000, most * 1000));
    Timeouts {
        connect: seconds(1, 5),
        stream: seconds(1, 15),
        idle: Timeouts::default().idle,
        progress: seconds(9, 30),
        ready: seconds(12, 60),
        first_stats: seconds(8, 10),
        silence: seconds(8, 10),
        ping: seconds(1, 5),
        hung: seconds(10, 60),
        lease: seconds(14, 30),
        abort: seconds(1, 3),
        abort_wait: seconds(2, 5),
        ping_tries: u32::try_from(dice.between(2, 3)).expect("at most three"),
    }
}

fn outline(dice: &mut Dice, timeouts: Timeouts) -> Outline {
    let mut timed = |name: &str| StageOutline {
        name: name.to_owned(),
        timed: Some(Duration::from_millis(dice.between(500, 4_000))),
    };
    let (one, two) = (timed("one"), timed("two"));
    let untimed = |name: &str| StageOutline { name: name.to_owned(), timed: None };
    let (prepare, cleanup) = (untimed("prepare"), untimed("cleanup"));
    let stages = match dice.below(8) {
        0 => vec![one],
        1 => vec![prepare, one, two],
        2 => vec![prepare, one, cleanup],
        3 => vec![prepare, one, cleanup, two],
        4 if dice.once_in(2) => vec![prepare],
        _ => vec![prepare, one],
    };
    let interval = Duration::from_millis(*dice.pick(&[1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 2_000, 500]));
    Outline { stages, interval, timeouts }
}

/// Never so high that an answer could be late.
fn latency(dice: &mut Dice, timeouts: &Timeouts) -> (Nanos, Nanos) {
    let shortest = timeouts.ping.min(timeouts.connect).min(timeouts.stream).min(timeouts.silence);
    let bound = nanos(shortest) / 3 - 100 * MILLI;
    let most = dice.between(1, *dice.clone().pick(&[5, 50, 50, 400, 2_000])) * MILLI;
    let most = most.min(bound);
    (dice.below(most), most)
}

fn lead(dice: &mut Dice) -> Duration {
    Duration::from_millis(*dice.clone().pick(&[10_000, 10_000, 3_000, 250]) + dice.below(500))
}

fn host(dice: &mut Dice, exhausted: bool) -> HostSpec {
    let prepare = match dice.below(60) {
        0 => dice.between(20_000, 90_000),
        1..8 => dice.between(2_000, 8_000),
        _ => dice.between(50, 2_000),
    };
    // Of a copy: it moves no draw that follows.
    let mut tails = dice.clone();
    let tail = if tails.once_in(20) { tails.between(1_000, 90_000) } else { 0 };
    HostSpec {
        tail: tail * MILLI,
        clock: dice.below(1 << 50),
        drift_ppm: dice.signed(200),
        wall: dice.signed(10_000) * 1_000_000,
        rate: dice.between(20, 5_000),
        validate: dice.between(1, 1_500) * MILLI,
        prepare: prepare * MILLI,
        first_sequence: if exhausted { u64::MAX - dice.between(1, 30) } else { 0 },
    }
}

fn lasting(dice: &mut Dice) -> Nanos {
    let (least, most) =
        *dice.pick(&[(50, 1_000), (50, 1_000), (1_000, 8_000), (8_000, 40_000), (40_000, 90_000)]);
    dice.between(least, most) * MILLI
}

fn fault(dice: &mut Dice, kind: u64, hosts: usize) -> Fault {
    let host = usize::try_from(dice.below(hosts as u64)).expect("below a length");
    let way = *dice.pick(&[Way::Both, Way::Both, Way::Down, Way::Up]);
    let one_way = *dice.pick(&[Way::Down, Way::Up]);
    let lasting = lasting(dice);
    let few = u32::try_from(dice.between(1, 6)).expect("at most six");
    match kind {
        0 => Fault::Hold { host, way, lasting },
        1 => Fault::Lose { host, way, lasting },
        2 => Fault::Slow { host, extra: dice.between(1, 2_000) * MILLI, lasting },
        3 => Fault::Deaf { host, lasting },
        4 => Fault::Reset { host },
        5 => Fault::CrashAgent { host, fin: true, down: lasting },
        6 => Fault::CrashAgent { host, fin: false, down: lasting },
        7 => Fault::CrashController { fin: dice.once_in(2) },
        8 => Fault::StallAgent { host, lasting },
        9 => Fault::StallController { lasting },
        10 => {
            Fault::StepClock { host: (!dice.once_in(3)).then_some(host), by: dice.signed(20_000) * 1_000_000 }
        }
        11 => Fault::DiskFull { lasting },
        12 => Fault::SlowDisk { extra: dice.between(10, 20_000) * MILLI, lasting },
        13 => Fault::EngineHangs { host, lasting },
        14 => Fault::StorageStalls { host, lasting },
        15 => Fault::NeverStops { host, lasting },
        16 => Fault::EngineFails { host },
        17 => Fault::Rejects { host },
        18 => Fault::Garble { host, way: one_way, count: few },
        19 => Fault::Noise { host, way: one_way, count: *dice.pick(&[1, 10, 40, 150]) },
        20 => Fault::Repeat { host, way: one_way, count: few },
        21 => Fault::Interrupt,
        22 => Fault::Rival { host, lasting: lasting.min(20 * SECOND) },
        _ if dice.once_in(2) => Fault::Idler { host },
        _ => Fault::Shutdown { host, down: lasting },
    }
}
