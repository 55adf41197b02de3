//! The index: a hash trie threaded through an append-only log, against a map.
//!
//! # The rules
//!
//! Every key has a 64-bit hash. Its high word chooses one of the *buckets* (`high * buckets >> 32`); RAM holds for each
//! bucket the place of its newest record and nothing else. Inside a bucket the keys form a binary trie: *level* 0 tests
//! the top bit of the low word, level 31 its last one, levels 32 to 63 the high word.
//!
//! A record carries the rest of the index. For each level at which its bucket holds keys on the **other** side of its
//! own hash it has a pointer to the newest record there; empty sides have none:
//!
//! ```text
//!   place 9.4: Put, bits 01101…, key "wifi", value 7
//!   ┌─────────┬─────────┬─────────┐
//!   │ 0 → 8.1 │ 2 → 6.7 │ 3 → 7.0 │    level → place; levels 1 and 4 to 63: nobody on the other side
//!   └────┬────┴────┬────┴────┬────┘
//!        │         │         └──► newest record with 0111…
//!        │         └────────────► newest record with 010…
//!        └──────────────────────► newest record with 1…, from where all others with 1… are found in turn
//! ```
//!
//! * **Walk** to a hash: from the head, at level i = 0. The record and the hash agree up to some level j, the first that
//!   differs. The record's pointers at levels i to j - 1 lead to sides where the hash isn't either: they're *path
//!   pointers*. At level j the record itself stands for its side, so (j, this record) is a path pointer, unless it's a
//!   tombstone without pointers at deeper levels than j: then that side is empty. The search goes on at the record's pointer at
//!   level j, with i = j + 1. If they agree to the end, that's the key's record, and all its pointers from i on belong
//!   to the path.
//! * **Walk by signposts**: the same without the record's hash, of which only the bits at the levels of its pointers are known.
//!   It turns at the first pointer, at level i or below it, where that bit isn't the hash's. Whatever has that hash is in the
//!   subtree, and where there is no pointer all of the subtree agree; so it ends at the key's record if there is one. Else it ends
//!   at a record with another hash, and its pointers are no path.
//! * **Put** and **delete** append a record (Put, Tombstone) with exactly the path pointers; it becomes the head. Nothing
//!   on flash changes. Deleting an absent key appends nothing.
//! * **Compaction** of a segment walks to each record's hash. If the walk doesn't end at this very place, the record is
//!   dead. A live one is appended again with the path pointers of now. A lone tombstone (no path pointers: the bucket is
//!   empty) is dropped, and the bucket's head with it.
//! * **Mount**: the head of a bucket is its newest record, found by a scan from the oldest segment to the newest.
//!
//! # What follows, and is checked here
//!
//! * A subtree behind a pointer never changes: a change writes a new root. So pointers lead back in the log only, every
//!   one leads to at least one living key, and a reachable tombstone always has something below it, except a *lone* one
//!   as the head of an empty bucket.
//! * **Oldest segment first, no tombstone is ever copied.** What a reachable tombstone points to is older than it, so
//!   it's copied first; the copy of anything behind the tombstone's deepest pointer leaves the tombstone out of its path,
//!   and then nothing leads there. So a tombstone lives at most until its segment is compacted, and after one revolution
//!   of the ring none is left, whatever order was used before.
//! * **In any order** tombstones may be copied again and again. Each belongs to one living key and one level (where it
//!   differs from the keys behind its deepest pointer), so there are never more than 64 times as many as keys, and one
//!   lone head a bucket. Where 200 keys stay and 40,000 come and go, the tests see up to 1.6 a key, and
//!   4.1 a key (about half of log2(deleted / living)) if nothing is ever compacted.
//! * **In any order a lone tombstone can't just be dropped**: an older record of its bucket, in a segment that is still
//!   there, would come back to life at the next mount. [`Order::Guarded`] drops it from the oldest segment only and
//!   copies it otherwise; then the mount's scan is right in any order.
//! * A cursor is (bucket, bits), not a hash: the least hash behind a pointer has its deeper bits cleared, mostly the
//!   whole high word, which then names another bucket.

