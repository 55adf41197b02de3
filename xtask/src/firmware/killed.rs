//! `killed`: the emulator is killed in the midst of its writes, again and again; what it had acknowledged must be there.
//!
//! ```text
//! start ─> there KEY VALUE ... erases, ready ─> stored KEY VALUE, stored ... ─ killed at a random time ─> start ─> there ...
//!                │                                 │
//!                └─ at least what was stored <─────┘
//! ```
//!
//! It tests the order of writes, and a put, compaction or erase that is half done. What was handed to the host stays, so it
//! tests no torn write and no lost cache; `lockstone-sim` and the card of `lockstone-block` do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::board::Board;
use super::emulator::{Emulation, folder};
use crate::Failure;

/// The program that is killed, and compares nothing.
pub(crate) const PROGRAM: &str = "killed";
const KILLS: u32 = 50;
/// So many writes are acknowledged before a kill, at most: counted, so that a slow machine does the same as a fast one.
const WRITES_MAX: u32 = 45;
/// And so long after the last of them, at most, it comes.
const LATEST_US: u32 = 30_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// In so many rounds something must be acknowledged before the kill; a kill may come before the first put has returned.
const HEARD_MIN: u32 = KILLS * 9 / 10;
/// Every segment is erased, and one of them so often: otherwise no kill hits a compaction.
const ERASES_MIN: u32 = 4;

/// The newest number known of each key.
type Numbers = BTreeMap<u32, u32>;

/// Kills the program of a board so often; a line with the figures.
pub(crate) fn run(board: &Board, image: &Path) -> Result<String, Failure> {
    let place = folder(board, PROGRAM)?;
    let mut random = Random(0x1234_5678_9abc_def1);
    let (mut stored, mut writes, mut heard, mut erases) = (Numbers::new(), 0, 0, [0, 0]);
    for kill in 0..=KILLS {
        let (mut emulation, lines) = Emulation::begin(board, image, &place)?.lines();
        let there = start(&lines).map_err(|what| format!("start {kill}: {what}"))?;
        check(&stored, &there.numbers).map_err(|what| format!("after kill {kill}: {what}"))?;
        (stored, erases) = (there.numbers, there.erases);
        if kill < KILLS {
            let failed = |what| format!("before kill {}: {what}", kill + 1);
            let (wanted, then) = (random.below(WRITES_MAX), Duration::from_micros(random.below(LATEST_US).into()));
            let mut new = write_until(&lines, &mut stored, wanted, then).map_err(failed)?;
            emulation.kill_alive().map_err(failed)?;
            // What it had said before it was killed counts too.
            for line in &lines {
                acknowledge(&line, &mut stored).map_err(failed)?;
                new += 1;
            }
            (writes, heard) = (writes + new, heard + u32::from(new > 0));
        }
    }
    let name = format!("firmware/{}/{PROGRAM}", board.name);
    let [fewest, most] = erases;
    let met = heard >= HEARD_MIN && fewest > 0 && most >= ERASES_MIN;
    let line = format!(
        r#"{{"name":"{name}","kills":{KILLS},"acknowledged":{writes},"rounds":{heard},"erases_min":{fewest},"erases_max":{most},"lost":0,"unit":"writes","met":{met}}}"#
    );
    if met { Ok(line) } else { Err(format!("that shows too little: {line}")) }
}

/// What the program says at its start.
#[derive(Debug, Default, PartialEq, Eq)]
struct There {
    numbers: Numbers,
    /// Of the segment with the fewest, and of that with the most.
    erases: [u32; 2],
}

impl There {
    /// Takes a line; true when it was the last one.
    fn read(&mut self, line: &str) -> Result<bool, Failure> {
        let wrong = |_| format!("the program said: {line}");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["ready"] => return Ok(true),
            ["erases", fewest, most] => {
                self.erases = [fewest.parse().map_err(wrong)?, most.parse().map_err(wrong)?];
            }
            ["there", key, number] => {
                self.numbers.insert(key.parse().map_err(wrong)?, number.parse().map_err(wrong)?);
            }
            _ => return Err(format!("the program said: {line}")),
        }
        Ok(false)
    }
}

/// Reads what is there until the program is ready.
fn start(lines: &Receiver<String>) -> Result<There, Failure> {
    let mut there = There::default();
    while !there.read(&lines.recv_timeout(PATIENCE).map_err(|_| "the program says nothing".to_owned())?)? {}
    Ok(there)
}

