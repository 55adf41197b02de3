//! Findings: everything that a look at a store can turn up, in a class, a sentence, and what to do about it.
//!
//! One table for `check` and `inspect`, so that both say the same. Classes are for scripts and never change their names.

use lockstone::inspect::SegmentState;
use lockstone::{OpenError, Report};
use serde_json::{Value, json};

use crate::standing::{Standing, Verdict};
use crate::terminal::counted;

/// What was found. See [`Class::advice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    NotClosed,
    TornTail,
    UnfinishedRun,
    RetiredSegment,
    Leftover,
    Uncounted,
    CounterLow,
    UnfinishedObject,
    RollbackAccepted,
    RolledBack,
    CounterMissing,
    DamagedRecord,
    DamagedHeader,
    Misplaced,
    InDoubt,
    DamagedKey,
    ForeignVolume,
    DamagedSlot,
    ListingGap,
    Truncated,
    Extended,
    Blank,
    NoStore,
    NotAuthentic,
    NotSealed,
    KeyMissing,
    Incompatible,
    HalfFormatted,
    DamagedMount,
    Unreadable,
}

impl Class {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NotClosed => "not-closed",
            Self::TornTail => "torn-tail",
            Self::UnfinishedRun => "unfinished-run",
            Self::RetiredSegment => "retired-segment",
            Self::Leftover => "leftover",
            Self::Uncounted => "uncounted",
            Self::CounterLow => "counter-low",
            Self::UnfinishedObject => "unfinished-object",
            Self::RollbackAccepted => "rollback-accepted",
            Self::RolledBack => "rolled-back",
            Self::CounterMissing => "counter-missing",
            Self::DamagedRecord => "damaged-record",
            Self::DamagedHeader => "damaged-header",
            Self::Misplaced => "misplaced-segment",
            Self::InDoubt => "in-doubt",
            Self::DamagedKey => "damaged-key",
            Self::ForeignVolume => "foreign-volume",
            Self::DamagedSlot => "damaged-slot",
            Self::ListingGap => "listing-gap",
            Self::Truncated => "truncated",
            Self::Extended => "extended",
            Self::Blank => "blank",
            Self::NoStore => "no-store",
            Self::NotAuthentic => "not-authentic",
            Self::NotSealed => "not-sealed",
            Self::KeyMissing => "key-missing",
            Self::Incompatible => "incompatible",
            Self::HalfFormatted => "half-formatted",
            Self::DamagedMount => "damaged-mount",
            Self::Unreadable => "unreadable",
        }
    }

    /// Not what power cuts and age explain.
    pub(crate) const fn is_damage(self) -> bool {
        !matches!(
            self,
            Self::NotClosed
                | Self::TornTail
                | Self::UnfinishedRun
                | Self::RetiredSegment
                | Self::Leftover
                | Self::Uncounted
                | Self::CounterLow
                | Self::UnfinishedObject
                | Self::RollbackAccepted
        )
    }

    /// How its line begins for people.
    const fn mark(self) -> &'static str {
        match self {
            Self::KeyMissing | Self::CounterMissing => "UNVERIFIED",
            Self::RolledBack => "ROLLED BACK",
            Self::Blank | Self::NoStore | Self::HalfFormatted | Self::Incompatible => "NO STORE",
            _ if self.is_damage() => "DAMAGED",
            _ => "note",
        }
    }

    /// What to do about it.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::NotClosed | Self::TornTail | Self::UnfinishedRun => "nothing: the next write tidies up by itself",
            Self::RetiredSegment => "nothing yet; when several segments retire, plan to replace the part",
            Self::Leftover => "nothing: the store erases a segment before it writes there",
            Self::Uncounted => "nothing: the next command that may write counts it",
            Self::CounterLow => "plan to replace the device: without steps nothing protected can be changed",
            Self::UnfinishedObject => {
                "go on with it, or give it up: `lockstone object resume`, `lockstone object rm --unfinished`"
            }
            Self::RollbackAccepted => "nothing, if you know of it; if not, find out who did it and what was lost",
            Self::RolledBack => {
                "put the newest flash back, with the counter that belongs to it; `lockstone recover DEV` says what accepting this one means"
            }
            Self::CounterMissing => "put the counter back as it was: nothing else tells an older flash from the newest",
            Self::NotSealed => "find out who put a store of this suite in place of a sealed one",
            Self::DamagedRecord => "alone it hides nothing stored; keep a copy of the flash and look for the cause",
            Self::DamagedHeader => {
                "keep a copy of the flash and look for the cause: a worn block, a bad contact, a hand"
            }
            Self::Misplaced => "somebody moved blocks: take the device out of service and keep a copy of its flash",
            Self::InDoubt => {
                "get what can still be read, and put it on a new device; this one stays read-only. `lockstone inspect --records` shows which names are on it"
            }
            Self::DamagedKey => "store it again on a new device, from where it came from",
            Self::ForeignVolume => {
                "put back the part of the flash behind the keys that belongs to this device; its objects are there"
            }
            Self::DamagedSlot => {
                "don't run it; request an install of its object again: `lockstone slot request`, `lockstone slot install`"
            }
            Self::ListingGap => "compare the names with those that you expect on the device",
            Self::Truncated | Self::Extended => "read the flash out again, all of it and nothing else",
            Self::Blank => "if it was never used, make a store on it; if it was, it has been erased",
            Self::NoStore => "check that this is the right part of the flash, and its byte order",
            Self::NotAuthentic => {
                "try the root key that belongs to this flash; if it is the right one, the flash was forged"
            }
            Self::KeyMissing => "give the root key with --key FILE to see names, and what is genuine",
            Self::Incompatible => "use the release and the geometry that made it",
            Self::HalfFormatted => "format it again: nothing was ever stored",
            Self::DamagedMount => "keep a copy of the flash; what stands in the clear is shown by `lockstone inspect`",
            Self::Unreadable => "check the file and its permissions",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) class: Class,
    pub(crate) sentence: String,
}

