//! Scenes: scripts that touch every part of the store, and how densely each is cut.
//!
//! Where a case is slow, because its log is long, not all tears are played at each operation, but the next ones in turn.

use lockstone::Layout;
use lockstone_sim::geometry::Geometry;

use crate::world::Op;

/// What is written before the cuts begin, and what is cut.
#[derive(Clone, Debug)]
pub struct Script {
    /// Played first, without cuts.
    pub setup: Vec<Op>,
    /// Played with a cut at each operation.
    pub cut: Vec<Op>,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Unique name, the first part of an id.
    pub name: &'static str,
    /// What is played.
    pub script: fn(&Geometry, &Layout) -> Script,
    /// Of the operations on small geometries one in so many is cut.
    pub(crate) small: u64,
    /// The same on large geometries; 0: none.
    pub(crate) large: u64,
    /// So many tears at each operation, taken in turn.
    pub(crate) tears: u64,
    /// One in so many cases is cut twice as well.
    pub(crate) twice: u64,
    /// Not played with small stores: it's about groups of records, which they don't have, or long and nothing of theirs.
    pub(crate) standard_only: bool,
}

const fn every(name: &'static str, script: fn(&Geometry, &Layout) -> Script) -> Scene {
    Scene { name, script, small: 1, large: 7, tears: 10, twice: 7, standard_only: false }
}

/// The table.
pub const SCENES: [Scene; 13] = [
    every("fill", fill),
    every("overwrite", overwrite),
    every("delete", delete),
    Scene { standard_only: true, ..every("transaction", transaction) },
    Scene { standard_only: true, ..every("chunked", chunked) },
    every("restart", restart),
    every("mixed", mixed),
    every("revive", revive),
    Scene { standard_only: true, ..every("batches", batches) },
    Scene { large: 0, tears: 3, ..every("compaction", compaction) },
    Scene { small: 13, large: 0, tears: 1, ..every("turn", turn) },
    Scene { small: 3, large: 0, tears: 1, ..every("full", full) },
    Scene { small: 41, large: 181, tears: 1, twice: 10, standard_only: true, ..every("names", names) },
];

fn simple(cut: Vec<Op>) -> Script {
    Script { setup: Vec::new(), cut }
}

fn fill(_: &Geometry, layout: &Layout) -> Script {
    let body = layout.body_max as usize;
    let lengths = [0, 1, 31, 32, 33, 64, 100, 127, 128, 129, 200, body - 20, 3, 60];
    simple(lengths.iter().enumerate().map(|(index, length)| Op::Put(index, *length)).collect())
}

fn overwrite(_: &Geometry, _: &Layout) -> Script {
    simple((0..24).map(|turn| Op::Put(turn % 4, turn * 29 % 140)).collect())
}

fn delete(_: &Geometry, _: &Layout) -> Script {
    let puts = (0..8).map(|index| Op::Put(index, 12 * index));
    let deletes = [0, 3, 3, 7, 1, 9].map(Op::Delete);
    let again =
        [Op::Put(3, 40), Op::Put(7, 5), Op::Delete(3), Op::Delete(2), Op::Put(9, 0), Op::Delete(9), Op::Put(3, 1)];
    simple(puts.chain(deletes).chain(again).collect())
}

fn transaction(_: &Geometry, _: &Layout) -> Script {
    simple(vec![
        Op::Put(1, 30),
        Op::Put(2, 50),
        Op::Transaction(vec![(1, Some(70)), (2, None), (3, Some(0))]),
        Op::Abandon(vec![(1, Some(9)), (3, None), (4, Some(90))]),
        Op::Transaction(vec![]),
        Op::Transaction(vec![(3, None), (3, Some(20)), (3, Some(30))]),
        Op::Put(4, 10),
        Op::Abandon(vec![(5, Some(10))]),
        Op::Abandon(vec![(4, None)]),
        Op::Transaction(vec![(1, None), (3, None), (4, None)]),
        Op::Transaction(vec![(6, Some(1)), (7, Some(2)), (8, Some(3)), (9, Some(4))]),
        Op::Abandon(vec![(6, None), (6, Some(60))]),
    ])
}

fn chunked(_: &Geometry, layout: &Layout) -> Script {
    let body = layout.body_max as usize;
    simple(vec![
        Op::Put(3, body + 1),
        Op::Put(4, 20),
        Op::Put(3, body * 2 + 30),
        Op::Put(3, body * 3 / 2),
        Op::Put(1, body + 40),
        Op::Put(3, 5),
        Op::Delete(1),
        Op::Put(3, body * 2),
        Op::Delete(3),
    ])
}

