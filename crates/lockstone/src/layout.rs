//! Layout: how a flash part is cut into segments, units and cells.
//!
//! ```text
//! part    | segment 0 | segment 1 | ...                               whole erase blocks, at least 2 KiB and 32 units
//! segment | header | record | record | ...          | never written   records never cross a segment
//! cell    a window of 128 bytes or one program unit: no program call crosses its edge, so that a cut call
//!         can have touched one cell only
//! unit    the step of all places: the program unit, at least 4 bytes
//! ```
//!
//! Everything here is a pure function of the part's three sizes, so that a layout that can't work doesn't compile
//! (see [`Layout::of`]) and two firmwares on one part always agree. Tested on every geometry of the simulator.

/// Why a flash part can't hold a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// The program unit must be a power of two from 1 to 512 bytes.
    ProgramUnit,
    /// The erase block must be from 128 bytes to 256 KiB and a multiple of the program unit.
    EraseBlock,
    /// The read unit must divide the program unit, or be at most 4 bytes; and it has at most 32.
    ReadUnit,
    /// Fewer than four segments fit: the log needs one to write, one to compact and two in reserve.
    TooSmall,
    /// More than 65,535 segments, or more places than a 26-bit pointer can name.
    TooLarge,
    /// More than 65,535 bucket heads, or none.
    Heads,
    /// The record buffer is smaller than [`buffer_size`](crate::buffer_size) says.
    Buffer,
    /// Volumes must be whole erase blocks, and fit on the part.
    Volumes,
    /// A slot needs a block of at least 4 KiB for code, and behind it as many as make 64 program units.
    SmallSlot,
}

impl LayoutError {
    /// One sentence for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ProgramUnit => "the program unit must be a power of two from 1 to 512 bytes",
            Self::EraseBlock => "the erase block must be from 128 bytes to 256 KiB and a multiple of the program unit",
            Self::ReadUnit => {
                "the read unit must divide the program unit (or be at most 4 bytes), and have at most 32 bytes"
            }
            Self::TooSmall => {
                "at least four segments (of at least 2 KiB, 32 program units and one erase block each) must fit"
            }
            Self::TooLarge => {
                "a store has at most 65,535 segments and 2^26 places of one program unit (at least 4 bytes)"
            }
            Self::Heads => "a store has from 1 to 65,535 bucket heads",
            Self::Buffer => "the record buffer is smaller than buffer_size says",
            Self::Volumes => "volumes must be whole erase blocks, and fit on the part",
            Self::SmallSlot => {
                "a slot needs a block of at least 4 KiB for code, and as many more as make 64 program units"
            }
        }
    }
}

impl core::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for LayoutError {}

/// What the flash driver's type does not say of the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub(crate) erased: u8,
    pub(crate) units: Option<(usize, usize)>,
    pub(crate) thorough: bool,
}

impl Part {
    /// Erased bytes read 0xff, as on nearly every part.
    pub const NOR: Self = Self { erased: 0xff, units: None, thorough: false };
    /// Erased bytes read 0x00, as on some low-power microcontrollers.
    pub const ZERO_ERASED: Self = Self { erased: 0, units: None, thorough: false };

    /// Says at run time what the program unit and the erase block are (bytes): for a driver of many parts, such as a
    /// file. Its type must name the finest, a program unit of 1 and an erase block of 128; other drivers know their
    /// part, and so does the compiler.
    #[must_use]
    pub const fn with_units(self, program: usize, erase: usize) -> Self {
        Self { erased: self.erased, units: Some((program, erase)), thorough: self.thorough }
    }

    /// A mount reads the whole log, so that its [`Report`](crate::Report) speaks of all damage in it, also of what no key
    /// depends on: for tools. Others read as much as they need.
    #[must_use]
    pub const fn thoroughly(self) -> Self {
        Self { erased: self.erased, units: self.units, thorough: true }
    }

    /// Lays the part out, given what the driver says.
    pub(crate) const fn layout(
        self,
        read: usize,
        program: usize,
        erase: usize,
        capacity: usize,
    ) -> Result<Layout, LayoutError> {
        match self.shape(read, program, erase) {
            Ok(layout) => layout.with_capacity(capacity),
            Err(error) => Err(error),
        }
    }

    /// The same but for the number of segments.
    pub(crate) const fn shape(self, read: usize, program: usize, erase: usize) -> Result<Layout, LayoutError> {
        match self.units {
            None => Layout::shape(read, program, erase),
            Some(_) if program != FINEST.0 => Err(LayoutError::ProgramUnit),
            Some(_) if erase != FINEST.1 => Err(LayoutError::EraseBlock),
            Some((program, erase)) => Layout::shape(read, program, erase),
        }
    }
}

/// Program unit and erase block of a driver that may stand for any part.
const FINEST: (usize, usize) = (1, 128);

/// The sizes that follow from a flash part, all in bytes unless named otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Step of all places: the program unit, at least 4.
    pub unit: u32,
    /// One erase block.
    pub erase: u32,
    /// One segment.
    pub segment: u32,
    /// Number of segments.
    pub segments: u32,
    /// No program call crosses a multiple of this.
    pub cell: u32,
    /// Most bytes of name and value in one record; a longer value goes on in chunks.
    pub body_max: u32,
    /// Longest record on flash.
    pub record_max: u32,
    /// Bits of a pointer that name a place.
    pub(crate) place_bits: u32,
    /// Units for each step of a pointer's length hint; 0 when no bit remains for one.
    pub(crate) hint_step: u32,
}

/// Bits of a pointer for place and length hint.
pub(crate) const REFERENCE_BITS: u32 = 26;