use std::collections::{BTreeMap, BTreeSet};

const LEVELS: u32 = 64;

/// Where a record lies: segments are numbered in the order of their opening, for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    segment: u64,
    slot: usize,
}

/// Where a key stands in the order of the index. The bucket doesn't follow from the bits: a cursor's may be any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Spot {
    bucket: usize,
    /// The hash rotated by a word: level 0 is the top bit.
    bits: u64,
}

impl Spot {
    const FIRST: Self = Self { bucket: 0, bits: 0 };

    fn of(hash: u64, buckets: usize) -> Self {
        let bucket = ((hash >> 32) * buckets as u64) >> 32;
        Self { bucket: usize::try_from(bucket).expect("less than the buckets"), bits: hash.rotate_left(32) }
    }

    fn next(self) -> Self {
        self.bits.checked_add(1).map_or(self.next_bucket(), |bits| Self { bits, ..self })
    }

    fn next_bucket(self) -> Self {
        Self { bucket: self.bucket + 1, bits: 0 }
    }

    /// The first spot on the side where the bit at `level` is set.
    fn first_above(self, level: u32) -> Self {
        let set = 1 << (63 - level);
        Self { bits: (self.bits | set) & !(set - 1), ..self }
    }
}

fn bit(bits: u64, level: u32) -> bool {
    (bits << level) >> 63 == 1
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Put,
    Tombstone,
}

#[derive(Clone, Copy, Debug)]
struct Pointer {
    level: u32,
    place: Place,
}

#[derive(Clone, Debug)]
struct Record {
    hash: u64,
    kind: Kind,
    key: usize,
    value: u64,
    /// With rising levels.
    pointers: Vec<Pointer>,
}

impl Record {
    fn bits(&self) -> u64 {
        self.hash.rotate_left(32)
    }

    /// Whether the subtree of this record holds anything, seen from the pointer at `level` that led here.
    fn holds_something_below(&self, level: u32) -> bool {
        self.kind == Kind::Put || self.pointers.last().is_some_and(|deepest| deepest.level > level)
    }

    fn pointer_at(&self, level: u32) -> Option<Place> {
        self.pointers.iter().find(|pointer| pointer.level == level).map(|pointer| pointer.place)
    }
}

/// What a walk to a spot has met.
#[derive(Default)]
struct Walk {
    found: Option<Place>,
    pointers: Vec<Pointer>,
    hops: usize,
}

/// Which segment is compacted next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// The oldest one.
    Fifo,
    /// A random one, and lone tombstones are dropped wherever they are met: the mount by a scan isn't right then.
    Any,
    /// A random one, and lone tombstones are dropped from the oldest segment only.
    Guarded,
}

/// A compaction that goes on a few records at a time, with writes in between.
#[derive(Clone, Copy)]
struct Compaction {
    victim: u64,
    done: usize,
}

#[derive(Clone, Copy, Default, Debug)]
struct Counts {
    copies: usize,
    tombstones_copied: usize,
    tombstones_dropped: usize,
    most_pointers: usize,
}

/// The size of a log: so many segments of so many records.
#[derive(Clone, Copy)]
struct Ring {
    segments: usize,
    records: usize,
}

struct Index {
    order: Order,
    ring: Ring,
    /// The last one is open.
    segments: BTreeMap<u64, Vec<Record>>,
    heads: Vec<Option<Place>>,
    compaction: Option<Compaction>,
    counts: Counts,
    random: Random,
}

impl Index {
    fn new(order: Order, ring: Ring, buckets: usize, random: Random) -> Self {
        let segments = BTreeMap::from([(0, Vec::new())]);
        let (heads, counts) = (vec![None; buckets], Counts::default());
        Self { order, ring, segments, heads, compaction: None, counts, random }
    }

    fn spot(&self, hash: u64) -> Spot {
        Spot::of(hash, self.heads.len())
    }

    fn read(&self, place: Place) -> &Record {
        let record = self.segments.get(&place.segment).and_then(|segment| segment.get(place.slot));
        record.unwrap_or_else(|| panic!("{place:?} dangles"))
    }

