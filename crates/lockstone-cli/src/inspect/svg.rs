//! A picture as SVG: one bar a segment, from its first byte to its last, and its wear beside it.
//!
//! Plain shapes and text, no script, no outside resource: it prints, and it opens anywhere.

use core::fmt::Write as _;

use lockstone::inspect::SegmentState;
use lockstone::{BlockUse, VolumeKind};

use super::picture::{PartKind, Picture, Segment, View, Volumes};
use crate::terminal::{counted, escaped};
use crate::volumes::kind_name;

const WIDTH: f64 = 1120.0;
const MARGIN: f64 = 32.0;
const ROW: f64 = 17.0;
const BAR: f64 = 12.0;
const TOP: f64 = 172.0;
const LABEL: f64 = 38.0;
const WEAR: f64 = 46.0;
const GAP: f64 = 18.0;
/// Of the bar of objects, with its label.
const STRIP: f64 = 56.0;
/// More segments than this are drawn as cells.
const BARS_MAX: usize = 640;
const CELLS: usize = 96;
const CELL: f64 = 11.0;
/// Narrower stretches would not be seen.
const THINNEST: f64 = 0.6;

const STYLE: &str = "<style>text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#24303a}\
.t{font:600 20px system-ui,sans-serif}.s{font:13px system-ui,sans-serif}.q{fill:#7a8792}.w{fill:#b3261e;font-weight:600}</style>\n";

const fn colour(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Header => "#24303a",
        PartKind::Entry => "#1b7f5c",
        PartKind::Chunk => "#63b596",
        PartKind::Tombstone => "#c58a1a",
        PartKind::Mark => "#5a78b8",
        PartKind::Dead => "#b4bbc2",
        PartKind::Unverified => "#8fa3c7",
        PartKind::Hole => "#f0d878",
        PartKind::InDoubt => "#d9b8dd",
        PartKind::Damaged => "#d0342c",
        PartKind::Unknown => "#a874b8",
    }
}

/// The whole document. A part of very many segments is drawn as a grid: a cell a segment.
pub(crate) fn draw(picture: &Picture) -> String {
    if picture.segments.len() > BARS_MAX {
        return grid(picture);
    }
    let columns = columns(picture.segments.len());
    let rows = picture.segments.len().div_ceil(columns);
    let height = TOP + number(rows) * ROW + MARGIN + 14.0;
    let mut svg = document(height + strip_height(picture));
    head(&mut svg, picture);
    totals(&mut svg, picture);
    legend(&mut svg, picture);
    let most = picture.erases().map_or(1, |(_, most)| most.max(1));
    let width = (WIDTH - 2.0 * MARGIN + GAP) / number(columns);
    for (index, segment) in picture.segments.iter().enumerate() {
        let (column, row) = (index / rows, index % rows);
        let x = MARGIN + number(column) * width;
        let y = TOP + number(row) * ROW;
        bar(&mut svg, picture, segment, most, (x, y, width - GAP));
    }
    let _ = writeln!(
        svg,
        "<text class=\"q\" x=\"{MARGIN}\" y=\"{}\">one bar a segment, left its number, right its erases; \u{25b6} the log ends, \
         \u{25b7} it begins</text>",
        height - 14.0
    );
    strip(&mut svg, picture, height);
    svg.push_str("</svg>\n");
    svg
}

