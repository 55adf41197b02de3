//! Older images of the flash, put back: each command says so and ends with 4, and nothing is changed by looking.

use expect_test::expect;

use super::Bench;

const FLASH: &str = "dev/flash.bin";
const COUNTER: &str = "dev/trusted/counter";

/// Two protected values, and the flash as it was after the first put back.
fn rolled_back(arguments: &str) -> Bench {
    let bench = Bench::with_device(&format!("--flash 64K {arguments}"));
    bench.session("put dev lock --protect < 1\nput dev plain < x");
    std::fs::copy(bench.path(FLASH), bench.path("old.bin")).unwrap();
    bench.session("put dev lock --protect < 2");
    std::fs::copy(bench.path(FLASH), bench.path("new.bin")).unwrap();
    std::fs::copy(bench.path("old.bin"), bench.path(FLASH)).unwrap();
    bench
}

#[test]
fn every_command_says_so_and_changes_nothing() {
    for suite in ["ascon", "aes", "plain"] {
        let bench = rolled_back(&format!("--suite {suite}"));
        bench.write("key", &[9; 32]);
        std::fs::create_dir(bench.path("folder")).unwrap();
        bench.write("folder/name", b"value");
        for command in [
            "get dev lock",
            "put dev other",
            "put dev lock --protect",
            "ls dev",
            "rm dev lock",
            "attributes dev lock",
            "attributes dev lock --add once",
            "check dev",
            "check dev --json",
            "stats dev",
            "counter dev",
            "inspect dev",
            "factory-reset dev",
            "factory-reset dev --yes",
            "scrub dev",
            "share dev lock --with 7 --rights r",
            "client dev",
            "rekey dev --suite aes",
            "export dev --sealed key -o out.bin",
            "import dev folder",
        ] {
            let ran = bench.run(command);
            assert_eq!(ran.code(), 4, "{command}: {}", ran.shown());
            assert!(ran.err().contains("the flash was rolled back"), "{command}: {}", ran.shown());
            assert!(ran.err().contains("nothing was changed"), "{command}: {}", ran.shown());
        }
        assert_eq!(bench.run("recover dev").code(), 2);
        assert!(!bench.path("out.bin").exists());
        assert_eq!((bench.read(FLASH), bench.read(COUNTER)), (bench.read("old.bin"), b"4\n".to_vec()), "{suite}");
        std::fs::copy(bench.path("new.bin"), bench.path(FLASH)).unwrap();
        assert_eq!(bench.run("get dev lock").out(), b"2", "the right flash is back");
    }
}

