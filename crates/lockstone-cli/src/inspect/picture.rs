//! Picture: all that is known of an image, before anybody decides how to show it.
//!
//! Invariant: the parts of a segment lie in order, don't overlap, and end inside of it; what no part covers was never
//! written.

use lockstone::VolumeTable;
use lockstone::inspect::{Binding, Liveness, RecordKind, RecordView, SegmentState};
use serde_json::{Value, json};

use crate::device::Usage;
use crate::findings::Finding;
use crate::standing::{Standing, bound_json};
use crate::volumes;

/// What a stretch of a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    Header,
    Entry,
    Chunk,
    Tombstone,
    Mark,
    Dead,
    /// A record that nobody vouches for: there is no key.
    Unverified,
    Hole,
    /// A good record, but something newer may have been lost.
    InDoubt,
    Damaged,
    /// Written, and nothing known.
    Unknown,
}

impl PartKind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Header,
        Self::Entry,
        Self::Chunk,
        Self::Tombstone,
        Self::Mark,
        Self::Dead,
        Self::Unverified,
        Self::Hole,
        Self::InDoubt,
        Self::Damaged,
        Self::Unknown,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Entry => "entry",
            Self::Chunk => "chunk",
            Self::Tombstone => "tombstone",
            Self::Mark => "mark",
            Self::Dead => "dead",
            Self::Unverified => "unverified",
            Self::Hole => "hole",
            Self::InDoubt => "in-doubt",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
        }
    }

    /// The index leads there.
    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Self::Entry | Self::Chunk | Self::Tombstone)
    }
}

/// A stretch of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) kind: PartKind,
    /// What the record is, if it is one.
    pub(crate) record: Option<Record>,
}

/// What is known of a record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    /// Of a verified entry.
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) client: u32,
    pub(crate) value_bytes: u32,
    /// Part of a run of several.
    pub(crate) in_run: bool,
    pub(crate) resumes: bool,
    /// The counter's value that it states.
    pub(crate) counter: Option<u32>,
}

/// One segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) physical: u32,
    pub(crate) state: SegmentState,
    pub(crate) sequence: Option<u32>,
    pub(crate) erases: Option<u32>,
    pub(crate) parts: Vec<Part>,
}

impl Segment {
    pub(crate) fn bytes(&self, which: impl Fn(PartKind) -> bool) -> u32 {
        self.parts.iter().filter(|part| which(part.kind)).map(|part| part.length).sum()
    }

    pub(crate) fn records(&self, which: impl Fn(PartKind) -> bool) -> usize {
        self.parts.iter().filter(|part| part.record.is_some() && which(part.kind)).count()
    }

    pub(crate) fn is_damaged(&self) -> bool {
        matches!(self.state, SegmentState::HeaderLost | SegmentState::Misplaced)
            || self.parts.iter().any(|part| part.kind == PartKind::Damaged)
    }

    /// Adds a part behind the last one; what lies between is a hole.
    pub(crate) fn add(&mut self, part: Part) {
        let end = self.end();
        if part.offset > end {
            self.parts.push(Part { offset: end, length: part.offset - end, kind: PartKind::Hole, record: None });
        }
        self.parts.push(part);
    }

    pub(crate) fn end(&self) -> u32 {
        self.parts.last().map_or(0, |part| part.offset + part.length)
    }

    /// The last `count` records turned out to lie in a hole.
    pub(crate) fn take_back(&mut self, count: u32) {
        let records = self.parts.iter_mut().rev().filter(|part| part.record.is_some());
        records.take(count as usize).for_each(|part| part.kind = PartKind::Dead);
    }

    fn as_json(&self) -> Value {
        json!({
            "segment": self.physical,
            "state": self.state.name(),
            "sequence": self.sequence,
            "erases": self.erases,
            "records": self.records(|_| true),
            "live_records": self.records(PartKind::is_live),
            "live_bytes": self.bytes(PartKind::is_live),
            "dead_bytes": self.bytes(|kind| kind == PartKind::Dead),
            "hole_bytes": self.bytes(|kind| kind == PartKind::Hole),
            "written_bytes": self.end(),
            "parts": self.parts.iter().map(|part| json!([part.offset, part.length, part.kind.name()])).collect::<Vec<_>>(),
        })
    }
}