impl Finding {
    pub(crate) fn new(class: Class, sentence: impl Into<String>) -> Self {
        Self { class, sentence: sentence.into() }
    }

    /// Why a store did not mount.
    pub(crate) fn of_refusal<E: core::fmt::Debug>(error: &OpenError<E>) -> Self {
        let class = match error {
            OpenError::Blank => Class::Blank,
            OpenError::Unknown => Class::NoStore,
            OpenError::NotAuthentic => Class::NotAuthentic,
            OpenError::Incompatible { .. } | OpenError::Heads { .. } | OpenError::Layout(_) | OpenError::NotSmall => {
                Class::Incompatible
            }
            OpenError::HalfFormatted => Class::HalfFormatted,
            OpenError::Flash(_) => Class::Unreadable,
            OpenError::RolledBack => Class::RolledBack,
            OpenError::NoCounter | OpenError::Counter => Class::CounterMissing,
            _ => Class::DamagedMount,
        };
        Self::new(class, error.to_string())
    }

    pub(crate) fn as_json(&self) -> Value {
        json!({ "class": self.class.name(), "damage": self.class.is_damage(), "sentence": self.sentence, "advice": self.class.advice() })
    }

    /// Two lines for people.
    pub(crate) fn as_text(&self) -> String {
        format!(
            "{} ({}): {}\n  what to do: {}\n",
            self.class.mark(),
            self.class.name(),
            self.sentence,
            self.class.advice()
        )
    }
}

/// What a mount has to say. `place` names a position on the part.
pub(crate) fn of_report(report: &Report, place: impl Fn(lockstone::Position) -> String) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |class, sentence: String| findings.push(Finding::new(class, sentence));
    if report.torn_bytes > 0 {
        let torn = counted(report.torn_bytes, "byte");
        found(
            Class::TornTail,
            format!("power was cut or a process killed in a write: {torn} of it are left and ignored"),
        );
    } else if !report.clean {
        found(Class::NotClosed, "the store was not closed in order: power was cut or a process killed".to_owned());
    }
    if report.unfinished_runs > 0 {
        let groups = counted(report.unfinished_runs, "group");
        found(
            Class::UnfinishedRun,
            format!("{groups} of records never became whole and don't count: writes that were cut"),
        );
    }
    if report.damaged_records > 0 {
        let records = counted(report.damaged_records, "record");
        found(Class::DamagedRecord, format!("{records} can't be read, though something was written later"));
    }
    if report.damaged_headers > 0 {
        let headers = counted(report.damaged_headers, "segment header");
        found(Class::DamagedHeader, format!("{headers} can't be read where one is needed"));
    }
    if let Some(at) = report.doubt {
        let place = place(at);
        found(
            Class::InDoubt,
            format!(
                "damage at {place} may hide the newest state of keys last written before it: those are refused, \
                 and so is every write; newer keys are served"
            ),
        );
    }
    findings
}

/// What the counter has to say. `accepted`: how often a roll-back was accepted, if that can be read.
pub(crate) fn of_counter(standing: &Standing, accepted: Option<u32>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match standing.verdict() {
        Verdict::Unbound | Verdict::Current => {}
        Verdict::Uncounted => findings.push(Finding::new(Class::Uncounted, standing.sentence())),
        Verdict::Older(_) | Verdict::Ahead(_) => findings.push(Finding::new(Class::RolledBack, standing.sentence())),
    }
    match accepted {
        // Nothing bound, nothing accepted.
        None if standing.bound.is_none() => {}
        Some(0) => {}
        Some(times) => {
            let times = counted(times, "time");
            let sentence = format!("a roll-back was accepted {times}: what had been stored since was given up");
            findings.push(Finding::new(Class::RollbackAccepted, sentence));
        }
        None => {
            let sentence = "how often a roll-back was accepted can't be read";
            findings.push(Finding::new(Class::RollbackAccepted, sentence));
        }
    }
    findings
}

/// What the look at a segment has to say.
pub(crate) fn of_segment(physical: u32, state: SegmentState, signposts_broken: u32) -> Option<Finding> {
    let (class, sentence) = match state {
        _ if signposts_broken > 0 => {
            (Class::DamagedRecord, "has records whose signposts are wrong; they are read whole")
        }
        SegmentState::Retired => (Class::RetiredSegment, "failed once and is not used any more"),
        SegmentState::Misplaced => (Class::Misplaced, "holds a genuine header of another place or time"),
        SegmentState::Unknown => (Class::Leftover, "holds what a cut erase left, or a stranger; it is ignored"),
        _ => return None,
    };
    Some(Finding::new(class, format!("segment {physical} {sentence}")))
}
