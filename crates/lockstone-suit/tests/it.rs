//! Each back-end in every order of calls, under power cuts, and with all that was found wrong in others.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used, missing_docs)]

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockstone::trust::{Anchor, Protection};
use lockstone::{Ascon, Attributes, Key, Memory, Objects, Part, Slot, Store, buffer_size};
use lockstone_sim::{Power, SimCounter, SimError, SimFlash, Tear};
use lockstone_suit::{
    Component, Digest, Manifest, Ram, RamStorage, Registry, SHA_256, Shared, SlotStorage, StoreStorage, SuitError,
    SuitStorage,
};
use lockstone_torture::{Fixed, Random, Trusted, root};
use sha2::{Digest as _, Sha256};

type Flash = SimFlash<4, 4, 4096>;
type Counter<'a> = &'a mut Trusted<SimCounter>;
type Common<'a> = Shared<'a, &'a mut Flash, &'a mut Flash, Ascon, Counter<'a>, Fixed>;

/// A device: keys, objects, code, and fuses.
struct Device {
    keys: Flash,
    objects: Flash,
    code: Flash,
    fuses: Trusted<SimCounter>,
}

impl Clone for Device {
    fn clone(&self) -> Self {
        let Self { keys, objects, code, fuses } = self;
        Self { keys: keys.clone(), objects: objects.clone(), code: code.clone(), fuses: Trusted(fuses.0.clone()) }
    }
}

impl Device {
    fn new() -> Self {
        let mut device = Self {
            keys: Flash::new(8 * 4096, 0xff),
            objects: Flash::new(12 * 4096, 0xff),
            code: Flash::new(4 * 4096, 0xff),
            fuses: Trusted(SimCounter::new(64)),
        };
        let mut memory = Memory::<16, { buffer_size(4, 4, 4096) + 8 }>::new();
        let anchor = Anchor { root: &root(), counter: &mut device.fuses };
        let (part, keys) = (Part::NOR, &mut device.keys);
        Store::<_, Ascon, _>::format_protected(keys, part, anchor, Protection::Chosen, &mut Fixed(1), &mut memory)
            .unwrap();
        Objects::<_, Ascon>::format(&mut device.objects, Part::NOR, &mut [0; 600]).unwrap();
        device
    }

    /// One power session. `None`: power went at the mount.
    fn session<T>(&mut self, act: impl FnOnce(&RefCell<Common<'_>>, &mut Flash) -> T) -> Option<T> {
        let mut memory = Memory::<16, { buffer_size(4, 4, 4096) + 8 }>::new();
        let mut buffer = [0; 600];
        let anchor = Anchor { root: &root(), counter: &mut self.fuses };
        let mut store = Store::<_, Ascon, _>::mount_protected(&mut self.keys, Part::NOR, anchor, &mut memory).ok()?;
        let objects = Objects::<_, Ascon>::open(&mut self.objects, Part::NOR, &mut store, &mut buffer).ok()?;
        Some(act(&RefCell::new(Shared::new(store, objects, Fixed(7), 5)), &mut self.code))
    }

    /// The same with one of the back-ends.
    fn with<T>(&mut self, kind: Kind, act: impl FnOnce(&mut dyn SuitStorage) -> T) -> T {
        let (mut first, mut second, mut ram) = ([0; 9000], [0; 9000], [0; 700]);
        self.session(|shared, code| match kind {
            Kind::Ram => act(&mut RamStorage::new([Ram::new(&mut first), Ram::new(&mut second)])),
            Kind::Store => act(&mut StoreStorage::new(shared, b"fw/", &mut ram)),
            Kind::Slot => {
                let slot = Slot::new(code, Part::NOR, 1).unwrap();
                act(&mut SlotStorage::new(shared, "slot", slot, 0x8000, &mut ram))
            }
        })
        .unwrap()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ram,
    Store,
    Slot,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Ram, Self::Store, Self::Slot];

    const fn location(self) -> &'static [u8] {
        match self {
            Self::Ram => b".ram.1",
            Self::Store => b"fw/app",
            Self::Slot => b"slot",
        }
    }
}

