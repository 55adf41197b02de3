//! RAM: payloads in memory that the caller hands in, for tests, and for what is loaded anew at each boot.

use zeroize::Zeroize;

use crate::order::{Stage, within};
use crate::{Manifest, SuitError, SuitStorage};

/// A region of memory.
#[derive(Debug)]
pub struct Ram<'a> {
    bytes: &'a mut [u8],
    /// Bytes of the payload that is installed in it.
    installed: Option<u32>,
}

impl<'a> Ram<'a> {
    /// The memory is a location; what is in it is none of a payload.
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, installed: None }
    }
}

/// Regions of memory as locations `.ram.0`, `.ram.1` and so on. A payload is written in place, so what was installed in the
/// region ends with the start of the next; offsets must rise without gaps. Memory forgets everything at a reset, so there is no
/// sequence number: keep it in another back-end.
#[derive(Debug)]
pub struct RamStorage<'a, const N: usize> {
    regions: [Ram<'a>; N],
    active: usize,
    stage: Stage,
    /// Bytes that were written.
    written: u32,
}

impl<'a, const N: usize> RamStorage<'a, N> {
    /// These regions.
    pub const fn new(regions: [Ram<'a>; N]) -> Self {
        Self { regions, active: 0, stage: Stage::Nowhere, written: 0 }
    }

    /// The payload that is installed in a region.
    pub fn installed(&self, region: usize) -> Option<&[u8]> {
        let region = self.regions.get(region)?;
        region.bytes.get(..region.installed? as usize)
    }

    fn index(name: &[u8]) -> Option<usize> {
        let digits = name.strip_prefix(b".ram.")?;
        let index = core::str::from_utf8(digits).ok()?.parse().ok().filter(|index| *index < N)?;
        // One name for each: no sign, no zeros in front.
        let plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits.first() != Some(&b'0'));
        plain.then_some(index)
    }

    fn region(&mut self) -> Result<&mut Ram<'a>, SuitError> {
        self.regions.get_mut(self.active).ok_or(SuitError::Order)
    }

    fn content(&mut self, length: u32) -> Result<&[u8], SuitError> {
        self.region()?.bytes.get(..length as usize).ok_or(SuitError::OutOfRange)
    }
}

impl<const N: usize> SuitStorage for RamStorage<'_, N> {
    fn id(&self) -> &str {
        "ram"
    }

    fn init(&mut self) -> Result<(), SuitError> {
        Ok(())
    }

    fn start(&mut self, manifest: &Manifest<'_>, length: u32) -> Result<(), SuitError> {
        self.stage.check_start()?;
        manifest.component()?;
        let region = self.region()?;
        if region.bytes.len() < length as usize {
            return Err(SuitError::Exceeded);
        }
        region.installed = None;
        region.bytes.zeroize();
        (self.stage, self.written) = (Stage::Writing(length), 0);
        Ok(())
    }

    fn write(&mut self, _manifest: &Manifest<'_>, bytes: &[u8], offset: u32) -> Result<(), SuitError> {
        let length = self.stage.writing()?;
        let end = within(bytes.len(), offset, length)?;
        if offset != self.written {
            return Err(SuitError::Incomplete);
        }
        let place = self.region()?.bytes.get_mut(offset as usize..end as usize).ok_or(SuitError::OutOfRange)?;
        place.copy_from_slice(bytes);
        self.written = end;
        Ok(())
    }

    fn finish(&mut self, _manifest: &Manifest<'_>) -> Result<(), SuitError> {
        let length = self.stage.writing()?;
        if self.written < length {
            return Err(SuitError::Incomplete);
        }
        self.stage = Stage::Whole(length);
        Ok(())
    }

    fn read(&mut self, target: &mut [u8], offset: u32) -> Result<(), SuitError> {
        self.stage.check_read(target, offset)?;
        let length = self.stage.readable()?;
        let from = self.content(length)?.get(offset as usize..).and_then(|rest| rest.get(..target.len()));
        target.copy_from_slice(from.ok_or(SuitError::OutOfRange)?);
        Ok(())
    }

    fn read_ptr(&mut self) -> Result<&[u8], SuitError> {
        let length = self.stage.readable()?;
        self.content(length)
    }

    fn install(&mut self, manifest: &Manifest<'_>) -> Result<(), SuitError> {
        let length = self.stage.whole()?;
        manifest.accepts(self.content(length)?)?;
        self.region()?.installed = Some(length);
        self.stage = Stage::Installed(length);
        Ok(())
    }

    fn erase(&mut self) -> Result<(), SuitError> {
        if !self.stage.is_pending() {
            return Err(SuitError::Order);
        }
        self.region()?.bytes.zeroize();
        self.stage = Stage::Located;
        Ok(())
    }

    fn has_location(&self, name: &[u8]) -> bool {
        Self::index(name).is_some()
    }

    fn set_active_location(&mut self, name: &[u8]) -> Result<(), SuitError> {
        let index = Self::index(name).ok_or(SuitError::Unavailable)?;
        if index == self.active && self.stage != Stage::Nowhere {
            return Ok(());
        }
        if self.stage.is_pending() {
            return Err(SuitError::Order);
        }
        (self.active, self.stage) = (index, Stage::Located);
        Ok(())
    }

    fn separator(&self) -> Option<u8> {
        Some(b'.')
    }

    fn has_readptr(&self) -> bool {
        true
    }
}
