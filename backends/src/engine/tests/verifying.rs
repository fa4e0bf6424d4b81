//! What is read is compared with what was written, when that is wanted.

use super::*;
use iobench_core::plan::Detail;

const SIZE: u64 = 3 << 20;

fn verified(operation: Operation, pool: u16) -> Entry {
    Entry { verify: true, ..entry(operation, pool) }
}

fn reads(directory: &Path, entries: Vec<Entry>) -> Plan {
    let mut plan = files(directory, vec![prepared(3, SIZE)], vec![prepare(&[0]), execute(200, entries)]);
    plan.errors.max_total_errors = u64::MAX;
    plan.errors.error_rate_threshold = f64::INFINITY;
    plan
}

fn object(directory: &Path, number: u32) -> std::path::PathBuf {
    directory.join(format!("target/data/prepared-{number:08}.dat"))
}

/// Turns one bit of a file.
fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_written_by_any_agent_is_found_right() {
    for change in [|_: &mut Plan| (), posix] {
        let directory = memory();
        let range = Entry {
            detail: Detail::Range { offset: Some(4095), length: 70_001 },
            ..verified(Operation::Get, 0)
        };
        let entries = vec![
            verified(Operation::Get, 0),
            verified(Operation::Read, 0),
            range,
            entry(Operation::Write, 0),
        ];
        let mut plan = reads(directory.path(), entries);
        change(&mut plan);
        plan.share = Share { index: 1, count: 2 };
        let mut other = Rig::new(plan.clone());
        other.validate().unwrap();
        other.run(0).done();
        plan.share = Share { index: 0, count: 2 };
        let mut rig = Rig::new(plan);
        rig.validate().unwrap();
        rig.run(0).done();
        let both =
            |totals: &StageTotals| count(totals, Operation::Get) > 0 && count(totals, Operation::Read) > 0;
        let totals = rig.run_until(1, both);
        assert!(totals.tally.errors.is_empty(), "{:?}", totals.tally.errors);
        assert!(both(&totals));
        assert_eq!(fact(&totals, "corrupt"), None);
    }
}

#[test]
fn one_wrong_bit_is_found_and_its_place_named() {
    for change in [|_: &mut Plan| (), posix] {
        let directory = memory();
        let mut plan = reads(directory.path(), vec![verified(Operation::Get, 0)]);
        change(&mut plan);
        let mut rig = Rig::new(plan);
        rig.validate().unwrap();
        rig.run(0).done();
        flip(&object(directory.path(), 1), (2 << 20) + 77);
        let right = |totals: &StageTotals| count(totals, Operation::Get) > 0;
        let wrong = |totals: &StageTotals| errors(totals, ErrorClass::Corrupt) > 0;
        let totals = rig.run_until(1, |totals| right(totals) && wrong(totals));
        assert!(wrong(&totals));
        let told = fact(&totals, "corrupt").unwrap();
        let place = format!("offset {}", (2 << 20) + 77);
        assert!(told.contains("prepared-00000001.dat") && told.contains(&place), "{told}");
        assert!(right(&totals), "the others are right");
    }
}

#[test]
fn a_wrong_object_and_a_short_one_are_found() {
    let directory = memory();
    let mut rig = Rig::new(reads(directory.path(), vec![verified(Operation::Get, 0)]));
    rig.validate().unwrap();
    rig.run(0).done();
    std::fs::copy(object(directory.path(), 0), object(directory.path(), 1)).unwrap();
    let short = std::fs::File::options().write(true).open(object(directory.path(), 2)).unwrap();
    short.set_len(SIZE - 1).unwrap();
    let both = |totals: &StageTotals| {
        errors(totals, ErrorClass::Corrupt) > 0 && errors(totals, ErrorClass::Truncated) > 0
    };
    let totals = rig.run_until(1, both);
    assert!(both(&totals));
    assert!(
        fact(&totals, "corrupt")
            .unwrap()
            .contains("prepared-00000001.dat` is not what was written: its first wrong byte is at offset 0")
    );
}

#[test]
fn a_stage_that_fails_for_it_says_where() {
    let directory = memory();
    let mut plan = reads(directory.path(), vec![verified(Operation::Get, 0)]);
    plan.stages[1] = execute(60_000, vec![verified(Operation::Get, 0)]);
    plan.errors.max_total_errors = 0;
    let mut rig = Rig::new(plan);
    rig.validate().unwrap();
    rig.run(0).done();
    (0..3).for_each(|number| flip(&object(directory.path(), number), 5));
    let failure = rig.run(1).failure.unwrap();
    assert!(failure.message.contains("first wrong byte is at offset 5"), "{failure}");
}

#[test]
fn what_nobody_verifies_costs_and_counts_nothing() {
    let directory = memory();
    let mut rig = Rig::new(reads(directory.path(), vec![entry(Operation::Get, 0)]));
    rig.validate().unwrap();
    rig.run(0).done();
    (0..3).for_each(|number| flip(&object(directory.path(), number), 0));
    assert!(rig.run(1).done().tally.errors.is_empty());
}

#[test]
fn what_an_earlier_run_has_put_is_recognized_by_its_name() {
    let directory = memory();
    let listed = pool("new/", Naming::Listed { glob: "new/**".to_owned() }, 0, 0);
    let varied =
        Pool { sizes: SizeSpec::Uniform { min: 1, max: 5000 }, ..pool("new/", Naming::Put, u64::MAX, 0) };
    let stages = |milliseconds, entries| vec![execute(milliseconds, entries)];
    let mut rig =
        Rig::new(files(directory.path(), vec![varied], stages(100, vec![entry(Operation::Put, 0)])));
    rig.validate().unwrap();
    rig.run_until(0, |totals| count(totals, Operation::Put) > 0);
    let foreign = directory.path().join("target/new/foreign");
    std::fs::write(&foreign, "not ours").unwrap();
    rig.set(|plan| {
        plan.pools.push(listed);
        plan.stages = stages(100, vec![verified(Operation::Get, 1)]);
    });
    rig.validate().unwrap();
    let totals = rig.run_until(0, |totals| count(totals, Operation::Get) > 0);
    assert!(count(&totals, Operation::Get) > 0 && totals.tally.errors.is_empty(), "{totals:?}");
    rig.set(|plan| {
        plan.seed += 1;
        plan.errors.max_total_errors = 0;
        plan.stages = stages(60_000, vec![verified(Operation::Get, 1)]);
    });
    rig.validate().unwrap();
    let failure = rig.run(0).failure.expect("another seed");
    assert!(failure.message.contains("another seed") || failure.message.contains("truncated"), "{failure}");
}