fn grid(picture: &Picture) -> String {
    let rows = picture.segments.len().div_ceil(CELLS);
    let height = TOP + number(rows) * CELL + MARGIN + 14.0;
    let mut svg = document(height + strip_height(picture));
    head(&mut svg, picture);
    totals(&mut svg, picture);
    legend(&mut svg, picture);
    for (index, segment) in picture.segments.iter().enumerate() {
        let (x, y) = (MARGIN + number(index % CELLS) * CELL, TOP + number(index / CELLS) * CELL);
        let live = f64::from(segment.bytes(PartKind::is_live)) / f64::from(picture.segment_bytes.max(1));
        let has = |kind| segment.bytes(|other| other == kind) > 0;
        let (fill, opacity) = match segment.state {
            _ if segment.is_damaged() => (colour(PartKind::Damaged), 1.0),
            SegmentState::Retired => ("#4b4b4b", 1.0),
            _ if has(PartKind::InDoubt) => (colour(PartKind::InDoubt), 1.0),
            SegmentState::Log if has(PartKind::Unverified) => (colour(PartKind::Unverified), 1.0),
            SegmentState::Log => (colour(PartKind::Entry), 0.12 + 0.88 * live),
            SegmentState::Blank => ("#f3f5f6", 1.0),
            SegmentState::Unknown => (colour(PartKind::Unknown), 1.0),
            _ => (colour(PartKind::Dead), 0.6),
        };
        let edge = if Some(segment.physical) == picture.newest { " stroke=\"#000\" stroke-width=\"2\"" } else { "" };
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{0:.1}\" height=\"{0:.1}\" fill=\"{fill}\" \
             fill-opacity=\"{opacity:.2}\"{edge}><title>{1}</title></rect>",
            CELL - 1.5,
            xml(&caption(segment))
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"q\" x=\"{MARGIN}\" y=\"{}\">one cell a segment, {CELLS} a row; the greener, the more of it is live; \
         framed: the log ends there</text>",
        height - 14.0
    );
    strip(&mut svg, picture, height);
    svg.push_str("</svg>\n");
    svg
}

/// Room for the volumes, and that for objects, below the segments.
const fn strip_height(picture: &Picture) -> f64 {
    let volumes = if picture.volumes.is_some() { STRIP } else { 0.0 };
    if picture.objects.is_some() { volumes + STRIP } else { volumes }
}

/// The volumes of the flash as one bar, and the one for objects as another.
fn strip(svg: &mut String, picture: &Picture, top: f64) {
    let below = match &picture.volumes {
        Some(volumes) => {
            volumes_bar(svg, volumes, top);
            top + STRIP
        }
        None => top,
    };
    objects_bar(svg, picture, below);
}

/// The flash from its first byte to its last: a colour a kind of volume.
fn volumes_bar(svg: &mut String, volumes: &Volumes, top: f64) {
    let (whole, width) = (f64::from(volumes.capacity.max(1)), WIDTH - 2.0 * MARGIN);
    let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{}\">volumes of the flash</text>", top + 10.0);
    let _ = writeln!(
        svg,
        "<rect x=\"{MARGIN}\" y=\"{}\" width=\"{width}\" height=\"18\" fill=\"#f3f5f6\" stroke=\"#c9ced3\"/>",
        top + 20.0
    );
    for volume in volumes.table.volumes().iter().filter(|volume| volume.part == 0) {
        let (x, length) = (MARGIN + f64::from(volume.start) / whole * width, f64::from(volume.length) / whole * width);
        let fill = match volume.kind {
            VolumeKind::Keys => "#cfe6dc",
            VolumeKind::Objects => "#c9d6ee",
            VolumeKind::Slot => "#f3dcae",
            VolumeKind::Spare => "#dde1e4",
        };
        let name = format!("{} {}, {}", kind_name(volume.kind), volume.number, size(volume.length.into()));
        let _ = writeln!(svg, "<g><title>{name}</title>");
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{}\" width=\"{:.1}\" height=\"18\" fill=\"{fill}\" stroke=\"#c9ced3\"/>",
            top + 20.0,
            length.max(THINNEST)
        );
        // A name that would not fit is in the title.
        if length > 6.7 * number(name.len()) + 8.0 {
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{name}</text>", x + 4.0, top + 33.0);
        }
        svg.push_str("</g>\n");
    }
}

