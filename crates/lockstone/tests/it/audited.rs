//! The IV audit: over all lives of a device, with power cuts, roll-backs, formats and a random generator that is stuck, no
//! two different messages are encrypted from the same key and IV.

use lockstone::Ascon;
use lockstone::seal::audit::{Audited, Ledger, take_ledger};
use lockstone_sim::{SimFlash, Tear};
use lockstone_torture::{Op, Random, Stop, World};

const SEALS: u64 = 1_000_000;

type Suite = Audited<Ascon>;
type Device = World<4, 4, 2048>;

fn op(random: &mut Random) -> Op {
    let key = 3 + random.below(9);
    match random.below(100) {
        0..8 => Op::Delete(key),
        8..14 => Op::Transaction((0..3).map(|index| (key + index, (index != 1).then_some(20))).collect()),
        14 => Op::Restart,
        15 => Op::Reopen,
        16..20 => Op::Put(key, 600),
        _ => Op::Put(key, 8 + random.below(40)),
    }
}

#[test]
fn no_iv_is_used_twice() {
    take_ledger();
    let mut random = Random(99);
    let (mut lives, mut cuts, mut rollbacks, mut total) = (0_u32, 0_u32, 0_u32, Ledger::default());
    while total.seals < SEALS {
        // The identity is drawn from a generator that is stuck, so each life has the same keys.
        let mut world = Device::new(SimFlash::new(16 * 2048, 0xff));
        world.format::<Suite>().unwrap();
        lives += 1;
        let mut kept = vec![world.copy()];
        for _ in 0..40 {
            if random.below(3) == 0 {
                world.flash.cut_at(random.below(200) as u64, Tear::ALL[random.below(Tear::ALL.len())]);
            }
            let script: Vec<Op> = (0..250).map(|_| op(&mut random)).collect();
            match world.run::<Suite>(&script) {
                Ok(()) => {}
                Err(Stop::PowerCut) => cuts += world.recover::<Suite>(|_| {}).unwrap() as u32,
                Err(wrong) => panic!("{}", wrong.sentence()),
            }
            world.flash.cancel_cut();
            kept.push(world.copy());
            if random.below(4) == 0 {
                // Somebody puts an older image back, and other things are written from there.
                world.become_like(&kept[random.below(kept.len())]);
                rollbacks += 1;
            }
        }
        let Ledger { seals, repeats, findings } = lockstone::seal::audit::ledger();
        total = Ledger { seals, repeats, findings };
    }
    take_ledger();
    let Ledger { seals, repeats, findings } = total;
    println!(
        "IV audit: {seals} seals in {lives} lives with {cuts} cuts and {rollbacks} roll-backs: {findings} findings"
    );
    println!("  {repeats} of them the very same message at the same place again");
    assert_eq!(findings, 0);
}

/// The audit would see it: a suite without a key stream of its own for each message is found out.
#[test]
fn the_audit_finds_what_it_looks_for() {
    use lockstone::Plain;
    take_ledger();
    // CRC-32C as an IV: among a hundred thousand messages two have the same.
    let mut world = Device::new(SimFlash::new(16 * 2048, 0xff));
    world.format::<Audited<Plain>>().unwrap();
    let mut random = Random(3);
    while lockstone::seal::audit::ledger().findings == 0 {
        let script: Vec<Op> = (0..400).map(|_| Op::Put(3 + random.below(9), 12)).collect();
        world.run::<Audited<Plain>>(&script).unwrap();
        assert!(lockstone::seal::audit::ledger().seals < 2_000_000, "it should have found one by now");
    }
    take_ledger();
}
