//! Power cuts, enumerated: every flash operation of every scene, torn in every way, on every small geometry.
//!
//! One *case* is a scene, a geometry, a suite, the number of a flash operation (counted from the end of the scene's setup)
//! and a [`Tear`]; a case cut twice has a second operation, counted from the moment when power comes back, and a second
//! tear. After the cut every key must be what was acknowledged, and the operation in flight old or new as a whole; then
//! again after another mount, and after a few more writes and a clean close.

use std::fmt;

use lockstone::Layout;
use lockstone_sim::geometry::{Geometry, Scenario, for_each_geometry, run_on};
use lockstone_sim::{SimFlash, Tear};

use crate::caught;
use crate::replay::{Image, NO_SUCH_OPERATION};
use crate::scenes::{SCENES, Scene, Script, afterlife};
use crate::tale::Tale;
use crate::tried::{Sort, Tried, for_sort};
use crate::world::{Op, Stop, World};

/// Failures that are told one by one; after so many the rest is not played.
const TOLD: usize = 5;

/// A place to cut.
type Place = (u64, Tear);

/// One case of the enumeration. `Display` writes its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    scene: &'static str,
    geometry: &'static str,
    sort: Sort,
    first: Place,
    second: Option<Place>,
}

/// `scene/geometry/suite/operation/tear`, and `/operation/tear` when the power is cut again.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suite = self.sort.name();
        let (op, tear) = self.first;
        write!(f, "{}/{}/{suite}/{op}/{tear}", self.scene, self.geometry)?;
        self.second.map_or(Ok(()), |(op, tear)| write!(f, "/{op}/{tear}"))
    }
}

impl Case {
    /// The case of this id; `None` if there is none.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.split('/').collect();
        let (scene, geometry, suite, first, second) = match parts[..] {
            [scene, geometry, suite, op, tear] => (scene, geometry, suite, (op, tear), None),
            [scene, geometry, suite, op, tear, again, other] => {
                (scene, geometry, suite, (op, tear), Some((again, other)))
            }
            _ => return None,
        };
        let place = |(op, tear): (&str, &str)| Some((op.parse().ok()?, tear.parse().ok()?));
        Some(Self {
            scene: SCENES.iter().find(|known| known.name == scene)?.name,
            geometry: geometry_name(geometry)?,
            sort: Sort::parse(suite)?,
            first: place(first)?,
            second: second.map_or(Some(None), |second| place(second).map(Some))?,
        })
    }

    fn seed(&self) -> u64 {
        let (op, tear) = self.first;
        let (second, second_tear) = self.second.unwrap_or((3, Tear::Absent));
        (op.wrapping_mul(16).wrapping_add(tear as u64).wrapping_mul(4).wrapping_add(second))
            .wrapping_mul(16)
            .wrapping_add(second_tear as u64)
    }

    /// Plays this case alone and tells it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn play(&self, tale: &Tale) -> (Result<String, String>, Option<Image>) {
        run_on(self.geometry, &mut Alone { case: self, tale }).unwrap_or_else(|| (Err("no such geometry".into()), None))
    }
}

/// The geometry of this name, its name being static.
pub(crate) fn geometry_name(name: &str) -> Option<&'static str> {
    lockstone_sim::geometry::GEOMETRIES.iter().find(|geometry| geometry.name == name).map(|geometry| geometry.name)
}

/// The world after the setup, and the scratch copy on which cases run.
struct Stage<'a, const R: usize, const W: usize, const E: usize> {
    start: World<R, W, E>,
    scratch: World<R, W, E>,
    script: &'a [Op],
    operations: u64,
}

impl<'a, const R: usize, const W: usize, const E: usize> Stage<'a, R, W, E> {
    /// Plays the setup, and the script once without any cut.
    fn new<S: Tried>(geometry: &Geometry, script: &'a Script) -> Result<Self, Stop> {
        let mut start = World::new(geometry.flash());
        start.format::<S>().map_err(|error| Stop::Wrong(format!("format: {error}")))?;
        start.run::<S>(&script.setup)?;
        let mut stage = Self { scratch: start.copy(), start, script: &script.cut, operations: 0 };
        stage.scratch.run::<S>(stage.script)?;
        stage.operations = stage.scratch.flash.operations() - stage.start.flash.operations();
        stage.scratch.verify::<S>()?;
        stage.scratch.rules()?;
        Ok(stage)
    }

