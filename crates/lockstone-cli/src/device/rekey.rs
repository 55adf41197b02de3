//! Rekey: everything sealed anew under another root key, and maybe another suite, in one step.
//!
//! ```text
//! 1  flash.bin.next, trusted/root.key.next, and device.toml.next if the suite changes: whole, and flushed
//! 2  flash.bin.next is renamed to flash.bin            before it all is old, from here on all is new
//! 3  the key is renamed to trusted/root.key
//! 4  device.toml is renamed last: it carries the lock
//! ```
//!
//! Cut anywhere, the next command decides by what opens `flash.bin`: if the key and suite that are there for the next one
//! do, step 2 was done; else it was not. A command that may write then does steps 3 and 4, or removes what step 1 left,
//! and says so; one that only looks takes the right key. If neither opens it, nothing is touched. A rekey that fails, as no
//! room is left on the disk, decides in the same way before it ends.
//!
//! The new files may be used by whom the old ones could; the key is its owner's alone.
//!
//! The new image is bound to the value of the counter that comes next, so its first write makes the old one a rolled back
//! one. Tested by the suite `custody`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use lockstone::seal::Suite as Sealing;
use lockstone::trust::{Anchor, MonotonicCounter};
use lockstone::{Aes, Ascon, Plain, SoftRootKey, Store, TableError, VolumeKind};
use zeroize::Zeroizing;

use super::{AnyRam, CONFIG, Chip, Config, FLASH, Held, Purpose, ROOT_KEY, Session, Suite, TRUSTED};
use crate::exit::{Exit, Failure};
use crate::files::{Access, flush_directory, write_like};
use crate::terminal::{bar, counted, say};

pub(super) const NEXT_KEY: &str = "trusted/root.key.next";
const NEXT_FLASH: &str = "flash.bin.next";
const NEXT_CONFIG: &str = "device.toml.next";
/// All of them.
pub(super) const NEXT: [&str; 3] = [NEXT_KEY, NEXT_FLASH, NEXT_CONFIG];

/// A counter in memory, for an image that is to be bound to a value that the device's counter will have.
#[derive(Debug)]
pub(super) struct Ahead {
    value: u64,
    limit: u64,
}

impl MonotonicCounter for Ahead {
    type Error = std::convert::Infallible;

    fn read(&mut self) -> Result<u64, Self::Error> {
        Ok(self.value)
    }

    fn increment(&mut self) -> Result<u64, Self::Error> {
        self.value += 1;
        Ok(self.value)
    }

    fn limit(&self) -> u64 {
        self.limit
    }
}

/// What became of a device that is locked.
pub(super) enum Settled {
    Yes(Held),
    /// `device.toml` is another one now, and this lock is worth nothing.
    Replaced(PathBuf),
}

impl Held {
    /// Sees to what a rekey left that was cut.
    pub(super) fn settle(mut self) -> Result<Settled, Failure> {
        if !NEXT.iter().any(|name| self.is_there(name)) {
            return Ok(Settled::Yes(self));
        }
        let next_key = if self.is_there(NEXT_KEY) { NEXT_KEY } else { ROOT_KEY };
        let next_config = self.next_config().unwrap_or(self.device.config);
        let is_next = next_key == NEXT_KEY || next_config.suite != self.device.config.suite;
        let done = is_next && self.opens(next_key, next_config);
        if self.purpose == Purpose::Look {
            if done {
                (self.key, self.device.config) = (next_key, next_config);
            }
            return Ok(Settled::Yes(self));
        }
        if done {
            let replaced = self.is_there(NEXT_CONFIG);
            self.put_in_place().map_err(|error| Failure::file("finish the rekey of", &self.device.path, &error))?;
            say("lockstone: note: a rekey was cut after it counted; it is finished now");
            return Ok(if replaced { Settled::Replaced(self.device.path) } else { Settled::Yes(self) });
        }
        if self.opens(ROOT_KEY, self.device.config) {
            self.remove_next()
                .map_err(|error| Failure::file("remove what a rekey left in", &self.device.path, &error))?;
            say("lockstone: note: a rekey was cut before it counted; what it left is removed, the old key is in force");
        }
        Ok(Settled::Yes(self))
    }

