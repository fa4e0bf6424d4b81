//! Any message that a controller or an agent may send.

use iobench_core::message::{
    AgentMessage, Capabilities, Configure, Control, ControlMessage, Failure, FailureClass, Ping, Pong,
    Progress, Report, RunId, Session, StartAt,
};
use iobench_core::stats::{
    Band, Cell, CpuShare, Encoded, EndpointTally, ErrorClass, ErrorCount, Interval, Operation, StageTotals,
    Tally,
};
use iobench_core::time::{Mono, Unix};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use std::time::Duration;

/// The same messages in every run, so that a failure is there again the next time.
pub(super) fn repeatable() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(7420),
        cases: 1000,
        failure_persistence: None,
        ..Default::default()
    }
}

pub(super) fn control_message() -> impl Strategy<Value = ControlMessage> {
    (any::<u128>(), any::<u64>(), control()).prop_map(|(run, session, body)| ControlMessage {
        run: RunId(run),
        session: Session(session),
        body,
    })
}

fn control() -> impl Strategy<Value = Control> {
    let start_at = (mono(), any::<u64>()).prop_map(|(mono, unix)| StartAt { mono, unix: Unix(unix) });
    prop_oneof![
        configure().prop_map(|configure| Control::Configure(Box::new(configure))),
        any::<u32>().prop_map(|stage| Control::Begin { stage }),
        (any::<u32>(), option::of(start_at)).prop_map(|(stage, at)| Control::Start { stage, at }),
        (any::<u64>(), mono(), option::of(mono()), option::of(any::<u64>())).prop_map(
            |(number, stamp, newest, again_from)| Control::Ping(Ping { number, stamp, newest, again_from })
        ),
        any::<u64>().prop_map(|sequence| Control::Acknowledge { sequence }),
        text().prop_map(|reason| Control::Abort { reason }),
        any::<u64>().prop_map(|sequence| Control::Attach { sequence }),
    ]
}

fn configure() -> impl Strategy<Value = Configure> {
    (text(), vec(text(), 0..4), text(), any::<u32>(), any::<u32>(), any::<u64>(), any::<u64>()).prop_map(
        |(yaml, overrides, agent_id, index, count, seed, lease)| Configure {
            yaml,
            overrides,
            agent_id,
            index,
            count,
            seed,
            lease: Duration::from_nanos(lease),
        },
    )
}

pub(super) fn agent_message() -> impl Strategy<Value = AgentMessage> {
    (any::<u128>(), any::<u64>(), any::<u64>(), mono(), option::of(any::<u64>()), report()).prop_map(
        |(run, session, sequence, stamp, kept_before, body)| AgentMessage {
            run: RunId(run),
            session: Session(session),
            sequence,
            stamp,
            kept_before,
            body,
        },
    )
}

fn report() -> impl Strategy<Value = Report> {
    let totals = || vec(stage_totals(), 0..3);
    prop_oneof![
        capabilities().prop_map(|capabilities| Report::Accepted(Box::new(capabilities))),
        any::<[u64; 5]>().prop_map(|[objects, objects_total, bytes, bytes_total, steps]| {
            Report::Preparing(Progress { stage: 3, objects, objects_total, bytes, bytes_total, steps })
        }),
        stage_totals().prop_map(|totals| Report::StageDone(Box::new(totals))),
        any::<u64>().prop_map(|unix| Report::Ready { unix: Unix(unix) }),
        interval().prop_map(|interval| Report::Running(Box::new(interval))),
        totals().prop_map(|totals| Report::Completed { totals }),
        (failure(), totals()).prop_map(|(failure, totals)| Report::Error { failure, totals }),
        (text(), totals()).prop_map(|(reason, totals)| Report::Aborted { reason, totals }),
        (any::<u64>(), mono(), mono(), mono()).prop_map(|(number, stamp, received, sent)| {
            Report::Acknowledge(Pong { number, stamp, received, sent })
        }),
    ]
}

