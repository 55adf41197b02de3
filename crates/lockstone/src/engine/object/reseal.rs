//! Reseal: a store with its objects, sealed anew into another store and other objects, under another root key or suite.

use digest::Digest;
use digest::consts::U32;

use super::super::reset::NAME_MAX;
use super::blocks::note_of;
use super::{Failure, NorFlash, Objects, Store, one_source};
use crate::attributes::{Attributes, How};
use crate::error::{Error, ResealError};
use crate::format::header::Class;
use crate::format::object::{Manifest, Name};
use crate::key::Key;
use crate::object::{ObjectError, ResealObjectsError};
use crate::report::Cursor;
use crate::seal::Suite;
use crate::trust::MonotonicCounter;

type Ended<F, D, G, E> = Result<(), ResealObjectsError<Failure<F, D>, Failure<G, E>>>;

/// Objects that are filled from others: what is committed of them is a part of what comes to be at once, when all is there, so
/// nothing is counted. It ends with this, however the call ends, or if it's dropped.
struct Filling<'a, 'o, G, T>(&'a mut Objects<'o, G, T>);

impl<'a, 'o, G, T> Filling<'a, 'o, G, T> {
    const fn of(objects: &'a mut Objects<'o, G, T>) -> Self {
        objects.filling = true;
        Self(objects)
    }
}

impl<G, T> Drop for Filling<'_, '_, G, T> {
    fn drop(&mut self) {
        self.0.filling = false;
    }
}

/// Where everything goes, and RAM for it.
#[derive(Debug)]
pub struct Reseal<'a, 'o, 's, G, T, E, B: MonotonicCounter, R>
where
    T: Suite,
{
    /// The other store, formatted under the other key.
    pub store: &'a mut Store<'s, E, T, B>,
    /// And its objects.
    pub objects: &'a mut Objects<'o, G, T>,
    /// For the identities of the objects there.
    pub random: &'a mut R,
    /// Holds one value at a time.
    pub buffer: &'a mut [u8],
    /// RAM of an upload: of the longest object.
    pub ram: &'a mut [u8],
}

#[one_source]
impl<F: NorFlash, S: Suite> Objects<'_, F, S> {
    /// Copies the whole store, as [`Store::reseal_into`], and its objects too. Each is read, verified, sealed anew, read
    /// back, and its digest compared. `progress` hears how many keys of how many are done, objects behind the others.
    ///
    /// # Errors
    /// [`ResealObjectsError`]; the source is unchanged, and the target holds a part. From the source
    /// [`Error::NotPermitted`] while an object is unfinished or an install not confirmed.
    pub async fn reseal_into<H, D, C, G, T, E, B, R>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        to: Reseal<'_, '_, '_, G, T, E, B, R>,
        mut progress: impl FnMut(u32, u32),
    ) -> Ended<F, D, G, E>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
        G: NorFlash,
        T: Suite,
        E: NorFlash,
        B: MonotonicCounter,
        R: rand_core::TryRng,
    {
        let copied = store.reseal_entries(to.store, to.buffer, &mut progress, true).await;
        let (mut done, all) = copied.map_err(|error| match error {
            ResealError::Source(error) => ResealObjectsError::Source(error.into()),
            ResealError::Target(error) => ResealObjectsError::Target(error.into()),
        })?;
        let Reseal { store: other, objects, random, buffer, ram } = to;
        let filling = Filling::of(objects);
        let mut to = Reseal { store: other, objects: &mut *filling.0, random, buffer, ram };
        let mut cursor = Cursor::new();
        while store.next_record(&mut cursor).await.map_err(of_source)? {
            if store.is_note() {
                return Err(of_source(Error::NotPermitted));
            }
            let attributes = store.attributes();
            if store.state.record.class != Class::Key || !attributes.is_object() {
                continue;
            }
            let mut name = [0; NAME_MAX];
            let key = store.copy_key(&mut name);
            self.reseal_object::<H, _, _, _, _, _, _, _>(store, key, attributes, &mut to).await?;
            done += 1;
            progress(done, all);
        }
        Ok(())
    }

    /// Copies one object.
    async fn reseal_object<H, D, C, G, T, E, B, R>(
        &mut self,
        store: &mut Store<'_, D, S, C>,
        key: Key<'_>,
        attributes: Attributes,
        to: &mut Reseal<'_, '_, '_, G, T, E, B, R>,
    ) -> Ended<F, D, G, E>
    where
        H: Digest<OutputSize = U32>,
        D: NorFlash,
        C: MonotonicCounter,
        G: NorFlash,
        T: Suite,
        E: NorFlash,
        B: MonotonicCounter,
        R: rand_core::TryRng,
    {
        let Reseal { store: other, objects, random, ram, .. } = to;
        let manifest = self.manifest(store, key).await.map_err(ResealObjectsError::Source)?;
        let manifest = manifest.ok_or(ResealObjectsError::Source(ObjectError::Damaged))?;
        let Manifest { length, digest, .. } = manifest;
        let wrong = ResealObjectsError::Target;
        let mut upload = objects.create(other, key, Some(length), *random, ram).await.map_err(wrong)?;
        objects.begin(other, &mut upload).await.map_err(wrong)?;
        self.map(Name { hash: store.hash_of(key), id: manifest.id }, &manifest);
        for index in 0..length.div_ceil(self.layout.chunk) {
            let there = self.load_mapped(store, index).await.map_err(ResealObjectsError::Source)?;
            if !there {
                return Err(ResealObjectsError::Source(ObjectError::Damaged));
            }
            let at = index * self.layout.chunk;
            let used = (length - at).min(self.layout.chunk) as usize;
            let text = self.text(0).get(..used).unwrap_or_default();
            objects.write(other, &mut upload, at, text).await.map_err(wrong)?;
        }
        let manifest = objects.read_back::<H, _, _>(other, &mut upload, Some(&digest)).await;
        let manifest = manifest.map_err(|(error, _)| wrong(error))?;
        other.adopt(key, &manifest.to_bytes(), attributes).await.map_err(|error| wrong(error.into()))?;
        let how = How::DELETE.and(How::UNCOUNTED);
        other
            .commit(note_of(upload.name.hash).key(), &[], how)
            .await
            .map_err(|stop| wrong(Error::from(stop).into()))?;
        Ok(())
    }
}

fn of_source<F, D, T>(error: impl Into<Error<D>>) -> ResealObjectsError<ObjectError<F, D>, T> {
    ResealObjectsError::Source(ObjectError::Store(error.into()))
}
