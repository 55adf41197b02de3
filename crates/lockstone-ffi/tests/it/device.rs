//! A device in a directory: made at the first call, kept, never formatted again, one process at a time.

use std::process::Command;

use crate::{Bench, get, lockstone_close, open, put};

/// What a child process is told to do with the device that `LOCKSTONE_DEVICE` names.
const TOLD: &str = "LOCKSTONE_TEST_TOLD";

/// In a child: without a call that opens anything.
#[test]
fn child() {
    let Ok(told) = std::env::var(TOLD) else { return };
    let status =
        if told == "put" { put(c"from/child", b"hello") } else { get(c"from/child").map_or_else(|code| code, |_| 0) };
    println!("status {status}");
}

fn in_child(told: &str, device: &std::path::Path) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "device::child", "--nocapture"]).env(TOLD, told).env("LOCKSTONE_DEVICE", device);
    let output = child.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_once("status ").unwrap().1.lines().next().unwrap().to_owned()
}

#[test]
fn the_first_call_makes_it_and_the_next_process_finds_it() {
    let bench = Bench::new();
    let device = bench.folder.path().join("lazily");
    assert_eq!(in_child("get", &device), "-1", "made, and no such key");
    assert_eq!(in_child("put", &device), "0");
    assert_eq!(in_child("get", &device), "0");
    let names = ["device.toml", "flash.bin", "trusted/counter", "trusted/root.key"];
    assert!(names.iter().all(|name| device.join(name).is_file()));
    assert_eq!(lockstone_close(), 0);
    assert_eq!(open(&device), 0);
    assert_eq!(get(c"from/child"), Ok(b"hello".to_vec()));
    assert_eq!(in_child("get", &device), "-25", "this process has it");
}

#[test]
fn what_does_not_open_is_not_replaced() {
    let bench = Bench::new();
    assert_eq!(put(c"a", b"1"), 0);
    assert_eq!(lockstone_close(), 0);
    let (flash, key) = (bench.device().join("flash.bin"), bench.device().join("trusted/root.key"));
    let (good, secret) = (std::fs::read(&flash).unwrap(), std::fs::read(&key).unwrap());
    for (content, status) in [(good[..4096].to_vec(), -25), (vec![0xff; good.len()], -17), (vec![7; good.len()], -18)] {
        std::fs::write(&flash, &content).unwrap();
        assert_eq!(open(&bench.device()), status);
        assert_eq!(std::fs::read(&flash).unwrap(), content);
    }
    std::fs::write(&flash, &good).unwrap();
    std::fs::write(&key, [1; 32]).unwrap();
    assert_eq!(open(&bench.device()), -19, "another key");
    std::fs::write(&key, [1; 31]).unwrap();
    assert_eq!(open(&bench.device()), -22, "no key");
    std::fs::write(&key, secret).unwrap();
    std::fs::write(bench.device().join("trusted/counter"), "7\n").unwrap();
    assert_eq!(open(&bench.device()), -11, "a counter that knows more");
    std::fs::write(bench.device().join("trusted/counter"), "0\n").unwrap();
    assert_eq!(open(&bench.device()), 0);
    assert_eq!(get(c"a"), Ok(b"1".to_vec()));
}
