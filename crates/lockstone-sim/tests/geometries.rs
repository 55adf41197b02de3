//! The table of geometries, and one life on each.
#![allow(clippy::unwrap_used)]

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockstone_sim::geometry::{GEOMETRIES, Geometry, Scenario, for_each_geometry, run_on};
use lockstone_sim::{SimError, SimFlash, Tear};

struct Sizes;

impl Scenario for Sizes {
    type Output = (&'static str, usize, usize, usize);

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) -> Self::Output {
        (geometry.name, R, W, E)
    }
}

/// Cuts a program over a block edge and an erase in every way; counts the cuts.
struct Cuts(u32);

impl Scenario for Cuts {
    type Output = ();

    fn run<const R: usize, const W: usize, const E: usize>(&mut self, geometry: &Geometry) {
        let mut fresh = geometry.flash::<R, W, E>();
        fresh.write(0, &vec![0x33; W]).unwrap();
        for tear in Tear::ALL {
            let mut flash = fresh.clone();
            flash.cut_at(0, tear);
            let edge = u32::try_from(E - W).unwrap();
            assert_eq!(flash.write(edge, &vec![0x5a; 2 * W]), Err(SimError::PowerCut));
            flash.power_on();
            flash.cut_at(0, tear);
            assert_eq!(flash.erase(0, u32::try_from(E).unwrap()), Err(SimError::PowerCut));
            flash.power_on();
            blank(&mut flash, geometry);
            self.0 += 2;
        }
    }
}

fn blank<const R: usize, const W: usize, const E: usize>(flash: &mut SimFlash<R, W, E>, geometry: &Geometry) {
    flash.erase(0, u32::try_from(geometry.capacity).unwrap()).unwrap();
    let mut bytes = vec![0; geometry.capacity];
    flash.read(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|&byte| byte == geometry.erased), "{}", geometry.name);
}

#[test]
fn names_are_unique_and_sizes_are_sound() {
    for (index, geometry) in GEOMETRIES.iter().enumerate() {
        assert!(GEOMETRIES[..index].iter().all(|other| other.name != geometry.name), "{}", geometry.name);
        assert!(geometry.write.is_multiple_of(geometry.read) && geometry.erase.is_multiple_of(geometry.write));
        assert!(geometry.blocks() >= 4 && geometry.capacity.is_multiple_of(geometry.erase));
    }
    assert!(GEOMETRIES.len() >= 12);
    assert_eq!(GEOMETRIES.iter().filter(|geometry| !geometry.is_small()).count(), 3);
    assert!(GEOMETRIES.iter().any(|geometry| geometry.erased == 0));
}

#[test]
fn a_scenario_runs_on_every_geometry_in_order() {
    let listed: Vec<_> = GEOMETRIES.iter().map(|one| (one.name, one.read, one.write, one.erase)).collect();
    assert_eq!(for_each_geometry(&mut Sizes), listed);
    for sizes in listed {
        assert_eq!(run_on(sizes.0, &mut Sizes), Some(sizes));
    }
    assert_eq!(run_on("no such chip", &mut Sizes), None);
}

#[test]
fn every_geometry_survives_every_cut() {
    let mut cuts = Cuts(0);
    for_each_geometry(&mut cuts);
    assert_eq!(cuts.0 as usize, GEOMETRIES.len() * Tear::ALL.len() * 2);
}

#[test]
#[should_panic(expected = "sizes of `spi-nor`")]
fn a_chip_of_other_sizes_is_refused() {
    let _ = GEOMETRIES[0].flash::<1, 2, 4096>();
}
