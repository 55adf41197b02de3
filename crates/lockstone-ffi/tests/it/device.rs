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

/// A device with room for objects, as `lockstone new --objects` makes it: they lie behind the keys.
#[cfg(feature = "objects")]
#[test]
fn a_device_may_have_objects_behind_its_keys() {
    use lockstone_ffi::objects_c::{
        Content, VolumeRow, lockstone_find_volume, lockstone_object_begin, lockstone_object_finish,
        lockstone_object_get, lockstone_object_write, lockstone_objects_format, lockstone_objects_open,
    };

    let bench = Bench::new();
    assert_eq!(lockstone_close(), 0);
    let (flash, config) = (bench.device().join("flash.bin"), bench.device().join("device.toml"));
    let mut content = std::fs::read(&flash).unwrap();
    content.resize(2 << 20, 0xff);
    std::fs::write(&flash, content).unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("flash = 1048576", "flash = 2097152") + "objects = 1048576\n").unwrap();
    assert_eq!(open(&bench.device()), 0);
    let (mut ram, mut volume, mut info) = (vec![0_u8; 4096], VolumeRow::default(), Content::default());
    let (start, size) = (ram.as_mut_ptr().cast(), ram.len());
    let (name, bytes) = (c"fw".as_ptr(), [7_u8; 5000]);
    // SAFETY: all is there as long as the device is open.
    unsafe {
        assert_eq!(lockstone_find_volume(1, 0, &raw mut volume), 0);
        assert_eq!((volume.start, volume.length), (1 << 20, 1 << 20));
        assert_eq!(lockstone_objects_format(start, size), 0);
        assert_eq!(lockstone_object_begin(name, 5000), 0);
        assert_eq!(lockstone_object_write(name, 0, bytes.as_ptr().cast(), bytes.len()), 0);
        assert_eq!(lockstone_object_finish(name, std::ptr::null(), 0, std::ptr::null_mut()), 0);
        assert_eq!((lockstone_close(), open(&bench.device())), (0, 0));
        assert_eq!(lockstone_objects_open(start, size), 0);
        assert_eq!((lockstone_object_get(name, &raw mut info), info.length), (0, 5000));
        assert_eq!(lockstone_close(), 0);
    }
}