    fn walk(&self, spot: Spot) -> Walk {
        let mut walk = Walk::default();
        let (mut next, mut level) = (self.heads[spot.bucket], 0);
        while let Some(place) = next {
            let record = self.read(place);
            let differs = (record.bits() ^ spot.bits).leading_zeros();
            assert!(differs >= level, "a pointer at level {level} led astray to {place:?}");
            walk.hops += 1;
            walk.pointers.extend(record.pointers.iter().filter(|pointer| (level..differs).contains(&pointer.level)));
            if differs == LEVELS {
                walk.found = Some(place);
                break;
            }
            if record.holds_something_below(differs) {
                walk.pointers.push(Pointer { level: differs, place });
            }
            next = record.pointer_at(differs);
            level = differs + 1;
        }
        assert_eq!(self.by_sides(spot), walk.found, "a walk by signposts ends elsewhere");
        walk
    }

    /// The same without comparing hashes on the way.
    fn by_sides(&self, spot: Spot) -> Option<Place> {
        let (mut next, mut level) = (self.heads[spot.bucket], 0);
        while let Some(place) = next {
            let record = self.read(place);
            let turns = |pointer: &&Pointer| {
                pointer.level >= level && bit(record.bits(), pointer.level) != bit(spot.bits, pointer.level)
            };
            let Some(turn) = record.pointers.iter().find(turns) else {
                return (record.bits() == spot.bits).then_some(place);
            };
            (next, level) = (Some(turn.place), turn.level + 1);
        }
        None
    }

    fn is_put(&self, place: Place) -> bool {
        self.read(place).kind == Kind::Put
    }

    fn lookup(&self, spot: Spot) -> Option<Place> {
        self.walk(spot).found.filter(|&place| self.is_put(place))
    }

    fn put(&mut self, key: usize, hash: u64, value: u64) {
        self.make_room();
        let pointers = self.walk(self.spot(hash)).pointers;
        self.append(Record { hash, kind: Kind::Put, key, value, pointers });
    }

    fn delete(&mut self, key: usize, hash: u64) {
        self.make_room();
        let walk = self.walk(self.spot(hash));
        if walk.found.is_some_and(|place| self.is_put(place)) {
            self.append(Record { hash, kind: Kind::Tombstone, key, value: 0, pointers: walk.pointers });
        }
    }

    fn newest(&self) -> u64 {
        *self.segments.keys().next_back().expect("one is always open")
    }

    fn oldest(&self) -> u64 {
        *self.segments.keys().next().expect("one is always open")
    }

    fn append(&mut self, record: Record) {
        if self.segments[&self.newest()].len() == self.ring.records {
            self.open();
        }
        let bucket = self.spot(record.hash).bucket;
        self.counts.most_pointers = self.counts.most_pointers.max(record.pointers.len());
        let segment = self.newest();
        let records = self.segments.get_mut(&segment).expect("the open one");
        records.push(record);
        self.heads[bucket] = Some(Place { segment, slot: records.len() - 1 });
    }

    fn open(&mut self) {
        self.segments.insert(self.newest() + 1, Vec::new());
        assert!(self.segments.len() <= self.ring.segments, "the ring is full");
    }
}

/// Compaction and mount.
impl Index {
    /// Before anything else that writes, so that pointers are taken after it: two segments are free then.
    fn make_room(&mut self) {
        let mut tries = 0..1000;
        while self.ring.segments - self.segments.len() < 2 {
            tries.next().expect("compaction gets nowhere");
            self.compact(usize::MAX);
        }
    }

    fn choose(&mut self) -> Option<Compaction> {
        let closed = self.segments.len() - 1;
        let nth = if self.order == Order::Fifo { 0 } else { self.random.below(closed.max(1)) };
        let victim = self.segments.keys().take(closed).nth(nth);
        victim.map(|&victim| Compaction { victim, done: 0 })
    }

