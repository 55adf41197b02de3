//! `object`: values too large for the log, in pieces, in any order, and gone on with after a cut.

use lockstone::{Key, Manifest, Put as How, Upload};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::get::Target;
use super::put::{PIECE, read_input, refuse_object, store_object, write_piece};
use super::{close_after, key, names, no_such_key, remove};
use crate::args::{FinishObject, GetObject, ListObjects, Named, Object, PutObject, RemoveObject, ResumeObject};
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::{Exit, Failure};
use crate::terminal::{LONG_WORK, bar, counted, escaped, print, print_json};

pub(super) fn object(command: &Object) -> Result<(), Failure> {
    match command {
        Object::Put(args) => put(args),
        Object::Resume(args) => resume(args),
        Object::Finish(args) => finish(args),
        Object::Ls(args) => ls(args),
        Object::Get(args) => get(args),
        Object::Rm(args) => rm(args),
    }
}

fn put(args: &PutObject) -> Result<(), Failure> {
    let device = Device::find(&args.named.place.device)?;
    let bytes = read_input(args.file.as_deref(), device.config.geometry.flash)?;
    let device = device.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let Some(at) = args.at else {
        let stored = store_object(&mut session, key(&args.named), &bytes, How::USUAL);
        return close_after(session, stored);
    };
    let written = put_piece(&mut session, args, at, &bytes);
    print(format!("{}\n", close_after(session, written)?).as_bytes())
}

/// Writes a piece of an object that stays unfinished; says how much is there then.
fn put_piece(session: &mut Session<'_>, args: &PutObject, at: u32, bytes: &[u8]) -> Result<String, Failure> {
    let key = key(&args.named);
    let mut ram = session.upload_ram()?;
    let mut upload = match session.resume(key, &mut ram)? {
        Some(upload) => {
            refuse_piece(session, at, bytes.len(), upload.length())?;
            if let (Some(length), Some(wanted)) =
                (upload.length(), args.length.filter(|wanted| Some(*wanted) != upload.length()))
            {
                let failure = Failure::usage(format!(
                    "the unfinished object has {length} bytes, not {wanted}; nothing was changed"
                ));
                return Err(
                    failure.hint("leave --length out, or give it up with `lockstone object rm DEV KEY --unfinished`")
                );
            }
            upload
        }
        None => {
            let Some(length) = args.length else {
                let failure = Failure::usage("this would be the first piece of the object; nothing was changed");
                return Err(failure.hint("say with --length how long the object will be"));
            };
            refuse_object(session, key, How::USUAL)?;
            refuse_piece(session, at, bytes.len(), Some(length))?;
            session.create(key, length, &mut ram)?
        }
    };
    let bar = bar(bytes.len() > LONG_WORK, bytes.len() as u64, "storing");
    let written = write_piece(session, &mut upload, at, bytes, |done| bar.inc(done));
    bar.finish_and_clear();
    written.map(|()| how_much(&upload))
}

/// Only whole chunks, and the end of the object, outlive the command.
fn refuse_piece(session: &mut Session<'_>, at: u32, bytes: usize, length: Option<u32>) -> Result<(), Failure> {
    let chunk = session.object_layout()?.chunk;
    let end = u32::try_from(bytes).ok().and_then(|bytes| at.checked_add(bytes));
    let sentence = match (end, length) {
        (Some(end), Some(length)) if end <= length => {
            if at.is_multiple_of(chunk) && (end.is_multiple_of(chunk) || end == length) {
                return Ok(());
            }
            format!("a piece begins and ends at a multiple of {chunk} bytes, or at the end of the object")
        }
        (Some(end), None) if at.is_multiple_of(chunk) && end.is_multiple_of(chunk) => return Ok(()),
        (Some(_), None) => {
            format!("a piece of an object of unknown length begins and ends at a multiple of {chunk} bytes")
        }
        (_, length) => format!("the piece ends behind the object, which has {} bytes", length.unwrap_or(0)),
    };
    Err(Failure::usage(format!("{sentence}; nothing was changed")))
}

fn how_much(upload: &Upload<'_>) -> String {
    match upload.length() {
        Some(length) => format!("{} of {length} bytes are there.", upload.present()),
        None => format!("{} bytes are there; how long it will be was not said.", upload.present()),
    }
}

fn resume(args: &ResumeObject) -> Result<(), Failure> {
    let device = Device::find(&args.named.place.device)?;
    let Some(file) = &args.file else { return show_missing(device, args) };
    let whole = read_input(Some(file), device.config.geometry.flash)?;
    let device = device.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let finished = complete(&mut session, &args.named, &whole);
    let manifest = close_after(session, finished)?;
    print(told(manifest.length, &manifest.digest).as_bytes())
}

