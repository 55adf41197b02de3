//! `cfstore_driver`: the table of `configuration_store.h`, its 17 functions in their order.
//!
//! A callback is called when the operation is over and the library unlocked, so it may call the library itself.
#![expect(unsafe_code, reason = "the edge to C")]

use core::ffi::{c_char, c_void};

use crate::allegation::{Out, Source, Target, name, read};
use crate::cfstore::codes::{
    INTERNAL, INVALID_HANDLE, INVALID_HANDLE_BUF, INVALID_KEY_LEN, INVALID_KEY_NAME, INVALID_READ_BUFFER,
    INVALID_WRITE_BUFFER, NAME_MAX, Opcode, PARAMETER, UNINITIALISED,
};
use crate::cfstore::{Answer, Buffer, CONTEXTS, Description, Mode};
pub use crate::common_c::{Bits, Version};
use crate::failure::Failure;
use crate::library::{Library, Open};
use crate::shared::{enter, status};

/// `ARM_CFSTORE_KEYDESC`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// Who may do what.
    pub acl: Bits,
    /// How long data must be kept.
    pub drl: u8,
    /// What is asked of the protection.
    pub security: Bits,
    /// How the handle is opened.
    pub flags: Bits,
}

/// `ARM_CFSTORE_CALLBACK`.
pub type Callback = unsafe extern "C" fn(i32, i32, *mut c_void, *mut c_void);

/// Whom to call back.
#[derive(Clone, Copy)]
pub(crate) struct Notify {
    callback: Callback,
    context: *mut c_void,
}

// SAFETY: the context is only handed back to the callback, which `configuration_store.h` says may come on any thread that
// calls the driver.
unsafe impl Send for Notify {}

/// A call that is due when the library is unlocked.
struct Due {
    notify: Option<Notify>,
    status: i32,
    opcode: Opcode,
}

impl Due {
    /// Calls back, if anybody wants to know; the status.
    fn call(self, handle: *mut c_void) -> i32 {
        if let Some(Notify { callback, context }) = self.notify {
            // SAFETY: the client gave both to Initialize, for as long as the driver is initialised.
            unsafe { callback(self.status, self.opcode as i32, context, handle) };
        }
        self.status
    }
}

/// What the caller of an operation hears of an early error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Early {
    /// Its callback too.
    Called,
    /// The return value alone.
    Silent,
}

/// Does an operation of a context on the open store, and calls back. One piece of code for all operations.
fn operate(
    context: usize,
    opcode: Opcode,
    handle: *mut c_void,
    early: Early,
    act: &mut dyn FnMut(&mut Open) -> Answer,
) -> i32 {
    let due = enter(|library| {
        let Some(open) = in_use(library, context) else {
            return Ok(Due { notify: None, status: UNINITIALISED, opcode });
        };
        let notify = open.cfstore.context().notify;
        match open.cfstore.check() {
            Err(status) => Ok(Due { notify: notify.filter(|_| early == Early::Called), status, opcode }),
            Ok(()) => {
                let status = act(open).unwrap_or_else(|code| code);
                Ok(Due { notify: notify.filter(|_| open.cfstore.context().pending.is_none()), status, opcode })
            }
        }
    });
    due.map_or_else(Failure::cfstore, |due| due.call(handle))
}

/// The open store, if somebody has initialised this context of it, which is the one that calls from here on.
fn in_use(library: &mut Library, context: usize) -> Option<&mut Open> {
    let open = library.if_open()?;
    open.cfstore.turn_to(context);
    open.cfstore.is_used().then_some(open)
}

/// Does an operation on an open handle: its place, and its key in hand.
///
/// # Safety
/// The handle is null or readable for 24 bytes.
#[inline(never)]
unsafe fn operate_on(
    context: usize,
    opcode: Opcode,
    handle: *mut c_void,
    early: Early,
    act: &mut dyn FnMut(&mut Open, usize) -> Answer,
) -> i32 {
    // SAFETY: the caller's promise; any bits are a buffer.
    let held = unsafe { read(handle.cast::<Buffer>()) };
    operate(context, opcode, handle, early, &mut move |open| {
        let index = open.cf_find_handle(held.as_ref().ok_or(INVALID_HANDLE)?)?;
        act(open, index)
    })
}

