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
        ! lockstone: device dev-08: key tls/ca of 80000 bytes: the value is longer than this store can hold
        = 2
    "#]]
    .assert_eq(&bench.session("image build batch.toml -o out --device dev-08"));
    std::fs::remove_file(bench.path("ca.pem")).unwrap();
    expect![[r#"
        $ image build batch.toml -o out2 --device dev-08
        ! lockstone: device dev-08: there is no file ca.pem
        = 2
    "#]]
    .assert_eq(&bench.session("image build batch.toml -o out2 --device dev-08"));
}
