//! Epoch: what the newest counter-bearing record says, held against the counter.
//!
//! ```text
//! boot ── intent C · count ── run, COUNTED C+2 · count · acknowledge ── run, COUNTED C+3 · count · acknowledge ...
//! ```
//!
//! Each power session that protects something first *opens an epoch*: it appends an intent that states the counter, and
//! counts. Only then do its commits state the value that the counter will have when they are acknowledged. So what an
//! earlier session appended and never counted can never again be what the counter says.
//!
//! | newest record | C = counter | verdict |
//! |---------------|-------------|---------|
//! | COUNTED V     | V = C       | current |
//! | COUNTED V     | V = C + 1   | cut before counting: count once, then serve |
//! | INTENT V      | V = C       | current: cut before counting |
//! | INTENT V      | V = C - 1   | current |
//! | nothing yet   | C = 0       | current: nothing was ever protected |
//! | anything else |             | an older image, or another counter |
//!
//! The protocol was searched exhaustively before it was built (`tests/model/counter.rs`); the table above is tested here.

/// What binds the log to the counter: twice the value, and one more for an intent. 0: nothing ever did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u32);

/// What the counter says of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Current,
    /// The newest commit was not counted: count once, then serve.
    Uncounted,
    RolledBack,
}

/// The largest value of a counter that a record can state.
pub(crate) const COUNTER_MAX: u32 = (1 << 31) - 1;

impl Epoch {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn counted(value: u32) -> Self {
        Self(value << 1)
    }

    pub(crate) const fn intent(value: u32) -> Self {
        Self(value << 1 | 1)
    }

    pub(crate) const fn of_word(word: u32) -> Self {
        Self(word)
    }

    pub(crate) const fn as_word(self) -> u32 {
        self.0
    }

    /// The counter's value that was stated.
    pub(crate) const fn value(self) -> u32 {
        self.0 >> 1
    }

    pub(crate) const fn is_intent(self) -> bool {
        self.0 & 1 == 1
    }

    pub(crate) const fn judge(self, counter: u32) -> Verdict {
        match self.value().wrapping_sub(counter) {
            0 => Verdict::Current,
            1 if !self.is_intent() => Verdict::Uncounted,
            u32::MAX if self.is_intent() => Verdict::Current,
            _ => Verdict::RolledBack,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds() {
        for value in 1..6 {
            for counter in 0..8 {
                let counted = match (value, counter) {
                    _ if value == counter => Verdict::Current,
                    _ if value == counter + 1 => Verdict::Uncounted,
                    _ => Verdict::RolledBack,
                };
                assert_eq!(Epoch::counted(value).judge(counter), counted);
                let intent =
                    if counter == value || counter == value + 1 { Verdict::Current } else { Verdict::RolledBack };
                assert_eq!(Epoch::intent(value).judge(counter), intent);
            }
        }
        assert_eq!(Epoch::NONE.judge(0), Verdict::Current);
        for counter in [1, 2, COUNTER_MAX] {
            assert_eq!(Epoch::NONE.judge(counter), Verdict::RolledBack);
        }
    }

    #[test]
    fn values_survive_being_written() {
        for value in [0, 1, COUNTER_MAX] {
            for epoch in [Epoch::counted(value), Epoch::intent(value)] {
                assert_eq!(Epoch::of_word(epoch.as_word()), epoch);
                assert_eq!(epoch.value(), value);
            }
        }
    }
}