    /// Goes on by up to `records` records with the segment begun, or else with a new victim.
    fn compact(&mut self, records: usize) {
        let Some(Compaction { victim, done }) = self.compaction.take().or_else(|| self.choose()) else { return };
        let all = self.segments[&victim].len();
        let end = done.saturating_add(records).min(all);
        for slot in done..end {
            self.copy_if_live(Place { segment: victim, slot });
        }
        if end == all {
            self.segments.remove(&victim);
        } else {
            self.compaction = Some(Compaction { victim, done: end });
        }
    }

    fn copy_if_live(&mut self, place: Place) {
        let Record { hash, kind, key, value, .. } = *self.read(place);
        let spot = self.spot(hash);
        let Walk { found, pointers, .. } = self.walk(spot);
        if found != Some(place) {
            return;
        }
        let lone = kind == Kind::Tombstone && pointers.is_empty();
        if lone && (self.order != Order::Guarded || place.segment == self.oldest()) {
            assert_eq!(self.heads[spot.bucket], Some(place), "a lone tombstone is the head of its bucket");
            self.heads[spot.bucket] = None;
            self.counts.tombstones_dropped += 1;
            return;
        }
        self.counts.copies += 1;
        self.counts.tombstones_copied += usize::from(kind == Kind::Tombstone);
        self.append(Record { hash, kind, key, value, pointers });
    }

    /// Ends with no compaction under way and room for the next.
    fn settle(&mut self) {
        self.make_room();
        if self.compaction.is_some() {
            self.compact(usize::MAX);
        }
    }

    /// Compacts every segment that is there, oldest first, whatever the order is otherwise.
    fn revolve(&mut self) {
        self.settle();
        let last = self.newest();
        self.open();
        while self.oldest() <= last {
            self.compaction = Some(Compaction { victim: self.oldest(), done: 0 });
            self.compact(usize::MAX);
        }
    }

    /// The heads that a mount would find.
    fn scan(&self) -> Vec<Option<Place>> {
        let mut heads = vec![None; self.heads.len()];
        for (&segment, records) in &self.segments {
            for (slot, record) in records.iter().enumerate() {
                heads[self.spot(record.hash).bucket] = Some(Place { segment, slot });
            }
        }
        heads
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.segments.values().flatten()
    }
}

/// Iteration in the order of the spots.
impl Index {
    /// The first living key at `spot` or after it, by walks alone: from a spot where nothing lives, the deepest path
    /// pointer that leads up shows where the next one must be. Right, but dear: a subtree of one key is found bit by bit.
    fn ceiling_by_walks(&self, mut spot: Spot, walks: &mut usize) -> Option<Place> {
        while spot.bucket < self.heads.len() {
            *walks += 1;
            let walk = self.walk(spot);
            if let Some(place) = walk.found.filter(|&place| self.is_put(place)) {
                return Some(place);
            }
            let up = walk.pointers.iter().rfind(|pointer| !bit(spot.bits, pointer.level));
            spot = up.map_or(spot.next_bucket(), |pointer| spot.first_above(pointer.level));
        }
        None
    }

    /// The same with one walk a bucket: behind the deepest path pointer that leads up, the least key is found going down.
    fn ceiling(&self, mut spot: Spot, hops: &mut usize) -> Option<Place> {
        while spot.bucket < self.heads.len() {
            let walk = self.walk(spot);
            *hops += walk.hops;
            if let Some(place) = walk.found.filter(|&place| self.is_put(place)) {
                return Some(place);
            }
            if let Some(up) = walk.pointers.iter().rfind(|pointer| !bit(spot.bits, pointer.level)) {
                return Some(self.least(*up, hops));
            }
            spot = spot.next_bucket();
        }
        None
    }

    /// The least living key behind a pointer: over the highest pointer that leads down; else the record itself; and if
    /// that's a tombstone, over its deepest pointer, for then all lead up.
    fn least(&self, Pointer { mut level, mut place }: Pointer, hops: &mut usize) -> Place {
        loop {
            *hops += 1;
            let record = self.read(place);
            let down = record.pointers.iter().find(|down| down.level > level && bit(record.bits(), down.level));
            let deepest = || record.pointers.last().filter(|_| record.kind == Kind::Tombstone);
            let Some(next) = down.or_else(deepest) else { return place };
            Pointer { level, place } = *next;
        }
    }
}

