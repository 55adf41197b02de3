//! Models: what a design can reach at best, so that a bar that is missed can be told from one that nobody tried for.

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

/// Bytes that a look-up of a missing key reads where there are so many heads: its bucket has no record, or one is read.
#[must_use]
pub fn miss(keys: f64, heads: f64, record: f64) -> f64 {
    (1.0 - (-keys / heads).exp()) * record
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
    fn a_miss_reads_nothing_where_heads_are_many() {
        assert!(miss(100.0, 1e9, 85.0) < 0.001);
        assert!((miss(1e9, 100.0, 85.0) - 85.0).abs() < 0.001);
    }
}
