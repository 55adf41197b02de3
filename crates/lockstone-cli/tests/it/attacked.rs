//! A device that somebody laid hands on: every answer is right or refused.

use expect_test::expect;

use super::Bench;

/// Used, overwritten, deleted and closed in order.
fn used() -> Bench {
    let bench = Bench::with_device("--flash 64K");
    for round in 0..6u8 {
        for key in 0..8u8 {
            let value = vec![round ^ key; usize::from(key) * 90];
            assert_eq!(bench.feed(&format!("put dev key{key}"), &value).code(), 0);
        }
        assert_eq!(bench.run(&format!("rm dev key{round}")).code(), 0);
    }
    bench
}

#[test]
fn a_flipped_bit_never_gives_a_wrong_answer() {
    let bench = used();
    let right: Vec<_> = (0..8).map(|key| bench.run(&format!("get dev key{key}"))).collect();
    let image = bench.read("dev/flash.bin");
    let written: Vec<_> = (0..image.len()).filter(|at| image[*at] != 0xff).collect();
    let mut refused = 0;
    for flip in 0..300usize {
        let at = written[flip * 7919 % written.len()];
        let mut bad = image.clone();
        bad[at] ^= 1 << (flip % 8);
        bench.write("dev/flash.bin", &bad);
        let key = flip % 8;
        let ran = bench.run(&format!("get dev key{key}"));
        let is_right = ran.code() == right[key].code() && ran.out() == right[key].out();
        assert!(is_right || ran.code() == 3, "byte {at}, bit {}, key {key}: {}", flip % 8, ran.shown());
        refused += u32::from(!is_right);
    }
    println!("{refused} of 300 were refused");
    assert!(refused > 10);
}

#[test]
fn damage_is_named() {
    let bench = Bench::with_device("");
    bench.feed("put dev first", b"zero");
    bench.feed("put dev first", b"one");
    bench.feed("put dev second", b"two");
    let mut image = bench.read("dev/flash.bin");
    // The value that was replaced.
    image[330] ^= 1;
    bench.write("dev/flash.bin", &image);
    expect![[r#"
        $ check dev
        The store was closed in order.
        9 records of the log read well.
        2 keys of client 0 read well.
        DAMAGED (damaged-record): 1 record can't be read, though something was written later
          what to do: alone it hides nothing stored; keep a copy of the flash and look for the cause
        ! lockstone: the device is damaged or forged
        = 3
        $ ls dev -l
               3  -     first
               3  -     second
        $ get dev first
        one
        $ put dev third < 3
        $ rm dev first
    "#]]
    .assert_eq(&bench.session("check dev\nls dev -l\nget dev first\nput dev third < 3\nrm dev first"));
    let json = bench.run("check dev --json");
    let found: serde_json::Value = serde_json::from_slice(json.out()).unwrap();
    assert_eq!((json.code(), &found["sound"]), (3, &false.into()));
}

#[test]
fn another_key_opens_nothing() {
    let bench = used();
    bench.write("dev/trusted/root.key", &[7; 32]);
    expect![[r#"
        $ get dev key7
        ! lockstone: there is a store, but nothing of it fits the key: wrong key, forged or damaged
        !   hint: was flash.bin or trusted/root.key replaced, or `block`, `write` or `objects` in device.toml edited? Nothing was changed by looking
        = 3
        $ put dev key7 < x
        ! lockstone: there is a store, but nothing of it fits the key: wrong key, forged or damaged
        !   hint: was flash.bin or trusted/root.key replaced, or `block`, `write` or `objects` in device.toml edited? Nothing was changed by looking
        = 3
        $ check dev
        ! lockstone: there is a store, but nothing of it fits the key: wrong key, forged or damaged
        !   hint: was flash.bin or trusted/root.key replaced, or `block`, `write` or `objects` in device.toml edited? Nothing was changed by looking
        = 3
        $ check dev --json
        {"mounted":false,"reason":"there is a store, but nothing of it fits the key: wrong key, forged or damaged","sound":false}
        ! lockstone: there is a store, but nothing of it fits the key: wrong key, forged or damaged
        !   hint: was flash.bin or trusted/root.key replaced, or `block`, `write` or `objects` in device.toml edited? Nothing was changed by looking
        = 3
    "#]].assert_eq(&bench.session("get dev key7\nput dev key7 < x\ncheck dev\ncheck dev --json"));
}

#[test]
fn what_is_missing_or_foreign_is_told_apart() {
    let look = |spoil: fn(&Bench)| {
        let bench = used();
        spoil(&bench);
        bench.run("get dev key7").shown()
    };
    let seen = [
        look(|bench| bench.write("dev/flash.bin", &[0xff; 65536])),
        look(|bench| bench.write("dev/flash.bin", &[0x42; 65536])),
        look(|bench| bench.write("dev/flash.bin", &bench.read("dev/flash.bin")[..60_000])),
        look(|bench| std::fs::remove_file(bench.path("dev/flash.bin")).unwrap()),
        look(|bench| bench.write("dev/trusted/root.key", b"short")),
        look(|bench| std::fs::remove_file(bench.path("dev/trusted/root.key")).unwrap()),
        look(|bench| bench.write("dev/device.toml", b"format = 1\n")),
        look(|bench| std::fs::remove_file(bench.path("dev/device.toml")).unwrap()),
    ];
    expect![[r#"
        ! lockstone: the flash is blank: it was never formatted, or it was erased
        !   hint: was flash.bin or trusted/root.key replaced? Nothing was changed by looking
        = 3

        ! lockstone: the flash holds something, but no store
        !   hint: was flash.bin or trusted/root.key replaced, or `block`, `write` or `objects` in device.toml edited? Nothing was changed by looking
        = 3

        ! lockstone: flash.bin has 60000 bytes, but device.toml says 65536
        !   hint: part of the flash was cut off or added, or `flash` in device.toml was edited
        = 3

        ! lockstone: the flash of the device, flash.bin, is gone
        = 3

        ! lockstone: trusted/root.key is not a key of 32 bytes
        = 3

        ! lockstone: the root key of the device, trusted/root.key, is gone
        !   hint: put it there if you have it; after `lockstone erase` nobody has
        = 3

        ! lockstone: device.toml can't be read: missing field `suite`
        !   hint: was it edited? Nothing was changed
        = 3

        ! lockstone: there is no device at dev
        !   hint: a device is a folder with a device.toml in it: what is there has none
        = 2
    "#]]
    .assert_eq(&seen.join("\n"));
}

#[test]
fn swapped_blocks_never_give_a_wrong_answer() {
    let bench = used();
    let right: Vec<_> = (0..8).map(|key| bench.run(&format!("get dev key{key}"))).collect();
    let image = bench.read("dev/flash.bin");
    for (one, other) in (0..16).flat_map(|one| (0..one).map(move |other| (one, other))) {
        let mut bad = image.clone();
        bad[one * 4096..][..4096].copy_from_slice(&image[other * 4096..][..4096]);
        bad[other * 4096..][..4096].copy_from_slice(&image[one * 4096..][..4096]);
        for (key, right) in right.iter().enumerate() {
            bench.write("dev/flash.bin", &bad);
            let ran = bench.run(&format!("get dev key{key}"));
            let is_right = ran.code() == right.code() && ran.out() == right.out();
            assert!(is_right || ran.code() == 3, "blocks {one} and {other}, key {key}: {}", ran.shown());
        }
    }
}