    fn is_there(&self, name: &str) -> bool {
        fs::symlink_metadata(self.device.path.join(name)).is_ok()
    }

    /// What was prepared, if it is whole.
    fn next_config(&self) -> Option<Config> {
        Config::parse(&fs::read_to_string(self.device.path.join(NEXT_CONFIG)).ok()?).ok()
    }

    /// Whether the flash is one of this key and suite, sound or not.
    fn opens(&self, key: &str, config: Config) -> bool {
        let key = super::read_key_bytes(&self.device.path.join(key)).ok().flatten();
        let (Some(key), Ok(flash), Ok(counter)) = (key, self.flash(), self.counter()) else { return false };
        let mut memory = AnyRam::new();
        Session::mount(flash, counter, &config, &SoftRootKey::new(*key), true, &mut memory).is_ok()
    }

    /// Steps 3 and 4, as far as they were not done.
    fn put_in_place(&self) -> io::Result<()> {
        let place = |name: &str| self.device.path.join(name);
        if self.is_there(NEXT_KEY) {
            fs::rename(place(NEXT_KEY), place(ROOT_KEY))?;
            flush_directory(&place(TRUSTED))?;
        }
        // Nothing of this name is left by a rekey that got here; somebody put it there.
        remove(&place(NEXT_FLASH))?;
        if self.is_there(NEXT_CONFIG) {
            fs::rename(place(NEXT_CONFIG), place(CONFIG))?;
        }
        flush_directory(&self.device.path)
    }

    fn remove_next(&self) -> io::Result<()> {
        [NEXT_FLASH, NEXT_CONFIG].iter().try_for_each(|name| remove(&self.device.path.join(name)))?;
        super::destroy(&self.device.path.join(NEXT_KEY))?;
        flush_directory(&self.device.path)
    }

    /// Seals everything anew under a fresh root key. Returns the number of keys.
    pub(crate) fn rekey(self, suite: Suite) -> Result<u32, Failure> {
        self.refuse_links()?;
        let mut memory = AnyRam::new();
        let mut session = self.mount(&mut memory)?;
        refuse_unfinished(&mut session)?;
        refuse_pending(&mut session)?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice())
            .map_err(|error| Failure::new(Exit::Io, format!("no randomness: {error}; nothing was changed")))?;
        let config = self.device.config.with_suite(suite);
        let keys = session.stats()?.keys;
        let image = seal_anew(&mut session, &config, &key)?;
        session.close()?;
        self.prepare(&config, &key, &image).and_then(|()| self.exchange()).map_err(|error| self.give_up(&error))?;
        Ok(keys)
    }

    /// It failed on the way. As after a cut, what opens the flash decides: while the old key does, nothing that was made for
    /// the next one is needed any more.
    fn give_up(&self, error: &io::Error) -> Failure {
        let failure = Failure::file("rekey", &self.device.path, error);
        failure.hint(match self.opens(ROOT_KEY, self.device.config).then(|| self.remove_next()) {
            Some(Ok(())) => "the old key is in force; nothing is left of the new one",
            Some(Err(_)) => {
                "the old key is in force; the next command that may write removes what is left of the new one"
            }
            None => "the next command that may write finds out which key is in force, and finishes it or tidies up",
        })
    }

    /// A rename would put a file in the place of a link.
    fn refuse_links(&self) -> Result<(), Failure> {
        let is_link =
            |name: &&&str| fs::symlink_metadata(self.device.path.join(name)).is_ok_and(|file| file.is_symlink());
        [FLASH, ROOT_KEY, CONFIG].iter().find(is_link).map_or(Ok(()), |name| {
            let failure = Failure::usage(format!("{name} is a link, and a rekey would put a file in its place"));
            Err(failure.hint("put the file itself there for as long as the rekey takes; nothing was changed"))
        })
    }

    /// Step 1.
    fn prepare(&self, config: &Config, key: &[u8; 32], image: &[u8]) -> io::Result<()> {
        let place = |name: &str| self.device.path.join(name);
        if config.suite != self.device.config.suite {
            let text = config.to_text().map_err(|failure| io::Error::other(failure.sentence().to_owned()))?;
            write_like(&place(NEXT_CONFIG), text.as_bytes(), &place(CONFIG), Access::Usual)?;
        }
        write_like(&place(NEXT_KEY), key, &place(ROOT_KEY), Access::Private)?;
        flush_directory(&place(TRUSTED))?;
        write_like(&place(NEXT_FLASH), image, &place(FLASH), Access::Usual)?;
        flush_directory(&self.device.path)
    }

    /// Steps 2 to 4.
    fn exchange(&self) -> io::Result<()> {
        fs::rename(self.device.path.join(NEXT_FLASH), self.device.path.join(FLASH))?;
        flush_directory(&self.device.path)?;
        self.put_in_place()
    }
}

