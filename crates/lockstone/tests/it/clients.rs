//! Several clients on one store: apart, shared by wish only, each within its quota.

use lockstone::{Ascon, Attributes, Client, Clients, Cursor, EVERYONE, Error, Part, Put, Quota, Rights, Store};
use lockstone_sim::{SimError, SimFlash};
use lockstone_torture::{Fixed, Ram, root};

type Flash = SimFlash<1, 4, 4096>;
type All<'m> = Clients<'m, Flash, Ascon>;
type One<'c, 'm> = Client<'c, 'm, Flash, Ascon>;

const A: u32 = 7;
const B: u32 = 8;

fn on_clients(quotas: &mut [Quota], act: impl FnOnce(&mut All<'_>)) {
    let flash = Flash::new(32 * 4096, 0xff);
    let mut memory = Ram::new();
    let store = Store::format(flash, Part::NOR, &root(), &mut Fixed(7), &mut memory).unwrap();
    act(&mut Clients::new(store, quotas));
}

fn read(client: &mut One<'_, '_>, name: &str) -> Option<Vec<u8>> {
    let mut buffer = [0; 100];
    client.get(name.as_bytes(), &mut buffer).unwrap().map(|length| buffer[..length].to_vec())
}

fn shared(client: &mut One<'_, '_>, owner: u32, name: &str) -> Option<Vec<u8>> {
    let mut buffer = [0; 100];
    client.get_shared(owner, name.as_bytes(), &mut buffer).unwrap().map(|length| buffer[..length].to_vec())
}

fn names(client: &mut One<'_, '_>) -> Vec<Vec<u8>> {
    let (mut cursor, mut name, mut names) = (Cursor::new(), [0; 255], Vec::new());
    while let Some(length) = client.next_key(&mut cursor, b"", &mut name).unwrap() {
        names.push(name[..length].to_vec());
    }
    names.sort();
    names
}

#[test]
fn what_is_anothers_can_not_be_reached_by_any_call() {
    on_clients(&mut [], |all| {
        all.client(A).put(b"key", b"A's").unwrap();
        all.client(A).put(b"long", &[1; 1000]).unwrap();
        let mut b = all.client(B);
        for name in ["key", "long", "nobody's"] {
            assert_eq!(read(&mut b, name), None);
            assert_eq!(b.length(name.as_bytes()), Ok(None));
            assert_eq!(b.get_range(name.as_bytes(), 0, &mut [0; 10]), Ok(None));
            assert_eq!(b.attributes_of(name.as_bytes()), Ok(None));
            assert_eq!(b.set_attributes(name.as_bytes(), Attributes::NONE), Ok(false));
            assert_eq!(b.delete(name.as_bytes()), Ok(false));
            assert_eq!(b.share(name.as_bytes(), B, Rights::READ), Ok(false));
            assert_eq!(shared(&mut b, A, name), None);
            assert_eq!(b.put_shared(A, name.as_bytes(), b"B's"), Ok(false));
            assert_eq!(b.may_execute(A, name.as_bytes()), Ok(false));
        }
        assert_eq!(b.factory_reset(), Err(Error::NotPermitted));
        assert!(names(&mut b).is_empty());
        b.put(b"key", b"B's").unwrap();
        b.delete(b"key").unwrap();
        assert_eq!(read(&mut all.client(A), "key"), Some(b"A's".to_vec()));
        assert_eq!(names(&mut all.client(A)), [b"key".to_vec(), b"long".to_vec()]);
    });
}

/// The reads that asking takes say nothing either: on the average of many names they are the same whether another has
/// them or nobody does.
#[test]
fn the_reads_of_a_question_say_nothing_of_another_client() {
    on_clients(&mut [], |all| {
        for index in 0..400 {
            all.client(A).put(format!("there/{index}").as_bytes(), b"value").unwrap();
            all.client(B).put(format!("mine/{index}").as_bytes(), b"value").unwrap();
        }
        let mut ask = |name: &str, act: &mut dyn FnMut(&mut One<'_, '_>, &[u8])| {
            let mut reads = 0;
            for index in 0..400 {
                let before = all.store().flash().counts().reads;
                act(&mut all.client(B), format!("{name}/{index}").as_bytes());
                reads += all.store().flash().counts().reads - before;
            }
            reads
        };
        let get = &mut |b: &mut One<'_, '_>, name: &[u8]| assert_eq!(b.get(name, &mut [0; 10]), Ok(None));
        let (there, nowhere) = (ask("there", get), ask("never", get));
        let of_a = &mut |b: &mut One<'_, '_>, name: &[u8]| assert_eq!(b.get_shared(A, name, &mut [0; 10]), Ok(None));
        let (shared_there, shared_nowhere) = (ask("there", of_a), ask("never", of_a));
        println!("reads for 400 questions: {there} and {nowhere}; of shared ones {shared_there} and {shared_nowhere}");
        for (one, other) in [(there, nowhere), (shared_there, shared_nowhere)] {
            assert!(one.abs_diff(other) * 20 < one, "{one} and {other}");
        }
    });
}

#[test]
fn sharing_is_explicit_and_ends() {
    on_clients(&mut [], |all| {
        let run = Put::with(Attributes::EXECUTABLE);
        all.client(A).put_with(b"app", b"code", run).unwrap();
        all.client(A).put(b"other", b"secret").unwrap();
        assert_eq!(all.client(A).share(b"app", B, Rights::READ.and(Rights::EXECUTE)), Ok(true));
        assert_eq!(shared(&mut all.client(B), A, "app"), Some(b"code".to_vec()));
        assert_eq!(all.client(B).may_execute(A, b"app"), Ok(true));
        assert_eq!(all.client(B).put_shared(A, b"app", b"virus"), Ok(false));
        assert_eq!(shared(&mut all.client(9), A, "app"), None);
        assert_eq!(shared(&mut all.client(B), A, "other"), None);
        assert!(names(&mut all.client(B)).is_empty(), "shared names are not listed");

        all.client(A).share(b"app", EVERYONE, Rights::READ).unwrap();
        assert_eq!(shared(&mut all.client(9), A, "app"), Some(b"code".to_vec()));
        assert_eq!(all.client(9).may_execute(A, b"app"), Ok(false));
        all.client(A).share(b"app", EVERYONE, Rights::NONE).unwrap();
        all.client(A).share(b"app", B, Rights::WRITE).unwrap();
        assert_eq!(shared(&mut all.client(9), A, "app"), None);
        assert_eq!(all.client(B).put_shared(A, b"app", b"better"), Ok(true));
        assert_eq!(shared(&mut all.client(B), A, "app"), None, "writing is not reading");
        assert_eq!(read(&mut all.client(A), "app"), Some(b"better".to_vec()));
        assert_eq!(
            all.client(A).attributes_of(b"app").unwrap().unwrap().without(Attributes::EXECUTABLE).bits(),
            1 << 8
        );

        all.client(A).delete(b"app").unwrap();
        assert_eq!(all.client(B).put_shared(A, b"app", b"again"), Ok(false));
        all.client(A).put(b"app", b"private now").unwrap();
        assert_eq!(all.client(B).put_shared(A, b"app", b"again"), Ok(false));
        for client in 10..18 {
            all.client(A).share(b"other", client, Rights::READ).unwrap();
        }
        assert_eq!(all.client(A).share(b"other", 18, Rights::READ), Err(Error::TooLarge));
        let keys = all.store().stats().unwrap().keys;
        assert_eq!(keys, 2, "grants are no keys");
    });
}

#[test]
fn a_quota_keeps_a_client_from_filling_the_store() {
    let mut quotas = [Quota::new(A, 8000), Quota::new(B, 4000)];
    on_clients(&mut quotas, |all| {
        let mut filled = 0;
        let refused = loop {
            match all.client(A).put(format!("fill/{filled}").as_bytes(), &[1; 100]) {
                Ok(()) => filled += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused, Error::Full);
        assert!((45..80).contains(&filled), "{filled}");
        assert!(all.quotas()[0].used() <= 8000);
        all.client(A).put(b"fill/0", &[2; 100]).unwrap();
        assert_eq!(all.client(A).put(b"fill/0", &[2; 900]), Err(Error::Full));
        all.client(A).put(b"fill/0", b"").unwrap();
        for index in 0..20 {
            all.client(B).put(format!("b/{index}").as_bytes(), &[3; 100]).unwrap();
        }
        let counted: Vec<u32> = all.quotas().iter().map(Quota::used).collect();
        all.store();
        all.client(B).put(b"b/0", &[4; 100]).unwrap();
        assert_eq!(all.quotas().iter().map(Quota::used).collect::<Vec<_>>(), counted, "counted again it is the same");
        all.client(A).delete(b"fill/1").unwrap();
        all.client(A).put(b"fill/1", &[5; 60]).unwrap();
        all.client(12).put(b"without a quota", &[6; 3000]).unwrap();
    });
}

/// The most flash operations that a put of B takes, with A silent or writing a hundred times as much.
#[test]
fn one_clients_writes_do_not_slow_anothers_down() {
    let worst = |busy: usize| {
        let mut worst = 0;
        on_clients(&mut [], |all| {
            for index in 0..500 {
                all.client(A).put(format!("cold/{index}").as_bytes(), &[0; 60]).unwrap();
            }
            for round in 0..300_usize {
                for write in 0..busy {
                    all.client(A).put(format!("a/{}", write % 40).as_bytes(), &[round as u8; 60]).unwrap();
                }
                let before = all.store().flash().operations();
                all.client(B).put(b"b", &round.to_le_bytes()).unwrap();
                worst = worst.max(all.store().flash().operations() - before);
            }
        });
        worst
    };
    let (alone, beside) = (worst(0), worst(100));
    println!("operations of the longest put of B: {alone} alone, {beside} beside a busy client");
    // Two segments' worth of records is what any call may copy.
    assert!(beside <= 2 * 4096 / 80, "{beside}");
}

#[test]
fn a_cut_share_is_less_never_more() {
    for operation in 0.. {
        let mut flash = Flash::new(32 * 4096, 0xff);
        let mut memory = Ram::new();
        {
            let store = Store::<_, Ascon>::format(&mut flash, Part::NOR, &root(), &mut Fixed(7), &mut memory).unwrap();
            let mut all = Clients::new(store, &mut []);
            all.client(A).put(b"x", b"value").unwrap();
            all.client(A).share(b"x", B, Rights::READ).unwrap();
        }
        flash.set_reprogram_heals(true);
        flash.cut_at(operation, lockstone_sim::Tear::Prefix);
        let cut = |flash: &mut Flash, memory: &mut Ram| -> Result<(), Error<SimError>> {
            let store = Store::<_, Ascon>::mount(flash, Part::NOR, &root(), memory).unwrap();
            let mut all = Clients::new(store, &mut []);
            all.client(A).share(b"x", B, Rights::NONE)?;
            all.client(A).delete(b"x")?;
            all.client(A).put(b"x", b"private")?;
            Ok(())
        };
        let done = cut(&mut flash, &mut memory).is_ok();
        flash.cancel_cut();
        flash.power_on();
        let store = Store::<_, Ascon>::mount(&mut flash, Part::NOR, &root(), &mut memory).unwrap();
        let mut all = Clients::new(store, &mut []);
        let mut buffer = [0; 20];
        let seen = all.client(B).get_shared(A, b"x", &mut buffer).unwrap().map(|length| buffer[..length].to_vec());
        assert!(seen.is_none() || seen == Some(b"value".to_vec()), "{seen:?}");
        if done {
            break;
        }
    }
}
