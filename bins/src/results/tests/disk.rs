//! Journals and directories: torn, damaged, full, abandoned.

use crate::results::journal::{self, MAGIC, Reader};
use crate::results::testing::*;
use crate::results::writer::Sink;
use crate::results::{
    Condition, Directory, Event, JOURNAL, Persisted, RUNNING, ReadError, Record, Results, ResultsWriter,
    Severity, condition, rebuild,
};
use iobench_core::controller::{ExitCode, Label};
use iobench_core::message::AgentIndex;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

fn bytes_of(records: &[Record]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    records.iter().for_each(|record| journal::encode(record, &mut bytes).unwrap());
    bytes
}

fn read(bytes: &[u8]) -> (Vec<Record>, Option<u64>) {
    let Some(mut reader) = Reader::new(bytes).unwrap() else { return (Vec::new(), Some(0)) };
    let records = reader.by_ref().collect();
    (records, reader.loss().map(|loss| loss.offset))
}

/// One record of each kind.
fn some_records() -> Vec<Record> {
    let (header, messages, outcome) = complete_run();
    let mut records = vec![
        Record::Header(Box::new(header)),
        Record::Event(Event::transition(at(1), "agent-0", "CONNECTING", "CONFIG_SENT")),
        warning(2, "agent-1", "its round trip is 2 s"),
    ];
    records.extend(messages.into_iter().take(6));
    records.push(Record::Outcome(Box::new(outcome)));
    records
}

#[test]
fn every_record_is_read_as_it_was_written() {
    let records = some_records();
    assert_eq!(read(&bytes_of(&records)), (records, None));
}

#[test]
fn a_journal_torn_anywhere_in_its_last_record_keeps_all_the_others() {
    let records = some_records();
    let (last, others) = records.split_last().unwrap();
    let (whole, kept) = (bytes_of(&records), bytes_of(others));
    for end in kept.len() + 1..whole.len() {
        assert_eq!(
            read(&whole[..end]),
            (others.to_vec(), Some(kept.len() as u64)),
            "cut at {end} in {last:?}"
        );
    }
    assert_eq!(read(&whole[..kept.len()]), (others.to_vec(), None));
}

#[test]
fn a_damaged_byte_anywhere_loses_its_record_and_those_behind_but_none_before() {
    let records = &some_records()[..4];
    let whole = bytes_of(records);
    let ends: Vec<usize> = (0..=records.len()).map(|count| bytes_of(&records[..count]).len()).collect();
    for at in MAGIC.len()..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let before = ends.iter().filter(|&&end| end <= at).count() - 1;
        assert_eq!(read(&damaged), (records[..before].to_vec(), Some(ends[before] as u64)), "byte {at}");
    }
}

#[test]
fn a_record_of_a_kind_from_the_future_is_passed_over_and_said() {
    let mut bytes = bytes_of(&some_records()[..1]);
    let start = bytes.len();
    journal::encode(&some_records()[1], &mut bytes).unwrap();
    bytes[start + 4] = 77;
    let payload = bytes.split_off(start + 9);
    let crc = crc32fast::hash(&[&bytes[start..start + 5], &payload].concat());
    bytes.splice(start + 5.., crc.to_le_bytes());
    bytes.extend(payload);
    journal::encode(&some_records()[2], &mut bytes).unwrap();
    let mut reader = Reader::new(&bytes[..]).unwrap().unwrap();
    assert_eq!(reader.by_ref().count(), 2);
    assert_eq!((reader.skipped(), reader.loss()), (1, None));
}

#[test]
fn what_is_no_journal_is_refused_with_its_path() {
    let place = tempfile::tempdir().unwrap();
    let write = |bytes: &[u8]| fs::write(place.path().join(JOURNAL), bytes).unwrap();
    assert!(matches!(Results::open(place.path()), Err(ReadError::Missing { .. })));
    write(b"something else entirely");
    let error = Results::open(place.path()).unwrap_err().to_string();
    assert!(error.contains(place.path().to_str().unwrap()) && error.contains("not a journal"), "{error}");
    write(MAGIC);
    assert!(matches!(Results::open(place.path()), Err(ReadError::Headless { .. })));
    let (mut header, ..) = complete_run();
    header.format = 99;
    write(&bytes_of(&[Record::Header(Box::new(header))]));
    assert!(matches!(Results::open(place.path()), Err(ReadError::Newer { format: 99, .. })));
}

