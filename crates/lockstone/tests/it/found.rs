//! What fuzzing found, each input with the mistake that it showed. `lockstone replay` tells any of them.

use lockstone_torture::fuzz::TARGETS;
use lockstone_torture::replay::Id;

const FOUND: [(&str, &str); 7] = [
    (
        "fuzz/mount/001b0000002c2cffffffff136853",
        "a header, sealed with the right key, that counts 2^32 - 1 keys: the mount counted on and overflowed",
    ),
    ("fuzz/mount/00cd3a0b79010005000000", "a forged pointer that leads back to a lesser hash: a listing never ended"),
    (
        "fuzz/mount/fd664d4d4d0100063dff",
        "a long stretch blanked in the newest segment: the log read as an older state, grew up to what was left behind the \
     stretch, and served that as newer",
    ),
    (
        "fuzz/operations/0a1700000000000000070400fa0000fa090000fa0900fffffffffffffffffffffffffffffffffffffffffffffffffff\
     fffffffffffffffffffffffffffffbffffffffffffffffffffffffffff0000fa0900fffffffffffffffffffffffffffffffffffffffffffffffff\
     fffffffffffffffffffffffffffffbffffffffffffffffffffffffffffffffffffff29662c",
        "sessions that only read wrote a resume record each and never compacted: a delete found no room",
    ),
    ("life/stm32l0/plain/340", "the same, after six power cuts"),
    (
        "revive/double8/plain/37/metastable/0/ecc",
        "the first record of a segment read badly, the segment before was served and written on, and then it read well: what \
     had been found changed, and what was written meanwhile would have been lost",
    ),
    (
        "life/sector512/plain/105",
        "a cut erase of a segment that a mark had freed, in a log with a closing mark before that one: the digest of the closing \
     mark still spoke of that segment, and everything was in doubt",
    ),
];

#[test]
fn what_was_found_stays_mended() {
    for (id, what) in FOUND {
        let verdict = Id::parse(id, TARGETS, None).unwrap().play().verdict;
        assert!(verdict.is_ok(), "{what}: lockstone replay {id}: {verdict:?}");
    }
}
