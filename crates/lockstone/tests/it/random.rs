//! Random lives of `lockstone-torture`, from many seeds on every geometry. A failure names the life for `lockstone replay`.

use lockstone_sim::geometry::GEOMETRIES;
use lockstone_torture::{Life, Sort, Tale};

fn lives(seeds: std::ops::Range<u64>, sort: Sort) {
    let (mut cuts, mut failures) = (0, Vec::new());
    for (seed, geometry) in seeds.clone().flat_map(|seed| GEOMETRIES.iter().map(move |geometry| (seed, geometry))) {
        let life = Life::new(geometry, sort, seed);
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