    fn play<S: Tried>(&mut self, case: &Case, tale: &Tale) -> Result<(), Stop> {
        let world = &mut self.scratch;
        world.become_like(&self.start);
        world.tell(tale);
        world.flash.set_seed(case.seed());
        world.flash.cut_at(case.first.0, case.first.1);
        match world.run::<S>(self.script) {
            Err(Stop::PowerCut) => {}
            Err(wrong) => return Err(wrong),
            Ok(()) => return Err(Stop::Wrong(NO_SUCH_OPERATION.to_owned())),
        }
        let mut second = case.second;
        loop {
            world.flash.power_on();
            if let Some((op, tear)) = second.take() {
                world.flash.cut_at(op, tear);
            }
            match recover::<R, W, E, S>(world) {
                Err(Stop::PowerCut) => {}
                Err(wrong) => return Err(wrong),
                Ok(()) => break,
            }
        }
        world.flash.cancel_cut();
        world.rules()
    }
}

fn recover<const R: usize, const W: usize, const E: usize, S: Tried>(world: &mut World<R, W, E>) -> Result<(), Stop> {
    world.verify::<S>()?;
    world.verify::<S>()?;
    world.tale.note(|| "life goes on".to_owned());
    world.run::<S>(&afterlife())?;
    world.verify::<S>()
}

/// One case, told.
struct Alone<'a> {
    case: &'a Case,
    tale: &'a Tale,
}

impl Scenario for Alone<'_> {
    type Output = (Result<String, String>, Option<Image>);

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) -> Self::Output {
        let nowhere = (Err("small stores are not tried on this geometry".into()), None);
        for_sort!(self.case.sort, W, E, S => self.play::<R, W, E, S>(geometry), nowhere)
    }
}

impl Alone<'_> {
    fn play<const R: usize, const W: usize, const E: usize, S: Tried>(
        &self,
        geometry: &Geometry,
    ) -> (Result<String, String>, Option<Image>) {
        let (case, tale) = (self.case, self.tale);
        let script = match script_of(case.scene, geometry, R, W, E) {
            Ok(script) => script,
            Err(what) => return (Err(what), None),
        };
        let mut stage = None;
        let ready = caught(|| {
            stage = Some(Stage::<R, W, E>::new::<S>(geometry, &script).map_err(Stop::sentence)?);
            Ok(())
        });
        let Some(mut stage) = stage else {
            return (Err(format!("without any cut: {}", ready.err().unwrap_or_default())), None);
        };
        tale.note(|| {
            let (setup, operations) = (script.setup.len(), stage.operations);
            format!("setup: format and {setup} operations; then {operations} flash operations without a cut")
        });
        let played = caught(|| stage.play::<S>(case, tale).map_err(Stop::sentence));
        let world = &mut stage.scratch;
        let verdict = played.map(|()| {
            let keys = world.oracle.model.len();
            format!("{keys} keys as acknowledged after each cut; no rule of the flash broken")
        });
        (verdict, Some(Image::of(geometry, case.sort.is_plain(), &world.flash)))
    }
}

fn script_of(scene: &str, geometry: &Geometry, read: usize, write: usize, erase: usize) -> Result<Script, String> {
    let scene = SCENES.iter().find(|known| known.name == scene).ok_or("no such scene")?;
    let layout = Layout::of(read, write, erase, geometry.capacity).map_err(|error| error.reason().to_owned())?;
    Ok((scene.script)(geometry, &layout))
}

/// All cases of a scene, and what came of them.
#[derive(Debug)]
pub struct Tour<'a> {
    scene: &'a Scene,
    count_only: bool,
    thorough: bool,
    /// Cases cut once.
    pub once: u64,
    /// Cases cut twice.
    pub twice: u64,
    /// Cases that ran; after a few failures the rest don't.
    pub played: u64,
    /// Cases that failed, by their ids.
    pub failures: Vec<String>,
}