/// Everything that the heads lead to.
#[derive(Default)]
struct Survey {
    places: BTreeSet<Place>,
    puts: BTreeMap<Spot, (usize, u64)>,
    tombstones: BTreeSet<Spot>,
    lone: usize,
}

impl Survey {
    fn of(index: &Index) -> Self {
        let mut survey = Self::default();
        for &head in index.heads.iter().flatten() {
            let record = index.read(head);
            if survey.visit(index, head, 0) == 0 {
                assert!(record.kind == Kind::Tombstone && record.pointers.is_empty(), "{record:?} leads nowhere");
                survey.lone += 1;
            }
        }
        survey
    }

    /// How many keys live in the subtree of `place`, which a pointer at level `from - 1` led to.
    fn visit(&mut self, index: &Index, place: Place, from: u32) -> usize {
        let record = index.read(place);
        assert!(self.places.insert(place), "two ways lead to {place:?}");
        assert!(record.pointers.is_sorted_by(|one, next| one.level < next.level), "{record:?}: levels must rise");
        let mut living = 0;
        for pointer in record.pointers.iter().filter(|pointer| pointer.level >= from) {
            let target = index.read(pointer.place);
            assert!(pointer.place < place, "{pointer:?} of {place:?} leads forward");
            assert_eq!((target.bits() ^ record.bits()).leading_zeros(), pointer.level, "{pointer:?} of {place:?}");
            let behind = self.visit(index, pointer.place, pointer.level + 1);
            assert!(behind > 0, "{pointer:?} of {place:?} leads to nothing that lives");
            living += behind;
        }
        let spot = index.spot(record.hash);
        if record.kind == Kind::Tombstone {
            assert!(self.tombstones.insert(spot), "two tombstones of one key");
            return living;
        }
        assert!(self.puts.insert(spot, (record.key, record.value)).is_none(), "two records of one key");
        living + 1
    }
}

/// `SplitMix64`.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let wide = u128::from(self.next()) * end as u128;
        usize::try_from(wide >> 64).expect("less than the end")
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// An iteration under way while everything changes.
struct Tour {
    cursor: Spot,
    /// Was there all the time.
    stayed: BTreeSet<Spot>,
    /// Was there at some time.
    ever: BTreeSet<Spot>,
    seen: BTreeSet<Spot>,
}

impl Tour {
    fn new(map: &BTreeMap<Spot, (usize, u64)>) -> Self {
        let all: BTreeSet<_> = map.keys().copied().collect();
        Self { cursor: Spot::FIRST, stayed: all.clone(), ever: all, seen: BTreeSet::new() }
    }
}

/// A log, the map that it must equal, and what happens to them.
struct World {
    seed: u64,
    step: usize,
    random: Random,
    index: Index,
    map: BTreeMap<Spot, (usize, u64)>,
    /// The hashes of the keys.
    hashes: Vec<u64>,
    tour: Tour,
    tours: usize,
    most_tombstones: usize,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed in order {:?} with seed {} at step {}", self.index.order, self.seed, self.step);
        }
    }
}

/// Sets of levels that alone tell the hashes of a world apart: the last ones, the first ones, both words' ends, the high
/// word's first ones (so mostly different buckets).
const NARROW: [[u32; 6]; 4] =
    [[58, 59, 60, 61, 62, 63], [0, 1, 2, 3, 4, 5], [0, 30, 31, 32, 62, 63], [32, 33, 34, 35, 47, 63]];

/// Hashes over all 64 bits, or over six random levels or six given ones.
fn hashes(seed: u64, random: &mut Random) -> Vec<u64> {
    let levels = match seed % 6 {
        0 => return (0..90).map(|_| random.next()).collect(),
        1 => distinct_levels(random),
        narrow => NARROW[usize::try_from(narrow).expect("small") - 2],
    };
    let base = random.next();
    let spread = |key: u64| (0..6).fold(0, |bits, at| bits | ((key >> at) & 1) << (63 - levels[at]));
    (0..64).map(|key| base ^ spread(key).rotate_left(32)).collect()
}

