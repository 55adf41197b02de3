//! Models: what a design can reach at best, so that a bar that is missed can be told from one that nobody tried for.

use crate::random::Random;

/// Copies of an append-only ring: bytes written over bytes asked for.
///
/// `fill` is the share of the ring that is live; `classes` are shares of the keys and of the updates, each of keys that are
/// updated alike. All records are of one length.
///
/// A record comes to the old end of the ring when as many records were written as the ring holds: that is, when *a* updates
/// were asked for, of which each is written with its share of copies. It is copied if its key was not updated meanwhile. A key
/// that is updated with chance *r* each time is so between two of its writes with chance 1 - exp(-*ra*); from that follows
/// how many copies an update costs, and from those *a* itself.
#[must_use]
pub fn ring(fill: f64, classes: &[(f64, f64)]) -> f64 {
    let copies = |factor: f64| {
        let round = 1.0 / (fill * factor);
        let each = |(keys, updates): &(f64, f64)| {
            let stays = (-updates / keys * round).exp();
            updates * stays / (1.0 - stays)
        };
        classes.iter().map(each).sum::<f64>()
    };
    let (mut low, mut high) = (1.0, 1_000.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if 1.0 + copies(middle) > middle { low = middle } else { high = middle }
    }
    low
}

/// The same if hot and cold keys had rings of their own, with the room divided between them as well as can be.
#[must_use]
pub fn two_rings(fill: f64, hot: (f64, f64)) -> f64 {
    let cold = (1.0 - hot.0, 1.0 - hot.1);
    let spare = 1.0 / fill - 1.0;
    let cost = |share: f64| {
        let of = |(keys, updates): (f64, f64), spare: f64| updates * ring(keys / (keys + spare), &[(1.0, 1.0)]);
        of(hot, spare * share) + of(cold, spare * (1.0 - share))
    };
    (1..100).map(|percent| cost(f64::from(percent) / 100.0)).fold(f64::INFINITY, f64::min)
}

/// What playing a design through says of it.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    /// Records written over records asked for.
    pub factor: f64,
    /// Most erases of a segment less fewest.
    pub spread: u32,
}

/// A ring of 64 segments `percent` full, that passes over those of which nine tenths are live, at most so many times in a row, and gives
/// copies an open segment of their own; 5 % of the keys take 95 % of the updates. Not built: it needs two open segments, an
/// index that doesn't take the place of a segment for its age, and a mount that tells what was passed over from what was freed.
#[must_use]
pub fn passing(percent: usize, passes: u32) -> Played {
    Log::new(percent, 4, Design::Ring { passes }).play()
}

/// The same of a pool: any segment may be freed, that with the most dead and oldest records first, or the least worn one when
/// erases differ by eight. Updates go to the least worn free segment, copies to the most worn one; `free` are kept free.
/// Not built: it needs a map of segments in RAM, a mount that puts them in order, and tombstones that are copied as long as
/// anything older than them stands.
#[must_use]
pub fn pool(percent: usize, free: usize) -> Played {
    Log::new(percent, free, Design::Pool).play()
}

const SEGMENTS: usize = 64;
/// Of a segment.
const RECORDS: usize = 40;
/// Erases that segments of a pool may differ by.
const SPREAD: u32 = 8;

#[derive(Clone, Copy)]
enum Design {
    Ring { passes: u32 },
    Pool,
}

struct Log {
    design: Design,
    /// Segments that are kept free.
    free: usize,
    /// The segment of each key's record.
    of: Vec<usize>,
    records: Vec<Vec<usize>>,
    live: [usize; SEGMENTS],
    passed: [u32; SEGMENTS],
    used: [bool; SEGMENTS],
    erases: [u32; SEGMENTS],
    /// When a record was written there last.
    last: [u64; SEGMENTS],
    /// For updates, for copies.
    open: [usize; 2],
    head: usize,
    tail: usize,
    written: u64,
}

impl Log {
    fn new(percent: usize, free: usize, design: Design) -> Self {
        Self {
            design,
            free,
            of: vec![SEGMENTS; SEGMENTS * RECORDS * percent / 100],
            records: vec![Vec::new(); SEGMENTS],
            live: [0; SEGMENTS],
            passed: [0; SEGMENTS],
            used: [false; SEGMENTS],
            erases: [0; SEGMENTS],
            last: [0; SEGMENTS],
            open: [SEGMENTS; 2],
            head: 0,
            tail: 0,
            written: 0,
        }
    }

    /// 5 % of the keys take 95 % of the updates.
    fn play(mut self) -> Played {
        let mut random = Random::new(1);
        let (keys, updates) = (self.of.len(), 60_000);
        let hot = keys / 20;
        // In two times as many updates as make the picture steady.
        let (mut written, mut erases) = (0, self.erases);
        for turn in 0..keys + updates {
            if turn == keys + updates / 2 {
                (written, erases) = (self.written, self.erases);
            }
            let cold = hot + random.index(keys - hot);
            let key = if turn < keys {
                turn
            } else if random.below(100) < 95 {
                random.index(hot)
            } else {
                cold
            };
            self.put(key, 0);
            self.make_room();
        }
        let spread = match self.design {
            Design::Ring { .. } => {
                spread(&core::array::from_fn::<_, SEGMENTS, _>(|segment| self.erases[segment] - erases[segment]))
            }
            Design::Pool => spread(&self.erases),
        };
        Played { factor: (self.written - written) as f64 / (updates / 2) as f64, spread }
    }