fn restart(_: &Geometry, _: &Layout) -> Script {
    let mut cut = Vec::new();
    for turn in 0..9 {
        cut.push(Op::Put(turn % 3, 17 * turn));
        cut.extend((turn % 4 == 2).then_some(Op::Delete(turn % 3)));
        cut.extend((turn % 3 == 1).then(|| Op::Transaction(vec![(5, Some(turn)), (6, (turn % 2 == 0).then_some(40))])));
        cut.push(if turn % 2 == 0 { Op::Restart } else { Op::Reopen });
        cut.extend((turn == 4).then_some(Op::Restart));
    }
    simple(cut)
}

fn mixed(_: &Geometry, layout: &Layout) -> Script {
    let body = layout.body_max as usize;
    simple(vec![
        Op::Put(0, 200),
        Op::Put(3, body + 100),
        Op::Abandon(vec![(3, Some(body + 60)), (0, None)]),
        Op::Restart,
        Op::Transaction(vec![(3, Some(7)), (4, Some(body + 90))]),
        Op::Reopen,
        Op::Delete(4),
        Op::Put(1, 66),
        Op::Restart,
        Op::Abandon(vec![(1, None)]),
        Op::Put(2, 15),
    ])
}

/// The same few keys come and go over restarts and dropped transactions.
fn revive(_: &Geometry, _: &Layout) -> Script {
    let mut cut = Vec::new();
    for turn in 0..6 {
        cut.extend([Op::Put(turn % 2, 20 + turn), Op::Put(3, 90), Op::Delete(turn % 2), Op::Delete(3)]);
        cut.extend((turn % 2 == 0).then(|| Op::Abandon(vec![(3, Some(turn)), (turn % 2, Some(50))])));
        cut.extend((turn % 3 == 2).then_some(Op::Restart));
        cut.push(Op::Put(turn % 2, 0));
    }
    simple(cut)
}

/// Transactions that fill, empty and replace several keys, long values among them.
fn batches(_: &Geometry, layout: &Layout) -> Script {
    let body = layout.body_max as usize;
    simple(vec![
        Op::Transaction((0..6).map(|index| (index, Some(index * 13))).collect()),
        Op::Transaction(vec![(3, Some(body + 30)), (4, Some(2)), (0, None)]),
        Op::Transaction((0..6).map(|index| (index, (index % 2 == 0).then_some(25))).collect()),
        Op::Abandon(vec![(0, None), (2, None), (7, Some(body + 30))]),
        Op::Transaction(vec![(7, Some(60)), (3, None), (2, Some(1))]),
        Op::Transaction((0..8).map(|index| (index, None)).collect()),
    ])
}

/// Cold keys that stay, and hot ones over them until so many bytes were written.
fn churn(layout: &Layout, bytes: usize) -> impl Iterator<Item = Op> + use<> {
    let length = layout.body_max as usize - 30;
    let cold = (10..22).map(|index| Op::Put(index, 9 * (index - 10)));
    let hot = (0..bytes / (length + 40)).map(move |turn| Op::Put(turn % 3, if turn % 5 == 4 { 70 } else { length }));
    cold.chain(hot)
}

fn compaction(geometry: &Geometry, layout: &Layout) -> Script {
    let length = layout.body_max as usize;
    let cut = (0..13).map(|turn| match turn {
        5 => Op::Delete(2),
        7 => Op::Put(3, length * 2),
        9 => Op::Restart,
        _ => Op::Put(turn % 3, length - 30),
    });
    Script { setup: churn(layout, geometry.capacity * 5 / 4).collect(), cut: cut.collect() }
}

fn turn(geometry: &Geometry, layout: &Layout) -> Script {
    simple(churn(layout, geometry.capacity * 5 / 4).collect())
}

fn full(_: &Geometry, _: &Layout) -> Script {
    Script {
        setup: vec![Op::Put(1, 40), Op::Put(2, 300), Op::Fill(240)],
        cut: vec![
            Op::Put(100, 240),
            Op::Put(103, 200),
            Op::Put(104, 600),
            Op::Delete(2),
            Op::Put(3, 200),
            Op::Delete(101),
            Op::Delete(102),
            Op::Transaction(vec![(101, Some(100)), (1, None)]),
            Op::Put(102, 240),
            Op::Put(4, 240),
            Op::Put(5, 240),
        ],
    }
}

fn names(_: &Geometry, _: &Layout) -> Script {
    let cut = (0..12).map(|turn| match turn % 4 {
        0 => Op::Put(100 + turn * 17, 3),
        1 => Op::Delete(100 + turn * 13),
        2 => Op::Put(50 + turn, 0),
        _ => Op::Transaction(vec![(100 + turn, None), (101 + turn, Some(8))]),
    });
    Script { setup: vec![Op::Fill(0), Op::Restart], cut: cut.collect() }
}

/// What is written after a recovery, before the clean close.
pub(crate) fn afterlife() -> [Op; 6] {
    [
        Op::Put(0, 10),
        Op::Put(50, 100),
        Op::Delete(0),
        Op::Transaction(vec![(1, Some(3)), (50, None)]),
        Op::Put(2, 1),
        Op::Reopen,
    ]
}
