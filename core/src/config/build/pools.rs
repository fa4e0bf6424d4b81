//! The sets of objects that a run works on, and which of them a path means.

use super::paths::{self, Relative};
use super::sizes::Sizes;
use crate::config::file::{self, DirectoryStructure, EnsureObjects, Levels};
use crate::config::path::Path;
use crate::config::problems::Problems;
use crate::config::units::Size;
use crate::plan::{Fill, Naming, Pool, PoolId, SizeSpec, Tree, Uri, glob_matches};

/// More sets than any data set has; bounds the work of matching paths to them.
const SETS_MAX: usize = 256;
/// More files than any storage has.
const OBJECTS_MAX: u64 = 1 << 48;
pub(super) const DEFAULT_SIZE: Size = Size(1 << 20);

/// All pools of a plan: first those that `prepare` makes.
#[derive(Default)]
pub(super) struct Pools {
    pub(super) all: Vec<Pool>,
    /// So many of them, from the first, are described by `prepare`.
    described: usize,
}

/// What a path means among the described pools.
pub(super) enum Selection {
    /// All of one pool.
    Whole(PoolId),
    /// A part of one pool, whose base this is.
    Part(String),
    /// Several pools, whose bases these are.
    Several(Vec<String>),
    /// None of them.
    Nothing,
}

impl Pools {
    /// The pools that `prepare` describes.
    pub(super) fn described(prepare: &file::Prepare, target: &Uri, problems: &mut Problems<'_>) -> Self {
        let list = Path::from("prepare.ensure_objects");
        let entries = &prepare.ensure_objects;
        if entries.len() > SETS_MAX {
            problems.error(list, format!("there are more than {SETS_MAX} sets of objects"), "");
            return Self::default();
        }
        let mut all = Vec::<Pool>::new();
        if let Some(tree) = &prepare.directory_structure {
            all.extend(tree_pool(tree, entries, target, problems));
        } else {
            for (index, entry) in entries.iter().enumerate() {
                let at = list.child(index);
                let Some(pool) = objects_pool(entry, &at, target, problems) else { continue };
                if all.iter().any(|other| other.base == pool.base) {
                    let message = "two sets at the same place would overwrite each other's objects";
                    problems.error(at.child("base_uri"), message, "give each its own `base_uri`");
                }
                all.push(pool);
            }
        }
        Self { described: all.len(), all }
    }

    pub(super) fn get(&self, id: PoolId) -> &Pool {
        &self.all[usize::from(id.0)]
    }

    /// This pool, or the equal one that is there already.
    pub(super) fn add(&mut self, pool: Pool) -> PoolId {
        let at = self.all.iter().position(|other| *other == pool).unwrap_or(self.all.len());
        if at == self.all.len() {
            self.all.push(pool);
        }
        PoolId(u16::try_from(at).expect("sets and entries are bounded, and each adds at most two pools"))
    }

    /// The second pool beside a described one, for DELETE.
    pub(super) fn deletable(&mut self, beside: PoolId) -> PoolId {
        let pool = Pool { naming: Naming::Deletable, ..self.get(beside).clone() };
        self.add(pool)
    }

    /// Ids of all pools whose naming is one of those that `prepare` makes.
    pub(super) fn made_by_prepare(&self) -> Vec<PoolId> {
        self.ids(|pool| matches!(pool.naming, Naming::Prepared | Naming::Deletable | Naming::Tree(_)))
    }

    /// Ids of all pools that exist only because of the run.
    pub(super) fn made_by_run(&self) -> Vec<PoolId> {
        self.ids(|pool| !matches!(pool.naming, Naming::Single | Naming::Directory | Naming::Listed { .. }))
    }

    /// The pool that PUT fills at this place.
    pub(super) fn put_at(&self, base: &str) -> Option<&Pool> {
        self.all.iter().find(|pool| pool.naming == Naming::Put && pool.base == base)
    }

    fn ids(&self, wanted: impl Fn(&Pool) -> bool) -> Vec<PoolId> {
        let ids = (0_u16..).zip(&self.all).filter(|(_, pool)| wanted(pool));
        ids.map(|(index, _)| PoolId(index)).collect()
    }

