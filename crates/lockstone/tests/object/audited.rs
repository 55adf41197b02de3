//! IV audit: whatever is cut, rolled back or stuck, no two messages are encrypted from one point of the key stream.

use lockstone::seal::audit::{Audited, take_ledger};
use lockstone::{Ascon, Put};
use lockstone_sim::Tear;
use lockstone_torture::{Fixed, Random};
use sha2::Sha256;

use super::{Bench, content};

type Suite = Audited<Ascon>;
type Nor = Bench<4, 4, 4096>;

/// Writes at random what is missing of the object of this key, and finishes it if power lasts.
fn go_on(bench: &mut Nor, key: &str, wanted: &[u8], random: &mut Random) -> Option<()> {
    let mut memory = super::Keys::new();
    let mut buffer = [0; 600];
    let (root, part) = (lockstone_torture::root(), bench.part);
    let mut store = lockstone::Store::<_, Suite>::mount(&mut bench.keys, part, &root, &mut memory).ok()?;
    let mut objects = lockstone::Objects::<_, Suite>::open(&mut bench.flash, part, &mut store, &mut buffer).ok()?;
    let mut ram = [0; 700];
    let length = Some(wanted.len() as u32);
    let mut upload = match objects.resume(&mut store, key, &mut ram).ok()? {
        Some(upload) => upload,
        // The random generator is stuck.
        None => objects.create(&mut store, key, length, &mut Fixed(1), &mut ram).ok()?,
    };
    while upload.next_missing(0).is_some() {
        let from = random.below(wanted.len().div_ceil(512)) * 512;
        let end = (from + 512).min(wanted.len());
        objects.write(&mut store, &mut upload, from as u32, &wanted[from..end]).ok()?;
    }
    objects.finish::<Sha256, _, _>(&mut store, &mut upload, key, None, Put::USUAL).ok().map(drop)
}

#[test]
fn nothing_is_encrypted_twice_from_one_point() {
    take_ledger();
    let mut random = Random(11);
    let mut bench = Nor::new::<Suite>(16 * 4096, 40 * 4096, 0xff);
    let mut kept = bench.clone();
    let mut finished = 0;
    for round in 0..600 {
        let power = bench.plug_in();
        if random.below(3) > 0 {
            power.cut_at(random.below(60) as u64, Tear::ALL[random.below(Tear::ALL.len())]);
        }
        let key = ["one", "two"][random.below(2)];
        // What comes over the line may be another each time.
        let wanted = content(random.below(5) as u64, 12_000);
        finished += u32::from(go_on(&mut bench, key, &wanted, &mut random).is_some());
        power.cancel_cut();
        power.on();
        match random.below(12) {
            0 => bench = kept.clone(),
            1 => kept = bench.clone(),
            2 => bench.flash.restore(kept.flash.data()),
            _ => {}
        }
        bench.flash.set_seed(round);
    }
    let ledger = take_ledger();
    println!("objects: {ledger:?}, {finished} finished");
    assert!(ledger.seals > 10_000 && ledger.repeats > 0 && finished > 50, "{ledger:?}, {finished} finished");
    assert_eq!(ledger.findings, 0, "{ledger:?}");
}
