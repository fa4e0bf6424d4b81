//! What was probably meant by a word that nobody knows here: a misspelling, a part of a word, or what another tool says.

/// A key of fio, warp or elbencho; ours (`*` stands for any item of a list); and what is different about it.
const KEYS: &[(&str, &str, &str)] = &[
    // fio
    ("bs", "workload.*.block_size", ""),
    ("bs", "prepare.ensure_objects.*.size", ""),
    ("iodepth", "concurrency", "operations in flight on each agent"),
    ("numjobs", "concurrency", "operations in flight on each agent; all cores are used"),
    ("rw", "workload.*.op", "`read` or `write`, and a `pattern`"),
    ("readwrite", "workload.*.op", "`read` or `write`, and a `pattern`"),
    ("rwmixread", "workload.*.weight", "one entry that reads and one that writes"),
    ("rwmixwrite", "workload.*.weight", "one entry that reads and one that writes"),
    ("random_distribution", "workload.*.pattern", ""),
    ("runtime", "duration", ""),
    ("ramp_time", "warmup_period", ""),
    ("filename", "target", "a URI such as `file:///mnt/data`"),
    ("directory", "target", "a URI such as `file:///mnt/data`"),
    ("filesize", "prepare.ensure_objects.*.size", ""),
    ("nrfiles", "prepare.ensure_objects.*.count", ""),
    ("size", "workload.*.object_size", "of a `put`"),
    ("size", "prepare.ensure_objects.*.size", ""),
    ("direct", "file.direct", "or a `direct://` target"),
    ("ioengine", "file.engine", ""),
    ("end_fsync", "file.fsync", "`end`"),
    // warp
    ("concurrent", "concurrency", ""),
    ("obj.size", "workload.*.object_size", "of a `put`"),
    ("obj.size", "prepare.ensure_objects.*.size", ""),
    ("bucket", "target", "a URI such as `s3://bucket/prefix`"),
    ("host", "storage.endpoint", "of an object store; agents are listed in `distributed.agents`"),
    ("host", "distributed.agents.*.address", ""),
    // elbencho
    ("threads", "concurrency", "operations in flight on each agent; all cores are used"),
    ("block", "workload.*.block_size", ""),
    ("block", "prepare.ensure_objects.*.size", ""),
    ("timelimit", "duration", ""),
    ("hosts", "distributed.agents", ""),
    ("s3endpoints", "storage.endpoint", ""),
];

/// A value that another tool knows, and ours.
const VALUES: &[(&str, &str)] = &[
    ("randread", "read"),
    ("randwrite", "write"),
    ("randrw", "read"),
    ("head", "stat"),
    ("upload", "put"),
    ("download", "get"),
    ("zipfian", "zipf"),
    ("io_uring", "uring"),
    ("libaio", "uring"),
    ("sync", "posix"),
    ("psync", "posix"),
];

/// Words that need a value of their own, and how they are written with one.
const WITH_A_VALUE: &[(&str, &str)] = &[("zipf", "{zipf: {theta: 0.9}}"), ("kms", "{kms: KEY}")];

/// Shorter beginnings of a word could be anything.
const PREFIX_MIN: usize = 3;

/// What to do about a word that is not `known`, and which of those was meant.
pub(super) fn advice(
    what: &str,
    word: &str,
    known: &'static [&'static str],
) -> (String, Option<&'static str>) {
    let lower = word.to_ascii_lowercase();
    let of_keys = || KEYS.iter().filter(|(theirs, ..)| what == "key" && *theirs == lower);
    let last = |ours: &'static str| ours.rsplit('.').next().filter(|ours| known.contains(ours));
    if let Some((meant, remark)) = of_keys().find_map(|(_, ours, remark)| Some((last(ours)?, remark))) {
        let remark = if remark.is_empty() { String::new() } else { format!(" ({remark})") };
        return (format!("did you mean `{meant}`{remark}?"), Some(meant));
    }
    let of_values = VALUES.iter().find(|(theirs, ours)| *theirs == lower && known.contains(ours));
    let near = of_values.map(|(_, ours)| *ours).or_else(|| nearest(word, known.iter().copied()));
    let help = match (near, of_keys().next()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, Some((_, ours, remark))) => elsewhere(ours, remark),
        (None, None) if known.is_empty() => String::new(),
        (None, None) => format!("known here: {}", one_of(known)),
    };
    (help, near)
}

/// Where our key for this belongs.
fn elsewhere(ours: &str, remark: &str) -> String {
    let place = match ours.rsplit_once(".*.") {
        Some((list, key)) => format!("`{key}` in an entry of `{list}`"),
        None if ours.contains('.') => format!("`{ours}`"),
        None => format!("`{ours}` at the top level"),
    };
    let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
    format!("write {place}{remark}")
}

/// How a word is written that cannot stand alone.
pub(super) fn with_a_value(word: &str) -> String {
    let known = WITH_A_VALUE.iter().find(|(known, _)| *known == word);
    known.map(|(_, form)| format!("write for example `{form}`")).unwrap_or_default()
}

/// The known word that `word` was probably meant to be: it begins like it, or a third of its letters may be wrong.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A key of a megabyte is not a misspelling, and comparing costs its length times ours.
    let word = word.chars().take(64).collect::<String>().to_ascii_lowercase();
    let begins = |candidate: &str| {
        let (shorter, longer) =
            if word.len() < candidate.len() { (&*word, candidate) } else { (candidate, &*word) };
        shorter.len() >= PREFIX_MIN && longer.starts_with(shorter)
    };
    let scored = known.into_iter().filter_map(|candidate| {
        let distance = strsim::osa_distance(&word, candidate);
        (distance <= candidate.len().max(3) / 3 || begins(candidate)).then_some((distance, candidate))
    });
    scored.min().map(|(_, candidate)| candidate)
}

pub(super) fn one_of(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_may_be_misspelt_or_cut_short() {
        let known = ["warmup_period", "duration", "concurrency", "to", "sequential", "random"];
        for (word, meant) in [
            ("warmup", Some("warmup_period")),
            ("duration_s", Some("duration")),
            ("concurency", Some("concurrency")),
            ("Seq", Some("sequential")),
            ("rand", Some("random")),
            ("tomato", None),
            ("du", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
