//! Which packets were seen already (RFC 3711 §3.3.2).

/// The newest index, and which of the 128 up to it were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    newest: u64,
    /// Bit n is the index `newest - n`.
    seen: u128,
}

impl Window {
    /// Begins with a packet that was seen.
    pub(super) fn new(first: u64) -> Self {
        Self { newest: first, seen: 1 }
    }

    /// Everything up to an index was seen, or is too old to tell.
    pub(super) fn after(newest: u64) -> Self {
        Self { newest, seen: u128::MAX }
    }

    /// The newest that was seen.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// The index of a sequence number: the nearest to the newest (RFC 3711 §3.3.1). `None` if it
    /// lies before the stream's beginning.
    pub(super) fn index_of(&self, sequence: u16) -> Option<u64> {
        let step = sequence.wrapping_sub(self.newest as u16).cast_signed();
        self.newest.checked_add_signed(step.into())
    }

    /// Whether an index was not seen yet. One that is too old to be known counts as seen.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => true,
            Some(age) if age < u64::from(u128::BITS) => self.seen & 1 << age == 0,
            Some(_) => false,
        }
    }

    /// Remembers an index that is new.
    pub(super) fn see(&mut self, index: u64) {
        match self.newest.checked_sub(index) {
            Some(age) if age < u64::from(u128::BITS) => self.seen |= 1 << age,
            Some(_) => {}
            None => {
                let step = u32::try_from(index - self.newest).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
                self.newest = index;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_new_once() {
        let mut window = Window::new(1000);

        for index in [1000, 1001, 1130, 1129, 1003, 1131] {
            let seen_before = index == 1000;
            assert_eq!(window.is_new(index), !seen_before, "{index}");
            window.see(index);
            assert!(!window.is_new(index), "{index}");
        }
        assert!(!window.is_new(1002), "older than the window: counts as seen");
        assert!(window.is_new(1004));
        window.see(5000);
        assert!(!window.is_new(1131) && window.is_new(4999));
    }

    #[test]
    fn sequence_numbers_wrap_into_the_next_rollover() {
        let mut window = Window::new(65_534);

        assert_eq!(window.index_of(65_535), Some(65_535));
        assert_eq!(window.index_of(3), Some(65_539));
        window.see(65_539);
        assert_eq!(window.index_of(65_530), Some(65_530));
        assert_eq!(Window::new(5).index_of(65_000), None);
    }
}
