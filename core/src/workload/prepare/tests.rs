use super::*;
use crate::plan::{Fill, Naming, Pool, SizeSpec};
use std::collections::BTreeSet;

fn keys() -> Vec<Keys> {
    let pools = [
        (Naming::Prepared, 10, SizeSpec::Fixed(100)),
        (Naming::Put, u64::MAX, SizeSpec::Fixed(100)),
        (Naming::Deletable, 7, SizeSpec::Uniform { min: 1, max: 50 }),
    ];
    let pool =
        |(naming, count, sizes)| Pool { base: String::new(), naming, count, sizes, fill: Fill::Random };
    let keys = pools.into_iter().enumerate();
    keys.map(|(id, parts)| Keys::new(&pool(parts), PoolId(id as u16), 1)).collect()
}

const ALL: [PoolId; 3] = [PoolId(0), PoolId(1), PoolId(2)];

#[test]
fn shares_together_do_every_key_once_and_leave_out_endless_names() {
    let mut seen = BTreeSet::new();
    for index in 0..3 {
        let worklist = Worklist::new(&ALL, &keys(), Share { index, count: 3 });
        let (objects, bytes) = (worklist.objects(), worklist.bytes().unwrap());
        let items: Vec<Item> = worklist.collect();
        assert_eq!(items.len() as u64, objects);
        assert_eq!(items.iter().map(|item| item.size).sum::<u64>(), bytes);
        assert!(items.is_sorted_by_key(|item| (item.pool, item.key)));
        for item in items {
            assert!(seen.insert((item.pool, item.key)), "{item:?} came twice");
        }
    }
    assert_eq!(seen.len(), 17);
}

#[test]
fn it_goes_on_where_it_was_cut() {
    let all: Vec<Item> = Worklist::new(&ALL, &keys(), Share::WHOLE).collect();
    for cut in 0..=all.len() {
        let mut first = Worklist::new(&ALL, &keys(), Share::WHOLE);
        assert!(first.by_ref().take(cut).eq(all[..cut].iter().copied()));
        let rest = Worklist::new(&ALL, &keys(), Share::WHOLE).resumed(first.position());
        assert!(rest.eq(all[cut..].iter().copied()), "cut at {cut}");
    }
}

#[test]
fn bytes_of_very_many_different_sizes_are_not_summed_up() {
    let pool = |sizes| Pool {
        base: String::new(),
        naming: Naming::Prepared,
        count: 1 << 40,
        sizes,
        fill: Fill::Random,
    };
    let bytes =
        |sizes| Worklist::new(&[PoolId(0)], &[Keys::new(&pool(sizes), PoolId(0), 1)], Share::WHOLE).bytes();
    assert_eq!(bytes(SizeSpec::Fixed(4096)), Some(4096 << 40));
    assert_eq!(bytes(SizeSpec::Uniform { min: 1, max: 2 }), None);
}