fn content(length: usize) -> Vec<u8> {
    let mut random = Random(9);
    (0..length).map(|_| random.word() as u8).collect()
}

/// A manifest of one component with this digest.
fn with_manifest<T>(digest: Option<&[u8]>, act: impl FnOnce(&Manifest<'_>) -> T) -> T {
    let digest = digest.map(|bytes| Digest { algorithm: SHA_256, bytes });
    act(&Manifest { components: &[Component { id: &[b"fw", b"app"], digest }], current: 0 })
}

const LENGTH: usize = 3000;
/// Whole chunks.
const HALF: usize = 1536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Locate,
    Start,
    WriteHalf,
    WriteRest,
    Finish,
    Read,
    Install,
    Erase,
}

impl Call {
    const ALL: [Self; 8] = [
        Self::Locate,
        Self::Start,
        Self::WriteHalf,
        Self::WriteRest,
        Self::Finish,
        Self::Read,
        Self::Install,
        Self::Erase,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Locate => "set_active_location",
            Self::Start => "start",
            Self::WriteHalf => "write, first half",
            Self::WriteRest => "write, second half",
            Self::Finish => "finish",
            Self::Read => "read",
            Self::Install => "install",
            Self::Erase => "erase",
        }
    }

    fn make(self, storage: &mut dyn SuitStorage, kind: Kind, wanted: &[u8]) -> Result<(), SuitError> {
        with_manifest(Some(&Sha256::digest(wanted)), |manifest| match self {
            Self::Locate => storage.set_active_location(kind.location()),
            Self::Start => storage.start(manifest, LENGTH as u32),
            Self::WriteHalf => storage.write(manifest, &wanted[..HALF], 0),
            Self::WriteRest => storage.write(manifest, &wanted[HALF..], HALF as u32),
            Self::Finish => storage.finish(manifest),
            Self::Read => {
                let mut read = vec![0; LENGTH];
                storage.read(&mut read, 0)?;
                assert_eq!(read, wanted);
                Ok(())
            }
            Self::Install => storage.install(manifest),
            Self::Erase => storage.erase(),
        })
    }
}

/// How each state is reached.
const STATES: [(&str, &[Call]); 6] = [
    ("at boot", &[]),
    ("located", &[Call::Locate]),
    ("started", &[Call::Locate, Call::Start]),
    ("half written", &[Call::Locate, Call::Start, Call::WriteHalf]),
    ("finished", &[Call::Locate, Call::Start, Call::WriteHalf, Call::WriteRest, Call::Finish]),
    (
        "installed",
        &[Call::Locate, Call::Start, Call::WriteHalf, Call::WriteRest, Call::Finish, Call::Read, Call::Install],
    ),
];

#[test]
fn each_call_in_each_state_has_one_result_on_every_back_end() {
    let wanted = content(LENGTH);
    let mut page = String::from(
        "# SUIT storage: what each call does when\n\nWritten by `cargo test -p lockstone-suit`; each back-end gives these \
         results, `ram` but for what is in brackets.\nWhat is refused changes nothing.\n\n| |",
    );
    for (state, _) in STATES {
        let _ = write!(page, " {state} |");
    }
    page.push_str(&format!("\n|{}\n", "---|".repeat(STATES.len() + 1)));
    for call in Call::ALL {
        let _ = write!(page, "| {} |", call.name());
        for (state, way) in STATES {
            let results = Kind::ALL.map(|kind| {
                Device::new().with(kind, |storage| {
                    way.iter().for_each(|step| step.make(storage, kind, &wanted).unwrap());
                    call.make(storage, kind, &wanted)
                })
            });
            assert_eq!(results[1], results[2], "{call:?} {state}");
            let text =
                |result: Result<(), SuitError>| result.map_or_else(|error| format!("{error:?}"), |()| "ok".into());
            let only_ram = if results[0] == results[1] { String::new() } else { format!(" ({})", text(results[0])) };
            let _ = write!(page, " {}{only_ram} |", text(results[1]));
        }
        page.push('\n');
    }
    expect_test::expect_file!["../../../docs/suit.md"].assert_eq(&page);
}

