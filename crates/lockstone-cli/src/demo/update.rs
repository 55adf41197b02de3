//! Update: firmware comes in random order while power goes, is installed by a boot loader while power goes, and runs.
//!
//! ```text
//! receive ─> finish ─> request ─┊─> boot: copy, verify ─┊─> confirm
//!    ^ cut, again and again         ^ cut, again and again
//! ```

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use lockstone::trust::{Anchor, NoCounter};
use lockstone::{Ascon, Installed, Memory, Objects, Part, Put, Reader, Slot, SoftRootKey, Store};
use lockstone_sim::{Power, Tear};
use sha2::{Digest as _, Sha256};

use super::dice::Dice;
use super::life::Flash;
use crate::exit::Failure;

const KEY: &str = "firmware";
/// Most bytes of the firmware: of a large file its beginning.
const LENGTH_MAX: usize = 1 << 20;
/// What the line brings at a time.
const PIECE: usize = 1024;
const BLOCK: usize = 4096;
const KEY_BLOCKS: usize = 16;
const UPLOAD: usize = 600 + LENGTH_MAX.div_ceil(512).div_ceil(8);
/// No cut: more operations than anything takes.
const NEVER: u64 = u64::MAX;

type Ended<T> = Result<T, Box<dyn Error>>;

/// What a device is updated with.
pub(crate) struct Firmware {
    pub(crate) source: String,
    bytes: Vec<u8>,
}

impl Firmware {
    /// The file that was asked for, or this program itself.
    pub(crate) fn load(asked: Option<&Path>) -> Result<Self, Failure> {
        let own = || std::env::current_exe().map_err(|error| Failure::input(Path::new("this program"), &error));
        let path = asked.map_or_else(own, |path| Ok(path.to_owned()))?;
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(LENGTH_MAX as u64).read_to_end(&mut bytes));
        read.map_err(|error| Failure::input(&path, &error))?;
        if bytes.is_empty() {
            return Err(Failure::usage(format!("{} is empty", path.display())));
        }
        let source = asked.map_or_else(|| "this very program".to_owned(), |path| path.display().to_string());
        Ok(Self { source, bytes })
    }

    pub(crate) const fn length(&self) -> usize {
        self.bytes.len()
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }
}

/// How it went.
#[derive(Debug, Default)]
pub(crate) struct Update {
    /// Cuts while it came, and while it was installed.
    pub(crate) cuts_receiving: u32,
    pub(crate) cuts_installing: u32,
    /// Pieces that had to come again though they were acknowledged.
    pub(crate) again: u32,
    /// The slot holds the firmware, to the byte.
    pub(crate) runs: bool,
    pub(crate) trouble: Option<String>,
}

/// A board: keys, objects and code on parts with one supply.
struct Board {
    keys: Flash,
    objects: Flash,
    code: Flash,
    root: SoftRootKey,
    power: Power,
}

/// Updates a device, with so many cuts on the way, if it takes long enough.
pub(crate) fn update(firmware: &Firmware, cuts: u32, mut dice: Dice) -> Update {
    let mut update = Update::default();
    let trouble = play(firmware, cuts, &mut dice, &mut update).err();
    update.trouble = trouble.or_else(|| (!update.runs).then(|| "the slot does not hold the firmware".to_owned()));
    update
}

fn play(firmware: &Firmware, cuts: u32, dice: &mut Dice, update: &mut Update) -> Result<(), String> {
    let mut board = Board::new(firmware.length(), dice)?;
    let mut there = vec![false; firmware.length().div_ceil(PIECE)];
    // Two thirds while it comes: the more is there, the longer power lasts.
    let reach = (firmware.length() / 512 * 4 / (cuts as usize + 1)).max(12);
    loop {
        let cut = (update.cuts_receiving * 3 < cuts * 2).then(|| dice.below(reach) as u64);
        board.arm(cut, dice);
        let ended = board.receive(firmware, dice, &mut there, &mut update.again);
        match board.after(ended)? {
            Some(()) => break,
            None => update.cuts_receiving += 1,
        }
    }
    loop {
        let cut = (update.cuts_receiving + update.cuts_installing < cuts).then(|| dice.below(200) as u64);
        board.arm(cut, dice);
        let ended = board.boot();
        match board.after(ended)? {
            Some(_) => break,
            None => update.cuts_installing += 1,
        }
    }
    board.arm(None, dice);
    let ended = board.confirm();
    let confirmed = board.after(ended)?.map(|installed| installed.digest);
    let slot = board.code.data().get(..firmware.length());
    update.runs = confirmed == Some(firmware.digest()) && slot == Some(&firmware.bytes[..]);
    let violations = board.keys.violations() + board.objects.violations() + board.code.violations();
    if violations == 0 { Ok(()) } else { Err(format!("{violations} programs that no flash allows")) }
}

