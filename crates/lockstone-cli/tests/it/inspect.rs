//! What `inspect` shows, word for word. Stores are `plain` where places are shown: the hash of a sealed one is keyed.

use expect_test::expect;

use super::Bench;

/// A page without the identity of the store, which is drawn at random.
fn page(bench: &Bench, words: &str) -> String {
    let shown = bench.run(words).shown();
    let lines = shown.lines().map(|line| match line.strip_prefix("store    ") {
        Some(rest) => format!("store    (16 digits){}\n", &rest[16..]),
        None => format!("{line}\n"),
    });
    lines.collect()
}

fn small(suite: &str) -> Bench {
    let bench = Bench::with_device(&format!("--suite {suite} --flash 32K --block 2K --write 4"));
    bench.session("put dev wifi/psk < correct horse\nput dev boot/count < 7\nput dev boot/count < 8\nrm dev wifi/psk");
    bench
}

#[test]
fn a_device_in_order() {
    let bench = small("plain");
    expect![[r#"
        image    dev, 32768 bytes
        view     every record shown fits its checksum; suite plain is no protection against forgery
        store    (16 digits), suite plain, 1024 heads
        flash    16 segments of 2048 bytes, unit 4, erased ff
        keys     1, of all clients
        counter  trusted/counter says 0; nothing on the flash is bound to it
        bytes    36 live, 260 dead, 260 in holes, 0 damaged
        erases   1 to 1 a segment

        The log ends in segment 0 (sequence 0): no authentic header has a higher number and a record behind it.
        It begins in segment 0 (sequence 0): the newest header or mark says so.
        13 records of it read well; what they lead to is what is stored.
        It was closed in order: the last record is a closing mark, and nothing is written behind it.
        The first write will be an opening mark, at segment 0, byte 896: a cell further on than a cut write can have reached.

              0  >...............
                 > newest   0-9 live share in tenths   d in doubt   o log, unverified
                 . blank    - freed   ! damaged   x retired   ? unknown

         segment  sequence  erases  state        records    live  live bytes    dead   holes    free
               0         0       1  log               13       2          36     260     260    1164

         segment    byte  length  what        state       value  flags  name
               0       0      84  header
               0      84      52  closing     dead            -  --
               0     136     120  hole
               0     256      48  opening     -               -  -h
               0     304      32  entry       dead           13  --     wifi/psk
               0     336      52  closing     dead            -  --
               0     388     124  hole
               0     512      48  opening     -               -  -h
               0     560      20  entry       dead            1  --     boot/count
               0     580      52  closing     dead            -  --
               0     632       8  hole
               0     640      48  opening     -               -  -h
               0     688      20  entry       live            1  --     boot/count
               0     708      52  closing     dead            -  --
               0     760       8  hole
               0     768      48  opening     -               -  -h
               0     816      16  tombstone   live            -  --
               0     832      52  closing     -               -  --
        Flags: r one of a run of several, h closes a hole.
    "#]].assert_eq(&page(&bench, "inspect dev -l --records"));
}

#[test]
fn an_image_tells_what_it_can() {
    let bench = small("ascon");
    bench.feed("put dev same --client 7", b"7");
    std::fs::copy(bench.path("dev/flash.bin"), bench.path("readout.bin")).unwrap();
    std::fs::copy(bench.path("dev/trusted/root.key"), bench.path("key")).unwrap();
    let with_key = page(&bench, "inspect readout.bin --key key");
    assert!(with_key.contains("every record shown was verified with the root key"), "{with_key}");
    assert!(!with_key.contains("\n= "), "{with_key}");
    expect![[r#"
        image    readout.bin, 32768 bytes
        view     NOT VERIFIED: what stands in the clear; anybody could have written it
        store    (16 digits), suite ascon, 1024 heads
        flash    16 segments of 2048 bytes, unit 4, erased ff
        bytes    68 in what looks like records
        erases   1 to 1 a segment

        UNVERIFIED (key-missing): there is no root key: names and values stay sealed
          what to do: give the root key with --key FILE to see names, and what is genuine

              0  >...............
                 > newest   0-9 live share in tenths   d in doubt   o log, unverified
                 . blank    - freed   ! damaged   x retired   ? unknown
        ! lockstone: not all of it could be verified
        = 3
    "#]]
    .assert_eq(&page(&bench, "inspect readout.bin"));
    bench.write("noise.bin", &[0x42; 5000]);
    bench.write("empty.bin", b"");
    expect![[r#"
        $ inspect noise.bin
        image    noise.bin, 5000 bytes
        view     nothing of a store was found

        NO STORE (no-store): the flash holds something, but no store
          what to do: check that this is the right part of the flash, and its byte order
        ! lockstone: not all of it could be verified
        = 3
        $ inspect empty.bin
        ! lockstone: empty.bin is empty, or ends before --offset
        = 2
        $ inspect absent.bin
        ! lockstone: there is no file absent.bin
        = 2
        $ inspect
        ! lockstone: which device or image?
        !   hint: lockstone inspect DEV, or lockstone inspect IMAGE
        = 2
        $ inspect readout.bin --key noise.bin
        ! lockstone: noise.bin is not a key of 32 bytes
        = 2
    "#]]
    .assert_eq(&bench.session(
        "inspect noise.bin\ninspect empty.bin\ninspect absent.bin\ninspect\ninspect readout.bin --key noise.bin",
    ));
}

#[test]
fn damage_is_drawn_and_listed() {
    let bench = small("plain");
    let mut image = bench.read("dev/flash.bin");
    image[310] ^= 1;
    bench.write("dev/flash.bin", &image);
    expect![[r#"
        image    dev, 32768 bytes
        view     every record shown fits its checksum; suite plain is no protection against forgery
        store    (16 digits), suite plain, 1024 heads
        flash    16 segments of 2048 bytes, unit 4, erased ff
        counter  trusted/counter says 0; nothing on the flash is bound to it
        bytes    36 live, 228 dead, 260 in holes, 32 damaged
        erases   1 to 1 a segment

        The log ends in segment 0 (sequence 0): no authentic header has a higher number and a record behind it.
        It begins in segment 0 (sequence 0): the newest header or mark says so.
        12 records of it read well; what they lead to is what is stored.
        It was closed in order: the last record is a closing mark, and nothing is written behind it.
        The damage hides nothing: the digest of the heads, written later, fits all that was found.
        The first write will be an opening mark, at segment 0, byte 896: a cell further on than a cut write can have reached.

        DAMAGED (damaged-record): 1 record can't be read, though something was written later
          what to do: alone it hides nothing stored; keep a copy of the flash and look for the cause

              0  !...............
                 > newest   0-9 live share in tenths   d in doubt   o log, unverified
                 . blank    - freed   ! damaged   x retired   ? unknown

         segment    byte  length  what        state       value  flags  name
               0       0      84  header
               0      84      52  closing     dead            -  --
               0     136     120  hole
               0     256      48  opening     -               -  -h
               0     304      32  damaged
               0     336      52  closing     dead            -  --
               0     388     124  hole
               0     512      48  opening     -               -  -h
               0     560      20  entry       dead            1  --     boot/count
               0     580      52  closing     dead            -  --
               0     632       8  hole
               0     640      48  opening     -               -  -h
               0     688      20  entry       live            1  --     boot/count
               0     708      52  closing     dead            -  --
               0     760       8  hole
               0     768      48  opening     -               -  -h
               0     816      16  tombstone   live            -  --
               0     832      52  closing     -               -  --
        Flags: r one of a run of several, h closes a hole.
        ! lockstone: not all of it could be verified
        = 3
    "#]].assert_eq(&page(&bench, "inspect dev --svg dev.svg --records"));
    let svg = String::from_utf8(bench.read("dev.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("damaged 32 B") && svg.contains("DAMAGED"), "{svg}");
    assert_eq!(bench.read("dev/flash.bin"), image, "looking changed the flash");
    let json = bench.run("inspect dev --json");
    let found: serde_json::Value = serde_json::from_slice(json.out()).unwrap();
    assert_eq!((json.code(), &found["sound"], &found["view"]), (3, &false.into(), &"checksummed".into()));
    assert_eq!(found["findings"][0]["class"], "damaged-record");
    assert_eq!(found["segments"].as_array().map(Vec::len), Some(16));
}

#[test]
fn a_device_without_its_key_still_shows_something() {
    let bench = small("ascon");
    std::fs::remove_file(bench.path("dev/trusted/root.key")).unwrap();
    let shown = page(&bench, "inspect dev");
    assert!(shown.contains("NOT VERIFIED") && shown.contains("(key-missing)"), "{shown}");
    assert!(shown.ends_with("= 3\n"), "{shown}");
}

#[test]
fn a_drawing_goes_into_a_pipe() {
    let bench = small("plain");
    let made = std::process::Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap();
    assert!(made.success());
    let reader = bench.command_of("cat").arg("pipe").spawn().unwrap();
    assert_eq!(bench.run("inspect dev --svg pipe").code(), 0);
    assert!(reader.wait_with_output().unwrap().stdout.starts_with(b"<svg "));
    for other in ["dev/flash.bin", "/dev/null", "/dev/zero"] {
        let ran = bench.run(&format!("inspect dev --svg {other}"));
        assert!(ran.code() == 2 && ran.err().contains("is there already, and no drawing"), "{}", ran.err());
    }
}
