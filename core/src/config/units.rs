//! Quantities as people write them: `250ms`, `4KiB`, `1_000_000`.
//!
//! Each type reads a YAML number or a text with units, and writes the shortest text that reads back as exactly
//! the same value.

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// A duration: `250ms`, `30s`, `1h 30m`, or a number of seconds (`90`, `0.5`). At most ten years.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct TimeSpan(pub Duration);

/// A number of bytes: `4096`, `4KiB` (1024), `4KB` (1000), `1.5MiB`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Size(pub u64);

/// A whole number, in which `_`, `,` and spaces may separate groups of digits: `1_000_000`, `1,000,000`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Count(pub u64);

const TEN_YEARS: Duration = Duration::from_secs(3650 * 86_400);

/// Units of time in nanoseconds, the largest first: the order in which a duration is written.
const TIMES: [(&[&str], u128); 7] = [
    (&["d", "day", "days"], 86_400_000_000_000),
    (&["h", "hr", "hour", "hours"], 3_600_000_000_000),
    (&["m", "min", "minute", "minutes"], 60_000_000_000),
    (&["s", "sec", "second", "seconds"], 1_000_000_000),
    (&["ms"], 1_000_000),
    (&["us", "µs"], 1_000),
    (&["ns"], 1),
];

/// Units of size in bytes, compared without regard to case. The binary ones come first and are the ones written.
const SIZES: [(&[&str], u128); 11] = [
    (&["PiB", "Pi"], 1 << 50),
    (&["TiB", "Ti"], 1 << 40),
    (&["GiB", "Gi"], 1 << 30),
    (&["MiB", "Mi"], 1 << 20),
    (&["KiB", "Ki"], 1 << 10),
    (&["B", ""], 1),
    (&["KB"], 1_000),
    (&["MB"], 1_000_000),
    (&["GB"], 1_000_000_000),
    (&["TB"], 1_000_000_000_000),
    (&["PB"], 1_000_000_000_000_000),
];

/// What the three have in common.
trait Quantity: Sized {
    /// What is expected, with examples, for error messages.
    const EXPECTED: &'static str;
    fn from_text(text: &str) -> Result<Self, String>;
    fn from_whole(number: u64) -> Result<Self, String>;
    fn from_fraction(number: f64) -> Result<Self, String>;
}

impl Quantity for TimeSpan {
    const EXPECTED: &'static str =
        "a duration such as `250ms`, `30s`, `5m`, `2h`, `1d` or a number of seconds";

    fn from_text(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err("the duration is empty".to_owned());
        }
        let mut nanos: u128 = 0;
        while !rest.is_empty() {
            let (number, unit, after) = split_quantity(rest)?;
            let factor = if unit.is_empty() && after.is_empty() && nanos == 0 {
                1_000_000_000
            } else {
                unit_factor(&TIMES, unit, str::eq).ok_or_else(|| unknown_unit(unit, "ns us ms s m h d"))?
            };
            nanos = nanos.checked_add(number.times(factor, "nanoseconds")?).ok_or_else(too_long)?;
            rest = after;
        }
        let nanos = u64::try_from(nanos).map_err(|_| too_long())?;
        Self::bounded(Duration::from_nanos(nanos))
    }

    fn from_whole(number: u64) -> Result<Self, String> {
        Self::bounded(Duration::from_secs(number))
    }

    fn from_fraction(number: f64) -> Result<Self, String> {
        let duration =
            Duration::try_from_secs_f64(number).map_err(|_| "it is not a possible duration".to_owned())?;
        Self::bounded(duration)
    }
}

impl TimeSpan {
    fn bounded(duration: Duration) -> Result<Self, String> {
        if duration > TEN_YEARS { Err(too_long()) } else { Ok(Self(duration)) }
    }
}

fn too_long() -> String {
    "it is longer than ten years".to_owned()
}

impl Quantity for Size {
    const EXPECTED: &'static str = "a size such as `4096`, `4KiB`, `4KB` or `1MiB`";

    fn from_text(text: &str) -> Result<Self, String> {
        let (number, unit, after) = split_quantity(text.trim())?;
        if !after.is_empty() {
            return Err(format!("`{after}` follows the size"));
        }
        let factor =
            unit_factor(&SIZES, unit, str::eq_ignore_ascii_case).ok_or_else(|| unknown_size(unit))?;
        let bytes = number.times(factor, "bytes")?;
        u64::try_from(bytes).map(Self).map_err(|_| "it is larger than any storage".to_owned())
    }

    fn from_whole(number: u64) -> Result<Self, String> {
        Ok(Self(number))
    }

    fn from_fraction(number: f64) -> Result<Self, String> {
        whole(number).map(Self)
    }
}

/// A single letter is 1000 to some tools and 1024 to others: to guess would change what is measured.
fn unknown_size(unit: &str) -> String {
    let letter = unit.to_ascii_uppercase();
    match &*letter {
        "K" | "M" | "G" | "T" | "P" => format!(
            "`{unit}` may mean powers of 1024 or of 1000; write `{letter}iB` for the first, `{letter}B` for the second"
        ),
        _ => unknown_unit(unit, "B KiB KB MiB MB GiB GB TiB TB"),
    }
}

