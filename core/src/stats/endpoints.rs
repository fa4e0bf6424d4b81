//! What each of several endpoints did, counted by a thread.

use super::histogram::Histogram;
use super::types::EndpointTally;

/// Counts by endpoint; nothing where there is no choice. Recording is an index and a few additions.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    name: String,
    bytes: u64,
    errors: u64,
    service_sum: u64,
    service: Histogram,
}

impl Slot {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), bytes: 0, errors: 0, service_sum: 0, service: Histogram::new() }
    }

    fn is_empty(&self) -> bool {
        self.errors == 0 && self.service.is_empty()
    }
}

impl Endpoints {
    pub(super) fn new(names: &[String]) -> Self {
        Self { slots: names.iter().map(|name| Slot::new(name)).collect() }
    }

    #[inline]
    pub(super) fn record(&mut self, endpoint: u16, bytes: u64, service: u64) {
        if let Some(slot) = self.slots.get_mut(usize::from(endpoint)) {
            slot.bytes += bytes;
            slot.service_sum = slot.service_sum.saturating_add(service);
            slot.service.record(service);
        }
    }

    pub(super) fn error(&mut self, endpoint: u16) {
        if let Some(slot) = self.slots.get_mut(usize::from(endpoint)) {
            slot.errors += 1;
        }
    }

    /// Adds what others counted, by name: recorders may know different endpoints.
    pub(super) fn merge(&mut self, other: &Self) {
        for theirs in other.slots.iter().filter(|slot| !slot.is_empty()) {
            let known = self.slots.iter().position(|slot| slot.name == theirs.name);
            let index = known.unwrap_or_else(|| {
                self.slots.push(Slot::new(&theirs.name));
                self.slots.len() - 1
            });
            let slot = &mut self.slots[index];
            slot.bytes += theirs.bytes;
            slot.errors += theirs.errors;
            slot.service_sum = slot.service_sum.saturating_add(theirs.service_sum);
            slot.service.merge(&theirs.service);
        }
    }

    pub(super) fn clear(&mut self) {
        for slot in &mut self.slots {
            (slot.bytes, slot.errors, slot.service_sum) = (0, 0, 0);
            slot.service.clear();
        }
    }

    /// Those that did anything, sorted by name.
    pub(super) fn tally(&self) -> Vec<EndpointTally> {
        let used = self.slots.iter().filter(|slot| !slot.is_empty());
        let mut tallies: Vec<_> = used
            .map(|slot| EndpointTally {
                name: slot.name.clone(),
                count: slot.service.count(),
                bytes: slot.bytes,
                errors: slot.errors,
                service_sum: slot.service_sum,
                service: slot.service.encode(),
            })
            .collect();
        tallies.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        tallies
    }
}

#[cfg(test)]
mod tests {
    use crate::stats::{Operation, Recorder, merge_tallies};

    #[test]
    fn endpoints_are_counted_by_name_through_every_merge() {
        let names = |names: [&str; 2]| names.map(str::to_owned);
        let mut first = Recorder::new(&[]).with_endpoints(&names(["b", "a"]));
        first.record(Operation::Get, 100, 5_000);
        first.record_at(0, 100, 5_000);
        first.error_at(1);
        let mut second = Recorder::new(&[]).with_endpoints(&names(["a", "c"]));
        second.record_at(0, 50, 7_000);
        // There is no such endpoint.
        second.record_at(9, 50, 7_000);
        let tallies = merge_tallies([&first.tally(), &second.tally()]).unwrap();
        let found =
            tallies.endpoints.iter().map(|e| (e.name.as_str(), e.count, e.bytes, e.errors, e.service_sum));
        assert_eq!(found.collect::<Vec<_>>(), [("a", 1, 50, 1, 7_000), ("b", 1, 100, 0, 5_000)]);
        let mut plain = Recorder::new(&[]);
        plain.merge(&first);
        plain.merge(&second);
        assert_eq!(plain.tally(), tallies);
        plain.clear();
        assert!(plain.tally().is_empty());
    }
}
