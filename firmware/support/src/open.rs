//! Opens the store of a board, and makes one on a flash that was never used: the first lines of nearly every program.

use core::fmt::Debug;

use embedded_storage::nor_flash::NorFlash;
use lockstone::seal::Suite;
use lockstone::{Memory, OpenError, Part, SoftRootKey, Store};

use crate::Failure;
use crate::toys::InsecureRandom;

/// Mounts the store; formats the flash first if it is blank, and never for any other reason.
///
/// # Errors
/// The console says why.
pub fn open<'m, F: NorFlash, S: Suite, const H: usize, const B: usize>(
    flash: &'m mut F,
    part: Part,
    root: &SoftRootKey,
    memory: &'m mut Memory<H, B>,
) -> Result<Store<'m, &'m mut F, S>, Failure>
where
    F::Error: Debug,
{
    let mounted = Store::<_, S>::mount(&mut *flash, part, root, memory);
    if matches!(mounted, Err(OpenError::Blank)) {
        drop(mounted);
        Store::<_, S>::format(&mut *flash, part, root, &mut InsecureRandom(1), memory)?;
    } else {
        drop(mounted);
    }
    Ok(Store::mount(flash, part, root, memory)?)
}