/// What opens a handle by a name, and says its place.
type Opening<'a> = dyn FnMut(&mut Open, &[u8]) -> Result<usize, i32> + 'a;

/// Does an operation with a name or a pattern that opens a handle.
///
/// # Safety
/// The name is null or ends with a NUL; the handle is null or writable for 24 bytes.
#[inline(never)]
unsafe fn operate_named(
    context: usize,
    opcode: Opcode,
    text: *const c_char,
    handle: *mut c_void,
    early: Early,
    act: &mut Opening<'_>,
) -> i32 {
    let mut room = [0; NAME_MAX + 1];
    // SAFETY: the caller's promise.
    let (text, mut place) = unsafe { (name(text, &mut room), Out::new(handle.cast::<Buffer>())) };
    operate(context, opcode, handle, early, &mut move |open| {
        if place.is_missing() {
            return Err(INVALID_HANDLE_BUF);
        }
        let index = act(open, text.map_err(|_| INVALID_KEY_NAME)?)?;
        place.set(open.cfstore.buffer_of(index));
        Ok(0)
    })
}

/// No caller can own more.
const fn ownable(length: usize) -> Result<(), i32> {
    if length > isize::MAX as usize { Err(PARAMETER) } else { Ok(()) }
}

#[inline(never)]
fn on_get_version(_context: usize) -> Version {
    Version { api: 0x0100, drv: 0x0001 }
}

#[inline(never)]
unsafe fn on_close(context: usize, handle: *mut c_void) -> i32 {
    // SAFETY: a handle is null or 24 bytes, as `configuration_store.h` says.
    unsafe {
        let mut place = Out::new(handle.cast::<Buffer>());
        operate_on(context, Opcode::Close, handle, Early::Called, &mut move |open, index| {
            place.set([0; 24]);
            open.cf_close(index)
        })
    }
}

#[inline(never)]
unsafe fn on_create(
    context: usize,
    key: *const c_char,
    value_len: usize,
    kdesc: *const KeyDescription,
    handle: *mut c_void,
) -> i32 {
    // SAFETY: name, description and handle are null or as `configuration_store.h` says.
    unsafe {
        let how = read(kdesc).map(|how| Description {
            acl: how.acl.bits,
            retention: how.drl,
            security: how.security.bits,
            mode: how.flags.bits,
        });
        operate_named(context, Opcode::Create, key, handle, Early::Silent, &mut move |open, key| {
            open.cf_create(key, value_len, how.as_ref())
        })
    }
}

#[inline(never)]
unsafe fn on_delete(context: usize, handle: *mut c_void) -> i32 {
    // SAFETY: a handle is null or 24 bytes.
    unsafe { operate_on(context, Opcode::Delete, handle, Early::Called, &mut move |open, _| open.cf_delete()) }
}

#[inline(never)]
unsafe fn on_find(context: usize, query: *const c_char, previous: *mut c_void, next: *mut c_void) -> i32 {
    // SAFETY: the pattern is null or ends with a NUL; handles are null or 24 bytes.
    unsafe {
        let (held, mut before) = (read(previous.cast::<Buffer>()), Out::new(previous.cast::<Buffer>()));
        operate_named(context, Opcode::Find, query, next, Early::Called, &mut move |open, query| {
            let found = open.cf_find(query, held.as_ref());
            // The previous handle is closed, unless the arguments were refused.
            if held.as_ref().is_some_and(|held| !open.cf_knows(held)) && !matches!(found, Err(INVALID_HANDLE_BUF)) {
                before.set([0; 24]);
            }
            found
        })
    }
}

#[inline(never)]
fn on_flush(context: usize) -> i32 {
    operate(context, Opcode::Flush, core::ptr::null_mut(), Early::Called, &mut Open::cf_flush_or_defer)
}

#[inline(never)]
fn on_get_capabilities(context: usize) -> Bits {
    let mode = enter(|library| {
        let present = in_use(library, context).map(|open| open.cfstore.context().mode);
        Ok(present.unwrap_or(library.modes[context]))
    });
    Bits { bits: u32::from(mode.is_ok_and(|mode| mode.has(Mode::ASYNCHRONOUS))) }
}

