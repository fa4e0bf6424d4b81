//! Numbers as people read them.

use std::time::Duration;

/// Three significant digits and a unit, without a space so that columns stay narrow: `950ns 1.23µs 45.6ms 7.89s`.
/// From 1000 s on, whole seconds.
#[must_use]
pub fn latency(micros: f64) -> String {
    let nanos = micros * 1_000.0;
    for (limit, unit, scale) in [(1e3, "ns", 1.0), (1e6, "µs", 1e3), (1e9, "ms", 1e6)] {
        // What would round up to 1000 belongs to the next unit.
        if nanos < limit - limit / 2_000.0 {
            return if scale == 1.0 {
                format!("{nanos:.0}{unit}")
            } else {
                significant(nanos / scale) + unit
            };
        }
    }
    significant(nanos / 1e9) + "s"
}

/// A span of time: `850 ms`, `10.0 s`, `12 min 05 s`, `3 h 07 min`.
#[must_use]
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..100 => format!("{} s", significant(duration.as_secs_f64())),
        100..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A whole number in groups of three: `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: two decimals below 10, one below 100, else whole and grouped.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second < 9.995 {
        format!("{per_second:.2}")
    } else if per_second < 99.95 {
        format!("{per_second:.1}")
    } else {
        #[expect(clippy::cast_sign_loss, reason = "it is above 99, and `as` saturates")]
        let whole = per_second.round() as u64;
        grouped(whole)
    }
}

/// A share in percent: `100 %`, `99.9 %`. Only a whole is shown as 100.
#[must_use]
pub fn percent(part: f64, whole: f64) -> String {
    let percent = if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
    if percent >= 100.0 { "100 %".to_owned() } else { format!("{:.1} %", percent.min(99.9)) }
}

/// A signed span with its sign: `+1.20ms`, `-35.0µs`.
#[must_use]
pub fn signed(nanos: i64) -> String {
    let sign = if nanos < 0 { '-' } else { '+' };
    format!("{sign}{}", latency(nanos.unsigned_abs() as f64 / 1_000.0))
}

fn significant(number: f64) -> String {
    match number {
        n if n < 9.995 => format!("{n:.2}"),
        n if n < 99.95 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_has_three_digits_and_never_a_thousand_of_a_unit() {
        let micros = [0.95, 0.9999, 1.234, 45.64, 456.4, 999.6, 1_234.0, 12_345.0, 1e6, 3.6e9];
        let texts = micros.map(latency);
        let expected =
            ["950ns", "1.00µs", "1.23µs", "45.6µs", "456µs", "1.00ms", "1.23ms", "12.3ms", "1.00s", "3600s"];
        assert_eq!(texts, expected);
        assert_eq!(signed(-35_000), "-35.0µs");
    }

    #[test]
    fn counts_are_grouped_and_rates_keep_three_digits() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 9.994, 9.996, 99.96, 1_234.5].map(rate), ["0.00", "9.99", "10.0", "100", "1,235"]);
    }

    #[test]
    fn a_share_is_whole_only_when_nothing_is_missing() {
        assert_eq!(percent(1.0, 1.0), "100 %");
        assert_eq!(percent(0.9999, 1.0), "99.9 %");
        assert_eq!(percent(1.0, 3.0), "33.3 %");
    }

    #[test]
    fn a_span_has_the_unit_that_fits() {
        let seconds = [0.85, 10.0, 725.0, 11_220.0].map(|s| span(Duration::from_secs_f64(s)));
        assert_eq!(seconds, ["850 ms", "10.0 s", "12 min 05 s", "3 h 07 min"]);
    }
}
