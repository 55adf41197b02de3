//! The parsers, for the fuzz targets of this repository. No promise is made for anything in here.

use crate::format::header::Header;
use crate::format::pointer::{Head, pointer_length};
use crate::format::record::Shape;
use crate::format::{Reader, Writer};
use crate::layout::{Layout, Position};
use crate::seal::Suite;

/// What the head of a record says: the head written again, and where the text, the name and the end of the record are.
pub fn record<S: Suite>(head: [u8; 4]) -> Option<([u8; 4], [usize; 3])> {
    let shape = Shape::parse(head)?;
    Some((shape.head(), [shape.associated::<S>() + S::TAG, shape.name_at::<S>(), shape.length::<S>()]))
}

/// Reads a header and writes it again to `out`; whether its tag fits.
pub fn header<S: Suite>(suite: &S, layout: &Layout, erased: u8, bytes: &[u8], out: &mut [u8]) -> Option<bool> {
    let header = Header::parse::<S>(layout, erased, bytes)?;
    header.write(suite, layout, erased, out)?;
    Some(header.verify(suite, bytes).is_some())
}

/// Reads a pointer and writes it again to `out`: its level, the place that it means, and the length that it hints at.
pub fn pointer<S: Suite>(
    layout: &Layout,
    newest: u32,
    bytes: &[u8],
    out: &mut [u8],
) -> Option<(u8, Option<Position>, Option<u32>)> {
    let (level, head) = Head::read::<S>(&mut Reader(bytes))?;
    head.write::<S>(level, &mut Writer::new(out.get_mut(..pointer_length::<S>())?));
    Some((level, head.position(layout, newest), head.length_hint(layout)))
}
