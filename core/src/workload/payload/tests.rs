use super::*;

const POOL: PoolId = PoolId(2);

#[test]
fn any_agent_of_the_same_seed_makes_the_same_content() {
    let (a, b) = (Payload::new(5, 1 << 20), Payload::new(5, 4096));
    assert_eq!(a.slice(Fill::Random, POOL, 77, 12_345, 4096), b.slice(Fill::Random, POOL, 77, 12_345, 4096));
    let other = Payload::new(6, 4096);
    assert_ne!(a.slice(Fill::Random, POOL, 77, 0, 64), other.slice(Fill::Random, POOL, 77, 0, 64));
}

#[test]
fn content_stays_the_same_across_versions() {
    let payload = Payload::new(5, 4096);
    assert_eq!(payload.start(Fill::Random, POOL, 77, 1), 3_604_481);
    assert_eq!(payload.slice(Fill::Random, POOL, 77, 4096, 8), [152, 87, 96, 69, 47, 91, 27, 67]);
}

#[test]
fn content_does_not_depend_on_how_it_is_cut() {
    let payload = Payload::new(5, 6 << 20);
    for key in 0..8 {
        let whole = payload.slice(Fill::Random, POOL, key, 0, 6 << 20);
        assert_eq!(whole.len(), 6 << 20);
        for offset in [1, 4095, (4 << 20) - 5, (6 << 20) - 3000] {
            let piece = payload.slice(Fill::Random, POOL, key, offset as u64, 3000);
            assert!(piece == &whole[offset..offset + 3000], "key {key} from {offset}");
        }
    }
}

#[test]
fn keys_differ_in_content() {
    let payload = Payload::new(5, 4096);
    let mut starts: Vec<usize> = (0..1000).map(|key| payload.start(Fill::Random, POOL, key, 0)).collect();
    starts.sort_unstable();
    starts.dedup();
    // Of 1024 places, 1000 draws reach 1024 (1 - exp(-1000/1024)), which is 638.
    assert!(starts.len().abs_diff(638) < 60, "{} different contents", starts.len());
}

#[test]
fn memory_and_starts_are_aligned_for_direct_io() {
    let payload = Payload::new(5, 5000);
    assert_eq!(payload.longest(), 8192);
    assert_eq!(payload.bytes().as_ptr().align_offset(PAGE), 0);
    for (fill, key) in [(Fill::Random, 9), (Fill::Random, 10), (Fill::Zero, 9)] {
        assert_eq!(payload.start(fill, POOL, key, 8192) % PAGE, 0);
        assert!(payload.start(fill, POOL, key, u64::MAX) + payload.longest() <= payload.bytes().len());
    }
}

#[test]
fn zeros_are_zeros() {
    let payload = Payload::new(5, 1 << 16);
    assert!(payload.slice(Fill::Zero, POOL, 1, 99, 1 << 16).iter().all(|&byte| byte == 0));
}

#[test]
fn the_first_wrong_byte_is_found() {
    let payload = Payload::new(5, 4096);
    let mut read: Vec<u8> =
        (0..5).flat_map(|i| payload.slice(Fill::Random, POOL, 1, 100 + i * 4096, 4096).to_vec()).collect();
    assert_eq!(payload.first_mismatch(Fill::Random, POOL, 1, 100, &read), None);
    assert_eq!(payload.first_mismatch(Fill::Random, POOL, 1, 100, &[]), None);
    read[10_000] ^= 1;
    read[10_001] ^= 1;
    assert_eq!(payload.first_mismatch(Fill::Random, POOL, 1, 100, &read), Some(10_000));
    assert_eq!(payload.first_mismatch(Fill::Zero, POOL, 1, 100, &[0, 0, 7]), Some(2));
}

#[test]
fn random_content_does_not_compress() {
    let payload = Payload::new(5, 4096);
    let mut counts = [0_u32; 256];
    payload.bytes()[..PERIOD].iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let mean = PERIOD as f64 / 256.0;
    // Chi-square with 255 degrees of freedom exceeds 347.7 once in 10 000 times.
    let chi: f64 = counts.iter().map(|&count| (f64::from(count) - mean).powi(2) / mean).sum();
    assert!(chi < 347.7, "chi-square {chi}");
}