/// Listens for so many writes, and for so long behind them; how many were acknowledged. The program must not end before that.
fn write_until(lines: &Receiver<String>, stored: &mut Numbers, wanted: u32, then: Duration) -> Result<u32, Failure> {
    let mut writes = 0;
    let mut end = None;
    loop {
        if writes >= wanted && end.is_none() {
            end = Some(Instant::now() + then);
        }
        let patience = end.map_or(PATIENCE, |end| end.saturating_duration_since(Instant::now()));
        match lines.recv_timeout(patience) {
            Ok(line) => {
                acknowledge(&line, stored)?;
                writes += 1;
            }
            Err(RecvTimeoutError::Timeout) if end.is_some() => return Ok(writes),
            Err(RecvTimeoutError::Timeout) => return Err("the program writes nothing more".to_owned()),
            Err(RecvTimeoutError::Disconnected) => return Err("the program ended by itself".to_owned()),
        }
    }
}

/// Takes note of a line `stored KEY NUMBER`; there is no other.
fn acknowledge(line: &str, stored: &mut Numbers) -> Result<(), Failure> {
    let parsed = match line.split(' ').collect::<Vec<_>>()[..] {
        ["stored", key, number] => key.parse().ok().zip(number.parse().ok()),
        _ => None,
    };
    let (key, number) = parsed.ok_or_else(|| format!("the program said: {line}"))?;
    stored.insert(key, number);
    Ok(())
}

/// Every key has the number that was acknowledged; one of them, which was in flight, may have the next one of its own.
fn check(stored: &Numbers, there: &Numbers) -> Result<(), Failure> {
    let newest = stored.values().max().copied().unwrap_or(0);
    for (key, number) in stored {
        match there.get(key) {
            Some(found) if found == number || *found == newest + 1 => {}
            found => return Err(format!("key {key} had {number} acknowledged, and has {found:?}")),
        }
    }
    match there.iter().find(|(key, number)| !stored.contains_key(key) && **number != newest + 1) {
        Some((key, number)) => Err(format!("key {key} has {number}, which was never written")),
        None => Ok(()),
    }
}

/// Random numbers, the same at every run (xorshift).
struct Random(u64);

impl Random {
    /// From 0 to the limit.
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 11) % (u64::from(limit) + 1)).unwrap_or(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_must_be_there() {
        let stored = Numbers::from([(1, 17), (2, 18), (3, 3)]);
        let with = |key, number| {
            let mut there = stored.clone();
            there.insert(key, number);
            there
        };
        assert_eq!(check(&stored, &stored), Ok(()));
        assert_eq!(check(&stored, &with(3, 19)), Ok(()), "it was in flight");
        assert_eq!(check(&stored, &with(4, 19)), Ok(()), "it was in flight");
        for (key, number) in [(1, 1), (2, 2), (3, 20), (4, 4)] {
            assert!(check(&stored, &with(key, number)).is_err(), "{key}: {number}");
        }
        assert!(check(&stored, &Numbers::from([(1, 17), (2, 18)])).is_err());
    }

    #[test]
    fn only_whole_lines_are_acknowledgements_and_no_other_is_taken() {
        let mut stored = Numbers::new();
        assert_eq!(acknowledge("stored 3 19", &mut stored), Ok(()));
        for line in ["stored 3", "there 3 20", "stored 3 many", "panicked at", ""] {
            assert!(acknowledge(line, &mut stored).is_err(), "{line}");
        }
        assert_eq!(stored, Numbers::from([(3, 19)]));
    }

    #[test]
    fn a_program_that_ends_before_it_is_killed_has_failed() {
        let (sender, lines) = std::sync::mpsc::channel();
        sender.send("stored 1 1".to_owned()).unwrap();
        assert_eq!(write_until(&lines, &mut Numbers::new(), 1, Duration::ZERO), Ok(1));
        drop(sender);
        assert!(write_until(&lines, &mut Numbers::new(), 0, Duration::from_secs(1)).is_err());
    }

    #[test]
    fn a_start_is_read_to_its_end_and_nothing_strange_is_taken() {
        let mut there = There::default();
        assert_eq!(
            ["there 3 19", "erases 4 5", "ready"].map(|line| there.read(line)),
            [Ok(false), Ok(false), Ok(true)]
        );
        assert_eq!(there, There { numbers: Numbers::from([(3, 19)]), erases: [4, 5] });
        for line in ["there 3", "there 3 x", "erases 4", "failed: damaged"] {
            assert!(there.read(line).is_err(), "{line}");
        }
    }
}