fn distinct_levels(random: &mut Random) -> [u32; 6] {
    let mut levels = BTreeSet::new();
    while levels.len() < 6 {
        levels.insert(u32::try_from(random.below(64)).expect("small"));
    }
    let mut all = levels.into_iter();
    std::array::from_fn(|_| all.next().expect("six"))
}

impl World {
    fn new(order: Order, seed: u64) -> Self {
        let mut random = Random(seed);
        let hashes = hashes(seed, &mut random);
        let buckets = [1, 2, 7, 16][random.below(4)];
        let ring = Ring { segments: 14 + random.below(10), records: 9 + random.below(8) };
        let index = Index::new(order, ring, buckets, Random(!seed));
        let (map, tour) = (BTreeMap::new(), Tour::new(&BTreeMap::new()));
        Self { seed, step: 0, random, index, map, hashes, tour, tours: 0, most_tombstones: 0 }
    }

    fn put(&mut self, key: usize) {
        let (spot, value) = (self.index.spot(self.hashes[key]), self.random.next());
        self.index.put(key, self.hashes[key], value);
        self.map.insert(spot, (key, value));
        self.tour.ever.insert(spot);
    }

    fn delete(&mut self, key: usize) {
        let spot = self.index.spot(self.hashes[key]);
        self.index.make_room();
        let before = self.index.heads.clone();
        self.index.delete(key, self.hashes[key]);
        let wrote = self.index.heads != before;
        assert_eq!(wrote, self.map.remove(&spot).is_some(), "deletes write something exactly if there is something");
        self.tour.stayed.remove(&spot);
    }

    /// One operation: mostly writes, a third of them to six hot keys; `puts` percent of the writes are puts.
    fn operate(&mut self, puts: usize) {
        let keys = if self.random.chance(33) { 6 } else { self.hashes.len() };
        let key = self.random.below(keys);
        match self.random.below(1000) {
            0..=2 => self.revolve(),
            3..=99 => {
                self.index.make_room();
                let records = 1 + self.random.below(2 * self.index.ring.records);
                self.index.compact(records);
            }
            _ if self.random.chance(puts) => self.put(key),
            _ => self.delete(key),
        }
    }

    /// After a revolution, oldest first, no tombstone is left, and none has been copied for it.
    fn revolve(&mut self) {
        self.index.settle();
        let copied = self.index.counts.tombstones_copied;
        self.index.revolve();
        assert_eq!(self.index.counts.tombstones_copied, copied, "a tombstone was copied, oldest first");
        assert!(self.index.records().all(|record| record.kind == Kind::Put), "a tombstone outlived a revolution");
        assert_eq!(self.index.records().count(), self.map.len(), "a dead record outlived a revolution");
    }

    fn tour(&mut self) {
        let (cursor, tour) = (self.tour.cursor, &mut self.tour);
        let found = self.index.ceiling(cursor, &mut 0);
        assert_eq!(found, self.index.ceiling_by_walks(cursor, &mut 0), "from {cursor:?}");
        let spot = found.map(|place| self.index.spot(self.index.read(place).hash));
        assert_eq!(spot, self.map.range(cursor..).next().map(|(&spot, _)| spot), "from {cursor:?}");
        if let Some(spot) = spot {
            assert!(tour.ever.contains(&spot), "{spot:?} never existed");
            assert!(tour.seen.insert(spot), "{spot:?} twice");
            tour.cursor = spot.next();
            return;
        }
        assert!(tour.stayed.is_subset(&tour.seen), "{:?} passed over", tour.stayed.difference(&tour.seen));
        self.tour = Tour::new(&self.map);
        self.tours += 1;
    }

