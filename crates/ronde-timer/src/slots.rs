//! Numbered places for values, where a place that is left is the next to be taken.

use std::mem;
use std::num::NonZeroU64;

/// A place for one value.
enum Slot<T> {
    /// Nobody lives here. `next` is the vacant slot to use after this one; the number of slots,
    /// which is no slot's index, ends the chain.
    Vacant { next: usize },
    /// `id` tells this tenant from all that were here before or will be here after it.
    Occupied { id: NonZeroU64, value: T },
}

/// The values of the live timers.
///
/// Every access states the id that it expects, so that nobody mistakes a slot's present tenant for
/// an earlier one.
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    /// The vacant slot to use next, or `slots.len()` if there is none.
    vacant: usize,
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), vacant: 0 }
    }

    /// Stores `value` and returns its slot, the one that was left last if any is vacant.
    pub(crate) fn insert(&mut self, id: NonZeroU64, value: T) -> usize {
        let slot = self.vacant;
        let tenant = Slot::Occupied { id, value };
        match self.slots.get_mut(slot) {
            Some(place) => {
                if let Slot::Vacant { next } = mem::replace(place, tenant) {
                    self.vacant = next;
                }
            }
            None => {
                self.slots.push(tenant);
                self.vacant = self.slots.len();
            }
        }
        slot
    }

    /// Takes the value out of `slot` if it is still the one with this `id`.
    pub(crate) fn remove(&mut self, slot: usize, id: NonZeroU64) -> Option<T> {
        self.get(slot, id)?;
        self.take(slot)
    }

    /// Takes the value out of `slot`, whoever it is.
    pub(crate) fn take(&mut self, slot: usize) -> Option<T> {
        let place = self.slots.get_mut(slot)?;
        if let Slot::Vacant { .. } = place {
            return None;
        }
        match mem::replace(place, Slot::Vacant { next: self.vacant }) {
            Slot::Occupied { value, .. } => {
                self.vacant = slot;
                Some(value)
            }
            Slot::Vacant { .. } => unreachable!("a vacant slot was refused above"),
        }
    }

    pub(crate) fn get(&self, slot: usize, id: NonZeroU64) -> Option<&T> {
        match self.slots.get(slot)? {
            Slot::Occupied { id: tenant, value } if *tenant == id => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, slot: usize, id: NonZeroU64) -> Option<&mut T> {
        match self.slots.get_mut(slot)? {
            Slot::Occupied { id: tenant, value } if *tenant == id => Some(value),
            _ => None,
        }
    }

    /// Drops all values. Memory is kept for what comes next.
    pub(crate) fn clear(&mut self) {
        // Before the values: should dropping one of them panic, there are no slots and none is
        // vacant, which is in order.
        self.vacant = 0;
        self.slots.clear();
    }
}

#[cfg(test)]
impl<T> Slots<T> {
    /// Returns how many values fit without another allocation.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> NonZeroU64 {
        NonZeroU64::new(number).unwrap()
    }

    #[test]
    fn slots_are_reused_and_the_last_left_is_the_first_taken() {
        let mut slots = Slots::new();
        assert_eq!([1, 2, 3].map(|number| slots.insert(id(number), number)), [0, 1, 2]);
        assert_eq!(slots.remove(0, id(1)), Some(1));
        assert_eq!(slots.remove(2, id(3)), Some(3));
        assert_eq!([4, 5, 6].map(|number| slots.insert(id(number), number)), [2, 0, 3]);
    }

    #[test]
    fn the_wrong_id_finds_nothing_and_changes_nothing() {
        let mut slots = Slots::new();
        let slot = slots.insert(id(1), "value");
        assert_eq!(slots.get(slot, id(2)), None);
        assert_eq!(slots.get_mut(slot, id(2)), None);
        assert_eq!(slots.remove(slot, id(2)), None);
        assert_eq!(slots.get(slot + 1, id(1)), None);
        assert_eq!(slots.remove(slot, id(1)), Some("value"));
        assert_eq!(slots.remove(slot, id(1)), None);
        assert_eq!(slots.take(slot), None);
    }

    #[test]
    fn a_slot_takes_no_room_for_its_state() {
        // The vacant state hides in the id, which is never zero.
        assert_eq!(size_of::<Slot<u64>>(), 16);
    }
}
