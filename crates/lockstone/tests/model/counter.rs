//! The protected commit, enumerated.
//!
//! A store has a log that an attacker can copy and put back at will, and a little trusted state that only moves forward.
//! The rule to keep: **no image that ever existed, also none captured at a cut, can undo an acknowledged protected
//! commit; and the honest image is never refused.** Three protocols are tried:
//!
//! | protocol | a boot's first commit            | a commit                                    | steps for n commits |
//! |----------|----------------------------------|---------------------------------------------|---------------------|
//! | naive    |                                  | append C+1 · count · acknowledge            | n, but it **fails** |
//! | intent   | append the intent at C · count   | append C+1 · count · acknowledge            | n + 1               |
//! | slot     |                                  | append · write {C+1, head MAC} · acknowledge | n                   |
//!
//! How naive fails: A is appended with C+1 and power is cut before counting; that image is kept. The image before it is
//! put back, B is appended with C+1, counted and acknowledged. Now A's image is put back: it says C+1 as the counter
//! does, and B is gone. With an intent the two commits belong to two epochs: the second boot has moved the counter on
//! before it appends anything, so that A's value can never again be the newest.
//!
//! At mount the newest record of the log decides, C being the counter:
//!
//! | newest record | accepted at                                                        |
//! |---------------|--------------------------------------------------------------------|
//! | commit V      | V = C; V = C + 1 (cut before counting: count once, then serve)     |
//! | intent V      | V = C (cut before counting); V = C - 1 (counted)                   |
//! | with a slot   | the log begins with what the slot has sealed; then seal the whole  |
//!
//! The search goes through every order of boots, commits, cuts after any atomic step (also within the mount) and
//! restored images: a state is (log, trusted state, acknowledged commits, all images so far, boot).

use std::collections::{BTreeSet, VecDeque};

/// Each boot of the search makes this many commits, one after the other, and is cut after each of their steps.
const COMMITS: [u32; 2] = [1, 2];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    Naive,
    Intent,
    Slot,
}

/// A record that binds the counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Mark {
    Commit { counter: u32, id: u32 },
    Intent { counter: u32, boot: u32 },
}

type Log = Vec<Mark>;

/// What an attacker can't turn back. `sealed` stands for the head MAC of a slot: equal exactly if the logs are equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Trusted {
    counter: u32,
    sealed: Option<Log>,
}

/// One moment of a device's life.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Moment {
    log: Log,
    trusted: Trusted,
    acknowledged: BTreeSet<u32>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    moment: Moment,
    images: BTreeSet<Log>,
    boot: u32,
}

/// A violation and the way to it.
#[derive(Debug)]
struct Violation {
    what: &'static str,
    trace: Vec<String>,
}

struct Outcome {
    states: usize,
    violation: Option<Violation>,
}

/// The trusted state after mounting `log`, or nothing if the log is refused.
fn mount(log: &Log, trusted: &Trusted) -> Option<Trusted> {
    if let Some(sealed) = &trusted.sealed {
        let counted = trusted.counter + u32::from(log != sealed);
        return log.starts_with(sealed).then(|| Trusted { counter: counted, sealed: Some(log.clone()) });
    }
    let counter = trusted.counter;
    let accepted = match *log.last()? {
        Mark::Commit { counter: bound, .. } if bound == counter || bound == counter + 1 => bound,
        Mark::Intent { counter: bound, .. } if bound == counter || bound + 1 == counter => counter,
        _ => return None,
    };
    Some(Trusted { counter: accepted, sealed: None })
}

/// A boot that makes `commits` commits: the moment after each atomic step, the first being the mount.
fn boot(protocol: Protocol, start: Moment, boot: u32, commits: u32) -> Vec<Moment> {
    let mut life = Life { now: start.clone(), moments: vec![start] };
    if protocol == Protocol::Intent {
        life.append(Mark::Intent { counter: life.now.trusted.counter, boot });
        life.count();
    }
    for number in 0..commits {
        let id = boot * 10 + number;
        life.append(Mark::Commit { counter: life.now.trusted.counter + 1, id });
        life.count();
        life.step(|now| now.acknowledged.insert(id));
    }
    life.moments
}

struct Life {
    now: Moment,
    moments: Vec<Moment>,
}

impl Life {
    fn step<T>(&mut self, change: impl FnOnce(&mut Moment) -> T) {
        change(&mut self.now);
        self.moments.push(self.now.clone());
    }

    fn append(&mut self, mark: Mark) {
        self.step(|now| now.log.push(mark));
    }

    /// One step of the counter; with a slot the MAC of the log goes with it, in one write.
    fn count(&mut self) {
        self.step(|now| {
            now.trusted.counter += 1;
            now.trusted.sealed = now.trusted.sealed.is_some().then(|| now.log.clone());
        });
    }
}

/// The search, breadth first, so that the trace of a violation is a shortest one.
struct Search {
    protocol: Protocol,
    seen: BTreeSet<State>,
    queue: VecDeque<(State, Vec<String>)>,
}

