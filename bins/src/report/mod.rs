//! Renderers of [`Results`](crate::results::Results): pure, so that whatever they show can be shown again.
//!
//! All of them take their numbers from the same rows, so text, TSV and JSON agree.

mod advice;
mod bottleneck;
mod hlog;
mod json;
mod subject;
mod text;
mod tsv;
pub mod units;

pub use advice::together;
pub use bottleneck::{Bottleneck, bottleneck};
pub use hlog::{hlog_header, hlog_lines};
pub use json::{SCHEMA, environment, json};
pub use subject::{Subject, subject};
pub use text::text;
pub use tsv::{endpoints_tsv, series_header, series_row, stage_tsv, tsv};

use iobench_core::stats::Group;

/// A group of operations, as in result files.
fn group_name(group: Group) -> &'static str {
    match group {
        Group::Meta => "META",
        Group::Get => "GET",
        Group::Put => "PUT",
    }
}

#[cfg(test)]
mod tests;