#[inline(never)]
unsafe fn on_get_key_name(context: usize, handle: *mut c_void, key: *mut c_char, key_len: *mut u8) -> i32 {
    // SAFETY: the length is null or readable.
    let room = unsafe { read(key_len) };
    // SAFETY: the name is null or writable for that length, which is writable too; a handle is null or 24 bytes.
    unsafe {
        let (mut target, mut length) = (Target::new(key.cast(), usize::from(room.unwrap_or(0))), Out::new(key_len));
        operate_on(context, Opcode::GetKeyName, handle, Early::Called, &mut move |open, _| {
            let room = room.filter(|room| *room > 0).ok_or(INVALID_KEY_LEN)?;
            if target.is_missing() {
                return Err(INVALID_KEY_NAME);
            }
            let found = open.cfstore.name();
            let clipped = found.len().min(usize::from(room) - 1);
            let (text, nul) = target.first(clipped + 1).map_err(|_| INTERNAL)?.split_at_mut(clipped);
            text.copy_from_slice(found.get(..clipped).ok_or(INTERNAL)?);
            nul.fill(0);
            let clipped = u8::try_from(clipped + 1).map_err(|_| INTERNAL)?;
            length.set(clipped);
            Ok(clipped.into())
        })
    }
}

/// Bit 0: an operation is in progress. Bit 1: not initialised.
#[inline(never)]
fn on_get_status(context: usize) -> Bits {
    let bits = enter(|library| {
        let Some(open) = library.if_open() else { return Ok(2) };
        open.cfstore.turn_to(context);
        Ok(u32::from(open.cfstore.context().pending.is_some()) | u32::from(!open.cfstore.is_used()) << 1)
    });
    Bits { bits: bits.unwrap_or(2) }
}

#[inline(never)]
unsafe fn on_get_value_len(context: usize, handle: *mut c_void, value_len: *mut usize) -> i32 {
    // SAFETY: a handle is null or 24 bytes, the length null or writable.
    unsafe {
        let mut length = Out::new(value_len);
        operate_on(context, Opcode::GetValueLen, handle, Early::Called, &mut move |open, _| {
            if length.is_missing() {
                return Err(PARAMETER);
            }
            let found = open.cfstore.now().length;
            length.set(found as usize);
            Ok(found.cast_signed())
        })
    }
}

#[inline(never)]
fn on_initialize(context: usize, callback: Option<Callback>, client_context: *mut c_void) -> i32 {
    let notify = callback.map(|callback| Notify { callback, context: client_context });
    let due = enter(|library| {
        let mode = library.modes[context];
        let open = library.opened()?;
        open.cfstore.turn_to(context);
        let first = !open.cfstore.is_used();
        let status = open.cf_initialize(notify, mode).unwrap_or_else(|code| code);
        let now = first && open.cfstore.context().pending.is_none();
        Ok(Due { notify: notify.filter(|_| now), status, opcode: Opcode::Initialize })
    });
    due.map_or_else(Failure::cfstore, |due| due.call(core::ptr::null_mut()))
}

#[inline(never)]
fn on_power_control(context: usize, state: i32) -> i32 {
    operate(context, Opcode::PowerControl, core::ptr::null_mut(), Early::Called, &mut move |open| open.cf_power(state))
}

#[inline(never)]
unsafe fn on_read_value(context: usize, handle: *mut c_void, data: *mut c_void, len: *mut usize) -> i32 {
    // SAFETY: the length is null or readable.
    let room = unsafe { read(len) };
    // SAFETY: the buffer is null or writable for that length, which is writable too; a handle is null or 24 bytes.
    unsafe {
        let (mut target, mut length) = (Target::new(data, room.unwrap_or(0)), Out::new(len));
        operate_on(context, Opcode::Read, handle, Early::Called, &mut move |open, index| {
            let readable = open.cf_readable(index, target.length())?;
            ownable(room.ok_or(INVALID_READ_BUFFER)?)?;
            if target.is_null() {
                return Err(INVALID_READ_BUFFER);
            }
            let read = open.cf_read(index, target.first(readable).map_err(|_| INVALID_READ_BUFFER)?)?;
            length.set(readable);
            Ok(read)
        })
    }
}