fn capabilities() -> impl Strategy<Value = Capabilities> {
    (text(), text(), any::<u32>(), any::<u64>(), facts(), vec(text(), 0..3)).prop_map(
        |(version, host, cores, memory, facts, warnings)| Capabilities {
            version,
            host,
            cores,
            memory,
            facts,
            warnings,
        },
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    use FailureClass::*;
    let class = select(vec![Config, Storage, Resource, Protocol, Timeout, Busy, ControllerLost, Internal]);
    (class, text(), text()).prop_map(|(class, message, next_step)| Failure { class, message, next_step })
}

fn interval() -> impl Strategy<Value = Interval> {
    (any::<[u32; 2]>(), any::<[u64; 6]>(), any::<bool>(), tally(), cpu()).prop_map(
        |([stage, merged], [from, to, in_flight, oldest, process_cpu, lag], warmup, tally, cpu)| Interval {
            stage,
            from: Mono(from),
            to: Mono(to),
            warmup,
            tally,
            in_flight,
            oldest,
            cpu,
            process_cpu,
            lag,
            merged,
        },
    )
}

fn stage_totals() -> impl Strategy<Value = StageTotals> {
    (any::<u32>(), any::<[u64; 4]>(), tally(), cpu(), facts()).prop_map(
        |(stage, [from, to, process_cpu, lag], tally, cpu, facts)| StageTotals {
            stage,
            from: Mono(from),
            to: Mono(to),
            tally,
            cpu,
            process_cpu,
            lag,
            facts,
        },
    )
}

fn tally() -> impl Strategy<Value = Tally> {
    (cells(), errors(), any::<[u64; 3]>(), endpoints()).prop_map(
        |(cells, errors, [retries, retry_time, cancelled], endpoints)| Tally {
            cells,
            errors,
            retries,
            retry_time,
            cancelled,
            endpoints,
        },
    )
}

fn endpoints() -> impl Strategy<Value = Vec<EndpointTally>> {
    btree_map(text(), (any::<[u64; 4]>(), histogram()), 0..4).prop_map(|endpoints| {
        let endpoints = endpoints.into_iter();
        endpoints
            .map(|(name, ([count, bytes, errors, service_sum], service))| EndpointTally {
                name,
                count,
                bytes,
                errors,
                service_sum,
                service,
            })
            .collect()
    })
}

fn cells() -> impl Strategy<Value = Vec<Cell>> {
    let band = (0..Band::COUNT as u32).prop_map(|index| Band::from_index(index).expect("below the count"));
    let key = (select(&Operation::ALL), band);
    let content = (1..=u64::MAX, any::<[u64; 2]>(), histogram(), histogram());
    btree_map(key, content, 0..5).prop_map(|cells| {
        let cells = cells.into_iter();
        cells
            .map(|((operation, band), (count, [bytes, service_sum], service, response))| Cell {
                operation,
                band,
                count,
                bytes,
                service_sum,
                service,
                response,
            })
            .collect()
    })
}

fn errors() -> impl Strategy<Value = Vec<ErrorCount>> {
    let key = (select(&Operation::ALL), select(&ErrorClass::ALL), any::<u32>());
    btree_map(key, 1..=u64::MAX, 0..5).prop_map(|errors| {
        let errors = errors.into_iter();
        errors.map(|((operation, class, code), count)| ErrorCount { operation, class, code, count }).collect()
    })
}

fn histogram() -> impl Strategy<Value = Encoded> {
    vec(any::<u8>(), 0..40).prop_map(Encoded)
}

fn cpu() -> impl Strategy<Value = Option<CpuShare>> {
    option::of(any::<[u32; 3]>().prop_map(|[user, system, iowait]| CpuShare { user, system, iowait }))
}

fn facts() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((text(), text()), 0..4)
}

fn mono() -> impl Strategy<Value = Mono> {
    any::<u64>().prop_map(Mono)
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(String::from_iter)
}