/// Random walks beside a model of the order.
#[test]
fn no_order_of_calls_gets_a_wrong_payload_installed() {
    let wanted = content(LENGTH);
    for kind in Kind::ALL {
        for seed in 0..60 {
            let mut dice = Random(seed);
            Device::new().with(kind, |storage| {
                let (mut located, mut writing, mut whole, mut installed, mut halves) =
                    (false, false, false, false, [false; 2]);
                for _ in 0..40 {
                    let call = Call::ALL[dice.below(Call::ALL.len())];
                    let result = call.make(storage, kind, &wanted);
                    let rising = kind != Kind::Ram
                        || call == Call::WriteHalf && halves == [false; 2]
                        || call == Call::WriteRest && halves == [true, false];
                    let fits = match call {
                        Call::Locate => Ok(()),
                        Call::Start if located => Ok(()),
                        Call::WriteHalf | Call::WriteRest if writing && rising => Ok(()),
                        Call::WriteHalf | Call::WriteRest if writing => Err(SuitError::Incomplete),
                        Call::Finish if writing && halves == [true; 2] => Ok(()),
                        Call::Finish if writing => Err(SuitError::Incomplete),
                        Call::Read if whole || installed => Ok(()),
                        Call::Install if whole => Ok(()),
                        Call::Erase if writing || whole => Ok(()),
                        _ => Err(SuitError::Order),
                    };
                    assert_eq!(result, fits, "{kind:?} seed {seed}: {call:?}");
                    if result.is_err() {
                        continue;
                    }
                    match call {
                        Call::Locate => located = true,
                        Call::Start => (writing, whole, installed, halves) = (true, false, false, [false; 2]),
                        Call::WriteHalf => halves[0] = true,
                        Call::WriteRest => halves[1] = true,
                        Call::Finish => (writing, whole) = (false, true),
                        Call::Read => {}
                        Call::Install => (whole, installed) = (false, true),
                        Call::Erase => (writing, whole) = (false, false),
                    }
                }
            });
        }
    }
}

fn all(storage: &mut dyn SuitStorage, kind: Kind, bytes: &[u8], digest: Option<&[u8]>) -> Result<(), SuitError> {
    with_manifest(digest, |manifest| {
        storage.set_active_location(kind.location())?;
        storage.start(manifest, bytes.len() as u32)?;
        for (index, piece) in bytes.chunks(700).enumerate() {
            storage.write(manifest, piece, index as u32 * 700)?;
        }
        storage.finish(manifest)?;
        storage.install(manifest)
    })
}

#[test]
fn a_wrong_digest_installs_nothing_and_is_wiped() {
    let secret = content(2500);
    for kind in Kind::ALL {
        let mut device = Device::new();
        device.with(kind, |storage| {
            for (digest, error) in
                [(&[1; 32][..], SuitError::DigestMismatch), (&[1; 20][..], SuitError::DigestMismatch)]
            {
                assert_eq!(all(storage, kind, &secret, Some(digest)), Err(error), "{kind:?}");
                storage.erase().unwrap();
            }
            assert_eq!(storage.read(&mut [0; 8], 0), Err(SuitError::Order));
        });
        let there =
            device.session(|shared, _| shared.borrow_mut().parts().0.contains(Key::new(kind.location()).of_client(5)));
        assert_eq!(there, Some(Ok(false)), "{kind:?}");
        assert!(device.objects.data().iter().all(|byte| *byte == 0xff), "{kind:?}: no trace");
        assert!(device.code.data().iter().all(|byte| *byte == 0xff), "{kind:?}: the slot is untouched");
    }
}

#[test]
fn an_algorithm_that_is_not_known_is_refused() {
    for kind in Kind::ALL {
        Device::new().with(kind, |storage| {
            let digest = Some(Digest { algorithm: -44, bytes: &[0; 32] });
            let manifest = Manifest { components: &[Component { id: &[b"fw"], digest }], current: 0 };
            storage.set_active_location(kind.location()).unwrap();
            storage.start(&manifest, 3).unwrap();
            storage.write(&manifest, b"abc", 0).unwrap();
            storage.finish(&manifest).unwrap();
            assert_eq!(storage.install(&manifest), Err(SuitError::NotSupported), "{kind:?}");
        });
    }
}

