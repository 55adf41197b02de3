//! Tasks of Embassy, or of any other executor: the store behind the asynchronous mutex of `embassy-sync`.

use core::fmt;
use core::ops::Deref;

use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::mutex::{Mutex, MutexGuard};
use embedded_storage_async::nor_flash::NorFlash;
use lockstone::asynchronous::Clients;
use lockstone::seal::Suite;
use lockstone::trust::{MonotonicCounter, NoCounter};
use lockstone::{ClientId, Error, Put, Rights};

use Error as Failure;

/// The store and its lock. `M` says from where it is called: `NoopRawMutex` for one executor, `CriticalSectionRawMutex` for several.
///
/// A call that is dropped at an await gives the lock back, and the store looks at its flash again before it does anything else.
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
pub struct Shared<'m, M: RawMutex, F, S, C = NoCounter> {
    clients: Mutex<M, Clients<'m, F, S, C>>,
}

/// The store, as long as this is kept.
pub type Held<'s, 'm, M, F, S, C> = MutexGuard<'s, M, Clients<'m, F, S, C>>;

impl<'m, M: RawMutex, F, S, C> Shared<'m, M, F, S, C> {
    /// Puts a lock around a store.
    pub const fn new(clients: Clients<'m, F, S, C>) -> Self {
        Self { clients: Mutex::new(clients) }
    }

    /// The store itself, for as long as it is held: for several calls that belong together. Give it to no client, as it
    /// reaches all of them.
    pub async fn lock(&self) -> Held<'_, 'm, M, F, S, C> {
        self.clients.lock().await
    }

    /// Gives the store back.
    pub fn into_inner(self) -> Clients<'m, F, S, C> {
        self.clients.into_inner()
    }
}

impl<'m, M: RawMutex, F: NorFlash, S, C> Shared<'m, M, F, S, C> {
    async fn hold(&self) -> Result<Held<'_, 'm, M, F, S, C>, Error<F::Error>> {
        Ok(self.lock().await)
    }
}

impl<M: RawMutex, F, S, C> fmt::Debug for Shared<'_, M, F, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

handle!(lockstone_macros::keep, ['m, M: RawMutex], Shared<'m, M, F, S, C>);
