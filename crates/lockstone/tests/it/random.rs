//! Random lives of `lockstone-torture`, from many seeds on every geometry. A failure names the life for `lockstone replay`.

use lockstone_sim::geometry::GEOMETRIES;
use lockstone_torture::{Kind, Life, Sort, Tale};

use crate::cuts::is_thorough;

fn lives(seeds: std::ops::Range<u64>, sort: Sort) {
    let (mut cuts, mut failures) = (0, Vec::new());
    for (seed, geometry) in seeds.clone().flat_map(|seed| GEOMETRIES.iter().map(move |geometry| (seed, geometry))) {
        let life = Life::new(Kind::Mixed, geometry, sort, seed);
        match life.play(&Tale::default()).0 {
            Ok(more) => cuts += more,
            Err(what) => failures.push(format!("{what}: lockstone replay {life}")),
        }
    }
    println!("random lives {seeds:?}: {cuts} power cuts");
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn random_lives_sealed() {
    lives(0..6, Sort::Ascon);
}

#[test]
fn random_lives_plain() {
    lives(100..110, Sort::Plain);
}

#[test]
fn random_lives_small() {
    lives(200..206, Sort::SmallAscon);
    lives(300..310, Sort::SmallPlain);
}

/// Cuts in a row, early in each session, on stores of every fill. What was acknowledged stays, always. Known limit,
/// ARCHITECTURE (i): small stores can be full for good then. Each part plays every fill, and a third of the seeds that differ
/// in how early the cuts come, or all with `LOCKSTONE_THOROUGH=1`.
#[test]
fn flickering_power() {
    for sort in Sort::ALL {
        let (mut lives, mut cuts, mut wrong) = (0, 0, Vec::new());
        // By how many quarters the store was filled before: the seed says it.
        let mut full = [0; 5];
        let geometries = GEOMETRIES.iter().filter(|geometry| geometry.is_small()).enumerate();
        for (index, geometry, seed) in geometries.flat_map(|(index, part)| (0..35).map(move |seed| (index, part, seed)))
        {
            if !is_thorough() && !(seed as usize / 5 + index).is_multiple_of(3) {
                continue;
            }
            let life = Life::new(Kind::Flicker, geometry, sort, seed);
            match life.play(&Tale::default()).0 {
                // Not every part is tried with small stores.
                Ok(0) => continue,
                Ok(more) => cuts += more,
                Err(what) if what.contains("the store is full") && sort.is_small() => {
                    full[seed as usize % 5] += 1;
                }
                Err(what) => wrong.push(format!("{what}: lockstone replay {life}")),
            }
            lives += 1;
        }
        let all: u32 = full.iter().sum();
        println!("flicker, {}: {cuts} cuts; of {lives} stores {all} are full for good, by fill {full:?}", sort.name());
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