    /// Which of the described pools a path means.
    pub(super) fn select(&self, path: &Relative) -> Selection {
        let described = || (0_u16..).zip(&self.all[..self.described]);
        if !path.is_glob() {
            let base = path.base();
            if let Some((index, _)) = described().find(|(_, pool)| pool.base == base) {
                return Selection::Whole(PoolId(index));
            }
        }
        let (mut whole, mut part) = (Vec::new(), Vec::new());
        for (index, pool) in described() {
            match coverage(path, pool) {
                Coverage::All => whole.push((index, pool)),
                Coverage::Some => part.push((index, pool)),
                Coverage::None => {}
            }
        }
        match (&*whole, &*part) {
            ([], []) => Selection::Nothing,
            ([(index, _)], []) => Selection::Whole(PoolId(*index)),
            ([], [(_, pool)]) => Selection::Part(pool.base.clone()),
            _ => Selection::Several(whole.iter().chain(&part).map(|(_, pool)| pool.base.clone()).collect()),
        }
    }
}

/// The pool of one `ensure_objects` entry.
fn objects_pool(entry: &EnsureObjects, at: &Path, target: &Uri, problems: &mut Problems<'_>) -> Option<Pool> {
    let base = base_of(&entry.base_uri, at, target, problems);
    let sizes = sizes_of(entry, at, problems);
    let count = match entry.count {
        Some(count) if (1..=OBJECTS_MAX).contains(&count.0) => Some(count.0),
        Some(count) => {
            problems.error(
                at.child("count"),
                format!("{count} objects cannot be prepared"),
                "write a count of 1 or more",
            );
            None
        }
        None => {
            problems.missing_in(
                at,
                &[at.child("count"), "prepare.directory_structure".into()],
                "the key `count` is missing here",
                "write how many objects to prepare",
            );
            None
        }
    };
    Some(Pool { base: base?, naming: Naming::Prepared, count: count?, sizes: sizes?, fill: fill(entry.fill) })
}

/// The pool of `directory_structure`, whose files the one entry of `ensure_objects` describes.
fn tree_pool(
    tree: &DirectoryStructure,
    entries: &[EnsureObjects],
    target: &Uri,
    problems: &mut Problems<'_>,
) -> Option<Pool> {
    let at = Path::from("prepare.ensure_objects.0");
    if entries.len() > 1 {
        let help = "keep one entry: it says where the tree is and how large its files are";
        problems.error("prepare.ensure_objects.1", "a tree has one entry of `ensure_objects`", help);
        return None;
    }
    let default = EnsureObjects::default();
    let entry = entries.first().unwrap_or(&default);
    let (tree, files) = tree_of(tree, problems)?;
    if let Some(count) = entry.count.filter(|count| count.0 != 0 && count.0 != files) {
        let message = format!("the tree has {files} files, not {count}");
        problems.error(at.child("count"), message, "remove `count`: the tree says how many files there are");
    }
    let base = base_of(&entry.base_uri, &at, target, problems);
    let sizes = sizes_of(entry, &at, problems);
    Some(Pool {
        base: base?,
        naming: Naming::Tree(tree),
        count: files,
        sizes: sizes?,
        fill: fill(entry.fill),
    })
}

/// The tree and its number of files.
fn tree_of(written: &DirectoryStructure, problems: &mut Problems<'_>) -> Option<(Tree, u64)> {
    let at = Path::from("prepare.directory_structure");
    let mut number = |key: &str, value: u64, max: u32| match u32::try_from(value) {
        Ok(value) if (1..=max).contains(&value) => Some(value),
        _ => {
            problems.error(at.child(key), format!("`{key}` is {value}; it must be from 1 to {max}"), "");
            None
        }
    };
    let width = number("width", written.width.0, 1_000_000);
    let depth = number("depth", written.depth.0, 32);
    let files_per_dir = number("files_per_dir", written.files_per_dir.0, u32::MAX);
    let tree = Tree {
        width: width?,
        depth: depth?,
        files_per_dir: files_per_dir?,
        all_levels: written.distribution == Levels::All,
    };
    let levels = if tree.all_levels { 1..=tree.depth } else { tree.depth..=tree.depth };
    let directories =
        levels.fold(0_u64, |sum, level| sum.saturating_add(u64::from(tree.width).saturating_pow(level)));
    let files = directories.saturating_mul(tree.files_per_dir.into());
    if files > OBJECTS_MAX {
        problems.error(at, "the tree has more files than any storage can hold", "reduce `width` or `depth`");
        return None;
    }
    Some((tree, files))
}

