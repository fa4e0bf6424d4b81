//! Which files are kept open for block operations.

use crate::executor::ObjectId;

/// A fixed number of places; each object has one that it may use, and shares it with others.
///
/// With as many places as files every file is opened once. With fewer, files that share a place take turns.
pub(super) struct Table {
    places: Box<[Place]>,
}

#[derive(Copy, Clone)]
struct Place {
    object: Option<ObjectId>,
    writable: bool,
    open: bool,
    users: u32,
}

/// What to do for a block of a file. A place that is given counts one more user until it is released.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// It is open here.
    Open(u32),
    /// Open it and keep it here.
    Free(u32),
    /// Its place is in use by another file, or just being opened: open it for yourself.
    Taken,
}

impl Table {
    pub(super) fn new(places: usize) -> Self {
        let empty = Place { object: None, writable: false, open: false, users: 0 };
        Self { places: vec![empty; places].into_boxed_slice() }
    }

    /// Where the object's file is or may go.
    #[inline]
    pub(super) fn find(&mut self, object: ObjectId, writable: bool) -> Found {
        let Some(index) = self.index(object) else { return Found::Taken };
        let place = &mut self.places[index as usize];
        let same = place.object == Some(object) && (place.writable || !writable);
        if same && place.open {
            place.users += 1;
            Found::Open(index)
        } else if place.users == 0 {
            *place = Place { object: Some(object), writable, open: false, users: 1 };
            Found::Free(index)
        } else {
            Found::Taken
        }
    }

    /// The file is open and kept.
    pub(super) fn opened(&mut self, place: u32) {
        self.places[place as usize].open = true;
    }

    /// One user less.
    #[inline]
    pub(super) fn release(&mut self, place: u32) {
        self.places[place as usize].users -= 1;
    }

    #[inline]
    fn index(&self, object: ObjectId) -> Option<u32> {
        match self.places.len() as u64 {
            0 => None,
            1 => Some(0),
            n => Some((object.key.wrapping_add(u64::from(object.pool.0)) % n) as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iobench_core::plan::PoolId;

    fn object(key: u64) -> ObjectId {
        ObjectId { pool: PoolId(0), key }
    }

    #[test]
    fn a_file_is_opened_once_and_then_found_open() {
        let mut table = Table::new(4);
        assert_eq!(table.find(object(1), false), Found::Free(1));
        assert_eq!(table.find(object(1), false), Found::Taken, "while it is being opened");
        table.opened(1);
        assert_eq!(table.find(object(1), false), Found::Open(1));
    }

    #[test]
    fn files_that_share_a_place_take_turns() {
        let mut table = Table::new(4);
        assert_eq!(table.find(object(1), false), Found::Free(1));
        table.opened(1);
        assert_eq!(table.find(object(5), false), Found::Taken);
        table.release(1);
        assert_eq!(table.find(object(5), false), Found::Free(1));
    }

    #[test]
    fn what_is_open_for_writing_can_be_read_but_not_the_other_way() {
        let mut table = Table::new(1);
        assert_eq!(table.find(object(0), false), Found::Free(0));
        table.opened(0);
        table.release(0);
        assert_eq!(table.find(object(0), true), Found::Free(0));
        table.opened(0);
        assert_eq!(table.find(object(0), false), Found::Open(0));
    }

    #[test]
    fn a_failed_open_leaves_the_place_to_the_next() {
        let mut table = Table::new(1);
        assert_eq!(table.find(object(0), false), Found::Free(0));
        table.release(0);
        assert_eq!(table.find(object(0), false), Found::Free(0));
    }
}
