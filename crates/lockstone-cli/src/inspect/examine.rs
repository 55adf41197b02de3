//! Examine: from the bytes of an image, and the root key if there is one, to a picture.
//!
//! ```text
//! sizes known? ── no ─> guess them from headers in the clear ── none ─> nothing
//!   │
//! key? mounts? ── yes ─> verified: every record, live or dead
//!   │ no
//!   └────────────────> clear: headers and heads as they stand there
//! ```
//!
//! Reads only; ends whatever the bytes are. Tested with thousands of mutated images (`tests` below).

use lockstone::inspect::{ClearHeader, ClearRecord, SegmentState, SegmentView, Sight};
use lockstone::seal::Suite;
use lockstone::trust::{Anchor, Protection};
use lockstone::{
    Aes, Ascon, Objects, OpenError, Part as FlashPart, Plain, Position, SoftRootKey, Store, VolumeEntry, VolumeKind,
    VolumeTable,
};

use super::image::{ImageFlash, NotThere, ReadCounter, Sizes, guess};
use super::picture::{Part, PartKind, Picture, Record, Segment, View, Volumes, kind_of};
use crate::device::{AnyRam, HEADS, SLOT, Usage};
use crate::findings::{Class, Finding, of_counter, of_report, of_segment};
use crate::standing::Standing;
use crate::terminal::counted;

/// What is known before anything is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'k> {
    /// The part, from `device.toml`; else it's guessed.
    pub(crate) sizes: Option<Sizes>,
    pub(crate) block: Option<u32>,
    /// Somebody gave a key, and expects what it protects.
    pub(crate) expects_sealed: bool,
    /// Number of the suite; else it's guessed.
    pub(crate) suite: Option<u8>,
    pub(crate) root: Option<&'k SoftRootKey>,
    /// What the counter of the device says.
    pub(crate) counter: Option<u32>,
    /// The flash with all its volumes, if there may be more than the one for keys.
    pub(crate) whole: Option<Whole<'k>>,
}

/// A flash with several volumes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole<'k> {
    /// What is there of it.
    pub(crate) bytes: &'k [u8],
    /// As many bytes it has.
    pub(crate) capacity: u32,
    /// The table that is in force if the store keeps none.
    pub(crate) table: Option<VolumeTable>,
}

/// Looks at an image.
pub(crate) fn examine(title: &str, bytes: &[u8], known: &Known<'_>) -> Picture {
    let guessed = guess(bytes);
    let sizes = known.sizes.or(guessed.map(|(sizes, _)| sizes));
    let mut picture = Picture {
        title: title.to_owned(),
        bytes: bytes.len(),
        view: View::Nothing,
        suite: None,
        store_id: guessed.map(|(_, header)| header.store_id),
        heads: guessed.map(|(_, header)| header.heads),
        unit: sizes.map_or(0, |sizes| sizes.unit),
        segment_bytes: sizes.map_or(0, |sizes| sizes.segment),
        erased: sizes.map_or(0xff, |sizes| sizes.erased),
        keys: None,
        bound: None,
        standing: None,
        every_commit: false,
        accepted: None,
        decisions: Vec::new(),
        findings: Vec::new(),
        segments: Vec::new(),
        newest: None,
        oldest: None,
        volumes: None,
        objects: None,
    };
    let suite = known.suite.or(guessed.map(|(_, header)| header.suite));
    picture.suite = suite.and_then(suite_name);
    let Some(sizes) = sizes else {
        let blank = bytes.iter().all(|byte| *byte == 0xff) || bytes.iter().all(|byte| *byte == 0);
        let error = if blank { OpenError::<NotThere>::Blank } else { OpenError::Unknown };
        picture.findings.push(Finding::of_refusal(&error));
        return picture;
    };
    compare_sizes(&mut picture, bytes, sizes);
    let refusal = match (suite, known.root) {
        (Some(0), _) => mount::<Plain>(&mut picture, bytes, sizes, known, &SoftRootKey::new([0; 32])),
        (Some(1), Some(root)) => mount::<Ascon>(&mut picture, bytes, sizes, known, root),
        (Some(2), Some(root)) => mount::<Aes>(&mut picture, bytes, sizes, known, root),
        (Some(1 | 2), None) => {
            Some(Finding::new(Class::KeyMissing, "there is no root key: names and values stay sealed"))
        }
        _ => Some(Finding::of_refusal(&OpenError::<NotThere>::Unknown)),
    };
    if let Some(refusal) = refusal {
        picture.findings.push(refusal);
        show_clear(&mut picture, bytes, sizes, suite);
    }
    picture
}

fn suite_name(suite: u8) -> Option<&'static str> {
    match suite {
        Plain::ID => Some(Plain::NAME),
        Ascon::ID => Some(Ascon::NAME),
        Aes::ID => Some(Aes::NAME),
        _ => None,
    }
}