    fn put(&mut self, key: usize, stream: usize) {
        let mut segment = self.open[stream];
        if segment == SEGMENTS || self.records[segment].len() == RECORDS {
            segment = self.next_free(stream);
            self.open[stream] = segment;
            self.records[segment].clear();
            (self.used[segment], self.live[segment], self.passed[segment]) = (true, 0, 0);
            self.erases[segment] += 1;
        }
        if let Some(live) = self.live.get_mut(self.of[key]) {
            *live -= 1;
        }
        self.of[key] = segment;
        self.records[segment].push(key);
        self.live[segment] += 1;
        self.written += 1;
        self.last[segment] = self.written;
    }

    fn next_free(&mut self, stream: usize) -> usize {
        let free = (0..SEGMENTS).filter(|segment| !self.used[*segment]);
        let worn = |segment: &usize| self.erases[*segment];
        let chosen = match self.design {
            Design::Pool if stream == 0 => free.min_by_key(worn),
            Design::Pool => free.max_by_key(worn),
            Design::Ring { .. } => {
                while self.used[self.head % SEGMENTS] {
                    self.head += 1;
                }
                Some(self.head % SEGMENTS)
            }
        };
        chosen.expect("some are kept free")
    }

    fn make_room(&mut self) {
        while self.used.iter().filter(|used| !**used).count() < self.free {
            let victim = match self.design {
                Design::Ring { passes } => self.oldest(passes),
                Design::Pool => Some(self.cheapest()),
            };
            let Some(segment) = victim else { continue };
            for key in core::mem::take(&mut self.records[segment]) {
                if self.of[key] == segment {
                    self.put(key, 1);
                }
            }
            self.used[segment] = false;
        }
    }

    /// The segment at the old end of a ring, unless it's passed over.
    fn oldest(&mut self, passes: u32) -> Option<usize> {
        let segment = self.tail % SEGMENTS;
        self.tail += 1;
        if !self.used[segment] || self.open.contains(&segment) {
            return None;
        }
        if self.live[segment] * 10 >= RECORDS * 9 && self.passed[segment] < passes {
            self.passed[segment] += 1;
            return None;
        }
        Some(segment)
    }

    /// The segment that is freed next in a pool: by what is gained over what it costs, the more so the longer nothing was written there
    /// (Rosenblum and Ousterhout 1992, section 3.6, with the root of the age).
    fn cheapest(&self) -> usize {
        let closed = (0..SEGMENTS).filter(|segment| self.used[*segment] && !self.open.contains(segment));
        if spread(&self.erases) >= SPREAD {
            return closed.min_by_key(|segment| self.erases[*segment]).expect("most are closed");
        }
        let gain = |segment: usize| {
            let live = self.live[segment] as f64 / RECORDS as f64;
            (1.0 - live) / (1.0 + live) * ((self.written - self.last[segment]) as f64).sqrt()
        };
        closed.max_by(|one, other| gain(*one).total_cmp(&gain(*other))).expect("most are closed")
    }
}

fn spread(erases: &[u32; SEGMENTS]) -> u32 {
    erases.iter().max().zip(erases.iter().min()).map_or(0, |(most, fewest)| most - fewest)
}

/// Bytes that a look-up of a missing key reads at least where there are so many heads: its bucket has no record, or one that five
/// bits of its hash tell from others, or more than one, and then one is read.
#[must_use]
pub fn miss(keys: f64, heads: f64, record: f64) -> f64 {
    let load = keys / heads;
    let alone = load * (-load).exp();
    (1.0 - (-load).exp() - alone + alone / 32.0) * record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_copies_more_the_fuller_it_is() {
        let uniform = |fill| ring(fill, &[(1.0, 1.0)]);
        assert!((uniform(0.1) - 1.0).abs() < 0.01, "{}", uniform(0.1));
        assert!((uniform(0.65) - 1.65).abs() < 0.05, "{}", uniform(0.65));
        assert!((uniform(0.8) - 2.7).abs() < 0.3, "{}", uniform(0.8));
        let skewed = |fill| ring(fill, &[(0.05, 0.95), (0.95, 0.05)]);
        assert!((skewed(0.65) - 2.55).abs() < 0.02, "{}", skewed(0.65));
        assert!((skewed(0.8) - 4.07).abs() < 0.02, "{}", skewed(0.8));
        assert!((ring(0.5, &[(0.3, 0.3), (0.7, 0.7)]) - uniform(0.5)).abs() < 1e-6, "classes that are alike are one");
    }

    #[test]
    fn two_rings_copy_little_of_what_is_cold() {
        assert!(two_rings(0.65, (0.05, 0.95)) < 1.25);
        assert!(two_rings(0.8, (0.05, 0.95)) < 1.6);
    }

    #[test]
    fn who_passes_over_what_is_cold_copies_less_and_wears_unevenly() {
        // Copies in segments of their own alone do nothing for a ring.
        assert!((passing(65, 0).factor - 2.8).abs() < 0.3, "{:?}", passing(65, 0));
        let (some, many) = (passing(65, 3), passing(65, 7));
        assert!(many.factor < some.factor && some.factor < 1.7, "{some:?} {many:?}");
        assert!(many.spread > 8, "{many:?}");
    }

    #[test]
    fn a_pool_copies_less_with_even_wear_and_more_the_more_it_keeps_free() {
        let (roomy, tight) = (pool(65, 3), pool(80, 3));
        assert!(roomy.factor < 1.3 && roomy.spread <= 8, "{roomy:?}");
        assert!(tight.factor > 1.9 && tight.spread <= 8, "{tight:?}");
        assert!(pool(80, 6).factor > tight.factor, "{:?}", pool(80, 6));
    }

    #[test]
    fn a_miss_reads_nothing_where_heads_are_many() {
        assert!(miss(100.0, 1e9, 85.0) < 0.001);
        assert!((miss(1e9, 100.0, 85.0) - 85.0).abs() < 0.001);
        assert!((3.0..4.0).contains(&miss(100.0, 341.0, 85.0)), "{}", miss(100.0, 341.0, 85.0));
    }
}
