//! The flash simulator as a platform: for C programs that test what a power cut, an attacker or a full flash does to them.
//!
//! One chip with program units of 4 bytes and blocks of 4 KiB, and a counter, on one power supply. Not for devices: its key is
//! in this file.
#![expect(unsafe_code, reason = "the edge to C")]

use core::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone::SoftRootKey;
use lockstone::trust::RootKey;
use lockstone_sim::{Power, SimCounter, SimFlash, Tear};

use crate::allegation::{Out, Source, Target};
use crate::platform::{Platform, VERSION};

/// The chip.
pub(crate) type Chip = SimFlash<1, 4, 4096>;
/// Steps of the counter.
const LIMIT: u64 = 1 << 30;

/// Everything that is simulated.
pub(crate) struct Sim {
    flash: Chip,
    counter: SimCounter,
    power: Power,
    saved: Option<(Chip, u64)>,
    client: i32,
    provisioning: bool,
    drawn: u8,
}

impl Sim {
    #[cfg(feature = "storage")]
    pub(crate) const fn flash(&mut self) -> &mut Chip {
        &mut self.flash
    }
}

static SIM: Mutex<Option<Sim>> = Mutex::new(None);

pub(crate) fn sim() -> MutexGuard<'static, Option<Sim>> {
    SIM.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with what is simulated; -1 when nothing is, or it fails.
fn on_sim(act: impl FnOnce(&mut Sim) -> Option<()>) -> i32 {
    if sim().as_mut().and_then(act).is_some() { 0 } else { -1 }
}

unsafe extern "C" fn read(_: *mut c_void, address: u32, to: *mut c_void, length: usize) -> i32 {
    // SAFETY: whoever calls a hook hands over room for that length.
    let mut target = unsafe { Target::new(to, length) };
    on_sim(|sim| sim.flash.read(address, target.first(length).ok()?).ok())
}

unsafe extern "C" fn program(_: *mut c_void, address: u32, from: *const c_void, length: usize) -> i32 {
    // SAFETY: whoever calls a hook hands over bytes of that length.
    let source = unsafe { Source::new(from, length) };
    on_sim(|sim| sim.flash.write(address, source.at_most(length).ok()?).ok())
}

unsafe extern "C" fn erase(_: *mut c_void, address: u32, length: usize) -> i32 {
    on_sim(|sim| sim.flash.erase(address, address.checked_add(u32::try_from(length).ok()?)?).ok())
}

unsafe extern "C" fn derive_key(_: *mut c_void, label: *const u8, length: usize, key: *mut u8) -> i32 {
    // SAFETY: whoever calls a hook hands over a label of that length and room for a key.
    let (label, mut target) = unsafe { (Source::new(label.cast(), length), Target::new(key.cast(), 32)) };
    on_sim(|_| {
        let key: &mut [u8; 32] = target.first(32).ok()?.try_into().ok()?;
        SoftRootKey::new([0x51; 32]).derive(label.at_most(length).ok()?, key).ok()
    })
}

unsafe extern "C" fn random(_: *mut c_void, to: *mut u8, length: usize) -> i32 {
    // SAFETY: whoever calls a hook hands over room for that length.
    let mut target = unsafe { Target::new(to.cast(), length) };
    on_sim(|sim| {
        for byte in target.first(length).ok()? {
            sim.drawn = sim.drawn.wrapping_mul(5).wrapping_add(7);
            *byte = sim.drawn;
        }
        Some(())
    })
}

unsafe extern "C" fn counter_read(_: *mut c_void, value: *mut u64) -> i32 {
    // SAFETY: whoever calls a hook hands over room for the value.
    let mut out = unsafe { Out::new(value) };
    on_sim(|sim| sim.counter.read().ok().map(|value| out.set(value)))
}

unsafe extern "C" fn counter_increment(_: *mut c_void, value: *mut u64) -> i32 {
    // SAFETY: whoever calls a hook hands over room for the value.
    let mut out = unsafe { Out::new(value) };
    on_sim(|sim| sim.counter.increment().ok().map(|value| out.set(value)))
}

unsafe extern "C" fn client(_: *mut c_void) -> i32 {
    sim().as_ref().map_or(0, |sim| sim.client)
}

unsafe extern "C" fn provisioning(_: *mut c_void) -> i32 {
    sim().as_ref().is_some_and(|sim| sim.provisioning).into()
}

