//! Shared: the boundary. Every call from C goes through [`enter`]: one caller at a time, no panic beyond it.
//!
//! With `std` the lock is a mutex; without it the platform's hooks are called, and where there are none the caller sees to
//! it. A hook that calls the library again is answered [`Failure::Busy`].
#![cfg_attr(not(feature = "std"), expect(unsafe_code, reason = "a lock that is the platform's"))]

use crate::failure::{Failure, Result};
use crate::library::Library;

/// Calls into the library as the only one there.
#[cfg(feature = "std")]
pub(crate) fn enter<T>(call: impl FnOnce(&mut Library) -> Result<T>) -> Result<T> {
    use core::cell::Cell;
    use core::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;
    use std::sync::{Mutex, PoisonError};

    static LIBRARY: Mutex<Library> = Mutex::new(Library::new());
    std::thread_local! { static INSIDE: Cell<bool> = const { Cell::new(false) }; }

    // A thread that is ending has no local any more, and is in no hook either.
    if INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(false) {
        return Err(Failure::Busy);
    }
    let mut library = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    // Whatever the call left half-done in RAM is not used again.
    let result = catch_unwind(AssertUnwindSafe(|| call(&mut library))).unwrap_or_else(|_| {
        library.abandon();
        Err(Failure::Internal)
    });
    drop(library);
    let _ = INSIDE.try_with(|inside| inside.set(false));
    result
}

#[cfg(not(feature = "std"))]
pub(crate) use bare::{enter, set_lock};

#[cfg(not(feature = "std"))]
mod bare {
    use core::cell::UnsafeCell;
    use core::sync::atomic::{AtomicBool, Ordering};

    use super::{Failure, Library, Result};
    use crate::platform::Platform;

    struct Shared {
        library: UnsafeCell<Library>,
        /// Whose hooks lock.
        lock: UnsafeCell<Option<Platform>>,
        inside: AtomicBool,
    }

    // SAFETY: `library` is only used between `lock` and `unlock`, and by one caller at a time (`inside`); `lock` is set by
    // the call that opens, before which `lockstone.h` allows no other.
    unsafe impl Sync for Shared {}

    static SHARED: Shared = Shared {
        library: UnsafeCell::new(Library::new()),
        lock: UnsafeCell::new(None),
        inside: AtomicBool::new(false),
    };

    /// From now on the hooks of this platform lock.
    pub(crate) fn set_lock(platform: Platform) {
        // SAFETY: nobody else is in the library while it's being opened: see `Shared`.
        unsafe { *SHARED.lock.get() = Some(platform) };
    }

    pub(crate) fn enter<T>(call: impl FnOnce(&mut Library) -> Result<T>) -> Result<T> {
        // SAFETY: written only while it's being opened: see `Shared`.
        let platform = unsafe { *SHARED.lock.get() };
        let hook = |hook: Option<unsafe extern "C" fn(*mut core::ffi::c_void)>| {
            if let (Some(hook), Some(platform)) = (hook, platform) {
                // SAFETY: a hook of a checked platform, called as `lockstone.h` says.
                unsafe { hook(platform.context) };
            }
        };
        hook(platform.and_then(|platform| platform.lock));
        let result = if SHARED.inside.load(Ordering::Acquire) {
            Err(Failure::Busy)
        } else {
            SHARED.inside.store(true, Ordering::Release);
            // SAFETY: locked, and nobody is inside: this is the only reference.
            let result = call(unsafe { &mut *SHARED.library.get() });
            SHARED.inside.store(false, Ordering::Release);
            result
        };
        hook(platform.and_then(|platform| platform.unlock));
        result
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_at_the_boundary_and_nothing_is_used_after_it() {
        let _alone = crate::alone();
        assert_eq!(enter(|_| -> Result<()> { panic!("a mistake in the library") }), Err(Failure::Internal));
        assert_eq!(enter(|library| library.opened().map(|_| ())), Err(Failure::Internal));
        assert_eq!(enter(Library::close), Err(Failure::NotOpen), "closing is what mends it");
        assert_eq!(enter(|_| enter(|_| Ok(()))), Err(Failure::Busy), "entered from within");
        assert_eq!(enter(|_| Ok(7)), Ok(7));
    }
}
