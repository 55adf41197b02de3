//! Objects, through the command line: firmware-sized values beside the keys of a device.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use expect_test::expect;

use super::Bench;

/// Content of a length, another for each seed.
fn content(seed: u32, length: u32) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A device with 1 MiB for objects.
fn small() -> Bench {
    Bench::with_device("--flash 1280K --objects 1M")
}

/// As [`Bench::session`], without what depends on where the dice put a key.
fn session(bench: &Bench, script: &str) -> String {
    let seen = bench.session(script);
    seen.split_inclusive('\n').filter(|line| !line.starts_with("fill ")).collect()
}

#[test]
fn firmware_comes_back_to_the_byte() {
    let bench = Bench::with_device("--flash 16M");
    let (old, new) = (content(1, 3_000_000), content(2, 2_999_999));
    bench.write("old", &old);
    bench.write("new", &new);
    for (file, wanted) in [("old", &old), ("new", &new), ("old", &old)] {
        assert_eq!(bench.run(&format!("put dev fw/app --file {file}")).shown(), "");
        let ran = bench.run("get dev fw/app");
        assert!(ran.code() == 0 && ran.out() == wanted, "{file}: {}", ran.err());
    }
    assert_eq!(bench.run("get dev fw/app -o out").shown(), "");
    assert_eq!(bench.read("out"), old);
    let seen = session(
        &bench,
        "
        put dev wifi/psk < secret
        ls dev -l
        attributes dev fw/app
        attributes dev fw/app --json
        object ls dev
        object ls dev --json
        client dev
        stats dev
        check dev
        rm dev fw/app
        get dev fw/app
        stats dev
        ",
    );
    expect![[r#"
        $ put dev wifi/psk < secret
        $ ls dev -l
         3000000  b     fw/app
               6  -     wifi/psk
        $ attributes dev fw/app
        object         an object: its content is in blocks of its own
        $ attributes dev fw/app --json
        {"attributes":[],"object":true}
        $ object ls dev
         3000000  022b82c4dd3c1ad7ce027d4f018e92900ca7c225a5012c0a682fe0511bd84262  fw/app
        $ object ls dev --json
        {"client":0,"objects":[{"key":"fw/app","length":3000000,"sha256":"022b82c4dd3c1ad7ce027d4f018e92900ca7c225a5012c0a682fe0511bd84262"}],"unfinished":[]}
        $ client dev
            client      keys     bytes of values
                 0         2             3000006
        $ stats dev
        suite      ascon
        flash      16777216 bytes: 1024 segments of 4096, 1 in the log, 0 bad
        keys       2, of all clients
        erases     1 to 1 a segment
        objects    3072 blocks of 4096, chunks of 512: 855 used, 0 of unfinished objects, 2217 free, 0 unreadable
        $ check dev
        The store was closed in order.
        22 records of the log read well.
        2 keys of client 0 read well.
        Nothing is damaged.
        $ rm dev fw/app
        $ get dev fw/app
        ! lockstone: no such key: fw/app
        = 1
        $ stats dev
        suite      ascon
        flash      16777216 bytes: 1024 segments of 4096, 1 in the log, 0 bad
        keys       1, of all clients
        erases     1 to 1 a segment
        objects    3072 blocks of 4096, chunks of 512: 0 used, 0 of unfinished objects, 3072 free, 0 unreadable
    "#]].assert_eq(&seen);
    assert!(bench.read("dev/flash.bin")[4 << 20..].iter().all(|byte| *byte == 0xff), "its blocks are erased");
}

#[test]
fn a_range_is_read_alone() {
    let bench = small();
    let wanted = content(3, 100_000);
    bench.write("file", &wanted);
    assert_eq!(bench.run("object put dev fw --file file").shown(), "");
    for (offset, length) in [(0, 1), (511, 2), (99_999, 1), (70_000, 20_000), (100_000, 0)] {
        let ran = bench.run(&format!("object get dev fw --offset {offset} --length {length}"));
        assert!(ran.code() == 0 && ran.out() == &wanted[offset..offset + length], "{offset}: {}", ran.shown());
    }
    assert_eq!(bench.run("object get dev fw --offset 90000 -o out").shown(), "");
    assert_eq!(bench.read("out"), wanted[90_000..]);
    assert_eq!(bench.feed("put dev plain", b"value").code(), 0);
    let seen = session(
        &bench,
        "
        object get dev fw --offset 99999 --length 2
        object get dev fw --offset 100001
        object get dev plain
        object get dev none
        object get dev fw --unfinished
        ",
    );
    expect![[r#"
        $ object get dev fw --offset 99999 --length 2
        ! lockstone: the range ends behind the object, which has 100000 bytes
        = 2
        $ object get dev fw --offset 100001
        ! lockstone: the range ends behind the object, which has 100000 bytes
        = 2
        $ object get dev plain
        ! lockstone: the key holds a plain value, no object
        !   hint: `lockstone get DEV KEY` reads it
        = 2
        $ object get dev none
        ! lockstone: no such key: none
        = 1
        $ object get dev fw --unfinished
        ! lockstone: no unfinished object: fw
        = 1
    "#]]
    .assert_eq(&seen);
}

/// A device, a file, pieces of it, and files that are another.
fn with_pieces() -> (Bench, Vec<u8>) {
    let bench = small();
    let wanted = content(4, 70_000);
    bench.write("app.bin", &wanted);
    bench.write("first", &wanted[..1024]);
    bench.write("middle", &wanted[4096..8192]);
    bench.write("last", &wanted[69_632..]);
    bench.write("odd", &wanted[..1000]);
    bench.write("other", &content(5, 70_000));
    bench.write("short", &wanted[..69_999]);
    (bench, wanted)
}

#[test]
fn pieces_come_in_any_order() {
    let (bench, _) = with_pieces();
    let seen = session(
        &bench,
        "
        object resume dev fw
        object put dev fw --file first --at 0
        object put dev fw --file odd --at 0 --length 70000
        object put dev fw --file first --at 100 --length 70000
        object put dev fw --file last --at 69632 --length 69999
        object ls dev
        object put dev fw --file last --at 69632 --length 70000
        object put dev fw --file middle --at 4K
        object put dev fw --file middle --at 4K --length 70001
        object put dev fw --file first --at 0
        object put dev fw --file first --at 0
        object resume dev fw
        object resume dev fw --json
        object ls dev
        object ls dev --json
        object finish dev fw
        object get dev fw --offset 1000 --length 100
        get dev fw
        check dev
        object resume dev fw --file short
        object resume dev fw --file other
        get dev fw
        ",
    );
    expect![[r#"
        $ object resume dev fw
        ! lockstone: no unfinished object: fw
        = 1
        $ object put dev fw --file first --at 0
        ! lockstone: this would be the first piece of the object; nothing was changed
        !   hint: say with --length how long the object will be
        = 2
        $ object put dev fw --file odd --at 0 --length 70000
        ! lockstone: a piece begins and ends at a multiple of 512 bytes, or at the end of the object; nothing was changed
        = 2
        $ object put dev fw --file first --at 100 --length 70000
        ! lockstone: a piece begins and ends at a multiple of 512 bytes, or at the end of the object; nothing was changed
        = 2
        $ object put dev fw --file last --at 69632 --length 69999
        ! lockstone: the piece ends behind the object, which has 69999 bytes; nothing was changed
        = 2
        $ object ls dev
        $ object put dev fw --file last --at 69632 --length 70000
        512 of 70000 bytes are there.
        $ object put dev fw --file middle --at 4K
        4608 of 70000 bytes are there.
        $ object put dev fw --file middle --at 4K --length 70001
        ! lockstone: the unfinished object has 70000 bytes, not 70001; nothing was changed
        !   hint: leave --length out, or give it up with `lockstone object rm DEV KEY --unfinished`
        = 2
        $ object put dev fw --file first --at 0
        5632 of 70000 bytes are there.
        $ object put dev fw --file first --at 0
        5632 of 70000 bytes are there.
        $ object resume dev fw
        5632 of 70000 bytes are there.
        missing: 3072 bytes at 1024
        missing: 61440 bytes at 8192
        $ object resume dev fw --json
        {"length":70000,"missing":[{"length":3072,"offset":1024},{"length":61440,"offset":8192}],"present":5632}
        $ object ls dev
            5632  of 70000, unfinished  fw
        $ object ls dev --json
        {"client":0,"objects":[],"unfinished":[{"key":"fw","length":70000,"present":5632}]}
        $ object finish dev fw
        ! lockstone: parts of the object are missing
        !   hint: `lockstone object resume DEV KEY` says which; with --file it writes them, and what can't be read any more
        = 2
        $ object get dev fw --offset 1000 --length 100
        ! lockstone: parts of the object are missing
        !   hint: `lockstone object resume DEV KEY` says which; with --file it writes them, and what can't be read any more
        = 2
        $ get dev fw
        ! lockstone: no such key: fw
        = 1
        $ check dev
        The store was closed in order.
        13 records of the log read well.
        0 keys of client 0 read well.
        note (unfinished-object): object fw was begun and not finished
          what to do: go on with it, or give it up: `lockstone object resume`, `lockstone object rm --unfinished`
        Nothing is damaged.
        $ object resume dev fw --file short
        ! lockstone: the unfinished object has 70000 bytes, the file 69999; nothing was changed
        = 2
        $ object resume dev fw --file other
        ! lockstone: the content has another digest; nothing was committed
        !   hint: are the pieces that are there of this file? `lockstone object rm DEV KEY --unfinished` gives them up
        = 3
        $ get dev fw
        ! lockstone: no such key: fw
        = 1
    "#]]
    .assert_eq(&seen);
    assert_eq!(bench.run("check dev").code(), 0);
}

#[test]
fn what_was_begun_is_given_up_or_finished() {
    let (bench, wanted) = with_pieces();
    let digest = "0".repeat(64);
    let seen = session(
        &bench,
        &format!(
            "
        object put dev fw --file middle --at 4K --length 70000
        object rm dev fw
        object rm dev fw --unfinished
        object rm dev fw --unfinished
        object put dev fw --file last --at 69632 --length 70000
        object resume dev fw --file app.bin
        object resume dev fw
        object put dev fw --file first --at 0 --length 1024
        object finish dev fw --sha256 {digest}
        object ls dev
        object finish dev fw
        object ls dev
        "
        ),
    );
    expect![[r#"
        $ object put dev fw --file middle --at 4K --length 70000
        4096 of 70000 bytes are there.
        $ object rm dev fw
        ! lockstone: no such key: fw
        = 1
        $ object rm dev fw --unfinished
        $ object rm dev fw --unfinished
        ! lockstone: no unfinished object: fw
        = 1
        $ object put dev fw --file last --at 69632 --length 70000
        512 of 70000 bytes are there.
        $ object resume dev fw --file app.bin
        70000 bytes, sha-256 bac38334ed2fc4675e25481d77981a448a031895fba34756a81ad98806a4f3df
        $ object resume dev fw
        ! lockstone: no unfinished object: fw
        = 1
        $ object put dev fw --file first --at 0 --length 1024
        1024 of 1024 bytes are there.
        $ object finish dev fw --sha256 0000...
        ! lockstone: the content has another digest; nothing was committed
        = 3
        $ object ls dev
           70000  bac38334ed2fc4675e25481d77981a448a031895fba34756a81ad98806a4f3df  fw
            1024  of 1024, unfinished  fw
        $ object finish dev fw
        1024 bytes, sha-256 cd32d94442c91bdafce5467bcd4885185647f27415f1dda4d741422973ed6b8c
        $ object ls dev
            1024  cd32d94442c91bdafce5467bcd4885185647f27415f1dda4d741422973ed6b8c  fw
    "#]]
    .assert_eq(&seen.replace(&digest, "0000..."));
    assert_eq!(bench.run("get dev fw").out(), &wanted[..1024]);
    assert_eq!(bench.run("check dev").code(), 0);
}

#[test]
fn plain_values_and_objects_replace_each_other() {
    let bench = small();
    let (large, larger) = (content(6, 65_537), content(7, 200_000));
    for value in [&b"plain"[..], &large, &larger, b"plain again", &larger, &large, &content(8, 65_536)] {
        assert_eq!(bench.feed("put dev fw", value).shown(), "");
        assert!(bench.run("get dev fw").out() == value, "{} bytes", value.len());
        assert_eq!(bench.run("check dev").code(), 0);
    }
    let seen = session(&bench, "ls dev -l\nobject ls dev\nstats dev");
    expect![[r#"
        $ ls dev -l
           65536  -     fw
        $ object ls dev
        $ stats dev
        suite      ascon
        flash      1310720 bytes: 64 segments of 4096, 22 in the log, 0 bad
        keys       1, of all clients
        erases     1 to 1 a segment
        objects    256 blocks of 4096, chunks of 512: 0 used, 0 of unfinished objects, 256 free, 0 unreadable
    "#]]
    .assert_eq(&seen);
}

#[test]
fn attributes_and_the_counter_are_honoured() {
    let bench = small();
    bench.write("one", &content(1, 80_000));
    bench.write("two", &content(2, 80_000));
    let seen = session(
        &bench,
        "
        put dev once --file one --once
        put dev once --file two
        rm dev once
        put dev fw --file one --protect --retain --executable
        ls dev -l
        counter dev
        put dev fw --file two
        attributes dev fw
        attributes dev fw --add read-only
        put dev fw --file one
        object put dev fw --file one --at 0 --length 80000
        attributes dev fw --remove read-only
        put dev fw --file one --factory
        put dev fw --file one --clear
        put dev reset --factory < small
        put dev reset --file one
        put dev fw --once --accept-replay --protected --file one
        object ls dev
        factory-reset dev --yes
        object ls dev
        check dev
        ",
    );
    expect![[r#"
        $ put dev once --file one --once
        $ put dev once --file two
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ rm dev once
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ put dev fw --file one --protect --retain --executable
        $ ls dev -l
           80000  txb   fw
           80000  pob   once
        $ counter dev
        value      4
        limit      2147483647
        left       2147483643 steps, two a protected change
        verdict    the flash is the one that the counter knows
        $ put dev fw --file two
        $ attributes dev fw
        retain         a factory reset keeps it as it is
        executable     boot code may execute it in place
        object         an object: its content is in blocks of its own
        $ attributes dev fw --add read-only
        protected      each change is bound to the counter: no older flash brings the state before back
        read-only      the value can't be changed until this is taken away
        retain         a factory reset keeps it as it is
        executable     boot code may execute it in place
        object         an object: its content is in blocks of its own
        $ put dev fw --file one
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ object put dev fw --file one --at 0 --length 80000
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ attributes dev fw --remove read-only
        protected      each change is bound to the counter: no older flash brings the state before back
        retain         a factory reset keeps it as it is
        executable     boot code may execute it in place
        object         an object: its content is in blocks of its own
        $ put dev fw --file one --factory
        ! lockstone: an object has no factory copy; nothing was changed
        !   hint: a device that was made with `lockstone new --objects 0` keeps large values as plain ones
        = 2
        $ put dev fw --file one --clear
        ! lockstone: an object is never in the clear on flash; nothing was changed
        !   hint: a device that was made with `lockstone new --objects 0` keeps large values as plain ones
        = 2
        $ put dev reset --factory < small
        $ put dev reset --file one
        ! lockstone: an object has no factory copy; nothing was changed
        !   hint: a device that was made with `lockstone new --objects 0` keeps large values as plain ones
        = 2
        $ put dev fw --once --accept-replay --protected --file one
        ! lockstone: an entry is protected from replay or replayable, not both
        !   hint: nothing was changed
        = 2
        $ object ls dev
           80000  aa8f207783be4d8c9946654c4d267720c52dfc8c495a5cf2ae6a3a6996632ee0  fw
           80000  8289ef3749bea1945cb2d5c23b25a68fc4b64127d477c356b1e33175f2050517  once
        $ factory-reset dev --yes
        0 keys removed, 1 brought back, 2 kept; of all clients.
        $ object ls dev
           80000  aa8f207783be4d8c9946654c4d267720c52dfc8c495a5cf2ae6a3a6996632ee0  fw
           80000  8289ef3749bea1945cb2d5c23b25a68fc4b64127d477c356b1e33175f2050517  once
        $ check dev
        The store was closed in order.
        45 records of the log read well.
        3 keys of client 0 read well.
        Nothing is damaged.
    "#]]
    .assert_eq(&seen);
    assert_eq!(bench.run("get dev once").out(), content(1, 80_000));
    assert_eq!(bench.run("get dev fw").out(), content(2, 80_000));
}

#[test]
fn what_is_shared_can_be_read() {
    let bench = small();
    bench.write("fw", &content(1, 80_000));
    let seen = session(
        &bench,
        "
        put dev fw --file fw
        get dev fw --client 7 --owner 0
        share dev fw --with 7 --rights rw
        put dev fw --client 7 --owner 0 --file fw
        ",
    );
    expect![[r#"
        $ put dev fw --file fw
        $ get dev fw --client 7 --owner 0
        ! lockstone: no such key: fw
        = 1
        $ share dev fw --with 7 --rights rw
        fw: client 7 may read and write it.
        $ put dev fw --client 7 --owner 0 --file fw
        ! lockstone: a value of more than 64 KiB becomes an object, which only the owner of its key can write; nothing was changed
        !   hint: leave --owner out, as that client; or share a shorter value
        = 2
    "#]].assert_eq(&seen);
    assert_eq!(bench.run("get dev fw --client 7 --owner 0").out(), content(1, 80_000));
    assert_eq!(bench.feed("put dev fw --client 7 --owner 0", b"short").shown(), "");
    expect![[r#"
        $ get dev fw
        short
        $ object ls dev
    "#]]
    .assert_eq(&session(&bench, "get dev fw\nobject ls dev"));
    assert!(bench.read("dev/flash.bin")[256 * 1024..].iter().all(|byte| *byte == 0xff), "its blocks are erased");
}

#[test]
fn damage_is_found() {
    let bench = small();
    bench.write("fw", &content(1, 80_000));
    session(&bench, "put dev fw --file fw\nput dev other --file fw\nput dev key < value");
    let mut flash = bench.read("dev/flash.bin");
    let good = flash.clone();
    flash[256 * 1024 + 5000] ^= 1;
    bench.write("dev/flash.bin", &flash);
    let seen = session(
        &bench,
        "
        check dev
        get dev fw
        object get dev fw --offset 70000 --length 0
        get dev key
        get dev other -o out
        ",
    );
    expect![[r#"
        $ check dev
        The store was closed in order.
        16 records of the log read well.
        2 keys of client 0 read well.
        DAMAGED (damaged-key): key fw can't be answered for: its content is damaged, forged or in doubt
          what to do: store it again on a new device, from where it came from
        ! lockstone: the device is damaged or forged
        = 3
        $ get dev fw
        ! lockstone: the object is damaged or forged
        !   hint: `lockstone check DEV` says what is damaged and what can still be read
        = 3
        $ object get dev fw --offset 70000 --length 0
        $ get dev key
        value
        $ get dev other -o out
    "#]]
    .assert_eq(&seen);
    assert_eq!(bench.read("out"), content(1, 80_000));
    // The volume of another device.
    let stranger = small();
    stranger.write("fw", &content(1, 80_000));
    assert_eq!(stranger.run("put dev fw --file fw").code(), 0);
    flash[256 * 1024..].copy_from_slice(&stranger.read("dev/flash.bin")[256 * 1024..]);
    bench.write("dev/flash.bin", &flash);
    let seen =
        session(&bench, "check dev\nget dev fw\nget dev key\nput dev new --file fw\nstats dev\nput dev key < new");
    expect![[r#"
        $ check dev
        The store was closed in order.
        16 records of the log read well.
        1 key of client 0 read well.
        DAMAGED (foreign-volume): the volume for objects holds what is not this device's
          what to do: put back the part of the flash behind the keys that belongs to this device; its objects are there
        DAMAGED (damaged-key): key fw can't be answered for: its content is damaged, forged or in doubt
          what to do: store it again on a new device, from where it came from
        DAMAGED (damaged-key): key other can't be answered for: its content is damaged, forged or in doubt
          what to do: store it again on a new device, from where it came from
        ! lockstone: the device is damaged or forged
        = 3
        $ get dev fw
        ! lockstone: the volume for objects holds what is not this device's
        !   hint: was a part of flash.bin replaced? The keys that are no objects are not concerned
        = 3
        $ get dev key
        value
        $ put dev new --file fw
        ! lockstone: the volume for objects holds what is not this device's
        !   hint: was a part of flash.bin replaced? The keys that are no objects are not concerned
        = 3
        $ stats dev
        suite      ascon
        flash      1310720 bytes: 64 segments of 4096, 1 in the log, 0 bad
        keys       3, of all clients
        erases     1 to 1 a segment
        ! lockstone: the volume for objects holds what is not this device's
        !   hint: was a part of flash.bin replaced? The keys that are no objects are not concerned
        = 3
        $ put dev key < new
    "#]]
    .assert_eq(&seen);
    let ran = bench.run("inspect dev");
    let shown = ran.shown();
    let seen: Vec<_> = shown.lines().filter(|line| line.contains("volume") || line.starts_with('=')).collect();
    assert_eq!(seen, ["DAMAGED (foreign-volume): the volume for objects holds what is not this device's", "= 3"]);
    bench.write("dev/flash.bin", &good);
    let ran = bench.run("inspect dev");
    let seen: Vec<_> = ran.shown().lines().filter(|line| line.contains("objects")).map(str::to_owned).collect();
    expect![[r#"
        objects  256 blocks of 4096, chunks of 512: 46 used, 0 of unfinished objects, 210 free, 0 unreadable
        objects  999999999995....................................................
                 4 blocks a sign   0-9 share of objects in tenths   u unfinished   . free   ! unreadable"#]]
    .assert_eq(&seen.join("\n"));
    let ran = bench.run("inspect dev --json");
    let page: serde_json::Value = serde_json::from_slice(ran.out()).unwrap();
    assert_eq!((ran.code(), &page["objects"]["committed"], &page["sound"]), (0, &46.into(), &true.into()));
}

#[test]
fn the_life_of_a_device_with_objects() {
    let bench = small();
    bench.write("fw", &content(1, 80_000));
    bench.write("piece", &content(1, 512));
    bench.write("key", &[7; 32]);
    let seen = session(
        &bench,
        "
        put dev fw --file fw
        put dev key --retain < value
        object put dev begun --file piece --at 0 --length 5000
        rekey dev
        export dev --plain -o out.tar
        export dev --sealed key -o sealed.bin
        new copy --flash 1280K --objects 1M
        import copy out.tar
        ls copy -l
        import dev sealed.bin --key key
        ls dev -l
        put dev fw --file fw
        scrub dev
        rm dev fw
        rekey dev
        factory-reset dev --yes
        object ls dev
        rekey dev
        stats dev
        put dev fw --file fw
        erase dev --yes
        ",
    );
    expect![[r#"
        $ put dev fw --file fw
        $ put dev key --retain < value
        $ object put dev begun --file piece --at 0 --length 5000
        512 of 5000 bytes are there.
        $ rekey dev
        ! lockstone: a rekey can't seal anew what is not whole, and there is still: 1 unfinished object; nothing was changed
        !   hint: `lockstone object ls` lists them; finish them, or give them up: `lockstone object rm --unfinished`
        = 2
        $ export dev --plain -o out.tar
        2 keys exported IN THE CLEAR to out.tar.
        $ export dev --sealed key -o sealed.bin
        2 keys exported, sealed.
        $ new copy --flash 1280K --objects 1M
        $ import copy out.tar
        2 keys imported, 1 of them with attributes.
        $ ls copy -l
           80000  b     fw
               5  t     key
        $ import dev sealed.bin --key key
        2 keys imported, 1 of them with attributes.
        $ ls dev -l
           80000  b     fw
               5  t     key
        $ put dev fw --file fw
        $ scrub dev
        64 segments and 46 blocks of objects erased, one after the other; 2 keys written again. Nothing of keys and objects that were deleted or replaced is left on the flash.
        $ rm dev fw
        $ rekey dev
        ! lockstone: a rekey can't seal anew what is not whole, and there is still: 1 unfinished object; nothing was changed
        !   hint: `lockstone object ls` lists them; finish them, or give them up: `lockstone object rm --unfinished`
        = 2
        $ factory-reset dev --yes
        0 keys removed, 0 brought back, 1 kept; of all clients.
        1 unfinished object given up.
        $ object ls dev
        $ rekey dev
        1 key sealed anew under a fresh root key, suite ascon. What was shared has to be shared again.
        $ stats dev
        suite      ascon
        flash      1310720 bytes: 64 segments of 4096, 1 in the log, 0 bad
        keys       1, of all clients
        erases     1 to 1 a segment
        objects    256 blocks of 4096, chunks of 512: 0 used, 0 of unfinished objects, 256 free, 0 unreadable
        $ put dev fw --file fw
        $ erase dev --yes
        flash.bin is erased, trusted/root.key is destroyed: no image of this flash can be read again.
        Copies that somebody made of the key are not.
    "#]].assert_eq(&seen);
    assert_eq!(bench.run("get copy fw").out(), content(1, 80_000));
    assert!(bench.read("dev/flash.bin").iter().all(|byte| *byte == 0xff));
}

#[test]
fn what_does_not_fit_is_refused() {
    let bench = small();
    bench.write("long", &content(1, 1_100_000));
    bench.write("most", &content(2, 500_000));
    let seen = session(
        &bench,
        "
        new a --flash 1M --objects 1M
        new a --flash 1M --objects 1022K
        new a --flash 1M --objects 4K
        new a --flash 1M --objects 5000
        new a --flash 1M --objects 2M
        put dev fw --file long
        put dev fw --file most
        put dev fw --file most
        object ls dev
        put dev other --file most
        object ls dev
        object put dev fw --length 5
        object finish dev fw --sha256 12
        new none --flash 4M --objects 0
        put none fw --file most
        ls none -l
        object ls none
        object rm none fw
        ",
    );
    expect![[r#"
        $ new a --flash 1M --objects 1M
        ! lockstone: no store fits such a flash: the volume for objects leaves too little for the keys, which need at least four segments
        = 2
        $ new a --flash 1M --objects 1022K
        ! lockstone: no store fits such a flash: the volume for objects leaves too little for the keys, which need at least four segments
        = 2
        $ new a --flash 1M --objects 4K
        ! lockstone: no store fits such a flash: the volume for objects must have at least two blocks of at least 4 KiB
        = 2
        $ new a --flash 1M --objects 5000
        ! lockstone: no store fits such a flash: the volume for objects must be a whole number of erase blocks
        = 2
        $ new a --flash 1M --objects 2M
        ! lockstone: no store fits such a flash: the volume for objects leaves too little for the keys, which need at least four segments
        = 2
        $ put dev fw --file long
        ! lockstone: the value has 1100000 bytes, the volume for objects holds 917504 in all; nothing was changed
        = 2
        $ put dev fw --file most
        $ put dev fw --file most
        ! lockstone: the volume for objects is full: the value needs 143 blocks of 4096 bytes, 113 are free, and the old value keeps its 143 until the new one is in its place; nothing was stored
        !   hint: `lockstone object ls DEV` shows what takes the room, unfinished objects too; remove some
        = 5
        $ object ls dev
          500000  70ea2adfba4e2cf161b6f59cee8704134c95e119c3ffc98d4105a33a41f0317d  fw
        $ put dev other --file most
        ! lockstone: the volume for objects is full: the value needs 143 blocks of 4096 bytes, 113 are free; nothing was stored
        !   hint: `lockstone object ls DEV` shows what takes the room, unfinished objects too; remove some
        = 5
        $ object ls dev
          500000  70ea2adfba4e2cf161b6f59cee8704134c95e119c3ffc98d4105a33a41f0317d  fw
        $ object put dev fw --length 5
        ! error: the following required arguments were not provided:
        !   --at <OFFSET>
        ! 
        ! Usage: lockstone object put --at <OFFSET> --length <N> <DEV> <KEY>
        ! 
        ! For more information, try '--help'.
        = 2
        $ object finish dev fw --sha256 12
        ! error: invalid value '12' for '--sha256 <HEX>': a SHA-256 is written as 64 hexadecimal digits
        ! 
        ! For more information, try '--help'.
        = 2
        $ new none --flash 4M --objects 0
        $ put none fw --file most
        $ ls none -l
          500000  -     fw
        $ object ls none
        $ object rm none fw
        ! lockstone: the key holds a plain value, no object
        !   hint: `lockstone rm DEV KEY` removes it
        = 2
    "#]].assert_eq(&seen);
    let toml = |device: &str| String::from_utf8(bench.read(&format!("{device}/device.toml"))).unwrap();
    assert!(!toml("none").contains("objects"), "{}", toml("none"));
    for (flash, wanted) in [("4095K --block 1K", None), ("4M", Some(3 << 20)), ("5124K --block 12K", Some(3_932_160))] {
        let device = wanted.unwrap_or(0).to_string();
        assert_eq!(bench.run(&format!("new {device} --flash {flash}")).shown(), "");
        let line = wanted.map(|wanted: u32| format!("objects = {wanted}\n"));
        assert_eq!(toml(&device).contains("objects"), line.is_some());
        assert!(line.is_none_or(|line| toml(&device).contains(&line)), "{}", toml(&device));
    }
}

#[test]
fn every_suite_and_geometry_has_objects() {
    for geometry in ["--suite plain --block 2K --write 16", "--suite aes --block 64K --write 512", "--write 1"] {
        let bench = Bench::with_device(&format!("--flash 5M {geometry}"));
        let wanted = content(9, 300_001);
        assert_eq!(bench.feed("put dev fw", &wanted).shown(), "", "{geometry}");
        assert!(bench.run("get dev fw").out() == wanted, "{geometry}");
        assert_eq!(bench.feed("object put dev empty", b"").shown(), "", "{geometry}");
        assert_eq!(bench.run("get dev empty").shown(), "", "{geometry}");
        assert_eq!((bench.run("check dev").code(), bench.run("inspect dev").code()), (0, 0), "{geometry}");
    }
}

/// What can't be read any more of an unfinished object is written again from the file.
#[test]
fn an_unfinished_object_may_be_damaged() {
    for at in [0, 10_240] {
        let bench = small();
        let wanted = content(4, 70_000);
        bench.write("app.bin", &wanted);
        bench.write("piece", &wanted[at..at + 20_480]);
        assert_eq!(bench.run(&format!("object put dev fw --file piece --at {at} --length 70000")).code(), 0);
        let mut flash = bench.read("dev/flash.bin");
        for block in [1, 3] {
            flash[256 * 1024 + block * 4096 + 300] ^= 1;
        }
        bench.write("dev/flash.bin", &flash);
        assert_eq!(bench.run(&format!("object get dev fw --offset {at} --length 20480")).code(), 3);
        assert_eq!(bench.run("object resume dev fw --file app.bin").code(), 0);
        assert!(bench.run("get dev fw").out() == wanted);
        assert_eq!(bench.run("check dev").code(), 0);
    }
}

#[test]
fn the_drawing_has_a_bar_of_objects() {
    for flash in ["1280K --objects 1M", "16M"] {
        let bench = Bench::with_device(&format!("--flash {flash}"));
        bench.write("fw", &content(1, 80_000));
        session(&bench, "put dev fw --file fw\nput dev fw --file fw\nobject put dev part --length 1M --at 0 < ");
        assert_eq!(bench.run("inspect dev --svg dev.svg").code(), 0);
        let drawing = String::from_utf8(bench.read("dev.svg")).unwrap();
        assert!(drawing.contains("chunks of 512: 23 used, 0 of unfinished"), "{flash}");
        assert!(drawing.ends_with("</svg>\n"));
    }
}

/// A process that is killed leaves the old object or the new one, or the plain value that was there.
#[test]
fn a_killed_put_leaves_old_or_new() {
    let bench = small();
    let (start, mut current) = (Instant::now(), b"plain".to_vec());
    assert_eq!(bench.feed("put dev fw", &current).code(), 0);
    let (mut kills, mut puts, mut usual) = (0_u32, 0_u32, Duration::from_millis(20));
    while start.elapsed() < Duration::from_secs(5) {
        puts += 1;
        let length = if puts.is_multiple_of(5) { 100 } else { 70_000 + puts * 911 % 200_000 };
        let value = content(puts, length);
        let began = Instant::now();
        let mut child = bench.command().args(["put", "dev", "fw"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&value).unwrap();
        if !puts.is_multiple_of(3) {
            std::thread::sleep(usual * (puts * 97 % 128) / 100);
            child.kill().unwrap();
        }
        let acknowledged = child.wait().unwrap().success();
        if acknowledged {
            usual = (usual * 3 + began.elapsed()) / 4;
        }
        kills += u32::from(!acknowledged);
        let got = bench.run("get dev fw");
        assert_eq!(got.code(), 0, "put {puts}: {}", got.err());
        let is_new = got.out() == value;
        assert!(is_new || !acknowledged && got.out() == current, "put {puts}: {} bytes", got.out().len());
        if is_new {
            current = value;
        }
    }
    println!("{kills} of {puts} puts were killed");
    assert!(kills >= 10 && puts - kills >= 10, "{kills} of {puts}");
    assert_eq!(bench.run("check dev").code(), 0);
}
