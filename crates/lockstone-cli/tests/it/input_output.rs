//! Bytes go in and come out as they are, whatever they are, by every way in and out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use expect_test::expect;

use super::Bench;

#[test]
fn every_value_comes_back_to_the_byte() {
    for suite in ["ascon", "plain"] {
        let bench = Bench::with_device(&format!("--suite {suite}"));
        let every_byte: Vec<u8> = (0..=255).collect();
        let long: Vec<u8> = (0..65536u32).map(|at| (at * 7 + at / 251) as u8).collect();
        let values: [&[u8]; 6] = [b"", b"x", b"\n", &every_byte, &long[..4097], &long];
        for value in values {
            assert_eq!(bench.feed("put dev by-stdin", value).shown(), "");
            bench.write("in", value);
            assert_eq!(bench.run("put dev by-file --file in").shown(), "");
            for key in ["by-stdin", "by-file"] {
                let ran = bench.run(&format!("get dev {key}"));
                assert!(ran.code() == 0 && ran.out() == value, "{suite}, {} bytes, {key}", value.len());
                assert_eq!(bench.run(&format!("get dev {key} -o out")).shown(), "");
                assert_eq!(bench.read("out"), value);
            }
        }
        assert_eq!(bench.run("check dev").code(), 0);
    }
}

#[test]
fn an_output_file_is_replaced_whole_and_private() {
    let bench = Bench::with_device("");
    bench.feed("put dev key", b"secret");
    bench.write("out", b"something much longer that was there before");
    assert_eq!(bench.run("get dev key -o out").code(), 0);
    assert_eq!(bench.read("out"), b"secret");
    assert_eq!(bench.path("out").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(bench.run("get dev nokey -o out").code(), 1);
    assert_eq!(bench.read("out"), b"secret", "a failed get changes nothing");
    assert_eq!(bench.run("get dev key -o /dev/null").code(), 0);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    assert_ne!(bench.run("get dev key -o missing/out").code(), 0);
    let left = bench.directory.path().read_dir().unwrap().count();
    assert_eq!(left, 2, "nothing hidden is left behind");
}

#[test]
fn an_output_file_may_have_the_longest_name() {
    let bench = Bench::with_device("");
    bench.feed("put dev key", b"secret");
    for name in ["n".repeat(255), "é".repeat(127)] {
        for value in [b"secret", b"newest"] {
            bench.feed("put dev key", value);
            assert_eq!(bench.run(&format!("get dev key -o {name}")).shown(), "");
            assert_eq!(bench.read(&name), value);
        }
    }
    assert_eq!(bench.directory.path().read_dir().unwrap().count(), 3, "nothing hidden is left behind");
}

/// Root may serve the device of somebody else, who may use it afterwards.
#[test]
fn what_root_writes_belongs_to_whom_the_device_does() {
    const OWNER: u32 = 54321;
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
    let bench = Bench::with_device("");
    let all = files(&bench.path("dev"));
    assert!(all.len() >= 4, "{all:?}");
    for file in &all {
        if let Err(error) = chown(file, Some(OWNER), Some(OWNER)) {
            return println!("only root can try this: {error}");
        }
    }
    assert_eq!(bench.feed("put dev key --protect", b"counted").shown(), "");
    assert_eq!(bench.run("rekey dev --suite aes").code(), 0);
    assert_eq!(bench.feed("put dev key --protect", b"again").shown(), "");
    for file in files(&bench.path("dev")) {
        let metadata = file.metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (OWNER, OWNER), "{}", file.display());
    }
}

