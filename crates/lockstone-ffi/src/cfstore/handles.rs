//! Handles: a table of the library's; what the caller holds is an index and a generation.
#![forbid(unsafe_code)]

use super::codes::{MODE_FLUSH_ON_CLOSE, MODE_READ, MODE_WRITE, OUT_OF_MEMORY};
use super::{CONTEXTS, Cfstore};

/// What a caller's buffer holds. All zero: no handle.
pub(crate) type Buffer = [u8; 24];

/// In use.
const USED: u8 = 1 << 0;
/// Opened for reading.
pub(super) const READS: u8 = 1 << 1;
/// Opened for writing.
pub(super) const WRITES: u8 = 1 << 2;
/// Closing it writes the key.
pub(super) const FLUSHES: u8 = 1 << 3;
/// Opened by `Find`.
pub(super) const FOUND: u8 = 1 << 4;

/// Made the key.
pub(super) const MADE: u8 = 1 << 5;

/// How a buffer begins that holds a handle.
const MAGIC: [u8; 4] = *b"LKST";

/// An open handle, or a free place for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    generation: u32,
    /// Whose it is.
    client: i32,
    context: u8,
    /// Number of the key's record.
    pub(super) key: u32,
    pub(super) read_at: u32,
    pub(super) write_at: u32,
    pub(super) flags: u8,
}

impl Handle {
    pub(crate) const FREE: Self =
        Self { generation: 0, client: 0, context: 0, key: 0, read_at: 0, write_at: 0, flags: 0 };
}

/// The flags of a handle that is opened with this mode; `usual` where it says neither read nor write.
pub(super) const fn flags_of(mode: u32, usual: u8) -> u8 {
    let mut flags = 0;
    if mode & MODE_READ != 0 {
        flags |= READS;
    }
    if mode & MODE_WRITE != 0 {
        flags |= WRITES;
    }
    if flags == 0 {
        flags = usual;
    }
    if mode & MODE_FLUSH_ON_CLOSE != 0 { flags | FLUSHES } else { flags }
}

impl Cfstore {
    /// Takes a free handle; its place.
    pub(super) fn take_handle(&mut self, key: u32, client: i32, flags: u8) -> Result<usize, i32> {
        let index = self.handles.iter().position(|handle| handle.flags & USED == 0).ok_or(OUT_OF_MEMORY)?;
        self.generation = self.generation.wrapping_add(1).max(1);
        let (generation, context) = (self.generation, self.here().to_le_bytes()[0]);
        let handle = self.handles.get_mut(index).ok_or(OUT_OF_MEMORY)?;
        *handle = Handle { generation, client, context, key, flags: flags | USED, ..Handle::FREE };
        Ok(index)
    }

    /// What the caller of a handle is to hold.
    pub(crate) fn buffer_of(&self, index: usize) -> Buffer {
        let [m0, m1, m2, m3] = MAGIC;
        let [i0, i1, i2, i3, ..] = index.to_le_bytes();
        let [g0, g1, g2, g3] = self.handles.get(index).map_or(0, |handle| handle.generation).to_le_bytes();
        let mut buffer = [0; 24];
        buffer[..12].copy_from_slice(&[m0, m1, m2, m3, i0, i1, i2, i3, g0, g1, g2, g3]);
        buffer
    }

    /// Whether this is an open handle of the context that calls.
    pub(super) fn is_here(&self, index: usize) -> bool {
        self.handles
            .get(index)
            .is_some_and(|handle| handle.flags & USED != 0 && (CONTEXTS == 1 || usize::from(handle.context) == self.at))
    }

    /// The contexts that have a key open, or only those that may write it: a bit each.
    pub(super) fn holders(&self, key: u32, to_write: bool) -> u8 {
        let wanted = if to_write { USED | WRITES } else { USED };
        let of = |handle: &&Handle| handle.flags & wanted == wanted && handle.key == key;
        self.handles.iter().filter(of).fold(0, |set, handle| set | 1 << handle.context)
    }

    /// The place of the handle that a buffer holds, if it holds one of this client and context.
    pub(super) fn index_of(&self, buffer: &Buffer, client: i32) -> Option<usize> {
        let [m0, m1, m2, m3, i0, i1, i2, i3, g0, g1, g2, g3, rest @ ..] = *buffer;
        let index = u32::from_le_bytes([i0, i1, i2, i3]) as usize;
        let handle = self.handles.get(index)?;
        let same = handle.generation == u32::from_le_bytes([g0, g1, g2, g3]) && handle.client == client;
        let good = [m0, m1, m2, m3] == MAGIC && rest == [0; 12] && same && self.is_here(index);
        good.then_some(index)
    }

    /// Frees a handle; its flags.
    pub(super) fn give_back(&mut self, index: usize) -> u8 {
        self.handles.get_mut(index).map_or(0, |handle| core::mem::replace(handle, Handle::FREE).flags)
    }
}
