//! Compares what is read with what was written, which is computed from the seed: any agent can tell.

use super::control::Control;
use super::dataset::Dataset;
use super::prepared::Prepared;
use crate::error::Fault;
use crate::executor::{Inspector, ObjectId, Objects};
use iobench_core::plan::{Entry, StageKind};
use iobench_core::stats::{ErrorClass, Operation};
use std::sync::Arc;

/// What looks at everything a thread reads in this stage; `None` when nothing is to be verified, and reading costs
/// no more than that.
pub(super) fn inspector(prepared: &Arc<Prepared>, stage: usize, control: &Arc<Control>) -> Option<Inspector> {
    let StageKind::Execute { entries, .. } = &prepared.plan.stages[stage].kind else { return None };
    let verified = verified(entries, prepared.plan.pools.len());
    if !verified.contains(&true) {
        return None;
    }
    let (prepared, control) = (Arc::clone(prepared), Arc::clone(control));
    Some(Box::new(move |object, offset, bytes| {
        let wanted = verified[usize::from(object.pool.0)];
        match first_wrong(&prepared.dataset, object, offset, bytes).filter(|_| wanted) {
            None => Ok(()),
            Some(wrong) => {
                control.corrupt(|| wrong.told(&prepared.place(object)));
                Err(Fault::of(ErrorClass::Corrupt))
            }
        }
    }))
}

/// Which pools' objects are verified: those of entries that say so. An entry that does not, of the same pool, is
/// verified with them, as an object is right or wrong whoever reads it.
fn verified(entries: &[Entry], pools: usize) -> Vec<bool> {
    let reads = |entry: &&Entry| matches!(entry.operation, Operation::Get | Operation::Read) && entry.verify;
    let mut verified = vec![false; pools];
    for entry in entries.iter().filter(reads) {
        verified[usize::from(entry.pool.0)] = true;
    }
    verified
}

/// The first byte that is not what was written.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Wrong {
    offset: u64,
    expected: u8,
    found: u8,
}

impl Wrong {
    fn told(self, place: &str) -> String {
        let Self { offset, expected, found } = self;
        format!(
            "`{place}` is not what was written: its first wrong byte is at offset {offset}, {found:#04x} instead of \
             {expected:#04x}; if all of it is wrong, it was written with another seed or configuration"
        )
    }
}

/// Compares a piece of an object, from `offset` on.
fn first_wrong(dataset: &Dataset, object: ObjectId, offset: u64, bytes: &[u8]) -> Option<Wrong> {
    let mut done = 0;
    while done < bytes.len() {
        let at = offset + done as u64;
        let start = dataset.start(object, at);
        let length = (bytes.len() - done).min(dataset.longest());
        let (piece, expected) = (&bytes[done..done + length], &dataset.payload()[start..start + length]);
        if piece != expected {
            let wrong = piece.iter().zip(expected).position(|(found, expected)| found != expected)?;
            return Some(Wrong { offset: at + wrong as u64, expected: expected[wrong], found: piece[wrong] });
        }
        done += length;
    }
    None
}
