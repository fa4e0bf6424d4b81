//! `latency.hlog`: an interval log as HdrHistogram's own tools read it, version 1.3, a tag for each operation.
//!
//! Format: `HistogramLogWriter` of the Java HdrHistogram. Histograms hold nanoseconds; the column with the largest
//! value is in milliseconds, as those tools expect.

use crate::results::Point;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use iobench_core::stats::{BadHistogram, Histogram, Operation};
use iobench_core::time::Unix;
use std::fmt::Write;

/// The lines before the first interval. Intervals' stamps are seconds since `start`.
#[must_use]
pub fn hlog_header(start: Unix) -> String {
    let seconds = start.0 as f64 / 1e9;
    format!(
        "#[Histogram log format version 1.3]\n\
         #[StartTime: {seconds:.3} (seconds since epoch), {start}]\n\
         #[BaseTime: {seconds:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}

/// A line for each operation that completed in the interval.
pub fn hlog_lines(start: Unix, point: &Point<'_>) -> Result<String, BadHistogram> {
    let mut out = String::new();
    let length = point.duration.as_secs_f64();
    let end = point.stage.timeline.unix(point.elapsed).0 as f64 / 1e9 - start.0 as f64 / 1e9;
    for operation in Operation::ALL {
        let mut histogram = Histogram::new();
        for cell in point.tally.cells.iter().filter(|cell| cell.operation == operation) {
            histogram.merge_encoded(&cell.service)?;
        }
        if histogram.is_empty() {
            continue;
        }
        let (from, max) = (end - length, histogram.max() as f64 / 1e6);
        let encoded = STANDARD.encode(histogram.encode().0);
        let _ = writeln!(out, "Tag={operation},{from:.3},{length:.3},{max:.3},{encoded}");
    }
    Ok(out)
}
