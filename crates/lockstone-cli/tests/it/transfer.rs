//! Import and export: everything arrives, names and all, and nothing leaves in the clear unasked.

use expect_test::expect;

use super::Bench;

fn filled() -> Bench {
    let bench = Bench::with_device("--flash 64K");
    for (name, value) in [("wifi/psk", &b"correct horse"[..]), ("wifi", b"x"), ("../up", b"odd"), ("empty", b"")] {
        assert_eq!(bench.feed(&format!("put dev {name}"), value).code(), 0);
    }
    assert_eq!(bench.feed("put dev cert", &[b'C'; 3000]).code(), 0);
    assert_eq!(bench.feed("put dev other --client 3", b"3").code(), 0);
    bench.write("key", &[9; 32]);
    bench
}

#[test]
fn every_form_brings_all_keys_back() {
    let bench = filled();
    let seen = bench.session(
        "
        export dev -o x
        export dev --plain -o backup.tar
        export dev --plain -o folder
        export dev --sealed key -o backup.bin
        export dev --sealed key -o backup.bin
        export dev --plain -o three.tar --client 3
        new tarred --flash 64K
        import tarred backup.tar
        new foldered --flash 64K
        import foldered folder
        new unsealed --flash 64K --suite plain
        import unsealed backup.bin --key key
        import unsealed three.tar --client 3
        import unsealed backup.bin
        import unsealed absent.tar
        ls unsealed -l
        get unsealed other --client 3
        ",
    );
    expect![[r#"
        $ export dev -o x
        ! error: the following required arguments were not provided:
        !   <--plain|--sealed <F>>
        ! 
        ! Usage: lockstone export --output <F|DIR> <--plain|--sealed <F>> <DEV>
        ! 
        ! For more information, try '--help'.
        = 2
        $ export dev --plain -o backup.tar
        5 keys exported IN THE CLEAR to backup.tar.
        ! left out, as they are of other clients: 1 key; --client N names one
        $ export dev --plain -o folder
        5 keys exported IN THE CLEAR to folder.
        ! left out, as they are of other clients: 1 key; --client N names one
        $ export dev --sealed key -o backup.bin
        5 keys exported, sealed.
        ! left out, as they are of other clients: 1 key; --client N names one
        $ export dev --sealed key -o backup.bin
        ! left out, as they are of other clients: 1 key; --client N names one
        ! lockstone: backup.bin is there already
        !   hint: nothing is ever overwritten; remove it yourself if you mean it
        = 2
        $ export dev --plain -o three.tar --client 3
        1 key exported IN THE CLEAR to three.tar.
        ! left out, as they are of other clients: 5 keys; --client N names one
        $ new tarred --flash 64K
        $ import tarred backup.tar
        5 keys imported.
        $ new foldered --flash 64K
        $ import foldered folder
        5 keys imported.
        $ new unsealed --flash 64K --suite plain
        $ import unsealed backup.bin --key key
        5 keys imported.
        $ import unsealed three.tar --client 3
        1 key imported.
        $ import unsealed backup.bin
        ! lockstone: backup.bin is no whole tar file
        !   hint: a folder and a tar file are known as such; --nvs reads an ESP-IDF partition, --key F a sealed export
        = 2
        $ import unsealed absent.tar
        ! lockstone: there is no file absent.tar
        = 2
        $ ls unsealed -l
               3  -     ../up
            3000  -     cert
               0  -     empty
               1  -     wifi
              13  -     wifi/psk
        $ get unsealed other --client 3
        3
    "#]]
    .assert_eq(&seen);
    for device in ["tarred", "foldered", "unsealed"] {
        assert_eq!(bench.run(&format!("ls {device} -l")).out(), bench.run("ls dev -l").out(), "{device}");
        assert_eq!(bench.run(&format!("get {device} cert")).out(), &[b'C'; 3000], "{device}");
    }
    let sealed = bench.read("backup.bin");
    assert!(!sealed.windows(8).any(|window| window == b"correct "), "a sealed export shows a secret");
}

#[test]
fn attributes_travel_with_their_keys() {
    let bench = Bench::with_device("--flash 64K");
    bench.write("key", &[9; 32]);
    bench.session(
        "
        put dev once --once < 1
        put dev kept/a --retain --read-only --protected < 2
        put dev factory --factory < 3
        put dev ../odd --clear < 4
        put dev plain < 5
        put dev .lockstone-attributes < 6
        ",
    );
    let seen = bench.session(
        "
        ls dev -l
        export dev --plain -o backup.tar
        export dev --plain -o folder
        export dev --sealed key -o backup.bin
        new tarred --flash 64K
        import tarred backup.tar
        new foldered --flash 64K
        import foldered folder
        new unsealed --flash 64K
        import unsealed backup.bin --key key
        import unsealed backup.bin --key key
        import unsealed backup.bin --key key --client 1
        counter unsealed
        ls unsealed -l
        ",
    );
    expect![[r#"
        $ ls dev -l
               1  c     ../odd
               1  -     .lockstone-attributes
               1  f     factory
               1  prt   kept/a
               1  po    once
               1  -     plain
        $ export dev --plain -o backup.tar
        6 keys exported IN THE CLEAR to backup.tar.
        ! left out: the factory copies of 1 key; an import takes the present values for them
        $ export dev --plain -o folder
        6 keys exported IN THE CLEAR to folder.
        ! left out: the factory copies of 1 key; an import takes the present values for them
        $ export dev --sealed key -o backup.bin
        6 keys exported, sealed.
        ! left out: the factory copies of 1 key; an import takes the present values for them
        $ new tarred --flash 64K
        $ import tarred backup.tar
        6 keys imported, 4 of them with attributes.
        $ new foldered --flash 64K
        $ import foldered folder
        6 keys imported, 4 of them with attributes.
        $ new unsealed --flash 64K
        $ import unsealed backup.bin --key key
        6 keys imported, 4 of them with attributes.
        $ import unsealed backup.bin --key key
        ! lockstone: key kept/a: the entry's attributes forbid it; 3 of 6 keys were stored before it
        = 6
        $ import unsealed backup.bin --key key --client 1
        ! lockstone: backup.bin holds no key
        !   hint: a sealed export holds the keys of one client: name it with --client N
        = 1
        $ counter unsealed
        value      3
        limit      2147483647
        left       2147483644 steps, two a protected change
        verdict    the flash is the one that the counter knows
        $ ls unsealed -l
               1  c     ../odd
               1  -     .lockstone-attributes
               1  f     factory
               1  prt   kept/a
               1  po    once
               1  -     plain
    "#]]
    .assert_eq(&seen);
    expect![[r#"
        ".lockstone-name/2e2e2f6f6464" = ["clear"]
        factory = ["factory"]
        "kept/a" = ["protected", "read-only", "retain"]
        once = ["protected", "once"]
    "#]]
    .assert_eq(&String::from_utf8_lossy(&bench.read("folder/.lockstone-attributes")));
    for device in ["tarred", "foldered"] {
        assert_eq!(bench.run(&format!("ls {device} -l")).out(), bench.run("ls dev -l").out(), "{device}");
    }
    bench.session("new other --flash 64K");
    let mut refused = String::new();
    for table in
        ["\"plain\" = [\"red\"]", "\"gone\" = [\"once\"]", "plain = once", "\"plain\" = [\"once\", \"executable\"]"]
    {
        std::fs::write(bench.path("folder/.lockstone-attributes"), table).unwrap();
        refused += &bench.session("import other folder\nls other");
    }
    expect![[r#"
        $ import other folder
        ! lockstone: .lockstone-attributes: red is no attribute
        = 2
        $ ls other
        $ import other folder
        ! lockstone: .lockstone-attributes: there is no key gone
        = 2
        $ ls other
        $ import other folder
        ! lockstone: .lockstone-attributes: it is no table of paths and words
        = 2
        $ ls other
        $ import other folder
        6 keys imported, 1 of them with attributes.
        $ ls other
        ../odd
        .lockstone-attributes
        factory
        kept/a
        once
        plain
    "#]]
    .assert_eq(&refused);
}

#[test]
fn what_does_not_fit_says_how_far_it_came() {
    let bench = filled();
    std::fs::create_dir(bench.path("big")).unwrap();
    bench.write("big/a", b"1");
    bench.write("big/b", &[0; 100_000]);
    expect![[r#"
        $ import dev big
        ! lockstone: key b: the value has 100000 bytes, this store holds 40524 in all, and while one value takes the place of another it needs room for both; 1 of 2 keys were stored before it
        = 2
        $ get dev a
        1
    "#]]
    .assert_eq(&bench.session("import dev big\nget dev a"));
}

#[test]
fn a_broken_archive_stores_nothing() {
    let bench = filled();
    assert_eq!(bench.run("export dev --plain -o backup.tar").code(), 0);
    let tar = bench.read("backup.tar");
    bench.write("cut.tar", &tar[..tar.len() / 2]);
    bench.session("new fresh --flash 64K");
    expect![[r#"
        $ import fresh cut.tar
        ! lockstone: cut.tar is no whole tar file
        !   hint: a folder and a tar file are known as such; --nvs reads an ESP-IDF partition, --key F a sealed export
        = 2
        $ import fresh key --nvs
        ! lockstone: key is no NVS partition: it is no whole number of pages of 4096 bytes
        = 2
        $ ls fresh
    "#]]
    .assert_eq(&bench.session("import fresh cut.tar\nimport fresh key --nvs\nls fresh"));
}

#[test]
fn an_export_that_does_not_end_leaves_nothing() {
    let bench = filled();
    let lockstone = env!("CARGO_BIN_EXE_lockstone");
    for words in ["--plain -o half.tar", "--plain -o half", "--sealed key -o half.bin"] {
        // A file may have 2 blocks of 512 bytes: fewer than any export here.
        let script = format!("trap '' XFSZ; ulimit -f 2; {lockstone} export dev {words} 2> /dev/null");
        let status = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(bench.path(""))
            .env("LOCKSTONE_NO_SYNC", "1")
            .status();
        assert_eq!(status.unwrap().code(), Some(7), "{words}");
    }
    let left = std::fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left: Vec<_> = left.map(|name| name.to_string_lossy().into_owned()).collect();
    left.sort();
    assert_eq!(left, ["dev", "key"], "something half-written is left");
}

#[test]
fn names_from_elsewhere_move_no_cursor() {
    let bench = filled();
    std::fs::create_dir(bench.path("odd")).unwrap();
    bench.write("odd/\u{1b}[31mred\nline", &[0; 100_000]);
    let said = bench.run("import dev odd").err();
    assert!(said.contains("\\x1b[31mred\\x0aline") && !said.contains('\u{1b}'), "{said}");
    bench.write("twice.toml", b"flash = { size = 65536, block = 4096, write = 4 }\n[[key]]\nname = \"\\u001b[2J\"\ntext = \"1\"\n[[key]]\nname = \"\\u001b[2J\"\ntext = \"2\"\n");
    let said = bench.run("image build twice.toml -o x --key key").err();
    assert!(said.contains("is there twice") && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn the_help_says_what_becomes_of_attributes() {
    let bench = Bench::with_device("--flash 64K");
    let last = |words: &str| {
        let help = String::from_utf8_lossy(bench.run(words).out()).into_owned();
        help.split("\n\n").last().unwrap().to_owned()
    };
    expect![[r#"
        Attributes that an export brings along are set, on keys that are there already too. Where it says none, a key that
        is there keeps its own, and a new one has none: `lockstone attributes`.

        The attributes of the keys come along: in the file .lockstone-attributes, or sealed with the keys. Factory copies and
        shares do not. To change the key of a device with all it has: `lockstone rekey`.
    "#]].assert_eq(&format!("{}\n{}", last("import --help"), last("export --help")));
    let seen = bench.session(
        "
        put dev marked --retain < 1
        put dev plain < 2
        export dev --plain -o folder
        new other --flash 64K
        put other marked < old
        put other plain --no-delete < old
        import other folder
        ls other -l
        ",
    );
    let listed = seen.split("$ ls other -l\n").last().unwrap();
    assert_eq!(listed, "       1  t     marked\n       1  pd    plain\n");
}

#[test]
fn what_is_too_long_is_not_read() {
    let bench = filled();
    std::fs::create_dir(bench.path("folder")).unwrap();
    for name in ["long", "folder/long"] {
        std::fs::File::create(bench.path(name)).unwrap().set_len(5 << 30).unwrap();
    }
    let seen = bench.session(
        "
        import dev long
        import dev long --nvs
        import dev /dev/zero --nvs
        import dev long --key key
        import dev folder
        ",
    );
    expect![[r#"
        $ import dev long
        ! lockstone: long is too long: no flash holds more than 1 GiB, all values together
        !   hint: a folder and a tar file are known as such; --nvs reads an ESP-IDF partition, --key F a sealed export
        = 2
        $ import dev long --nvs
        ! lockstone: long is too long: no NVS partition is larger than 128 MiB
        = 2
        $ import dev /dev/zero --nvs
        ! lockstone: /dev/zero is too long: no NVS partition is larger than 128 MiB
        = 2
        $ import dev long --key key
        ! lockstone: long is too long: no image is larger than 1 GiB
        = 2
        $ import dev folder
        ! lockstone: folder/long is too long: no flash holds more than 1 GiB, all values together
        = 2
    "#]]
    .assert_eq(&seen);
}

#[test]
fn what_holds_no_key_says_so() {
    let bench = filled();
    std::fs::create_dir(bench.path("empty")).unwrap();
    bench.write("zeros.tar", &[0; 1024]);
    expect![[r#"
        $ import dev empty
        ! lockstone: empty holds no key
        = 1
        $ import dev zeros.tar
        ! lockstone: zeros.tar holds no key
        = 1
    "#]]
    .assert_eq(&bench.session("import dev empty\nimport dev zeros.tar"));
}