fn show_missing(device: Device, args: &ResumeObject) -> Result<(), Failure> {
    let device = device.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let mut ram = session.upload_ram()?;
    let Some(upload) = session.resume(key(&args.named), &mut ram)? else { return Err(none_unfinished(&args.named)) };
    let (mut missing, mut from) = (Vec::new(), 0);
    while let Some(range) = upload.next_missing(from) {
        from = range.end;
        missing.push(range);
    }
    if args.json {
        let missing: Vec<_> =
            missing.iter().map(|range| json!({ "offset": range.start, "length": range.end - range.start })).collect();
        let (length, present) = (upload.length(), upload.present());
        return print_json(&json!({ "length": length, "present": present, "missing": missing }));
    }
    let mut text = how_much(&upload) + "\n";
    for range in missing {
        text.push_str(&format!("missing: {} at {}\n", counted(range.end - range.start, "byte"), range.start));
    }
    print(text.as_bytes())
}

/// Writes what is missing, and finishes the object.
fn complete(session: &mut Session<'_>, named: &Named, whole: &[u8]) -> Result<Manifest, Failure> {
    let mut ram = session.upload_ram()?;
    let Some(mut upload) = session.resume(key(named), &mut ram)? else { return Err(none_unfinished(named)) };
    if let Some(length) = upload.length().filter(|length| *length as usize != whole.len()) {
        let sentence =
            format!("the unfinished object has {length} bytes, the file {}; nothing was changed", whole.len());
        return Err(Failure::usage(sentence));
    }
    let missing = whole.len() as u64 - u64::from(upload.present()).min(whole.len() as u64);
    let bar = bar(missing > LONG_WORK as u64, missing, "storing");
    if upload.length().is_none() {
        // Nothing says where it ends but the file.
        write_piece(session, &mut upload, 0, whole, |done| bar.inc(done))?;
    }
    let digest = Sha256::digest(whole).into();
    let finished = loop {
        while let Some(range) = upload.next_missing(0).filter(|_| upload.length().is_some()) {
            let bytes = whole.get(range.start as usize..range.end as usize).unwrap_or_default();
            write_piece(session, &mut upload, range.start, bytes, |done| bar.inc(done))?;
        }
        match session.finish(&mut upload, key(named), Some(&digest), How::USUAL) {
            // Something that was there can't be read any more: it's written again, a chunk each time.
            Err(_) if upload.length().is_some() && upload.next_missing(0).is_some() => {}
            finished => break finished,
        }
    };
    bar.finish_and_clear();
    finished.map_err(|failure| match failure.exit {
        Exit::Damaged => failure.hint(
            "are the pieces that are there of this file? `lockstone object rm DEV KEY --unfinished` gives them up",
        ),
        _ => failure,
    })
}

