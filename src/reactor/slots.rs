//! The fixed table of connections: an index that operations can name, and a generation that
//! tells one connection from the next in the same place.

/// Connections by slot index.
#[derive(Debug)]
pub(super) struct Slots<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    count_max: u32,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    /// An empty table for up to `count_max` connections.
    pub(super) fn new(count_max: u32) -> Self {
        assert!(count_max <= SLOT_COUNT_MAX);
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            count_max,
        }
    }

    /// How many slots are taken.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether no slot is taken.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a slot; none if all are taken.
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            self.entries[index as usize].value = Some(value);
            return Some(index);
        }
        let index = u32::try_from(self.entries.len())
            .ok()
            .filter(|len| *len < self.count_max)?;
        self.entries.push(Entry {
            generation: 0,
            value: Some(value),
        });
        Some(index)
    }

    /// Frees a slot; its next connection has another generation.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        let value = entry.value.take()?;
        entry.generation = (entry.generation + 1) % GENERATION_COUNT;
        self.free.push(index);
        Some(value)
    }

    /// The connection in a slot, whichever it is.
    pub(super) fn at(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(index as usize)?.value.as_mut()
    }

    /// The connection in a slot, if it is still the one of `generation`.
    pub(super) fn find(&mut self, index: u32, generation: u32) -> Option<&mut T> {
        let entry = self.entries.get_mut(index as usize)?;
        entry
            .value
            .as_mut()
            .filter(|_| entry.generation == generation)
    }

    /// The generation of a slot.
    pub(super) fn generation(&self, index: u32) -> u32 {
        self.entries[index as usize].generation
    }

    /// The indexes that may be taken.
    pub(super) fn indexes(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.entries.len()).expect("invariant: bounded by SLOT_COUNT_MAX")
    }
}

/// The last generation is left to what is no connection.
const GENERATION_COUNT: u32 = u32::MAX;

/// More connections than this no worker has.
pub const SLOT_COUNT_MAX: u32 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_used_again_has_another_generation() {
        let mut slots = Slots::new(2);
        let first = slots.insert('a').unwrap();
        let generation = slots.generation(first);
        assert_eq!(slots.find(first, generation), Some(&mut 'a'));
        assert_eq!(slots.remove(first), Some('a'));
        assert_eq!(slots.remove(first), None);
        let second = slots.insert('b').unwrap();
        assert_eq!(first, second);
        assert_eq!(slots.find(first, generation), None);
        assert_eq!(slots.find(second, slots.generation(second)), Some(&mut 'b'));
        assert_eq!(slots.find(9, 0), None);
    }

    #[test]
    fn takes_no_more_than_its_limit() {
        let mut slots = Slots::new(1);
        assert_eq!(slots.insert(1), Some(0));
        assert_eq!(slots.insert(2), None);
        assert_eq!(slots.len(), 1);
        slots.remove(0);
        assert!(slots.is_empty());
    }
}
