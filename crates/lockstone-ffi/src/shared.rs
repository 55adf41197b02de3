//! Shared: the boundary. Every call from C goes through [`enter`]: one caller at a time, no panic beyond it.
//!
//! With `std` the lock is a mutex; without it the platform's hooks are called, and where there are none the caller sees to
//! it. A hook that calls the library again is answered [`Failure::Busy`].
#![cfg_attr(not(feature = "std"), expect(unsafe_code, reason = "a lock that is the platform's"))]

use crate::failure::{Failure, Result};
use crate::library::Library;

/// The native status code of a result.
pub(crate) fn status(result: Result<()>) -> i32 {
    result.map_or_else(Failure::code, |()| 0)
}

/// Calls into the library as the only one there.
#[cfg(feature = "std")]
pub(crate) fn enter<T>(call: impl FnOnce(&mut Library) -> Result<T>) -> Result<T> {
    use core::cell::Cell;
    use core::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;
    use std::sync::Mutex;

    static LIBRARY: Mutex<Library> = Mutex::new(Library::new());
    std::thread_local! { static INSIDE: Cell<bool> = const { Cell::new(false) }; }

    // A thread that is ending has no local any more, and is in no hook either.
    if INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(false) {
        return Err(Failure::Busy);
    }
    let Some(mut library) = lock(&LIBRARY) else {
        let _ = INSIDE.try_with(|inside| inside.set(false));
        return Err(Failure::Device);
    };
    library.leave_if_forked();
    // Whatever the call left half-done in RAM is not used again.
    let result = catch_unwind(AssertUnwindSafe(|| call(&mut library))).unwrap_or_else(|_| {
        library.abandon();
        Err(Failure::Internal)
    });
    drop(library);
    let _ = INSIDE.try_with(|inside| inside.set(false));
    result
}