#[test]
fn names_may_be_any_bytes() {
    let bench = Bench::with_device("");
    let names: [&[u8]; 6] = [b"b", b"a b", b"tab\there", b"\xff\x80", "käse".as_bytes(), b"back\\slash"];
    for name in names {
        let put = bench.command().args(["put", "dev"]).arg(OsStr::from_bytes(name)).output().unwrap();
        assert!(put.status.success());
        let get = bench.command().args(["get", "dev"]).arg(OsStr::from_bytes(name)).output().unwrap();
        assert!(get.status.success() && get.stdout.is_empty());
    }
    expect![[r#"
        a b
        b
        back\x5cslash
        käse
        tab\x09here
        \xff\x80
    "#]]
    .assert_eq(&bench.run("ls dev").shown());
}

#[test]
fn names_have_1_to_255_bytes() {
    let bench = Bench::with_device("");
    for (length, code) in [(1, 0), (255, 0), (256, 2)] {
        let name = "n".repeat(length);
        assert_eq!(bench.feed(&format!("put dev {name}"), b"v").code(), code, "{length}");
        assert_eq!(bench.run(&format!("get dev {name}")).code(), code, "{length}");
    }
    let empty = bench.command().args(["put", "dev", ""]).output().unwrap();
    assert_eq!(empty.status.code(), Some(2));
    expect![[r#"
        ! lockstone: a name has 1 to 255 bytes
        = 2
    "#]]
    .assert_eq(&bench.run(&format!("get dev {}", "n".repeat(256))).shown());
}

#[test]
fn nothing_stored_is_found_in_the_flash() {
    let bench = Bench::with_device("");
    let mut stored: Vec<Vec<u8>> = Vec::new();
    for key in 0..24u32 {
        let name = format!("name-of-key-{key:03}");
        let value: Vec<u8> = (0..8 + key * 97).map(|at| (at * 31 + key * 17 + at * at / 7) as u8).collect();
        assert_eq!(bench.feed(&format!("put dev {name}"), &value).code(), 0);
        stored.push(name.into_bytes());
        stored.extend(value.chunks_exact(8).map(<[u8]>::to_vec));
    }
    let flash = bench.read("dev/flash.bin");
    let windows: std::collections::HashSet<&[u8]> = flash.windows(8).collect();
    for bytes in &stored {
        assert!(!windows.contains(&bytes[..8]), "{bytes:?} can be read in flash.bin");
    }
}

#[test]
fn a_reader_may_go_away() {
    let bench = Bench::with_device("");
    bench.feed("put dev long", &[7; 65536]);
    let mut child = bench.command().args(["get", "dev", "long"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// What killed processes left of this output is removed; what one that lives is writing is not, nor anything else.
#[test]
fn what_killed_processes_left_goes_with_the_next_write() {
    let bench = Bench::with_device("");
    bench.feed("put dev key", b"secret");
    let hidden = |name: &str| {
        std::fs::create_dir(bench.path(name)).unwrap();
        bench.write(&format!("{name}/file"), b"secr");
    };
    let (dead, lives) = (".out.new-0123456789abcdef", ".out.new-123456789abcdef0");
    let others =
        [".other.new-0123456789abcdef", ".out.new-mine", ".out.new-0123456789abcdef.d", "out.new-0123456789abcdef"];
    [dead, lives].iter().chain(&others).for_each(|name| hidden(name));
    let lock = std::fs::File::open(bench.path(lives)).unwrap();
    lock.lock().unwrap();
    assert_eq!(bench.run("get dev key -o out").shown(), "");
    assert!(!bench.path(dead).exists(), "its process is dead");
    for name in others.iter().chain([&lives]) {
        assert_eq!(bench.read(&format!("{name}/file")), b"secr", "{name}");
    }
    drop(lock);
    assert_eq!(bench.run("get dev key -o out").shown(), "");
    assert!(!bench.path(lives).exists());
    // So for new files and folders.
    for (words, target) in
        [("export dev --plain -o all.tar", "all.tar"), ("export dev --plain -o all", "all"), ("new two", "two")]
    {
        hidden(&format!(".{target}.new-0123456789abcdef"));
        assert_eq!(bench.run(words).code(), 0, "{words}");
        assert!(!bench.path(&format!(".{target}.new-0123456789abcdef")).exists(), "{words}");
    }
}

/// A process that is killed while it writes leaves nothing that its successor stumbles over, or that stays.
#[test]
fn kills_while_a_file_is_written_leave_nothing_for_long() {
    let bench = Bench::with_device("--flash 16M");
    bench.write("large", &vec![7; 4_000_000]);
    assert_eq!(bench.run("put dev large --file large").code(), 0);
    let whole = |millis: u64| {
        let mut child = bench.command().args(["get", "dev", "large", "-o", "out"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
    };
    (0..10).for_each(|round| whole(40 * round));
    assert_eq!(bench.run("get dev large -o out").shown(), "");
    assert!(bench.read("out") == bench.read("large"));
    let hidden = bench.directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(hidden.filter(|name| name.as_bytes().starts_with(b".")).count(), 0);
}

/// Others write to the same file before and after.
#[test]
fn standard_output_is_written_and_never_replaced() {
    let bench = Bench::with_device("");
    bench.feed("put dev key", b"secret\n");
    std::os::unix::fs::symlink("/dev/stdout", bench.path("link")).unwrap();
    let lockstone = env!("CARGO_BIN_EXE_lockstone");
    for (place, into) in [
        ("/dev/stdout", "> out"),
        ("/dev/fd/1", "> out"),
        ("/proc/self/fd/1", "> out"),
        ("link", "> out"),
        ("/dev/stderr", "> out 2>&1"),
        ("/dev/fd/3", ">> three 3>> three"),
    ] {
        let script = format!("{{ echo before; {lockstone} get dev key -o {place}; echo after; }} {into}");
        assert!(bench.command_of("sh").args(["-c", &script]).status().unwrap().success(), "{place}");
        let out = bench.read(if into.contains("three") { "three" } else { "out" });
        assert_eq!(String::from_utf8_lossy(&out), "before\nsecret\nafter\n", "{place}");
    }
    // A file in memory is one as any other.
    if Path::new("/dev/shm").is_dir() {
        let place = tempfile::tempdir_in("/dev/shm").unwrap();
        let file = place.path().join("out");
        for _ in 0..2 {
            assert_eq!(bench.run(&format!("get dev key -o {}", file.display())).shown(), "");
            assert_eq!(std::fs::read(&file).unwrap(), b"secret\n");
        }
    }
}

#[test]
fn no_output_comes_in_the_place_of_what_a_device_is_made_of() {
    let bench = Bench::with_device("--flash 2M --objects 1M --slot 64K");
    bench.feed("put dev key", b"secret");
    bench.write("code", &[1; 100]);
    bench.session("object put dev fw --file code\nslot adopt dev --file code");
    std::os::unix::fs::symlink("dev/trusted/root.key", bench.path("link")).unwrap();
    let files = ["flash.bin", "device.toml", "trusted/root.key", "trusted/counter"].map(|name| format!("dev/{name}"));
    let before = files.clone().map(|name| bench.read(&name));
    expect![[r#"
        $ get dev key -o dev/flash.bin
        ! lockstone: dev/flash.bin belongs to the device itself
        !   hint: nothing was changed; choose another place with -o
        = 2
    "#]]
    .assert_eq(&bench.session("get dev key -o dev/flash.bin"));
    let others = ["dev/trusted/slot", "dev/flash.bin.next", "dev/../dev/device.toml.next", "link"].map(str::to_owned);
    for file in files.iter().chain(&others) {
        for words in ["get dev key", "object get dev fw", "slot get dev"] {
            let ran = bench.run(&format!("{words} -o {file}"));
            assert_eq!(ran.code(), 2, "{words}, {file}");
            assert!(ran.err().contains("belongs to the device itself"), "{words}, {file}: {}", ran.err());
        }
    }
    assert_eq!(files.map(|name| bench.read(&name)), before);
    assert_eq!(bench.run("get dev key -o dev/out").shown(), "");
}

#[test]
fn a_device_is_found_from_a_directory_that_is_gone() {
    let bench = Bench::with_device("");
    bench.feed("put dev key", b"secret");
    let lockstone = env!("CARGO_BIN_EXE_lockstone");
    let script = format!(
        "mkdir gone && cd gone && rmdir ../gone && {lockstone} get ../dev key && echo new | {lockstone} put ../dev key --protect"
    );
    let mut command = bench.command_of("sh");
    let ran = super::Ran(command.args(["-c", &script]).output().unwrap());
    assert_eq!(ran.shown(), "secret\n");
    assert_eq!(bench.read("dev/trusted/counter"), b"2\n");
}