impl Quantity for Count {
    const EXPECTED: &'static str = "a whole number such as `16` or `1_000_000`";

    fn from_text(text: &str) -> Result<Self, String> {
        let (number, unit, after) = split_quantity(text.trim())?;
        if !unit.is_empty() || !after.is_empty() {
            return Err("it is not a whole number".to_owned());
        }
        let number = number.times(1, "units").map_err(|_| "it is not a whole number")?;
        u64::try_from(number).map(Self).map_err(|_| "it is too large".to_owned())
    }

    fn from_whole(number: u64) -> Result<Self, String> {
        Ok(Self(number))
    }

    fn from_fraction(number: f64) -> Result<Self, String> {
        whole(number).map(Self)
    }
}

/// A floating-point number that is a whole one, such as `1e6`. Up to 2^53, where all of them are exact.
fn whole(number: f64) -> Result<u64, String> {
    if number.fract() != 0.0 || !(0.0..=9_007_199_254_740_992.0).contains(&number) {
        return Err("it is not a whole number".to_owned());
    }
    #[expect(clippy::cast_sign_loss, reason = "between 0 and 2^53, as just checked")]
    Ok(number as u64)
}

/// A decimal number: `digits` scaled down by ten to the power of `places`.
struct Decimal {
    digits: u128,
    places: u32,
}

impl Decimal {
    /// This many units of `factor`; an error when that is no whole number.
    fn times(&self, factor: u128, of: &str) -> Result<u128, String> {
        let scaled = self.digits.checked_mul(factor).ok_or("it is too large")?;
        let divisor = 10_u128.pow(self.places);
        if scaled.is_multiple_of(divisor) {
            Ok(scaled / divisor)
        } else {
            Err(format!("it is not a whole number of {of}"))
        }
    }
}

/// Splits `1_000.5KiB rest` into its number, its unit and the rest.
fn split_quantity(text: &str) -> Result<(Decimal, &str, &str), String> {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '_' | ',' | '.' | ' ');
    let end = text.find(|c| !is_number(c)).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let unit_end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(unit_end);
    Ok((decimal(number.trim_end())?, unit, after.trim_start()))
}

fn decimal(text: &str) -> Result<Decimal, String> {
    let not_a_number = || {
        if text.is_empty() {
            "it does not begin with a number".to_owned()
        } else {
            format!("`{text}` is not a number")
        }
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = ungroup(whole).ok_or_else(not_a_number)? + fraction;
    if !digits.bytes().all(|b| b.is_ascii_digit()) || text.ends_with('.') {
        return Err(not_a_number());
    }
    // More is absurd, and the powers of ten in `Decimal::times` have to fit.
    if digits.len() > 27 || fraction.len() > 18 {
        return Err("it has too many digits".to_owned());
    }
    let places = fraction.len().try_into().map_err(|_| not_a_number())?;
    Ok(Decimal { digits: digits.parse().map_err(|_| not_a_number())?, places })
}

/// The digits of `1_000`, `1,000` or `1 000`. Commas and spaces must separate thousands, because `1,5` means
/// something else to half of the world.
fn ungroup(text: &str) -> Option<String> {
    let mut groups = text.split([',', ' ']);
    let first = groups.next()?;
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 || first.len() > 3 {
            return None;
        }
        digits.push_str(group);
    }
    let ends_well =
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.ends_with(|c: char| c.is_ascii_digit());
    ends_well.then(|| digits.replace('_', ""))
}

fn unit_factor(units: &[(&[&str], u128)], unit: &str, same: fn(&str, &str) -> bool) -> Option<u128> {
    units.iter().find(|(names, _)| names.iter().any(|name| same(name, unit))).map(|(_, factor)| *factor)
}

