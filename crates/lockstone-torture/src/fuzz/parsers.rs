//! `parsers`: bytes of the flash before any tag was verified. What parses says its own length and writes itself again.
//!
//! ```text
//! which parser and suite | geometry | the bytes
//! ```

use lockstone::inspect::{ClearHeader, ClearRecord};
use lockstone::seal::Suite;
use lockstone::{Ascon, Layout, Plain, fuzzing};
use lockstone_sim::geometry::GEOMETRIES;

use super::bytes::Bytes;
use crate::replay::Image;
use crate::tale::Tale;

pub(super) fn run(input: &[u8], tale: &Tale, _: &mut Option<Image>) -> Result<(), String> {
    let mut bytes = Bytes(input);
    let which = bytes.byte();
    let geometry = &GEOMETRIES[bytes.below(GEOMETRIES.len())];
    let layout = Layout::of(geometry.read, geometry.write, geometry.erase, geometry.capacity);
    let layout = layout.map_err(|error| error.reason().to_owned())?;
    if which & 1 == 0 {
        parse::<Ascon>(which >> 1, &layout, bytes, tale)
    } else {
        parse::<Plain>(which >> 1, &layout, bytes, tale)
    }
}

fn parse<S: Suite>(which: u8, layout: &Layout, bytes: Bytes<'_>, tale: &Tale) -> Result<(), String> {
    match which % 3 {
        0 => record::<S>(bytes, tale),
        1 => header::<S>(bytes, tale),
        _ => pointer::<S>(layout, bytes, tale),
    }
}

fn record<S: Suite>(mut bytes: Bytes<'_>, tale: &Tale) -> Result<(), String> {
    let head = [bytes.byte(), bytes.byte(), bytes.byte(), bytes.byte()];
    let parsed = fuzzing::record::<S>(head);
    tale.note(|| format!("record head, {}: {parsed:?}", S::NAME));
    let Some((again, [text, name, length])) = parsed else { return Ok(()) };
    agree(again == head, "a record head does not write itself again")?;
    agree(text <= name && name <= length, "the parts of a record are out of order")?;
    agree(length < 1 << 12, "a record is longer than its head can say")
}

/// What stands in a header in the clear; with the key, headers are the business of the target `mount`.
fn header<S: Suite>(bytes: Bytes<'_>, tale: &Tale) -> Result<(), String> {
    let parsed = ClearHeader::parse(bytes.0);
    tale.note(|| format!("header: {parsed:?}"));
    let Some(header) = parsed else { return Ok(()) };
    agree(bytes.0.starts_with(b"LKS"), "a header begins with something else")?;
    agree(header.unit.is_power_of_two() && header.segment.is_multiple_of(header.unit), "units don't fill a segment")?;
    let record = ClearRecord::parse(bytes.0, S::ID, header.unit);
    record.map_or(Ok(()), |record| agree(record.length.is_multiple_of(header.unit), "a record ends inside a unit"))
}

fn pointer<S: Suite>(layout: &Layout, mut bytes: Bytes<'_>, tale: &Tale) -> Result<(), String> {
    // As large as a store can count in its whole life, and past the first round of the part.
    let newest = (bytes.word() as u32 >> 2 << 15 | bytes.word() as u32 >> 1) % (1 << 31);
    let newest = newest.max(layout.segments);
    let mut out = [0; 8];
    let parsed = fuzzing::pointer::<S>(layout, newest, bytes.0, &mut out);
    tale.note(|| format!("pointer, {}, newest segment {newest}: {parsed:?}", S::NAME));
    let Some((level, at, _)) = parsed else { return Ok(()) };
    agree(level < 64, "a level is no bit of a hash")?;
    let length = 4 + S::CHECK;
    agree(out[..length] == bytes.0[..length], "a pointer does not write itself again")?;
    let in_log = at.sequence <= newest && newest - at.sequence < layout.segments;
    agree(in_log && at.offset < layout.segment, "a pointer leads out of the part")
}

fn agree(good: bool, otherwise: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(otherwise.to_owned()) }
}
