//! What a put and a get cost in instructions and stack, plain and sealed, and beside sequential-storage.
//!
//! The flash is RAM, so that nothing but the store is counted. Values are overwritten until the part was erased several times,
//! so compaction is in the averages; the worst call is the one that compacts most. `cargo xtask firmware` shows the figures.
#![no_std]
#![no_main]

use core::pin::pin;

use board::executor::block_on;
use board::ram_flash::{CAPACITY, RamFlash};
use board::time::{clock, two_thousand_instructions};
use board::{Failure, InsecureRandom, insecure_root_key, println, stack, time};
use lockstone::seal::Suite;
use lockstone::{Ascon, Memory, Part, Plain, Store, buffer_size};
use sequential_storage::cache::key_pointers::ArrayKeyPointers;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::cache::{Cache, CacheImpl};
use sequential_storage::map::{MapConfig, MapStorage};

board::program!(measure);

type Ram = Memory<16, { buffer_size(1, 4, 4096) + CAPACITY / 4096 }>;

/// So many puts are counted, and as many gets.
const CALLS: u32 = 200;
/// Lengths of values, and how many keys have one: about a third of the part.
const SIZES: [(usize, u8); 2] = [(32, 16), (1024, 4)];
/// `-icount shift=5`: an instruction takes 32 ns of the board's time.
const INSTRUCTION_NS: u64 = 32;

/// Ticks of the clock in instructions.
fn instructions(ticks: u32) -> u32 {
    (u64::from(ticks) * 1_000_000_000 / u64::from(board::CLOCK) / INSTRUCTION_NS) as u32
}

/// What the calls of one kind cost, in instructions.
#[derive(Default)]
struct Cost {
    all: u64,
    worst: u32,
    calls: u32,
}

impl Cost {
    fn count<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let begun = clock();
        let result = call();
        let cost = instructions(clock().wrapping_sub(begun));
        (self.all, self.worst, self.calls) = (self.all + u64::from(cost), self.worst.max(cost), self.calls + 1);
        result
    }

    fn say(&self, call: &str, length: usize, store: &str) {
        println!("# {call} {length} B {store} {} instructions", self.all / u64::from(self.calls.max(1)));
        println!("# {call} {length} B {store} worst {} instructions", self.worst);
    }
}

/// Ours.
fn lockstone<S: Suite>(name: &str, flash: &mut RamFlash<'_>) -> Result<(), Failure> {
    for (length, keys) in SIZES {
        let (root, mut memory) = (insecure_root_key(), Ram::new());
        let mut flash = flash.again();
        let identity = &mut InsecureRandom(1);
        let (formatted, below) =
            stack::of(|| Store::<_, S>::format(&mut flash, Part::NOR, &root, identity, &mut memory).map(drop));
        formatted?;
        let (mounted, mounting) = stack::of(|| Store::<_, S>::mount(&mut flash, Part::NOR, &root, &mut memory));
        let mut store = mounted?;
        let (mut put, mut get, mut value) = (Cost::default(), Cost::default(), [7; 1024]);
        let (mut putting, mut getting) = (0, 0);
        for turn in 0..CALLS {
            let key = [turn as u8 % keys];
            value[0] = turn as u8;
            let (stored, depth) = stack::of(|| put.count(|| store.put(&key[..], &value[..length])));
            stored?;
            putting = putting.max(depth);
        }
        for turn in 0..CALLS {
            let key = [turn as u8 % keys];
            let (found, depth) = stack::of(|| get.count(|| store.get(&key[..], &mut value)));
            if found? != Some(length) {
                return Err("a value is gone".into());
            }
            getting = getting.max(depth);
        }
        put.say("put", length, name);
        get.say("get", length, name);
        println!("# put {length} B {name} stack {putting} B");
        println!("# get {length} B {name} stack {getting} B");
        if length == SIZES[0].0 {
            println!("# format {name} stack {below} B");
            println!("# mount {name} stack {mounting} B");
        }
    }
    Ok(())
}

/// The peer.
fn sequential<C: CacheImpl<u8>>(name: &str, flash: &mut RamFlash<'_>, cache: fn() -> C) -> Result<(), Failure> {
    for (length, keys) in SIZES {
        let config = MapConfig::try_new(0..CAPACITY as u32).map_err(|_| "a part that it does not take")?;
        let mut map = MapStorage::<u8, _, _>::new(flash.again(), config, cache());
        let (mut put, mut get, mut value) = (Cost::default(), Cost::default(), [7; 1024]);
        let mut buffer = [0; 1040];
        for turn in 0..CALLS {
            let key = turn as u8 % keys;
            value[0] = turn as u8;
            let data = &value[..length];
            put.count(|| block_on(pin!(map.store_item(&mut buffer, &key, &data)))).map_err(|_| "it can't put")?;
        }
        for turn in 0..CALLS {
            let key = turn as u8 % keys;
            let found: Option<&[u8]> =
                get.count(|| block_on(pin!(map.fetch_item(&mut buffer, &key)))).map_err(|_| "it can't get")?;
            if found.map(<[u8]>::len) != Some(length) {
                return Err("a value is gone".into());
            }
        }
        put.say("put", length, name);
        get.say("get", length, name);
    }
    Ok(())
}

fn measure() -> Result<(), Failure> {
    time::start(1 << 24);
    let mut scale = Cost::default();
    scale.count(two_thousand_instructions);
    if !(1_995..2_060).contains(&scale.worst) {
        return Err("time is not counted in instructions: -icount shift=5 is missing".into());
    }
    let mut flash = RamFlash::take().ok_or("the flash is taken")?;
    lockstone::<Plain>("plain", &mut flash)?;
    lockstone::<Ascon>("ascon", &mut flash)?;
    sequential("sequential-storage", &mut flash, Cache::new_uncached)?;
    sequential("sequential-storage cached", &mut flash, || {
        Cache::new(ArrayPageStates::<8>::new(), ArrayPagePointers::<8>::new(), ArrayKeyPointers::<u8, 16>::new())
    })?;
    println!("measured");
    Ok(())
}
