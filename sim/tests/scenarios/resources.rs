//! 14 to 16: resources.

use crate::judge::*;
use iobench::results::journal::{self, MAGIC};
use iobench::results::{Condition, Directory, Place, Record, Results, ResultsWriter, Sink, Source};
use iobench_backends::LocalEngine;
use iobench_core::agent::StateName;
use iobench_core::controller::{AgentEnd, Label, Level};
use iobench_core::engine::{Engine, EngineCommand, EngineEvent, Epoch};
use iobench_core::message::{Configure, Failure, FailureClass};
use iobench_core::stats::Ledger;
use sim::faults::Fault;
use sim::world::{Cluster, Ending, World, simulate};
use std::io;
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// What the real engine says to a configuration that cannot fit into any memory.
fn real_refusal() -> Failure {
    let yaml = "target: mem://\nconcurrency: 65536\nprepare:\n  ensure_objects:\n    - {base_uri: d/, count: 1, size: 512GiB}\nworkload:\n  - {op: get, path: d/}\n";
    let (sender, events) = mpsc::channel();
    let answer = Arc::new(move |_, event| drop(sender.send(event)));
    let configure = Configure { yaml: yaml.to_owned(), count: 1, ..Configure::default() };
    let mut engine = LocalEngine::new(Instant::now(), answer);
    engine.command(Epoch(1), EngineCommand::Validate(Box::new(configure)));
    match events.recv().expect("an engine answers") {
        EngineEvent::Failed { failure, .. } => failure,
        other => panic!("65536 times 512 GiB fit: {other:?}"),
    }
}

pub(crate) fn settings_that_cannot_fit() {
    let refusal = real_refusal();
    assert_eq!(refusal.class, FailureClass::Resource, "{refusal}");
    simulate(&Cluster::of(3), |world| {
        world.agent(1, |host| host.engine.rejects = Some(refusal.clone()));
        world.disturb(Some(1));
        let end = world.ending();
        let words = [
            "agent-1",
            "65536 operations in flight with",
            "need",
            "of memory",
            "are available",
            "lower `concurrency`",
        ];
        ended(&end, 5, Label::Aborted, &words);
        told(world, Level::Error, &words);
        assert!(end.at < s(2), "refused up front: {:?}", end.at);
        assert_eq!(end.outcome.agents[1].end, AgentEnd::Failed);
        never_touched(world);
        [0, 2].into_iter().for_each(|index| was_aborted(world, index));
    });
    // The kernel kills an agent that took too much: scenarios 2 and 4.
    simulate(&Cluster::of(3), |world| {
        into_workload(world, s(5));
        world.inject(Fault::Crash(1));
        let end = world.ending();
        ended(&end, 2, Label::Partial, &["agent-1", "did its process or host die"]);
        only_failed(&end, &[1]);
        totals_are_true(world, &end);
    });
}

pub(crate) fn the_controller_is_flooded() {
    let hundred = Cluster::of(100).set("interval=100ms").set("duration=10s");
    simulate(&hundred, |world| {
        into_workload(world, s(1));
        world.inject(Fault::DiskSlow(ms(1_500)));
        let end = world.ending();
        all_completed(world, &end);
        assert_eq!(end.outcome.agents.len(), 100);
        let waiting = world.controller(|host| host.disk.longest);
        assert!(waiting <= 100 * 40 + 500, "what waits for the disk is bounded: {waiting}");
        assert!(execute(&end.results).agents.iter().all(|part| part.difference.is_none()), "{}", end.text);
    });
    // So slow that agents have to hold back: intervals are merged, which is said, and nothing is lost.
    simulate(&Cluster::of(10).set("interval=100ms").set("duration=20s"), |world| {
        into_workload(world, s(1));
        world.inject(Fault::DiskSlow(s(5)));
        let end = world.ending();
        all_completed(world, &end);
        let merged: u64 = end.outcome.agents.iter().map(|agent| agent.merged).sum();
        assert!(merged > 0, "they had to hold back");
        ended(&end, 0, Label::Complete, &["intervals arrived merged into others", "no operation is missing"]);
        assert!(execute(&end.results).agents.iter().all(|part| part.difference.is_none()), "{}", end.text);
        let waiting = world.controller(|host| host.disk.longest);
        assert!(waiting <= 10 * 40 + 100, "{waiting}");
    });
}

const FULL: &str = "cannot write /results/simulated/journal: No space left on device (os error 28)";