/// Most index pointers a record carries. A record of a bucket with n keys carries about log2(n) + 1.3 of them.
pub const POINTERS_MAX: usize = 24;

/// Everything of a record but name and value, at its largest: head, link, pointers, tag, and the optional fields.
const OVERHEAD_MAX: u32 = 4 + 4 + 8 * 24 + 16 + 16;

const SEGMENT_MIN: u32 = 2048;
/// A mark takes a program unit or more: with few of them to the segment, sessions that are cut early soon fill it.
const UNITS_MIN: u32 = 32;
/// Most bytes of a read unit. So many are read back at once from what was programmed, beside the record buffer.
pub(crate) const READ_MAX: usize = 32;
const CELL_MIN: u32 = 128;

// The small functions are always inlined: where the sizes are constants, little remains of them.
impl Layout {
    /// Before a mount.
    pub(crate) const NONE: Self = Self {
        unit: 0,
        erase: 0,
        segment: 0,
        segments: 0,
        cell: 0,
        body_max: 0,
        record_max: 0,
        place_bits: 0,
        hint_step: 0,
    };

    /// Lays out a part with the given read unit, program unit, erase block and capacity.
    ///
    /// # Errors
    /// The first rule that the part breaks.
    pub const fn of(read: usize, program: usize, erase: usize, capacity: usize) -> Result<Self, LayoutError> {
        match Self::shape(read, program, erase) {
            Ok(layout) => layout.with_capacity(capacity),
            Err(error) => Err(error),
        }
    }

    /// All but the number of segments, where the driver's type says it.
    pub(crate) const fn fixed(read: usize, program: usize, erase: usize) -> Option<Self> {
        match Self::shape(read, program, erase) {
            Ok(layout) if program != FINEST.0 || erase != FINEST.1 => Some(layout),
            _ => None,
        }
    }

    /// The part of [`Layout::of`] that is known when the program is compiled.
    pub(crate) const fn shape(read: usize, program: usize, erase: usize) -> Result<Self, LayoutError> {
        if program == 0 || program > 512 || !program.is_power_of_two() {
            return Err(LayoutError::ProgramUnit);
        }
        if erase < 128 || erase > 256 * 1024 || !erase.is_multiple_of(program) {
            return Err(LayoutError::EraseBlock);
        }
        let unit = if program < 4 { 4 } else { as_u32(program) };
        if read == 0 || read > READ_MAX || !(unit as usize).is_multiple_of(read) || !erase.is_multiple_of(unit as usize)
        {
            return Err(LayoutError::ReadUnit);
        }
        let erase = as_u32(erase);
        let segment = larger(SEGMENT_MIN, unit * UNITS_MIN).next_multiple_of(erase);
        let body_max = smaller(larger(segment / 16, 256), 1024);
        Ok(Self {
            unit,
            erase,
            segment,
            segments: 0,
            cell: larger(CELL_MIN, unit),
            body_max,
            record_max: (OVERHEAD_MAX + body_max).next_multiple_of(unit),
            place_bits: 0,
            hint_step: 0,
        })
    }

    const fn with_capacity(mut self, capacity: usize) -> Result<Self, LayoutError> {
        let segments = capacity / self.segment as usize;
        if segments < 4 {
            return Err(LayoutError::TooSmall);
        }
        if segments > 0xffff || segments * (self.segment / self.unit) as usize > 1 << REFERENCE_BITS {
            return Err(LayoutError::TooLarge);
        }
        self.segments = as_u32(segments);
        let places = self.segments * (self.segment / self.unit);
        self.place_bits = u32::BITS - (places - 1).leading_zeros();
        self.hint_step = match (1 << (REFERENCE_BITS - self.place_bits)) - 1 {
            0 => 0,
            steps => (self.record_max / self.unit).div_ceil(steps),
        };
        Ok(self)
    }

    /// Rounds up to whole units.
    #[inline(always)]
    pub(crate) const fn padded(&self, length: u32) -> u32 {
        length.next_multiple_of(self.unit)
    }

    /// Physical segment of a sequence number. Sequence numbers go round the part, so a skipped segment costs a number.
    #[inline(always)]
    pub(crate) const fn physical(&self, sequence: u32) -> u32 {
        sequence % self.segments
    }

    /// Address of a position on the part.
    #[inline(always)]
    pub(crate) const fn address(&self, at: Position) -> u32 {
        self.physical(at.sequence) * self.segment + at.offset
    }
}

/// A place in the log: which life of which segment, and where in it. Ordered as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Sequence number of the segment.
    pub sequence: u32,
    /// Bytes from the start of the segment.
    pub offset: u32,
}

impl Position {
    pub(crate) const fn new(sequence: u32, offset: u32) -> Self {
        Self { sequence, offset }
    }
}

/// Bytes of record buffer that a store on this kind of flash needs (the second parameter of
/// [`Memory`](crate::Memory)).
///
/// # Panics
/// When the part's sizes break a rule of [`LayoutError`]: in a `const`, that is a compile error.
#[must_use]
pub const fn buffer_size(read: usize, program: usize, erase: usize) -> usize {
    match Layout::shape(read, program, erase) {
        Ok(layout) => layout.record_max as usize,
        Err(error) => panic!("{}", error.reason()),
    }
}

const fn larger(a: u32, b: u32) -> u32 {
    if a > b { a } else { b }
}

const fn smaller(a: u32, b: u32) -> u32 {
    if a < b { a } else { b }
}

/// Sizes are checked against 256 KiB before they come here.
#[expect(clippy::cast_possible_truncation)]
const fn as_u32(size: usize) -> u32 {
    assert!(size <= u32::MAX as usize);
    size as u32
}