fn finish(args: &FinishObject) -> Result<(), Failure> {
    let device = Device::find(&args.named.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let mut ram = session.upload_ram()?;
    let finished = match session.resume(key(&args.named), &mut ram) {
        Ok(Some(mut upload)) => session.finish(&mut upload, key(&args.named), args.sha256.as_ref(), How::USUAL),
        Ok(None) => Err(none_unfinished(&args.named)),
        Err(failure) => Err(failure),
    };
    let manifest = close_after(session, finished)?;
    print(told(manifest.length, &manifest.digest).as_bytes())
}

fn none_unfinished(named: &Named) -> Failure {
    let name = escaped(named.key.as_encoded_bytes());
    Failure::new(Exit::NoSuchKey, format!("no unfinished object: {name}"))
}

pub(super) fn told(length: u32, digest: &[u8]) -> String {
    format!("{length} bytes, sha-256 {}\n", hex(digest))
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a list says of an object.
struct Line {
    name: String,
    /// `None`: it can't be read.
    manifest: Option<Manifest>,
}

/// And of an unfinished one.
struct Begun {
    name: String,
    length: Option<u32>,
    present: u32,
}

fn ls(args: &ListObjects) -> Result<(), Failure> {
    let device = Device::find(&args.place.device)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let (lines, damaged) = committed(&mut session, args.place.client)?;
    let begun = unfinished(&mut session, args.place.client)?;
    if args.json {
        print_json(&as_json(args.place.client, &lines, &begun))?;
    } else {
        print(as_text(&lines, &begun).as_bytes())?;
    }
    if damaged == 0 {
        return Ok(());
    }
    let failure = Failure::new(Exit::Damaged, "stored content is damaged or forged: the list is not complete");
    Err(failure.hint("`lockstone check DEV` says what is damaged and what can still be read"))
}

/// The objects of a client, and how often the listing met damage.
fn committed(session: &mut Session<'_>, client: u32) -> Result<(Vec<Line>, u32), Failure> {
    let (names, mut damaged) = names(session, client, b"")?;
    let mut lines = Vec::new();
    for name in names {
        let key = Key::new(&name).of_client(client);
        match session.is_object(key) {
            Ok(false) => continue,
            Ok(true) => lines.push(Line { name: escaped(&name), manifest: session.manifest(key)? }),
            Err(_) => damaged += 1,
        }
    }
    Ok((lines, damaged))
}

fn unfinished(session: &mut Session<'_>, client: u32) -> Result<Vec<Begun>, Failure> {
    let mut begun = Vec::new();
    for entry in session.unfinished()?.into_iter().filter(|entry| entry.client == client) {
        let mut ram = session.upload_ram()?;
        let upload = session.resume(Key::new(&entry.name).of_client(client), &mut ram)?;
        let present = upload.map_or(0, |upload| upload.present());
        begun.push(Begun { name: escaped(&entry.name), length: entry.what.length, present });
    }
    Ok(begun)
}

fn as_json(client: u32, lines: &[Line], begun: &[Begun]) -> serde_json::Value {
    let objects = lines.iter().map(|line| {
        let manifest = line.manifest.as_ref();
        json!({
            "key": line.name,
            "length": manifest.map(|manifest| manifest.length),
            "sha256": manifest.map(|manifest| hex(&manifest.digest)),
        })
    });
    let unfinished =
        begun.iter().map(|entry| json!({ "key": entry.name, "length": entry.length, "present": entry.present }));
    json!({
        "client": client,
        "objects": objects.collect::<Vec<_>>(),
        "unfinished": unfinished.collect::<Vec<_>>(),
    })
}

fn as_text(lines: &[Line], begun: &[Begun]) -> String {
    let mut text = String::new();
    for line in lines {
        let (length, digest) = match &line.manifest {
            Some(manifest) => (manifest.length.to_string(), hex(&manifest.digest)),
            None => ("?".to_owned(), "?".to_owned()),
        };
        text.push_str(&format!("{length:>8}  {digest}  {}\n", line.name));
    }
    for entry in begun {
        let length = entry.length.map_or("?".to_owned(), |length| length.to_string());
        text.push_str(&format!("{:>8}  of {length}, unfinished  {}\n", entry.present, entry.name));
    }
    text
}

fn get(args: &GetObject) -> Result<(), Failure> {
    let target = Target::of(args.output.as_deref(), args.show, &args.named.place.device)?;
    let content = Device::read(&args.named.place.device, |held| {
        let mut memory = AnyRam::new();
        let mut session = held.mount(&mut memory)?;
        let content = read(&mut session, args);
        // As with any get, the content is good whether or not the store can close.
        let _ = session.close();
        content
    })?;
    target.write(&content)
}

/// The range that is asked for.
fn read(session: &mut Session<'_>, args: &GetObject) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let key = key(&args.named);
    let attributes = session.attributes_of(key)?;
    if !args.unfinished && attributes.is_some_and(lockstone::Attributes::is_object) {
        let length = session.length(key)?.unwrap_or(0);
        return read_range(args, length, |offset, piece| match session.get_range(key, offset, piece)? {
            Some(read) if read == piece.len() => Ok(()),
            _ => Err(Failure::new(Exit::Damaged, "the object is damaged or forged")),
        });
    }
    let mut ram = session.upload_ram()?;
    let Some(mut upload) = session.resume(key, &mut ram)? else {
        return Err(match attributes {
            _ if args.unfinished => none_unfinished(&args.named),
            Some(_) => not_an_object(),
            None => no_such_key(&args.named.key),
        });
    };
    let length = upload.length().unwrap_or(upload.present());
    read_range(args, length, |offset, piece| session.read_upload(&mut upload, offset, piece))
}

fn read_range(
    args: &GetObject,
    whole: u32,
    mut read: impl FnMut(u32, &mut [u8]) -> Result<(), Failure>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let length = args.length.unwrap_or(whole.saturating_sub(args.offset));
    if args.offset.checked_add(length).is_none_or(|end| end > whole) {
        return Err(Failure::usage(format!("the range ends behind the object, which has {}", counted(whole, "byte"))));
    }
    let mut content = Zeroizing::new(vec![0; length as usize]);
    let bar = bar(content.len() > LONG_WORK, length.into(), "reading");
    let mut offset = args.offset;
    for piece in content.chunks_mut(PIECE) {
        read(offset, piece)?;
        offset = offset.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        bar.inc(piece.len() as u64);
    }
    bar.finish_and_clear();
    Ok(content)
}

fn not_an_object() -> Failure {
    lockstone::ObjectError::<crate::file_flash::FlashError, crate::file_flash::FlashError>::NotAnObject.into()
}

fn rm(args: &RemoveObject) -> Result<(), Failure> {
    let device = Device::find(&args.named.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    if args.unfinished {
        let given_up = session.abort(key(&args.named));
        return if close_after(session, given_up)? { Ok(()) } else { Err(none_unfinished(&args.named)) };
    }
    match session.attributes_of(key(&args.named))? {
        None => Err(no_such_key(&args.named.key)),
        Some(attributes) if !attributes.is_object() => Err(not_an_object().hint("`lockstone rm DEV KEY` removes it")),
        Some(_) => remove(session, &args.named),
    }
}
