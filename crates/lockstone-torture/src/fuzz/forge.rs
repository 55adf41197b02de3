//! A forge: genuine images taken apart, changed and sealed again with the right key.
//!
//! It follows docs/spec/format.md and shares no code with the store but the suites: a piece is a header or a record, with
//! the part that stands in the clear, and the text that its tag covers. Whoever has the key (or whoever writes to a store
//! of suite `plain`) can make such images; the store must survive them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::rc::Rc;

use lockstone::seal::{Domain, Keys, Suite};
use lockstone::{Layout, Position};

use super::bytes::Bytes;
use crate::world::root;

/// Bytes of a header in the clear.
const HEADER: usize = 80;
/// Where in it the digest is.
const DIGEST: std::ops::Range<usize> = 72..80;
/// Where in it the link is.
const LINK: std::ops::Range<usize> = 36..40;

/// A header or a record of a genuine image.
#[derive(Clone, Debug)]
struct Piece {
    /// Where it begins on the part.
    address: usize,
    at: Position,
    is_header: bool,
    /// The part before the tag, without a signpost.
    clear: Vec<u8>,
    /// The part behind it, not encrypted.
    text: Vec<u8>,
    tag: Vec<u8>,
}

/// A genuine image in pieces, in the order of the log.
#[derive(Clone, Debug)]
pub(super) struct Forge<S> {
    keys: Rc<Keys>,
    pieces: Vec<Piece>,
    suite: PhantomData<S>,
}

/// What is changed about an image.
#[derive(Debug, Default)]
pub(super) struct Changes {
    edits: Vec<Edit>,
    /// Later pieces follow: their links and pointers mean the changed ones.
    chained: bool,
    /// Headers have no digest of the heads.
    without_digest: bool,
}

#[derive(Debug)]
struct Edit {
    piece: usize,
    offset: usize,
    bytes: Vec<u8>,
}

impl Changes {
    /// Draws the way in which pieces are sealed again.
    pub(super) fn draw_way(&mut self, bytes: &mut Bytes<'_>) {
        let way = bytes.byte();
        self.chained |= way & 1 == 1;
        self.without_digest |= way & 2 == 2;
    }

    /// Draws a change of one piece.
    pub(super) fn draw_edit(&mut self, bytes: &mut Bytes<'_>) {
        let (piece, offset) = (bytes.word(), usize::from(bytes.byte()));
        let length = 1 + usize::from(bytes.byte() % 16);
        self.edits.push(Edit { piece, offset, bytes: bytes.take(length).to_vec() });
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }
}

impl<S: Suite> Forge<S> {
    /// Takes a genuine image apart. `None`: this is not the format that the forge knows.
    pub(super) fn open(layout: &Layout, image: &[u8]) -> Option<Self> {
        let header = |address: usize| image[address..].starts_with(b"LKS").then_some(address);
        let first = (0..image.len()).step_by(layout.segment as usize).find_map(header)?;
        let mut keys = Keys::none();
        S::unlock(&mut keys, &root(), image[first + 8..first + 16].try_into().ok()?).ok()?;
        let mut forge = Self { keys: Rc::new(keys), pieces: Vec::new(), suite: PhantomData };
        for start in (0..layout.segments * layout.segment).step_by(layout.segment as usize) {
            forge.open_segment(layout, image, start as usize);
        }
        forge.pieces.sort_by_key(|piece| piece.at);
        (forge.pieces.len() > 1).then_some(forge)
    }

    fn open_segment(&mut self, layout: &Layout, image: &[u8], start: usize) {
        let segment = &image[start..start + layout.segment as usize];
        let sequence = u32::from_le_bytes([segment[16], segment[17], segment[18], segment[19]]);
        let unit = layout.unit as usize;
        let mut offset = 0;
        while offset + HEADER < segment.len() {
            let piece = self.piece(segment, Position { sequence, offset: offset as u32 }, start + offset);
            let length = piece.as_ref().map_or(1, |piece| piece.tag_at() + S::TAG + piece.text.len());
            match piece {
                None if offset == 0 => return,
                piece => self.pieces.extend(piece),
            }
            offset += length.next_multiple_of(unit);
        }
    }

    fn piece(&self, segment: &[u8], at: Position, address: usize) -> Option<Piece> {
        let bytes = &segment[at.offset as usize..];
        let is_header = at.offset == 0;
        let (clear, behind) = if is_header { (HEADER, 0) } else { lengths::<S>(bytes) };
        let associated = bytes.get(..clear)?;
        let tag_at = clear + if is_header { 0 } else { signpost(associated) };
        let tag = bytes.get(tag_at..tag_at + S::TAG)?;
        let mut text = bytes.get(tag_at + S::TAG..tag_at + S::TAG + behind)?.to_vec();
        let genuine = S::unseal(&self.keys, domain(is_header, associated), at, associated, &mut text, tag);
        let (clear, tag) = (associated.to_vec(), tag.to_vec());
        genuine.then_some(Piece { address, at, is_header, clear, text, tag })
    }