#[test]
fn a_payload_that_does_not_fit_is_refused_at_the_start() {
    for kind in Kind::ALL {
        Device::new().with(kind, |storage| {
            with_manifest(None, |manifest| {
                storage.set_active_location(kind.location()).unwrap();
                assert_eq!(storage.start(manifest, 1 << 20), Err(SuitError::Exceeded), "{kind:?}");
                storage.start(manifest, 1000).unwrap();
                storage.write(manifest, &[7; 1000], 0).unwrap();
                storage.finish(manifest).unwrap();
                assert_eq!(storage.start(manifest, 1 << 20), Err(SuitError::Exceeded), "{kind:?}");
                storage.read(&mut [0; 8], 0).unwrap();
                storage.start(manifest, 1000).unwrap();
                assert_eq!(storage.write(manifest, &[0; 10], 991), Err(SuitError::OutOfRange));
                assert_eq!(storage.write(manifest, &[0; 10], u32::MAX), Err(SuitError::OutOfRange));
            });
        });
    }
}

#[test]
fn a_component_that_the_manifest_does_not_have_is_none() {
    let mut device = Device::new();
    device.with(Kind::Store, |storage| {
        storage.set_active_location(b"fw/app").unwrap();
        let manifest = Manifest { components: &[], current: 3 };
        assert_eq!(storage.start(&manifest, 10), Err(SuitError::Unavailable));
        let mut storages: [&mut dyn SuitStorage; 1] = [storage];
        let found = Registry::new(&mut storages).find_by_component(&manifest).map(|storage| storage.id().to_owned());
        assert_eq!(found, Err(SuitError::Unavailable));
    });
}

#[test]
fn locations_are_those_of_the_back_end_alone() {
    let names: [&[u8]; 12] = [
        b".ram.0",
        b".ram.1",
        b".ram.2",
        b".ram.01",
        b".ram.+1",
        b".ram.",
        b"fw/",
        b"fw/app",
        b"suit-seq-no/store",
        b"slot",
        b"slot/",
        b"",
    ];
    let seen = Kind::ALL.map(|kind| {
        Device::new().with(kind, |storage| {
            let has: Vec<_> = names.iter().filter(|name| storage.has_location(name)).collect();
            for name in names {
                let active = storage.set_active_location(name);
                assert_eq!(active.is_ok(), has.contains(&&name), "{kind:?}");
            }
            has.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>()
        })
    });
    assert_eq!(seen, [vec![".ram.0", ".ram.1"], vec!["fw/app"], vec!["slot"]]);
}

#[test]
fn the_registry_finds_what_serves_a_component() {
    let mut device = Device::new();
    let (mut region, mut ram, mut more) = ([0; 4000], [0; 700], [0; 700]);
    device.session(|shared, code| {
        let mut memory = RamStorage::new([Ram::new(&mut region)]);
        let mut files = StoreStorage::new(shared, b"fw/", &mut ram);
        let mut slot = SlotStorage::new(shared, "slot", Slot::new(code, Part::NOR, 1).unwrap(), 0x8000, &mut more);
        let mut storages: [&mut dyn SuitStorage; 3] = [&mut memory, &mut files, &mut slot];
        let mut registry = Registry::new(&mut storages);
        registry.init_all().unwrap();
        let ids: [&[&[u8]]; 4] = [&[b"", b"ram", b"0"], &[b"fw", b"app"], &[b"slot"], &[b"what"]];
        let found = ids.map(|id| {
            let manifest = Manifest { components: &[Component { id, digest: None }], current: 0 };
            registry.find_by_component(&manifest).map(|storage| storage.id().to_owned())
        });
        let wanted = ["ram", "store", "slot"].map(|id| Ok(id.to_owned()));
        assert_eq!((&found[..3], &found[3]), (&wanted[..], &Err(SuitError::Unavailable)));
        assert!(registry.find_by_id("slot").unwrap().match_offset(0x8000) == Ok(true));
        assert!(registry.find_by_id("store").unwrap().match_offset(0) == Err(SuitError::NotSupported));
        assert_eq!(registry.find_by_id("flash").map(|_| ()), Err(SuitError::Unavailable));
        assert_eq!(registry.highest_seq_no(), Ok(0));
        registry.find_by_id("slot").unwrap().set_seq_no(7).unwrap();
        assert_eq!(registry.highest_seq_no(), Ok(7));
        registry.set_seq_no_all(9).unwrap();
        assert_eq!(registry.set_seq_no_all(8), Err(SuitError::SequenceNumber));
        let kept = ["ram", "store", "slot"].map(|id| registry.find_by_id(id).unwrap().seq_no());
        assert_eq!(kept, [Err(SuitError::NotSupported), Ok(9), Ok(9)]);
    });
    let mut alone = RamStorage::new([Ram::new(&mut region)]);
    let mut storages: [&mut dyn SuitStorage; 1] = [&mut alone];
    let mut registry = Registry::new(&mut storages);
    assert_eq!(
        (registry.highest_seq_no(), registry.set_seq_no_all(1)),
        (Err(SuitError::NotSupported), Err(SuitError::NotSupported))
    );
}

