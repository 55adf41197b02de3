//! The stores that are compared, behind one trait.
//!
//! A [`Contender`] opens a [`Store`] on a [`Chip`]; dropping the store is pulling the plug between two operations. What a
//! store can't do at all is [`Failure::Unsupported`] and becomes a row of its own: it never stops a run.

mod ekv;
mod espnvs;
#[cfg(feature = "littlefs")]
mod littlefs;
mod lockstone;
mod sequential;
mod wasefire;

use std::fmt;

use crate::chip::Chip;

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The store has no such thing.
    Unsupported(String),
    /// There is no room.
    Full,
    /// It failed: what it said.
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(what) => write!(f, "unsupported: {what}"),
            Self::Full => f.write_str("full"),
            Self::Failed(what) => write!(f, "failed: {what}"),
        }
    }
}

impl Failure {
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }

    pub(crate) fn failed(what: impl fmt::Debug) -> Self {
        Self::Failed(format!("{what:?}"))
    }
}

/// One change of a transaction: name and value.
pub type Change = (String, Vec<u8>);

/// A mounted store.
pub trait Store {
    /// Stores a value.
    ///
    /// # Errors
    /// [`Failure`].
    fn put(&mut self, name: &str, value: &[u8]) -> Result<(), Failure>;

    /// Reads a value into the buffer, which is long enough, and returns its length; `None`: there is no such key.
    ///
    /// # Errors
    /// [`Failure`].
    fn get(&mut self, name: &str, buffer: &mut [u8]) -> Result<Option<usize>, Failure>;

    /// Deletes a key.
    ///
    /// # Errors
    /// [`Failure`].
    fn delete(&mut self, name: &str) -> Result<(), Failure>;

    /// Stores several values at once or not at all; no name comes twice.
    ///
    /// # Errors
    /// [`Failure`].
    fn transact(&mut self, changes: &[Change]) -> Result<(), Failure>;

    /// Ends in order, where there is such a thing.
    ///
    /// # Errors
    /// [`Failure`].
    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }

    /// Bytes of RAM: the store itself and the buffers it is handed, without heap.
    fn ram(&self) -> usize;
}

/// How records are sealed by Lockstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// A checksum.
    Plain,
    /// Encrypted and authenticated.
    Ascon,
}

/// A store and how it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contender {
    /// Lockstone in so many bytes of RAM in all; the bucket heads get what the rest leaves.
    Lockstone(Suite, usize),
    /// sequential-storage, its map; with all caches or none.
    Sequential {
        /// Page states, page pointers and pointers to all keys are kept in RAM.
        cached: bool,
    },
    /// ekv.
    Ekv,
    /// littlefs, a file a key.
    Littlefs,
    /// wasefire-store.
    Wasefire,
    /// esp-nvs.
    EspNvs,
}

/// RAM of a small Lockstone.
pub const SMALL: usize = 2048;
/// RAM of a medium one: what the bars allow for 64 blocks.
pub const MEDIUM: usize = 4096;
/// RAM of a generous one: what the bars allow for 1,024 blocks.
pub const GENEROUS: usize = 8192;

/// What a store is opened for.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Makes a new store; else mounts the one that is there.
    pub format: bool,
    /// As many keys as there will be: sizes of caches.
    pub keys: usize,
    /// Longest value.
    pub value_max: usize,
}

impl Contender {
    /// All peers, whether they were built or not.
    pub const PEERS: [Self; 6] = [
        Self::Sequential { cached: false },
        Self::Sequential { cached: true },
        Self::Ekv,
        Self::Littlefs,
        Self::Wasefire,
        Self::EspNvs,
    ];