fn compare_sizes(picture: &mut Picture, bytes: &[u8], sizes: Sizes) {
    let (found, wanted) = (bytes.len(), sizes.capacity);
    if found < wanted {
        let missing = counted((wanted - found) as u64, "byte");
        picture.findings.push(Finding::new(Class::Truncated, format!("the image ends early: {missing} are missing")));
    } else if found > wanted {
        let more = counted((found - wanted) as u64, "byte");
        picture.findings.push(Finding::new(Class::Extended, format!("the image has {more} more than the flash")));
    } else if !wanted.is_multiple_of(sizes.segment as usize) {
        let rest = counted((wanted % sizes.segment as usize) as u64, "byte");
        let sentence = format!("the image is no whole number of segments: {rest} are left over");
        picture.findings.push(Finding::new(Class::Extended, sentence));
    }
}

/// Mounts the image and looks at everything; returns why not, if so.
fn mount<S: Suite>(
    picture: &mut Picture,
    bytes: &[u8],
    sizes: Sizes,
    known: &Known<'_>,
    root: &SoftRootKey,
) -> Option<Finding> {
    let mut memory = AnyRam::new();
    let flash = ImageFlash::new(bytes, sizes.capacity);
    let base = if sizes.erased == 0 { FlashPart::ZERO_ERASED } else { FlashPart::NOR };
    // A segment is whole erase blocks, so it does for one where the part is not known.
    let part = base.with_units(sizes.unit as usize, known.block.unwrap_or(sizes.segment) as usize).thoroughly();
    let ram = memory.with_heads(picture.heads.map_or(HEADS, usize::from).max(1));
    let anchor = Anchor { root, counter: ReadCounter(known.counter) };
    let mut store = match Store::<_, S, _>::danger_mount_rolled_back(flash, part, anchor, ram) {
        Ok(store) => store,
        Err(error) => return Some(Finding::of_refusal(&error)),
    };
    store.make_read_only();
    picture.view = if S::ID == Plain::ID { View::Checksummed } else { View::Verified };
    picture.store_id = Some(*store.identity());
    picture.heads = u16::try_from(store.head_count()).ok();
    if S::ID == Plain::ID && known.expects_sealed {
        let sentence = "a root key was given, but this store is of suite plain: nothing in it is protected";
        picture.findings.push(Finding::new(Class::NotSealed, sentence));
    }
    let (report, segments) = (*store.report(), store.layout().segments);
    picture.newest = Some(report.newest % segments);
    picture.oldest = Some(report.oldest % segments);
    picture.keys = store.stats().ok().map(|stats| stats.keys);
    tell_counter(picture, &mut store, known.counter);
    picture.decisions = decisions(&store);
    look_at_volumes(picture, &mut store, part, known.whole);
    if known.sizes.is_none() {
        picture.decisions.push(format!(
            "That the flash has {} was concluded from the image: if it has more or fewer, much looks damaged that is not; \
             --size says it.",
            counted(segments, "segment")
        ));
    }
    picture.findings.extend(of_report(&report, |at| place(at, segments)));
    for physical in 0..segments {
        let mut segment =
            Segment { physical, state: SegmentState::Unknown, sequence: None, erases: None, parts: Vec::new() };
        let mut sights = Vec::new();
        let view = store.look(physical, &mut |sight| sights.push(owned(sight)));
        let broken = view.as_ref().map_or(0, |view| view.signposts_broken);
        if let Ok(view) = view {
            fill(&mut segment, view, sights, bytes, sizes);
        }
        picture.findings.extend(of_segment(physical, segment.state, broken));
        picture.segments.push(segment);
    }
    None
}

/// Which volumes there are, and how the blocks of the one for objects are used.
fn look_at_volumes<S: Suite>(
    picture: &mut Picture,
    store: &mut Store<'_, ImageFlash<'_>, S, ReadCounter>,
    part: FlashPart,
    whole: Option<Whole<'_>>,
) {
    // What damage hides is in the findings of the log.
    let Ok(kept) = store.volume_table() else { return };
    let capacity = whole.map_or_else(|| kept.iter().flat_map(ends).max().unwrap_or(0), |whole| whole.capacity);
    picture.volumes = kept.map(|table| Volumes { table, capacity });
    let Some((whole, table)) = whole.and_then(|whole| Some((whole, kept.or(whole.table)?))) else { return };
    let mut found = |class, sentence: String| picture.findings.push(Finding::new(class, sentence));
    let (there, wanted) = (whole.bytes.len(), whole.capacity as usize);
    if table.volumes().len() > 1 && there != wanted {
        let class = if there < wanted { Class::Truncated } else { Class::Extended };
        found(class, format!("the flash has {}, not {wanted}", counted(there as u64, "byte")));
    }
    if let Some(volume) = table.find(VolumeKind::Objects, 0).filter(|volume| volume.part == 0) {
        let (start, end) = ((volume.start as usize).min(there), (volume.end() as usize).min(there));
        look_at_objects(picture, store, part, whole.bytes.get(start..end).unwrap_or_default(), volume.length as usize);
    }
}