#[test]
fn a_sequence_number_is_old_or_new_and_no_older_flash_brings_it_back() {
    let mut device = Device::new();
    device.with(Kind::Store, |storage| storage.set_seq_no(3)).unwrap();
    let before = device.clone();
    let mut clean = device.clone();
    let power = Power::new();
    clean.keys.plug_in(&power);
    clean.with(Kind::Store, |storage| storage.set_seq_no(4)).unwrap();
    let mut played = 0;
    for tear in Tear::ALL {
        for at in 0..power.operations() {
            let mut torn = device.clone();
            let power = Power::new();
            torn.keys.plug_in(&power);
            power.cut_at(at, tear);
            let set = torn.session(|shared, _| StoreStorage::new(shared, b"fw/", &mut [0; 700]).set_seq_no(4));
            assert_ne!(set, Some(Ok(())), "{tear} {at}");
            power.on();
            let (seen, again) = torn.with(Kind::Store, |storage| (storage.seq_no().unwrap(), storage.set_seq_no(4)));
            assert!([3, 4].contains(&seen) && again.is_ok(), "{tear} {at}: {seen}");
            assert_eq!(torn.with(Kind::Store, |storage| storage.seq_no()), Ok(4), "{tear} {at}");
            played += 1;
        }
    }
    assert!(played > 30, "{played}");
    // The flash as it was, and the fuses as they are.
    clean.keys = before.keys;
    assert_eq!(clean.session(|_, _| ()), None, "rolled back");
}

/// What is installed under a key stays until the next payload is, whatever is cut; what runs in a slot too.
#[test]
fn a_cut_update_leaves_what_was_installed() {
    let (old, new) = (content(2000), content(5000));
    for kind in [Kind::Store, Kind::Slot] {
        let mut device = Device::new();
        device.with(kind, |storage| all(storage, kind, &old, Some(&Sha256::digest(&old)))).unwrap();
        boot(&mut device, kind);
        let mut at = 0;
        let mut cuts = 0;
        loop {
            let mut torn = device.clone();
            let power = Power::new();
            torn.keys.plug_in(&power);
            torn.objects.plug_in(&power);
            torn.code.plug_in(&power);
            power.cut_at(at, Tear::ALL[at as usize % Tear::ALL.len()]);
            let (mut ram, digest) = ([0; 700], Sha256::digest(&new));
            let done = torn.session(|shared, code| match kind {
                Kind::Slot => {
                    let slot = Slot::new(code, Part::NOR, 1).unwrap();
                    all(&mut SlotStorage::new(shared, "slot", slot, 0, &mut ram), kind, &new, Some(&digest))
                }
                _ => all(&mut StoreStorage::new(shared, b"fw/", &mut ram), kind, &new, Some(&digest)),
            });
            let cut = power.is_off();
            power.cancel_cut();
            power.on();
            let seen = boot(&mut torn, kind);
            assert!(seen == old || seen == new, "{kind:?} cut at {at}: old or new");
            assert!(cut || done == Some(Ok(())) && seen == new, "{kind:?} {at}: {done:?}");
            cuts += 1;
            at += 1;
            if !cut {
                break;
            }
        }
        assert!(cuts > 20, "{cuts}");
    }
}

