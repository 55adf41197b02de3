//! The parsers, for the fuzz targets of this repository. No promise is made for anything in here.

use crate::format::pointer::{Pointer, pointer_length};
use crate::format::record::Shape;
use crate::layout::{Layout, Position};
use crate::seal::Suite;
use crate::trust::NoCounter;

/// What the head of a record says: the head written again, and where the text, the name and the end of the record are.
pub fn record<S: Suite>(head: [u8; 4]) -> Option<([u8; 4], [usize; 3])> {
    let shape = Shape::of_head(u32::from_le_bytes(head));
    let ends =
        [shape.tag_at::<S, NoCounter>() + S::TAG, shape.name_at::<S, NoCounter>(), shape.length::<S, NoCounter>()];
    shape.is_sound().then(|| (shape.head().to_le_bytes(), ends))
}

/// Reads a pointer and writes it again to `out`: its level, the place that it means, and the length that it hints at.
pub fn pointer<S: Suite>(
    layout: &Layout,
    newest: u32,
    bytes: &[u8],
    out: &mut [u8; 8],
) -> Option<(u32, Position, u32)> {
    // As in a record: behind a short pointer stands something else.
    let (length, mut padded) = (pointer_length::<S>(), [0xa5; 8]);
    padded.get_mut(..length)?.copy_from_slice(bytes.get(..length)?);
    let pointer = Pointer::read::<S>(&padded, 0);
    pointer.write(out, 0);
    Some((pointer.level(), pointer.position(layout, newest), pointer.length_hint(layout)))
}
