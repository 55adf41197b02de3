//! Custody: what happens to a device as a whole, and who shares what on it.

use std::fs;

use expect_test::expect;

use super::Bench;

const FLASH: &str = "dev/flash.bin";
const KEY: &str = "dev/trusted/root.key";
const CONFIG: &str = "dev/device.toml";
const COUNTER: &str = "dev/trusted/counter";

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn text_in_the_clear_is_there_to_read() {
    let bench = Bench::with_device("--flash 64K");
    let seen = bench.session(
        "
        put dev public/name --clear < anybody may read this
        put dev private/name < nobody may read this
        ls dev -l
        get dev public/name
        attributes dev public/name
        attributes dev public/name --remove clear
        attributes dev private/name --add clear
        check dev
        ",
    );
    expect![[r#"
        $ put dev public/name --clear < anybody may read this
        $ put dev private/name < nobody may read this
        $ ls dev -l
              20  -     private/name
              21  c     public/name
        $ get dev public/name
        anybody may read this
        $ attributes dev public/name
        clear          name and value stand on flash in the clear
        $ attributes dev public/name --remove clear
        ! lockstone: factory copy and confidentiality are chosen when a value is written
        !   hint: nothing was changed
        = 2
        $ attributes dev private/name --add clear
        ! lockstone: factory copy and confidentiality are chosen when a value is written
        !   hint: nothing was changed
        = 2
        $ check dev
        The store was closed in order.
        11 records of the log read well.
        2 keys of client 0 read well.
        Nothing is damaged.
    "#]]
    .assert_eq(&seen);
    let flash = bench.read(FLASH);
    assert!(contains(&flash, b"public/name") && contains(&flash, b"anybody may read this"));
    assert!(!contains(&flash, b"private/name") && !contains(&flash, b"nobody may"));
}

#[test]
fn a_factory_reset_is_announced_and_done() {
    let bench = Bench::with_device("--flash 64K");
    let seen = bench.session(
        "
        put dev wifi --factory < factory
        put dev wifi < mine
        put dev serial --once < 0001
        put dev log --client 7 < x
        put dev token --retain --client 7 < y
        factory-reset dev
        get dev wifi
        factory-reset dev --yes
        get dev wifi
        get dev serial
        ls dev
        ls dev --client 7
        check dev
        ",
    );
    expect![[r#"
        $ put dev wifi --factory < factory
        $ put dev wifi < mine
        $ put dev serial --once < 0001
        $ put dev log --client 7 < x
        $ put dev token --retain --client 7 < y
        $ factory-reset dev
        1 key would be removed, 1 would be brought back, 2 would be kept; of all clients.
        ! lockstone: nothing was changed
        !   hint: `lockstone factory-reset DEV --yes` does it
        = 2
        $ get dev wifi
        mine
        $ factory-reset dev --yes
        1 key removed, 1 brought back, 2 kept; of all clients.
        $ get dev wifi
        factory
        $ get dev serial
        0001
        $ ls dev
        serial
        wifi
        $ ls dev --client 7
        token
        $ check dev
        The store was closed in order.
        28 records of the log read well.
        2 keys of client 0 read well.
        1 key of other clients: read them with --client N.
        Nothing is damaged.
    "#]]
    .assert_eq(&seen);
}

#[test]
fn a_scrub_leaves_nothing_old() {
    let bench = Bench::with_device("--flash 64K");
    bench.session("put dev gone --clear < the first secret\nput dev here --clear < what stays\nrm dev gone");
    assert!(contains(&bench.read(FLASH), b"the first secret"), "a delete leaves it on flash");
    let seen = bench.session("scrub dev\nget dev here\nget dev gone\ncheck dev");
    expect![[r#"
        $ scrub dev
        16 segments erased, one after the other; 1 key written again. Nothing of keys and objects that were deleted or replaced is left on the flash.
        $ get dev here
        what stays
        $ get dev gone
        ! lockstone: no such key: gone
        = 1
        $ check dev
        The store was closed in order.
        16 records of the log read well.
        1 key of client 0 read well.
        Nothing is damaged.
    "#]].assert_eq(&seen);
    let flash = bench.read(FLASH);
    assert!(!contains(&flash, b"the first secret") && contains(&flash, b"what stays"));
}

#[test]
fn what_is_shared_and_what_is_not() {
    let seen = Bench::with_device("--flash 64K").session(
        "
        put dev ca < root of trust
        put dev secret < mine
        get dev ca --client 7 --owner 0
        share dev ca --with everyone --rights r
        share dev ca --with 8 --rights rw
        share dev lost --with 8 --rights rw
        get dev ca --client 7 --owner 0
        get dev secret --client 7 --owner 0
        get dev lost --client 7 --owner 0
        put dev ca --client 7 --owner 0 < forged
        put dev ca --client 8 --owner 0 < renewed
        get dev ca
        share dev ca --with everyone --rights none
        get dev ca --client 7 --owner 0
        get dev ca --client 8 --owner 0
        rm dev ca
        put dev ca < another one
        get dev ca --client 8 --owner 0
        put dev own --client 7 < 12345
        client dev
        client dev --json
        share dev ca --with 0 --rights r
        share dev own --client 7 --with 7 --rights r
        share dev ca --with me --rights r
        share dev ca --with 4294967295 --rights r
        share dev ca --with 7 --rights read
        put dev ca --client 7 --owner 0 --protect < x
        put dev ca --client 7 --owner 0 --once < x
        ",
    );
    expect![[r#"
        $ put dev ca < root of trust
        $ put dev secret < mine
        $ get dev ca --client 7 --owner 0
        ! lockstone: no such key: ca
        = 1
        $ share dev ca --with everyone --rights r
        ca: everyone may read it.
        $ share dev ca --with 8 --rights rw
        ca: client 8 may read and write it.
        $ share dev lost --with 8 --rights rw
        ! lockstone: no such key: lost
        = 1
        $ get dev ca --client 7 --owner 0
        root of trust
        $ get dev secret --client 7 --owner 0
        ! lockstone: no such key: secret
        = 1
        $ get dev lost --client 7 --owner 0
        ! lockstone: no such key: lost
        = 1
        $ put dev ca --client 7 --owner 0 < forged
        ! lockstone: no such key: ca
        = 1
        $ put dev ca --client 8 --owner 0 < renewed
        $ get dev ca
        renewed
        $ share dev ca --with everyone --rights none
        ca is not shared with everyone any more.
        $ get dev ca --client 7 --owner 0
        ! lockstone: no such key: ca
        = 1
        $ get dev ca --client 8 --owner 0
        renewed
        $ rm dev ca
        $ put dev ca < another one
        $ get dev ca --client 8 --owner 0
        ! lockstone: no such key: ca
        = 1
        $ put dev own --client 7 < 12345
        $ client dev
            client      keys     bytes of values
                 0         2                  15
                 7         1                   5
        $ client dev --json
        {"clients":[{"bytes":15,"client":0,"keys":2},{"bytes":5,"client":7,"keys":1}],"complete":true}
        $ share dev ca --with 0 --rights r
        ! lockstone: client 0 owns it, and may do all with it as it is
        !   hint: `--with N` names another client, `--with everyone` all of them
        = 2
        $ share dev own --client 7 --with 7 --rights r
        ! lockstone: client 7 owns it, and may do all with it as it is
        !   hint: `--with N` names another client, `--with everyone` all of them
        = 2
        $ share dev ca --with me --rights r
        ! error: invalid value 'me' for '--with <N|everyone>': a client is a number from 0 to 4294967294, or `everyone`
        ! 
        ! For more information, try '--help'.
        = 2
        $ share dev ca --with 4294967295 --rights r
        ! error: invalid value '4294967295' for '--with <N|everyone>': a client is a number from 0 to 4294967294, or `everyone`
        ! 
        ! For more information, try '--help'.
        = 2
        $ share dev ca --with 7 --rights read
        ! error: invalid value 'read' for '--rights <RWX|none>': rights are letters of r (read), w (write) and x (execute), or `none`
        ! 
        ! For more information, try '--help'.
        = 2
        $ put dev ca --client 7 --owner 0 --protect < x
        ! error: the argument '--owner <N>' cannot be used with '--protect'
        ! 
        ! Usage: lockstone put --client <N> --owner <N> <DEV> <KEY>
        ! 
        ! For more information, try '--help'.
        = 2
        $ put dev ca --client 7 --owner 0 --once < x
        ! error: the argument '--owner <N>' cannot be used with:
        !   --protected
        !   --once
        !   --read-only
        !   --no-delete
        !   --retain
        !   --factory
        !   --executable
        !   --accept-replay
        !   --clear
        ! 
        ! Usage: lockstone put --client <N> --owner <N> <DEV> <KEY>
        ! 
        ! For more information, try '--help'.
        = 2
    "#]].assert_eq(&seen);
}

#[test]
fn everything_is_sealed_anew() {
    let bench = Bench::with_device("--flash 64K");
    let old = (bench.read(FLASH), bench.read(KEY));
    let seen = bench.session(
        "
        put dev wifi < horse
        put dev log --client 7 < x
        rekey dev
        get dev wifi
        counter dev
        put dev serial --once < 0001
        put dev wifi --factory < stable
        put dev wifi < mine
        share dev wifi --with 7 --rights r
        rekey dev --suite aes
        get dev wifi
        get dev serial
        ls dev -l
        get dev wifi --client 7 --owner 0
        counter dev
        stats dev
        put dev fw --protect < 8
        put dev serial < 0002
        factory-reset dev --yes
        get dev wifi
        check dev
        rekey dev --suite plain
        rekey dev
        check dev
        ",
    );
    expect![[r#"
        $ put dev wifi < horse
        $ put dev log --client 7 < x
        $ rekey dev
        2 keys sealed anew under a fresh root key, suite ascon. What was shared has to be shared again.
        $ get dev wifi
        horse
        $ counter dev
        value      0
        limit      2147483647
        left       2147483647 steps, two a protected change
        verdict    nothing on the flash is bound to the counter yet
        $ put dev serial --once < 0001
        $ put dev wifi --factory < stable
        $ put dev wifi < mine
        $ share dev wifi --with 7 --rights r
        wifi: client 7 may read it.
        $ rekey dev --suite aes
        3 keys sealed anew under a fresh root key, suite aes. What was shared has to be shared again.
        $ get dev wifi
        mine
        $ get dev serial
        0001
        $ ls dev -l
               4  po    serial
               4  f     wifi
        $ get dev wifi --client 7 --owner 0
        ! lockstone: no such key: wifi
        = 1
        $ counter dev
        value      4
        limit      2147483647
        left       2147483643 steps, two a protected change
        verdict    the flash is the one that the counter knows
        $ stats dev
        suite      aes
        flash      65536 bytes: 16 segments of 4096, 1 in the log, 0 bad
        keys       3, of all clients
        fill       164 of 40524 bytes, 0 %
        erases     1 to 1 a segment
        $ put dev fw --protect < 8
        $ put dev serial < 0002
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ factory-reset dev --yes
        2 keys removed, 1 brought back, 1 kept; of all clients.
        $ get dev wifi
        stable
        $ check dev
        The store was closed in order.
        25 records of the log read well.
        2 keys of client 0 read well.
        Nothing is damaged.
        $ rekey dev --suite plain
        2 keys sealed anew under a fresh root key, suite plain. What was shared has to be shared again.
        $ rekey dev
        ! lockstone: the suite plain seals nothing, under no key; nothing was changed
        !   hint: `lockstone rekey DEV --suite ascon` seals what is there
        = 2
        $ check dev
        The store was closed in order.
        7 records of the log read well.
        2 keys of client 0 read well.
        Nothing is damaged.
    "#]]
    .assert_eq(&seen);
    assert_ne!(old, (bench.read(FLASH), bench.read(KEY)));
    assert_eq!(names(&bench), ["device.toml", "flash.bin", "trusted/counter", "trusted/root.key"]);
}

/// All files of the device.
fn names(bench: &Bench) -> Vec<String> {
    let list = |folder: &str, prefix: &str| -> Vec<String> {
        let entries = fs::read_dir(bench.path(folder)).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.path().is_file());
        files.map(|entry| format!("{prefix}{}", entry.file_name().into_string().unwrap())).collect()
    };
    let mut names = [list("dev", ""), list("dev/trusted", "trusted/")].concat();
    names.sort();
    names
}

/// A rekey that was cut after each of its steps: all old or all new, for commands that look and those that may write.
#[test]
fn a_rekey_may_be_cut_anywhere() {
    const STAGES: [&str; 9] = ["", "t", "T", "Tk", "TK", "TKf", "TKF", "TK!", "T!!"];
    let mut seen = String::new();
    for (device, protected) in [("", false), ("", true), ("--protect-all", true), ("--suite plain", false)] {
        for suite in ["ascon", "aes"] {
            if device == "--suite plain" && suite == "aes" {
                continue;
            }
            for stage in STAGES {
                let bench = Bench::with_device(&format!("--flash 32K {device}"));
                bench.session(if protected { "put dev lock --protect < 1" } else { "put dev lock < 1" });
                let old = (bench.read(KEY), bench.read(CONFIG));
                // The old flash as the rekey leaves it, which goes on in it before the exchange.
                fs::hard_link(bench.path(FLASH), bench.path("old")).unwrap();
                assert_eq!(bench.run(&format!("rekey dev --suite {suite}")).code(), 0);
                let new = (bench.read(KEY), bench.read(CONFIG), bench.read(FLASH));
                if protected {
                    // Counted last of all.
                    let counted: u32 = String::from_utf8(bench.read(COUNTER)).unwrap().trim_end().parse().unwrap();
                    bench.write(COUNTER, format!("{}\n", counted - 1).as_bytes());
                }
                let half = |content: &[u8]| content[..content.len() / 2].to_vec();
                let is_new = stage.ends_with('!');
                if !is_new {
                    bench.write("dev/flash", &bench.read("old"));
                    fs::rename(bench.path("dev/flash"), bench.path(FLASH)).unwrap();
                }
                if stage != "T!!" {
                    bench.write(KEY, &old.0);
                }
                bench.write(CONFIG, &old.1);
                for letter in stage.chars() {
                    match letter {
                        't' => bench.write("dev/device.toml.next", &half(&new.1)),
                        'T' => bench.write("dev/device.toml.next", &new.1),
                        'k' => bench.write("dev/trusted/root.key.next", &half(&new.0)),
                        'K' => bench.write("dev/trusted/root.key.next", &new.0),
                        'f' => bench.write("dev/flash.bin.next", &half(&new.2)),
                        'F' => bench.write("dev/flash.bin.next", &new.2),
                        _ => {}
                    }
                }
                let before = names(&bench);
                let case = format!("{device} {protected} {suite} {stage}");
                assert_eq!(bench.run("ls dev").shown(), "lock\n", "{case}");
                assert_eq!(bench.run("check dev").code(), 0, "{case}");
                assert_eq!(names(&bench), before, "{case}: who looks changes nothing");
                let got = bench.run("get dev lock");
                assert_eq!((got.out(), got.code()), (&b"1"[..], 0), "{case}: {}", got.shown());
                assert_eq!(names(&bench).len(), 4, "{case}: {:?}", names(&bench));
                assert_eq!(bench.read(KEY) == new.0, is_new, "{case}");
                assert_eq!(bench.read(CONFIG), if is_new { new.1 } else { old.1 }, "{case}");
                if (device, protected, suite) == ("", true, "aes") {
                    seen.push_str(&format!("{stage}: {}", got.err()));
                }
                assert_eq!(bench.session("put dev lock --protect < 2"), "$ put dev lock --protect < 2\n", "{case}");
                assert_eq!(bench.run("get dev lock").out(), b"2", "{case}");
                if is_new && protected {
                    fs::copy(bench.path("old"), bench.path(FLASH)).unwrap();
                    assert_eq!(bench.run("get dev lock").code(), 3, "{case}: the old flash is none of this key");
                }
            }
        }
    }
    expect![[r#"
        : t: lockstone: note: a rekey was cut before it counted; what it left is removed, the old key is in force
        T: lockstone: note: a rekey was cut before it counted; what it left is removed, the old key is in force
        Tk: lockstone: note: a rekey was cut before it counted; what it left is removed, the old key is in force
        TK: lockstone: note: a rekey was cut before it counted; what it left is removed, the old key is in force
        TKf: lockstone: note: a rekey was cut before it counted; what it left is removed, the old key is in force
        TKF: lockstone: note: a rekey was cut before it counted; what it left is removed, the old key is in force
        TK!: lockstone: note: a rekey was cut after it counted; it is finished now
        T!!: lockstone: note: a rekey was cut after it counted; it is finished now
    "#]]
    .assert_eq(&seen);
}

#[test]
fn a_rekey_that_is_killed_leaves_one_or_the_other() {
    let bench = Bench::with_device("--flash 64K");
    bench.session("put dev lock --protect < 1");
    let (mut done, mut tidied) = (0, 0);
    for round in 0_u64..60 {
        let key = bench.read(KEY);
        let mut victim = bench.command().args(["rekey", "dev"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(2000 + round * 427 % 8000));
        let _ = victim.kill();
        victim.wait().unwrap();
        let got = bench.run("get dev lock");
        assert_eq!((got.out(), got.code()), (&b"1"[..], 0), "round {round}: {}", got.shown());
        assert!(!names(&bench).iter().any(|name| name.ends_with(".next")), "round {round}: {:?}", names(&bench));
        done += u32::from(bench.read(KEY) != key);
        tidied += u32::from(got.err().contains("a rekey was cut"));
    }
    println!("60 rekeys killed, {done} of them were done, {tidied} left something");
}

/// `device.toml` carries the lock, and a rekey to another suite replaces it: whoever waits must not go on with the old one.
#[test]
fn writers_wait_for_a_rekey() {
    let bench = Bench::with_device("--flash 64K");
    // Who waited in vain, on a busy machine, says so and tries again.
    let patiently = |words: &str, input: &[u8]| {
        let ran = (0..50).map(|_| bench.feed(words, input)).find(|ran| ran.code() != 7).unwrap();
        assert_eq!(ran.code(), 0, "{words}: {}", ran.shown());
    };
    let write = |name: String| patiently(&format!("put dev {name}"), name.as_bytes());
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let write = &write;
            scope.spawn(move || (0..30).for_each(|index| write(format!("key-{thread}-{index}"))));
        }
        for round in 0..16 {
            patiently(&format!("rekey dev --suite {}", ["aes", "ascon"][round % 2]), b"");
        }
    });
    for name in (0..2).flat_map(|thread| (0..30).map(move |index| format!("key-{thread}-{index}"))) {
        assert_eq!(bench.run(&format!("get dev {name}")).out(), name.as_bytes());
    }
    assert_eq!(bench.run("check dev").code(), 0);
}

#[test]
fn a_rekey_takes_two_steps_and_ends_with_the_counter() {
    let bench = Bench::with_device("--flash 64K --counter-limit 5");
    expect![[r#"
        $ put dev lock --protect < 1
        $ rekey dev
        1 key sealed anew under a fresh root key, suite ascon. What was shared has to be shared again.
        ! lockstone: warning: the counter has 1 step left of 5, enough for 0 protected changes
        $ counter dev
        value      4
        limit      5
        left       1 step, two a protected change
        verdict    the flash is the one that the counter knows
        LOW: the counter has 1 step left of 5, enough for 0 protected changes; plan to replace the device
        $ rekey dev
        ! lockstone: the counter has no step left; nothing was changed
        !   hint: what needs no counter still works; protected keys can be read, and have to move to a new device to change
        = 5
        $ get dev lock
        1
        $ check dev
        The store was closed in order.
        7 records of the log read well.
        1 key of client 0 read well.
        note (counter-low): the counter has 1 step left of 5, enough for 0 protected changes
          what to do: plan to replace the device: without steps nothing protected can be changed
        Nothing is damaged.
    "#]].assert_eq(&bench.session(
        "
        put dev lock --protect < 1
        rekey dev
        counter dev
        rekey dev
        get dev lock
        check dev
        ",
    ));
}

#[test]
fn links_are_not_replaced() {
    let bench = Bench::with_device("--flash 64K");
    fs::rename(bench.path(KEY), bench.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(bench.path("elsewhere"), bench.path(KEY)).unwrap();
    expect![[r#"
        $ rekey dev
        ! lockstone: trusted/root.key is a link, and a rekey would put a file in its place
        !   hint: put the file itself there for as long as the rekey takes; nothing was changed
        = 2
    "#]]
    .assert_eq(&bench.session("rekey dev"));
}

#[test]
fn an_erased_device_is_blank_and_without_a_key() {
    let bench = Bench::with_device("--flash 64K");
    let seen = bench.session("put dev lock --protect < 1\nerase dev\nget dev lock\nerase dev --yes\nget dev lock");
    expect![[r#"
        $ put dev lock --protect < 1
        $ erase dev
        Lost for good would be: 1 key, of all clients, and the root key.
        ! lockstone: nothing was changed
        !   hint: `lockstone erase DEV --yes` does it
        = 2
        $ get dev lock
        1
        $ erase dev --yes
        flash.bin is erased, trusted/root.key is destroyed: no image of this flash can be read again.
        Copies that somebody made of the key are not.
        $ get dev lock
        ! lockstone: the root key of the device, trusted/root.key, is gone
        !   hint: put it there if you have it; after `lockstone erase` nobody has
        = 3
    "#]]
    .assert_eq(&seen);
    assert!(bench.read(FLASH).iter().all(|byte| *byte == 0xff) && !bench.path(KEY).exists());
    assert_eq!(bench.read(COUNTER), b"4\n", "no image from before is accepted again");
    let bench = Bench::with_device("--flash 64K");
    bench.write(FLASH, &vec![0x5a; 64 * 1024]);
    expect![[r#"
        $ erase dev
        Lost for good would be: what is on it, which can't be counted, of all clients, and the root key.
        ! lockstone: nothing was changed
        !   hint: `lockstone erase DEV --yes` does it
        = 2
        $ erase dev --yes
        flash.bin is erased, trusted/root.key is destroyed: no image of this flash can be read again.
        Copies that somebody made of the key are not.
        ! lockstone: note: erased unseen, and no step of the counter taken, as the flash holds something, but no store
        $ erase dev --yes
        flash.bin is erased, trusted/root.key is destroyed: no image of this flash can be read again.
        Copies that somebody made of the key are not.
        ! lockstone: note: erased unseen, and no step of the counter taken, as the root key of the device, trusted/root.key, is gone
    "#]].assert_eq(&bench.session("erase dev\nerase dev --yes\nerase dev --yes"));
    assert!(bench.read(FLASH).iter().all(|byte| *byte == 0xff) && !bench.path(KEY).exists());
}

/// A flash that can't be erased is no reason to keep the key, and is not called erased.
#[test]
fn the_key_goes_also_when_the_flash_is_not_what_it_was() {
    let bench = Bench::with_device("--flash 64K");
    bench.write(FLASH, &[0x5a; 4096]);
    expect![[r#"
        $ erase dev --yes
        ! lockstone: trusted/root.key is destroyed, but nothing was erased: flash.bin has 4096 bytes, but device.toml says 65536
        !   hint: what is left of flash.bin is yours to remove
        = 3
    "#]].assert_eq(&bench.session("erase dev --yes"));
    assert!(!bench.path(KEY).exists());
}

/// A rekey that failed before it counted leaves the device as it was, and no key or image of the one that was to be.
#[test]
fn a_rekey_that_fails_leaves_nothing() {
    let mut seen = String::new();
    for suite in ["ascon", "aes"] {
        let bench = Bench::with_device("--flash 128K");
        bench.session("put dev lock --protect < 1");
        let key = bench.read(KEY);
        // No file may become longer than 64 KiB: the new image can't be written.
        let program = env!("CARGO_BIN_EXE_lockstone");
        let script = format!("trap '' XFSZ; ulimit -f 128; exec {program} rekey dev --suite {suite}");
        seen += &super::Ran(bench.command_of("sh").args(["-c", &script]).output().unwrap()).shown();
        assert_eq!(names(&bench), ["device.toml", "flash.bin", "trusted/counter", "trusted/root.key"]);
        assert_eq!(bench.read(KEY), key);
        assert_eq!(bench.session("get dev lock"), "$ get dev lock\n1\n");
        assert_eq!(bench.run(&format!("rekey dev --suite {suite}")).code(), 0);
        assert_eq!(bench.session("get dev lock"), "$ get dev lock\n1\n");
    }
    expect![[r#"
        ! lockstone: can't rekey dev: File too large (os error 27)
        !   hint: the old key is in force; nothing is left of the new one
        = 7
        ! lockstone: can't rekey dev: File too large (os error 27)
        !   hint: the old key is in force; nothing is left of the new one
        = 7
    "#]]
    .assert_eq(&seen);
}

#[test]
fn a_rekey_keeps_who_may_read_the_files() {
    for mode in [0o600, 0o640, 0o644, 0o660] {
        let bench = Bench::with_device("--flash 64K");
        [FLASH, CONFIG].iter().for_each(|name| bench.allow(name, mode));
        assert_eq!(bench.run("rekey dev --suite aes").code(), 0);
        assert_eq!([FLASH, CONFIG, KEY].map(|name| bench.mode(name)), [mode, mode, 0o600], "{mode:o}");
    }
}

#[test]
fn so_many_can_share_a_key() {
    let bench = Bench::with_device("");
    bench.feed("put dev key", b"value");
    for client in 1..=8 {
        assert_eq!(bench.run(&format!("share dev key --with {client} --rights r")).code(), 0, "{client}");
    }
    expect![[r#"
        $ share dev key --with 9 --rights r
        ! lockstone: at most 8 others can share a key, and as many do; nothing was changed
        !   hint: `--rights none` takes what one of them has back; `--with everyone` counts as one
        = 2
        $ share dev key --with 8 --rights rw
        key: client 8 may read and write it.
        $ share dev key --with 8 --rights none
        key is not shared with client 8 any more.
        $ share dev key --with 9 --rights r
        key: client 9 may read it.
    "#]]
    .assert_eq(&bench.session(
        "
        share dev key --with 9 --rights r
        share dev key --with 8 --rights rw
        share dev key --with 8 --rights none
        share dev key --with 9 --rights r
        ",
    ));
}

#[test]
fn what_accepts_a_replay_is_taken_away_whole() {
    let bench = Bench::with_device("");
    expect![[r#"
        $ put dev key --read-only --accept-replay < 1
        $ attributes dev key --remove read-only
        ! lockstone: only write-once, read-only and non-deletable entries are made replayable
        !   hint: accept-replay has to go with it: `--remove read-only,accept-replay`; nothing was changed
        = 2
        $ attributes dev key --remove read-only,accept-replay
        none
        $ attributes dev key --add accept-replay
        ! lockstone: only write-once, read-only and non-deletable entries are made replayable
        !   hint: nothing was changed
        = 2
    "#]]
    .assert_eq(&bench.session(
        "
        put dev key --read-only --accept-replay < 1
        attributes dev key --remove read-only
        attributes dev key --remove read-only,accept-replay
        attributes dev key --add accept-replay
        ",
    ));
}