/// Waits for the library; `None` in a process that was forked while another thread was in it: that thread is not here.
#[cfg(feature = "std")]
fn lock(library: &std::sync::Mutex<Library>) -> Option<std::sync::MutexGuard<'_, Library>> {
    use core::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{PoisonError, TryLockError};

    /// The process that was let in last; 0: none.
    static PROCESS: AtomicU32 = AtomicU32::new(0);

    let process = std::process::id();
    if [0, process].contains(&PROCESS.load(Ordering::Acquire)) {
        PROCESS.store(process, Ordering::Release);
        return Some(library.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let guard = match library.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    PROCESS.store(process, Ordering::Release);
    Some(guard)
}

#[cfg(not(feature = "std"))]
pub(crate) use bare::{enter, set_lock};

#[cfg(not(feature = "std"))]
mod bare {
    use core::cell::UnsafeCell;
    use core::ffi::c_void;
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
    // the calls that open and close, beside which `lockstone.h` allows no other.
    unsafe impl Sync for Shared {}

    static SHARED: Shared = Shared {
        library: UnsafeCell::new(Library::new()),
        lock: UnsafeCell::new(None),
        inside: AtomicBool::new(false),
    };

    /// From the next call on the hooks of this platform lock, or none. Only from within.
    pub(crate) fn set_lock(platform: Option<Platform>) {
        // SAFETY: nobody else is in the library while it's being opened or closed: see `Shared`.
        unsafe { *SHARED.lock.get() = platform };
    }

    /// Calls into the library as the only one there.
    pub(crate) fn enter<T>(call: impl FnOnce(&mut Library) -> Result<T>) -> Result<T> {
        let unlock = lock();
        let result = begin().ok_or(Failure::Busy).and_then(|library| {
            let result = call(library);
            SHARED.inside.store(false, Ordering::Release);
            result
        });
        unlock.call();
        result
    }

    /// A hook to call, if there is one, and what it's given.
    struct Hook(Option<unsafe extern "C" fn(*mut c_void)>, *mut c_void);

    impl Hook {
        #[inline(never)]
        fn call(&self) {
            if let Some(hook) = self.0 {
                // SAFETY: a hook of a checked platform, called as `lockstone.h` says.
                unsafe { hook(self.1) };
            }
        }
    }

    /// Who unlocks what is locked now: whoever is to lock may be another by then.
    #[inline(never)]
    fn lock() -> Hook {
        // SAFETY: written only while it's being opened or closed: see `Shared`.
        let Some(platform) = (unsafe { &*SHARED.lock.get() }) else { return Hook(None, core::ptr::null_mut()) };
        let (lock, unlock) = (Hook(platform.lock, platform.context), Hook(platform.unlock, platform.context));
        lock.call();
        unlock
    }

    /// Whether somebody was inside; somebody is now.
    #[cfg(target_has_atomic = "8")]
    fn enter_once() -> bool {
        SHARED.inside.swap(true, Ordering::AcqRel)
    }

    /// The same for processors that can't exchange a value: there it is the lock that keeps others out.
    #[cfg(not(target_has_atomic = "8"))]
    fn enter_once() -> bool {
        let inside = SHARED.inside.load(Ordering::Acquire);
        SHARED.inside.store(true, Ordering::Release);
        inside
    }

    /// The library, unless somebody is inside: then the caller is one of its hooks.
    #[inline(never)]
    fn begin() -> Option<&'static mut Library> {
        if enter_once() {
            return None;
        }
        // SAFETY: locked, and nobody was inside: until `inside` is taken back this is the only reference.
        Some(unsafe { &mut *SHARED.library.get() })
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

#[cfg(all(test, not(feature = "std")))]
mod tests {
    use core::ffi::c_void;
    use core::ptr::null_mut;
    use core::sync::atomic::{AtomicI32, Ordering::SeqCst};

    use super::*;
    use crate::platform::Platform;

    static DEPTH: AtomicI32 = AtomicI32::new(0);
    static LOCKS: AtomicI32 = AtomicI32::new(0);

    extern "C" fn lock(_: *mut c_void) {
        LOCKS.fetch_add(1, SeqCst);
        DEPTH.fetch_add(1, SeqCst);
    }

    extern "C" fn unlock(_: *mut c_void) {
        DEPTH.fetch_sub(1, SeqCst);
    }

    /// The lock of the platform is held around each call, and nobody is let in twice.
    #[test]
    fn the_platforms_lock_is_held_and_a_hook_is_not_let_in() {
        let platform = Platform {
            version: 1,
            flags: 0,
            context: null_mut(),
            flash_size: 0,
            program_unit: 4,
            erase_block: 4096,
            erased_value: 0xff,
            read: None,
            program: None,
            erase: None,
            derive_key: None,
            random: None,
            counter_read: None,
            counter_increment: None,
            counter_limit: 0,
            lock: Some(lock),
            unlock: Some(unlock),
            client: None,
            provisioning: None,
        };
        let opened = enter(|_| {
            set_lock(Some(platform));
            Ok(DEPTH.load(SeqCst))
        });
        assert_eq!((opened, DEPTH.load(SeqCst)), (Ok(0), 0), "what was not locked is not unlocked");
        assert_eq!(enter(|_| Ok(DEPTH.load(SeqCst))), Ok(1));
        assert_eq!(enter(|_| enter(|_| Ok(()))), Err(Failure::Busy));
        assert_eq!(enter(|library| library.opened().map(|_| ())), Err(Failure::NotOpen));
        assert_eq!((DEPTH.load(SeqCst), LOCKS.load(SeqCst)), (0, 4));
        let closed = enter(|_| {
            set_lock(None);
            Ok(DEPTH.load(SeqCst))
        });
        assert_eq!((closed, DEPTH.load(SeqCst)), (Ok(1), 0), "what was locked is unlocked");
        assert_eq!(enter(|_| Ok(DEPTH.load(SeqCst))), Ok(0));
    }
}
