//! Dropped futures: a call that is dropped at any await leaves the old or the new object, and the upload goes on.

use lockstone::asynchronous::{Objects, Slot, Store};
use lockstone::{Ascon, InstallError, Installed, ObjectError, Part, Put, Upload};
use lockstone_sim::{SimError, SimFlash};
use lockstone_torture::{Fixed, finish, poll, root};
use sha2::Sha256;

use super::{Keys, content, missing, sha};

type Flash = SimFlash<4, 4, 4096>;
type Failure = ObjectError<SimError, SimError>;

/// Writes what is missing, from the back, and finishes.
async fn go_on(
    objects: &mut Objects<'_, &mut Flash, Ascon>,
    store: &mut Store<'_, &mut Flash, Ascon>,
    upload: &mut Upload<'_>,
    wanted: &[u8],
    written: &mut Vec<u32>,
) -> Result<(), Failure> {
    for offset in (0..wanted.len() as u32).step_by(512).rev() {
        if missing(upload).iter().any(|gap| gap.contains(&offset)) {
            let end = (offset + 512).min(wanted.len() as u32);
            objects.write(store, upload, offset, &wanted[offset as usize..end as usize]).await?;
            written.push(offset);
        }
    }
    objects.finish::<Sha256, _, _>(store, upload, "fw", Some(&sha(wanted)), Put::USUAL).await?;
    Ok(())
}

#[test]
fn an_upload_goes_on_after_a_dropped_call() {
    let (old, new) = (content(1, 3000), content(2, 4200));
    let (mut keys, mut flash) = (Flash::new(16 * 4096, 0xff), Flash::new(16 * 4096, 0xff));
    let mut memory = Keys::new();
    let mut buffer = [0; 600];
    let mut store =
        finish(Store::<_, Ascon>::format(&mut keys, Part::NOR, &root(), &mut Fixed(1), &mut memory)).unwrap();
    let mut objects = finish(Objects::<_, Ascon>::format(&mut flash, Part::NOR, &mut buffer)).unwrap();
    let mut dropped = 0;
    for times in 1..100_000 {
        let mut done = None;
        for (content, polls) in [(&old, usize::MAX), (&new, times)] {
            let mut ram = [0; 700];
            let length = Some(content.len() as u32);
            let mut dice = Fixed(times as u64);
            let mut upload = finish(objects.create(&mut store, "fw", length, &mut dice, &mut ram)).unwrap();
            let mut written = Vec::new();
            done = poll(go_on(&mut objects, &mut store, &mut upload, content, &mut written), polls);
            if done.is_none() {
                dropped += 1;
                let manifest = finish(objects.manifest(&mut store, "fw")).unwrap().unwrap();
                assert!([sha(&old), sha(&new)].contains(&manifest.digest), "dropped after {times} polls");
                if manifest.digest == sha(&old) {
                    let known = written.clone();
                    finish(go_on(&mut objects, &mut store, &mut upload, content, &mut written)).unwrap();
                    assert!(written[known.len()..].iter().all(|offset| !known.contains(offset)), "{times} polls");
                }
            }
            let mut read = vec![0; 5000];
            assert_eq!(finish(objects.read(&mut store, "fw", 0, &mut read)), Ok(Some(content.len())), "{times} polls");
            assert_eq!(&read[..content.len()], &content[..]);
        }
        if done.is_some() {
            break;
        }
    }
    assert_eq!(flash.violations(), 0);
    assert!(dropped > 100, "{dropped}");
}

type Refusal = InstallError<SimError, SimError, SimError>;

/// What the application and the boot loader do with an object, one after the other.
async fn update(
    objects: &mut Objects<'_, &mut Flash, Ascon>,
    store: &mut Store<'_, &mut Flash, Ascon>,
    slot: &mut Slot<&mut Flash>,
    key: &str,
) -> Result<Installed, Refusal> {
    objects.request_install::<Sha256, _, _, _>(store, key, slot, false).await?;
    objects.install::<Sha256, _, _, _>(store, slot, |_, _| {}).await?;
    objects.confirm_install::<Sha256, _, _, _>(store, slot, false).await
}

