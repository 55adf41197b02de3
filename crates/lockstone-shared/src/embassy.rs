//! Tasks of Embassy, or of any other executor: the store behind a lock that wakes one task at a time, in the order in which they came.

use core::fmt;
use core::ops::{Deref, DerefMut};

use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::mutex::{Mutex, MutexGuard};
use embedded_storage_async::nor_flash::NorFlash;
use lockstone::asynchronous::Clients;
use lockstone::seal::Suite;
use lockstone::trust::{MonotonicCounter, NoCounter};
use lockstone::{Attributes, ClientId, Cursor, Error, Put, Rights};

use SharedError as Failure;

use crate::turns::{Turn, Turns};

/// The store and its lock. `M` says from where it is called: `NoopRawMutex` for one executor, `CriticalSectionRawMutex` for several.
///
/// `WAITING` tasks may wait while another is in a call: as many as there are tasks with a handle, less one, never see
/// [`SharedError::Crowded`]. A waiter takes 16 bytes of RAM or a few more. Each waits for those that came before it, and sleeps until
/// it is its turn.
///
/// A call that is dropped at an await gives the lock back, and the store looks at its flash again before it does anything else. One that
/// is kept and not polled any more (behind a `select` whose timer came first) keeps the lock, or its turn, and all others wait: drop it
/// or poll it.
///
/// ```
/// use embassy_sync::blocking_mutex::raw::NoopRawMutex;
/// use lockstone::asynchronous::{Clients, Store};
/// use lockstone::{Ascon, Memory, Part, SoftRootKey, buffer_size};
/// use lockstone_shared::embassy::{Handle, Shared};
/// use lockstone_sim::SimFlash;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (flash, root) = (SimFlash::<1, 4, 4096>::new(16 * 4096, 0xff), SoftRootKey::new([0x42; 32]));
/// # let random = &mut lockstone_torture::Random(1);
/// let mut memory = Memory::<16, { buffer_size(1, 4, 4096) + 16 }>::new(); // on a chip: in a `StaticCell`
/// # embassy_futures::block_on(async {
/// let store = Store::<_, Ascon>::format(flash, Part::NOR, &root, random, &mut memory).await?;
/// let shared = Shared::<NoopRawMutex, _, _>::new(Clients::new(store, &mut []));
/// let network = Handle::of(&shared, 1);
/// network.put(b"session", b"a secret").await?;
/// assert_eq!(network.length(b"session").await?, Some(8));
/// # Ok(()) })
/// # }
/// ```
pub struct Shared<'m, M: RawMutex, F, S, C = NoCounter, const WAITING: usize = 8> {
    turns: Turns<M, WAITING>,
    /// Whoever has its turn is alone here, so this never makes anybody wait: that mutex keeps one waker only, and two tasks that waited
    /// for it would wake each other for ever.
    clients: Mutex<M, Clients<'m, F, S, C>>,
}

/// The store, as long as this is kept. In this order: the store is given back, and then the turn.
pub struct Held<'s, 'm, M: RawMutex, F, S, C = NoCounter, const WAITING: usize = 8> {
    clients: MutexGuard<'s, M, Clients<'m, F, S, C>>,
    _turn: Turn<'s, M, WAITING>,
}

impl<'m, M: RawMutex, F, S, C, const WAITING: usize> Deref for Held<'_, 'm, M, F, S, C, WAITING> {
    type Target = Clients<'m, F, S, C>;

    fn deref(&self) -> &Self::Target {
        &self.clients
    }
}

impl<M: RawMutex, F, S, C, const WAITING: usize> DerefMut for Held<'_, '_, M, F, S, C, WAITING> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.clients
    }
}

impl<M: RawMutex, F, S, C, const WAITING: usize> fmt::Debug for Held<'_, '_, M, F, S, C, WAITING> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedError<E> {
    /// What the store said.
    Store(Error<E>),
    /// As many tasks wait as there is room for. Nothing was changed: give [`Shared`] a larger `WAITING`.
    Crowded,
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
            Self::Crowded => f.write_str("as many tasks wait for the store as there is room for"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for SharedError<E> {}

impl<'m, M: RawMutex, F, S, C, const WAITING: usize> Shared<'m, M, F, S, C, WAITING> {
    /// Puts a lock around a store.
    pub const fn new(clients: Clients<'m, F, S, C>) -> Self {
        Self { turns: Turns::new(), clients: Mutex::new(clients) }
    }

    /// The store itself, for as long as it is held: for several calls that belong together. Give it to no client, as it
    /// reaches all of them. `None`: `WAITING` others wait already.
    ///
    /// A task that calls a handle while it holds this waits for itself, for ever: call the store that it holds.
    pub async fn lock(&self) -> Option<Held<'_, 'm, M, F, S, C, WAITING>> {
        let turn = self.turns.take().await?;
        Some(Held { clients: self.clients.lock().await, _turn: turn })
    }

    /// Gives the store back.
    pub fn into_inner(self) -> Clients<'m, F, S, C> {
        self.clients.into_inner()
    }
}

impl<'m, M: RawMutex, F: NorFlash, S, C, const WAITING: usize> Shared<'m, M, F, S, C, WAITING> {
    async fn hold(&self) -> Result<Held<'_, 'm, M, F, S, C, WAITING>, SharedError<F::Error>> {
        self.lock().await.ok_or(SharedError::Crowded)
    }
}

impl<M: RawMutex, F, S, C, const WAITING: usize> fmt::Debug for Shared<'_, M, F, S, C, WAITING> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

handle!(lockstone_macros::keep, ['m, M: RawMutex], [const WAITING: usize], Shared<'m, M, F, S, C, WAITING>);