/// What is missing of an object can't be sealed anew.
fn refuse_unfinished(session: &mut Session<'_>) -> Result<(), Failure> {
    let unfinished = session.unfinished()?.len() as u64;
    if unfinished == 0 {
        return Ok(());
    }
    let what = counted(unfinished, "unfinished object");
    let sentence =
        format!("a rekey can't seal anew what is not whole, and there is still: {what}; nothing was changed");
    Err(Failure::usage(sentence)
        .hint("`lockstone object ls` lists them; finish them, or give them up: `lockstone object rm --unfinished`"))
}

/// Of an install that is not confirmed the boot loader may have done a part.
fn refuse_pending(session: &mut Session<'_>) -> Result<(), Failure> {
    match session.pending_slot()? {
        None => Ok(()),
        Some(number) => {
            Err(Failure::usage(format!("the install into slot {number} is not confirmed; nothing was changed"))
                .hint("`lockstone slot install` and `lockstone slot confirm` end it"))
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The image that takes the place of the flash.
fn seal_anew(session: &mut Session<'_>, config: &Config, key: &[u8; 32]) -> Result<Vec<u8>, Failure> {
    match config.suite {
        Suite::Ascon => seal_as::<Ascon>(session, config, key),
        Suite::Aes => seal_as::<Aes>(session, config, key),
        Suite::Plain => seal_as::<Plain>(session, config, key),
    }
}

fn seal_as<S: Sealing>(session: &mut Session<'_>, config: &Config, key: &[u8; 32]) -> Result<Vec<u8>, Failure> {
    let standing = session.standing();
    let (root, limit) = (SoftRootKey::new(*key), u64::from(config.counter_limit()));
    let (mut memory, part) = (AnyRam::new(), config.geometry.part());
    let mut chip = Chip::new(config.geometry.store() as usize, 0xff);
    let mut target = if standing.bound.is_some() {
        let now = u64::from(session.open_succession()?);
        let anchor = Anchor { root: &root, counter: Ahead { value: now.saturating_sub(1), limit } };
        let protection = session.protection();
        Store::<_, S, _>::format_protected(
            chip,
            part,
            anchor,
            protection,
            &mut SysRng,
            memory.with_heads(config.heads),
        )?
    } else {
        // Nothing was ever protected: the new key alone tells the images apart.
        Store::<_, S>::format_in(&mut chip, part, &root, &mut SysRng, memory.with_heads(config.heads))?.close()?;
        let anchor = Anchor { root: &root, counter: Ahead { value: 0, limit } };
        Store::<_, S, _>::mount_protected(chip, part, anchor, memory.with_heads(config.heads))?
    };
    let mut image = vec![0xff; config.geometry.flash as usize];
    let bar = bar(true, session.stats()?.keys.into(), "sealing");
    let progress = |done, _| bar.set_position(u64::from(done));
    let volume = session.volumes()?.find(VolumeKind::Objects, 0);
    match volume {
        Some(volume) => {
            let mut behind = Chip::new(volume.length as usize, 0xff);
            session.reseal_all(&mut target, &mut behind, progress)?;
            let place = image.get_mut(volume.start as usize..volume.end() as usize);
            place.ok_or(TableError::OutOfBounds)?.copy_from_slice(behind.data());
        }
        None => session.reseal_keys(&mut target, progress)?,
    }
    bar.finish_and_clear();
    let keys = target.close()?;
    let place = image.get_mut(..keys.data().len());
    place.ok_or(TableError::OutOfBounds)?.copy_from_slice(keys.data());
    session.copy_code(&mut image)?;
    Ok(image)
}