    fn check(&mut self) {
        for (key, &hash) in self.hashes.iter().enumerate() {
            let spot = self.index.spot(hash);
            let record = self.index.lookup(spot).map(|place| self.index.read(place));
            assert_eq!(record.map(|record| (record.key, record.value)), self.map.get(&spot).copied(), "key {key}");
        }
        let survey = Survey::of(&self.index);
        assert_eq!(survey.puts, self.map, "the living records");
        assert!(survey.tombstones.iter().all(|spot| !self.map.contains_key(spot)), "a tombstone of a living key");
        assert!(survey.tombstones.len() - survey.lone <= LEVELS as usize * self.map.len(), "too many tombstones");
        self.most_tombstones = self.most_tombstones.max(survey.tombstones.len());
        if self.index.order != Order::Any {
            self.check_scan();
        }
    }

    /// A mount finds the heads of now; also a lone tombstone that is dropped already, but whose segment isn't erased yet.
    fn check_scan(&self) {
        let index = &self.index;
        for (bucket, (&head, found)) in index.heads.iter().zip(index.scan()).enumerate() {
            let dropped = || found.filter(|place| index.compaction.is_some_and(|at| at.victim == place.segment));
            let lone = |place| !index.is_put(place) && index.read(place).pointers.is_empty();
            let same = head == found || head.is_none() && dropped().is_some_and(lone);
            assert!(same, "bucket {bucket}: {head:?}, but a mount finds {found:?}");
        }
    }

    /// When all is deleted, one revolution empties the log.
    fn drain(&mut self) {
        for key in 0..self.hashes.len() {
            self.delete(key);
        }
        self.check();
        assert_eq!(Survey::of(&self.index).tombstones.len(), Survey::of(&self.index).lone, "only lone ones are left");
        self.revolve();
        assert_eq!(self.index.records().count(), 0, "records are left in an empty log");
        self.check();
    }

    fn run(&mut self, steps: usize) {
        let mut puts = 50;
        for step in 0..steps {
            self.step = step;
            if step % 150 == 0 {
                puts = [15, 50, 60, 80][self.random.below(4)];
            }
            self.operate(puts);
            if self.random.chance(60) {
                self.tour();
            }
            if step % 7 == 0 {
                self.check();
            }
        }
        self.revolve();
        self.check();
        self.drain();
    }
}

/// Two hundred worlds of one order; gives back how many tombstones were copied.
fn worlds(order: Order) -> usize {
    let (mut copied, mut dropped, mut tours, mut most_tombstones) = (0, 0, 0, 0);
    for seed in 0..200 {
        let mut world = World::new(order, seed);
        world.run(1500);
        copied += world.index.counts.tombstones_copied;
        dropped += world.index.counts.tombstones_dropped;
        tours += world.tours;
        most_tombstones = most_tombstones.max(world.most_tombstones);
    }
    println!(
        "{order:?}: {tours} iterations; tombstones: {copied} copied, {dropped} dropped, {most_tombstones} at a time"
    );
    assert!(dropped > 0 && tours > 1000, "the worlds are too tame");
    copied
}

#[test]
fn oldest_first_equals_a_map_and_copies_no_tombstone() {
    assert_eq!(worlds(Order::Fifo), 0);
}

#[test]
fn any_order_equals_a_map() {
    assert!(worlds(Order::Any) > 0);
}

#[test]
fn any_order_can_be_mounted_if_lone_tombstones_wait() {
    assert!(worlds(Order::Guarded) > 0);
}

/// Why lone tombstones wait for the oldest segment, in five steps.
#[test]
fn a_lone_tombstone_dropped_out_of_order_brings_its_key_back() {
    for order in [Order::Any, Order::Guarded] {
        let mut index = Index::new(order, Ring { segments: 8, records: 1 }, 1, Random(1));
        index.put(1, 7, 70);
        index.delete(1, 7);
        index.open();
        index.compaction = Some(Compaction { victim: 1, done: 0 });
        index.compact(1);
        assert_eq!(index.lookup(index.spot(7)), None, "as long as the heads are in RAM");
        index.heads = index.scan();
        let back = index.lookup(index.spot(7)).is_some();
        assert_eq!(back, order == Order::Any, "{order:?}: after the mount");
    }
}

