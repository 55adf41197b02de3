//! A process that is killed at any moment leaves the old value or the new one, and loses nothing acknowledged.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::Bench;

/// Time for one device's kills.
const TIME: Duration = Duration::from_secs(5);

#[test]
fn what_was_acknowledged_survives_kills() {
    let bench = Bench::with_device("--flash 256K");
    let (kills, puts) = torment(&bench, "put dev", 40_000);
    println!("{kills} of {puts} puts were killed");
    assert!(kills >= 20 && puts - kills >= 20, "{kills} of {puts}");
}

#[test]
fn small_blocks_too() {
    let bench = Bench::with_device("--flash 64K --block 2K --write 8");
    let (kills, puts) = torment(&bench, "put dev", 6_000);
    println!("{kills} of {puts} puts were killed");
    assert!(kills >= 20 && puts - kills >= 20, "{kills} of {puts}");
}

/// The counter is killed with the flash: what is there then is never called rolled back.
#[test]
fn protected_writes_too() {
    let bench = Bench::with_device("--flash 64K");
    let (kills, puts) = torment(&bench, "put --protect dev", 3_000);
    let counter = String::from_utf8(bench.read("dev/trusted/counter")).unwrap();
    println!("{kills} of {puts} protected puts were killed, the counter came to {}", counter.trim());
    assert!(kills >= 20 && puts - kills >= 20, "{kills} of {puts}");
    assert!(counter.trim().parse::<u32>().unwrap() <= 2 * puts, "no more steps than were asked for");
}

/// Puts values of up to `longest` bytes and kills about half of the puts; returns how many were killed, and all.
fn torment(bench: &Bench, put: &str, longest: u32) -> (u32, u32) {
    let (start, mut model) = (Instant::now(), BTreeMap::<u32, Vec<u8>>::new());
    let (mut puts, mut kills, mut usual) = (0u32, 0, Duration::from_millis(8));
    while start.elapsed() < TIME {
        puts += 1;
        let key = puts.wrapping_mul(2_654_435_761) % 3;
        let value: Vec<u8> = (0..puts.wrapping_mul(40_503) % longest).map(|at| (at ^ puts) as u8).collect();
        let began = Instant::now();
        let key_name = key.to_string();
        let mut child = bench.command().args(put.split(' ')).arg(key_name).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&value).unwrap();
        if puts.is_multiple_of(2) {
            std::thread::sleep(usual * (puts.wrapping_mul(97) % 128) / 100);
            child.kill().unwrap();
        }
        let acknowledged = child.wait().unwrap().success();
        if acknowledged {
            usual = (usual * 3 + began.elapsed()) / 4;
        }
        kills += u32::from(!acknowledged);
        let got = bench.run(&format!("get dev {key}"));
        let found = (got.code() == 0).then(|| got.out().to_vec());
        assert!(got.code() <= 1, "put {puts}: {}", got.shown());
        let new = found.as_deref() == Some(&value);
        let old = !acknowledged && found.as_ref() == model.get(&key);
        assert!(
            new || old,
            "put {puts} of key {key}: acknowledged {acknowledged}, {:?} bytes",
            found.map(|it| it.len())
        );
        if new {
            model.insert(key, value);
        }
    }
    for (key, value) in &model {
        assert!(bench.run(&format!("get dev {key}")).out() == value, "key {key}");
    }
    assert_eq!(bench.run("check dev").code(), 0);
    (kills, puts)
}
