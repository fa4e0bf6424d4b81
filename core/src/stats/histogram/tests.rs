use super::*;
use flate2::{Compression, write::ZlibEncoder};
use hdrhistogram::serialization::Deserializer;
use proptest::prelude::*;
use std::io::Write;

fn of(values: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    values.iter().for_each(|&value| histogram.record(value));
    histogram
}

/// Latencies as they occur: any number of bits, so that every power of two is hit.
fn latencies() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec((0_u32..46, any::<u64>()).prop_map(|(bits, value)| value >> (63 - bits)), 0..200)
}

/// A deflated histogram with this plain content.
fn deflated(plain: &[u8]) -> Encoded {
    let mut body = ZlibEncoder::new(Vec::new(), Compression::best());
    body.write_all(plain).unwrap();
    let body = body.finish().unwrap();
    let mut bytes = COOKIE_DEFLATED.to_be_bytes().to_vec();
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    Encoded(bytes)
}

/// A plain histogram with this header and these counts.
fn plain(digits: u32, low: u64, high: u64, counts: &[u8]) -> Vec<u8> {
    let mut plain = COOKIE_PLAIN.to_be_bytes().to_vec();
    for word in [counts.len() as u32, 0, digits] {
        plain.extend(word.to_be_bytes());
    }
    for double in [low, high, 1.0_f64.to_bits()] {
        plain.extend(double.to_be_bytes());
    }
    plain.extend(counts);
    plain
}

fn ours(counts: &[u8]) -> Encoded {
    deflated(&plain(3, 1, HIGHEST, counts))
}

#[test]
fn values_beyond_the_range_count_at_its_ends() {
    let histogram = of(&[0, 1, HIGHEST, HIGHEST + 1, u64::MAX]);
    assert_eq!(histogram.count(), 5);
    assert_eq!(histogram.min(), 1);
    assert!(histogram.max() >= HIGHEST && histogram.max() < HIGHEST + HIGHEST / 1000);
    assert_eq!(histogram.percentile(40.0), 1);
}

#[test]
fn values_keep_three_digits() {
    for value in [999_u64, 1_234, 98_765_432, 3_599_999_999_999] {
        let median = of(&[value]).percentile(50.0);
        assert!(median.abs_diff(value) * 1000 <= value, "{value} became {median}");
    }
}

#[test]
fn a_percentile_is_the_value_of_its_rank() {
    let histogram = of(&(1..=1000).collect::<Vec<_>>());
    for (percent, rank) in
        [(0.0, 1), (0.1, 1), (50.0, 500), (99.0, 990), (99.9, 999), (100.0, 1000), (500.0, 1000)]
    {
        assert_eq!(histogram.percentile(percent), rank, "{percent} %");
    }
}

#[test]
fn nothing_encodes_to_no_bytes_and_back() {
    assert_eq!(Histogram::new().encode(), Encoded::default());
    let empty = Histogram::decode(&Encoded::default()).unwrap();
    assert_eq!((empty.count(), empty.min(), empty.max(), empty.percentile(99.0)), (0, 0, 0, 0));
}

#[test]
fn a_cleared_histogram_is_as_new() {
    let mut histogram = of(&[5, 7_000]);
    histogram.clear();
    assert_eq!(histogram, Histogram::new());
    histogram.record(9);
    assert_eq!((histogram.min(), histogram.max()), (9, 9));
}

#[test]
fn damaged_bytes_are_refused() {
    let good = of(&[1_000, 2_000, 3_000_000]).encode();
    for length in 1..good.0.len() {
        Histogram::decode(&Encoded(good.0[..length].to_vec())).expect_err("it is cut off");
    }
    let mut longer = good.clone();
    longer.0.push(0);
    assert_eq!(Histogram::decode(&longer), Err(BadHistogram::Damaged("length differs")));
    let mut other = good;
    other.0[3] ^= 1;
    assert_eq!(Histogram::decode(&other), Err(BadHistogram::Damaged("not V2 + DEFLATE")));
}

#[test]
fn another_range_is_refused_with_its_figures() {
    let error = Histogram::decode(&deflated(&plain(2, 1, HIGHEST, &[2]))).unwrap_err();
    assert_eq!(error, BadHistogram::OtherRange { digits: 2, low: 1, high: HIGHEST });
    Histogram::decode(&deflated(&plain(3, 1_000, HIGHEST, &[2]))).expect_err("coarser");
    Histogram::decode(&deflated(&plain(3, 1, HIGHEST * 2, &[2]))).expect_err("longer");
}

