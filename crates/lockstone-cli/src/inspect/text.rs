//! A picture in words and signs, for the terminal.

use core::fmt::Write as _;

use lockstone::inspect::{RecordKind, SegmentState};
use lockstone::{BlockUse, VolumeKind};

use super::picture::{PartKind, Picture, Segment, View, Volumes};
use crate::device::Usage;
use crate::standing::Verdict;
use crate::terminal::{counted, escaped};
use crate::volumes::{kind_name, stretches};

/// Signs of the map in a row.
const ROW: usize = 64;

/// The page that `inspect` prints.
pub(crate) fn page(picture: &Picture, long: bool, records: bool) -> String {
    let mut text = facts(picture);
    paragraph(&mut text, picture.decisions.iter().map(|line| format!("{line}\n")));
    paragraph(&mut text, picture.findings.iter().map(crate::findings::Finding::as_text));
    if !picture.segments.is_empty() {
        text.push('\n');
        text.push_str(&map(picture));
    }
    if let Some(volumes) = &picture.volumes {
        text.push('\n');
        text.push_str(&volumes_strip(volumes));
    }
    if let Some(objects) = &picture.objects {
        text.push('\n');
        text.push_str(&strip(objects));
    }
    if long {
        text.push('\n');
        text.push_str(&table(picture));
    }
    if records {
        text.push('\n');
        text.push_str(&list(picture));
    }
    text
}

fn paragraph(text: &mut String, lines: impl Iterator<Item = String>) {
    let lines: String = lines.collect();
    if !lines.is_empty() {
        text.push('\n');
        text.push_str(&lines);
    }
}

fn facts(picture: &Picture) -> String {
    let mut text =
        format!("image    {}, {}\n", escaped(picture.title.as_bytes()), counted(picture.bytes as u64, "byte"));
    let view = match picture.view {
        View::Checksummed => "every record shown fits its checksum; suite plain is no protection against forgery",
        View::Verified => "every record shown was verified with the root key",
        View::Clear => "NOT VERIFIED: what stands in the clear; anybody could have written it",
        View::Nothing => "nothing of a store was found",
    };
    let _ = writeln!(text, "view     {view}");
    let names = (picture.suite, picture.store_id_text(), picture.heads);
    if let ((Some(suite), Some(id), Some(heads)), true) = (names, picture.view != View::Nothing) {
        let _ = writeln!(text, "store    {id}, suite {suite}, {}", counted(heads, "head"));
    }
    if picture.segment_bytes > 0 {
        let segments = counted(picture.segments.len() as u64, "segment");
        let (bytes, unit, erased) = (picture.segment_bytes, picture.unit, picture.erased);
        let _ = writeln!(text, "flash    {segments} of {bytes} bytes, unit {unit}, erased {erased:02x}");
    }
    if let Some(keys) = picture.keys.filter(|_| picture.is_sound()) {
        let _ = writeln!(text, "keys     {keys}, of all clients");
    }
    if let Some(line) = counter(picture) {
        let _ = writeln!(text, "counter  {line}");
    }
    if picture.view == View::Clear {
        let _ = writeln!(
            text,
            "bytes    {} in what looks like records",
            picture.total(|kind| kind == PartKind::Unverified)
        );
    } else if !picture.segments.is_empty() {
        let live = picture.total(PartKind::is_live);
        let dead = picture.total(|kind| kind == PartKind::Dead);
        let holes = picture.total(|kind| kind == PartKind::Hole);
        let damaged = picture.total(|kind| kind == PartKind::Damaged);
        let doubtful = picture.total(|kind| kind == PartKind::InDoubt);
        let doubtful = if doubtful > 0 { format!(", {doubtful} in doubt") } else { String::new() };
        let _ = writeln!(text, "bytes    {live} live, {dead} dead, {holes} in holes, {damaged} damaged{doubtful}");
    }
    if let Some((least, most)) = picture.erases() {
        let _ = writeln!(text, "erases   {least} to {most} a segment");
    }
    if let Some(volumes) = &picture.volumes {
        let names = stretches(&volumes.table, volumes.capacity).into_iter().map(|(volume, _, length)| {
            let name =
                volume.map_or("free".to_owned(), |volume| format!("{} {}", kind_name(volume.kind), volume.number));
            format!("{name}: {length}")
        });
        let _ = writeln!(text, "volumes  {}", names.collect::<Vec<_>>().join(", "));
    }
    if let Some(objects) = &picture.objects {
        let _ = writeln!(text, "objects  {}", objects.as_text());
    }
    text
}

/// The whole flash in a row: a letter for each stretch of it.
fn volumes_strip(volumes: &Volumes) -> String {
    let sign = |at: u64| {
        let volume = volumes
            .table
            .volumes()
            .iter()
            .find(|volume| volume.part == 0 && (u64::from(volume.start)..u64::from(volume.end())).contains(&at));
        match volume.map(|volume| volume.kind) {
            Some(VolumeKind::Keys) => 'k',
            Some(VolumeKind::Objects) => 'o',
            Some(VolumeKind::Slot) => 's',
            Some(VolumeKind::Spare) => 'x',
            None => '.',
        }
    };
    let signs: String = (0..ROW as u64).map(|column| sign(column * u64::from(volumes.capacity) / ROW as u64)).collect();
    format!("volumes  {signs}\n         the whole flash   k keys   o objects   s slots for code   x spare   . free\n")
}