#[test]
fn a_pipe_in_the_place_of_a_journal_keeps_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(JOURNAL);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let error = Results::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("journal") && error.contains("it is not a file"), "{error}");
}

#[test]
fn names_never_collide_and_are_safe_as_paths() {
    let place = tempfile::tempdir().unwrap();
    let mut header = header(1, 10);
    header.name = "../../etc/passwd now".to_owned();
    let first = Directory::create(place.path(), &header).unwrap();
    let second = Directory::create(place.path(), &header).unwrap();
    let name = |directory: &Directory| directory.path().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name(&first), "iobench-20260301T123005Z--..-etc-passwd-now-01234567");
    assert_eq!(name(&second), "iobench-20260301T123005Z--..-etc-passwd-now-01234567-2");
    assert_eq!(second.path().parent(), Some(place.path()));
}

#[test]
fn a_marker_tells_a_running_controller_from_a_dead_one() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::create(place.path(), &header(1, 10)).unwrap();
    let path = directory.path().to_owned();
    assert_eq!(condition(&path), Condition::Running);
    assert!(Directory::adopt(&path).unwrap().is_none());
    drop(directory);
    assert_eq!(condition(&path), Condition::Interrupted);
    Directory::adopt(&path).unwrap().unwrap().publish().unwrap();
    assert_eq!(condition(&path), Condition::Finished);
}

/// Collects what a writer says about each message.
type Answers = Arc<Mutex<Vec<(u32, u64, Result<(), String>)>>>;

fn answers() -> (Answers, Persisted) {
    let answers = Answers::default();
    let into = Arc::clone(&answers);
    let persisted = move |agent: AgentIndex, sequence, result| {
        into.lock().unwrap().push((agent.0, sequence, result));
    };
    (answers, Box::new(persisted))
}

