//! The demo, small.

use expect_test::expect;

use super::Bench;

#[test]
fn the_demo_loses_nothing() {
    let bench = Bench::new();
    let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo-ca.pem");
    let ran = bench.run(&format!("demo --cuts 30 --seed 1 --json --keep kept --pem {pem}"));
    let text = String::from_utf8_lossy(ran.out()).into_owned();
    assert_eq!(text.lines().count(), 1);
    let figures: serde_json::Value = serde_json::from_str(&text).unwrap();
    for name in ["lost", "wrong", "unmountable", "flips_undetected", "violations"] {
        assert_eq!(figures[name], 0, "{name} in {text}");
    }
    assert_eq!(figures["swaps_undetected"], 0, "{text}");
    assert_eq!(ran.code(), 0, "{}", ran.shown());
    let at_least = |name: &str, least: u64| assert!(figures[name].as_u64().unwrap() >= least, "{name} in {text}");
    at_least("cuts", 30);
    at_least("firmware_cuts", 6);
    at_least("firmware_bytes", 100_000);
    assert_eq!((&figures["firmware_runs"], &figures["firmware_pieces_again"]), (&true.into(), &0.into()), "{text}");
    at_least("keys", 20);
    at_least("flips", 100);
    at_least("swaps", 50);
    at_least("bytes_payload", 50_000);
    at_least("bytes_programmed", figures["bytes_payload"].as_u64().unwrap());
    at_least("erase_max", figures["erase_min"].as_u64().unwrap());
    assert!(figures["seconds"].is_f64());
    assert_eq!(bench.run("check kept").code(), 0, "{}", bench.run("check kept").shown());
    assert!(bench.run("get kept tls/private-key").out().starts_with(b"-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn the_demo_tells_a_story() {
    let bench = Bench::new();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo-ca.pem"), bench.path("ca.pem")).unwrap();
    let story = |seed: u32| {
        let ran = bench.run(&format!("demo --cuts 10 --seed {seed} --pem ca.pem"));
        String::from_utf8_lossy(ran.out()).into_owned()
    };
    let (first, again) = (story(4), story(4));
    assert!(first.contains("0 lost · 0 wrong · 0 unmountable"), "{first}");
    assert!(!first.contains('\x1b'), "no colours but for a terminal");
    for line in first.lines() {
        assert!(line.chars().count() <= 80, "longer than 80 columns: {line}");
    }
    let figures = |story: &str| story.split_once(" s, seed").unwrap().0.rsplit_once('(').unwrap().0.to_owned();
    assert_eq!(figures(&first), figures(&again), "a seed means the same again");
}

#[test]
fn the_demo_explains_what_it_needs() {
    let bench = Bench::new();
    bench.write("empty.pem", b"nothing");
    let seen =
        bench.session("demo --pem missing.pem\ndemo --pem empty.pem\ndemo --keep empty.pem\ndemo --firmware nothing");
    expect_test::expect![[r#"
        $ demo --pem missing.pem
        ! lockstone: there is no file missing.pem
        = 2
        $ demo --pem empty.pem
        ! lockstone: there is no certificate in empty.pem
        = 2
        $ demo --keep empty.pem
        ! lockstone: empty.pem is there already
        = 2
        $ demo --firmware nothing
        ! lockstone: there is no file nothing
        = 2
    "#]]
    .assert_eq(&seen);
}

#[test]
fn inputs_without_an_end_are_refused() {
    let bench = Bench::new();
    expect![[r#"
        $ demo --pem /dev/zero
        ! lockstone: /dev/zero is too long: no bundle of certificates is larger than 64 MiB
        = 2
        $ replay fuzz/mount --file /dev/zero
        ! lockstone: /dev/zero is too long: no input of a fuzz target is larger than 16 MiB
        = 2
    "#]]
    .assert_eq(&bench.session("demo --pem /dev/zero\nreplay fuzz/mount --file /dev/zero"));
}