/// The volume for objects as one bar, from its first block to its last.
fn objects_bar(svg: &mut String, picture: &Picture, top: f64) {
    let Some(objects) = &picture.objects else { return };
    let (whole, width) = (number(objects.blocks.len().max(1)), WIDTH - 2.0 * MARGIN);
    let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{}\">objects: {}</text>", top + 10.0, objects.as_text());
    let _ = writeln!(
        svg,
        "<rect x=\"{MARGIN}\" y=\"{}\" width=\"{width}\" height=\"18\" fill=\"#f3f5f6\" stroke=\"#c9ced3\"/>",
        top + 20.0
    );
    let mut first = 0;
    for run in objects.blocks.chunk_by(PartialEq::eq) {
        let colour = match run.first() {
            Some(BlockUse::Committed) => Some(colour(PartKind::Entry)),
            Some(BlockUse::Unfinished) => Some(colour(PartKind::Hole)),
            Some(BlockUse::Stale) => Some(colour(PartKind::Dead)),
            Some(BlockUse::Unreadable) => Some(colour(PartKind::Damaged)),
            _ => None,
        };
        let (from, length) = (number(first) / whole * width, number(run.len()) / whole * width);
        if let Some(colour) = colour {
            rectangle(svg, (MARGIN + from, top + 20.0, length.max(THINNEST), 18.0), colour);
        }
        first += run.len();
    }
}

fn document(height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\">\n\
         {STYLE}<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    )
}

/// Counts of segments and bytes are far below 2^52.
#[expect(clippy::cast_precision_loss)]
const fn number(count: usize) -> f64 {
    count as f64
}

const fn columns(segments: usize) -> usize {
    match segments {
        0..=20 => 1,
        21..=80 => 2,
        81..=320 => 4,
        _ => 8,
    }
}

fn head(svg: &mut String, picture: &Picture) {
    let title = xml(&picture.title);
    let _ = writeln!(svg, "<text class=\"t\" x=\"{MARGIN}\" y=\"40\">Lockstone · {title}</text>");
    let mut facts = vec![counted(picture.bytes as u64, "byte")];
    if picture.segment_bytes > 0 {
        facts.push(format!("{} of {}", counted(picture.segments.len() as u64, "segment"), picture.segment_bytes));
        facts.push(format!("unit {}", picture.unit));
    }
    facts.extend(picture.suite.map(|suite| format!("suite {suite}")));
    facts.extend(picture.keys.filter(|_| picture.is_sound()).map(|keys| counted(keys, "key")));
    facts.extend(picture.erases().map(|(least, most)| format!("{least} to {most} erases")));
    let _ = writeln!(svg, "<text class=\"s\" x=\"{MARGIN}\" y=\"62\">{}</text>", facts.join(" · "));
    let (class, verdict) = match picture.view {
        View::Checksummed if picture.is_sound() => {
            ("s", "all checksums fit; suite plain is no protection against forgery".to_owned())
        }
        View::Verified if picture.is_sound() => ("s", "verified with the root key; nothing is damaged".to_owned()),
        View::Verified | View::Checksummed => ("s w", "DAMAGED: see the findings of `lockstone inspect`".to_owned()),
        View::Clear => ("s w", "NOT VERIFIED: what stands in the clear".to_owned()),
        View::Nothing => ("s w", "nothing of a store was found".to_owned()),
    };
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{MARGIN}\" y=\"82\">{verdict}</text>");
}

/// One bar for the whole part.
fn totals(svg: &mut String, picture: &Picture) {
    let whole = number(picture.segments.len()) * f64::from(picture.segment_bytes);
    let width = WIDTH - 2.0 * MARGIN;
    let _ = writeln!(
        svg,
        "<rect x=\"{MARGIN}\" y=\"96\" width=\"{width}\" height=\"18\" fill=\"#f3f5f6\" stroke=\"#c9ced3\"/>"
    );
    let mut x = MARGIN;
    for kind in PartKind::ALL {
        let bytes = picture.segments.iter().map(|segment| f64::from(segment.bytes(|other| other == kind))).sum::<f64>();
        if bytes > 0.0 && whole > 0.0 {
            let length = bytes / whole * width;
            rectangle(svg, (x, 96.0, length, 18.0), colour(kind));
            x += length;
        }
    }
}

