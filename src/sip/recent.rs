//! A bounded memory of what strangers did lately: the keys that were touched longest ago go first.
//!
//! Two generations stand in for an exact order: a key that is touched moves into the young one;
//! when that is full it becomes the old one, and what the old one still held is forgotten. Touching
//! costs two look-ups at most, whatever is kept; half of the limit is always remembered.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Up to `max` keys with what is known of each.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    max: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), max }
    }

    /// A changed limit counts from the next new key on.
    pub fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// What is known of a key, without touching it.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// What is known of a key, to change it; made by `new` if there is nothing.
    pub fn touch(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        if !self.young.contains_key(&key) {
            let value = self.old.remove(&key).unwrap_or_else(new);
            if self.young.len() >= (self.max / 2).max(1) {
                self.old = mem::take(&mut self.young);
            }
            return self.young.entry(key).or_insert(value);
        }
        self.young.entry(key).or_insert_with(|| unreachable!("it was found"))
    }

    pub fn forget(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_stays_and_the_rest_goes() {
        let mut recent = Recent::new(10);
        recent.touch(0, || "friend");
        for stranger in 1..1000 {
            recent.touch(stranger, || "stranger");
            assert_eq!(*recent.touch(0, || "forgotten"), "friend");
            assert!(recent.len() <= 10);
        }
        assert_eq!(recent.peek(&1), None);
        recent.forget(&0);
        assert_eq!(recent.peek(&0), None);
    }

    #[test]
    fn half_of_the_limit_is_always_remembered() {
        let mut recent = Recent::new(10);
        for key in 0..100 {
            recent.touch(key, || ());
            assert!((0..=key).rev().take(5).all(|late| recent.peek(&late).is_some()), "{key}");
        }
    }
}