/// The payload that counts after a boot.
fn boot(device: &mut Device, kind: Kind) -> Vec<u8> {
    device
        .session(|shared, code| {
            let mut shared = shared.borrow_mut();
            let (store, objects) = shared.parts();
            if kind == Kind::Slot {
                let mut slot = Slot::new(&mut *code, Part::NOR, 1).unwrap();
                let installed = objects.install::<Sha256, _, _, _>(store, &mut slot, |_, _| {}).unwrap();
                return code.data()[..installed.length as usize].to_vec();
            }
            let mut bytes = vec![0; 9000];
            let length = objects.read(store, Key::new(b"fw/app").of_client(5), 0, &mut bytes).unwrap().unwrap();
            bytes.truncate(length);
            bytes
        })
        .unwrap()
}

#[test]
fn a_payload_of_another_session_is_wiped_by_the_next_start() {
    for kind in [Kind::Store, Kind::Slot] {
        let mut device = Device::new();
        device.with(kind, |storage| {
            with_manifest(None, |manifest| {
                storage.set_active_location(kind.location()).unwrap();
                storage.start(manifest, 6000).unwrap();
                storage.write(manifest, &content(6000), 0).unwrap();
            });
        });
        device.with(kind, |storage| all(storage, kind, b"small", None)).unwrap();
        let used = device.objects.data().chunks(4096).filter(|block| block.iter().any(|byte| *byte != 0xff)).count();
        assert_eq!(used, 1, "{kind:?}");
    }
}

#[test]
fn what_is_installed_is_an_object_like_any_other() {
    let mut device = Device::new();
    let wanted = content(900);
    device.with(Kind::Store, |storage| all(storage, Kind::Store, &wanted, None)).unwrap();
    let attributes = device.session(|shared, _| {
        let mut shared = shared.borrow_mut();
        shared.parts().0.attributes_of(Key::new(b"fw/app").of_client(5))
    });
    assert_eq!(attributes.unwrap().unwrap().map(Attributes::is_object), Some(true));
    assert_eq!(boot(&mut device, Kind::Store), wanted);
}

/// A part of an identifier that holds a separator is not taken for two parts.
#[test]
fn no_two_components_have_one_location() {
    Device::new().with(Kind::Store, |storage| {
        let mut storages: [&mut dyn SuitStorage; 1] = [storage];
        let mut registry = Registry::new(&mut storages);
        let found = [&[&b"fw"[..], b"a", b"b"][..], &[b"fw", b"a/b"], &[b"fw/a", b"b"]].map(|id| {
            let manifest = Manifest { components: &[Component { id, digest: None }], current: 0 };
            registry.find_by_component(&manifest).map(drop)
        });
        assert_eq!(found, [Ok(()), Err(SuitError::Unavailable), Err(SuitError::Unavailable)]);
    });
}

/// There are too few free blocks, which is found out before what was finished is given up.
#[test]
fn a_start_that_is_refused_leaves_the_finished_payload() {
    Device::new().session(|shared, _| {
        let mut ram = [0; 700];
        let mut storage = StoreStorage::new(shared, b"", &mut ram);
        let manifest = Manifest { components: &[Component { id: &[b"a"], digest: None }], current: 0 };
        for (name, length, byte) in [(b"a", 28_000, 1), (b"b", 1000, 2)] {
            storage.set_active_location(name).unwrap();
            storage.start(&manifest, length).unwrap();
            storage.write(&manifest, &vec![byte; length as usize], 0).unwrap();
            storage.finish(&manifest).unwrap();
            if byte == 1 {
                storage.install(&manifest).unwrap();
            }
        }
        assert_eq!(storage.start(&manifest, 28_000), Err(SuitError::Exceeded));
        let mut bytes = [0; 1000];
        assert_eq!((storage.read(&mut bytes, 0), bytes), (Ok(()), [2; 1000]));
        assert_eq!(storage.install(&manifest), Ok(()));
    });
}

