//! What the probes of the C interface share: a platform and memory at made-up addresses, and a register for what is said.

use core::ffi::{c_char, c_void};
use core::ptr::write_volatile;

use lockstone_ffi::native_c::{lockstone_delete, lockstone_get, lockstone_open, lockstone_put};
use lockstone_ffi::{Memory, Platform};

/// Where a platform, memory, names and values might lie.
const PLACE: usize = 0x6000_0000;
/// A register that takes what must not be optimised away.
const REGISTER: usize = 0x4000_0000;

/// Keeps the compiler from leaving a call out.
pub fn keep(status: i32) {
    // SAFETY: a register of the chip of this probe, aligned, and no Rust object lies there.
    unsafe { write_volatile(REGISTER as *mut i32, status) };
}

/// Somewhere.
#[allow(dead_code, reason = "not every probe needs it")]
pub fn somewhere() -> *mut c_void {
    (PLACE + 0x1000) as *mut c_void
}

/// Opens, gets, puts, deletes: what every probe of the C interface does.
pub fn native() {
    let name = (PLACE + 0x400) as *const c_char;
    let mut length = 0;
    // SAFETY: never run; a chip would have a platform, memory and a name at these places.
    unsafe {
        keep(lockstone_open(PLACE as *const Platform, (PLACE + 0x200) as *const Memory));
        keep(lockstone_get(name, somewhere(), 64, &raw mut length));
        keep(lockstone_put(name, somewhere(), length, 0));
        keep(lockstone_delete(name));
    }
}

/// All of PSA Secure Storage.
#[allow(dead_code, reason = "each probe calls one")]
pub fn psa() {
    use lockstone_ffi::psa_c::{
        psa_its_get, psa_its_get_info, psa_its_remove, psa_its_set, psa_ps_create, psa_ps_get, psa_ps_get_info,
        psa_ps_get_support, psa_ps_remove, psa_ps_set, psa_ps_set_extended,
    };
    let mut length = 0;
    // SAFETY: never run; a chip would have memory at these places.
    unsafe {
        keep(psa_its_set(1, 64, somewhere(), 0));
        keep(psa_its_get(1, 0, 64, somewhere(), &raw mut length));
        keep(psa_its_get_info(1, somewhere().cast()));
        keep(psa_its_remove(1));
        keep(psa_ps_set(1, 64, somewhere(), 0));
        keep(psa_ps_get(1, 0, 64, somewhere(), &raw mut length));
        keep(psa_ps_get_info(1, somewhere().cast()));
        keep(psa_ps_remove(1));
        keep(psa_ps_create(1, 64, 0));
        keep(psa_ps_set_extended(1, 0, 64, somewhere()));
        keep(psa_ps_get_support().cast_signed());
    }
}

/// All of CFSTORE: its table.
#[allow(dead_code, reason = "each probe calls one")]
pub fn cfstore() {
    // SAFETY: a register of the chip of this probe, aligned, and no Rust object lies there.
    unsafe {
        write_volatile(REGISTER as *mut *const c_void, (&raw const lockstone_ffi::cfstore_c::cfstore_driver).cast())
    };
}
