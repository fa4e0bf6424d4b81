//! What is going to happen, in order of time; at one instant, in the order in which it was decided.

use super::scenario::Nanos;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A queue of events.
#[derive(Debug)]
pub(super) struct Queue<E> {
    /// When, a running number, and the event's slot.
    heap: BinaryHeap<Reverse<(Nanos, u64, u32)>>,
    slots: Vec<Option<E>>,
    free: Vec<u32>,
    pushed: u64,
}

impl<E> Queue<E> {
    pub(super) fn new() -> Self {
        Self {
            heap: BinaryHeap::with_capacity(64),
            slots: Vec::with_capacity(64),
            free: Vec::new(),
            pushed: 0,
        }
    }

    pub(super) fn push(&mut self, at: Nanos, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(event);
                slot
            }
            None => {
                self.slots.push(Some(event));
                u32::try_from(self.slots.len() - 1).expect("fewer than 4 G events at a time")
            }
        };
        self.pushed += 1;
        self.heap.push(Reverse((at, self.pushed, slot)));
    }

    pub(super) fn pop(&mut self) -> Option<(Nanos, E)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        let event = self.slots[slot as usize].take();
        Some((at, event.expect("a slot is filled as long as the heap names it")))
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
