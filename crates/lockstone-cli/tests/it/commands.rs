//! What every command says, word for word, and the number it ends with.

use std::os::unix::fs::PermissionsExt;

use expect_test::expect;

use super::Bench;

#[test]
fn a_first_session() {
    let seen = Bench::new().session(
        "
        new dev
        put dev wifi/psk < correct horse
        put dev boot/count < 7
        put dev wifi/psk < battery staple
        get dev wifi/psk
        ls dev
        ls dev wifi/ -l
        rm dev boot/count
        rm dev boot/count
        get dev boot/count
        ls dev
        check dev
        stats dev
        ",
    );
    expect![[r#"
        $ new dev
        $ put dev wifi/psk < correct horse
        $ put dev boot/count < 7
        $ put dev wifi/psk < battery staple
        $ get dev wifi/psk
        battery staple
        $ ls dev
        boot/count
        wifi/psk
        $ ls dev wifi/ -l
              14  -     wifi/psk
        $ rm dev boot/count
        $ rm dev boot/count
        ! lockstone: no such key: boot/count
        = 1
        $ get dev boot/count
        ! lockstone: no such key: boot/count
        = 1
        $ ls dev
        wifi/psk
        $ check dev
        The store was closed in order.
        15 records of the log read well.
        1 key of client 0 read well.
        Nothing is damaged.
        $ stats dev
        suite      ascon
        flash      1048576 bytes: 256 segments of 4096, 1 in the log, 0 bad
        keys       1, of all clients
        fill       96 of 898896 bytes, 0 %
        erases     1 to 1 a segment
    "#]]
    .assert_eq(&seen);
}

#[test]
fn machines_read_json() {
    let bench = Bench::with_device("--suite plain --flash 64K --block 2K --write 16");
    let seen = bench.session("put dev a < 1\ncheck dev --json\nstats dev --json");
    expect![[r#"
        $ put dev a < 1
        $ check dev --json
        {"clean":true,"client":0,"counter":{"counter":0,"flash":null,"verdict":"unbound"},"damaged_headers":0,"damaged_records":0,"doubt":null,"findings":[],"keys_damaged":[],"keys_good":1,"keys_of_others":0,"listing_gaps":0,"mounted":true,"records":4,"rollbacks_accepted":0,"rolled_back":false,"sound":true,"torn_bytes":0,"unfinished_runs":0}
        $ stats dev --json
        {"bad_segments":0,"block_bytes":2048,"capacity_bytes":46224,"erases_max":1,"erases_min":1,"flash_bytes":65536,"keys":1,"log_segments":1,"objects":null,"segment_bytes":2048,"segments":32,"sound":true,"suite":"plain","used_bytes":28,"write_bytes":16}
    "#]].assert_eq(&seen);
    for words in ["check dev --json", "stats dev --json"] {
        let ran = bench.run(words);
        serde_json::from_slice::<serde_json::Value>(ran.out()).unwrap();
    }
}

#[test]
fn usage_is_explained() {
    let bench = Bench::with_device("");
    bench.write("file", b"");
    let seen = bench.session(
        "
        new dev
        new file
        new nowhere/dev
        new other --write 3
        new other --block 100K --flash 150K
        new other --block 192
        new other --flash 4K
        new other --flash 100000
        new other --flash many
        new other --suite rot13
        put nodev key
        put file key
        put dev
        put dev key --file missing
        put dev key value
        get dev key --client 4294967295
        get dev key -o out --show
        put dev key --file dev
        put dev key --file file
        get dev key -o dev
        get dev key -o nowhere/out
        get dev key -o file/out
        get dev/trusted key
        inspect dev --svg nowhere/out
        frobnicate
        ",
    );
    expect![[r#"
        $ new dev
        ! lockstone: dev is there already
        !   hint: a device is never overwritten; remove it yourself if you mean it
        = 2
        $ new file
        ! lockstone: file is there already
        !   hint: a device is never overwritten; remove it yourself if you mean it
        = 2
        $ new nowhere/dev
        ! lockstone: there is no directory to make nowhere/dev in
        = 2
        $ new other --write 3
        ! lockstone: no store fits such a flash: the program unit must be a power of two from 1 to 512 bytes
        = 2
        $ new other --block 100K --flash 150K
        ! lockstone: no store fits such a flash: at least four segments (of at least 2 KiB, 32 program units and one erase block each) must fit
        = 2
        $ new other --block 192
        ! lockstone: no store fits such a flash: the erase block of a device directory must be a multiple of 128 bytes
        = 2
        $ new other --flash 4K
        ! lockstone: no store fits such a flash: at least four segments (of at least 2 KiB, 32 program units and one erase block each) must fit
        = 2
        $ new other --flash 100000
        ! lockstone: no store fits such a flash: the flash must be a whole number of erase blocks
        = 2
        $ new other --flash many
        ! error: invalid value 'many' for '--flash <SIZE>': a size is a number of bytes, with K or M for KiB and MiB
        ! 
        ! For more information, try '--help'.
        = 2
        $ new other --suite rot13
        ! error: invalid value 'rot13' for '--suite <SUITE>'
        !   [possible values: ascon, aes, plain]
        ! 
        ! For more information, try '--help'.
        = 2
        $ put nodev key
        ! lockstone: there is no device at nodev
        !   hint: make one with `lockstone new nodev`
        = 2
        $ put file key
        ! lockstone: there is no device at file
        !   hint: a device is a folder with a device.toml in it: what is there has none
        = 2
        $ put dev
        ! error: the following required arguments were not provided:
        !   <KEY>
        ! 
        ! Usage: lockstone put <DEV> <KEY>
        ! 
        ! For more information, try '--help'.
        = 2
        $ put dev key --file missing
        ! lockstone: there is no file missing
        = 2
        $ put dev key value
        ! error: unexpected argument 'value' found
        ! 
        ! Usage: lockstone put [OPTIONS] <DEV> <KEY>
        ! 
        ! For more information, try '--help'.
        = 2
        $ get dev key --client 4294967295
        ! error: invalid value '4294967295' for '--client <N>': 4294967295 is not in 0..=4294967294
        ! 
        ! For more information, try '--help'.
        = 2
        $ get dev key -o out --show
        ! error: the argument '--output <F>' cannot be used with '--show'
        ! 
        ! Usage: lockstone get --output <F> <DEV> <KEY>
        ! 
        ! For more information, try '--help'.
        = 2
        $ put dev key --file dev
        ! lockstone: dev is a directory
        = 2
        $ put dev key --file file
        $ get dev key -o dev
        ! lockstone: dev is a directory
        = 2
        $ get dev key -o nowhere/out
        ! lockstone: there is no directory to make nowhere/out in
        = 2
        $ get dev key -o file/out
        ! lockstone: there is no directory to make file/out in
        = 2
        $ get dev/trusted key
        ! lockstone: there is no device at dev/trusted
        !   hint: a device is a folder with a device.toml in it: what is there has none
        = 2
        $ inspect dev --svg nowhere/out
        ! lockstone: there is no directory to make nowhere/out in
        = 2
        $ frobnicate
        ! error: unrecognized subcommand 'frobnicate'
        ! 
        ! Usage: lockstone <COMMAND>
        ! 
        ! For more information, try '--help'.
        = 2
    "#]].assert_eq(&seen);
    let mut left: Vec<_> = bench.directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["dev", "file"], "nothing is left behind");
}

#[test]
fn help_has_an_example_for_every_command() {
    let bench = Bench::new();
    let commands = ["new", "put", "get", "ls", "attributes", "rm", "check", "stats", "counter", "recover", "demo"];
    let of_custody = ["factory-reset", "scrub", "share", "client", "rekey", "erase"];
    let of_objects = ["object put", "object resume", "object finish", "object ls", "object get", "object rm"];
    for command in commands.into_iter().chain(of_custody).chain(of_objects) {
        let help = bench.run(&format!("{command} --help"));
        let text = String::from_utf8_lossy(help.out()).into_owned();
        assert!(help.code() == 0 && text.contains(&format!("lockstone {command} ")), "{text}");
        assert!(text.contains("Example"), "{text}");
    }
    expect![[r#"
        $ --help
        Keeps small secrets, configuration and firmware on untrusted flash: nothing acknowledged is ever lost, nothing stored can be read or changed unnoticed

        Usage: lockstone <COMMAND>

        Commands:
          new            Make a device directory with an empty store in it
          put            Store a value under a key, replacing the old one. Reads standard input unless --file is given
          get            Write the value of a key to standard output or to a file, byte for byte
          ls             List the names of keys, one a line, sorted by bytes; odd bytes are written \xNN
          attributes     Show the attributes of a key, or change them; its value stays
          rm             Delete a key. Works on a full device too
          check          Read everything and say what is damaged. Writes nothing
          stats          Say how full and how worn the device is. Writes nothing
          counter        Say where the counter stands that protects from older images of the flash, and how long it lasts. Writes nothing
          recover        Take an older flash that was put back as the present one, for good. Says first what that means
          factory-reset  Bring the device back to its factory state. Without --yes it only says what would happen to how many keys
          object         Firmware and other large values: written in pieces, in any order, gone on with after a cut, committed in one step
          volume         Which parts of the flash are for what: keys, objects, slots for code, and what is spare
          slot           Code that is executed where it lies: from an object into a slot, verified at each boot
          scrub          Remove from flash what was deleted or replaced: every segment is erased once
          share          Let another client, or everyone, use a key. What was said before of that client is replaced
          client         List the clients that have keys: how many, and how many bytes. Writes nothing
          rekey          Seal everything anew under a fresh random root key, and another suite if asked. What was shared has to be shared again
          erase          Erase the flash and destroy the root key: the end of a device. Without --yes it only says what would be lost
          inspect        Show what is on a flash, damaged and foreign ones too: segments, records, wear, holes, and what a mount decides. Writes nothing to it
          import         Store every file of a folder or tar file, every item of an ESP-IDF NVS partition, or a sealed export
          export         Write all keys of a client to a new folder or tar file in the clear, or to a sealed image
          image          Make and verify factory images: the same bytes each time, for one device or thousands
          demo           The main job on real input: certificates, power cuts, attacks, and a picture. Needs no device
          replay         Play one case of the tests or the fuzzer again, step by step, with every access to the flash. Needs no device
          help           Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Exit codes: 0 done · 1 no such key · 2 usage · 3 damaged or forged content · 4 rolled back
                    5 full, worn out or out of steps · 6 not permitted · 7 device busy or I/O

        First steps:
          lockstone demo
          lockstone new dev && echo hello | lockstone put dev greeting && lockstone get dev greeting | cat

        Later:
          lockstone share dev greeting --with everyone --rights r
          lockstone rm dev greeting && lockstone scrub dev
          lockstone rekey dev
          lockstone erase dev --yes
    "#]].assert_eq(&bench.session("--help"));
}

#[test]
fn the_trusted_part_is_private() {
    let bench = Bench::with_device("");
    let mode = |name: &str| bench.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("dev/trusted"), mode("dev/trusted/root.key"), mode("dev/trusted/counter")), (0o700, 0o600, 0o600));
    assert_eq!((bench.read("dev/trusted/root.key").len(), bench.read("dev/trusted/counter")), (32, b"0\n".to_vec()));
    assert_eq!(bench.read("dev/flash.bin").len(), 1 << 20);
}

#[test]
fn clients_know_nothing_of_each_other() {
    let seen = Bench::with_device("").session(
        "
        put dev same < zero
        put dev same --client 7 < seven
        put dev own --client 7 < mine
        get dev same
        get dev same --client 7
        get dev own
        ls dev
        ls dev --client 7
        check dev
        rm dev same --client 7
        get dev same
        ",
    );
    expect![[r#"
        $ put dev same < zero
        $ put dev same --client 7 < seven
        $ put dev own --client 7 < mine
        $ get dev same
        zero
        $ get dev same --client 7
        seven
        $ get dev own
        ! lockstone: no such key: own
        = 1
        $ ls dev
        same
        $ ls dev --client 7
        own
        same
        $ check dev
        The store was closed in order.
        10 records of the log read well.
        1 key of client 0 read well.
        2 keys of other clients: read them with --client N.
        Nothing is damaged.
        $ rm dev same --client 7
        $ get dev same
        zero
    "#]]
    .assert_eq(&seen);
}

#[test]
fn a_full_device_says_so_and_can_be_emptied() {
    let bench = Bench::with_device("--flash 32K --block 2K");
    let value = [0x5a; 1000];
    let mut stored = 0;
    let full = loop {
        let ran = bench.feed(&format!("put dev key{stored}"), &value);
        if ran.code() != 0 {
            break ran;
        }
        stored += 1;
    };
    assert!((8..32).contains(&stored), "{stored}");
    expect![[r#"
        ! lockstone: the store is full: the value has 1000 bytes, and 18360 of 18700 are in use; nothing was changed
        !   hint: `lockstone rm` always works, also on a full device
        = 5
    "#]]
    .assert_eq(&full.shown());
    let large = bench.feed("put dev large", &[1; 31000]);
    expect![[r#"
        ! lockstone: the value has 31000 bytes, this store holds 18700 in all, and while one value takes the place of another it needs room for both; nothing was changed
        = 2
    "#]]
    .assert_eq(&large.shown());
    let larger = bench.feed("put dev large", &[1; 40000]);
    expect![[r#"
        ! lockstone: the value is longer than the whole flash, 32768 bytes; nothing was changed
        = 2
    "#]]
    .assert_eq(&larger.shown());
    for key in 0..stored {
        assert_eq!(bench.run(&format!("get dev key{key}")).out(), value);
        assert_eq!(bench.run(&format!("rm dev key{key}")).code(), 0);
    }
    assert_eq!(bench.run("ls dev").shown(), "");
    assert_eq!(bench.feed("put dev key0", &value).code(), 0);
    assert_eq!(bench.run("check dev").code(), 0);
}

/// A longer value does not fit beside the old one, under this name or another, and does in its place.
const LONGER: &str = "
    put dev key --file half
    put dev key --file more
    put dev other --file more
    rm dev key
    put dev key --file more
";

#[test]
fn a_new_value_needs_room_beside_the_old_one() {
    let bench = Bench::with_device("--flash 32K --block 2K");
    bench.write("half", &[1; 9_000]);
    bench.write("more", &[2; 12_000]);
    expect![[r#"
        $ put dev key --file half
        $ put dev key --file more
        ! lockstone: the store is full: the value has 12000 bytes, and 12136 of 18700 are in use, 9000 of them by the old value until the new one is in its place; nothing was changed
        !   hint: `lockstone rm` always works: of other keys, or of this one first, if it may be gone for a moment
        = 5
        $ put dev other --file more
        ! lockstone: the store is full: the value has 12000 bytes, and 12136 of 18700 are in use; nothing was changed
        !   hint: `lockstone rm` always works, also on a full device
        = 5
        $ rm dev key
        $ put dev key --file more
    "#]].assert_eq(&bench.session(LONGER));
}

#[test]
fn so_does_an_object() {
    let bench = Bench::with_device("--flash 512K --objects 256K");
    bench.write("half", &vec![1; 120_000]);
    bench.write("more", &vec![2; 150_000]);
    expect![[r#"
        $ put dev key --file half
        $ put dev key --file more
        ! lockstone: the volume for objects is full: the value needs 43 blocks of 4096 bytes, 29 are free, and the old value keeps its 35 until the new one is in its place; nothing was stored
        !   hint: `lockstone object ls DEV` shows what takes the room, unfinished objects too; remove some
        = 5
        $ put dev other --file more
        ! lockstone: the volume for objects is full: the value needs 43 blocks of 4096 bytes, 29 are free; nothing was stored
        !   hint: `lockstone object ls DEV` shows what takes the room, unfinished objects too; remove some
        = 5
        $ rm dev key
        $ put dev key --file more
    "#]].assert_eq(&bench.session(LONGER));
}

#[test]
fn a_description_that_makes_no_sense_is_damaged() {
    let bench = Bench::with_device("--flash 64K");
    let config = bench.read("dev/device.toml");
    let mut seen = String::new();
    for content in [&b"\xff\xfe\x00"[..], b"", b"format = 1", &[config.as_slice(), b"\x80"].concat()] {
        bench.write("dev/device.toml", content);
        seen += &bench.session("ls dev\nput dev key < 1");
    }
    std::fs::remove_file(bench.path("dev/device.toml")).unwrap();
    std::fs::create_dir(bench.path("dev/device.toml")).unwrap();
    seen += &bench.session("ls dev");
    expect![[r#"
        $ ls dev
        ! lockstone: device.toml is not text
        !   hint: was it edited? Nothing was changed
        = 3
        $ put dev key < 1
        ! lockstone: device.toml is not text
        !   hint: was it edited? Nothing was changed
        = 3
        $ ls dev
        ! lockstone: device.toml can't be read: missing field `format`
        !   hint: was it edited? Nothing was changed
        = 3
        $ put dev key < 1
        ! lockstone: device.toml can't be read: missing field `format`
        !   hint: was it edited? Nothing was changed
        = 3
        $ ls dev
        ! lockstone: device.toml can't be read: missing field `suite`
        !   hint: was it edited? Nothing was changed
        = 3
        $ put dev key < 1
        ! lockstone: device.toml can't be read: missing field `suite`
        !   hint: was it edited? Nothing was changed
        = 3
        $ ls dev
        ! lockstone: device.toml is not text
        !   hint: was it edited? Nothing was changed
        = 3
        $ put dev key < 1
        ! lockstone: device.toml is not text
        !   hint: was it edited? Nothing was changed
        = 3
        $ ls dev
        ! lockstone: device.toml is not a file
        !   hint: was it edited? Nothing was changed
        = 3
    "#]]
    .assert_eq(&seen);
}

/// Nobody waits for a pipe that somebody put in the place of a file.
#[test]
fn what_is_no_file_is_damaged() {
    let bench = Bench::with_device("--flash 64K");
    bench.session("put dev key < 1");
    let mut seen = String::new();
    for name in ["dev/device.toml", "dev/flash.bin", "dev/trusted/root.key", "dev/trusted/counter"] {
        std::fs::rename(bench.path(name), bench.path("aside")).unwrap();
        std::fs::create_dir(bench.path(name)).unwrap();
        seen += &bench.session("get dev key");
        std::fs::remove_dir(bench.path(name)).unwrap();
        assert!(bench.command_of("mkfifo").arg(name).status().unwrap().success());
        seen += &bench.session("get dev key\nrekey dev");
        std::fs::remove_file(bench.path(name)).unwrap();
        std::fs::rename(bench.path("aside"), bench.path(name)).unwrap();
    }
    expect![[r#"
        $ get dev key
        ! lockstone: device.toml is not a file
        !   hint: was it edited? Nothing was changed
        = 3
        $ get dev key
        ! lockstone: device.toml is not a file
        !   hint: was it edited? Nothing was changed
        = 3
        $ rekey dev
        ! lockstone: device.toml is not a file
        !   hint: was it edited? Nothing was changed
        = 3
        $ get dev key
        ! lockstone: flash.bin is not a file
        = 3
        $ get dev key
        ! lockstone: flash.bin is not a file
        = 3
        $ rekey dev
        ! lockstone: flash.bin is not a file
        = 3
        $ get dev key
        ! lockstone: trusted/root.key is not a file
        = 3
        $ get dev key
        ! lockstone: trusted/root.key is not a file
        = 3
        $ rekey dev
        ! lockstone: trusted/root.key is not a file
        = 3
        $ get dev key
        ! lockstone: trusted/counter is not a number on a line
        !   hint: who may write there? Nothing was changed
        = 3
        $ get dev key
        ! lockstone: trusted/counter is not a number on a line
        !   hint: who may write there? Nothing was changed
        = 3
        $ rekey dev
        ! lockstone: trusted/counter is not a number on a line
        !   hint: who may write there? Nothing was changed
        = 3
    "#]]
    .assert_eq(&seen);
}

/// A store knows how it was formatted: what of `device.toml` does not fit is named.
#[test]
fn a_description_that_does_not_fit_is_named() {
    let bench = Bench::with_device("--flash 64K");
    bench.session("put dev key --protect < 1");
    let config = String::from_utf8(bench.read("dev/device.toml")).unwrap();
    let mut seen = String::new();
    for (from, to) in [
        ("heads = 1024", "heads = 512"),
        ("\"ascon\"", "\"aes\""),
        ("\"ascon\"", "\"plain\""),
        ("block = 4096", "block = 8192"),
        ("write = 4", "write = 8"),
        ("flash = 65536", "flash = 131072"),
        ("heads", "counter_limit = 2\nheads"),
        ("heads", "counter_limit = 3\nheads"),
    ] {
        bench.write("dev/device.toml", config.replace(from, to).as_bytes());
        bench.write("dev/trusted/counter", if to.contains("= 2\n") { b"3\n" } else { b"2\n" });
        seen += &format!("{to:?}: {}", bench.session("get dev key"));
    }
    expect![[r#"
        "heads = 512": $ get dev key
        ! lockstone: the store was formatted with 1024 bucket heads, but device.toml says 512
        !   hint: was `heads` in device.toml edited, or flash.bin replaced? Nothing was changed by looking
        = 3
        "\"aes\"": $ get dev key
        ! lockstone: the store is of the suite ascon, but device.toml says aes
        !   hint: was `suite` in device.toml edited, or flash.bin replaced? Nothing was changed by looking
        = 3
        "\"plain\"": $ get dev key
        ! lockstone: the store is of the suite ascon, but device.toml says plain
        !   hint: was `suite` in device.toml edited, or flash.bin replaced? Nothing was changed by looking
        = 3
        "block = 8192": $ get dev key
        ! lockstone: there is a store, but nothing of it fits the key: wrong key, forged or damaged
        !   hint: was flash.bin or trusted/root.key replaced, or `block`, `write` or `objects` in device.toml edited? Nothing was changed by looking
        = 3
        "write = 8": $ get dev key
        ! lockstone: there is a store, but nothing of it fits the key: wrong key, forged or damaged
        !   hint: was flash.bin or trusted/root.key replaced, or `block`, `write` or `objects` in device.toml edited? Nothing was changed by looking
        = 3
        "flash = 131072": $ get dev key
        ! lockstone: flash.bin has 65536 bytes, but device.toml says 131072
        !   hint: part of the flash was cut off or added, or `flash` in device.toml was edited
        = 3
        "counter_limit = 2\nheads": $ get dev key
        ! lockstone: trusted/counter stands beyond its limit of 2
        !   hint: was it edited, or `counter_limit` in device.toml? Nothing was changed
        = 3
        "counter_limit = 3\nheads": $ get dev key
        1
    "#]].assert_eq(&seen);
}

#[test]
fn numbers_that_are_too_large_are_called_so() {
    let bench = Bench::with_device("");
    for words in [
        "new other --flash 18014398509481984K",
        "object get dev key --length 99999999999999",
        "inspect dev --offset 18446744073709551615",
    ] {
        let ran = bench.run(words);
        assert!(ran.code() == 2 && ran.err().contains("that is more than 4 GiB"), "{words}: {}", ran.err());
    }
}