    /// Name in tables.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Lockstone(Suite::Plain, ram) => format!("lockstone plain {}k", ram / 1024),
            Self::Lockstone(Suite::Ascon, ram) => format!("lockstone ascon {}k", ram / 1024),
            Self::Sequential { cached: false } => "sequential-storage".to_owned(),
            Self::Sequential { cached: true } => "sequential-storage, caches".to_owned(),
            Self::Ekv => "ekv".to_owned(),
            Self::Littlefs => "littlefs2".to_owned(),
            Self::Wasefire => "wasefire-store".to_owned(),
            Self::EspNvs => "esp-nvs".to_owned(),
        }
    }

    /// Version and what must be known to read its figures.
    #[must_use]
    pub const fn note(self) -> &'static str {
        match self {
            Self::Lockstone(Suite::Plain, _) => "this repository; checksum of 4 bytes",
            Self::Lockstone(Suite::Ascon, _) => "this repository; encrypted, 16-byte tag",
            Self::Sequential { cached: false } => "8.0.2; names of up to 15 characters; deletes program units again",
            Self::Sequential { cached: true } => {
                "8.0.2; the same, caches of page states, page pointers and all keys on the heap"
            }
            Self::Ekv => {
                "1.0.0; built for up to 1,024 pages, chunks of 256 bytes and values of up to 1,024; no checksums (its feature `crc` is off); a put is a transaction"
            }
            Self::Littlefs => "0.8.1 (C, littlefs 2.9); a file a key in the root, caches of 64 bytes, block_cycles 500",
            Self::Wasefire => {
                "0.3.2; keys are numbers, names are not stored but counted as payload; programs units twice; at most 64 pages, words of 4 bytes"
            }
            Self::EspNvs => "0.6.3; values as blobs; programs the entry states of a page again and again",
        }
    }

    /// Whether this is ours.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Lockstone(..))
    }

    /// Whether part of its state is on the heap.
    #[must_use]
    pub const fn uses_heap(self) -> bool {
        matches!(self, Self::Sequential { cached: true } | Self::Wasefire | Self::EspNvs)
    }

    /// Whether it was built.
    #[must_use]
    pub const fn is_built(self) -> bool {
        !matches!(self, Self::Littlefs) || cfg!(feature = "littlefs")
    }

    /// Opens the store on a part.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn open(self, chip: &Chip, setup: Setup) -> Result<Box<dyn Store>, Failure> {
        match self {
            Self::Lockstone(suite, ram) => lockstone::open(suite, ram, chip, setup),
            Self::Sequential { cached } => sequential::open(cached, chip, setup),
            Self::Ekv => ekv::open(chip, setup),
            #[cfg(feature = "littlefs")]
            Self::Littlefs => littlefs::open(chip, setup),
            #[cfg(not(feature = "littlefs"))]
            Self::Littlefs => {
                Err(Failure::unsupported("not built: needs --features littlefs, a C compiler and libclang"))
            }
            Self::Wasefire => wasefire::open(chip, setup),
            Self::EspNvs => espnvs::open(chip, setup),
        }
    }
}

fn unit_of(chip: &Chip) -> Failure {
    Failure::unsupported(format!("program unit of {} bytes", chip.unit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(contender: Contender) -> Result<(), Failure> {
        let chip = Chip::new(4, 64);
        let setup = Setup { format: true, keys: 8, value_max: 64 };
        let mut store = contender.open(&chip, setup)?;
        store.put("boot", b"first")?;
        store.put("boot", b"second")?;
        store.put("other", &[7; 64])?;
        drop(store);
        let mut store = contender.open(&chip, Setup { format: false, ..setup })?;
        let mut buffer = [0; 64];
        assert_eq!(store.get("boot", &mut buffer)?, Some(6));
        assert_eq!(&buffer[..6], b"second");
        assert_eq!(store.get("other", &mut buffer)?, Some(64));
        assert_eq!(store.get("absent00", &mut buffer)?, None);
        store.delete("boot")?;
        assert_eq!(store.get("boot", &mut buffer)?, None);
        assert!(store.ram() > 0);
        store.close()
    }

    #[test]
    fn every_store_keeps_what_it_is_given() {
        let ours = [Suite::Plain, Suite::Ascon].map(|suite| Contender::Lockstone(suite, MEDIUM));
        for contender in ours.into_iter().chain(Contender::PEERS).filter(|contender| contender.is_built()) {
            assert_eq!(lives(contender), Ok(()), "{}", contender.name());
        }
    }

    #[test]
    fn a_transaction_is_stored() {
        for contender in [Contender::Lockstone(Suite::Ascon, MEDIUM), Contender::Ekv, Contender::Wasefire] {
            let setup = Setup { format: true, keys: 8, value_max: 64 };
            let mut store = contender.open(&Chip::new(4, 64), setup).unwrap();
            store.transact(&[("b".to_owned(), vec![1; 5]), ("a".to_owned(), vec![2; 6])]).unwrap();
            let mut buffer = [0; 64];
            assert_eq!(store.get("a", &mut buffer).unwrap(), Some(6), "{}", contender.name());
        }
    }
}