impl Record {
    pub(crate) fn of(view: &RecordView<'_>) -> Self {
        Self {
            kind: view.kind,
            name: (view.kind == RecordKind::Entry).then(|| view.name.to_vec()),
            client: view.client,
            value_bytes: view.value_bytes,
            in_run: !view.first || view.more,
            resumes: view.hole.is_some(),
            counter: view.counter,
        }
    }
}

/// What kind of part a verified record is.
pub(crate) const fn kind_of(view: &RecordView<'_>) -> PartKind {
    match (view.liveness, view.kind) {
        (Liveness::Dead, _) => PartKind::Dead,
        (Liveness::Unknown, _) => PartKind::InDoubt,
        (
            _,
            RecordKind::Entry
            | RecordKind::Retirement
            | RecordKind::Rollbacks
            | RecordKind::Resetting
            | RecordKind::Grant
            | RecordKind::FactoryCopy,
        ) => PartKind::Entry,
        (_, RecordKind::Chunk) => PartKind::Chunk,
        (_, RecordKind::Tombstone) => PartKind::Tombstone,
        _ => PartKind::Mark,
    }
}

/// How the image could be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Mounted: every record was verified.
    Verified,
    /// Mounted, but of suite plain: checksums keep nobody out.
    Checksummed,
    /// What stands in the clear: nobody vouches for it.
    Clear,
    /// There is nothing of a store.
    Nothing,
}

/// All that is known.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) title: String,
    pub(crate) bytes: usize,
    pub(crate) view: View,
    pub(crate) suite: Option<&'static str>,
    pub(crate) store_id: Option<[u8; 8]>,
    pub(crate) heads: Option<u16>,
    pub(crate) unit: u32,
    pub(crate) segment_bytes: u32,
    pub(crate) erased: u8,
    pub(crate) keys: Option<u32>,
    /// What binds it to a counter, if anything does.
    pub(crate) bound: Option<Binding>,
    /// What its counter says of it, if that could be read.
    pub(crate) standing: Option<Standing>,
    pub(crate) every_commit: bool,
    /// How often a roll-back was accepted, if that could be read.
    pub(crate) accepted: Option<u32>,
    /// What the mount decided, and why, in sentences.
    pub(crate) decisions: Vec<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) newest: Option<u32>,
    pub(crate) oldest: Option<u32>,
    /// The volumes of the flash, if the store keeps a table of them.
    pub(crate) volumes: Option<Volumes>,
    /// The volume for objects, if there is one and it could be looked at.
    pub(crate) objects: Option<Usage>,
}

/// A volume table, and the bytes of the flash that it's for, as far as they are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volumes {
    pub(crate) table: VolumeTable,
    pub(crate) capacity: u32,
}

impl Picture {
    pub(crate) fn is_sound(&self) -> bool {
        matches!(self.view, View::Verified | View::Checksummed)
            && !self.findings.iter().any(|finding| finding.class.is_damage())
    }

    pub(crate) fn total(&self, which: impl Fn(PartKind) -> bool + Copy) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.bytes(which))).sum()
    }

    pub(crate) fn erases(&self) -> Option<(u32, u32)> {
        let erases = || self.segments.iter().filter_map(|segment| segment.erases);
        Some((erases().min()?, erases().max()?))
    }

    pub(crate) fn store_id_text(&self) -> Option<String> {
        self.store_id.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) fn as_json(&self) -> Value {
        let view = match self.view {
            View::Verified => "verified",
            View::Checksummed => "checksummed",
            View::Clear => "clear",
            View::Nothing => "nothing",
        };
        json!({
            "image": self.title,
            "bytes": self.bytes,
            "view": view,
            "sound": self.is_sound(),
            "suite": self.suite,
            "store_id": self.store_id_text(),
            "heads": self.heads,
            "unit_bytes": self.unit,
            "segment_bytes": self.segment_bytes,
            "erased": self.erased,
            "keys": self.keys,
            "bound": bound_json(self.bound),
            "counter": self.standing.map(|standing| standing.as_json()),
            "every_commit": self.every_commit,
            "rollbacks_accepted": self.accepted,
            "newest": self.newest,
            "oldest": self.oldest,
            "volumes": self.volumes.map(|volumes| volumes::as_json(&volumes.table)),
            "objects": self.objects.as_ref().map(Usage::as_json),
            "decisions": self.decisions,
            "findings": self.findings.iter().map(Finding::as_json).collect::<Vec<_>>(),
            "segments": self.segments.iter().map(Segment::as_json).collect::<Vec<_>>(),
        })
    }
}
