//! Rights: what several clients of one store may do, each for itself and with what others share.

use crate::format::{put, put_word};
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

/// Writes a grant again, with other rights of one client; without any, it leaves. Returns the length; `None`: there are too
/// many.
pub(crate) fn grant(old: &[u8], client: ClientId, rights: Rights, new: &mut [u8; GRANT]) -> Option<usize> {
    let mut length = 0;
    for share in old.as_chunks::<SHARE>().0.iter().filter(|share| owner_of(share) != client) {
        put(new, length, share);
        length += SHARE;
    }
    if rights == Rights::NONE {
        return Some(length);
    }
    put_word(new, length, client);
    *new.get_mut(length + SHARE - 1)? = rights.0;
    Some(length + SHARE)
}

/// What a client has in a grant, by its own name or as one of all.
pub(crate) fn granted(grant: &[u8], client: ClientId) -> Rights {
    let shares = grant.as_chunks().0.iter().filter(|share| owner_of(share) == client || owner_of(share) == EVERYONE);
    shares.fold(Rights::NONE, |all, [.., rights]| all.and(Rights(*rights)))
}

fn owner_of([a, b, c, d, _]: &[u8; SHARE]) -> ClientId {
    u32::from_le_bytes([*a, *b, *c, *d])
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
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_grant_says_what_was_set() {
        let mut bytes = Vec::new();
        let set = |bytes: &mut Vec<u8>, client, rights| {
            let mut new = [0; GRANT];
            let length = grant(bytes, client, rights, &mut new)?;
            *bytes = new[..length].to_vec();
            Some(length)
        };
        for client in 1..=8 {
            assert!(set(&mut bytes, client, Rights::READ).is_some());
        }
        assert_eq!(set(&mut bytes, 9, Rights::READ), None, "there is room for eight");
        for (client, rights) in [(3, Rights::WRITE), (5, Rights::NONE), (9, Rights::NONE), (EVERYONE, Rights::EXECUTE)]
        {
            assert!(set(&mut bytes, client, rights).is_some());
        }
        assert_eq!(bytes.len(), GRANT);
        assert_eq!(granted(&bytes, 3), Rights::WRITE.and(Rights::EXECUTE));
        assert_eq!(granted(&bytes, 5), Rights::EXECUTE);
        assert_eq!(granted(&bytes, 8), Rights::READ.and(Rights::EXECUTE));
        for client in (1..=8).chain([EVERYONE]) {
            assert!(set(&mut bytes, client, Rights::NONE).is_some());
        }
        assert!(bytes.is_empty());
    }
}
