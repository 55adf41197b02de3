//! Typed put and get: serde and postcard around the plain ones.

use zeroize::Zeroize;

use super::{NorFlash, Store, one_source};
use crate::error::Error;
use crate::key::Key;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;
use crate::typed::{Typed, TypedError, decode, encode};

#[one_source]
impl<F: NorFlash, S: Suite, C: MonotonicCounter> Store<'_, F, S, C> {
    /// Stores a struct under a key; see [`typed`](crate::typed). `scratch` must hold it serialized, and is wiped.
    ///
    /// # Errors
    /// [`TypedError`]; the old value is still there.
    pub async fn put_typed<'k, 'v, T: Typed<'v>>(
        &mut self,
        key: impl Into<Key<'k>>,
        value: &T,
        scratch: &mut [u8],
    ) -> Result<(), TypedError<F::Error>> {
        let result = match encode(value, scratch) {
            Some(length) => self.put(key, scratch.get(..length).unwrap_or_default()).await.map_err(TypedError::Store),
            None => Err(TypedError::Encode),
        };
        scratch.zeroize();
        result
    }

    /// Reads a struct; it may borrow from `scratch`. `None`: there is no such key.
    ///
    /// # Errors
    /// [`TypedError`]; nothing was changed.
    pub async fn get_typed<'k, 'v, T: Typed<'v>>(
        &mut self,
        key: impl Into<Key<'k>>,
        scratch: &'v mut [u8],
    ) -> Result<Option<T>, TypedError<F::Error>> {
        let length = match self.get(key, scratch).await {
            Ok(Some(length)) => length,
            Ok(None) => return Ok(None),
            Err(error @ Error::BufferTooSmall { .. }) => return Err(error.into()),
            Err(error) => {
                scratch.zeroize();
                return Err(error.into());
            }
        };
        decode(scratch.get(..length).unwrap_or_default()).map(Some)
    }
}
