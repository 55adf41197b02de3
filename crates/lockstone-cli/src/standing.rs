//! Standing: what the flash of a device is bound to, held against what its counter says, in words.
//!
//! Everything that tells of roll-backs tells it from here. The verdict itself is the store's; docs/spec/format.md,
//! "Counter", has its table.

use lockstone::inspect::Binding;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::terminal::counted;

/// Where the flash and the counter of a device stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What the newest record says that binds the flash; `None`: none does.
    pub(crate) bound: Option<Binding>,
    pub(crate) counter: u32,
    /// As the store judged it.
    pub(crate) rolled_back: bool,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was ever protected.
    Unbound,
    Current,
    /// The newest protected change was cut before it was counted.
    Uncounted,
    /// The flash knows so many steps of the counter less than were taken.
    Older(u32),
    /// The flash states this value, and the counter never had it.
    Ahead(u32),
}

impl Standing {
    pub(crate) fn verdict(&self) -> Verdict {
        match self.bound {
            _ if self.rolled_back && self.counter > self.known() => Verdict::Older(self.counter - self.known()),
            Some(bound) if self.rolled_back => Verdict::Ahead(bound.value),
            None => Verdict::Unbound,
            Some(bound) if !bound.is_intent && bound.value > self.counter => Verdict::Uncounted,
            Some(_) => Verdict::Current,
        }
    }

    /// Steps of the counter that the flash can know of.
    fn known(&self) -> u32 {
        self.bound.map_or(0, |bound| bound.value.saturating_add(bound.is_intent.into()))
    }

    /// In one word, for machines.
    pub(crate) fn name(&self) -> &'static str {
        match self.verdict() {
            Verdict::Unbound => "unbound",
            Verdict::Current => "current",
            Verdict::Uncounted => "uncounted",
            Verdict::Older(_) => "older",
            Verdict::Ahead(_) => "ahead",
        }
    }

    /// What was found, in a sentence without its full stop.
    pub(crate) fn sentence(&self) -> String {
        let (counter, known) = (self.counter, self.known());
        match self.verdict() {
            Verdict::Unbound => "nothing on the flash is bound to the counter yet".to_owned(),
            Verdict::Current => "the flash is the one that the counter knows".to_owned(),
            Verdict::Uncounted => "the newest protected change was cut before it was counted".to_owned(),
            Verdict::Older(steps) => format!(
                "the flash was rolled back: trusted/counter stands at {counter}, flash.bin knows {known}; \
                 missing: up to {}",
                counted(steps, "protected change")
            ),
            Verdict::Ahead(stated) => format!(
                "flash.bin and trusted/counter don't belong together: the counter stands at {counter}, the flash says \
                 {stated}; one of them was replaced"
            ),
        }
    }

    /// What to do about it, when it was rolled back.
    pub(crate) fn advice(&self) -> &'static str {
        match self.verdict() {
            Verdict::Ahead(_) => {
                "put back the trusted/counter that belongs to it; `lockstone recover DEV` says what accepting it means"
            }
            _ => {
                "put the newest flash.bin back; `lockstone inspect DEV` shows what is on this one; `lockstone recover \
                 DEV` says what accepting it means"
            }
        }
    }

    /// Why a command did nothing.
    pub(crate) fn failure(&self) -> Failure {
        Failure::new(Exit::RolledBack, format!("{}; nothing was changed", self.sentence())).hint(self.advice())
    }

    /// The same behind a page that has said it at length.
    pub(crate) fn failure_in_short(&self) -> Failure {
        let sentence = match self.verdict() {
            Verdict::Ahead(_) => "flash.bin and trusted/counter don't belong together",
            _ => "the flash was rolled back",
        };
        Failure::new(Exit::RolledBack, format!("{sentence}; nothing was changed"))
    }

    pub(crate) fn as_json(&self) -> Value {
        json!({ "counter": self.counter, "flash": bound_json(self.bound), "verdict": self.name() })
    }
}

/// What a flash is bound to, for machines.
pub(crate) fn bound_json(bound: Option<Binding>) -> Value {
    bound.map_or(Value::Null, |bound| json!({ "value": bound.value, "intent": bound.is_intent }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_words() {
        let mut seen = String::new();
        let bindings = [None, Some((4, false)), Some((4, true))];
        for (bound, rolled_back, counter) in [
            (bindings[0], false, 0),
            (bindings[0], true, 3),
            (bindings[1], false, 4),
            (bindings[1], false, 3),
            (bindings[1], true, 7),
            (bindings[1], true, 2),
            (bindings[2], false, 4),
            (bindings[2], false, 5),
            (bindings[2], true, 6),
            (bindings[2], true, 3),
        ] {
            let bound = bound.map(|(value, is_intent)| Binding { value, is_intent });
            let standing = Standing { bound, counter, rolled_back };
            seen.push_str(&format!("{}: {}\n", standing.name(), standing.sentence()));
        }
        expect_test::expect![[r#"
            unbound: nothing on the flash is bound to the counter yet
            older: the flash was rolled back: trusted/counter stands at 3, flash.bin knows 0; missing: up to 3 protected changes
            current: the flash is the one that the counter knows
            uncounted: the newest protected change was cut before it was counted
            older: the flash was rolled back: trusted/counter stands at 7, flash.bin knows 4; missing: up to 3 protected changes
            ahead: flash.bin and trusted/counter don't belong together: the counter stands at 2, the flash says 4; one of them was replaced
            current: the flash is the one that the counter knows
            current: the flash is the one that the counter knows
            older: the flash was rolled back: trusted/counter stands at 6, flash.bin knows 5; missing: up to 1 protected change
            ahead: flash.bin and trusted/counter don't belong together: the counter stands at 3, the flash says 4; one of them was replaced
        "#]].assert_eq(&seen);
    }
}
