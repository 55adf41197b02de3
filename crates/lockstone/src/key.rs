//! Keys: whose, and which name.

/// Number of a client. The boundary of the system gives it (a session, a process, a partition), never the caller's own
/// word.
pub type ClientId = u32;

/// The store's own entries.
pub(crate) const SYSTEM: ClientId = u32::MAX;

/// What tells the hash spaces of factory copies from those of entries: see [`Key::space`].
pub(crate) const COPIES: u32 = 2;

/// A name in a client's own space. Keys of different clients never collide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    pub(crate) client: ClientId,
    pub(crate) name: &'a [u8],
    /// 0, or [`COPIES`] for its factory copy: the high half of the hash space.
    pub(crate) space: u32,
}

impl<'a> Key<'a> {
    /// The key of client 0 with this name: 1 to 255 bytes, any bytes.
    #[must_use]
    pub const fn new(name: &'a [u8]) -> Self {
        Self { client: 0, name, space: 0 }
    }

    /// The same name in the space of another client. The last number, `u32::MAX`, is the store's own and refused as an
    /// invalid name.
    #[must_use]
    pub const fn of_client(self, client: ClientId) -> Self {
        Self { client, ..self }
    }
}

impl Key<'_> {
    /// The factory copy of the entry with this key.
    pub(crate) const fn of_copy(self) -> Self {
        Self { space: COPIES, ..self }
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(name: &'a str) -> Self {
        Self::new(name.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Key<'a> {
    fn from(name: &'a [u8]) -> Self {
        Self::new(name)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Key<'a> {
    fn from(name: &'a [u8; N]) -> Self {
        Self::new(name)
    }
}

/// Names can be secrets: only the client and the length are shown.
impl core::fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Key(client {}, {} bytes)", self.client, self.name.len())
    }
}
