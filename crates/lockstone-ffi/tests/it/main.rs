//! The exported functions, called as C calls them: from threads, with nonsense, on a device in a directory.
//!
//! What C itself must compile is in `c/`, run by `cargo xtask capi`; this needs only cargo.

#![expect(unsafe_code, reason = "calls what C calls")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on is to say so")]

mod device;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod hostile;
mod threads;

use std::ffi::{CStr, CString, c_void};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lockstone_ffi::native_c::{lockstone_close, lockstone_get, lockstone_open_device, lockstone_put};

/// The library is one, so tests take turns, each with a fresh device.
struct Bench {
    folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = lockstone_close();
        let bench = Self { folder: tempfile::tempdir().unwrap(), _alone: alone };
        assert_eq!(open(&bench.device()), 0);
        bench
    }

    fn device(&self) -> std::path::PathBuf {
        self.folder.path().join("dev")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = lockstone_close();
    }
}

fn open(path: &Path) -> i32 {
    let path = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: ends with a NUL.
    unsafe { lockstone_open_device(path.as_ptr()) }
}

fn put(name: &CStr, value: &[u8]) -> i32 {
    // SAFETY: the name ends with a NUL, and the value is there for its length.
    unsafe { lockstone_put(name.as_ptr(), value.as_ptr().cast(), value.len(), 0) }
}

/// The value, or the status.
fn get(name: &CStr) -> Result<Vec<u8>, i32> {
    let (mut value, mut length) = (vec![0; 4096], 0);
    let (start, size): (*mut c_void, _) = (value.as_mut_ptr().cast(), value.len());
    // SAFETY: the name ends with a NUL, and there is room for what is written.
    let status = unsafe { lockstone_get(name.as_ptr(), start, size, &raw mut length) };
    value.truncate(length);
    if status == 0 { Ok(value) } else { Err(status) }
}
