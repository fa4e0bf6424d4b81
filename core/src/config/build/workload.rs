//! Workload entries as written → entries of a plan, each with its pool.

use super::details;
use super::paths::{self, Relative};
use super::pools::{Pools, Selection};
use super::sizes::Sizes;
use crate::config::file::{self, Op};
use crate::config::path::Path;
use crate::config::problems::Problems;
use crate::config::source::Part;
use crate::config::units::{Count, Size};
use crate::plan::{Detail, Entry, Fill, Naming, Pattern, Pool, PoolId, Scheme, SizeSpec, Uri};
use crate::stats::Operation;
use std::collections::BTreeSet;

const ENTRIES_MAX: usize = 256;
/// What `read` and `write` keep open, all files together.
const OPEN_FILES_MAX: u64 = 4096;
const PAGE_MAX: u64 = 100_000;
/// `O_DIRECT` wants blocks in multiples of the logical sector, which is never smaller.
pub(super) const SECTOR: u64 = 512;

/// What the entries of a workload have around them.
pub(super) struct Around<'a> {
    pub(super) target: &'a Uri,
    /// The kinds of all agents' targets.
    pub(super) schemes: &'a [Scheme],
    /// Whether the page cache is bypassed.
    pub(super) direct: bool,
}

/// The entries of the mix; pools that they need besides the described ones are added. The written entries get their
/// defaults.
pub(super) fn entries(
    written: &mut [file::Entry],
    around: &Around<'_>,
    pools: &mut Pools,
    problems: &mut Problems<'_>,
) -> Vec<Entry> {
    let list = Path::from("workload");
    if written.len() > ENTRIES_MAX {
        problems.error(list, format!("there are more than {ENTRIES_MAX} entries"), "");
        return Vec::new();
    }
    if !written.is_empty() && written.iter().all(|entry| entry.weight.0 == 0) {
        problems.error(
            "workload.0.weight",
            "the weights of all entries are 0",
            "give at least one entry a weight above 0",
        );
    }
    let mut drafts = Vec::new();
    for (index, entry) in written.iter_mut().enumerate() {
        let at = list.child(index);
        let Some(operation) = operation(entry.op, &at, problems) else { continue };
        check_keys(entry, &at, problems);
        details::check_abilities(entry, &at, around, problems);
        fill_defaults(entry);
        let Some(pool) = pool_of(entry, operation, &at, around, pools, problems) else { continue };
        drafts.push((at, entry.clone(), operation, pool));
    }
    keep_deleted_apart(&mut drafts, pools, problems);
    check_batches(&drafts, problems);
    let mut entries = Vec::new();
    let (mut open, mut first_to_open) = (BTreeSet::new(), None);
    for (at, entry, operation, pool) in drafts {
        if entry.block_size.is_some() {
            check_blocks(&entry, &at, around.direct, pools.get(pool), problems);
            open.insert(pool);
            first_to_open.get_or_insert_with(|| at.clone());
        }
        let detail = details::detail(&entry, pool, &at, around, pools, problems);
        details::check_verify(&entry, pools.get(pool), &at, pools, problems);
        entries.push(finish(&entry, operation, pool, detail, &at, problems));
    }
    if let Some(at) = first_to_open {
        check_open_files(&open, &at, pools, problems);
    }
    entries
}

type Draft = (Path, file::Entry, Operation, PoolId);

fn operation(op: Op, at: &Path, problems: &mut Problems<'_>) -> Option<Operation> {
    match op {
        Op::Get => Some(Operation::Get),
        Op::Put => Some(Operation::Put),
        Op::Stat => Some(Operation::Stat),
        Op::List => Some(Operation::List),
        Op::Delete => Some(Operation::Delete),
        Op::Read => Some(Operation::Read),
        Op::Write => Some(Operation::Write),
        Op::Copy => Some(Operation::Copy),
        Op::Mkdir | Op::Rmdir | Op::Rename => {
            let help = "remove this entry; supported are get, put, stat, list, delete, copy, read and write";
            problems.certain(
                Part::Value,
                at.child("op"),
                "this operation is not supported by this version",
                help,
            );
            None
        }
    }
}

/// Keys that mean something only to other operations.
fn check_keys(entry: &file::Entry, at: &Path, problems: &mut Problems<'_>) {
    let put: &[Op] = &[Op::Put];
    let blocks: &[Op] = &[Op::Read, Op::Write];
    let creates: &[Op] = &[Op::Put, Op::Copy];
    let visits: &[Op] = &[Op::Get, Op::Stat, Op::List, Op::Copy, Op::Read, Op::Write];
    let keys = [
        ("object_size", entry.object_size.is_some(), put, "put"),
        ("size_spec", entry.size_spec.is_some(), put, "put"),
        ("count", entry.count.is_some(), creates, "put and copy"),
        ("if_absent", entry.if_absent, put, "put"),
        ("range", entry.range.is_some(), &[Op::Get], "get"),
        ("verify", entry.verify, &[Op::Get, Op::Read], "get and read"),
        ("to", entry.to.is_some(), &[Op::Copy], "copy"),
        ("batch", entry.batch.is_some_and(|batch| batch.0 != 1), &[Op::Delete], "delete"),
        ("page_size", entry.page_size.is_some(), &[Op::List], "list"),
        ("block_size", entry.block_size.is_some(), blocks, "read and write"),
        ("pattern", entry.pattern.is_some(), visits, "get, stat, list, copy, read and write"),
    ];
    for (key, given, operations, whose) in keys {
        if given && !operations.contains(&entry.op) {
            problems.certain(
                Part::Key,
                at.child(key),
                format!("`{key}` belongs to {whose}"),
                "remove it here",
            );
        }
    }
}

