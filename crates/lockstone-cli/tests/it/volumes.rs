//! Volumes and slots, through the command line: a device with room for code, and what comes and goes there.

use expect_test::expect;

use super::Bench;

/// Code of a length, another for each seed.
fn code(seed: u32, length: u32) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn bench() -> Bench {
    Bench::with_device("--flash 2M --objects 1M --slot 128K --slot 64K")
}

/// As [`Bench::session`], without what depends on where the dice put a key.
fn session(bench: &Bench, script: &str) -> String {
    let seen = bench.session(script);
    seen.split_inclusive('\n').filter(|line| !line.starts_with("store ")).collect()
}

#[test]
fn volumes_come_and_go() {
    let bench = bench();
    let seen = session(
        &bench,
        "
        volume ls dev
        volume ls dev --json
        volume add dev slot --number 2
        volume rm dev slot --number 1
        volume add dev spare --length 16K
        volume add dev slot --number 2 --length 4K
        volume add dev slot --number 2 --length 48K
        volume add dev objects --length 4K
        volume ls dev
        volume rm dev slot --number 1
        volume rm dev objects
        put dev big --file secret
        object put dev big --file secret
        volume add dev spare --number 1 --start 831K --length 4K
        volume add dev spare --number 1 --start 832K --length 5000
        volume add dev spare --number 1 --start 800K --length 64K
        volume add dev spare --number 1 --start 2M --length 4K
        volume add dev spare --number 1 --start 848K --length 4K
        volume add dev objects --length 512K
        volume ls dev
        object put dev fw --file secret
        volume rm dev objects
        check dev
        volume rm dev keys
        inspect dev
        ",
    );
    expect![[r#"
        $ volume ls dev
        volume         start      length
        keys 0             0      851968
        objects 0     851968     1048576
        slot 0       1900544      131072
        slot 1       2031616       65536
        $ volume ls dev --json
        {"flash_bytes":2097152,"free_bytes":0,"volumes":[{"kind":"keys","length":851968,"number":0,"part":0,"start":0},{"kind":"objects","length":1048576,"number":0,"part":0,"start":851968},{"kind":"slot","length":131072,"number":0,"part":0,"start":1900544},{"kind":"slot","length":65536,"number":1,"part":0,"start":2031616}]}
        $ volume add dev slot --number 2
        ! lockstone: there is no room for such a volume
        !   hint: `lockstone volume ls DEV` shows what is free
        = 2
        $ volume rm dev slot --number 1
        $ volume add dev spare --length 16K
        $ volume add dev slot --number 2 --length 4K
        ! lockstone: no slot fits there: a slot needs a block of at least 4 KiB for code, and as many more as make 64 program units
        = 2
        $ volume add dev slot --number 2 --length 48K
        $ volume add dev objects --length 4K
        ! lockstone: there is no room for such a volume
        !   hint: `lockstone volume ls DEV` shows what is free
        = 2
        $ volume ls dev
        volume         start      length
        keys 0             0      851968
        objects 0     851968     1048576
        slot 0       1900544      131072
        spare 0      2031616       16384
        slot 2       2048000       49152
        $ volume rm dev slot --number 1
        ! lockstone: there is no such volume, or it was taken before
        !   hint: `lockstone volume ls DEV` lists them
        = 2
        $ volume rm dev objects
        $ put dev big --file secret
        ! lockstone: there is no file secret
        = 2
        $ object put dev big --file secret
        ! lockstone: there is no file secret
        = 2
        $ volume add dev spare --number 1 --start 831K --length 4K
        ! lockstone: two volumes overlap
        !   hint: nothing was changed
        = 2
        $ volume add dev spare --number 1 --start 832K --length 5000
        ! lockstone: a volume must be whole erase blocks of its part
        !   hint: nothing was changed
        = 2
        $ volume add dev spare --number 1 --start 800K --length 64K
        ! lockstone: two volumes overlap
        !   hint: nothing was changed
        = 2
        $ volume add dev spare --number 1 --start 2M --length 4K
        ! lockstone: a volume ends behind its part
        !   hint: nothing was changed
        = 2
        $ volume add dev spare --number 1 --start 848K --length 4K
        $ volume add dev objects --length 512K
        $ volume ls dev
        volume         start      length
        keys 0             0      851968
        free          851968       16384
        spare 1       868352        4096
        objects 0     872448      524288
        free         1396736      503808
        slot 0       1900544      131072
        spare 0      2031616       16384
        slot 2       2048000       49152
        $ object put dev fw --file secret
        ! lockstone: there is no file secret
        = 2
        $ volume rm dev objects
        $ check dev
        The store was closed in order.
        26 records of the log read well.
        0 keys of client 0 read well.
        Nothing is damaged.
        $ volume rm dev keys
        ! error: invalid value 'keys' for '<KIND>'
        !   [possible values: objects, slot, spare]
        ! 
        ! For more information, try '--help'.
        = 2
        $ inspect dev
        image    dev, 2097152 bytes
        view     every record shown was verified with the root key
        flash    208 segments of 4096 bytes, unit 4, erased ff
        keys     0, of all clients
        counter  trusted/counter says 0; nothing on the flash is bound to it
        bytes    100 live, 1196 dead, 368 in holes, 0 damaged
        erases   1 to 1 a segment
        volumes  keys 0: 851968, free: 16384, spare 1: 4096, free: 1028096, slot 0: 131072, spare 0: 16384, slot 2: 49152

        The log ends in segment 0 (sequence 0): no authentic header has a higher number and a record behind it.
        It begins in segment 0 (sequence 0): the newest header or mark says so.
        26 records of it read well; what they lead to is what is stored.
        It was closed in order: the last record is a closing mark, and nothing is written behind it.
        The first write will be an opening mark, at segment 0, byte 2432: a cell further on than a cut write can have reached.

              0  >...............................................................
             64  ................................................................
            128  ................................................................
            192  ................
                 > newest   0-9 live share in tenths   d in doubt   o log, unverified
                 . blank    - freed   ! damaged   x retired   ? unknown

        volumes  kkkkkkkkkkkkkkkkkkkkkkkkkk................................ssssxs
                 the whole flash   k keys   o objects   s slots for code   x spare   . free
    "#]].assert_eq(&seen);
}

#[test]
fn an_install_is_requested_done_and_confirmed() {
    let bench = bench();
    let (first, second) = (code(1, 100_000), code(2, 90_001));
    bench.write("first", &first);
    bench.write("second", &second);
    let seen = session(
        &bench,
        "
        slot ls dev
        slot install dev
        slot get dev
        slot adopt dev --slot 1 --file first
        slot adopt dev --file first
        slot adopt dev --file second
        slot get dev -o out
        object put dev fw --file second
        slot request dev none
        slot request dev fw --slot 1
        slot request dev fw --slot 9
        slot confirm dev
        slot request dev fw
        slot ls dev
        rm dev fw
        stats dev
        slot confirm dev
        slot install dev
        slot ls dev
        slot confirm dev
        slot ls dev --json
        stats dev
        volume rm dev slot
        slot install dev
        ",
    );
    // By chance, of which there is some in each store's key, a tombstone meets another key in its bucket and stands for nothing.
    let seen = seen.replace("fill       488 of", "fill       520 of").replace("fill       472 of", "fill       504 of");
    expect![[r#"
        $ slot ls dev
        slot 0      126976 bytes   nothing is known of what is there
        slot 1       61440 bytes   nothing is known of what is there
        $ slot install dev
        ! lockstone: the store does not know what belongs into this slot
        !   hint: `lockstone slot request DEV KEY` says what belongs there
        = 2
        $ slot get dev
        ! lockstone: the store does not know what belongs into slot 0
        = 2
        $ slot adopt dev --slot 1 --file first
        ! lockstone: slot 1 takes 61440 bytes, not 100000; nothing was changed
        = 2
        $ slot adopt dev --file first
        100000 bytes, sha-256 ce9807b86ad4617cceadcb8a969f41cd12952fa19649c640b25ca0aecb6afc6c
        $ slot adopt dev --file second
        ! lockstone: the store knows what belongs into slot 0; nothing was changed
        !   hint: other code comes there with `lockstone slot request` and `lockstone slot install`
        = 2
        $ slot get dev -o out
        $ object put dev fw --file second
        $ slot request dev none
        ! lockstone: no such key: none
        = 1
        $ slot request dev fw --slot 1
        ! lockstone: the object is longer than the slot
        !   hint: nothing was changed
        = 2
        $ slot request dev fw --slot 9
        ! lockstone: the device has no slot 9
        !   hint: `lockstone volume ls DEV` lists what it has; `lockstone volume add DEV slot` adds one where room is left
        = 2
        $ slot confirm dev
        100000 bytes, sha-256 ce9807b86ad4617cceadcb8a969f41cd12952fa19649c640b25ca0aecb6afc6c
        $ slot request dev fw
        $ slot ls dev
        slot 0      126976 bytes   90001 bytes, sha-256 15a4b8ae1b77604ebe4f9b6a6e66c19e32947ade7f45f8724b9a1cde5bcf7316: to be installed
        slot 1       61440 bytes   nothing is known of what is there
        $ rm dev fw
        $ stats dev
        suite      ascon
        flash      2097152 bytes: 208 segments of 4096, 1 in the log, 0 bad
        keys       0, of all clients
        fill       520 of 725748 bytes, 0 %
        erases     1 to 1 a segment
        objects    256 blocks of 4096, chunks of 512: 0 used, 26 of unfinished objects, 230 free, 0 unreadable
        $ slot confirm dev
        ! lockstone: the slot does not hold what the store says
        !   hint: don't run it; `lockstone slot install DEV` brings the slot to hold what was requested
        = 3
        $ slot install dev
        90001 bytes, sha-256 15a4b8ae1b77604ebe4f9b6a6e66c19e32947ade7f45f8724b9a1cde5bcf7316
        $ slot ls dev
        slot 0      126976 bytes   90001 bytes, sha-256 15a4b8ae1b77604ebe4f9b6a6e66c19e32947ade7f45f8724b9a1cde5bcf7316: copied, to be confirmed
        slot 1       61440 bytes   nothing is known of what is there
        $ slot confirm dev
        90001 bytes, sha-256 15a4b8ae1b77604ebe4f9b6a6e66c19e32947ade7f45f8724b9a1cde5bcf7316
        $ slot ls dev --json
        {"slots":[{"capacity":126976,"good":true,"length":90001,"pending":false,"sha256":"15a4b8ae1b77604ebe4f9b6a6e66c19e32947ade7f45f8724b9a1cde5bcf7316","slot":0},{"capacity":61440,"good":null,"length":null,"pending":null,"sha256":null,"slot":1}]}
        $ stats dev
        suite      ascon
        flash      2097152 bytes: 208 segments of 4096, 1 in the log, 0 bad
        keys       0, of all clients
        fill       504 of 725748 bytes, 0 %
        erases     1 to 1 a segment
        objects    256 blocks of 4096, chunks of 512: 0 used, 0 of unfinished objects, 256 free, 0 unreadable
        $ volume rm dev slot
        ! lockstone: a volume that is in use can't be moved, cut or removed
        !   hint: `lockstone object ls`, for all clients, and `lockstone slot ls` show by what; nothing was changed
        = 6
        $ slot install dev
        90001 bytes, sha-256 15a4b8ae1b77604ebe4f9b6a6e66c19e32947ade7f45f8724b9a1cde5bcf7316
    "#]].assert_eq(&seen);
    assert_eq!(bench.read("out"), first);
    let at = 2_097_152 - 64 * 1024 - 128 * 1024;
    assert_eq!(bench.read("dev/flash.bin")[at..][..second.len()], second[..]);
}

#[test]
fn code_that_was_changed_is_not_run() {
    let bench = bench();
    bench.write("first", &code(1, 100_000));
    assert_eq!(bench.run("slot adopt dev --file first").code(), 0);
    let mut flash = bench.read("dev/flash.bin");
    flash[2_097_152 - 64 * 1024 - 128 * 1024 + 50_000] ^= 1;
    bench.write("dev/flash.bin", &flash);
    let seen = session(
        &bench,
        "
        slot ls dev
        slot get dev -o out
        slot install dev
        slot confirm dev
        check dev
        object put dev fw --file first
        slot request dev fw
        slot install dev
        slot confirm dev
        check dev
        slot forget dev
        slot forget dev
        slot ls dev
        ",
    );
    expect![[r#"
        $ slot ls dev
        slot 0      126976 bytes   100000 bytes, sha-256 ce9807b86ad4617cceadcb8a969f41cd12952fa19649c640b25ca0aecb6afc6c: DAMAGED
        slot 1       61440 bytes   nothing is known of what is there
        ! lockstone: slot 0 does not hold what the store says: don't run it
        !   hint: request an install of the object that belongs there, and do it: `lockstone slot request`, `lockstone slot install`
        = 3
        $ slot get dev -o out
        ! lockstone: slot 0 does not hold what the store says: don't run it
        !   hint: request an install of the object that belongs there, and do it: `lockstone slot request`, `lockstone slot install`
        = 3
        $ slot install dev
        ! lockstone: slot 0 does not hold what the store says: don't run it
        !   hint: request an install of the object that belongs there, and do it: `lockstone slot request`, `lockstone slot install`
        = 3
        $ slot confirm dev
        ! lockstone: slot 0 does not hold what the store says: don't run it
        !   hint: request an install of the object that belongs there, and do it: `lockstone slot request`, `lockstone slot install`
        = 3
        $ check dev
        The store was closed in order.
        7 records of the log read well.
        0 keys of client 0 read well.
        DAMAGED (damaged-slot): slot 0 does not hold what the store says
          what to do: don't run it; request an install of its object again: `lockstone slot request`, `lockstone slot install`
        ! lockstone: the device is damaged or forged
        = 3
        $ object put dev fw --file first
        $ slot request dev fw
        $ slot install dev
        100000 bytes, sha-256 ce9807b86ad4617cceadcb8a969f41cd12952fa19649c640b25ca0aecb6afc6c
        $ slot confirm dev
        100000 bytes, sha-256 ce9807b86ad4617cceadcb8a969f41cd12952fa19649c640b25ca0aecb6afc6c
        $ check dev
        The store was closed in order.
        24 records of the log read well.
        1 key of client 0 read well.
        Nothing is damaged.
        $ slot forget dev
        $ slot forget dev
        ! lockstone: the store does not know what belongs into slot 0
        = 2
        $ slot ls dev
        slot 0      126976 bytes   nothing is known of what is there
        slot 1       61440 bytes   nothing is known of what is there
    "#]].assert_eq(&seen);
}

#[test]
fn a_rekey_keeps_volumes_and_code() {
    for protected in ["", " --protect"] {
        let bench = bench();
        bench.write("first", &code(1, 100_000));
        assert_eq!(bench.run(&format!("slot adopt dev --file first{protected}")).code(), 0);
        assert_eq!(bench.run(&format!("volume rm dev slot --number 1{protected}")).code(), 0);
        bench.write("second", &code(2, 300_000));
        assert_eq!(bench.run(&format!("put dev fw --file second{protected} --retain")).code(), 0);
        assert_eq!(bench.run("object put dev later --file first --client 7").code(), 0);
        let told = "volume ls dev\nslot ls dev\nls dev -l\nobject ls dev\nobject ls dev --client 7\ncounter dev";
        let before = bench.session(told);
        let steps = bench.run("counter dev --json").out().to_vec();
        assert_eq!(bench.run("rekey dev --suite aes").code(), 0);
        let same = |seen: &str| {
            seen.lines().take_while(|line| !line.contains("counter dev")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(same(&bench.session(told)), same(&before));
        assert_eq!(
            bench.run("counter dev --json").out() == steps,
            protected.is_empty(),
            "one step, if it is bound to any"
        );
        assert_eq!(bench.run("get dev fw").out(), code(2, 300_000));
        assert_eq!(bench.run("get dev later --client 7").out(), code(1, 100_000));
        assert_eq!(bench.run("check dev").code(), 0);
        assert_eq!(bench.run(&format!("put dev k --file second{protected}")).code(), 0);
        assert_eq!(bench.run("slot get dev -o out").code(), 0);
        assert_eq!(bench.read("out"), code(1, 100_000));
    }
}

#[test]
fn a_refusal_has_erased_nothing() {
    let bench = Bench::with_device("--flash 2M --objects 1M --slot 128K --counter-limit 3");
    bench.write("first", &code(1, 100_000));
    assert_eq!(bench.run("put dev k --file first --protect").code(), 0, "that takes the steps there are");
    let marked = |at: usize| {
        let mut flash = bench.read("dev/flash.bin");
        flash[at] = 0x5a;
        bench.write("dev/flash.bin", &flash);
        flash
    };
    let slot = 2_097_152 - 128 * 1024;
    let before = marked(slot + 7);
    assert_eq!(bench.run("slot adopt dev --file first --protect").code(), 5);
    assert_eq!(bench.read("dev/flash.bin")[slot..], before[slot..]);
    assert_eq!(bench.run("object rm dev k").code(), 0);
    assert_eq!(bench.run("volume rm dev objects").code(), 0);
    let free = slot - 1024 * 1024;
    let before = marked(free + 7);
    assert_eq!(bench.run("volume add dev objects --length 64K --protect").code(), 5);
    assert_eq!(bench.read("dev/flash.bin")[free..], before[free..]);
    assert_eq!(bench.run("volume add dev objects --length 64K").code(), 0);
    assert_eq!(bench.read("dev/flash.bin")[free + 7], 0xff);
}

#[test]
fn a_rekey_waits_for_what_is_under_way() {
    let bench = bench();
    bench.write("first", &code(1, 50_000));
    let seen = session(
        &bench,
        "
        object put dev fw --file first --at 0 --length 60000
        rekey dev
        object rm dev fw --unfinished
        object put dev fw --file first
        slot request dev fw
        rekey dev
        slot install dev
        rekey dev
        slot confirm dev
        rekey dev
        object ls dev
        slot ls dev
        check dev
        ",
    );
    expect![[r#"
        $ object put dev fw --file first --at 0 --length 60000
        ! lockstone: a piece begins and ends at a multiple of 512 bytes, or at the end of the object; nothing was changed
        = 2
        $ rekey dev
        0 keys sealed anew under a fresh root key, suite ascon. What was shared has to be shared again.
        $ object rm dev fw --unfinished
        ! lockstone: no unfinished object: fw
        = 1
        $ object put dev fw --file first
        $ slot request dev fw
        $ rekey dev
        ! lockstone: the install into slot 0 is not confirmed; nothing was changed
        !   hint: `lockstone slot install` and `lockstone slot confirm` end it
        = 2
        $ slot install dev
        50000 bytes, sha-256 481c9d480317022b89ecc8171bac708ac6feda7ec2e0ff4e98c4262cdc40b491
        $ rekey dev
        ! lockstone: the install into slot 0 is not confirmed; nothing was changed
        !   hint: `lockstone slot install` and `lockstone slot confirm` end it
        = 2
        $ slot confirm dev
        50000 bytes, sha-256 481c9d480317022b89ecc8171bac708ac6feda7ec2e0ff4e98c4262cdc40b491
        $ rekey dev
        1 key sealed anew under a fresh root key, suite ascon. What was shared has to be shared again.
        $ object ls dev
           50000  481c9d480317022b89ecc8171bac708ac6feda7ec2e0ff4e98c4262cdc40b491  fw
        $ slot ls dev
        slot 0      126976 bytes   50000 bytes, sha-256 481c9d480317022b89ecc8171bac708ac6feda7ec2e0ff4e98c4262cdc40b491: verified
        slot 1       61440 bytes   nothing is known of what is there
        $ check dev
        The store was closed in order.
        9 records of the log read well.
        1 key of client 0 read well.
        Nothing is damaged.
    "#]].assert_eq(&seen);
}

#[test]
fn what_can_not_be_is_refused_at_once() {
    let bench = Bench::new();
    let seen = session(
        &bench,
        "
        new dev --slot 64K
        new dev --objects 512K --slot 3M
        new dev --objects 64K --slot 900K --slot 200K
        new dev --objects 64K --slot 5000
        new dev --objects 64K --slot 4K
        new dev --objects 4K --slot 64K
        new dev --flash 8M --slot 1M
        volume ls dev
        new every --objects 512K --slot 64K --protect-all
        volume ls every
        counter every
        new plain
        slot ls plain
        slot install plain
        volume ls plain
        volume add plain slot --length 64K
        volume add dev slot --number 1 --length 0
        volume add dev slot --length 64K
        slot forget dev --slot 200
        ",
    );
    expect![[r#"
        $ new dev --slot 64K
        ! lockstone: slots are filled from objects, and the device would have no volume for them
        !   hint: `--objects SIZE` makes one
        = 2
        $ new dev --objects 512K --slot 3M
        ! lockstone: objects and slots leave nothing of the flash for keys
        = 2
        $ new dev --objects 64K --slot 900K --slot 200K
        ! lockstone: objects and slots leave nothing of the flash for keys
        = 2
        $ new dev --objects 64K --slot 5000
        ! lockstone: a volume must be whole erase blocks of its part
        !   hint: nothing was changed
        = 2
        $ new dev --objects 64K --slot 4K
        ! lockstone: no slot fits there: a slot needs a block of at least 4 KiB for code, and as many more as make 64 program units
        = 2
        $ new dev --objects 4K --slot 64K
        ! lockstone: no volume for objects fits there: it has at least two blocks of at least 4 KiB, and as much as a store needs
        = 2
        $ new dev --flash 8M --slot 1M
        $ volume ls dev
        volume         start      length
        keys 0             0     1835008
        objects 0    1835008     5505024
        slot 0       7340032     1048576
        $ new every --objects 512K --slot 64K --protect-all
        $ volume ls every
        volume         start      length
        keys 0             0      458752
        objects 0     458752      524288
        slot 0        983040       65536
        $ counter every
        value      3
        limit      2147483647
        left       2147483644 steps, two a protected change
        verdict    the flash is the one that the counter knows
        $ new plain
        $ slot ls plain
        $ slot install plain
        ! lockstone: the device has no slot 0
        !   hint: `lockstone volume ls DEV` lists what it has; `lockstone volume add DEV slot` adds one where room is left
        = 2
        $ volume ls plain
        volume         start      length
        keys 0             0     1048576
        $ volume add plain slot --length 64K
        ! lockstone: there is no room for such a volume
        !   hint: `lockstone volume ls DEV` shows what is free
        = 2
        $ volume add dev slot --number 1 --length 0
        ! lockstone: a volume has no bytes, or ends at 4 GiB or behind
        !   hint: nothing was changed
        = 2
        $ volume add dev slot --length 64K
        ! lockstone: there is no room for such a volume
        !   hint: `lockstone volume ls DEV` shows what is free
        = 2
        $ slot forget dev --slot 200
        ! lockstone: the device has no slot 200
        !   hint: `lockstone volume ls DEV` lists what it has; `lockstone volume add DEV slot` adds one where room is left
        = 2
    "#]].assert_eq(&seen);
}
