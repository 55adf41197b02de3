//! Secure key-value storage on raw flash.
//!
//! (see the README; this page is replaced below)
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::std_instead_of_core, clippy::indexing_slicing)]

#[cfg(test)]
extern crate std;

mod error;
mod format;
mod key;
mod layout;
mod memory;
mod report;
pub mod seal;
pub mod trust;

pub use error::{Error, OpenError};
pub use format::FORMAT_VERSION;
pub use format::pointer::Head;
pub use key::{ClientId, Key};
pub use layout::{Layout, LayoutError, POINTERS_MAX, Part, Position, buffer_size};
pub use memory::Memory;
pub use report::{Cursor, Report, Stats};
#[cfg(feature = "ascon")]
pub use seal::{Ascon, SoftRootKey};
#[cfg(feature = "plain")]
pub use seal::Plain;

/// The blocking store, over `embedded_storage::nor_flash::NorFlash`.
#[path = "."]
pub mod blocking {
    use embedded_storage::nor_flash::NorFlash;
    use lockstone_macros::strip as one_source;

    #[path = "engine/mod.rs"]
    mod engine;
    pub use engine::{Store, Transaction};
}

/// The asynchronous store, over `embedded_storage_async::nor_flash::NorFlash`. Any call may be dropped at any await:
/// the store then looks at its flash again, as after a power cut, before it does anything else.
#[cfg(feature = "async")]
#[path = "."]
pub mod asynchronous {
    use embedded_storage_async::nor_flash::NorFlash;
    use lockstone_macros::keep as one_source;

    #[path = "engine/mod.rs"]
    #[expect(clippy::duplicate_mod, reason = "one source, two stores")]
    mod engine;
    pub use engine::{Store, Transaction};
}

pub use blocking::{Store, Transaction};