fn fill_defaults(entry: &mut file::Entry) {
    match entry.op {
        Op::Get | Op::Stat | Op::Copy => _ = entry.pattern.get_or_insert(file::Pattern::Random),
        Op::List => {
            entry.pattern.get_or_insert(file::Pattern::Sequential);
            entry.page_size.get_or_insert(Count(1000));
        }
        Op::Read | Op::Write => {
            entry.pattern.get_or_insert(file::Pattern::Random);
            entry.block_size.get_or_insert(Size(4096));
        }
        Op::Put | Op::Delete | Op::Mkdir | Op::Rmdir | Op::Rename => {}
    }
}

/// The pool that an entry works on.
fn pool_of(
    entry: &file::Entry,
    operation: Operation,
    at: &Path,
    around: &Around<'_>,
    pools: &mut Pools,
    problems: &mut Problems<'_>,
) -> Option<PoolId> {
    let path = match Relative::parse(&entry.path, around.target) {
        Ok(path) => path,
        Err(why) => {
            paths::unusable(&entry.path, &why, at.child("path"), problems);
            return None;
        }
    };
    if operation == Operation::Put {
        return put_pool(entry, &path, at, pools, problems);
    }
    match pools.select(&path) {
        Selection::Whole(pool) => Some(pool),
        Selection::Part(base) => {
            let help = format!("write `{base}` for all of them");
            problems.error(
                at.child("path"),
                format!("`{}` covers only a part of the objects in `{base}`", entry.path),
                help,
            );
            None
        }
        Selection::Several(bases) => {
            let bases = bases.iter().map(|base| format!("`{base}`")).collect::<Vec<_>>().join(", ");
            let message = format!("`{}` covers objects of several sets: {bases}", entry.path);
            problems.error(at.child("path"), message, "write one entry for each, with its weight");
            None
        }
        Selection::Nothing => Some(existing(&path, operation, pools)),
    }
}

/// Objects that nobody prepares: a directory to be listed, one file, or whatever is found.
fn existing(path: &Relative, operation: Operation, pools: &mut Pools) -> PoolId {
    let pool =
        |base, naming, count| Pool { base, naming, count, sizes: SizeSpec::Fixed(0), fill: Fill::Random };
    if operation == Operation::List && !path.is_glob() {
        return pools.add(pool(path.base(), Naming::Directory, 1));
    }
    let blocks = matches!(operation, Operation::Read | Operation::Write);
    // The target itself may be a file or a device; any other directory is written with a slash.
    if blocks && !path.is_glob() && (!path.directory || path.path.is_empty()) {
        return pools.add(pool(path.path.clone(), Naming::Single, 1));
    }
    pools.add(pool(path.fixed_base(), Naming::Listed { glob: path.glob() }, 0))
}

/// The pool that PUT fills.
fn put_pool(
    entry: &file::Entry,
    path: &Relative,
    at: &Path,
    pools: &mut Pools,
    problems: &mut Problems<'_>,
) -> Option<PoolId> {
    if path.is_glob() {
        problems.error(
            at.child("path"),
            "`put` names its objects itself",
            "write the directory alone, without `*`",
        );
        return None;
    }
    let sizes = Sizes {
        bounds: (None, None),
        size: (entry.object_size, "object_size"),
        spec: entry.size_spec.as_ref(),
    };
    if !sizes.given() {
        problems.missing_in(
            at,
            &[at.child("object_size"), at.child("size_spec")],
            "`put` needs the size of its objects",
            "write `object_size: 1MiB` or a `size_spec`",
        );
        return None;
    }
    let sizes = sizes.resolve(at, problems)?;
    let count = names(entry, at, problems)?;
    let pool = Pool { base: path.base(), naming: Naming::Put, count, sizes, fill: Fill::Random };
    let clash = |other: &Pool| other.naming == Naming::Put && other.base == pool.base && *other != pool;
    if pools.all.iter().any(clash) {
        let message = "two `put` entries at the same place would overwrite each other's objects";
        problems.error(at.child("path"), message, "give each its own `path`");
        return None;
    }
    Some(pools.add(pool))
}

/// After how many names they begin again.
pub(super) fn names(entry: &file::Entry, at: &Path, problems: &mut Problems<'_>) -> Option<u64> {
    let count = entry.count.map_or(u64::MAX, |count| count.0);
    if count == 0 {
        let help = "remove `count`, or write 1 or more";
        problems.error(at.child("count"), "a count of 0 leaves nothing to write", help);
        return None;
    }
    Some(count)
}

