use super::*;
use crate::plan::{Fill, SizeSpec, Tree};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn pool(base: &str, naming: Naming, count: u64) -> Pool {
    Pool {
        base: base.into(),
        naming,
        count,
        sizes: SizeSpec::Uniform { min: 10, max: 20 },
        fill: Fill::Random,
    }
}

fn keys(base: &str, naming: Naming, count: u64) -> Keys {
    Keys::new(&pool(base, naming, count), PoolId(0), 1)
}

fn tree(width: u32, depth: u32, files_per_dir: u32, all_levels: bool) -> Keys {
    keys("t/", Naming::Tree(Tree { width, depth, files_per_dir, all_levels }), u64::MAX)
}

fn name(keys: &Keys, index: u64) -> String {
    let mut name = Vec::new();
    keys.name(index, &mut name);
    String::from_utf8(name).unwrap()
}

fn directories(keys: &Keys) -> Vec<String> {
    let directory = |index| {
        let mut name = Vec::new();
        keys.directory(index, &mut name);
        String::from_utf8(name).unwrap()
    };
    (0..keys.directories()).map(directory).collect()
}

#[test]
fn names_are_numbered_below_the_base() {
    assert_eq!(name(&keys("data/", Naming::Prepared, 20), 12), "data/prepared-00000012.dat");
    assert_eq!(name(&keys("", Naming::Deletable, 20), 0), "deletable-00000000.dat");
    assert_eq!(name(&keys("p/", Naming::Put, u64::MAX), 0), "p/obj_0");
    assert_eq!(name(&keys("", Naming::Put, u64::MAX), u64::MAX), "obj_18446744073709551615");
    assert_eq!(name(&keys("", Naming::Prepared, u64::MAX), 1_234_567_890), "prepared-1234567890.dat");
    assert_eq!(name(&keys("dir/disk.img", Naming::Single, 1), 0), "dir/disk.img");
    assert_eq!(name(&keys("disk.img/", Naming::Single, 1), 0), "disk.img");
}

#[test]
fn a_tree_is_numbered_level_by_level() {
    let bottom = tree(2, 2, 3, false);
    assert_eq!(
        directories(&bottom),
        [
            "t/d1_w1.dir",
            "t/d1_w2.dir",
            "t/d1_w1.dir/d2_w1.dir",
            "t/d1_w1.dir/d2_w2.dir",
            "t/d1_w2.dir/d2_w1.dir",
            "t/d1_w2.dir/d2_w2.dir",
        ]
    );
    assert_eq!(bottom.count(), 12);
    assert_eq!(name(&bottom, 0), "t/d1_w1.dir/d2_w1.dir/file_00000000.dat");
    assert_eq!(name(&bottom, 11), "t/d1_w2.dir/d2_w2.dir/file_00000011.dat");
    let all = tree(2, 2, 3, true);
    assert_eq!(all.count(), 18);
    assert_eq!(name(&all, 3), "t/d1_w2.dir/file_00000003.dat");
    let flat = tree(5, 0, 3, false);
    assert_eq!((flat.count(), flat.directories()), (3, 0));
    assert_eq!(name(&flat, 2), "t/file_00000002.dat");
}

#[test]
fn absurd_trees_saturate() {
    let wide = tree(u32::MAX, u32::MAX, u32::MAX, true);
    assert_eq!((wide.count(), wide.directories()), (u64::MAX, u64::MAX));
    assert_eq!(tree(1, u32::MAX, 1, false).directories(), u64::from(u32::MAX));
    assert_eq!(tree(0, 3, 5, true).count(), 0);
    assert_eq!(tree(3, 3, 0, true).count(), 0);
}

#[test]
fn sizes_depend_on_seed_pool_and_index_alone() {
    let pool = pool("", Naming::Prepared, u64::MAX);
    let [a, again, other_seed] = [1, 1, 2].map(|seed| Keys::new(&pool, PoolId(0), seed));
    let other_pool = Keys::new(&pool, PoolId(1), 1);
    let sizes = |keys: &Keys| (0..100).map(|index| keys.size(index)).collect::<Vec<_>>();
    assert_eq!(sizes(&a), sizes(&again));
    assert_ne!(sizes(&a), sizes(&other_seed));
    assert_ne!(sizes(&a), sizes(&other_pool));
    assert_eq!(a.same_size(), None);
    assert_eq!(a.with_size(7).same_size(), Some(7));
}

#[test]
fn listed_keys_are_as_they_were_found() {
    let mut listing = Listing::new();
    listing.push(b"x/one", 5);
    assert_eq!(listing.same_size(), Some(5));
    listing.push(b"two \xff", 9);
    let keys = Keys::listed(Arc::new(listing), PoolId(3));
    assert_eq!((keys.count(), keys.pool(), keys.same_size()), (2, PoolId(3), None));
    let mut last = b"kept ".to_vec();
    keys.name(1, &mut last);
    assert_eq!((&last[..], keys.size(1)), (&b"kept two \xff"[..], 9));
    let none = keys_of_nothing();
    assert_eq!((none.count(), none.size(0), none.same_size()), (0, 0, None));
}

fn keys_of_nothing() -> Keys {
    Keys::listed(Arc::default(), PoolId(0))
}

#[test]
fn only_the_own_spelling_is_recognised() {
    let prepared = keys("data/", Naming::Prepared, 100);
    assert_eq!(prepared.index_of(b"data/prepared-00000042.dat"), Some(42));
    for foreign in [
        "data/prepared-00000100.dat",
        "data/prepared-000000042.dat",
        "data/prepared-42.dat",
        "data/prepared-0000004x.dat",
        "prepared-00000042.dat",
        "data/deletable-00000042.dat",
        "data/prepared-99999999999999999999.dat",
        "data/prepared-.dat",
    ] {
        assert_eq!(prepared.index_of(foreign.as_bytes()), None, "{foreign}");
    }
    assert_eq!(tree(2, 2, 3, false).index_of(b"t/d1_w2.dir/d2_w1.dir/file_00000000.dat"), None);
}

proptest! {
    #[test]
    fn every_name_leads_back_to_its_index(
        naming in prop_oneof![
            Just(Naming::Prepared), Just(Naming::Deletable), Just(Naming::Put),
            (1_u32..9, 0_u32..5, 1_u32..30, any::<bool>()).prop_map(|(width, depth, files_per_dir, all_levels)| {
                Naming::Tree(Tree { width, depth, files_per_dir, all_levels })
            }),
        ],
        index in any::<u64>(),
    ) {
        let keys = keys("some/base/", naming, u64::MAX);
        let index = index % keys.count();
        prop_assert_eq!(keys.index_of(name(&keys, index).as_bytes()), Some(index));
    }

    #[test]
    fn every_file_of_a_tree_lies_in_a_directory_that_is_made_after_its_parent(
        width in 1_u32..4, depth in 1_u32..4, files_per_dir in 1_u32..4, all_levels: bool,
    ) {
        let keys = tree(width, depth, files_per_dir, all_levels);
        let mut made = BTreeSet::from(["t".to_owned()]);
        for directory in directories(&keys) {
            prop_assert!(made.contains(directory.rsplit_once('/').unwrap().0));
            prop_assert!(made.insert(directory));
        }
        let names: BTreeSet<_> = (0..keys.count()).map(|index| name(&keys, index)).collect();
        prop_assert_eq!(names.len() as u64, keys.count());
        prop_assert!(names.iter().all(|name| made.contains(name.rsplit_once('/').unwrap().0)));
    }
}
