//! Attack: bits flipped and blocks swapped in an image of a store that was closed in order, one at a time.
//!
//! Every key is read after each. It must be right, or the store must say that something is not: by an error, or in the
//! report of the mount. What is neither is *undetected*. A flip that changes no answer and no report hit dead data.

use std::fmt;

use lockstone::{Ascon, Memory, Part, SoftRootKey, Store};

use super::dice::Dice;
use super::life::Flash;
use super::model::Model;
use crate::device::Ram;
use crate::terminal::escaped;

const BLOCK: usize = 4096;
/// Where anything in such a stretch of bytes is written, all of it counts as used.
const LINE: usize = 16;

/// One thing done to an image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attack {
    /// Flips the bit with this number.
    Flip(usize),
    /// Swaps two blocks.
    Swap(usize, usize),
}

/// What came of attacks of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) tried: u32,
    /// A key was refused, or the whole store was, or the report of the mount says so.
    pub(crate) caught: u32,
    /// Every key was right: dead data was hit.
    pub(crate) harmless: u32,
    /// Wrong content, or a stored key absent, and nothing said.
    pub(crate) undetected: u32,
    /// The first of them.
    pub(crate) trouble: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Caught,
    Harmless,
    /// The key that was not right.
    Undetected(String),
}

/// Bits to flip, in what is written.
pub(crate) fn flips(image: &[u8], number: usize, dice: &mut Dice) -> Vec<Attack> {
    let used: Vec<usize> = image.chunks(LINE).enumerate().filter(|(_, line)| is_used(line)).map(|(at, _)| at).collect();
    let flip =
        |dice: &mut Dice| dice.pick(&used).copied().map(|line| Attack::Flip(line * LINE * 8 + dice.below(LINE * 8)));
    (0..number).filter_map(|_| flip(dice)).collect()
}

/// Pairs of different blocks to swap, of those in use.
pub(crate) fn swaps(image: &[u8], number: usize, dice: &mut Dice) -> Vec<Attack> {
    let used: Vec<usize> =
        image.chunks(BLOCK).enumerate().filter(|(_, block)| is_used(block)).map(|(at, _)| at).collect();
    let mut swap = || Some(Attack::Swap(*dice.pick(&used)?, *dice.pick(&used)?));
    let pairs = (0..number * 8).filter_map(|_| swap());
    pairs.filter(|attack| !matches!(attack, Attack::Swap(one, other) if one == other)).take(number).collect()
}

fn is_used(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte != 0xff)
}

/// Tries each attack on a copy of the image.
pub(crate) fn attack(
    image: &[u8],
    attacks: &[Attack],
    root: &SoftRootKey,
    model: &Model,
    progress: &dyn Fn(),
) -> Outcomes {
    let pristine = Flash::with_content(0xff, image.to_vec());
    let (mut flash, mut memory, mut outcomes) = (pristine.clone(), Box::new(Memory::new()), Outcomes::default());
    for attack in attacks {
        flash.clone_from(&pristine);
        match *attack {
            Attack::Flip(bit) => flash.flip_bit(bit),
            Attack::Swap(one, other) => flash.swap_blocks(one, other),
        }
        outcomes.count(*attack, judge(&mut flash, root, model, &mut memory));
        progress();
    }
    outcomes
}

fn judge(flash: &mut Flash, root: &SoftRootKey, model: &Model, memory: &mut Ram) -> Outcome {
    let Ok(mut store) = Store::<_, Ascon>::mount_read_only(flash, Part::NOR, root, memory) else {
        return Outcome::Caught;
    };
    let (mut buffer, mut caught) = (vec![0; 64 * 1024], !store.report().is_sound());
    for name in model.names() {
        match store.get(name.as_slice(), &mut buffer) {
            Ok(length) if length.map(|length| &buffer[..length]) == model.value(&name).map(|value| &**value) => {}
            Ok(_) => return Outcome::Undetected(escaped(&name)),
            Err(_) => caught = true,
        }
    }
    if caught { Outcome::Caught } else { Outcome::Harmless }
}

impl Outcomes {
    fn count(&mut self, attack: Attack, outcome: Outcome) {
        self.tried += 1;
        match outcome {
            Outcome::Caught => self.caught += 1,
            Outcome::Harmless => self.harmless += 1,
            Outcome::Undetected(name) => {
                self.undetected += 1;
                self.trouble.get_or_insert_with(|| format!("{attack} went undetected: {name} is not what it was"));
            }
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            tried: self.tried + other.tried,
            caught: self.caught + other.caught,
            harmless: self.harmless + other.harmless,
            undetected: self.undetected + other.undetected,
            trouble: self.trouble.or(other.trouble),
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip(bit) => write!(f, "flipping bit {} of byte {}", bit % 8, bit / 8),
            Self::Swap(one, other) => write!(f, "swapping blocks {one} and {other}"),
        }
    }
}
