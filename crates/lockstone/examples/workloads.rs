//! The workloads by which stores of this kind are compared: `cargo run --release -p lockstone --example workloads`.
//!
//! 64 blocks of 4,096 bytes, program unit 4. W1: 100 keys with names of 4 to 15 characters and values of 16 to 64
//! bytes; filled, 10,000 random updates, 10,000 random gets, 1,000 misses, a mount. W3: one hot 32-byte key 100,000
//! times among 50 cold ones. Figures are counted by the simulator, per operation; nothing is timed. `--json` prints one
//! object a line: name, value, unit, bar (where there is one), met.

use lockstone::seal::Suite;
use lockstone::{Ascon, Memory, Part, Plain, SoftRootKey, Store, buffer_size};
use lockstone_sim::{Counts, SimFlash};

type Flash = SimFlash<1, 4, 4096>;
/// RAM handed in: 141 bucket heads, one record, one byte a segment.
type Ram = Memory<141, { buffer_size(1, 4, 4096) + 64 }>;

const KEYS: usize = 100;
const ROUNDS: u64 = 10_000;

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let mut table = Table { json };
    table.row("RAM handed in", size_of::<Ram>() as f64, "B", Some(2560.0));
    table.row("RAM of the store itself, ascon", size_of::<Store<'_, (), Ascon>>() as f64, "B", None);
    first::<Plain>(&mut table, 1.3);
    first::<Ascon>(&mut table, 1.8);
    third::<Plain>(&mut table);
    third::<Ascon>(&mut table);
}

struct Table {
    json: bool,
}

impl Table {
    fn row(&mut self, name: &str, value: f64, unit: &str, bar: Option<f64>) {
        let met = bar.map(|bar| value <= bar);
        if self.json {
            let bar = bar.zip(met).map_or(String::new(), |(bar, met)| format!(", \"bar\": {bar}, \"met\": {met}"));
            println!("{{\"name\": \"{name}\", \"value\": {value:.4}, \"unit\": \"{unit}\"{bar}}}");
        } else {
            let bar = bar.map_or(String::new(), |bar| format!("   at most {bar}"));
            println!("{name:<44} {value:>12.3} {unit:<6}{bar}");
        }
    }
}

/// splitmix64
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap_or(0)
    }

    fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.below(256).to_le_bytes()[0]).collect()
    }
}

/// The identity of the store: any number does here.
struct Identity;

impl rand_core::TryRng for Identity {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(42)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(42)
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Self::Error> {
        target.fill(42);
        Ok(())
    }
}

fn names(random: &mut Random) -> Vec<String> {
    (0..KEYS)
        .map(|index| format!("k{index:03}{}", "x".repeat(usize::try_from(random.below(12)).unwrap_or(0))))
        .collect()
}

/// One step on a freshly mounted store, counted.
struct Bench {
    flash: Flash,
    memory: Ram,
    root: SoftRootKey,
}

impl Bench {
    fn new<S: Suite>() -> Self {
        let mut bench =
            Self { flash: Flash::new(64 * 4096, 0xff), memory: Ram::new(), root: SoftRootKey::new([7; 32]) };
        Store::<_, S>::format(&mut bench.flash, Part::NOR, &bench.root, &mut Identity, &mut bench.memory)
            .expect("the part is good");
        bench
    }
}

fn first<S: Suite>(table: &mut Table, amplification: f64) {
    let mut random = Random(1);
    let names = names(&mut random);
    let Bench { mut flash, mut memory, root } = Bench::new::<S>();
    let suite = S::NAME;
    let mut store = Store::<_, S>::mount(&mut flash, Part::NOR, &root, &mut memory).expect("formatted");
    for name in &names {
        let length = 16 + random.below(49);
        store.put(name.as_str(), &random.bytes(length)).expect("room");
    }
    let (mut payload, start) = (0, store.flash().counts());
    for _ in 0..ROUNDS {
        let name = &names[random.index(KEYS)];
        let length = 16 + random.below(49);
        payload += name.len() as u64 + length;
        store.put(name.as_str(), &random.bytes(length)).expect("room");
    }
    let updates = store.flash().counts() - start;
    let gets = measure(&mut store, |store, random| {
        let mut buffer = [0; 64];
        assert!(store.get(names[random.index(KEYS)].as_str(), &mut buffer).expect("sound").is_some());
    });
    let misses = measure(&mut store, |store, random| {
        let name = format!("absent{}", random.below(1 << 40));
        assert!(!store.contains(name.as_str()).expect("sound"));
    });
    drop(store);
    flash.reset_counts();
    Store::<_, S>::mount(&mut flash, Part::NOR, &root, &mut memory).expect("formatted");
    let mount = flash.counts();

    let per = |count: u64| count as f64 / ROUNDS as f64;
    table.row(&format!("W1 {suite}: update, bytes read"), per(updates.bytes_read), "B", Some(200.0));
    table.row(&format!("W1 {suite}: update, read calls"), per(updates.reads), "", None);
    let written = updates.bytes_programmed as f64 / payload as f64;
    table.row(&format!("W1 {suite}: update, programmed per payload"), written, "", Some(amplification));
    table.row(&format!("W1 {suite}: update, erases"), per(updates.erases), "", None);
    table.row(&format!("W1 {suite}: get, bytes read"), per(gets.bytes_read), "B", Some(110.0));
    table.row(&format!("W1 {suite}: get, read calls"), per(gets.reads), "", Some(2.0));
    table.row(&format!("W1 {suite}: miss, bytes read"), per(misses.bytes_read), "B", None);
    table.row(&format!("W1 {suite}: mount, bytes read"), mount.bytes_read as f64, "B", None);
}

fn measure<'w, S: Suite>(
    store: &mut Store<'w, &'w mut Flash, S>,
    mut step: impl FnMut(&mut Store<'w, &'w mut Flash, S>, &mut Random),
) -> Counts {
    let mut random = Random(2);
    let start = store.flash().counts();
    for _ in 0..ROUNDS {
        step(store, &mut random);
    }
    store.flash().counts() - start
}

fn third<S: Suite>(table: &mut Table) {
    let mut random = Random(3);
    let Bench { mut flash, mut memory, root } = Bench::new::<S>();
    let mut store = Store::<_, S>::mount(&mut flash, Part::NOR, &root, &mut memory).expect("formatted");
    for index in 0..50 {
        store.put(format!("cold{index}").as_str(), &random.bytes(32)).expect("room");
    }
    for _ in 0..100_000 {
        store.put("hot", &random.bytes(32)).expect("room");
    }
    drop(store);
    let (least, most) = flash.erase_spread();
    let total: u32 = flash.erase_counts().iter().sum();
    let suite = S::NAME;
    table.row(&format!("W3 {suite}: erases in all"), f64::from(total), "", None);
    table.row(&format!("W3 {suite}: erases, most less fewest"), f64::from(most - least), "", Some(2.0));
}