fn ends(table: &VolumeTable) -> impl Iterator<Item = u32> + '_ {
    table.volumes().iter().filter(|volume| volume.part == 0).map(VolumeEntry::end)
}

/// How the blocks for objects are used.
fn look_at_objects<S: Suite>(
    picture: &mut Picture,
    store: &mut Store<'_, ImageFlash<'_>, S, ReadCounter>,
    part: FlashPart,
    bytes: &[u8],
    capacity: usize,
) {
    let mut found = |class, sentence: String| picture.findings.push(Finding::new(class, sentence));
    let mut slot = [0; SLOT];
    let mut objects = match Objects::open(ImageFlash::new(bytes, capacity), part, store, &mut slot) {
        Ok(objects) => objects,
        Err(_) => {
            return found(Class::ForeignVolume, "the volume for objects holds what is not this device's".to_owned());
        }
    };
    let mut blocks = Vec::new();
    // What damage hides is in the findings of the log.
    if objects.census(store, |_, block| blocks.push(block)).is_ok() {
        picture.objects = Some(Usage { layout: *objects.layout(), blocks });
    }
}

/// What binds the store, and what the counter says of it.
fn tell_counter<S: Suite>(
    picture: &mut Picture,
    store: &mut Store<'_, ImageFlash<'_>, S, ReadCounter>,
    counter: Option<u32>,
) {
    picture.bound = store.binding();
    picture.every_commit = store.protection() == Protection::EveryCommit;
    picture.accepted = store.rollbacks_accepted().ok();
    let (bound, rolled_back) = (picture.bound, store.report().rolled_back);
    picture.standing = counter.map(|counter| Standing { bound, counter, rolled_back });
    // Without a counter nothing is said of the age, only of what was accepted.
    let ageless = Standing { bound, counter: bound.map_or(0, |bound| bound.value), rolled_back: false };
    picture.findings.extend(of_counter(&picture.standing.unwrap_or(ageless), picture.accepted));
}

/// A sight that outlives the look.
enum Seen {
    Record { part: Part, undone: u32 },
    Damaged(Position),
}

fn owned(sight: Sight<'_>) -> Seen {
    match sight {
        Sight::Record(view) => Seen::Record {
            part: Part {
                offset: view.at.offset,
                length: view.length,
                kind: kind_of(&view),
                record: Some(Record::of(&view)),
            },
            undone: view.undone,
        },
        Sight::Damaged(at) => Seen::Damaged(at),
    }
}

fn fill(segment: &mut Segment, view: SegmentView, sights: Vec<Seen>, bytes: &[u8], sizes: Sizes) {
    (segment.state, segment.sequence, segment.erases) = (view.state, view.sequence, view.erases);
    let written = written_end(segment.physical, bytes, sizes);
    let headed = matches!(view.state, SegmentState::Log | SegmentState::Freed | SegmentState::Begun);
    if headed {
        segment.add(Part { offset: 0, length: view.header_bytes, kind: PartKind::Header, record: None });
    } else if view.state == SegmentState::HeaderLost {
        segment.add(Part { offset: 0, length: view.header_bytes, kind: PartKind::Damaged, record: None });
    }
    let mut damaged = None;
    for seen in sights {
        match seen {
            Seen::Damaged(at) => damaged = damaged.or(Some(at.offset)),
            Seen::Record { part, undone } => {
                close_gap(segment, part.offset, damaged.take());
                segment.take_back(undone);
                segment.add(part);
            }
        }
    }
    let end = if damaged.is_some() { view.end.max(segment.end()) } else { segment.end() };
    close_gap(segment, end, damaged);
    let rest = written.saturating_sub(segment.end());
    if rest > 0 {
        let kind = match view.state {
            SegmentState::Log | SegmentState::HeaderLost => PartKind::Hole,
            SegmentState::Freed => PartKind::Dead,
            _ => PartKind::Unknown,
        };
        segment.add(Part { offset: segment.end(), length: rest, kind, record: None });
    }
}

/// What lies between the last part and `to` is damaged, if something was found so, else a hole.
fn close_gap(segment: &mut Segment, to: u32, damaged: Option<u32>) {
    let from = segment.end();
    if to > from {
        let kind = if damaged.is_some() { PartKind::Damaged } else { PartKind::Hole };
        segment.add(Part { offset: from, length: to - from, kind, record: None });
    }
}