/// DELETE must not take away what other operations read: it gets a pool of its own, or is refused.
fn keep_deleted_apart(drafts: &mut [Draft], pools: &mut Pools, problems: &mut Problems<'_>) {
    let uses = |operation| {
        matches!(
            operation,
            Operation::Get | Operation::Stat | Operation::Copy | Operation::Read | Operation::Write
        )
    };
    let used = drafts.iter().filter(|draft| uses(draft.2)).map(|draft| draft.3).collect::<BTreeSet<_>>();
    for (at, entry, operation, pool) in drafts {
        if *operation != Operation::Delete || !used.contains(pool) {
            continue;
        }
        match pools.get(*pool).naming {
            Naming::Prepared | Naming::Tree(_) => *pool = pools.deletable(*pool),
            Naming::Deletable | Naming::Put | Naming::Single | Naming::Directory | Naming::Listed { .. } => {
                let message =
                    format!("`{}` would delete what another entry of the workload reads", entry.path);
                problems.error(
                    at.child("path"),
                    message,
                    "describe the objects in `prepare`, or use another path",
                );
            }
        }
    }
}

/// Threads divide what is deleted by batches, so those of one pool have one size.
fn check_batches(drafts: &[Draft], problems: &mut Problems<'_>) {
    let deletes = || drafts.iter().filter(|draft| draft.2 == Operation::Delete);
    let batch = |draft: &Draft| draft.1.batch.map_or(1, |batch| batch.0);
    for draft in deletes() {
        let first = deletes().find(|first| first.3 == draft.3);
        if first.is_some_and(|first| batch(first) != batch(draft)) {
            let message = "another entry deletes the same objects in batches of another size";
            problems.error(draft.0.child("batch"), message, "give both the same `batch`");
        }
    }
}

fn check_blocks(entry: &file::Entry, at: &Path, direct: bool, pool: &Pool, problems: &mut Problems<'_>) {
    let Some(block) = entry.block_size else { return };
    let at = at.child("block_size");
    let smallest = pool.sizes.bounds().0;
    let known = !matches!(pool.naming, Naming::Single | Naming::Listed { .. });
    if block.0 == 0 {
        problems.certain(
            Part::Value,
            at,
            "a block has at least 1 byte",
            "write for example `block_size: 4KiB`",
        );
    } else if block.0 > i64::MAX as u64 {
        problems.certain(
            Part::Value,
            at,
            "a block cannot be larger than any file",
            "write for example `block_size: 4KiB`",
        );
    } else if direct && !block.0.is_multiple_of(SECTOR) {
        let message = format!("direct access needs blocks in multiples of {SECTOR} bytes, not {block}");
        problems.error(at, message, "write for example `block_size: 4KiB`, or a `file://` target");
    } else if known && block.0 > smallest {
        let message = format!("a block of {block} does not fit into objects of {}", Size(smallest));
        problems.error(at, message, "make the objects larger or the block smaller");
    }
}

fn check_open_files(open: &BTreeSet<PoolId>, at: &Path, pools: &Pools, problems: &mut Problems<'_>) {
    let files = open.iter().map(|id| pools.get(*id).count).fold(0, u64::saturating_add);
    if files > OPEN_FILES_MAX {
        let message =
            format!("read and write keep their files open, and {files} are more than {OPEN_FILES_MAX}");
        problems.error(at.clone(), message, "prepare fewer, larger files, or use `get` and `put`");
    }
}

fn finish(
    entry: &file::Entry,
    operation: Operation,
    pool: PoolId,
    detail: Detail,
    at: &Path,
    problems: &mut Problems<'_>,
) -> Entry {
    let weight = u32::try_from(entry.weight.0).unwrap_or_else(|_| {
        problems.certain(
            Part::Value,
            at.child("weight"),
            format!("the weight {} is too large", entry.weight),
            "weights are relative",
        );
        1
    });
    let page = entry.page_size.unwrap_or(Count(1000));
    if !(1..=PAGE_MAX).contains(&page.0) {
        problems.error(
            at.child("page_size"),
            format!("a page of {page} keys is not possible"),
            format!("write 1 to {PAGE_MAX}"),
        );
    }
    if let Some(file::Pattern::Zipf { theta }) = entry.pattern
        && !(theta > 0.0 && theta <= 10.0)
    {
        let help = "0.9 is common; larger is more skewed";
        problems.error(
            at.child("pattern").child("zipf").child("theta"),
            "theta must be above 0 and at most 10",
            help,
        );
    }
    Entry {
        operation,
        weight,
        pool,
        pattern: match entry.pattern {
            None | Some(file::Pattern::Sequential) => Pattern::Sequential,
            Some(file::Pattern::Random) => Pattern::Random,
            Some(file::Pattern::Zipf { theta }) => Pattern::Zipf { theta },
        },
        block_size: entry.block_size.map(|size| size.0),
        page_size: u32::try_from(page.0).unwrap_or(u32::MAX),
        detail,
        verify: entry.verify,
        concurrency: entry
            .concurrency
            .map(|count| super::concurrency(count, at.child("concurrency"), problems)),
    }
}
