//! Codes and bits of `configuration_store.h`.
#![forbid(unsafe_code)]

pub(crate) const ERROR: i32 = -1;
pub(crate) const UNINITIALISED: i32 = -1000;
pub(crate) const PREEXISTING_KEY: i32 = -1001;
pub(crate) const KEY_NOT_FOUND: i32 = -1002;
pub(crate) const INVALID_HANDLE: i32 = -1003;
pub(crate) const OUT_OF_MEMORY: i32 = -1004;
pub(crate) const PREEXISTING_KEY_DELETING: i32 = -1005;
pub(crate) const INVALID_HANDLE_BUF: i32 = -1006;
pub(crate) const INTERNAL: i32 = -1007;
pub(crate) const INVALID_KEY_NAME: i32 = -1008;
pub(crate) const VALUE_SIZE_TOO_LARGE: i32 = -1009;
pub(crate) const KEY_READ_ONLY: i32 = -1010;
pub(crate) const INVALID_SEEK: i32 = -1011;
pub(crate) const KEY_UNREADABLE: i32 = -1012;
pub(crate) const INVALID_WRITE_BUFFER: i32 = -1013;
pub(crate) const INVALID_KEY_LEN: i32 = -1014;
pub(crate) const NOT_SUPPORTED: i32 = -1015;
pub(crate) const INVALID_READ_BUFFER: i32 = -1016;
pub(crate) const INVALID_KEY_DESCRIPTOR: i32 = -1017;
pub(crate) const NO_READ: i32 = -1018;
pub(crate) const NO_WRITE: i32 = -1019;
pub(crate) const NO_EXECUTE: i32 = -1020;
pub(crate) const NO_PERMISSIONS: i32 = -1021;
pub(crate) const HANDLE_COUNT_MAX: i32 = -1022;
pub(crate) const PARAMETER: i32 = -1027;
pub(crate) const OPERATION_PENDING: i32 = -1035;

/// Rights of the owner; those of others stand [`OTHER`] bits above.
pub(crate) const READ: u8 = 1 << 0;
pub(crate) const WRITE: u8 = 1 << 1;
pub(crate) const EXECUTE: u8 = 1 << 2;
pub(crate) const OTHER: u32 = 3;

/// The access control list is enforced for the owner too.
pub(crate) const ACLS: u32 = 1 << 0;
/// Changes are bound to the counter.
pub(crate) const ROLLBACK_PROTECTION: u32 = 1 << 1;
/// Changes by others are detected: true of every key.
pub(crate) const TAMPER_PROOF: u32 = 1 << 2;
/// Only flash that nobody can write from outside.
pub(crate) const INTERNAL_FLASH: u32 = 1 << 3;
/// What can be honoured.
pub(crate) const SECURITY: u32 = ACLS | ROLLBACK_PROTECTION | TAMPER_PROOF | INTERNAL_FLASH;

pub(crate) const MODE_FLUSH_ON_CLOSE: u32 = 1 << 2;
pub(crate) const MODE_READ: u32 = 1 << 3;
pub(crate) const MODE_WRITE: u32 = 1 << 4;
pub(crate) const MODE_EXECUTE: u32 = 1 << 5;
/// What can be honoured: neither continuous, lazy flush nor storage detect.
pub(crate) const MODES: u32 = MODE_FLUSH_ON_CLOSE | MODE_READ | MODE_WRITE | MODE_EXECUTE;

/// Longest name, in bytes.
pub(crate) const NAME_MAX: usize = 220;
/// Longest value, in bytes.
pub(crate) const VALUE_MAX: usize = 1 << 26;
/// Most handles of one key.
pub(crate) const HANDLES_MAX: u8 = 255;

/// What an operation is called in a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Opcode {
    Close = 1,
    Create = 2,
    Delete = 3,
    Find = 4,
    Flush = 5,
    GetKeyName = 6,
    GetValueLen = 8,
    Initialize = 9,
    Open = 10,
    PowerControl = 11,
    Read = 12,
    Rseek = 13,
    Uninitialize = 14,
    Write = 15,
}
