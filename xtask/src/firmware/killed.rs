//! `killed`: the emulator is ended in the midst of a write, again and again; what it had acknowledged must be there.
//!
//! ```text
//! start ─> there KEY VALUE ... ready ─> stored KEY VALUE, stored ... ─ killed after a random time ─> start ─> there ...
//!                │                            │
//!                └─ at least what was stored <┘
//! ```

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
/// So long after the program is ready it is killed, at most.
const LATEST: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(60);

/// The newest number known of each key.
type Numbers = BTreeMap<u32, u32>;

/// Kills the program of a board so often; a line with the figures.
pub(crate) fn run(board: &Board, image: &Path) -> Result<String, Failure> {
    let place = folder(board, PROGRAM)?;
    let mut random = Random(0x1234_5678_9abc_def1);
    let (mut stored, mut writes) = (Numbers::new(), 0_u32);
    for kill in 0..=KILLS {
        let (emulation, lines) = Emulation::begin(board, image, &place)?.lines();
        let there = start(&lines).map_err(|what| format!("start {kill}: {what}"))?;
        check(&stored, &there).map_err(|what| format!("after kill {kill}: {what}"))?;
        stored = there;
        if kill < KILLS {
            writes += write_until(&lines, &mut stored, random.below(LATEST));
        }
        drop(emulation);
        // What it had said before it was killed counts too.
        writes += lines.iter().map(|line| u32::from(acknowledge(&line, &mut stored))).sum::<u32>();
    }
    let met = writes > KILLS;
    let name = format!("firmware/{}/{PROGRAM}", board.name);
    let line =
        format!(r#"{{"name":"{name}","kills":{KILLS},"acknowledged":{writes},"lost":0,"unit":"writes","met":{met}}}"#);
    if met {
        Ok(line)
    } else {
        Err(format!("{writes} writes were acknowledged between {KILLS} kills: that shows nothing"))
    }
}

/// Reads what is there until the program is ready.
fn start(lines: &Receiver<String>) -> Result<Numbers, Failure> {
    let mut there = Numbers::new();
    loop {
        let line = lines.recv_timeout(PATIENCE).map_err(|_| "the program says nothing".to_owned())?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["ready"] => return Ok(there),
            ["there", key, number] => {
                let parsed = key.parse().ok().zip(number.parse().ok());
                there.extend(parsed.map(|(key, number): (u32, u32)| (key, number)));
            }
            _ => return Err(format!("the program said: {line}")),
        }
    }
}

/// Listens for so long; how many writes were acknowledged.
fn write_until(lines: &Receiver<String>, stored: &mut Numbers, time: Duration) -> u32 {
    let end = Instant::now() + time;
    let mut writes = 0;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => writes += u32::from(acknowledge(&line, stored)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return writes,
        }
    }
}

/// Takes note of a line `stored KEY NUMBER`.
fn acknowledge(line: &str, stored: &mut Numbers) -> bool {
    let ["stored", key, number] = line.split(' ').collect::<Vec<_>>()[..] else { return false };
    let parsed = key.parse().ok().zip(number.parse().ok());
    parsed.map(|(key, number)| stored.insert(key, number)).is_some()
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
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        limit.mul_f64((self.0 >> 11) as f64 / (1_u64 << 53) as f64)
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
    fn only_whole_lines_are_acknowledgements() {
        let mut stored = Numbers::new();
        assert!(acknowledge("stored 3 19", &mut stored));
        assert!(!acknowledge("stored 3", &mut stored) && !acknowledge("there 3 20", &mut stored));
        assert_eq!(stored, Numbers::from([(3, 19)]));
    }
}