fn unknown_unit(unit: &str, known: &str) -> String {
    if unit.is_empty() {
        format!("a unit is missing; known are {known}")
    } else {
        format!("unknown unit `{unit}`; known are {known}")
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (names, factor) =
            TIMES.iter().find(|(_, factor)| nanos != 0 && nanos.is_multiple_of(*factor)).unwrap_or(&TIMES[3]);
        write!(f, "{}{}", nanos / factor, names[0])
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = u128::from(self.0);
        match SIZES[..5].iter().find(|(_, factor)| bytes != 0 && bytes.is_multiple_of(*factor)) {
            Some((names, factor)) => write!(f, "{}{}", bytes / factor, names[0]),
            None => write!(f, "{bytes}"),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

struct QuantityVisitor<Q>(PhantomData<Q>);

impl<Q: Quantity> QuantityVisitor<Q> {
    fn check<E: de::Error>(written: impl fmt::Display, result: Result<Q, String>) -> Result<Q, E> {
        result.map_err(|why| E::custom(format!("`{written}` is not {}: {why}", Q::EXPECTED)))
    }
}

impl<Q: Quantity> Visitor<'_> for QuantityVisitor<Q> {
    type Value = Q;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Q::EXPECTED)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Q, E> {
        Self::check(number, Q::from_whole(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Q, E> {
        let number =
            u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
        self.visit_u64(number)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Q, E> {
        Self::check(number, Q::from_fraction(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        Self::check(format_args!("{text:.64}"), Q::from_text(text))
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(text: &str) -> Duration {
        TimeSpan::from_text(text).unwrap().0
    }

    fn size(text: &str) -> u64 {
        Size::from_text(text).unwrap().0
    }

    #[test]
    fn durations_have_units_or_are_seconds() {
        let ms = Duration::from_millis;
        for (text, expected) in [
            ("250ms", ms(250)),
            ("30s", ms(30_000)),
            ("5m", ms(300_000)),
            ("2h", ms(7_200_000)),
            ("1d", ms(86_400_000)),
            ("1.5s", ms(1_500)),
            ("90", ms(90_000)),
            ("0.25", ms(250)),
            ("1h 30m", ms(5_400_000)),
            ("1m30s", ms(90_000)),
            ("10 seconds", ms(10_000)),
            ("100us", Duration::from_micros(100)),
            ("7ns", Duration::from_nanos(7)),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(span(text), expected, "{text}");
        }
        assert_eq!(TimeSpan::from_fraction(0.1).unwrap().0, ms(100));
    }

    #[test]
    fn sizes_distinguish_thousands_from_powers_of_two() {
        for (text, expected) in [
            ("4096", 4096),
            ("4KiB", 4096),
            ("4Ki", 4096),
            ("4KB", 4000),
            ("4 kib", 4096),
            ("1MiB", 1 << 20),
            ("1.5MiB", 3 << 19),
            ("2GB", 2_000_000_000),
            ("1TiB", 1 << 40),
            ("1_048_576", 1 << 20),
            ("12B", 12),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
        for letter in ["4k", "64K", "1 M", "2g"] {
            let refusal = Size::from_text(letter).unwrap_err();
            assert!(refusal.contains("may mean powers of 1024 or of 1000"), "{letter}: {refusal}");
        }
    }

    #[test]
    fn counts_may_have_separators_between_thousands() {
        for text in ["1000000", "1_000_000", "1,000,000", "1 000 000", "10_00000"] {
            assert_eq!(Count::from_text(text).unwrap(), Count(1_000_000), "{text}");
        }
        assert_eq!(Count::from_fraction(1e6).unwrap(), Count(1_000_000));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_reason() {
        let time = |text: &str| TimeSpan::from_text(text).unwrap_err();
        assert_eq!(time(""), "the duration is empty");
        assert_eq!(time("ms"), "it does not begin with a number");
        assert_eq!(time("5 parsecs"), "unknown unit `parsecs`; known are ns us ms s m h d");
        assert_eq!(time("1h 30"), "a unit is missing; known are ns us ms s m h d");
        assert_eq!(time("1e300y"), "unknown unit `e`; known are ns us ms s m h d");
        assert_eq!(time("99999d"), "it is longer than ten years");
        assert_eq!(time("9999999999999999999999d"), "it is longer than ten years");
        assert_eq!(time("0.5ns"), "it is not a whole number of nanoseconds");
        assert_eq!(time("-5s"), "it does not begin with a number");
        assert!(TimeSpan::from_fraction(f64::NAN).is_err());
        assert!(TimeSpan::from_fraction(f64::INFINITY).is_err());
        assert!(TimeSpan::from_fraction(-1.0).is_err());

        let bytes = |text: &str| Size::from_text(text).unwrap_err();
        assert_eq!(bytes("0.3KiB"), "it is not a whole number of bytes");
        assert_eq!(bytes("4KiB!"), "`!` follows the size");
        assert_eq!(bytes("4 potatoes"), "unknown unit `potatoes`; known are B KiB KB MiB MB GiB GB TiB TB");
        assert_eq!(bytes("999999PiB"), "it is larger than any storage");
        assert_eq!(bytes(&"9".repeat(40)), "it has too many digits");

        let count = |text: &str| Count::from_text(text).unwrap_err();
        assert_eq!(count("1,5"), "`1,5` is not a number");
        assert_eq!(count("1 00"), "`1 00` is not a number");
        assert_eq!(count("12 per cent"), "it is not a whole number");
        assert_eq!(count("1.5"), "it is not a whole number");
        assert_eq!(count("_1"), "`_1` is not a number");
        assert!(Count::from_fraction(0.5).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in 0..TEN_YEARS.as_nanos() as u64, bytes: u64, shift in 0..50_u32) {
            for nanos in [nanos, nanos / 1_000_000_000 * 1_000_000_000] {
                let written = TimeSpan(Duration::from_nanos(nanos));
                prop_assert_eq!(TimeSpan::from_text(&written.to_string()), Ok(written));
            }
            for bytes in [bytes, bytes >> shift << shift, 1 << shift] {
                prop_assert_eq!(Size::from_text(&Size(bytes).to_string()), Ok(Size(bytes)));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", near in "[0-9_., ]{0,30}[kKmMiBsh ]{0,4}") {
            for text in [text, near] {
                let _ = (TimeSpan::from_text(&text), Size::from_text(&text), Count::from_text(&text));
            }
        }
    }
}