/// Makes a blank chip of `size` bytes, whole blocks, and a counter at 0.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_reset(size: u32) -> i32 {
    if size == 0 || size > 1 << 26 || !size.is_multiple_of(4096) {
        return -1;
    }
    let (mut flash, mut counter, power) = (Chip::new(size as usize, 0xff), SimCounter::new(LIMIT), Power::new());
    flash.plug_in(&power);
    counter.plug_in(&power);
    #[cfg(feature = "storage")]
    crate::sim_storage_c::reset();
    *sim() = Some(Sim { flash, counter, power, saved: None, client: 0, provisioning: false, drawn: 1 });
    0
}

/// Says what the simulated platform is.
///
/// # Safety
/// The pointer is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_sim_platform(platform: *mut Platform) -> i32 {
    // SAFETY: the caller's promise.
    let mut out = unsafe { Out::new(platform) };
    on_sim(|sim| {
        out.set(Platform {
            version: VERSION,
            flags: 0,
            context: core::ptr::null_mut(),
            flash_size: u32::try_from(sim.flash.capacity()).ok()?,
            program_unit: 4,
            erase_block: 4096,
            erased_value: 0xff,
            read: Some(read),
            program: Some(program),
            erase: Some(erase),
            derive_key: Some(derive_key),
            random: Some(random),
            counter_read: Some(counter_read),
            counter_increment: Some(counter_increment),
            counter_limit: LIMIT,
            lock: None,
            unlock: None,
            client: Some(client),
            provisioning: Some(provisioning),
        });
        (!out.is_missing()).then_some(())
    })
}

/// Cuts the power in the operation that `after` others precede, in the `tear`th of ten ways.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_cut(after: u64, tear: u32) -> i32 {
    on_sim(|sim| {
        let tear = Tear::ALL.get(tear as usize)?;
        sim.flash.set_seed(after.wrapping_mul(31).wrapping_add(7));
        sim.counter.set_seed(after);
        sim.power.cut_at(after, *tear);
        Some(())
    })
}

/// Switches the power on (an armed cut that did not happen is forgotten) or off.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_power(on: i32) -> i32 {
    on_sim(|sim| {
        sim.power.cancel_cut();
        if on != 0 {
            sim.power.on()
        } else {
            sim.power.off()
        }
        Some(())
    })
}

/// How many operations changed anything so far.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_operations() -> u64 {
    sim().as_ref().map_or(0, |sim| sim.power.operations())
}

/// Keeps an image of flash and counter.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_save() -> i32 {
    on_sim(|sim| {
        sim.saved = Some((sim.flash.clone(), sim.counter.value()));
        Some(())
    })
}

/// Puts the image back that was kept: with its counter, as a test does, or the flash alone, as an attacker does.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_restore(counter_too: i32) -> i32 {
    on_sim(|sim| {
        let (flash, value) = sim.saved.as_ref()?;
        sim.flash.clone_from(flash);
        sim.flash.plug_in(&sim.power);
        if counter_too != 0 {
            sim.counter = SimCounter::with_value(*value, LIMIT);
            sim.counter.plug_in(&sim.power);
        }
        Some(())
    })
}

/// Flips bits of a byte of the flash.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_flip(address: u32, bits: u8) -> i32 {
    on_sim(|sim| {
        *sim.flash.data_mut().get_mut(address as usize)? ^= bits;
        Some(())
    })
}

/// Copies what the flash holds: for a search after plaintext.
///
/// # Safety
/// The pointer is null or writable for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lockstone_sim_image(to: *mut c_void, length: usize) -> i32 {
    // SAFETY: the caller's promise.
    let mut target = unsafe { Target::new(to, length) };
    on_sim(|sim| {
        let content = sim.flash.data();
        target.first(content.len()).ok()?.copy_from_slice(content);
        Some(())
    })
}

/// The open store keeps the table that the program said, as one that a program in Rust has changed does.
#[cfg(feature = "objects")]
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_keep_volumes() -> i32 {
    let kept = crate::shared::enter(|library| library.opened()?.keep_volumes());
    if kept.is_ok() { 0 } else { -1 }
}

/// Says who is calling from now on.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_set_client(client: i32) {
    let _ = on_sim(|sim| {
        sim.client = client;
        Some(())
    });
}

/// Says whether the device is being provisioned from now on.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_sim_set_provisioning(provisioning: i32) {
    let _ = on_sim(|sim| {
        sim.provisioning = provisioning != 0;
        Some(())
    });
}