#[inline(never)]
unsafe fn on_open(context: usize, key: *const c_char, flags: Bits, handle: *mut c_void) -> i32 {
    // SAFETY: the name is null or ends with a NUL, a handle null or 24 bytes.
    unsafe {
        operate_named(context, Opcode::Open, key, handle, Early::Called, &mut move |open, key| {
            open.cf_open(key, flags.bits)
        })
    }
}

#[inline(never)]
unsafe fn on_rseek(context: usize, handle: *mut c_void, offset: usize) -> i32 {
    // SAFETY: a handle is null or 24 bytes.
    unsafe {
        operate_on(context, Opcode::Rseek, handle, Early::Silent, &mut move |open, index| {
            open.cfstore.rseek(index, offset)
        })
    }
}

#[inline(never)]
fn on_uninitialize(context: usize) -> i32 {
    operate(context, Opcode::Uninitialize, core::ptr::null_mut(), Early::Called, &mut Open::cf_uninitialize)
}

#[inline(never)]
unsafe fn on_write(context: usize, handle: *mut c_void, data: *const c_char, len: *mut usize) -> i32 {
    // SAFETY: the length is null or readable.
    let given = unsafe { read(len) };
    // SAFETY: the length is null or writable; a handle is null or 24 bytes.
    unsafe {
        let mut length = Out::new(len);
        operate_on(context, Opcode::Write, handle, Early::Called, &mut move |open, index| {
            let writable = open.cfstore.writable(index, given.unwrap_or(0))?;
            ownable(given.ok_or(INVALID_WRITE_BUFFER)?)?;
            // The data is null or readable for the length given, which is not less.
            let source = Source::new(data.cast(), writable);
            if data.is_null() {
                return Err(INVALID_WRITE_BUFFER);
            }
            let written = open.cf_write(index, source.at_most(writable).map_err(|_| INVALID_WRITE_BUFFER)?)?;
            length.set(writable);
            Ok(written)
        })
    }
}

