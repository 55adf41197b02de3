//! The handle, for either kind of lock: `handle!` writes it with the words `async` and `.await` in it, or without them.

/// Makes `Handle` for a `Shared` with these parameters; `$source` keeps or strips what is asynchronous.
macro_rules! handle {
    ($source:path, [$($parameter:tt)*], [$($number:tt)*], $shared:ty) => {
        /// One client's way to the store. Each call takes the lock and gives it back.
        ///
        /// Whoever has a [`Shared`] makes handles; whoever has a handle reaches the keys of its client, and what others share.
        /// `P` is how it reaches the store: a reference, an `Arc`.
        #[derive(Clone, Copy)]
        pub struct Handle<P> {
            shared: P,
            id: ClientId,
        }

        impl<P> Handle<P> {
            /// The handle of a client. **Only the boundary of the system may say which.**
            pub const fn of(shared: P, id: ClientId) -> Self {
                Self { shared, id }
            }
        }

        #[$source]
        impl<$($parameter)*, F: NorFlash, S: Suite, C: MonotonicCounter, P: Deref<Target = $shared>, $($number)*> Handle<P> {
            /// Stores a value; see [`Client::put`](lockstone::Client::put).
            ///
            /// # Errors
            /// Those of the call that it says, as all others here.
            pub async fn put(&self, name: &[u8], value: &[u8]) -> Result<(), Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).put(name, value).await?)
            }

            /// Stores a value with attributes, or bound to the counter; see [`Client::put_with`](lockstone::Client::put_with).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn put_with(&self, name: &[u8], value: &[u8], how: Put) -> Result<(), Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).put_with(name, value, how).await?)
            }

            /// Reads a value; see [`Client::get`](lockstone::Client::get).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn get(&self, name: &[u8], buffer: &mut [u8]) -> Result<Option<usize>, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).get(name, buffer).await?)
            }

            /// Reads part of a value; see [`Client::get_range`](lockstone::Client::get_range).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn get_range(
                &self,
                name: &[u8],
                offset: u32,
                buffer: &mut [u8],
            ) -> Result<Option<usize>, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).get_range(name, offset, buffer).await?)
            }

            /// Length of a value; see [`Client::length`](lockstone::Client::length).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn length(&self, name: &[u8]) -> Result<Option<u32>, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).length(name).await?)
            }

            /// Deletes a key; see [`Client::delete`](lockstone::Client::delete).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn delete(&self, name: &[u8]) -> Result<bool, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).delete(name).await?)
            }

            /// The attributes of an entry; see [`Client::attributes_of`](lockstone::Client::attributes_of).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn attributes_of(&self, name: &[u8]) -> Result<Option<Attributes>, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).attributes_of(name).await?)
            }

            /// Changes the attributes of an entry; see [`Client::set_attributes`](lockstone::Client::set_attributes).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn set_attributes(
                &self,
                name: &[u8],
                attributes: Attributes,
            ) -> Result<bool, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).set_attributes(name, attributes).await?)
            }

            /// The next of the client's names; see [`Client::next_key`](lockstone::Client::next_key). Others may write between two
            /// of these calls: what that means for a cursor, [`Store::next_key`](lockstone::Store::next_key) says.
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn next_key(
                &self,
                cursor: &mut Cursor,
                prefix: &[u8],
                name: &mut [u8; 255],
            ) -> Result<Option<usize>, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).next_key(cursor, prefix, name).await?)
            }

            /// Whether this client may execute something; see [`Client::may_execute`](lockstone::Client::may_execute).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn may_execute(&self, owner: ClientId, name: &[u8]) -> Result<bool, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).may_execute(owner, name).await?)
            }

            /// Lets another client at a key; see [`Client::share`](lockstone::Client::share).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn share(&self, name: &[u8], with: ClientId, rights: Rights) -> Result<bool, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).share(name, with, rights).await?)
            }

            /// Reads what another client shares; see [`Client::get_shared`](lockstone::Client::get_shared).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn get_shared(
                &self,
                owner: ClientId,
                name: &[u8],
                buffer: &mut [u8],
            ) -> Result<Option<usize>, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).get_shared(owner, name, buffer).await?)
            }

            /// Replaces what another client shares; see [`Client::put_shared`](lockstone::Client::put_shared).
            ///
            /// # Errors
            /// As [`put`](Self::put).
            pub async fn put_shared(
                &self,
                owner: ClientId,
                name: &[u8],
                value: &[u8],
            ) -> Result<bool, Failure<F::Error>> {
                Ok(self.shared.hold().await?.client(self.id).put_shared(owner, name, value).await?)
            }
        }

        impl<P> core::fmt::Debug for Handle<P> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct("Handle").field("client", &self.id).finish_non_exhaustive()
            }
        }
    };
}