fn wait_until(done: impl Fn() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

fn feed(writer: &ResultsWriter, records: &[Record]) {
    for record in records {
        match record {
            Record::Agent(record) => writer.persist(record.agent, record.received, record.message.clone()),
            Record::Event(event) => writer.event(event.clone()),
            _ => unreachable!("only these are fed"),
        }
    }
}

#[test]
fn the_end_of_a_run_and_a_later_report_are_the_same() {
    let place = tempfile::tempdir().unwrap();
    let (header, records, outcome) = complete_run();
    let (answers, persisted) = answers();
    let writer = ResultsWriter::create(place.path(), header, persisted).unwrap();
    feed(&writer, &[warning(12, "agent-1", "its round trip is 2 s")]);
    feed(&writer, &records);
    let finished = writer.finish(outcome);
    assert_eq!((&finished.failure, finished.exit()), (&None, ExitCode::AllCompleted));
    assert_eq!(answers.lock().unwrap().len(), records.len());
    assert!(answers.lock().unwrap().iter().all(|(.., result)| result.is_ok()));

    let path = finished.directory.clone().unwrap();
    assert_eq!(Results::open(&path).unwrap(), finished.results);
    assert_eq!(
        files(&path),
        [
            "agents/agent-0/perf_log.tsv",
            "agents/agent-0/prepare_results.tsv",
            "agents/agent-0/workload_results.tsv",
            "agents/agent-1/perf_log.tsv",
            "agents/agent-1/prepare_results.tsv",
            "agents/agent-1/workload_results.tsv",
            "config.yaml",
            "environment.json",
            "events.jsonl",
            "journal",
            "latency.hlog",
            "perf_log.tsv",
            "prepare_results.tsv",
            "summary.json",
            "workload_results.tsv",
        ]
    );
    let events = fs::read_to_string(path.join("events.jsonl")).unwrap();
    let event: Event = serde_json::from_str(events.trim_end()).unwrap();
    assert_eq!((event.level, event.who.as_str()), (Severity::Warning, "agent-1"));
}

/// Every file below a directory, sorted.
fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn an_interrupted_directory_becomes_a_partial_report() {
    let place = tempfile::tempdir().unwrap();
    let (header, records, _) = complete_run();
    let (answers, persisted) = answers();
    let writer = ResultsWriter::create(place.path(), header, persisted).unwrap();
    let path = writer.directory().unwrap().to_owned();
    let until = records.iter().position(|record| match record {
        Record::Agent(record) => record.received.mono > at(15).mono,
        _ => false,
    });
    let until = until.unwrap();
    feed(&writer, &records[..until]);
    wait_until(|| answers.lock().unwrap().len() == until);
    assert_eq!(Results::open(&path).unwrap().condition, Condition::Running);
    drop(writer);
    wait_until(|| condition(&path) == Condition::Interrupted);
    // What a killed process leaves of the record it was writing.
    File::options().append(true).open(path.join(JOURNAL)).unwrap().write_all(&[9, 0, 0, 0, 2]).unwrap();

    let results = rebuild(&path).unwrap();
    assert_eq!(results.condition, Condition::Interrupted);
    assert_eq!((results.outcome.label, results.outcome.coverage_ppm), (Label::Partial, 500_000));
    assert_eq!(results.outcome.exit, ExitCode::NoneCompleted);
    assert_eq!(results.stages[1].total.tally.count(), 2 * 5 * 2);
    assert!(results.losses[0].contains("cut off"), "{:?}", results.losses);
    let next = format!("Add it with:\n  iobench merge {} STATE_DIR…\n", path.display());
    for again in [&results, &rebuild(&path).unwrap()] {
        assert!(crate::report::text(again).ends_with(&next), "agents may have more");
    }
    assert!(path.join("workload_results.tsv").exists() && !path.join(RUNNING).exists());
    assert_eq!(Results::open(&path).unwrap().outcome, results.outcome);
}

#[test]
fn a_damaged_journal_of_a_finished_run_is_called_damaged_and_nobody_interrupted() {
    let place = tempfile::tempdir().unwrap();
    let (header, records, outcome) = complete_run();
    let writer = ResultsWriter::create(place.path(), header, Box::new(|_, _, _| ())).unwrap();
    feed(&writer, &records);
    let path = writer.finish(outcome).directory.unwrap();
    let whole = fs::read(path.join(JOURNAL)).unwrap();
    let cause = |journal: &[u8]| {
        fs::write(path.join(JOURNAL), journal).unwrap();
        let results = Results::open(&path).unwrap();
        assert_eq!(results.outcome.label, Label::Partial);
        assert_eq!(results.outcome.agents[0].reason, results.outcome.cause);
        results.outcome.cause
    };

    let middle = whole.len() / 2;
    let mut damaged = whole.clone();
    damaged[middle] ^= 1;
    let first_lost = read(&damaged).1.unwrap();
    assert_eq!(
        cause(&damaged),
        format!(
            "the journal is damaged from byte {first_lost} on: what came after it is lost, and with it how the run ended"
        )
    );
    for end in [middle, usize::try_from(first_lost).unwrap()] {
        let torn = cause(&whole[..end]);
        assert!(
            torn.starts_with("the journal ends early") && torn.contains("could no longer write"),
            "{torn}"
        );
    }
    fs::write(path.join(JOURNAL), &whole).unwrap();
    assert_eq!(Results::open(&path).unwrap().outcome.label, Label::Complete);
}

/// A journal whose disk fills up after so many bytes: from there on every write goes to `/dev/full`.
struct Filling {
    file: File,
    full: File,
    room: usize,
}

impl Filling {
    fn new(path: &Path, room: usize) -> Self {
        let full = File::options().write(true).open("/dev/full").unwrap();
        Self { file: File::create(path).unwrap(), full, room }
    }
}

impl Sink for Filling {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fits = bytes.len().min(self.room);
        self.room -= fits;
        self.file.append(&bytes[..fits])?;
        self.full.write_all(&bytes[fits..])
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        Sink::truncate(&mut self.file, length)
    }
}