#[test]
fn it_can_be_erased_all_the_same() {
    let bench = rolled_back("");
    expect![[r#"
        $ erase dev
        Lost for good would be: 2 keys, of all clients, and the root key.
        ! lockstone: nothing was changed
        !   hint: `lockstone erase DEV --yes` does it
        = 2
        $ erase dev --yes
        flash.bin is erased, trusted/root.key is destroyed: no image of this flash can be read again.
        Copies that somebody made of the key are not.
    "#]]
    .assert_eq(&bench.session("erase dev\nerase dev --yes"));
    assert!(bench.read(FLASH).iter().all(|byte| *byte == 0xff));
    assert_eq!(bench.read(COUNTER), b"6\n");
}

#[test]
fn what_is_said_and_how_it_is_accepted() {
    let bench = rolled_back("");
    let seen = bench.session(
        "
        get dev lock
        check dev
        check dev --json
        counter dev
        counter dev --json
        recover dev
        recover dev --i-accept-rollback
        get dev lock
        check dev
        recover dev
        recover dev --i-accept-rollback
        put dev lock --protect < 3
        counter dev
        ",
    );
    expect![[r#"
        $ get dev lock
        ! lockstone: the flash was rolled back: trusted/counter stands at 4, flash.bin knows 2; missing: up to 2 protected changes; nothing was changed
        !   hint: put the newest flash.bin back; `lockstone inspect DEV` shows what is on this one; `lockstone recover DEV` says what accepting it means
        = 4
        $ check dev
        The store was closed in order.
        9 records of the log read well.
        2 keys of client 0 read well.
        ROLLED BACK (rolled-back): the flash was rolled back: trusted/counter stands at 4, flash.bin knows 2; missing: up to 2 protected changes
          what to do: put the newest flash back, with the counter that belongs to it; `lockstone recover DEV` says what accepting this one means
        ! lockstone: the flash was rolled back; nothing was changed
        = 4
        $ check dev --json
        {"clean":true,"client":0,"counter":{"counter":4,"flash":{"intent":false,"value":2},"verdict":"older"},"damaged_headers":0,"damaged_records":0,"doubt":null,"findings":[{"advice":"put the newest flash back, with the counter that belongs to it; `lockstone recover DEV` says what accepting this one means","class":"rolled-back","damage":true,"sentence":"the flash was rolled back: trusted/counter stands at 4, flash.bin knows 2; missing: up to 2 protected changes"}],"keys_damaged":[],"keys_good":2,"keys_of_others":0,"listing_gaps":0,"mounted":true,"records":9,"rollbacks_accepted":0,"rolled_back":true,"sound":false,"torn_bytes":0,"unfinished_runs":0}
        ! lockstone: the flash was rolled back; nothing was changed
        = 4
        $ counter dev
        value      4
        limit      2147483647
        left       2147483643 steps, two a protected change
        verdict    the flash was rolled back: trusted/counter stands at 4, flash.bin knows 2; missing: up to 2 protected changes
          what to do: put the newest flash.bin back; `lockstone inspect DEV` shows what is on this one; `lockstone recover DEV` says what accepting it means
        ! lockstone: the flash was rolled back; nothing was changed
        = 4
        $ counter dev --json
        {"left":2147483643,"limit":2147483647,"low":false,"value":4,"verdict":"older"}
        ! lockstone: the flash was rolled back; nothing was changed
        = 4
        $ recover dev
        What happened: the flash was rolled back: trusted/counter stands at 4, flash.bin knows 2; missing: up to 2 protected changes.
        Keys on it: 2, of all clients; `lockstone check DEV` reads them.
        Accepting makes this the present state. What was written since is lost, protected or not, and the flash that
        holds it will be refused from then on. It takes two steps of the counter, and stays on record.
        ! lockstone: nothing was changed
        !   hint: `lockstone recover DEV --i-accept-rollback` does it
        = 2
        $ recover dev --i-accept-rollback
        Accepted, and recorded: 1 accepted roll-back so far.
        $ get dev lock
        1
        $ check dev
        The store was closed in order.
        14 records of the log read well.
        2 keys of client 0 read well.
        note (rollback-accepted): a roll-back was accepted 1 time: what had been stored since was given up
          what to do: nothing, if you know of it; if not, find out who did it and what was lost
        Nothing is damaged.
        $ recover dev
        ! lockstone: this device was not rolled back: there is nothing to accept
        !   hint: the flash is the one that the counter knows; nothing was changed
        = 2
        $ recover dev --i-accept-rollback
        ! lockstone: this device was not rolled back: there is nothing to accept
        !   hint: the flash is the one that the counter knows; nothing was changed
        = 2
        $ put dev lock --protect < 3
        $ counter dev
        value      8
        limit      2147483647
        left       2147483639 steps, two a protected change
        verdict    the flash is the one that the counter knows
    "#]].assert_eq(&seen);
    std::fs::copy(bench.path("new.bin"), bench.path(FLASH)).unwrap();
    assert_eq!(bench.run("get dev lock").code(), 4, "what was given up does not come back");
}

#[test]
fn a_counter_that_went_back_is_told_apart() {
    let bench = rolled_back("");
    std::fs::copy(bench.path("new.bin"), bench.path(FLASH)).unwrap();
    bench.write(COUNTER, b"1\n");
    expect![[r#"
        $ get dev lock
        ! lockstone: flash.bin and trusted/counter don't belong together: the counter stands at 1, the flash says 4; one of them was replaced; nothing was changed
        !   hint: put back the trusted/counter that belongs to it; `lockstone recover DEV` says what accepting it means
        = 4
        $ recover dev
        What happened: flash.bin and trusted/counter don't belong together: the counter stands at 1, the flash says 4; one of them was replaced.
        Keys on it: 2, of all clients; `lockstone check DEV` reads them.
        Accepting makes this the present state. What was written since is lost, protected or not, and the flash that
        holds it will be refused from then on. It takes two steps of the counter, and stays on record.
        A counter that went back says again what it said before: older images of this flash can pass for the present
        one later. Put the right counter back if there is any way.
        ! lockstone: nothing was changed
        !   hint: `lockstone recover DEV --i-accept-rollback` does it
        = 2
    "#]].assert_eq(&bench.session("get dev lock\nrecover dev"));
    assert_eq!(bench.read(COUNTER), b"1\n");
}

#[test]
fn inspect_says_what_the_flash_is_bound_to() {
    let bench = rolled_back("--suite plain");
    let line = |words: &str| {
        let shown = bench.run(words).shown();
        let told = shown
            .lines()
            .filter(|line| line.starts_with("counter") || line.contains("ROLLED") || line.starts_with('='));
        format!("$ {words}\n{}\n", told.collect::<Vec<_>>().join("\n"))
    };
    let mut seen = line("inspect dev") + &line("inspect new.bin") + &line("inspect old.bin");
    std::fs::copy(bench.path("new.bin"), bench.path(FLASH)).unwrap();
    seen += &line("inspect dev");
    std::fs::rename(bench.path(COUNTER), bench.path("counter")).unwrap();
    seen += &line("inspect dev");
    bench.session("new fresh --flash 64K\nnew all --flash 64K --protect-all");
    seen += &(line("inspect fresh") + &line("inspect all"));
    expect![[r#"
        $ inspect dev
        counter  trusted/counter says 4; the flash is bound to it at 2 by a counted commit: older
        ROLLED BACK (rolled-back): the flash was rolled back: trusted/counter stands at 4, flash.bin knows 2; missing: up to 2 protected changes
        = 4
        $ inspect new.bin
        counter  not here; the flash is bound to it at 4 by a counted commit: whether it is the newest can't be told
        $ inspect old.bin
        counter  not here; the flash is bound to it at 2 by a counted commit: whether it is the newest can't be told
        $ inspect dev
        counter  trusted/counter says 4; the flash is bound to it at 4 by a counted commit: current
        $ inspect dev
        counter  not here; the flash is bound to it at 4 by a counted commit: whether it is the newest can't be told
        = 3
        $ inspect fresh
        counter  trusted/counter says 0; nothing on the flash is bound to it
        $ inspect all
        counter  trusted/counter says 2; the flash is bound to it at 2 by a counted commit, as every commit is: current
    "#]].assert_eq(&seen);
    let json = bench.run("inspect all --json");
    let found: serde_json::Value = serde_json::from_slice(json.out()).unwrap();
    expect![[
        r#"{"intent":false,"value":2} {"counter":2,"flash":{"intent":false,"value":2},"verdict":"current"} true"#
    ]]
    .assert_eq(&format!("{} {} {}", found["bound"], found["counter"], found["every_commit"]));
    let records = bench.run("inspect new.bin --records").shown();
    let marks = records.lines().filter(|line| line.contains("intent") || line.contains("counted  "));
    let marks: Vec<_> = marks.map(str::trim).collect();
    expect![[r#"
        0     304      16  intent      -               -  --     counter 0
        0     336      16  counted     -               -  r-     counter 2
        0     688      16  intent      -               -  --     counter 2
        0     720      16  counted     -               -  r-     counter 4"#]]
    .assert_eq(&marks.join("\n"));
}

#[test]
fn a_device_may_protect_every_commit() {
    let bench = Bench::with_device("--flash 64K --protect-all");
    assert_eq!(bench.read(COUNTER), b"2\n", "formatting took two steps");
    bench.session("put dev a < 1");
    let old = bench.read(FLASH);
    bench.session("rm dev a");
    assert_eq!(bench.read(COUNTER), b"6\n");
    bench.write(FLASH, &old);
    assert_eq!(bench.run("get dev a").code(), 4);
}

#[test]
fn ordinary_writes_and_looks_take_no_step() {
    let bench = Bench::with_device("--flash 64K");
    bench.session("put dev a < 1\nput dev a < 2\nrm dev a\nls dev -l\ncheck dev\nstats dev\ncounter dev\ninspect dev");
    assert_eq!(bench.read(COUNTER), b"0\n");
}

#[test]
fn exhaustion_is_announced_and_then_refused() {
    let bench = Bench::with_device("--flash 64K --counter-limit 32");
    assert!(String::from_utf8(bench.read("dev/device.toml")).unwrap().contains("counter_limit = 32"));
    let mut seen = String::new();
    let mut stored = 0;
    loop {
        let ran = bench.feed("put dev lock --protect", stored.to_string().as_bytes());
        if !ran.shown().is_empty() {
            seen += &format!("$ put dev lock --protect < {stored}\n{}", ran.shown());
        }
        if ran.code() != 0 {
            break;
        }
        stored += 1;
    }
    seen += &bench.session("get dev lock\nput dev other < works\nput dev o --once < x\ncounter dev\ncheck dev");
    expect![[r#"
        $ put dev lock --protect < 14
        ! lockstone: warning: the counter has 2 steps left of 32, enough for 1 protected change
        $ put dev lock --protect < 15
        ! lockstone: warning: the counter has 0 steps left of 32, enough for 0 protected changes
        $ put dev lock --protect < 16
        ! lockstone: the counter has no step left; nothing was changed
        !   hint: what needs no counter still works; protected keys can be read, and have to move to a new device to change
        = 5
        $ get dev lock
        15
        $ put dev other < works
        $ put dev o --once < x
        ! lockstone: the counter has no step left; nothing was changed
        !   hint: what needs no counter still works; protected keys can be read, and have to move to a new device to change
        = 5
        $ counter dev
        value      32
        limit      32
        left       0 steps, two a protected change
        verdict    the flash is the one that the counter knows
        LOW: the counter has 0 steps left of 32, enough for 0 protected changes; plan to replace the device
        $ check dev
        The store was closed in order.
        88 records of the log read well.
        2 keys of client 0 read well.
        note (counter-low): the counter has 0 steps left of 32, enough for 0 protected changes
          what to do: plan to replace the device: without steps nothing protected can be changed
        Nothing is damaged.
    "#]].assert_eq(&seen);
}

#[test]
fn a_counter_that_is_gone_or_nonsense_is_never_made_again() {
    let look = |spoil: fn(&Bench)| {
        let bench = Bench::with_device("--flash 64K");
        bench.session("put dev lock --protect < 1");
        spoil(&bench);
        let before = bench.read(FLASH);
        let seen = bench.session("get dev lock\nput dev a < 1\ncheck dev\ncheck dev --json\ncounter dev");
        assert_eq!(bench.read(FLASH), before);
        seen
    };
    let gone = look(|bench| std::fs::remove_file(bench.path(COUNTER)).unwrap());
    let nonsense = look(|bench| bench.write(COUNTER, b"two\n"));
    let beyond = look(|bench| bench.write(COUNTER, b"4294967296\n"));
    expect![[r#"
        $ get dev lock
        ! lockstone: trusted/counter is gone
        !   hint: nothing is made again in its place: put it back as it was
        = 3
        $ put dev a < 1
        ! lockstone: trusted/counter is gone
        !   hint: nothing is made again in its place: put it back as it was
        = 3
        $ check dev
        ! lockstone: trusted/counter is gone
        !   hint: nothing is made again in its place: put it back as it was
        = 3
        $ check dev --json
        {"mounted":false,"reason":"trusted/counter is gone","sound":false}
        ! lockstone: trusted/counter is gone
        !   hint: nothing is made again in its place: put it back as it was
        = 3
        $ counter dev
        ! lockstone: trusted/counter is gone
        !   hint: nothing is made again in its place: put it back as it was
        = 3

        $ get dev lock
        ! lockstone: trusted/counter is not a number on a line
        !   hint: who may write there? Nothing was changed
        = 3
        $ put dev a < 1
        ! lockstone: trusted/counter is not a number on a line
        !   hint: who may write there? Nothing was changed
        = 3
        $ check dev
        ! lockstone: trusted/counter is not a number on a line
        !   hint: who may write there? Nothing was changed
        = 3
        $ check dev --json
        {"mounted":false,"reason":"trusted/counter is not a number on a line","sound":false}
        ! lockstone: trusted/counter is not a number on a line
        !   hint: who may write there? Nothing was changed
        = 3
        $ counter dev
        ! lockstone: trusted/counter is not a number on a line
        !   hint: who may write there? Nothing was changed
        = 3

        $ get dev lock
        ! lockstone: trusted/counter stands beyond its limit of 2147483647
        !   hint: was it edited, or `counter_limit` in device.toml? Nothing was changed
        = 3
        $ put dev a < 1
        ! lockstone: trusted/counter stands beyond its limit of 2147483647
        !   hint: was it edited, or `counter_limit` in device.toml? Nothing was changed
        = 3
        $ check dev
        ! lockstone: trusted/counter stands beyond its limit of 2147483647
        !   hint: was it edited, or `counter_limit` in device.toml? Nothing was changed
        = 3
        $ check dev --json
        {"mounted":false,"reason":"trusted/counter stands beyond its limit of 2147483647","sound":false}
        ! lockstone: trusted/counter stands beyond its limit of 2147483647
        !   hint: was it edited, or `counter_limit` in device.toml? Nothing was changed
        = 3
        $ counter dev
        ! lockstone: trusted/counter stands beyond its limit of 2147483647
        !   hint: was it edited, or `counter_limit` in device.toml? Nothing was changed
        = 3
    "#]]
    .assert_eq(&[gone, nonsense, beyond].join("\n"));
}

#[test]
fn attributes_forbid_what_they_say() {
    let bench = Bench::with_device("--flash 64K");
    let seen = bench.session(
        "
        put dev p --protected < 1
        put dev o --once < 1
        put dev o < 2
        rm dev o
        attributes dev o --remove once
        put dev r --read-only < 1
        put dev r < 2
        attributes dev r
        attributes dev r --remove read-only,protected
        put dev r < 2
        put dev d --no-delete < 1
        rm dev d
        put dev d < 2
        attributes dev d --remove no-delete
        rm dev d
        put dev t --retain < 1
        put dev x --executable < 1
        put dev a --once --accept-replay < 1
        put dev a < 2
        put dev n < 1
        attributes dev n
        attributes dev n --add executable,retain --json
        attributes dev absent
        attributes dev absent --add retain
        ls dev -l
        ",
    );
    expect![[r#"
        $ put dev p --protected < 1
        $ put dev o --once < 1
        $ put dev o < 2
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ rm dev o
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ attributes dev o --remove once
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ put dev r --read-only < 1
        $ put dev r < 2
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ attributes dev r
        protected      each change is bound to the counter: no older flash brings the state before back
        read-only      the value can't be changed until this is taken away
        $ attributes dev r --remove read-only,protected
        none
        $ put dev r < 2
        $ put dev d --no-delete < 1
        $ rm dev d
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ put dev d < 2
        $ attributes dev d --remove no-delete
        protected      each change is bound to the counter: no older flash brings the state before back
        $ rm dev d
        $ put dev t --retain < 1
        $ put dev x --executable < 1
        $ put dev a --once --accept-replay < 1
        $ put dev a < 2
        ! lockstone: the entry's attributes forbid it; nothing was changed
        !   hint: `lockstone attributes DEV KEY` shows what forbids it
        = 6
        $ put dev n < 1
        $ attributes dev n
        none
        $ attributes dev n --add executable,retain --json
        {"attributes":["retain","executable"],"object":false}
        $ attributes dev absent
        ! lockstone: no such key: absent
        = 1
        $ attributes dev absent --add retain
        ! lockstone: no such key: absent
        = 1
        $ ls dev -l
               1  oa    a
               1  tx    n
               1  po    o
               1  p     p
               1  -     r
               1  t     t
               1  x     x
    "#]]
    .assert_eq(&seen);
}

#[test]
fn attributes_that_make_no_sense_are_refused() {
    let bench = Bench::with_device("--flash 64K");
    let seen = bench.session(
        "
        put dev k --clear < 1
        rm dev k
        put dev k --once --read-only < 1
        put dev k --retain --factory < 1
        put dev k --once --factory < 1
        put dev k --protected --accept-replay < 1
        put dev k --accept-replay < 1
        attributes dev lost --add clear
        attributes dev k --add rot13
        new other --counter-limit 1
        ls dev
        ",
    );
    expect![[r#"
        $ put dev k --clear < 1
        $ rm dev k
        $ put dev k --once --read-only < 1
        ! lockstone: write-once says it all: read-only is what can be lifted again
        !   hint: nothing was changed
        = 2
        $ put dev k --retain --factory < 1
        ! lockstone: a factory reset can't keep a value and bring back another one
        !   hint: nothing was changed
        = 2
        $ put dev k --once --factory < 1
        ! lockstone: what is written once has no other factory copy
        !   hint: nothing was changed
        = 2
        $ put dev k --protected --accept-replay < 1
        ! lockstone: an entry is protected from replay or replayable, not both
        !   hint: nothing was changed
        = 2
        $ put dev k --accept-replay < 1
        ! lockstone: only write-once, read-only and non-deletable entries are made replayable
        !   hint: nothing was changed
        = 2
        $ attributes dev lost --add clear
        ! lockstone: no such key: lost
        = 1
        $ attributes dev k --add rot13
        ! error: invalid value 'rot13' for '--add <A,B>'
        !   [possible values: protected, once, read-only, no-delete, retain, factory, executable, accept-replay, clear]
        ! 
        ! For more information, try '--help'.
        = 2
        $ new other --counter-limit 1
        ! error: invalid value '1' for '--counter-limit <N>': 1 is not in 2..=2147483647
        ! 
        ! For more information, try '--help'.
        = 2
        $ ls dev
    "#]]
    .assert_eq(&seen);
}

#[test]
fn a_protected_key_is_protected_without_asking() {
    let bench = Bench::with_device("--flash 64K");
    bench.session("put dev k --protected < 1");
    let old = bench.read(FLASH);
    bench.session("put dev k < 2");
    assert_eq!(bench.read(COUNTER), b"4\n");
    bench.write(FLASH, &old);
    assert_eq!(bench.run("get dev k").code(), 4);
}

/// The engine knows only that its counter failed: what the file system said is told with it.
#[test]
fn a_counter_that_fails_says_why() {
    let bench = Bench::with_device("--flash 64K");
    bench.session("put dev lock --protect < 1");
    let before = bench.read(COUNTER);
    std::fs::create_dir(bench.path("dev/trusted/.counter.new")).unwrap();
    let seen = bench.session("put dev lock --protect < 2");
    std::fs::remove_dir(bench.path("dev/trusted/.counter.new")).unwrap();
    bench.allow("dev/trusted", 0o500);
    bench.write("two", b"2");
    let denied = bench.run_as_somebody("put dev lock --protect --file two").shown();
    bench.allow("dev/trusted", 0o700);
    expect![[r#"
        $ put dev lock --protect < 2
        ! lockstone: the counter failed: can't read or write trusted/counter: is a directory
        !   hint: the next command that may write finds out by itself what was counted
        = 7
        ! lockstone: the counter failed: can't read or write trusted/counter: permission denied
        !   hint: the next command that may write finds out by itself what was counted
        = 6
    "#]]
    .assert_eq(&(seen + &denied));
    assert_eq!(bench.read(COUNTER), before);
}
