//! One case again, step by step. Reads are left out of the snapshots: they are the engine's own affair.

use expect_test::expect;

use super::Bench;

/// The lines of a text without those that tell of reads.
fn without_reads(text: &str) -> String {
    let is_read = |line: &str| line.starts_with("      read ") || line.starts_with("             ");
    text.lines().filter(|line| !is_read(line)).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn a_case_is_told_step_by_step() {
    let seen = Bench::new().session("replay overwrite/word4/plain/2/bits/0/prefix");
    expect![[r#"
        $ replay overwrite/word4/plain/2/bits/0/prefix
        overwrite/word4/plain/2/bits/0/prefix
          setup: format and 0 operations; then 57 flash operations without a cut
          mount: sound: yes, 1 records, closed in order
          put a = 0 bytes: done
              program 000100 +48
              program 000130 +12
          put ff x 255 = 29 bytes: the power went
              program 00013c +56
          POWER CUT in operation 14 of this flash: program 00013c +56
              tear bits: 176 of 246 bits done
              left: 0d8d1c2dddf0a09aeff6fa695dfe6fecf637733cfee600c344dc8683eb6eb5ffc8fac3c3d4e5dddbd5d5776ea07f95fc3ed9a99e959fffff
          mount: sound: yes, 3 records, 56 torn bytes
          read all: the power went
              program 000400 +16
          POWER CUT in operation 15 of this flash: program 000400 +16
              tear prefix: 48 of 82 bits done
              left: 14010000708df808ffffffffffffffff
          mount: sound: yes, 3 records, 716 torn bytes
          read all: all 1 keys as they must be; what was in flight did not happen
              program 000680 +16
          mount: sound: yes, 4 records
          read all: all 1 keys as they must be
              program 000700 +16
          life goes on
          mount: sound: yes, 4 records
          put a = 10 bytes: done
              program 000780 +16
              program 000790 +20
          put key/50 = 100 bytes: done
              program 0007a4 +92, 000800 +24
          delete a: done
              program 000818 +16
          transaction (put ff x 255 = 3 bytes, delete key/50): done
              program 000828 +24
              program 000840 +64, 000880 +128, 000900 +76
              program 00094c +16
              program 00095c +12
          put wifi/psk\x00\x01 = 1 bytes: done
              program 000968 +20
          close: done
              program 00097c +4, 000980 +48
          mount: sound: yes, 13 records, closed in order
          mount: sound: yes, 13 records, closed in order
          read all: all 2 keys as they must be
        right: 2 keys as acknowledged after each cut; no rule of the flash broken
    "#]]
    .assert_eq(&without_reads(&seen));
    assert!(seen.contains("      read    007010 +4"), "reads are told too: {seen}");
}

#[test]
fn what_is_kept_is_a_device() {
    let bench = Bench::new();
    let told = bench.run("replay delete/word4/ascon/3/ecc --keep kept");
    let told = String::from_utf8_lossy(told.out()).into_owned();
    let seen = bench.session("check kept\nls kept wifi/ -l\nreplay delete/word4/ascon/3/ecc --keep kept\nreplay delete/stm32l0/plain/3/ecc --keep other");
    let seen = without_reads(&seen);
    let (seen, note) = (seen.split_once("$ replay delete/stm32l0").unwrap().0, seen.lines().last().unwrap());
    expect![[r#"
        the flash at the end is kept as the device kept
        $ check kept
        The store was closed in order.
        13 records of the log read well.
        2 keys of client 0 read well.
        Nothing is damaged.
        $ ls kept wifi/ -l
               1  -     wifi/psk\x00\x01
        $ replay delete/word4/ascon/3/ecc --keep kept
        ! lockstone: kept is there already
        = 2
        the flash at the end is kept in other/flash.bin, which is no device: the flash of a device directory is erased to 0xff
    "#]].assert_eq(&format!("{}\n{seen}{note}\n", told.lines().last().unwrap()));
}

#[test]
fn machines_read_json() {
    let bench = Bench::new();
    for id in ["life/stm32l0/plain/3", "fuzz/operations/0000000a05", "fuzz/device_toml/7b"] {
        let ran = bench.run(&format!("replay {id} --json"));
        assert_eq!(ran.code(), 0, "{}", ran.err());
        let told: serde_json::Value = serde_json::from_slice(ran.out()).unwrap();
        assert_eq!((&told["id"], &told["good"]), (&id.into(), &true.into()));
        assert!(!told["steps"].as_array().unwrap().is_empty());
    }
}

#[test]
fn an_input_comes_from_a_file_too() {
    let bench = Bench::new();
    bench.write("input", &[0, 1, 0, 7, 200, 9]);
    let ran = bench.run("replay fuzz/operations --file input");
    assert_eq!(ran.code(), 0, "{}", ran.err());
    assert_eq!(bench.run("replay fuzz/operations/00010007c809").out(), ran.out());
}

#[test]
fn an_id_that_makes_no_sense_is_explained() {
    let bench = Bench::new();
    let seen = bench.session("replay mixed/word4/ascon/5/torn\nreplay fuzz/mount --file missing\nreplay demo/four");
    let hints = seen.matches("  hint: an id is one of").count();
    assert_eq!(hints, 2, "{seen}");
    let first = seen.split("$ replay fuzz").next().unwrap();
    expect![[r#"
        $ replay mixed/word4/ascon/5/torn
        ! lockstone: `mixed/word4/ascon/5/torn` is no case: there is no such tear
        !   hint: an id is one of
        !     SCENE/GEOMETRY/SUITE/OPERATION/TEAR[/OPERATION/TEAR]  a power cut, and another in the recovery
        !     life/GEOMETRY/SUITE/SEED                              a random life
        !     flicker/GEOMETRY/SUITE/SEED                           power cut again and again, early in each session
        !     fuzz/TARGET/HEX                                       an input of a fuzz target, or --file F for the input
        !     demo/SEED/CUTS                                        a demo
        !   scenes: fill overwrite delete transaction chunked restart mixed revive batches compaction turn full names
        !   geometries: spi-nor word4 nrf51 half2 stm32l0 double8 quad16 zero-erased16 h7-32 page64 page256 sector512 big-block f4-128k huge-256k
        !   tears: absent whole prefix suffix bits units reversed metastable metastable-whole ecc
        !   targets: operations mount parsers device_toml
        = 2
    "#]].assert_eq(first);
    let sentences: Vec<_> = seen.lines().filter(|line| line.starts_with("! lockstone:")).collect();
    expect![[r#"
        ! lockstone: `mixed/word4/ascon/5/torn` is no case: there is no such tear
        ! lockstone: there is no file missing
        ! lockstone: `demo/four` is no case: a demo is demo/SEED/CUTS"#]]
    .assert_eq(&sentences.join("\n"));
    assert_eq!(bench.run("replay demo/4").code(), 2);
    expect![[r#"
        ! lockstone: `mixed/word4/ascon/999999/bits` is no case: its scene ends before that operation
        = 2
    "#]]
    .assert_eq(&bench.run("replay mixed/word4/ascon/999999/bits --keep kept").shown());
    assert!(!bench.path("kept").exists());
}

#[test]
fn a_demo_has_an_id() {
    let bench = Bench::new();
    let ran = bench.run("replay demo/4/3 --json");
    assert_eq!(ran.code(), 0, "{}", ran.shown());
    assert!(String::from_utf8_lossy(ran.out()).contains("\"seed\":4"));
}
