//! Two processes never write one device at a time.

use std::fs::File;
use std::time::{Duration, Instant};

use expect_test::expect;

use super::Bench;

#[test]
fn a_device_in_use_is_left_alone() {
    let bench = Bench::with_device("");
    let other = File::open(bench.path("dev/device.toml")).unwrap();
    other.lock().unwrap();
    let before = bench.read("dev/flash.bin");
    expect![[r#"
        ! lockstone: device is in use by another process
        !   hint: try again when it is done; nothing was changed
        = 7
    "#]]
    .assert_eq(&bench.feed("put dev key", b"value").shown());
    assert_eq!(bench.run("ls dev").code(), 7);
    assert_eq!(bench.read("dev/flash.bin"), before);
    other.unlock().unwrap();
    assert_eq!(bench.feed("put dev key", b"value").code(), 0);
}

#[test]
fn readers_share_a_device() {
    let bench = Bench::with_device("");
    let other = File::open(bench.path("dev/device.toml")).unwrap();
    other.lock_shared().unwrap();
    assert_eq!(bench.run("ls dev").code(), 0);
    assert_eq!(bench.run("rm dev key").code(), 7);
}

#[test]
fn a_device_that_is_soon_free_is_waited_for() {
    let bench = Bench::with_device("");
    let other = File::open(bench.path("dev/device.toml")).unwrap();
    other.lock().unwrap();
    let start = Instant::now();
    let child = bench.command().args(["put", "dev", "key"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    other.unlock().unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn many_writers_take_turns() {
    let bench = Bench::with_device("");
    let children: Vec<_> =
        (0..8).map(|key| bench.command().args(["put", "dev", &format!("key{key}")]).spawn().unwrap()).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!(bench.run("ls dev").out().split(|byte| *byte == b'\n').count(), 9);
    assert_eq!(bench.run("check dev").code(), 0);
}