#[test]
fn a_full_disk_is_named_and_the_summary_is_whole_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let (header, records, mut outcome) = complete_run();
    outcome.exit = ExitCode::AllCompleted;
    let directory = Directory::create(place.path(), &header).unwrap();
    let path = directory.path().to_owned();
    let sink = Filling::new(&path.join(JOURNAL), 3_000);
    let (answers, persisted) = answers();
    let writer = ResultsWriter::begin(directory, Box::new(sink), header, persisted).unwrap();
    for (index, record) in records.iter().enumerate() {
        feed(&writer, std::slice::from_ref(record));
        // One batch each, so that the disk fills in the middle of the run.
        wait_until(|| answers.lock().unwrap().len() > index);
    }
    let finished = writer.finish(outcome);

    let cause = finished.failure.clone().unwrap();
    assert!(
        cause.contains(path.join(JOURNAL).to_str().unwrap()) && cause.contains("No space left"),
        "{cause}"
    );
    assert_eq!(finished.exit(), ExitCode::ResultsUnwritten);
    assert_eq!(
        finished.results.stages[1].total.tally.count(),
        2 * 10 * 2,
        "also what was not written counts"
    );
    assert!(finished.text.contains("NOT WRITTEN") && finished.text.contains(&cause), "{}", finished.text);

    let answers = answers.lock().unwrap();
    let written = answers.iter().take_while(|(.., result)| result.is_ok()).count();
    assert!(written > 0 && written < records.len());
    assert!(answers[written..].iter().all(|(.., result)| result.as_ref() == Err(&cause)));
    drop(answers);
    let (kept, loss) = read(&fs::read(path.join(JOURNAL)).unwrap());
    assert_eq!((kept.len(), loss), (1 + written, None), "what was acknowledged is there, and whole");
    let outcome = rebuild(&path).unwrap().outcome;
    assert_eq!(outcome.label, Label::Partial);
    assert!(outcome.cause.ends_with("or could no longer write"), "{}", outcome.cause);
}

#[test]
fn a_journal_that_cannot_even_begin_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let header = header(1, 10);
    let directory = Directory::create(place.path(), &header).unwrap();
    let sink = Filling::new(&directory.path().join(JOURNAL), 0);
    let error = ResultsWriter::begin(directory, Box::new(sink), header.clone(), Box::new(|_, _, _| ()));
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let error = ResultsWriter::create(&file, header, Box::new(|_, _, _| ())).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn a_final_file_that_cannot_be_written_is_named_and_nothing_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let (header, records, outcome) = complete_run();
    let writer = ResultsWriter::create(place.path(), header, Box::new(|_, _, _| ())).unwrap();
    let path = writer.directory().unwrap().to_owned();
    fs::create_dir_all(path.join("summary.json/in the way")).unwrap();
    feed(&writer, &records);
    let finished = writer.finish(outcome);
    assert!(finished.failure.clone().unwrap().contains("summary.json"));
    assert_eq!(finished.exit(), ExitCode::ResultsUnwritten);
    assert!(finished.text.contains("COMPLETE  nightly"));
    assert_eq!(condition(&path), Condition::Interrupted);
    fs::remove_dir_all(path.join("summary.json")).unwrap();
    assert_eq!(rebuild(&path).unwrap().outcome.label, Label::Complete);
    assert!(path.join("summary.json").is_file());
}

#[test]
fn a_run_without_any_disk_still_has_its_summary() {
    let (header, records, outcome) = complete_run();
    let (answers, persisted) = answers();
    let writer =
        ResultsWriter::detached(header, "cannot create /x: not permitted".to_owned(), persisted).unwrap();
    feed(&writer, &records);
    let finished = writer.finish(outcome);
    assert!(answers.lock().unwrap().iter().all(|(.., result)| result.is_err()));
    assert_eq!(finished.failure.as_deref(), Some("cannot create /x: not permitted"));
    assert_eq!(finished.results.stages[1].total.tally.count(), 40);
}

/// Writes down what happens, in order.
struct Watched(Arc<Mutex<Vec<String>>>);

impl Sink for Watched {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().push("append".to_owned());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().push("sync".to_owned());
        Ok(())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_message_is_acknowledged_only_after_it_was_appended_and_synced() {
    let place = tempfile::tempdir().unwrap();
    let (header, records, outcome) = complete_run();
    let log = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&log);
    let persisted: Persisted = Box::new(move |_, _, _| into.lock().unwrap().push("acknowledged".to_owned()));
    let directory = Directory::create(place.path(), &header).unwrap();
    let sink = Box::new(Watched(Arc::clone(&log)));
    let writer = ResultsWriter::begin(directory, sink, header, persisted).unwrap();
    feed(&writer, &records);
    drop(writer.finish(outcome));
    let log = log.lock().unwrap();
    assert_eq!(log.iter().filter(|entry| *entry == "acknowledged").count(), records.len());
    for pair in log.windows(2).filter(|pair| pair[1] != "append") {
        let before = if pair[1] == "sync" { ["append"].as_slice() } else { &["sync", "acknowledged"] };
        assert!(before.contains(&pair[0].as_str()), "{pair:?}");
    }
}
