//! What is stored: names, values, and which key comes next. The same seed gives the same operations to every store.
//!
//! W1 draws names of 4 to 15 characters and values of 16 to 64 bytes; all other workloads use names of 9 characters, the
//! longest that all peers take at any number of keys, and values of one length.

use crate::random::Random;

/// How keys are chosen for updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// Each as likely as any other.
    Uniform,
    /// 5 % of the keys take 95 % of the updates.
    Skewed,
}

impl Choice {
    /// As in names of rows.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Skewed => "95/5",
        }
    }
}

/// Keys, values and dice of one workload.
#[derive(Clone, Debug)]
pub struct Load {
    names: Vec<String>,
    least: usize,
    most: usize,
    random: Random,
    value: Vec<u8>,
}

impl Load {
    /// The keys of W1: names of 4 to 15 characters, values of 16 to 64 bytes.
    #[must_use]
    pub fn mixed(keys: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let names = (0..keys).map(|index| format!("k{index:03}{}", "x".repeat(random.index(12)))).collect();
        Self { names, least: 16, most: 64, random, value: Vec::new() }
    }

    /// Keys with names of 9 characters and values of `length` bytes.
    #[must_use]
    pub fn even(keys: usize, length: usize, seed: u64) -> Self {
        let names = (0..keys).map(|index| format!("key{index:06}")).collect();
        Self { names, least: length, most: length, random: Random::new(seed), value: Vec::new() }
    }

    /// How many keys there are.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.names.len()
    }

    /// The name of a key.
    #[must_use]
    pub fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// Longest value.
    #[must_use]
    pub fn value_max(&self) -> usize {
        self.most
    }

    /// Draws a key.
    pub fn draw(&mut self, choice: Choice) -> usize {
        let keys = self.names.len();
        let hot = keys.div_ceil(20);
        match choice {
            Choice::Skewed if hot < keys => {
                if self.random.below(100) < 95 {
                    self.random.index(hot)
                } else {
                    hot + self.random.index(keys - hot)
                }
            }
            _ => self.random.index(keys),
        }
    }

    /// Draws a value for the key, and gives both.
    pub fn record(&mut self, index: usize) -> (&str, &[u8]) {
        let length = self.least + self.random.index(self.most - self.least + 1);
        self.value.resize(length, 0);
        self.random.fill(&mut self.value);
        (self.names.get(index).map_or("", String::as_str), &self.value)
    }

    /// A name that no key has, of at most 15 characters: beside that of a drawn key, where stores that sort would have it.
    pub fn absent(&mut self) -> String {
        let key = self.draw(Choice::Uniform);
        let number = self.random.below(1_000);
        let name = self.name(key);
        let begin = name.get(..name.len().saturating_sub(1).min(11)).unwrap_or_default();
        format!("{begin}~{number:03}")
    }

    /// All keys in a drawn order.
    pub fn order(&mut self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, self.random.index(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(load: &mut Load) -> Vec<(String, Vec<u8>)> {
        (0..50)
            .map(|_| {
                let key = load.draw(Choice::Skewed);
                let (name, value) = load.record(key);
                (name.to_owned(), value.to_vec())
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_operations() {
        assert_eq!(drawn(&mut Load::mixed(100, 1)), drawn(&mut Load::mixed(100, 1)));
        assert_ne!(drawn(&mut Load::mixed(100, 1)), drawn(&mut Load::mixed(100, 2)));
        assert_eq!(Load::even(30, 32, 5).order(), Load::even(30, 32, 5).order());
    }

    #[test]
    fn the_first_draws_are_these() {
        let mut load = Load::mixed(100, 1);
        assert_eq!(load.name(0), "k000xxxxx");
        assert_eq!(load.record(7).0, "k007xxxxxxxxx");
        assert!((16..=64).contains(&load.record(0).1.len()));
    }

    #[test]
    fn names_fit_all_stores_and_differ() {
        let load = Load::mixed(100, 1);
        let mut names: Vec<&str> = (0..100).map(|index| load.name(index)).collect();
        assert!(names.iter().all(|name| (4..=15).contains(&name.len())));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 100);
        assert_eq!(Load::even(100_000, 32, 1).name(99_999).len(), 9);
    }

    #[test]
    fn absent_names_are_no_key_and_fit_all_stores() {
        for mut load in [Load::mixed(100, 1), Load::even(1000, 32, 1)] {
            for _ in 0..200 {
                let absent = load.absent();
                assert!((4..=15).contains(&absent.len()), "{absent}");
                assert!((0..load.keys()).all(|key| load.name(key) != absent));
            }
        }
    }

    #[test]
    fn five_in_a_hundred_take_ninety_five() {
        let mut load = Load::even(1000, 32, 3);
        let hot = (0..10_000).filter(|_| load.draw(Choice::Skewed) < 50).count();
        assert!((9_300..9_700).contains(&hot), "{hot}");
    }

    #[test]
    fn an_order_holds_every_key_once() {
        let mut order = Load::even(100, 32, 9).order();
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