impl Board {
    fn new(length: usize, dice: &mut Dice) -> Result<Self, String> {
        let mut key = [0; 32];
        dice.fill(&mut key);
        let power = Power::new();
        let blocks = length.div_ceil(BLOCK);
        let mut parts = [KEY_BLOCKS, blocks * 3 / 2 + 40, blocks + 1].map(|blocks| {
            let mut flash = Flash::new(blocks * BLOCK, 0xff);
            flash.set_seed(dice.word());
            flash.set_reprogram_heals(true);
            flash
        });
        let [keys, objects, _] = &mut parts;
        let root = SoftRootKey::new(key);
        let formatted = Store::<_, Ascon>::format(keys, Part::NOR, &root, dice, &mut ram()).map(drop);
        formatted.map_err(|error| error.to_string())?;
        let formatted = Objects::<_, Ascon>::format(objects, Part::NOR, &mut [0; 600]).map(drop);
        formatted.map_err(|error| error.to_string())?;
        parts.iter_mut().for_each(|part| part.plug_in(&power));
        let [keys, objects, code] = parts;
        Ok(Self { keys, objects, code, root, power })
    }

    fn arm(&self, cut: Option<u64>, dice: &mut Dice) {
        let tear = Tear::ALL[dice.below(Tear::ALL.len())];
        match cut {
            Some(at) => self.power.cut_at(at, tear),
            None => self.power.cut_at(NEVER, tear),
        }
    }

    /// `None`: power went. Any other end but a good one is trouble.
    fn after<T>(&self, ended: Ended<T>) -> Result<Option<T>, String> {
        let cut = self.power.is_off();
        self.power.cancel_cut();
        self.power.on();
        match ended {
            Err(_) if cut => Ok(None),
            ended => ended.map(Some).map_err(|error| error.to_string()),
        }
    }

    /// Goes on with what is there, to the request that it be installed.
    fn receive(&mut self, firmware: &Firmware, dice: &mut Dice, there: &mut [bool], again: &mut u32) -> Ended<()> {
        let (mut memory, mut buffer, mut ram) = (ram(), [0; 600], vec![0; UPLOAD]);
        let Self { keys, objects, code, root, .. } = self;
        let mut store = Store::<_, Ascon>::mount(keys, Part::NOR, root, &mut memory)?;
        let mut objects = Objects::<_, Ascon>::open(objects, Part::NOR, &mut store, &mut buffer)?;
        if objects.manifest(&mut store, KEY)?.is_none() {
            let length = u32::try_from(firmware.length()).ok();
            let mut upload = match objects.resume(&mut store, KEY, &mut ram)? {
                Some(upload) => upload,
                None => objects.create(&mut store, KEY, length, dice, &mut ram)?,
            };
            while upload.next_missing(0).is_some() {
                let number = dice.below(there.len());
                let (from, to) = (number * PIECE, ((number + 1) * PIECE).min(firmware.length()));
                let offset = u32::try_from(from).unwrap_or(u32::MAX);
                let missing = upload.next_missing(offset).is_some_and(|range| (range.start as usize) < to);
                if missing {
                    *again += u32::from(there[number]);
                    objects.write(&mut store, &mut upload, offset, &firmware.bytes[from..to])?;
                    there[number] = true;
                }
            }
            let digest = firmware.digest();
            objects.finish::<Sha256, _, _>(&mut store, &mut upload, KEY, Some(&digest), Put::USUAL)?;
        }
        let mut slot = Slot::new(code, Part::NOR, 0)?;
        Ok(objects.request_install::<Sha256, _, _, _>(&mut store, KEY, &mut slot, false)?)
    }

    /// What the boot loader does.
    fn boot(&mut self) -> Ended<Installed> {
        let (mut memory, mut buffer) = (ram(), [0; 600]);
        let Self { keys, objects, code, root, .. } = self;
        let anchor = Anchor { root, counter: Reader(NoCounter) };
        let mut store = Store::<_, Ascon, _>::mount_protected(keys, Part::NOR, anchor, &mut memory)?;
        let mut objects = Objects::<_, Ascon>::open(objects, Part::NOR, &mut store, &mut buffer)?;
        let mut slot = Slot::new(code, Part::NOR, 0)?;
        Ok(objects.install::<Sha256, _, _, _>(&mut store, &mut slot, |_, _| {})?)
    }

    /// What the new firmware does when it runs well.
    fn confirm(&mut self) -> Ended<Installed> {
        let (mut memory, mut buffer) = (ram(), [0; 600]);
        let Self { keys, objects, code, root, .. } = self;
        let mut store = Store::<_, Ascon>::mount(keys, Part::NOR, root, &mut memory)?;
        let mut objects = Objects::<_, Ascon>::open(objects, Part::NOR, &mut store, &mut buffer)?;
        let mut slot = Slot::new(code, Part::NOR, 0)?;
        let installed = objects.confirm_install::<Sha256, _, _, _>(&mut store, &mut slot, false)?;
        store.delete(KEY)?;
        objects.reclaim(&mut store)?;
        Ok(installed)
    }
}

fn ram() -> Memory<16, 2048> {
    Memory::new()
}
