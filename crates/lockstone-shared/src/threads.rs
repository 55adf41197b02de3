//! Threads: the store behind a mutex of the standard library.

use core::fmt;
use core::ops::Deref;
use std::sync::{Mutex, MutexGuard};

use embedded_storage::nor_flash::NorFlash;
use lockstone::seal::Suite;
use lockstone::trust::{MonotonicCounter, NoCounter};
use lockstone::{Attributes, ClientId, Clients, Cursor, Error, Put, Rights};

use SharedError as Failure;

/// The store and its lock.
///
/// ```
/// use std::sync::Arc;
///
/// use lockstone::{Ascon, Clients, Memory, Part, SoftRootKey, Store, buffer_size};
/// use lockstone_shared::threads::{Handle, Shared};
/// use lockstone_sim::SimFlash;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (flash, root) = (SimFlash::<1, 4, 4096>::new(16 * 4096, 0xff), SoftRootKey::new([0x42; 32]));
/// # let random = &mut lockstone_torture::Random(1);
/// let memory = Box::leak(Box::new(Memory::<16, { buffer_size(1, 4, 4096) + 16 }>::new())); // as long as the program
/// let store = Store::<_, Ascon>::format(flash, Part::NOR, &root, random, memory)?;
/// let shared = Arc::new(Shared::new(Clients::new(store, &mut [])));
///
/// let network = Handle::of(Arc::clone(&shared), 1); // the thread gets the handle, and can't reach anybody else's keys
/// std::thread::spawn(move || network.put(b"session", b"a secret")).join().expect("no panic")?;
///
/// let mut value = [0; 16];
/// assert_eq!(Handle::of(&*shared, 1).get(b"session", &mut value)?, Some(8));
/// assert_eq!(Handle::of(&*shared, 2).get(b"session", &mut value)?, None, "as if there were no such key");
/// # Ok(()) }
/// ```
pub struct Shared<'m, F, S, C = NoCounter> {
    clients: Mutex<Clients<'m, F, S, C>>,
}

/// The store, as long as this is kept.
pub type Held<'s, 'm, F, S, C> = MutexGuard<'s, Clients<'m, F, S, C>>;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedError<E> {
    /// What the store said.
    Store(Error<E>),
    /// A thread panicked in the midst of a call, so what the store keeps in RAM can't be relied upon. Nothing was changed by this
    /// call, and what was acknowledged is on flash. A store that was mounted with `&mut` of its flash and its memory is dropped, and
    /// both are free to mount it anew; one that took its flash for good, or is a static, is mounted anew by a restart.
    Poisoned,
}

impl<E> From<Error<E>> for SharedError<E> {
    fn from(error: Error<E>) -> Self {
        Self::Store(error)
    }
}

impl<E: fmt::Debug> fmt::Display for SharedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Poisoned => f.write_str("a thread panicked in the midst of a call: mount the store anew"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for SharedError<E> {}

impl<'m, F, S, C> Shared<'m, F, S, C> {
    /// Puts a lock around a store.
    pub const fn new(clients: Clients<'m, F, S, C>) -> Self {
        Self { clients: Mutex::new(clients) }
    }

    /// The store itself, for as long as it is held: for several calls that belong together. Give it to no client, as it
    /// reaches all of them. `None`: a thread panicked while it held it.
    ///
    /// A thread that calls a handle while it holds this waits for itself, for ever, or panics: call the store that it holds.
    pub fn lock(&self) -> Option<Held<'_, 'm, F, S, C>> {
        self.clients.lock().ok()
    }

    /// Gives the store back; `None`: a thread panicked while it held it.
    pub fn into_inner(self) -> Option<Clients<'m, F, S, C>> {
        self.clients.into_inner().ok()
    }
}

impl<'m, F: NorFlash, S, C> Shared<'m, F, S, C> {
    fn hold(&self) -> Result<Held<'_, 'm, F, S, C>, SharedError<F::Error>> {
        self.lock().ok_or(SharedError::Poisoned)
    }
}

impl<F, S, C> fmt::Debug for Shared<'_, F, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

handle!(lockstone_macros::strip, ['m], [], Shared<'m, F, S, C>);
