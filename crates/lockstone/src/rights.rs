//! Rights: what several clients of one store may do, each for itself and with what others share.

use crate::key::ClientId;

/// What the owner of an entry lets another do with it. Put together with [`and`](Self::and).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Read the value.
    pub const READ: Self = Self(1);
    /// Replace the value. Its attributes stay.
    pub const WRITE: Self = Self(2);
    /// Boot from it, or execute it in place, if it is [executable](crate::Attributes::EXECUTABLE).
    pub const EXECUTE: Self = Self(4);

    /// These and those.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether all of those are among these.
    #[must_use]
    pub const fn all(self, of: Self) -> bool {
        self.0 & of.0 == of.0
    }
}

/// Everybody else, in [`Client::share`](crate::Client::share).
pub const EVERYONE: ClientId = u32::MAX;

/// So many others can share one entry.
pub const SHARES_MAX: usize = 8;

/// Bytes of a share: whose, and which rights.
const SHARE: usize = 5;

/// Bytes of all of them.
pub(crate) const GRANT: usize = SHARE * SHARES_MAX;

/// Who shares an entry, as it stands in the entry's grant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grant {
    shares: [(ClientId, Rights); SHARES_MAX],
    number: usize,
}

impl Grant {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut grant = Self::default();
        for share in bytes.as_chunks::<SHARE>().0 {
            let [a, b, c, d, rights] = *share;
            grant.set(u32::from_le_bytes([a, b, c, d]), Rights(rights));
        }
        grant
    }

    /// Writes it, and says how many bytes it has.
    pub(crate) fn write(&self, bytes: &mut [u8; GRANT]) -> usize {
        for (place, (client, rights)) in bytes.as_chunks_mut::<SHARE>().0.iter_mut().zip(self.shares) {
            let [a, b, c, d] = client.to_le_bytes();
            *place = [a, b, c, d, rights.0];
        }
        self.number * SHARE
    }

    /// What a client has, by its own name or as one of all.
    pub(crate) fn of(&self, client: ClientId) -> Rights {
        let shares = self.shares.iter().take(self.number);
        shares
            .filter(|(whose, _)| *whose == client || *whose == EVERYONE)
            .fold(Rights::NONE, |all, (_, of)| all.and(*of))
    }

    /// Sets what a client has; nothing: it leaves. False: there are too many.
    pub(crate) fn set(&mut self, client: ClientId, rights: Rights) -> bool {
        let known = self.shares.iter().take(self.number).position(|(whose, _)| *whose == client);
        let at = known.unwrap_or(self.number);
        if rights == Rights::NONE {
            if known.is_some() {
                self.number -= 1;
                let last = self.shares.get(self.number).copied().unwrap_or_default();
                if let Some(place) = self.shares.get_mut(at) {
                    *place = last;
                }
            }
            return true;
        }
        let Some(place) = self.shares.get_mut(at) else { return false };
        *place = (client, rights);
        self.number = self.number.max(at + 1);
        true
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.number == 0
    }
}

/// How much of a store a client may fill, in bytes: of the records of its entries, padded to whole program units, and 16
/// more for each; twice that with a factory copy. Given at each start by who sets the system up; it's not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub(crate) client: ClientId,
    pub(crate) limit: u32,
    pub(crate) used: u32,
}

impl Quota {
    /// At most `limit` bytes for this client.
    #[must_use]
    pub const fn new(client: ClientId, limit: u32) -> Self {
        Self { client, limit, used: 0 }
    }

    /// What it takes now, as far as it was counted.
    #[must_use]
    pub const fn used(&self) -> u32 {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_as_it_was_written() {
        let mut grant = Grant::default();
        for client in 1..=8 {
            assert!(grant.set(client, Rights::READ));
        }
        assert!(!grant.set(9, Rights::READ), "there is room for eight");
        assert!(grant.set(3, Rights::WRITE) && grant.set(5, Rights::NONE) && grant.set(EVERYONE, Rights::EXECUTE));
        let mut bytes = [0; GRANT];
        let length = grant.write(&mut bytes);
        let read = Grant::read(&bytes[..length]);
        assert_eq!(read.of(3), Rights::WRITE.and(Rights::EXECUTE));
        assert_eq!(read.of(5), Rights::EXECUTE);
        assert_eq!(read.of(8), Rights::READ.and(Rights::EXECUTE));
        let mut none = read;
        for client in (1..=8).chain([EVERYONE]) {
            none.set(client, Rights::NONE);
        }
        assert!(none.is_empty() && !read.is_empty());
    }
}