/// Writes of the numbers from..to fail, and change nothing.
struct Flaky<'f>(&'f mut Flash, &'f Cell<(i32, i32, i32)>);

impl ErrorType for Flaky<'_> {
    type Error = SimError;
}
impl ReadNorFlash for Flaky<'_> {
    const READ_SIZE: usize = 4;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.0.read(offset, bytes)
    }
    fn capacity(&self) -> usize {
        Flash::capacity(self.0)
    }
}
impl NorFlash for Flaky<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.0.erase(from, to)
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        let (now, from, to) = self.1.get();
        self.1.set((now + 1, from, to));
        if now >= from && now < to {
            return Err(SimError::ProgramFailed);
        }
        self.0.write(offset, bytes)
    }
}

/// What the boot loader installs was not taken back before, whatever `install` said; and a moment's failure is none.
#[test]
fn a_payload_that_is_taken_back_is_not_installed() {
    let (a, b) = (vec![1; 2000], vec![2; 3000]);
    let (mut failed, mut taken_back, mut stood) = (0, 0, 0);
    for wide in [1, 2, 3, 5, 8, 13, 29] {
        for at in 0..24 {
            let mut device = Device::new();
            let mut memory = Memory::<16, { buffer_size(4, 4, 4096) + 8 }>::new();
            let mut buffer = [0; 600];
            let plan = Cell::new((0, -1, -1));
            let flash = Flaky(&mut device.keys, &plan);
            let store = Store::<_, Ascon>::format(flash, Part::NOR, &root(), &mut Fixed(1), &mut memory).unwrap();
            let objects = Objects::<_, Ascon>::format(&mut device.objects, Part::NOR, &mut buffer).unwrap();
            let shared = RefCell::new(Shared::new(store, objects, Fixed(7), 5));
            let boot = |code: &mut Flash| {
                let mut shared = shared.borrow_mut();
                let (store, objects) = shared.parts();
                let mut slot = Slot::new(code, Part::NOR, 1).unwrap();
                objects.install::<Sha256, _, _, _>(store, &mut slot, |_, _| {}).map(|installed| installed.length)
            };
            let mut ram = [0; 700];
            let slot = Slot::new(&mut device.code, Part::NOR, 1).unwrap();
            all(&mut SlotStorage::new(&shared, "slot", slot, 0, &mut ram), Kind::Slot, &a, None).unwrap();
            // Nobody confirms it.
            assert_eq!(boot(&mut device.code), Ok(2000));
            let slot = Slot::new(&mut device.code, Part::NOR, 1).unwrap();
            let mut storage = SlotStorage::new(&shared, "slot", slot, 0, &mut ram);
            let (done, kept) = with_manifest(None, |manifest| {
                storage.set_active_location(b"slot").unwrap();
                storage.start(manifest, 3000).unwrap();
                storage.write(manifest, &b, 0).unwrap();
                storage.finish(manifest).unwrap();
                plan.set((0, at, at + wide));
                let done = storage.install(manifest);
                plan.set((0, -1, -1));
                (done, storage.read(&mut [0; 3000], 0).is_ok())
            });
            let there = shared.borrow_mut().parts().0.contains(Key::new(b"slot").of_client(5)).unwrap();
            let booted = boot(&mut device.code);
            if done.is_ok() {
                assert_eq!(booted, Ok(3000), "{at} {wide}");
                continue;
            }
            failed += 1;
            taken_back += u32::from(!there);
            stood += u32::from(booted == Ok(3000));
            assert!(booted != Ok(3000) || there && kept, "{at} {wide}: {done:?}, taken back, and installed");
        }
    }
    assert!(failed > 10, "{failed} failed, {taken_back} taken back, {stood} stood all the same");
    println!("{failed} failed, {taken_back} taken back, {stood} stood all the same");
}