    /// Writes changed pieces into the image.
    pub(super) fn apply(&self, changes: &Changes, image: &mut [u8]) {
        let mut pieces = self.pieces.clone();
        let mut changed = vec![false; pieces.len()];
        for edit in &changes.edits {
            let index = edit.piece % pieces.len();
            pieces[index].edit::<S>(edit);
            changed[index] = true;
        }
        let mut renamed = BTreeMap::new();
        for (piece, changed) in pieces.iter_mut().zip(&mut changed) {
            if changes.chained {
                *changed |= piece.rename::<S>(&renamed);
            }
            if changes.without_digest && piece.is_header {
                piece.clear[DIGEST].fill(0);
                *changed = true;
            }
            if *changed {
                let old = prefix(&piece.tag);
                self.seal(piece, image);
                renamed.insert(old, prefix(&piece.tag));
            }
        }
    }

    fn seal(&self, piece: &mut Piece, image: &mut [u8]) {
        let mut text = piece.text.clone();
        let tag = S::seal(&self.keys, domain(piece.is_header, &piece.clear), piece.at, &piece.clear, &mut text);
        piece.tag = tag[..S::TAG].to_vec();
        let mut signpost = vec![];
        if piece.tag_at() > piece.clear.len() {
            let covered: Vec<u8> = piece.clear.iter().chain(&piece.tag[..4]).copied().collect();
            let space = 1 << 63 | u64::from(piece.at.sequence) << 32 | u64::from(piece.at.offset);
            signpost.extend(&S::hash(&self.keys, space, &covered).to_le_bytes()[..4]);
        }
        let bytes = piece.clear.iter().chain(&signpost).chain(&piece.tag).chain(&text);
        image[piece.address..].iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }
}

impl Piece {
    /// Changes bytes of the clear part and of the text as if they were one. A record whose head says another length then
    /// gets that length.
    fn edit<S: Suite>(&mut self, edit: &Edit) {
        let offset = edit.offset % (self.clear.len() + self.text.len());
        let places = self.clear.iter_mut().chain(&mut self.text).skip(offset);
        places.zip(&edit.bytes).for_each(|(to, from)| *to = *from);
        if !self.is_header {
            let (clear, behind) = lengths::<S>(&self.clear);
            let mut whole = std::mem::take(&mut self.clear);
            whole.append(&mut self.text);
            whole.resize(clear + behind, 0);
            self.text = whole.split_off(clear);
            self.clear = whole;
        }
    }

    /// Bytes before the tag.
    fn tag_at(&self) -> usize {
        self.clear.len() + if self.is_header { 0 } else { signpost(&self.clear) }
    }

    /// Makes link and pointers mean pieces that were sealed again.
    fn rename<S: Suite>(&mut self, renamed: &BTreeMap<[u8; 4], [u8; 4]>) -> bool {
        let mut changed = false;
        // Of the last byte, the bits of `other` say other things.
        let mut rename = |place: &mut [u8], other: u8| {
            let last = place.len() - 1;
            let means = |old: &[u8; 4]| old[..last] == place[..last] && (old[last] ^ place[last]) & !other == 0;
            if let Some((_, new)) = renamed.iter().find(|(old, _)| means(old)) {
                let kept = place[last] & other;
                place.copy_from_slice(&new[..=last]);
                place[last] = place[last] & !other | kept;
                changed = true;
            }
        };
        if self.is_header {
            rename(&mut self.clear[LINK], 0);
        } else {
            let (link, pointers) = self.clear[4..].split_at_mut(S::LINK);
            if !link.is_empty() {
                rename(link, 0);
            }
            pointers.chunks_exact_mut(4 + S::CHECK).for_each(|pointer| rename(&mut pointer[4..], 0xf8));
        }
        changed
    }
}

/// How it's sealed; the flag of a record whose text is in the clear is in its head.
fn domain(is_header: bool, associated: &[u8]) -> Domain {
    match associated {
        _ if is_header => Domain::Header,
        [_, _, _, high, ..] if high & 1 << 2 != 0 => Domain::ClearRecord,
        _ => Domain::Record,
    }
}

fn prefix(tag: &[u8]) -> [u8; 4] {
    [tag[0], tag[1], tag[2], tag[3]]
}

/// Bytes of a record in the clear without its signpost, and of all that is behind its tag, as its head says.
fn lengths<S: Suite>(record: &[u8]) -> (usize, usize) {
    let head = u32::from_le_bytes([record[0], record[1], record[2], record[3]]);
    let pointers = (head >> 27) as usize - if signpost(record) > 0 { 22 } else { 0 };
    // Hole start, client, attributes, whole length.
    let fields = 4 * (head >> 4 & 0b1111).count_ones() as usize;
    (4 + S::LINK + pointers * (4 + S::CHECK), fields + (head >> 8 & 0xff) as usize + (head >> 16 & 0x3ff) as usize)
}

/// Bytes of a record's signpost: there are more than 24 pointers only as a way to say that it has one.
fn signpost(record: &[u8]) -> usize {
    if record[3] >> 3 > 24 { 4 } else { 0 }
}