impl Search {
    fn run(protocol: Protocol, boots: u32) -> Outcome {
        let log = vec![Mark::Commit { counter: 0, id: 0 }];
        let sealed = (protocol == Protocol::Slot).then(|| log.clone());
        let images = BTreeSet::from([log.clone()]);
        let moment = Moment { log, trusted: Trusted { counter: 0, sealed }, acknowledged: BTreeSet::new() };
        let mut search = Self { protocol, seen: BTreeSet::new(), queue: VecDeque::new() };
        search.visit(State { moment, images, boot: 0 }, Vec::new());
        let mut states = 0;
        while let Some((state, trace)) = search.queue.pop_front() {
            states += 1;
            for image in state.images.iter().filter(|_| state.boot < boots) {
                if let Err(what) = search.restore(&state, image, &trace) {
                    let trace = extended(&trace, format!("restore {image:?} at {:?}: {what}", state.moment));
                    return Outcome { states, violation: Some(Violation { what, trace }) };
                }
            }
        }
        Outcome { states, violation: None }
    }

    fn visit(&mut self, state: State, trace: Vec<String>) {
        check_steps(self.protocol, &state);
        if self.seen.insert(state.clone()) {
            self.queue.push_back((state, trace));
        }
    }

    /// Power was lost at `state`; `image` (which may be the log as it was) is what the next boot finds.
    fn restore(&mut self, state: &State, image: &Log, trace: &[String]) -> Result<(), &'static str> {
        let before = &state.moment;
        let Some(trusted) = mount(image, &before.trusted) else {
            return if *image == before.log { Err("the honest image is refused") } else { Ok(()) };
        };
        if !before.acknowledged.is_subset(&commits_of(image)) {
            return Err("an acknowledged commit is lost");
        }
        let start = Moment { log: image.clone(), trusted, acknowledged: before.acknowledged.clone() };
        let number = state.boot + 1;
        if start.trusted != before.trusted {
            let moment = Moment { trusted: before.trusted.clone(), ..start.clone() };
            let trace = extended(trace, format!("boot {number} from {image:?}, cut within the mount"));
            self.visit(State { moment, images: state.images.clone(), boot: number }, trace);
        }
        for commits in COMMITS {
            let moments = boot(self.protocol, start.clone(), number, commits);
            check_cost(self.protocol, &moments, commits);
            let mut images = state.images.clone();
            for moment in moments {
                images.insert(moment.log.clone());
                let trace = extended(trace, format!("boot {number} from {image:?} until {moment:?}"));
                self.visit(State { moment, images: images.clone(), boot: number }, trace);
            }
        }
        Ok(())
    }
}

fn extended(trace: &[String], line: String) -> Vec<String> {
    trace.iter().cloned().chain([line]).collect()
}

fn commits_of<'a>(log: impl IntoIterator<Item = &'a Mark>) -> BTreeSet<u32> {
    let id = |mark: &Mark| if let Mark::Commit { id, .. } = *mark { Some(id) } else { None };
    log.into_iter().filter_map(id).collect()
}

fn intents_of<'a>(log: impl IntoIterator<Item = &'a Mark>) -> BTreeSet<u32> {
    let boot = |mark: &Mark| if let Mark::Intent { boot, .. } = *mark { Some(boot) } else { None };
    log.into_iter().filter_map(boot).collect()
}

/// A boot that isn't cut pays exactly its commits and, with intents, one step more.
fn check_cost(protocol: Protocol, moments: &[Moment], commits: u32) {
    let counter = |moment: Option<&Moment>| moment.map_or(0, |moment| moment.trusted.counter);
    let spent = counter(moments.last()) - counter(moments.first());
    assert_eq!(spent, commits + u32::from(protocol == Protocol::Intent), "{protocol:?}: {moments:?}");
}

/// Over the whole life, cuts, restored images and the steps that mounts spend on catching up included: one step for each
/// commit ever appended, and one for each boot that ever appended an intent.
fn check_steps(protocol: Protocol, state: &State) {
    let ever = || state.images.iter().flatten();
    let appended = commits_of(ever()).len() - 1 + intents_of(ever()).len();
    assert!(state.moment.trusted.counter as usize <= appended, "{protocol:?} overspent: {:?}", state.moment);
}

fn print(protocol: Protocol, outcome: &Outcome) {
    println!("{protocol:?}: {} states, violation: {:#?}", outcome.states, outcome.violation);
}

#[test]
fn naive_protocol_loses_an_acknowledged_commit() {
    let outcome = Search::run(Protocol::Naive, 4);
    print(Protocol::Naive, &outcome);
    let violation = outcome.violation.expect("the naive protocol must fail");
    assert_eq!(violation.what, "an acknowledged commit is lost");
    assert_eq!(violation.trace.len(), 3, "two boots and a restored image are enough");
}

#[test]
fn intent_protocol_holds() {
    let outcome = Search::run(Protocol::Intent, 4);
    print(Protocol::Intent, &outcome);
    assert!(outcome.violation.is_none());
    assert_eq!(outcome.states, 12_784, "the same world as the first prototype's");
}

#[test]
fn slot_protocol_holds_without_an_intent() {
    let outcome = Search::run(Protocol::Slot, 4);
    print(Protocol::Slot, &outcome);
    assert!(outcome.violation.is_none());
}

/// A counter alone, with the slot's shorter commit, is the naive protocol: what the slot adds is the MAC.
#[test]
fn the_counter_of_a_slot_is_not_enough() {
    let log = |id| vec![Mark::Commit { counter: 0, id: 0 }, Mark::Commit { counter: 1, id }];
    let slot = Trusted { counter: 1, sealed: Some(log(20)) };
    let bare = Trusted { counter: 1, sealed: None };
    assert_eq!(mount(&log(10), &slot), None, "the kept image of a cut commit is refused");
    assert_eq!(mount(&log(10), &bare), Some(bare.clone()), "and would be taken without the MAC");
    assert_eq!(mount(&log(20), &slot), Some(slot.clone()));
}