impl<'a> Tour<'a> {
    /// Plays all cases of a scene. `thorough`: every tear at every operation of every small geometry. A failure is told
    /// at once on standard error.
    #[must_use]
    pub fn play(scene: &'a Scene, thorough: bool) -> Self {
        Self::go(Self { thorough, ..Self::new(scene) })
    }

    /// Counts all cases of a scene and plays none.
    #[must_use]
    pub fn plan(scene: &'a Scene, thorough: bool) -> Self {
        Self::go(Self { thorough, count_only: true, ..Self::new(scene) })
    }

    const fn new(scene: &'a Scene) -> Self {
        Self { scene, count_only: false, thorough: false, once: 0, twice: 0, played: 0, failures: Vec::new() }
    }

    fn go(mut self) -> Self {
        for_each_geometry(&mut self);
        self
    }

    fn visit<const R: usize, const W: usize, const E: usize, S: Tried>(&mut self, geometry: &Geometry, sort: Sort) {
        let thorough = geometry.is_small() && self.thorough;
        let step = match (thorough, geometry.is_small()) {
            (true, _) => 1,
            (false, true) => self.scene.small,
            (false, false) => self.scene.large,
        };
        if step == 0 || sort.is_small() && self.scene.standard_only {
            return;
        }
        let mut stage = None;
        let script = script_of(self.scene.name, geometry, R, W, E);
        let ready = caught(|| {
            let script = script.as_ref().map_err(Clone::clone)?;
            stage = Some(Stage::<R, W, E>::new::<S>(geometry, script).map_err(Stop::sentence)?);
            Ok(())
        });
        let Some(mut stage) = stage else {
            let id = format!("{}/{}/{}", self.scene.name, geometry.name, sort.name());
            return self.fail(format!("{id}, without any cut"), &ready.err().unwrap_or_default());
        };
        for op in (0..stage.operations).filter(|op| op % step == 0) {
            // A small store shares its code with the standard one: the tears in turn, one at each operation, find what is its own.
            let tears = match (thorough, sort.is_small()) {
                (true, _) => 10,
                (false, true) => 1,
                (false, false) => self.scene.tears,
            };
            for index in 0..tears {
                let first = (op, tear(op / step * tears + index));
                let case = Case { scene: self.scene.name, geometry: geometry.name, sort, first, second: None };
                let number = self.once;
                self.try_case::<R, W, E, S>(&mut stage, &case);
                if number.is_multiple_of(self.scene.twice) {
                    let tear = tear(index + number / 10);
                    let second = Some((number / self.scene.twice % 3, tear));
                    self.try_case::<R, W, E, S>(&mut stage, &Case { second, ..case });
                }
            }
        }
    }

    fn try_case<const R: usize, const W: usize, const E: usize, S: Tried>(
        &mut self,
        stage: &mut Stage<'_, R, W, E>,
        case: &Case,
    ) {
        match case.second {
            None => self.once += 1,
            Some(_) => self.twice += 1,
        }
        if self.count_only || self.failures.len() >= TOLD {
            return;
        }
        self.played += 1;
        if let Err(what) = caught(|| stage.play::<S>(case, &Tale::default()).map_err(Stop::sentence)) {
            self.fail(case.to_string(), &what);
        }
    }

    fn fail(&mut self, id: String, what: &str) {
        eprintln!("case {id} failed: {what}\n  lockstone replay {id}");
        self.failures.push(id);
    }
}

impl Scenario for Tour<'_> {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        for sort in Sort::ALL {
            for_sort!(sort, W, E, S => self.visit::<R, W, E, S>(geometry, sort), {});
        }
    }
}

/// The tears in turn.
fn tear(number: u64) -> Tear {
    Tear::ALL[(number % 10) as usize]
}

impl Image {
    /// What a chip holds now.
    #[must_use]
    pub fn of<const R: usize, const W: usize, const E: usize>(
        geometry: &Geometry,
        plain: bool,
        flash: &SimFlash<R, W, E>,
    ) -> Self {
        Self { geometry: *geometry, plain, bytes: flash.data().to_vec() }
    }
}
