//! The model: what the store must hold, kept in a map.
//!
//! ```text
//! change drawn ─> in flight ─ acknowledged ─────────────> it is so, and stays so
//!                     └────── power cut ─> old or new ─ whichever is read first ─> it stays so
//! ```
//!
//! A change of several keys is old or new as a whole.

use std::collections::BTreeMap;

use super::input::Value;

/// What a change sets: a value, or nothing any more.
pub(crate) type Change = BTreeMap<Vec<u8>, Option<Value>>;

/// How an answer of the store compares with the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// An acknowledged value is missing or an older one is there.
    Lost,
    /// Something that should not be there at all.
    Wrong,
}

/// A change that power was cut in. What is known of it grows with each key read.
#[derive(Debug)]
struct InFlight {
    change: Change,
    may_be_old: bool,
    may_be_new: bool,
}

/// Everything acknowledged, and at most one change in flight.
#[derive(Debug, Default)]
pub(crate) struct Model {
    now: BTreeMap<Vec<u8>, Value>,
    /// The value before the present one of each key that ever had one.
    before: BTreeMap<Vec<u8>, Option<Value>>,
    in_flight: Option<InFlight>,
}

impl Model {
    pub(crate) fn acknowledge(&mut self, change: Change) {
        for (name, value) in change {
            let old = match value {
                Some(value) => self.now.insert(name.clone(), value),
                None => self.now.remove(&name),
            };
            self.before.insert(name, old);
        }
    }

    pub(crate) fn cut_in(&mut self, change: Change) {
        self.in_flight = Some(InFlight { change, may_be_old: true, may_be_new: true });
    }

    /// Keys that the store holds.
    pub(crate) fn len(&self) -> usize {
        self.now.len()
    }

    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.now.contains_key(name)
    }

    pub(crate) fn value(&self, name: &[u8]) -> Option<&Value> {
        self.now.get(name)
    }

    /// Every name ever used: first those of the change in flight, which decide what became of it.
    pub(crate) fn names(&self) -> Vec<Vec<u8>> {
        let first = self.in_flight.iter().flat_map(|in_flight| in_flight.change.keys());
        let rest = self.before.keys().filter(|name| !self.is_in_flight(name));
        first.chain(rest).cloned().collect()
    }

    fn is_in_flight(&self, name: &[u8]) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| in_flight.change.contains_key(name))
    }

    /// Judges what the store answered for a key; learns from it what became of the change in flight.
    pub(crate) fn judge(&mut self, name: &[u8], found: Option<&[u8]>) -> Verdict {
        let old = self.now.get(name).map(|value| &**value);
        let Some(in_flight) = &mut self.in_flight else { return self.verdict(name, old, found) };
        let Some(new) = in_flight.change.get(name) else { return self.verdict(name, old, found) };
        let is_old = in_flight.may_be_old && found == old;
        let is_new = in_flight.may_be_new && found == new.as_deref();
        if is_old || is_new {
            in_flight.may_be_old = is_old;
            in_flight.may_be_new = is_new;
            return Verdict::Right;
        }
        if found.is_none() { Verdict::Lost } else { Verdict::Wrong }
    }

    fn verdict(&self, name: &[u8], right: Option<&[u8]>, found: Option<&[u8]>) -> Verdict {
        let before = self.before.get(name).and_then(Option::as_deref);
        match found {
            found if found == right => Verdict::Right,
            None => Verdict::Lost,
            Some(_) if found == before => Verdict::Lost,
            Some(_) => Verdict::Wrong,
        }
    }

    /// After every key was judged right: the change in flight was done or was not.
    pub(crate) fn settle(&mut self) {
        if let Some(InFlight { change, may_be_old: false, .. }) = self.in_flight.take() {
            self.acknowledge(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        let mut model = Model::default();
        model.acknowledge(change(&[("a", Some("1")), ("b", Some("1"))]));
        model.acknowledge(change(&[("a", Some("2"))]));
        model
    }

    fn change(items: &[(&str, Option<&str>)]) -> Change {
        let value = |text: &str| Value::from(text.as_bytes());
        items.iter().map(|(name, text)| (name.as_bytes().to_vec(), text.map(value))).collect()
    }

    #[test]
    fn what_was_acknowledged_stays() {
        let mut model = model();
        assert_eq!(model.judge(b"a", Some(b"2")), Verdict::Right);
        assert_eq!(model.judge(b"a", Some(b"1")), Verdict::Lost);
        assert_eq!(model.judge(b"a", None), Verdict::Lost);
        assert_eq!(model.judge(b"a", Some(b"3")), Verdict::Wrong);
        assert_eq!(model.judge(b"c", None), Verdict::Right);
    }

    #[test]
    fn a_change_in_flight_is_old_or_new_as_a_whole_and_stays() {
        let mut model = model();
        model.cut_in(change(&[("a", Some("3")), ("b", None)]));
        assert_eq!(model.judge(b"a", Some(b"3")), Verdict::Right);
        assert_eq!(model.judge(b"a", Some(b"2")), Verdict::Wrong, "it was read as new before");
        assert_eq!(model.judge(b"b", Some(b"1")), Verdict::Wrong, "half a transaction");
        assert_eq!(model.judge(b"b", None), Verdict::Right);
        model.settle();
        assert_eq!((model.len(), model.contains(b"b")), (1, false));
        assert_eq!(model.judge(b"a", Some(b"2")), Verdict::Lost);
    }
}
