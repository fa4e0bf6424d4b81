//! What entries say beyond their operation, and what the kinds of targets can do of it.

use super::paths::{self, Relative};
use super::pools::Pools;
use super::workload::Around;
use crate::config::file::{self, Op};
use crate::config::path::Path;
use crate::config::problems::Problems;
use crate::config::source::Part;
use crate::config::units::Size;
use crate::config::values::Offset;
use crate::plan::{Detail, Fill, Naming, Pool, PoolId, Scheme, SizeSpec};

/// The most keys that a store removes in one request.
const BATCH_MAX: u64 = 1000;
/// … and Azure.
const AZURE_BATCH_MAX: u64 = 256;

/// Whether every kind of target can do what the entry asks for.
pub(super) fn check_abilities(
    entry: &file::Entry,
    at: &Path,
    around: &Around<'_>,
    problems: &mut Problems<'_>,
) {
    let whole = "this store has only whole objects";
    for scheme in around.schemes {
        let name = scheme.name();
        match entry.op {
            Op::Read | Op::Write if !scheme.has_blocks() => {
                let help = match entry.op {
                    Op::Read => "write `op: get` with `range: {length: 4KiB}`, or use a `file://` target",
                    _ => "write `op: put`, or use a `file://` target",
                };
                problems.error(at.child("op"), format!("`{name}://` has no blocks: {whole}"), help);
            }
            Op::Copy if scheme.has_files() => {
                let help = "use a target in an object store, or a `get` and a `put`";
                problems.error(
                    at.child("op"),
                    format!("`{name}://` cannot copy without moving the data"),
                    help,
                );
            }
            Op::Delete if scheme.has_files() && entry.batch.is_some_and(|batch| batch.0 > 1) => {
                let help = "remove `batch`, or use a target in an object store";
                problems.error(at.child("batch"), format!("`{name}://` deletes one file at a time"), help);
            }
            _ => {}
        }
    }
}

/// What the entry says beyond its operation; its pool is that of its path.
pub(super) fn detail(
    entry: &file::Entry,
    pool: PoolId,
    at: &Path,
    around: &Around<'_>,
    pools: &mut Pools,
    problems: &mut Problems<'_>,
) -> Detail {
    match entry.op {
        Op::Get => entry.range.as_ref().map_or(Detail::None, |range| {
            check_range(range, &at.child("range"), around, pools.get(pool), problems);
            let offset = match range.offset {
                Offset::Random => None,
                Offset::At(offset) => Some(offset.0),
            };
            Detail::Range { offset, length: range.length.0 }
        }),
        Op::Put if entry.if_absent => Detail::IfAbsent,
        Op::Delete => entry.batch.map_or(Detail::None, |batch| {
            let most = if around.schemes.contains(&Scheme::Az) { AZURE_BATCH_MAX } else { BATCH_MAX };
            if !(1..=most).contains(&batch.0) {
                let message = format!("{batch} objects cannot be deleted in one request");
                problems.error(at.child("batch"), message, format!("write 1 to {most}"));
            }
            u32::try_from(batch.0).ok().filter(|&batch| batch > 1).map_or(Detail::None, Detail::Batch)
        }),
        Op::Copy => copies(entry, at, around, pools, problems).map_or(Detail::None, Detail::CopyTo),
        _ => Detail::None,
    }
}

fn check_range(
    range: &file::Range,
    at: &Path,
    around: &Around<'_>,
    pool: &Pool,
    problems: &mut Problems<'_>,
) {
    if range.length.0 == 0 {
        problems.certain(
            Part::Value,
            at.child("length"),
            "a range has at least 1 byte",
            "write for example `length: 64KiB`",
        );
    }
    let offset = match range.offset {
        Offset::At(offset) => offset.0,
        Offset::Random => 0,
    };
    if around.direct {
        for (key, value) in [("offset", offset), ("length", range.length.0)] {
            if !value.is_multiple_of(super::workload::SECTOR) {
                let message = format!("direct access needs multiples of {} bytes", super::workload::SECTOR);
                problems.error(at.child(key), message, "write for example `4KiB`, or a `file://` target");
            }
        }
    }
    let smallest = pool.sizes.bounds().0;
    let end = offset.saturating_add(range.length.0);
    if !matches!(pool.naming, Naming::Single | Naming::Listed { .. }) && end > smallest {
        let message = format!("the range ends at {}, beyond objects of {}", Size(end), Size(smallest));
        problems.error(at.child("length"), message, "make the objects larger or the range smaller");
    }
}

/// The pool that COPY fills. It lies apart from all others, as clean-up removes everything in it.
fn copies(
    entry: &file::Entry,
    at: &Path,
    around: &Around<'_>,
    pools: &mut Pools,
    problems: &mut Problems<'_>,
) -> Option<PoolId> {
    let Some(to) = &entry.to else {
        problems.missing_in(
            at,
            &[at.child("to")],
            "`copy` needs a place for the copies",
            "write for example `to: copies/`",
        );
        return None;
    };
    let path = match Relative::parse(to, around.target) {
        Ok(path) if !path.is_glob() && !path.path.is_empty() => path,
        Ok(_) => {
            let help = "write for example `to: copies/`";
            problems.error(at.child("to"), "copies need a directory of their own", help);
            return None;
        }
        Err(why) => {
            paths::unusable(to, &why, at.child("to"), problems);
            return None;
        }
    };
    let count = super::workload::names(entry, at, problems)?;
    let pool =
        Pool { base: path.base(), naming: Naming::Put, count, sizes: SizeSpec::Fixed(0), fill: Fill::Random };
    if pools.all.iter().any(|other| other.base == pool.base && *other != pool) {
        problems.error(
            at.child("to"),
            "other objects of this run lie there",
            "give the copies their own place",
        );
        return None;
    }
    Some(pools.add(pool))
}

/// Whether the content of what is read can be known.
pub(super) fn check_verify(
    entry: &file::Entry,
    pool: &Pool,
    at: &Path,
    pools: &Pools,
    problems: &mut Problems<'_>,
) {
    if !entry.verify {
        return;
    }
    let known = match &pool.naming {
        Naming::Prepared | Naming::Deletable | Naming::Tree(_) => true,
        // What an earlier run of this configuration and seed has put there.
        Naming::Listed { .. } => pools.put_at(&pool.base).is_some(),
        Naming::Put | Naming::Single | Naming::Directory => false,
    };
    if !known {
        let help = "describe the objects in `prepare`, or have a `put` at the same path in this workload";
        let message = format!("what `{}` should contain is not known", entry.path);
        problems.error(at.child("verify"), message, help);
    }
}