/// A cursor as a hash, with the bucket taken from it, would go back to the first bucket: the least hash behind a pointer
/// has a zero high word.
#[test]
fn a_cursor_needs_its_bucket() {
    let (buckets, hash) = (4, 0xc000_0000_0000_0001_u64);
    let above = Spot::of(hash, buckets).first_above(3);
    assert_eq!(above.bucket, 3);
    assert_eq!(Spot::of(above.bits.rotate_right(32), buckets).bucket, 0);
}

/// A mean and a maximum.
#[derive(Default)]
struct Tally {
    sum: usize,
    number: usize,
    most: usize,
}

impl Tally {
    fn add(&mut self, value: usize) {
        self.sum += value;
        self.number += 1;
        self.most = self.most.max(value);
    }
}

impl std::fmt::Display for Tally {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} (at most {})", self.sum as f64 / self.number as f64, self.most)
    }
}

/// Ten thousand keys in 512 buckets, after 60,000 writes, a fifth of them deletes that are put again later.
fn settled(order: Order, seed: u64) -> (Index, Vec<u64>) {
    let mut random = Random(seed);
    let hashes: Vec<_> = (0..10_000).map(|_| random.next()).collect();
    let mut index = Index::new(order, Ring { segments: 240, records: 64 }, 512, Random(!seed));
    for (key, &hash) in hashes.iter().enumerate() {
        index.put(key, hash, 0);
    }
    for value in 0..60_000 {
        let keys = if random.chance(20) { 100 } else { hashes.len() };
        let key = random.below(keys);
        if random.chance(20) {
            index.delete(key, hashes[key]);
        } else {
            index.put(key, hashes[key], value);
        }
    }
    (index, hashes)
}

#[test]
fn ten_thousand_keys_need_few_pointers_and_hops() {
    for (order, seed) in [(Order::Fifo, 1), (Order::Fifo, 2), (Order::Guarded, 3), (Order::Guarded, 4)] {
        let (index, hashes) = settled(order, seed);
        let (mut pointers, mut hits, mut misses) = (Tally::default(), Tally::default(), Tally::default());
        let survey = Survey::of(&index);
        survey.places.iter().for_each(|&place| pointers.add(index.read(place).pointers.len()));
        let mut random = Random(!seed);
        hashes.iter().map(|&hash| index.walk(index.spot(hash))).for_each(|walk| hits.add(walk.hops));
        (0..10_000).map(|_| index.walk(index.spot(random.next()))).for_each(|walk| misses.add(walk.hops));
        let (keys, tombstones, counts) = (survey.puts.len(), survey.tombstones.len(), index.counts);
        println!("{order:?}: {keys} keys, {tombstones} tombstones: pointers {pointers}, hops {hits}, to miss {misses}");
        println!("  {counts:?}");
        assert!(counts.most_pointers < 24 && hits.most < 24 && misses.most < 24);
        let (mut walks, mut hops) = (0, 0);
        for &spot in survey.puts.keys() {
            assert_eq!(index.ceiling(spot.next(), &mut hops), index.ceiling_by_walks(spot.next(), &mut walks));
        }
        println!("  a step of the iteration: {} walks, or {} hops going down", walks / keys, hops / keys);
    }
}

/// Keys that are never written again, and many that come and go: how many tombstones pile up. The last ring is so large
/// that nothing is ever compacted.
#[test]
fn tombstones_stay_few_where_keys_come_and_go() {
    for (order, segments) in [(Order::Fifo, 40), (Order::Guarded, 40), (Order::Fifo, 1300)] {
        let mut random = Random(5);
        let mut index = Index::new(order, Ring { segments, records: 64 }, 16, Random(6));
        (0..200).for_each(|key| index.put(key, random.next(), 0));
        let mut most = 0;
        for key in 200..40_200 {
            let hash = random.next();
            index.put(key, hash, 0);
            index.delete(key, hash);
            if key % 100 == 0 {
                most = most.max(Survey::of(&index).tombstones.len());
            }
        }
        println!("{order:?}, {segments} segments: 200 keys, at most {most} tombstones, {:?}", index.counts);
        assert!(most < 200 * 8);
        index.revolve();
        assert!(Survey::of(&index).tombstones.is_empty(), "none after a revolution");
    }
}
