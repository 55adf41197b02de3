//! Factory images: the same bytes each time, a key for each device, and a verification that tells.

use expect_test::expect;

use super::Bench;

const BATCH: &str = r#"
flash = { size = "64K", block = "4K", write = 4 }

[devices]
secret = "batch.key"
prefix = "dev-"
first = 8
count = 5

[[key]]
name = "serial"
text = "{device}"

[[key]]
name = "tls/ca"
file = "ca.pem"

[[key]]
name = "wifi/psk"
text = "correct horse"
client = 7
"#;

fn factory() -> Bench {
    let bench = Bench::new();
    bench.write("batch.toml", BATCH.as_bytes());
    bench.write("batch.key", &[0x11; 32]);
    bench.write("ca.pem", &[b'A'; 900]);
    bench
}

#[test]
fn a_batch_is_made_twice_alike_and_its_devices_work() {
    let bench = factory();
    let seen = bench.session(
        "
        image build batch.toml -o out --with-keys
        image build batch.toml -o again
        image build batch.toml -o out
        get out/dev-10 serial
        get out/dev-10 wifi/psk --client 7
        get again/dev-10 serial
        image key batch.toml dev-10 -o key
        image key batch.toml dev-77 -o key
        image verify batch.toml out
        put out/dev-09 boots < 1
        image verify batch.toml out
        put out/dev-09 serial < stolen
        image verify batch.toml out
        image verify batch.toml out --json
        image verify batch.toml out --device dev-12
        ",
    );
    expect![[r#"
        $ image build batch.toml -o out --with-keys
        5 devices in out, their root keys in trusted/ of each.
        $ image build batch.toml -o again
        5 devices in again, their root keys follow from the batch secret.
        $ image build batch.toml -o out
        ! lockstone: out/dev-08 is there already
        !   hint: a device is never overwritten; choose another folder with -o, or remove it yourself
        = 2
        $ get out/dev-10 serial
        dev-10
        $ get out/dev-10 wifi/psk --client 7
        correct horse
        $ get again/dev-10 serial
        ! lockstone: the root key of the device, trusted/root.key, is gone
        !   hint: put it there if you have it; after `lockstone erase` nobody has
        = 3
        $ image key batch.toml dev-10 -o key
        $ image key batch.toml dev-77 -o key
        ! lockstone: there is no device dev-77 in the manifest
        = 2
        $ image verify batch.toml out
        5 devices as built, 0 wrong.
        $ put out/dev-09 boots < 1
        $ image verify batch.toml out
        4 devices as built, 1 used since and in order, 0 wrong.
        $ put out/dev-09 serial < stolen
        $ image verify batch.toml out
        4 devices as built, 1 wrong.
        WRONG: dev-09: key serial is missing or has another value
        ! lockstone: not every device is as it should be
        = 3
        $ image verify batch.toml out --json
        {"as_built":4,"used":0,"wrong":[{"device":"dev-09","why":"key serial is missing or has another value"}]}
        ! lockstone: not every device is as it should be
        = 3
        $ image verify batch.toml out --device dev-12
        1 device as built, 0 wrong.
    "#]]
    .assert_eq(&seen);
    for device in ["dev-08", "dev-09", "dev-10", "dev-11", "dev-12"] {
        if device != "dev-09" {
            let image = bench.read(&format!("out/{device}/flash.bin"));
            assert_eq!(image, bench.read(&format!("again/{device}/flash.bin")), "{device}");
        }
    }
    assert_eq!(bench.read("key"), bench.read("out/dev-10/trusted/root.key"));
    assert!(!bench.path("again/dev-10/trusted").exists(), "keys are written only when asked for");
    assert_ne!(bench.read("out/dev-10/trusted/root.key"), bench.read("out/dev-11/trusted/root.key"));
}

#[test]
fn one_image_takes_a_key_of_its_own() {
    let bench = Bench::new();
    bench
        .write("one.toml", b"flash = { size = 65536, block = 4096, write = 4 }\n[[key]]\nname = \"a\"\ntext = \"1\"\n");
    bench.write("key", &[7; 32]);
    let seen = bench.session(
        "
        image build one.toml -o flash.bin
        image build one.toml -o flash.bin --key key
        image build one.toml -o flash.bin --key key
        image verify one.toml flash.bin --key key
        image verify one.toml key --key key
        image build absent.toml -o x
        ",
    );
    expect![[r#"
        $ image build one.toml -o flash.bin
        ! lockstone: which root key? The manifest names no devices, so there is one image and one key
        !   hint: give a file of 32 bytes with --key FILE
        = 2
        $ image build one.toml -o flash.bin --key key
        $ image build one.toml -o flash.bin --key key
        ! lockstone: flash.bin is there already
        !   hint: nothing is ever overwritten; remove it yourself if you mean it
        = 2
        $ image verify one.toml flash.bin --key key
        1 device as built, 0 wrong.
        $ image verify one.toml key --key key
        0 devices as built, 1 wrong.
        WRONG: key: has 32 bytes instead of 65536
        ! lockstone: not every device is as it should be
        = 3
        $ image build absent.toml -o x
        ! lockstone: there is no file absent.toml
        = 2
    "#]]
    .assert_eq(&seen);
    assert_eq!(bench.run("inspect flash.bin --key key").code(), 0);
}

#[test]
fn a_value_that_does_not_fit_is_named() {
    let bench = factory();
    bench.write("ca.pem", &[b'A'; 80_000]);
    expect![[r#"
        $ image build batch.toml -o out --device dev-08
        ! lockstone: device dev-08: ca.pem is too long: the whole flash has 65536 bytes
        = 2
    "#]]
    .assert_eq(&bench.session("image build batch.toml -o out --device dev-08"));
    std::fs::remove_file(bench.path("ca.pem")).unwrap();
    expect![[r#"
        $ image build batch.toml -o out2 --device dev-08
        ! lockstone: there is no file ca.pem
        = 2
    "#]]
    .assert_eq(&bench.session("image build batch.toml -o out2 --device dev-08"));
}

const ONE: &[u8] = b"flash = { size = 65536, block = 4096, write = 4 }\n";

#[test]
fn options_that_would_be_ignored_are_refused() {
    let bench = factory();
    bench.write("one.toml", ONE);
    bench.write("key", &[7; 32]);
    let seen = bench.session(
        "
        image build batch.toml -o out --key key
        image build one.toml -o out --key key --device dev-08
        image build one.toml -o out --key key --with-keys
        image build one.toml -o image --key key
        image verify batch.toml out --key key
        image verify one.toml image --key key --device dev-08
        ",
    );
    expect![[r#"
        $ image build batch.toml -o out --key key
        ! lockstone: the manifest names devices, whose root keys follow from the batch secret: --key is for one image
        = 2
        $ image build one.toml -o out --key key --device dev-08
        ! lockstone: the manifest names no devices: --device is for one that does
        = 2
        $ image build one.toml -o out --key key --with-keys
        ! lockstone: the manifest names no devices: --with-keys is for those, one image has the key that was given
        = 2
        $ image build one.toml -o image --key key
        $ image verify batch.toml out --key key
        ! lockstone: the manifest names devices, whose root keys follow from the batch secret: --key is for one image
        = 2
        $ image verify one.toml image --key key --device dev-08
        ! lockstone: the manifest names no devices: --device is for one that does
        = 2
    "#]]
    .assert_eq(&seen);
    assert!(!bench.path("out").exists());
}

#[test]
fn inputs_without_an_end_are_refused() {
    let bench = factory();
    bench.write("one.toml", ONE);
    bench.write("zeros.toml", &[ONE, b"[[key]]\nname = \"a\"\nfile = \"/dev/zero\"\n"].concat());
    bench.write("secret.toml", BATCH.replace("batch.key", "/dev/zero").as_bytes());
    bench.write("digits.toml", BATCH.replace("first = 8", "digits = 65536").as_bytes());
    bench.write("key", &[7; 32]);
    std::fs::File::create(bench.path("long")).unwrap().set_len(5 << 30).unwrap();
    let seen = bench.session(
        "
        image verify one.toml long --key key
        image build /dev/zero -o out
        image build zeros.toml -o out --key key
        image build secret.toml -o out
        image build digits.toml -o out
        image build one.toml -o out --key /dev/zero
        image verify one.toml /dev/zero --key key
        image verify /dev/zero x
        ",
    );
    expect![[r#"
        $ image verify one.toml long --key key
        0 devices as built, 1 wrong.
        WRONG: long: has 5368709120 bytes instead of 65536
        ! lockstone: not every device is as it should be
        = 3
        $ image build /dev/zero -o out
        ! lockstone: /dev/zero is too long: no manifest is larger than 128 MiB
        = 2
        $ image build zeros.toml -o out --key key
        ! lockstone: /dev/zero is too long: the whole flash has 65536 bytes
        = 2
        $ image build secret.toml -o out
        ! lockstone: /dev/zero is not a secret of 32 bytes
        !   hint: make one with: head -c 32 /dev/urandom > /dev/zero
        = 2
        $ image build digits.toml -o out
        ! lockstone: digits.toml: the name of a device has at most 100 letters and digits, not 65536
        = 2
        $ image build one.toml -o out --key /dev/zero
        ! lockstone: /dev/zero is not a key of 32 bytes
        = 2
        $ image verify one.toml /dev/zero --key key
        ! lockstone: /dev/zero is too long: the flash has 65536 bytes
        = 2
        $ image verify /dev/zero x
        ! lockstone: /dev/zero is too long: no manifest is larger than 128 MiB
        = 2
    "#]]
    .assert_eq(&seen);
}

#[test]
fn devices_that_are_missing_are_told() {
    let bench = factory();
    assert_eq!(bench.run("image build batch.toml -o out").code(), 0);
    std::fs::remove_dir_all(bench.path("out/dev-09")).unwrap();
    std::fs::remove_file(bench.path("out/dev-10/device.toml")).unwrap();
    std::fs::remove_file(bench.path("out/dev-11/flash.bin")).unwrap();
    bench.write("out/dev-12/device.toml", b"edited");
    let seen = bench.session(
        "
        image verify batch.toml out
        image verify batch.toml nowhere
        image verify batch.toml batch.key
        ",
    );
    expect![[r#"
        $ image verify batch.toml out
        1 device as built, 4 wrong.
        WRONG: dev-09: it is not there
        WRONG: dev-10: device.toml is not there
        WRONG: dev-11: there is no file out/dev-11/flash.bin
        WRONG: dev-12: device.toml is not as it was made
        ! lockstone: not every device is as it should be
        = 3
        $ image verify batch.toml nowhere
        ! lockstone: there is no folder nowhere
        = 2
        $ image verify batch.toml batch.key
        ! lockstone: batch.key is no folder, and the manifest names devices
        = 2
    "#]]
    .assert_eq(&seen);
}

#[test]
fn a_batch_is_made_whole_or_not_at_all() {
    let bench = factory();
    bench.write("each.toml", BATCH.replace("ca.pem", "ca-{device}.pem").as_bytes());
    for device in ["08", "09", "10", "12"] {
        bench.write(&format!("ca-dev-{device}.pem"), b"A");
    }
    let missing = bench.session("image build each.toml -o out");
    assert!(!bench.path("out").exists(), "a missing file is found before anything is made");
    // What is known only when the devices are made.
    bench.write("ca-dev-11.pem", &[b'A'; 60_000]);
    std::fs::create_dir(bench.path("mine")).unwrap();
    bench.write("mine/file", b"");
    let large =
        bench.session("image build each.toml -o out\nimage build each.toml -o mine\nimage build each.toml -o ca.pem");
    expect![[r#"
        $ image build each.toml -o out
        ! lockstone: there is no file ca-dev-11.pem
        = 2
        $ image build each.toml -o out
        ! lockstone: device dev-11: key tls/ca of 60000 bytes: the value is longer than this store can hold
        = 2
        $ image build each.toml -o mine
        ! lockstone: device dev-11: key tls/ca of 60000 bytes: the value is longer than this store can hold
        = 2
        $ image build each.toml -o ca.pem
        ! lockstone: ca.pem is there already, and no folder
        = 2
    "#]]
    .assert_eq(&format!("{missing}{large}"));
    assert!(!bench.path("out").exists());
    assert_eq!(bench.path("mine").read_dir().unwrap().count(), 1, "devices stay, or more than those is removed");
    bench.write("ca-dev-11.pem", b"A");
    assert_eq!(bench.run("image build each.toml -o out").code(), 0);
}