/// Bytes of a segment up to the last one that is not blank.
fn written_end(physical: u32, bytes: &[u8], sizes: Sizes) -> u32 {
    let from = physical as usize * sizes.segment as usize;
    let to = (from + sizes.segment as usize).min(bytes.len());
    let cells = bytes.get(from..to).unwrap_or_default();
    let last = cells.iter().rposition(|byte| *byte != sizes.erased).map_or(0, |last| last + 1);
    u32::try_from(last).unwrap_or(sizes.segment).next_multiple_of(sizes.unit).min(sizes.segment)
}

fn place(at: Position, segments: u32) -> String {
    format!("segment {}, byte {}", at.sequence % segments.max(1), at.offset)
}

/// What the mount decided, and why.
fn decisions<S: Suite>(store: &Store<'_, ImageFlash<'_>, S, ReadCounter>) -> Vec<String> {
    let (report, layout) = (store.report(), store.layout());
    let segment = |sequence: u32| format!("segment {} (sequence {sequence})", sequence % layout.segments);
    let mut lines = vec![
        format!(
            "The log ends in {}: no authentic header has a higher number and a record behind it.",
            segment(report.newest)
        ),
        format!("It begins in {}: the newest header or mark says so.", segment(report.oldest)),
        format!("{} of it read well; what they lead to is what is stored.", counted(report.records, "record")),
    ];
    lines.push(if report.clean {
        "It was closed in order: the last record is a closing mark, and nothing is written behind it.".to_owned()
    } else {
        "It was not closed in order: the last record may be marginal, and counts once it is written again.".to_owned()
    });
    if let Some(at) = report.doubt {
        lines.push(format!(
            "In doubt is all that was last written before {}: the digest of the heads does not say that nothing is lost there.",
            place(at, layout.segments)
        ));
    } else if report.damaged_records + report.damaged_headers > 0 {
        lines.push(
            "The damage hides nothing: the digest of the heads, written later, fits all that was found.".to_owned(),
        );
    }
    if let Some(resume) = store.pending_resume() {
        let what = if resume.copies_last { "the last record again" } else { "an opening mark" };
        let why = if resume.hole_start.offset < resume.place.offset {
            "a cell further on than a cut write can have reached"
        } else {
            "right behind the last record"
        };
        lines.push(format!("The first write will be {what}, at {}: {why}.", place(resume.place, layout.segments)));
    }
    lines
}

/// Fills the picture from what stands in the clear.
fn show_clear(picture: &mut Picture, bytes: &[u8], sizes: Sizes, suite: Option<u8>) {
    for physical in 0..u32::try_from(sizes.capacity / sizes.segment as usize).unwrap_or(0) {
        let from = physical as usize * sizes.segment as usize;
        let cells = bytes.get(from..(from + sizes.segment as usize).min(bytes.len())).unwrap_or_default();
        let mut segment =
            Segment { physical, state: SegmentState::Blank, sequence: None, erases: None, parts: Vec::new() };
        let written = written_end(physical, bytes, sizes);
        match ClearHeader::parse(cells).filter(|header| Some(header.suite) == suite) {
            Some(header) => show_clear_records(&mut segment, &header, cells),
            None if written > 0 => segment.state = SegmentState::Unknown,
            None => {}
        }
        if written > segment.end() {
            let rest = written - segment.end();
            segment.add(Part { offset: segment.end(), length: rest, kind: PartKind::Unknown, record: None });
        }
        picture.segments.push(segment);
    }
    let newest = picture.segments.iter().filter_map(|segment| segment.sequence.map(|at| (at, segment.physical))).max();
    picture.newest = newest.map(|(_, physical)| physical);
    if newest.is_some() {
        picture.view = View::Clear;
    }
}

fn show_clear_records(segment: &mut Segment, header: &ClearHeader, cells: &[u8]) {
    (segment.state, segment.sequence, segment.erases) = (SegmentState::Log, Some(header.sequence), Some(header.erases));
    let Some(length) = header.length() else { return };
    segment.add(Part { offset: 0, length, kind: PartKind::Header, record: None });
    let mut at = length;
    while let Some(record) =
        cells.get(at as usize..).and_then(|bytes| ClearRecord::parse(bytes, header.suite, header.unit))
    {
        if at as usize + record.length as usize > cells.len() {
            return;
        }
        let known = Record {
            kind: record.kind,
            name: None,
            client: 0,
            value_bytes: record.value_bytes,
            in_run: !record.first || record.more,
            resumes: record.resumes,
            counter: None,
        };
        segment.add(Part { offset: at, length: record.length, kind: PartKind::Unverified, record: Some(known) });
        at += record.length;
    }
}
