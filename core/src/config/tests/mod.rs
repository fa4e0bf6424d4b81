//! Behaviour of the whole path from text to plan, by subject.

mod diagnostics;
mod dialect;
mod distributed;
mod documentation;
mod hostile;
mod meaning;
mod overrides;
mod round_trip;
mod storage;

use super::{Diagnostics, Run, load};

/// A small file that is right; tests change one thing about it.
const GOOD: &str = "\
target: file:///tmp/x
prepare:
  ensure_objects:
    - {base_uri: data/, count: 10, size: 64KiB}
workload:
  - {op: get, path: data/}
";

fn good(yaml: &str) -> Run {
    load(yaml, &[], "bench.yaml").unwrap_or_else(|bad| panic!("{yaml}\n{bad}"))
}

fn bad(yaml: &str) -> Diagnostics {
    load(yaml, &[], "bench.yaml").map(|run| panic!("{yaml}\nwas accepted as {run:?}")).unwrap_err()
}

/// `line:column message` of each thing that is wrong.
fn wrong(yaml: &str) -> Vec<String> {
    let place = |place: &super::Place| format!("{}:{} ", place.line(), place.column());
    let line = |one: &super::Diagnostic| one.place.as_ref().map(place).unwrap_or_default() + &one.message;
    bad(yaml).iter().map(line).collect()
}

/// [`GOOD`] with one line added.
fn with(line: &str) -> String {
    format!("{GOOD}{line}\n")
}

/// [`GOOD`] with another workload.
fn working(entries: &[&str]) -> String {
    let workload = entries.iter().map(|entry| format!("  - {{{entry}}}\n")).collect::<String>();
    GOOD.replace("  - {op: get, path: data/}\n", &workload)
}
