//! `operations`: a script in lock-step with the model.
//!
//! ```text
//! geometry | suite | act | act | ...        an act: what it is, then its numbers
//! ```
//!
//! A cut that is drawn mounts again and is armed for the operations that follow; when it hits, the next act, if it is a cut
//! too, is armed for the recovery.

use lockstone_sim::Tear;
use lockstone_sim::geometry::{GEOMETRIES, Geometry, Scenario, run_on};

use super::bytes::Bytes;
use crate::replay::Image;
use crate::tale::Tale;
use crate::tried::{Sort, Tried, for_sort};
use crate::world::{Op, Stop, World};

/// Acts of one input; what comes behind them is ignored.
const ACTS_MAX: usize = 150;

/// What a script is made of.
#[derive(Debug)]
enum Act {
    Do(Op),
    Cut(u64, Tear),
}

/// Geometries on which an input takes milliseconds.
pub(super) fn small_geometry(bytes: &mut Bytes<'_>) -> &'static Geometry {
    let small = || GEOMETRIES.iter().filter(|geometry| geometry.is_small());
    let index = bytes.below(small().count());
    small().nth(index).unwrap_or(&GEOMETRIES[0])
}

pub(super) fn run(input: &[u8], tale: &Tale, image: &mut Option<Image>) -> Result<(), String> {
    let mut bytes = Bytes(input);
    let geometry = small_geometry(&mut bytes);
    let sort = Sort::ALL[usize::from(bytes.byte() & 3)];
    let acts = acts(&mut bytes);
    tale.note(|| format!("{}, {}, {} acts", geometry.name, sort.name(), acts.len()));
    run_on(geometry.name, &mut Game { acts: &acts, sort, tale, image }).unwrap_or(Ok(()))
}

fn acts(bytes: &mut Bytes<'_>) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut fills = 0;
    while !bytes.is_empty() && acts.len() < ACTS_MAX {
        let act = match bytes.byte() % 16 {
            0..=4 => Act::Do(Op::Put(key(bytes), length(bytes))),
            5..=6 => Act::Do(Op::Delete(key(bytes))),
            7 => Act::Do(Op::Transaction(changes(bytes))),
            8 => Act::Do(Op::Abandon(changes(bytes))),
            9 => Act::Do(Op::Reopen),
            10 => Act::Do(Op::Restart),
            11 => Act::Do(Op::Look),
            12 if fills == 0 => {
                fills += 1;
                Act::Do(Op::Fill(200 + 4 * length(bytes)))
            }
            12 => Act::Do(Op::Look),
            _ => Act::Cut(u64::from(bytes.byte()), Tear::ALL[bytes.below(Tear::ALL.len())]),
        };
        acts.push(act);
    }
    acts
}

/// Half of all keys are the same four.
fn key(bytes: &mut Bytes<'_>) -> usize {
    let byte = usize::from(bytes.byte());
    if byte < 128 { byte % 4 } else { byte % 40 }
}

fn length(bytes: &mut Bytes<'_>) -> usize {
    let byte = usize::from(bytes.byte());
    if byte < 192 { byte } else { (byte - 192) * 48 }
}

fn changes(bytes: &mut Bytes<'_>) -> Vec<(usize, Option<usize>)> {
    let count = bytes.below(6);
    (0..count).map(|_| (key(bytes), (bytes.byte() & 3 != 0).then(|| length(bytes)))).collect()
}

struct Game<'a> {
    acts: &'a [Act],
    sort: Sort,
    tale: &'a Tale,
    image: &'a mut Option<Image>,
}

impl Scenario for Game<'_> {
    type Output = Result<(), String>;

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) -> Self::Output {
        let mut world = World::<R, W, E>::new(geometry.flash());
        world.tell(self.tale);
        let result = for_sort!(self.sort, W, E, S => play::<R, W, E, S>(&mut world, self.acts), Ok(()));
        *self.image = self.tale.is_told().then(|| Image::of(geometry, self.sort.is_plain(), &world.flash));
        result.map_err(Stop::sentence)
    }
}

fn play<const R: usize, const W: usize, const E: usize, S: Tried>(
    world: &mut World<R, W, E>,
    acts: &[Act],
) -> Result<(), Stop> {
    world.format::<S>().map_err(|error| Stop::Wrong(format!("format: {error}")))?;
    let mut acts = acts.iter().peekable();
    while acts.peek().is_some() {
        let mut script = Vec::new();
        while let Some(Act::Do(op)) = acts.next_if(|act| matches!(act, Act::Do(_))) {
            script.push(op.clone());
        }
        match world.run::<S>(&script) {
            Ok(()) => {}
            Err(Stop::PowerCut) => drop(world.recover::<S>(|flash| {
                if let Some(Act::Cut(op, tear)) = acts.next_if(|act| matches!(act, Act::Cut(..))) {
                    flash.cut_at(*op % 4, *tear);
                }
            })?),
            Err(wrong) => return Err(wrong),
        }
        world.flash.cancel_cut();
        world.verify::<S>()?;
        if let Some(Act::Cut(op, tear)) = acts.next_if(|act| matches!(act, Act::Cut(..))) {
            world.flash.cut_at(*op, *tear);
        }
    }
    world.flash.cancel_cut();
    world.verify::<S>()?;
    world.rules()
}
