//! The workloads, and the run of all of them over all stores.
//!
//! A workload adds rows to a [`Sheet`] as it goes. What ends it early, a panic of the store included, becomes a row of
//! its own, named after the workload.

mod basic;
mod extremes;
mod fills;
mod mounts;
mod scaling;
mod shapes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::measure::Sheet;
use crate::stores::{Contender, Failure, GENEROUS, MEDIUM, SMALL, Suite};

pub use fills::LEVELS;
pub use mounts::STATES;
pub use scaling::{KEYS, KEYS_LONG, LARGE};
pub use shapes::{LENGTHS, SIZES, UNITS};

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Fewer rounds, and nothing that needs minutes.
    pub quick: bool,
}

impl Scale {
    /// So many rounds, or so many when quick.
    #[must_use]
    pub const fn rounds(self, long: u64, quick: u64) -> u64 {
        if self.quick { quick } else { long }
    }

    /// The same for reads, which cost us little: ours are always many, so that their means are steady.
    const fn reads(self, contender: Contender, long: u64, quick: u64) -> u64 {
        if contender.is_ours() { 10_000 } else { self.rounds(long, quick) }
    }

    /// How long one workload of one store may take.
    #[must_use]
    pub const fn patience(self) -> Duration {
        Duration::from_secs(if self.quick { 12 } else { 30 })
    }
}

/// sequential-storage programs the same bytes with and without caches, and is slow without: once is enough where only these
/// count.
fn is_twin(contender: Contender) -> Result<(), Failure> {
    match contender {
        Contender::Sequential { cached: false } => {
            Err(Failure::unsupported("not run: programs what it does with caches"))
        }
        _ => Ok(()),
    }
}

/// What would take a quick run too long. It is left out by name, not by the clock, so that a run on a busy machine compares
/// the same stores.
const SLOW: [(&str, Contender); 5] = [
    ("keys 10000", Contender::Littlefs),
    ("fill", Contender::Littlefs),
    ("mount 1024", Contender::Littlefs),
    ("mount 1024", Contender::EspNvs),
    ("worst put", Contender::Wasefire),
];

type Workload = fn(Contender, Scale, &mut Sheet) -> Result<(), Failure>;

/// Lockstone as most workloads run it.
pub const PLAIN: Contender = Contender::Lockstone(Suite::Plain, MEDIUM);
/// The same, sealed.
pub const ASCON: Contender = Contender::Lockstone(Suite::Ascon, MEDIUM);

fn all_sizes() -> Vec<Contender> {
    [SMALL, MEDIUM, GENEROUS]
        .into_iter()
        .flat_map(|ram| [Contender::Lockstone(Suite::Plain, ram), Contender::Lockstone(Suite::Ascon, ram)])
        .chain(Contender::PEERS)
        .collect()
}

fn one_size(ram: usize) -> Vec<Contender> {
    let ours = [Contender::Lockstone(Suite::Plain, ram), Contender::Lockstone(Suite::Ascon, ram)];
    ours.into_iter().chain(Contender::PEERS).collect()
}

/// All workloads with the stores that they are run for.
fn plan() -> Vec<(&'static str, Workload, Vec<Contender>)> {
    vec![
        ("W1", basic::first, all_sizes()),
        ("W2", basic::second, all_sizes()),
        ("W3", basic::third, one_size(MEDIUM)),
        ("keys", scaling::small, all_sizes()),
        ("keys 10000", scaling::large, one_size(GENEROUS)),
        ("keys 100000", scaling::huge, one_size(LARGE)),
        ("fill", fills::fills, one_size(MEDIUM)),
        ("transaction", shapes::transactions, one_size(MEDIUM)),
        ("mount 64", mounts::small, one_size(MEDIUM)),
        ("mount 1024", mounts::large, one_size(GENEROUS)),
        ("value", shapes::lengths, one_size(MEDIUM)),
        ("unit", shapes::units, one_size(MEDIUM)),
        ("worst put", extremes::worst_put, one_size(MEDIUM)),
        ("usable", extremes::usable, one_size(MEDIUM)),
    ]
}

/// What is chosen of the plan.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only workloads whose name begins so.
    pub workload: Option<String>,
    /// Only stores whose name contains this.
    pub store: Option<String>,
}

impl Selection {
    fn takes(&self, workload: &str, contender: Contender) -> bool {
        let named = self.workload.as_ref().is_none_or(|wanted| workload.starts_with(wanted.as_str()));
        named && self.store.as_ref().is_none_or(|wanted| contender.name().contains(wanted.as_str()))
    }
}

/// Runs what was selected; `told` hears what begins.
pub fn run(scale: Scale, selection: &Selection, mut told: impl FnMut(&str, &str)) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, workload, contenders) in plan() {
        for contender in contenders.into_iter().filter(|contender| selection.takes(name, *contender)) {
            if scale.quick && SLOW.contains(&(name, contender)) {
                sheet.push(name, contender, Err(Failure::unsupported("not run: too slow for a quick run")));
                continue;
            }
            told(name, &contender.name());
            if let Err(failure) = attempt(workload, contender, scale, &mut sheet) {
                sheet.push(name, contender, Err(failure));
            }
        }
    }
    sheet
}

/// Runs one workload of one store. A panic is a failure like others.
fn attempt(workload: Workload, contender: Contender, scale: Scale, sheet: &mut Sheet) -> Result<(), Failure> {
    let outcome = catch_unwind(AssertUnwindSafe(|| workload(contender, scale, sheet)));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Failure::Failed(format!("panicked: {}", text.unwrap_or_default())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_like_others() {
        let broken: Workload = |_, _, _| panic!("assertion of a peer");
        let outcome = attempt(broken, Contender::Ekv, Scale { quick: true }, &mut Sheet::default());
        assert_eq!(outcome, Err(Failure::Failed("panicked: assertion of a peer".to_owned())));
    }

    #[test]
    fn what_is_slow_is_in_the_plan() {
        for (workload, contender) in SLOW {
            assert!(plan().iter().any(|(name, _, contenders)| *name == workload && contenders.contains(&contender)));
        }
    }

    #[test]
    fn a_run_keeps_to_what_is_selected() {
        let selection = Selection { workload: Some("W1".to_owned()), store: Some("wasefire".to_owned()) };
        let sheet = run(Scale { quick: true }, &selection, |_, _| {});
        assert_eq!(sheet.tasks(), ["W1 update", "W1 get", "W1 miss", "W1 mount", "W1 first gets"]);
        let again = run(Scale { quick: true }, &selection, |_, _| {});
        let counted = |sheet: &Sheet| -> Vec<_> {
            sheet.of("W1 update").map(|(_, figures)| (figures.tally.total, figures.tally.worst, figures.wear)).collect()
        };
        assert_eq!(counted(&sheet), counted(&again), "the same operations, the same counts");
    }
}
