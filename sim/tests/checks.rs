//! No check without a canary: every deadline, bound and refusal in the machines' sources is named here, with the
//! mutant that breaks it on purpose. A new one fails these tests until it has both.

use sim::des::canaries::CANARIES;
use sim::probes;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Constants of the machines (their deadlines and bounds), each with the mutant that breaks it.
const CONSTANTS: &[(&str, &str)] = &[
    ("agent ABSENCE", "agent_absence"),
    ("agent AGAIN", "again"),
    ("agent CONFIRM", "confirm"),
    ("agent GRACE", "absence"),
    ("agent LEAVE", "leave"),
    ("agent START_AHEAD_MAX", "far_start"),
    ("agent UNACKNOWLEDGED", "unacknowledged"),
    ("agent WAITING_STREAMS", "waiting_streams"),
    ("controller CATCH_UP", "catch_up"),
    ("controller DRIFT_NS_PER_MS", "drift"),
    ("controller FRESH", "old_samples"),
    ("controller HANG_UP", "hang_up"),
    ("controller KEPT", "samples_kept"),
    ("controller KEPT_MAX", "copies"),
    ("controller LAST_WRITES", "last_writes"),
    ("controller LEAD_MARGIN", "lead"),
    ("controller LEAD_MAX", "far_lead"),
    ("controller MINUTE", "warn_always"),
    ("controller PACE", "pace"),
    ("controller PINGS_IN_LEASE", "pings"),
    ("controller PING_EVERY", "pings"),
    ("controller RENEWALS", "renewals"),
    ("controller RETRY_AFTER", "retries"),
    ("controller SAMPLES", "samples"),
    ("controller SLOW_ROUND_TRIP", "never_warn"),
    ("controller TRIES", "tries"),
];

/// Functions that refuse something, each with the mutants of its refusals in the order of the source.
const REFUSALS: &[(&str, &[&str])] = &[
    ("agent acknowledge", &["acknowledge"]),
    ("agent begin", &["begin"]),
    ("agent closed", &["stream_end"]),
    ("agent judge", &["idle", "exhausted"]),
    ("agent lease_is_over", &["lease"]),
    ("agent obstacle", &["claim", "unstopped"]),
    ("agent opened", &["waiting_streams"]),
    ("agent ping", &["future_ping"]),
    // Of another run; a second Configure; Attach; undecodable: all that their checks do is to count and to warn.
    ("agent received", &["agent_run", "agent_invalid", "agent_invalid", "agent_invalid"]),
    ("agent shutting_down", &["shutdown"]),
    ("agent start", &["late_start", "far_start", "start"]),
    ("agent start_refused", &["far_start"]),
    ("agent stuck", &["progress"]),
    ("agent work_is_due", &["progress", "progress"]),
    ("controller body", &["undecodable"]),
    ("controller completed", &["completed_early"]),
    ("controller pong", &["stamps"]),
    ("controller preparing", &["other_progress"]),
    ("controller ready", &["early_ready"]),
    // Whatever a verdict says.
    ("controller heard", &["flood"]),
    // Undecodable; of another run; gone back.
    ("controller received", &["undecodable", "run", "double_count"]),
    ("controller running", &["unstarted"]),
    ("controller stage_done", &["other_stage"]),
];

/// How a refusal looks in the source.
const REFUSES: &[&str] = &[".invalid(", "Verdict::Invalid(", "Failure::new(", "stuck(", "start_refused("];
/// How a span of time looks in the source: only a constant may hold one, so that it has a name.
const SPANS: &[&str] = &["Duration::from_secs(", "Duration::from_millis(", "Duration::from_mins("];

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src")
}

/// The lines of a machine's sources, without tests and comments; each with its file.
fn lines(machine: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(core().join(machine))
        .expect("the machines are where they are")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| !["matrix.rs", "tests.rs", "tests"].iter().any(|test| path.ends_with(test)))
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for path in files {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("text");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        lines.extend(code.map(|line| (name.clone(), line.to_owned())));
    }
    lines
}