/// The functions of a driver, which have no parameter for their context, are made for each number; all else is there once.
macro_rules! functions_of_a_context {
    ($($name:ident, $act:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {$(
        extern "C" fn $name<const N: usize>($($argument: $kind),*) -> $answer {
            $act(N, $($argument),*)
        }
    )*};
    (with pointers: $($name:ident, $act:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {$(
        unsafe extern "C" fn $name<const N: usize>($($argument: $kind),*) -> $answer {
            // SAFETY: what the caller promises of the driver's function.
            unsafe { $act(N, $($argument),*) }
        }
    )*};
}

functions_of_a_context! {
    get_version, on_get_version() -> Version;
    flush, on_flush() -> i32;
    get_capabilities, on_get_capabilities() -> Bits;
    get_status, on_get_status() -> Bits;
    initialize, on_initialize(callback: Option<Callback>, client_context: *mut c_void) -> i32;
    power_control, on_power_control(state: i32) -> i32;
    uninitialize, on_uninitialize() -> i32;
}

functions_of_a_context! {
    with pointers:
    close, on_close(handle: *mut c_void) -> i32;
    create, on_create(key: *const c_char, value_len: usize, kdesc: *const KeyDescription, handle: *mut c_void) -> i32;
    delete, on_delete(handle: *mut c_void) -> i32;
    find, on_find(query: *const c_char, previous: *mut c_void, next: *mut c_void) -> i32;
    get_key_name, on_get_key_name(handle: *mut c_void, key: *mut c_char, key_len: *mut u8) -> i32;
    get_value_len, on_get_value_len(handle: *mut c_void, value_len: *mut usize) -> i32;
    read_value, on_read_value(handle: *mut c_void, data: *mut c_void, len: *mut usize) -> i32;
    open, on_open(key: *const c_char, flags: Bits, handle: *mut c_void) -> i32;
    rseek, on_rseek(handle: *mut c_void, offset: usize) -> i32;
    write, on_write(handle: *mut c_void, data: *const c_char, len: *mut usize) -> i32;
}

/// `ARM_CFSTORE_DRIVER`: the order of its functions is the interface's, not the alphabet's.
#[repr(C)]
#[derive(Debug)]
#[expect(missing_docs, reason = "each is described in configuration_store.h")]
pub struct Driver {
    pub get_version: extern "C" fn() -> Version,
    pub close: unsafe extern "C" fn(*mut c_void) -> i32,
    pub create: unsafe extern "C" fn(*const c_char, usize, *const KeyDescription, *mut c_void) -> i32,
    pub delete: unsafe extern "C" fn(*mut c_void) -> i32,
    pub find: unsafe extern "C" fn(*const c_char, *mut c_void, *mut c_void) -> i32,
    pub flush: extern "C" fn() -> i32,
    pub get_capabilities: extern "C" fn() -> Bits,
    pub get_key_name: unsafe extern "C" fn(*mut c_void, *mut c_char, *mut u8) -> i32,
    pub get_status: extern "C" fn() -> Bits,
    pub get_value_len: unsafe extern "C" fn(*mut c_void, *mut usize) -> i32,
    pub initialize: extern "C" fn(Option<Callback>, *mut c_void) -> i32,
    pub power_control: extern "C" fn(i32) -> i32,
    pub read: unsafe extern "C" fn(*mut c_void, *mut c_void, *mut usize) -> i32,
    pub open: unsafe extern "C" fn(*const c_char, Bits, *mut c_void) -> i32,
    pub rseek: unsafe extern "C" fn(*mut c_void, usize) -> i32,
    pub uninitialize: extern "C" fn() -> i32,
    pub write: unsafe extern "C" fn(*mut c_void, *const c_char, *mut usize) -> i32,
}

/// The table of a context.
const fn table<const N: usize>() -> Driver {
    Driver {
        get_version: get_version::<N>,
        close: close::<N>,
        create: create::<N>,
        delete: delete::<N>,
        find: find::<N>,
        flush: flush::<N>,
        get_capabilities: get_capabilities::<N>,
        get_key_name: get_key_name::<N>,
        get_status: get_status::<N>,
        get_value_len: get_value_len::<N>,
        initialize: initialize::<N>,
        power_control: power_control::<N>,
        read: read_value::<N>,
        open: open::<N>,
        rseek: rseek::<N>,
        uninitialize: uninitialize::<N>,
        write: write::<N>,
    }
}

/// The driver: the first context.
#[unsafe(no_mangle)]
pub static cfstore_driver: Driver = table::<0>();

/// The other contexts.
#[cfg(feature = "cfstore-mux")]
static OTHERS: [Driver; CONTEXTS - 1] = [table::<1>(), table::<2>(), table::<3>()];

/// The driver of a context: the first is `cfstore_driver`; null behind the last.
#[cfg(feature = "cfstore-mux")]
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_cfstore_context(number: u32) -> *const Driver {
    let other = (number as usize).checked_sub(1);
    other.map_or(Some(&cfstore_driver), |other| OTHERS.get(other)).map_or(core::ptr::null(), core::ptr::from_ref)
}

/// Says how a context works from its next first Initialize on.
fn configure(context: usize, mode: u32) -> i32 {
    status(enter(|library| {
        if mode > 3 || context >= CONTEXTS {
            return Err(Failure::Argument);
        }
        if in_use(library, context).is_some() {
            return Err(Failure::Busy);
        }
        library.modes[context] = Mode(mode);
        Ok(())
    }))
}

/// How CFSTORE works from the next first Initialize on: `LOCKSTONE_CFSTORE_ASYNCHRONOUS`, `_DURABLE_AT_CLOSE`, both or 0.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_cfstore_configure(mode: u32) -> i32 {
    configure(0, mode)
}

/// The same of a context.
#[cfg(feature = "cfstore-mux")]
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_cfstore_configure_context(number: u32, mode: u32) -> i32 {
    configure(number as usize, mode)
}

/// Does what is pending in asynchronous mode, of one context, and calls back: 1, or 0 if nothing is.
#[unsafe(no_mangle)]
pub extern "C" fn lockstone_cfstore_poll() -> i32 {
    let due = enter(|library| {
        let Some(open) = library.if_open() else { return Ok(None) };
        let Some(opcode) = open.cfstore.take_pending() else { return Ok(None) };
        let done = if opcode == Opcode::Initialize { open.cf_begin() } else { open.cf_flush() };
        let status = done.unwrap_or_else(|code| code);
        Ok(Some(Due { notify: open.cfstore.context().notify, status, opcode }))
    });
    match due {
        Ok(Some(due)) => {
            due.call(core::ptr::null_mut());
            1
        }
        Ok(None) => 0,
        Err(failure) => failure.code(),
    }
}