/// What the counter says, what the flash is bound to, and what follows.
fn counter(picture: &Picture) -> Option<String> {
    let bound = picture.bound.map(|bound| {
        let what = if bound.is_intent { "an intent" } else { "a counted commit" };
        let every = if picture.every_commit { ", as every commit is" } else { "" };
        format!("the flash is bound to it at {} by {what}{every}", bound.value)
    });
    match (&picture.standing, bound) {
        (None, None) => None,
        (None, Some(bound)) => Some(format!("not here; {bound}: whether it is the newest can't be told")),
        (Some(standing), bound) => {
            let bound = bound.unwrap_or("nothing on the flash is bound to it".to_owned());
            let verdict = match standing.verdict() {
                Verdict::Unbound => String::new(),
                _ => format!(": {}", standing.name()),
            };
            Some(format!("trusted/counter says {}; {bound}{verdict}", standing.counter))
        }
    }
}

/// A sign a segment.
fn map(picture: &Picture) -> String {
    let mut text = String::new();
    for (row, segments) in picture.segments.chunks(ROW).enumerate() {
        let signs: String = segments.iter().map(|segment| sign(picture, segment)).collect();
        let _ = writeln!(text, "{:>7}  {signs}", row * ROW);
    }
    text.push_str(
        "         > newest   0-9 live share in tenths   d in doubt   o log, unverified\n         . blank    - freed   ! damaged   x retired   ? unknown\n",
    );
    text
}

fn sign(picture: &Picture, segment: &Segment) -> char {
    match segment.state {
        _ if segment.is_damaged() => '!',
        _ if picture.newest == Some(segment.physical) => '>',
        SegmentState::Blank => '.',
        SegmentState::Freed | SegmentState::Begun => '-',
        SegmentState::Retired => 'x',
        SegmentState::Log if segment.bytes(|kind| kind == PartKind::InDoubt) > 0 => 'd',
        SegmentState::Log if picture.view != View::Clear => {
            let tenths = segment.bytes(PartKind::is_live) * 10 / picture.segment_bytes.max(1);
            char::from_digit(tenths.min(9), 10).unwrap_or('9')
        }
        SegmentState::Log => 'o',
        _ => '?',
    }
}

/// The volume for objects in a row: a sign for each stretch of it.
fn strip(objects: &Usage) -> String {
    let stretch = objects.blocks.len().div_ceil(ROW).max(1);
    let sign = |blocks: &[BlockUse]| {
        let has = |which| blocks.contains(&which);
        let used = blocks.iter().filter(|block| **block == BlockUse::Committed).count();
        match u32::try_from(used * 10 / blocks.len().max(1)).unwrap_or(9) {
            _ if has(BlockUse::Unreadable) => '!',
            0 if used == 0 && has(BlockUse::Unfinished) => 'u',
            0 if used == 0 => '.',
            tenths => char::from_digit(tenths.min(9), 10).unwrap_or('9'),
        }
    };
    let signs: String = objects.blocks.chunks(stretch).map(sign).collect();
    let blocks = counted(stretch as u64, "block");
    format!(
        "objects  {signs}\n         {blocks} a sign   0-9 share of objects in tenths   u unfinished   . free   ! unreadable\n"
    )
}

/// A line a segment that holds something.
fn table(picture: &Picture) -> String {
    let mut text =
        " segment  sequence  erases  state        records    live  live bytes    dead   holes    free\n".to_owned();
    let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
    for segment in picture.segments.iter().filter(|segment| segment.state != SegmentState::Blank) {
        let _ = writeln!(
            text,
            "{:>8}  {:>8}  {:>6}  {:<11}  {:>7}  {:>6}  {:>10}  {:>6}  {:>6}  {:>6}",
            segment.physical,
            number(segment.sequence),
            number(segment.erases),
            segment.state.name(),
            segment.records(|_| true),
            segment.records(PartKind::is_live),
            segment.bytes(PartKind::is_live),
            segment.bytes(|kind| kind == PartKind::Dead),
            segment.bytes(|kind| kind == PartKind::Hole),
            picture.segment_bytes.saturating_sub(segment.end()),
        );
    }
    text
}

/// A line a record, oldest first.
fn list(picture: &Picture) -> String {
    let mut text = " segment    byte  length  what        state       value  flags  name\n".to_owned();
    let mut segments: Vec<&Segment> = picture.segments.iter().filter(|segment| !segment.parts.is_empty()).collect();
    segments.sort_by_key(|segment| segment.sequence);
    for segment in segments {
        for part in &segment.parts {
            let (place, offset, length) = (segment.physical, part.offset, part.length);
            let Some(record) = &part.record else {
                let _ = writeln!(text, "{place:>8}  {offset:>6}  {length:>6}  {}", part.kind.name());
                continue;
            };
            let state = match part.kind {
                kind if kind.is_live() => "live",
                PartKind::Mark => "-",
                kind => kind.name(),
            };
            let flags = format!("{}{}", if record.in_run { 'r' } else { '-' }, if record.resumes { 'h' } else { '-' });
            let value = match record.kind {
                RecordKind::Entry | RecordKind::Chunk => record.value_bytes.to_string(),
                _ => "-".to_owned(),
            };
            let stated = record.counter.map(|counter| format!("counter {counter}"));
            let name = record.name.as_deref().map(escaped).or(stated).unwrap_or_default();
            let own = record.client == 0 || record.name.is_none();
            let client = if own { String::new() } else { format!(" (client {})", record.client) };
            let line = format!(
                "{place:>8}  {offset:>6}  {length:>6}  {:<10}  {state:<10}  {value:>5}  {flags:<5}  {name}{client}",
                record.kind.name()
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text.push_str("Flags: r one of a run of several, h closes a hole.\n");
    text
}
