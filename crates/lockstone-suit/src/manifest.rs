//! What back-ends are told of a manifest.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::SuitError;

/// SHA-256 in COSE's registry of algorithms.
pub const SHA_256: i32 = -16;

/// Longest location.
pub(crate) const LOCATION_MAX: usize = 255;

/// A digest that a manifest gives of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest<'a> {
    /// Its number in COSE's registry of algorithms.
    pub algorithm: i32,
    /// The digest itself.
    pub bytes: &'a [u8],
}

/// A component of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component<'a> {
    /// Its identifier: an array of byte strings.
    pub id: &'a [&'a [u8]],
    /// The digest of its payload (parameter image-digest), if the manifest gives one.
    pub digest: Option<Digest<'a>>,
}

/// A manifest, as far as storage is concerned. Its signature was verified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manifest<'a> {
    /// All components.
    pub components: &'a [Component<'a>],
    /// The number of the one that is handled (directive set-component-index), as the manifest says it.
    pub current: usize,
}

impl<'a> Manifest<'a> {
    /// The component that is handled.
    ///
    /// # Errors
    /// [`SuitError::Unavailable`]: it has no such.
    pub fn component(&self) -> Result<&'a Component<'a>, SuitError> {
        self.components.get(self.current).ok_or(SuitError::Unavailable)
    }

    /// The SHA-256 that the payload must have, if any.
    pub(crate) fn sha256(&self) -> Result<Option<[u8; 32]>, SuitError> {
        let Some(Digest { algorithm, bytes }) = self.component()?.digest else { return Ok(None) };
        if algorithm != SHA_256 {
            return Err(SuitError::NotSupported);
        }
        bytes.try_into().map(Some).map_err(|_| SuitError::DigestMismatch)
    }

    /// Whether the content is what the manifest says.
    pub(crate) fn accepts(&self, content: &[u8]) -> Result<(), SuitError> {
        let Some(wanted) = self.sha256()? else { return Ok(()) };
        let good = Sha256::digest(content).as_slice().ct_eq(&wanted);
        if good.into() { Ok(()) } else { Err(SuitError::DigestMismatch) }
    }
}

/// A location: the parts of a component identifier, joined.
pub(crate) struct Location {
    bytes: [u8; LOCATION_MAX],
    length: usize,
}

impl Location {
    /// `None`: it is too long, or a part holds what stands between parts, and would be taken for two.
    pub(crate) fn of(parts: &[&[u8]], separator: Option<u8>) -> Option<Self> {
        let mut location = Self { bytes: [0; LOCATION_MAX], length: 0 };
        for (index, part) in parts.iter().enumerate() {
            if separator.is_some_and(|separator| part.contains(&separator)) {
                return None;
            }
            if let Some(separator) = separator.filter(|_| index > 0) {
                location.push(&[separator])?;
            }
            location.push(part)?;
        }
        Some(location)
    }

    fn push(&mut self, part: &[u8]) -> Option<()> {
        let end = self.length.checked_add(part.len())?;
        self.bytes.get_mut(self.length..end)?.copy_from_slice(part);
        self.length = end;
        Some(())
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
