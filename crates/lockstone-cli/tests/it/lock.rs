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

/// Files: what each is allowed; the directory too.
const ALL: [&str; 6] =
    ["dev", "dev/trusted", "dev/flash.bin", "dev/device.toml", "dev/trusted/root.key", "dev/trusted/counter"];

/// A device that its user can only read, files and folders.
fn only_read(bench: &Bench) {
    ALL.iter().for_each(|name| bench.allow(name, if bench.path(name).is_dir() { 0o500 } else { 0o400 }));
}

fn usual_again(bench: &Bench) {
    ALL.iter().for_each(|name| bench.allow(name, if bench.path(name).is_dir() { 0o700 } else { 0o600 }));
}

#[test]
fn what_can_only_be_read_is_read() {
    let bench = Bench::with_device("--flash 8M");
    bench.session("put dev key --protect < value\nput dev key --client 7 < its\nshare dev key --with 7 --rights r");
    bench.write("large", &vec![7; 100_000]);
    assert_eq!(bench.run("put dev large --file large").code(), 0);
    only_read(&bench);
    for words in [
        "get dev key",
        "get dev key --client 7 --owner 0",
        "get dev large",
        "object get dev large --offset 99990",
        "ls dev -l",
        "attributes dev key",
        "check dev",
        "stats dev",
        "counter dev",
        "client dev",
        "inspect dev",
        "object ls dev",
        "volume ls dev",
        "slot ls dev",
        "export dev --plain -o out.tar",
    ] {
        let ran = bench.run_as_somebody(words);
        assert_eq!(ran.code(), 0, "{words}: {}", ran.err());
    }
    assert_eq!(bench.run_as_somebody("get dev key").out(), b"value");
    assert_eq!(bench.run_as_somebody("get dev large").out(), [7; 100_000]);
    let before = bench.read("dev/flash.bin");
    for words in ["put dev key", "rm dev key", "scrub dev", "rekey dev"] {
        let ran = bench.run_as_somebody(words);
        assert_eq!(ran.code(), 6, "{words}: {}", ran.err());
    }
    assert_eq!(bench.read("dev/flash.bin"), before);
    usual_again(&bench);
}

/// Somebody who can only read takes no turn of his own: he shares the device with others who read.
#[test]
fn who_can_only_read_shares_the_device() {
    let bench = Bench::with_device("");
    bench.session("put dev key < value");
    only_read(&bench);
    let other = File::open(bench.path("dev/device.toml")).unwrap();
    other.lock_shared().unwrap();
    assert_eq!(bench.run_as_somebody("get dev key").out(), b"value");
    other.unlock().unwrap();
    other.lock().unwrap();
    assert_eq!(bench.run_as_somebody("get dev key").code(), 7, "somebody may be writing");
    usual_again(&bench);
}

/// What a command that was cut left is put in order by a read, where that can be done; else the read goes without.
#[test]
fn what_a_cut_left_is_in_no_readers_way() {
    for forbidden in ["dev", "dev/trusted", "dev/flash.bin"] {
        let bench = Bench::with_device("--flash 64K");
        bench.session("put dev key --protect < value");
        // The last protected change was stored and not counted yet, and a rekey was cut before it counted.
        let counted: u32 = String::from_utf8(bench.read("dev/trusted/counter")).unwrap().trim_end().parse().unwrap();
        bench.write("dev/trusted/counter", format!("{}\n", counted - 1).as_bytes());
        bench.write("dev/trusted/root.key.next", &[1; 7]);
        usual_again(&bench);
        bench.allow(forbidden, if bench.path(forbidden).is_dir() { 0o500 } else { 0o400 });
        let got = bench.run_as_somebody("get dev key");
        assert_eq!((got.out(), got.code()), (&b"value"[..], 0), "{forbidden}: {}", got.err());
        usual_again(&bench);
    }
}