fn legend(svg: &mut String, picture: &Picture) {
    let mut x = MARGIN;
    for kind in PartKind::ALL {
        let bytes = picture.total(|other| other == kind);
        if bytes == 0 {
            continue;
        }
        rectangle(svg, (x, 128.0, 11.0, 11.0), colour(kind));
        let label = format!("{} {}", kind.name(), size(bytes));
        let _ = writeln!(svg, "<text x=\"{}\" y=\"138\">{label}</text>", x + 16.0);
        x += 16.0 + 6.7 * number(label.len()) + 18.0;
    }
    let whole = picture.segments.len() as u64 * u64::from(picture.segment_bytes);
    let blank = whole.saturating_sub(picture.total(|_| true));
    let _ = writeln!(svg, "<rect x=\"{x}\" y=\"128\" width=\"11\" height=\"11\" fill=\"#f3f5f6\" stroke=\"#c9ced3\"/>");
    let _ = writeln!(svg, "<text x=\"{}\" y=\"138\">never written {}</text>", x + 16.0, size(blank));
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / (1024 * 1024)),
    }
}

fn bar(svg: &mut String, picture: &Picture, segment: &Segment, most: u32, (x, y, width): (f64, f64, f64)) {
    let (from, length) = (x + LABEL, width - LABEL - WEAR);
    let sign = match Some(segment.physical) {
        physical if physical == picture.newest => "\u{25b6}",
        physical if physical == picture.oldest => "\u{25b7}",
        _ => "",
    };
    let class = if segment.is_damaged() { " class=\"w\"" } else { "" };
    let _ = writeln!(
        svg,
        "<text{class} x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{sign}{}</text>",
        from - 6.0,
        y + 10.0,
        segment.physical
    );
    let _ = writeln!(svg, "<g><title>{}</title>", xml(&caption(segment)));
    let (fill, stroke) = match segment.state {
        SegmentState::Retired => ("#4b4b4b", "#4b4b4b"),
        SegmentState::HeaderLost | SegmentState::Misplaced => ("#fbe4e2", "#d0342c"),
        _ => ("#f3f5f6", "#dde1e4"),
    };
    let _ = writeln!(
        svg,
        "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{fill}\" stroke=\"{stroke}\"/>"
    );
    let scale = length / f64::from(picture.segment_bytes.max(1));
    let mut parts = segment.parts.iter().peekable();
    while let Some(part) = parts.next() {
        let mut end = part.offset + part.length;
        while let Some(next) = parts.next_if(|next| next.kind == part.kind && next.offset == end) {
            end += next.length;
        }
        let stretch = f64::from(end - part.offset) * scale;
        rectangle(svg, (from + f64::from(part.offset) * scale, y, stretch.max(THINNEST), BAR), colour(part.kind));
    }
    svg.push_str("</g>\n");
    if let Some(erases) = segment.erases {
        let wear = f64::from(erases) / f64::from(most) * (WEAR - 26.0);
        rectangle(svg, (from + length + 5.0, y + 3.0, wear, BAR - 6.0), "#9aa5ae");
        let _ = writeln!(
            svg,
            "<text class=\"q\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{erases}</text>",
            x + width,
            y + 10.0
        );
    }
}

fn caption(segment: &Segment) -> String {
    let live = segment.records(PartKind::is_live);
    format!(
        "segment {}: {}, {live} live of {}",
        segment.physical,
        segment.state.name(),
        counted(segment.records(|_| true) as u64, "record")
    )
}

fn rectangle(svg: &mut String, (x, y, width, height): (f64, f64, f64, f64), fill: &str) {
    let _ =
        writeln!(svg, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>");
}

fn xml(text: &str) -> String {
    escaped(text.as_bytes()).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