#[test]
fn an_install_goes_on_after_a_dropped_call() {
    let contents = [content(1, 3000), content(2, 5000)];
    let (mut keys, mut flash, mut code) =
        (Flash::new(16 * 4096, 0xff), Flash::new(16 * 4096, 0xff), Flash::new(3 * 4096, 0xff));
    let (mut memory, mut buffer) = (Keys::new(), [0; 600]);
    let mut store =
        finish(Store::<_, Ascon>::format(&mut keys, Part::NOR, &root(), &mut Fixed(1), &mut memory)).unwrap();
    let mut objects = finish(Objects::<_, Ascon>::format(&mut flash, Part::NOR, &mut buffer)).unwrap();
    for (index, content) in contents.iter().enumerate() {
        let mut ram = [0; 700];
        let (key, length) = (["a", "b"][index], Some(content.len() as u32));
        let mut upload = finish(objects.create(&mut store, key, length, &mut Fixed(7), &mut ram)).unwrap();
        finish(objects.write(&mut store, &mut upload, 0, content)).unwrap();
        finish(objects.finish::<Sha256, _, _>(&mut store, &mut upload, key, None, Put::USUAL)).unwrap();
    }
    let mut slot = Slot::new(&mut code, Part::NOR, 1).unwrap();
    finish(update(&mut objects, &mut store, &mut slot, "a")).unwrap();
    let mut dropped = 0;
    for times in 1..100_000 {
        let (old, new) = (&contents[(times + 1) % 2], &contents[times % 2]);
        let key = ["a", "b"][times % 2];
        let done = poll(update(&mut objects, &mut store, &mut slot, key), times).is_some();
        dropped += u32::from(!done);
        let booted = finish(objects.install::<Sha256, _, _, _>(&mut store, &mut slot, |_, _| {})).unwrap();
        let runs = if booted.digest == sha(old) { old } else { new };
        assert_eq!(&slot.flash().data()[..runs.len()], &runs[..], "dropped after {times} polls");
        assert_eq!(booted.digest, sha(runs), "dropped after {times} polls");
        finish(update(&mut objects, &mut store, &mut slot, key)).unwrap();
        if done {
            break;
        }
    }
    assert_eq!(slot.flash().violations(), 0);
    assert!(dropped > 100, "{dropped}");
}

/// A finish that is dropped (a timeout) and called again: what was accepted is there, or said to be missing.
#[test]
fn a_dropped_finish_does_not_cut_the_end_off() {
    let wanted = content(1, 600);
    let mut dropped = 0;
    for times in 1..400 {
        let (mut keys, mut flash) = (Flash::new(16 * 4096, 0xff), Flash::new(16 * 4096, 0xff));
        let (mut memory, mut buffer) = (Keys::new(), [0; 600]);
        let mut store =
            finish(Store::<_, Ascon>::format(&mut keys, Part::NOR, &root(), &mut Fixed(1), &mut memory)).unwrap();
        let mut objects = finish(Objects::<_, Ascon>::format(&mut flash, Part::NOR, &mut buffer)).unwrap();
        let mut ram = [0; 700];
        let mut upload = finish(objects.create(&mut store, "log", None, &mut Fixed(7), &mut ram)).unwrap();
        finish(objects.write(&mut store, &mut upload, 0, &wanted)).unwrap();
        let first = poll(objects.finish::<Sha256, _, _>(&mut store, &mut upload, "log", None, Put::USUAL), times);
        if first.is_some() {
            break;
        }
        let again = finish(objects.finish::<Sha256, _, _>(&mut store, &mut upload, "log", None, Put::USUAL));
        assert!(
            again == Err(ObjectError::Incomplete) || again.is_ok_and(|done| done.length == 600),
            "{times}: {again:?}"
        );
        if again.is_err() {
            assert_eq!(upload.next_missing(0), Some(512..600));
            finish(objects.write(&mut store, &mut upload, 512, &wanted[512..])).unwrap();
            let last = finish(objects.finish::<Sha256, _, _>(&mut store, &mut upload, "log", None, Put::USUAL));
            assert_eq!(last.map(|done| done.length), Ok(600));
        }
        dropped += 1;
    }
    assert!(dropped > 20, "{dropped}");
}