/// The word after the first occurrence of `before`.
fn word_after<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
    Some(&rest[..end]).filter(|word| !word.is_empty())
}

/// The names in all `ask("name"` of a text.
fn named<'a>(text: &'a str, ask: &str) -> Vec<&'a str> {
    text.split(ask).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn mutants() -> Vec<&'static str> {
    CANARIES.iter().map(|it| it.mutant).chain(probes::all().map(|it| it.mutant)).collect()
}

/// Every `mutant("x")` in the core has a row, and every row a place in the core.
#[test]
fn every_mutant_has_a_row_and_a_place() {
    let mut places = BTreeSet::new();
    let switch = std::fs::read_to_string(core().join("mutants.rs")).expect("text");
    for ask in ["mutant(\"", "never(\""] {
        places.extend(named(&switch, ask).into_iter().map(str::to_owned));
    }
    for (_, line) in ["agent", "controller"].into_iter().flat_map(lines) {
        places.extend(named(&line, "mutant(\"").into_iter().map(str::to_owned));
    }
    let rows: BTreeSet<_> = mutants().into_iter().map(str::to_owned).collect();
    assert_eq!(rows.len(), mutants().len(), "a row twice");
    assert!(places.len() > 60, "the sources look different: {places:?}");
    let (without_row, without_place): (Vec<_>, Vec<_>) =
        (places.difference(&rows).collect(), rows.difference(&places).collect());
    assert!(
        without_row.is_empty() && without_place.is_empty(),
        "mutants without a row in CANARIES or in a probe: {without_row:?}; rows without a place: {without_place:?}"
    );
}

/// Every deadline and bound is a constant, and is named here.
#[test]
fn every_deadline_and_bound_has_a_mutant() {
    let mut found = Vec::new();
    for machine in ["agent", "controller"] {
        let mut in_constant = false;
        for (file, line) in lines(machine) {
            in_constant |= word_after(&line, "const ").is_some()
                && line.contains("const ")
                && !line.contains("const fn");
            let span = SPANS.iter().find(|span| line.contains(**span));
            assert!(
                in_constant || span.is_none(),
                "{machine}/{file}: a span of time needs a name, and a row here: {line}"
            );
            let constant = word_after(&line, "const ").filter(|name| !["fn", "ALL"].contains(name));
            found.extend(constant.map(|name| format!("{machine} {name}")));
            in_constant &= !line.trim_end().ends_with(';');
        }
    }
    found.sort();
    let known: Vec<_> = CONSTANTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "left: in the sources; right: here. A new deadline or bound needs a mutant");
    for (name, mutant) in CONSTANTS {
        assert!(mutants().contains(mutant), "{name}: there is no mutant {mutant}");
    }
}

/// Every refusal of a machine is counted here.
#[test]
fn every_refusal_has_a_mutant() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for machine in ["agent", "controller"] {
        let mut function = String::new();
        for (_, line) in lines(machine) {
            if let Some(name) = word_after(&line, "fn ").filter(|_| line.trim_end().ends_with(['{', '('])) {
                name.clone_into(&mut function);
                continue;
            }
            // A pattern is no refusal, nor is handing one on.
            let code = line.replace("Verdict::Invalid(why) =>", "");
            // `Err(Failure::new(stuck(` on one line is one refusal.
            let refuses = REFUSES.iter().any(|refuses| code.contains(refuses));
            *found.entry(format!("{machine} {function}")).or_default() += usize::from(refuses);
        }
    }
    found.retain(|_, count| *count > 0);
    let known: BTreeMap<_, _> =
        REFUSALS.iter().map(|(name, mutants)| ((*name).to_owned(), mutants.len())).collect();
    assert_eq!(found, known, "left: in the sources; right: here. A new refusal needs a mutant");
    for mutant in REFUSALS.iter().flat_map(|(_, mutants)| *mutants) {
        assert!(mutants().contains(mutant), "there is no mutant {mutant}");
    }
}

/// Without anything broken, every probe holds.
#[test]
fn every_probe_holds() {
    for probe in probes::all() {
        assert!((probe.holds)(), "{} does not hold", probe.mutant);
    }
}
