//! When each slot has to be looked at. A flat array that is searched once a second: at sixteen
//! thousand slots that costs microseconds, and setting a deadline is one store.

use crate::connection::Tick;

/// Deadlines by slot index.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    at: Vec<Tick>,
}

impl Deadlines {
    /// Sets the deadline of a slot.
    pub(super) fn set(&mut self, slot_index: u32, tick: Tick) {
        let index = slot_index as usize;
        if index >= self.at.len() {
            self.at.resize(index + 1, Tick::NEVER);
        }
        self.at[index] = tick;
    }

    /// A slot without deadline.
    pub(super) fn clear(&mut self, slot_index: u32) {
        self.set(slot_index, Tick::NEVER);
    }

    /// The next slot from `slot_index` on whose deadline has passed.
    pub(super) fn next_due(&self, slot_index: u32, now: Tick) -> Option<u32> {
        let start = slot_index as usize;
        let offset = self.at.get(start..)?.iter().position(|tick| *tick <= now)?;
        u32::try_from(start + offset).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_due() {
        let mut deadlines = Deadlines::default();
        deadlines.set(3, Tick(5));
        deadlines.set(1, Tick(6));
        assert_eq!(deadlines.next_due(0, Tick(4)), None);
        assert_eq!(deadlines.next_due(0, Tick(6)), Some(1));
        assert_eq!(deadlines.next_due(2, Tick(6)), Some(3));
        assert_eq!(deadlines.next_due(4, Tick(6)), None);
        deadlines.clear(1);
        assert_eq!(deadlines.next_due(0, Tick(9)), Some(3));
    }
}