/// The disk is full from an instant on.
fn disk_full(into: Option<u64>) {
    simulate(&Cluster::of(3), |world| {
        match into {
            Some(seconds) => into_workload(world, s(seconds)),
            None => world.step(),
        }
        world.inject(Fault::DiskFails(FULL.to_owned()));
        let end = world.ending();
        assert_eq!(end.outcome.label, Label::Complete);
        assert_eq!(end.exit.code(), 7, "{}", end.text);
        told(
            world,
            Level::Error,
            &["results cannot be written", FULL, "the run goes on, its summary will be printed"],
        );
        for words in ["COMPLETE", "RESULTS NOT WRITTEN", FULL, "make room", "iobench report"] {
            assert!(end.text.contains(words), "{}", end.text);
        }
        totals_are_true(world, &end);
        still_readable(world, into.is_some());
        world.until_all(StateName::Idle);
        for agent in world.agents() {
            assert_eq!(
                world.agent(agent, |host| host.kept.len()),
                1,
                "agent {agent} keeps what was not confirmed"
            );
        }
        really_written(world, &end);
    });
}

/// What was on the disk before, by itself.
fn still_readable(world: &World<'_>, measured: bool) {
    let bytes = world.controller(|host| host.disk.bytes.clone());
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let path = directory.path().join("journal");
    std::fs::write(&path, bytes).expect("room for it");
    let place = Place::Directory(directory.path().to_owned());
    let results =
        Results::fold(&Source::journal(path), Condition::Interrupted, place).expect("it is readable");
    assert!(results.losses.is_empty(), "{:?}", results.losses);
    assert_eq!(results.stages.iter().any(|stage| stage.name == "execute"), measured);
}

/// A file system with so much room.
struct Small {
    room: usize,
}

impl Sink for Small {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.room = self.room.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// The same run through the shipping writer, onto a disk that takes half of it.
fn really_written(world: &World<'_>, end: &Ending) {
    let (bytes, unwritten) = world.controller(|host| (host.disk.bytes.clone(), host.disk.unwritten.clone()));
    let place = tempfile::tempdir().expect("a directory for temporary files");
    let directory = Directory::create(place.path(), &end.results.header).expect("a directory can be made");
    let header = end.results.header.clone();
    let small = Small { room: bytes.len() };
    let writer = ResultsWriter::begin(directory, Box::new(small), header, Box::new(|_, _, _| ()))
        .expect("the header has room");
    let on_disk = records(&bytes);
    let mut ledger = Ledger::default();
    for record in on_disk.into_iter().chain(unwritten) {
        match record {
            Record::Agent(record) => {
                ledger.record(record.agent, &record.message).expect("readable");
                writer.persist(record.agent, record.received, record.message);
            }
            Record::Event(event) => writer.event(event),
            _ => {}
        }
    }
    let finished = writer.finish(end.outcome.clone());
    assert_eq!(finished.exit().code(), 7);
    assert!(
        finished.failure.as_ref().is_some_and(|cause| cause.contains("journal")),
        "{:?}",
        finished.failure
    );
    assert!(
        finished.text.contains("RESULTS NOT WRITTEN") && finished.text.starts_with("COMPLETE"),
        "{}",
        finished.text
    );
}

fn records(bytes: &[u8]) -> Vec<Record> {
    let place = tempfile::tempdir().expect("a directory for temporary files");
    let path = place.path().join("journal");
    std::fs::write(&path, bytes).expect("room for it");
    let mut records = Vec::new();
    Source::journal(path).each(|record| records.push(record.clone())).expect("it is readable");
    assert!(bytes.starts_with(MAGIC));
    let mut again = MAGIC.to_vec();
    records.iter().for_each(|record| journal::encode(record, &mut again).expect("memory takes it"));
    assert_eq!(again, bytes, "reading and writing are each other's inverse");
    records
}

pub(crate) fn results_cannot_be_written() {
    disk_full(Some(8));
    disk_full(None);
    // A partial success becomes a 7 as well; an interrupt stays a 3.
    simulate(&Cluster::of(3), |world| {
        into_workload(world, s(5));
        world.inject(Fault::DiskFails(FULL.to_owned()));
        world.inject(Fault::Crash(1));
        let end = world.ending();
        assert_eq!((end.exit.code(), end.outcome.label), (7, Label::Partial), "{}", end.text);
        assert!(end.text.contains(FULL) && end.text.contains("agent agent-1 failed"), "{}", end.text);
    });
    simulate(&Cluster::of(3), |world| {
        into_workload(world, s(5));
        world.inject(Fault::DiskFails(FULL.to_owned()));
        world.inject(Fault::Interrupt);
        let end = world.ending();
        assert_eq!((end.exit.code(), end.outcome.label), (3, Label::Aborted), "{}", end.text);
        assert!(end.text.contains(FULL), "{}", end.text);
    });
}
