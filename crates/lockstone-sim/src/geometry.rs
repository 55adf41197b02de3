//! Chips as they are sold, scaled down in capacity.
//!
//! Read, program and erase sizes are constants of a type, so a test that is to run on every geometry is a [`Scenario`]:
//! a value whose generic method is called once per geometry. The table below is the only list; everything else is made
//! from it.
//!
//! Tested by the suite `geometries`.

use crate::SimFlash;

/// The sizes of a chip, all in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Unique name.
    pub name: &'static str,
    /// Read size.
    pub read: usize,
    /// Program size: the unit that is programmed once.
    pub write: usize,
    /// Erase size: the block.
    pub erase: usize,
    /// Size of the chip.
    pub capacity: usize,
    /// Value of an erased byte.
    pub erased: u8,
}

impl Geometry {
    /// Whether the chip is small enough, 64 KiB at most, for exhaustive tests.
    #[must_use]
    pub const fn is_small(&self) -> bool {
        self.capacity <= 64 * 1024
    }

    /// Number of erase blocks.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.capacity / self.erase
    }

    /// A blank chip of this geometry.
    ///
    /// # Panics
    ///
    /// If the sizes of the type are not those of the geometry.
    #[must_use]
    pub fn flash<const READ: usize, const WRITE: usize, const ERASE: usize>(&self) -> SimFlash<READ, WRITE, ERASE> {
        assert_eq!((READ, WRITE, ERASE), (self.read, self.write, self.erase), "sizes of `{}`", self.name);
        SimFlash::new(self.capacity, self.erased)
    }
}

/// Something to run on chips of any geometry.
pub trait Scenario {
    /// What one run returns.
    type Output;

    /// Runs on one geometry. `geometry.flash::<READ, WRITE, ERASE>()` makes the chip.
    fn run<const READ: usize, const WRITE: usize, const ERASE: usize>(&mut self, geometry: &Geometry) -> Self::Output;
}

macro_rules! geometries {
    ($($name:literal: $read:literal, $write:literal, $erase:literal, $blocks:literal blocks, $erased:literal;)*) => {
        /// Every geometry.
        pub const GEOMETRIES: &[Geometry] = &[$(Geometry {
            name: $name,
            read: $read,
            write: $write,
            erase: $erase,
            capacity: $erase * $blocks,
            erased: $erased,
        }),*];

        /// Runs the scenario on every geometry, in the order of [`GEOMETRIES`].
        pub fn for_each_geometry<S: Scenario>(scenario: &mut S) -> Vec<S::Output> {
            let mut geometries = GEOMETRIES.iter();
            let mut outputs = Vec::with_capacity(GEOMETRIES.len());
            $(outputs.extend(geometries.next().map(|geometry| scenario.run::<$read, $write, $erase>(geometry)));)*
            outputs
        }

        /// Runs the scenario on the geometry of this name; `None` if there is no such geometry.
        pub fn run_on<S: Scenario>(name: &str, scenario: &mut S) -> Option<S::Output> {
            let geometry = GEOMETRIES.iter().find(|geometry| geometry.name == name)?;
            match name {
                $($name => Some(scenario.run::<$read, $write, $erase>(geometry)),)*
                _ => None,
            }
        }
    };
}

// The names say what the sizes are taken from. Sectors of 128 KiB and more are scaled down where the point is the
// program size, and left as they are where the point is the size of the sector.
geometries! {
    // name: read, write, erase, blocks, erased
    "spi-nor": 1, 1, 4096, 8 blocks, 0xff;
    "word4": 4, 4, 4096, 8 blocks, 0xff;
    "nrf51": 4, 4, 1024, 16 blocks, 0xff;
    "half2": 2, 2, 1024, 16 blocks, 0xff;
    "stm32l0": 4, 4, 128, 128 blocks, 0x00;
    "double8": 8, 8, 2048, 12 blocks, 0xff;
    "quad16": 1, 16, 8192, 6 blocks, 0xff;
    "zero-erased16": 1, 16, 4096, 8 blocks, 0x00;
    "h7-32": 1, 32, 8192, 6 blocks, 0xff;
    "page64": 1, 64, 4096, 8 blocks, 0xff;
    "page256": 1, 256, 4096, 12 blocks, 0xff;
    "sector512": 1, 512, 8192, 8 blocks, 0xff;
    "big-block": 4, 4, 65536, 6 blocks, 0xff;
    "f4-128k": 1, 1, 131072, 5 blocks, 0xff;
    "huge-256k": 4, 8, 262144, 4 blocks, 0xff;
}