fn base_of(written: &str, at: &Path, target: &Uri, problems: &mut Problems<'_>) -> Option<String> {
    match Relative::parse(written, target) {
        Ok(path) if !path.is_glob() => Some(path.base()),
        Ok(_) => {
            problems.error(
                at.child("base_uri"),
                "a directory to create objects in cannot be a glob",
                "write the directory alone",
            );
            None
        }
        Err(why) => {
            paths::unusable(written, &why, at.child("base_uri"), problems);
            None
        }
    }
}

fn sizes_of(entry: &EnsureObjects, at: &Path, problems: &mut Problems<'_>) -> Option<SizeSpec> {
    let sizes = Sizes {
        bounds: (entry.min_size, entry.max_size),
        size: (entry.size, "size"),
        spec: entry.size_spec.as_ref(),
    };
    if sizes.given() { sizes.resolve(at, problems) } else { Some(SizeSpec::Fixed(DEFAULT_SIZE.0)) }
}

fn fill(written: file::Fill) -> Fill {
    match written {
        file::Fill::Random => Fill::Random,
        file::Fill::Zero => Fill::Zero,
    }
}

/// How much of a pool a path covers.
enum Coverage {
    All,
    Some,
    None,
}

/// Stands for digits that can be anything: only a wildcard matches it.
const ANY: &str = "\u{1}";
/// So many real keys are tried to find out whether a path means a part of a pool.
const KEYS_TRIED: u64 = 20;

fn coverage(path: &Relative, pool: &Pool) -> Coverage {
    // Without a wildcard it is one key, or a directory that need not be written like one.
    let globs = if path.is_glob() {
        vec![path.glob()]
    } else {
        vec![path.path.clone(), format!("{}**", path.base())]
    };
    let matches = |below: &String| {
        let key = format!("{}{below}", pool.base);
        globs.iter().any(|glob| glob_matches(glob, &key))
    };
    let generic = generic_keys(pool);
    if generic.iter().all(matches) {
        return Coverage::All;
    }
    let tried = first_keys(pool);
    let found = tried.iter().filter(|key| matches(key)).count() as u64;
    match &pool.naming {
        Naming::Prepared if found == pool.count => Coverage::All,
        _ if found > 0 || generic.iter().any(matches) => Coverage::Some,
        // A number written out in part, as in `prepared-0123*.dat`.
        Naming::Prepared if path.path.starts_with(&format!("{}prepared-", pool.base)) => Coverage::Some,
        _ => Coverage::None,
    }
}

/// One key for each shape that keys of a pool have: what differs between them is [`ANY`], and a path that matches
/// these matches all.
fn generic_keys(pool: &Pool) -> Vec<String> {
    let largest = pool.count.saturating_sub(1).to_string().len();
    let number = format!("{}{ANY}", "0".repeat(8_usize.saturating_sub(largest)));
    match &pool.naming {
        Naming::Tree(tree) => {
            let levels = if tree.all_levels { 1..=tree.depth } else { tree.depth..=tree.depth };
            let directories =
                |level: u32| (1..=level).map(|level| format!("d{level}_w{ANY}.dir/")).collect::<String>();
            levels.map(|level| format!("{}file_{number}.dat", directories(level))).collect()
        }
        _ => vec![format!("prepared-{number}.dat")],
    }
}

fn first_keys(pool: &Pool) -> Vec<String> {
    let numbers = 0..pool.count.min(KEYS_TRIED);
    match &pool.naming {
        Naming::Tree(tree) => {
            let directories = (1..=tree.depth).map(|level| format!("d{level}_w1.dir/")).collect::<String>();
            numbers.map(|number| format!("{directories}file_{number:08}.dat")).collect()
        }
        _ => numbers.map(|number| format!("prepared-{number:08}.dat")).collect(),
    }
}