#[test]
fn a_small_message_cannot_make_a_large_allocation() {
    // 64 MiB of zeros deflate to 64 KiB.
    let bomb = deflated(&plain(3, 1, HIGHEST, &vec![0; 64 << 20]));
    assert!(bomb.0.len() < 100_000);
    assert_eq!(Histogram::decode(&bomb), Err(BadHistogram::TooLong));
    assert_eq!(Histogram::decode(&Encoded(vec![0; DEFLATED_MAX + 1])), Err(BadHistogram::TooLong));
}

#[test]
fn no_more_is_inflated_than_a_histogram_can_have() {
    /// Gives zeros, and fails the test when it is asked for far too many.
    struct Bomb(usize);
    impl Read for Bomb {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += buffer.len();
            assert!(self.0 < 2 * PLAIN_MAX, "read on beyond the bound");
            buffer.fill(0);
            Ok(buffer.len())
        }
    }
    assert_eq!(read_bounded(Bomb(0)), Err(BadHistogram::TooLong));
}

#[test]
fn counts_that_make_no_sense_are_refused() {
    // Skips more slots than there are, by the smallest number there is.
    assert!(Histogram::decode(&ours(&[0xff; 9])).is_err());
    // The last slot can be counted, one further cannot: -(SLOTS - 1) and 1 in zigzag.
    let skip = |slots: u64| {
        let zigzag = 2 * slots - 1;
        [0x80 | (zigzag & 0x7f) as u8, 0x80 | (zigzag >> 7 & 0x7f) as u8, (zigzag >> 14) as u8, 2]
    };
    assert_eq!(Histogram::decode(&ours(&skip(SLOTS - 1))).unwrap().count(), 1);
    assert_eq!(Histogram::decode(&ours(&skip(SLOTS))), Err(BadHistogram::Damaged("more counts than slots")));
    // Three times 2^62 overflows; once 2^49 is more than can be.
    let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80];
    assert_eq!(Histogram::decode(&ours(&[huge, huge, huge].concat())), Err(BadHistogram::Count));
    assert_eq!(
        Histogram::decode(&ours(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02])),
        Err(BadHistogram::Count)
    );
    assert_eq!(Histogram::decode(&ours(&[0x80])), Err(BadHistogram::Damaged("ends within a number")));
}

#[test]
fn a_slots_value_is_the_lowest_that_counts_there() {
    let mut histogram = Histogram::new();
    for slot in [1, 1023, 1024, 2047, 2048, 5000, SLOTS - 1] {
        histogram.record(value_of(slot));
        assert!(slot == 1 || !of(&[value_of(slot) - 1]).recorded().eq(of(&[value_of(slot)]).recorded()));
    }
    assert_eq!(histogram.recorded().count(), 7);
}

proptest! {
    #[test]
    fn encoding_loses_nothing(values in latencies()) {
        let histogram = of(&values);
        let encoded = histogram.encode();
        prop_assert_eq!(encoded.check(), Ok(histogram.count()));
        let decoded = Histogram::decode(&encoded).unwrap();
        prop_assert_eq!(&decoded, &histogram);
        prop_assert_eq!(decoded.encode(), encoded);
    }

    #[test]
    fn other_tools_read_the_same(values in latencies()) {
        let histogram = of(&values);
        if !histogram.is_empty() {
            let theirs = Deserializer::new().deserialize::<u64, _>(&mut &histogram.encode().0[..]).unwrap();
            prop_assert_eq!(theirs, histogram.inner);
        }
    }

    #[test]
    fn a_merged_percentile_is_that_of_all_samples(a in latencies(), b in latencies(), percent in 0.0_f64..=100.0) {
        let all = of(&[a.clone(), b.clone()].concat());
        let (mut merged, mut of_encoded) = (of(&a), of(&a));
        merged.merge(&of(&b));
        of_encoded.merge_encoded(&of(&b).encode()).unwrap();
        prop_assert_eq!(&merged, &all);
        prop_assert_eq!(&of_encoded, &all);
        prop_assert_eq!(merged.percentile(percent), all.percentile(percent));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Histogram::decode(&Encoded(bytes.clone()));
        let _ = Histogram::decode(&deflated(&bytes));
        if let Ok(histogram) = Histogram::decode(&ours(&bytes)) {
            prop_assert!(histogram.percentile(99.0) <= histogram.max());
        }
    }
}
