//! `replay`: one case of tests or fuzzing again, step by step, with every access to the flash.
//!
//! ```text
//!   put a = 20 bytes: done
//!       read    000000 +80 x8 each 0x1000 on, 000050 +4        address (hexadecimal) and length of each access
//!       program 000180 +60
//! ```

use std::fmt::Write as _;
use std::path::Path;

use lockstone_sim::{Cut, TraceEntry};
use lockstone_torture::replay::{GRAMMAR, Id, Image, NO_SUCH_OPERATION, Played, to_hex};
use lockstone_torture::{HEADS, ROOT, SCENES, Step};
use serde_json::{Value, json};

use crate::args::{self, Replay};
use crate::device::{self, Config, Geometry, Suite};
use crate::exit::{Exit, Failure};
use crate::files::read_named;
use crate::terminal::{print, print_json};
use crate::{demo, fuzzing};

/// More than any fuzzer makes.
const LONGEST: u64 = 16 << 20;
/// Accesses are wrapped here.
const WIDTH: usize = 100;

pub(super) fn replay(args: &Replay) -> Result<(), Failure> {
    if let Some(demo) = as_demo(args)? {
        return demo::demo(&demo);
    }
    if let Some(path) = args.keep.as_deref().filter(|path| std::fs::symlink_metadata(path).is_ok()) {
        return Err(Failure::usage(format!("{} is there already", path.display())));
    }
    let input =
        args.file.as_deref().map(|path| read_named(path, LONGEST, "no input of a fuzz target is larger than 16 MiB"));
    let input = input.transpose()?.map(|input| input.to_vec());
    let id = Id::parse(&args.id, &fuzzing::targets(), input).map_err(|bad| nonsense(&bad.to_string()))?;
    let played = quietly(|| id.play());
    if played.verdict.as_ref().is_err_and(|wrong| wrong == NO_SUCH_OPERATION) {
        return Err(Failure::usage(format!("`{}` is no case: its scene ends before that operation", args.id)));
    }
    let kept = match (&args.keep, &played.image) {
        (Some(path), Some(image)) => Some(keep(path, image)?),
        (Some(_), None) => Some("nothing is kept: this case has no flash".to_owned()),
        (None, _) => None,
    };
    if args.json {
        print_json(&as_json(&id, &played, kept.as_deref()))?;
    } else {
        print(as_text(&id, &played, kept.as_deref()).as_bytes())?;
    }
    match played.verdict {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::new(Exit::Damaged, format!("{} went wrong", args.id))),
    }
}

/// `demo/SEED/CUTS`
fn as_demo(args: &Replay) -> Result<Option<args::Demo>, Failure> {
    let Some(rest) = args.id.strip_prefix("demo/") else { return Ok(None) };
    let numbers = rest.split_once('/').and_then(|(seed, cuts)| Some((seed.parse().ok()?, cuts.parse().ok()?)));
    let Some((seed, cuts)) = numbers else {
        return Err(nonsense(&format!("`{}` is no case: a demo is demo/SEED/CUTS", args.id)));
    };
    Ok(Some(args::Demo { cuts, seed: Some(seed), pem: None, firmware: None, json: args.json, keep: args.keep.clone() }))
}

/// An id that makes no sense, and how ids are written.
fn nonsense(what: &str) -> Failure {
    let names = |names: &mut dyn Iterator<Item = &str>| names.collect::<Vec<_>>().join(" ");
    let grammar = GRAMMAR.lines().fold(String::new(), |text, line| text + "\n    " + line);
    let hint = format!(
        "an id is one of{grammar}\n    demo/SEED/CUTS                                        a demo\n  scenes: {}\n  \
         geometries: {}\n  tears: {}\n  targets: {}",
        names(&mut SCENES.iter().map(|scene| scene.name)),
        names(&mut lockstone_sim::geometry::GEOMETRIES.iter().map(|geometry| geometry.name)),
        names(&mut lockstone_sim::Tear::ALL.iter().map(|tear| tear.name())),
        names(&mut fuzzing::targets().iter().map(|target| target.name)),
    );
    Failure::usage(what).hint(hint)
}

/// A panic of the store is a verdict: nothing else says it.
fn quietly<T>(play: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let played = play();
    std::panic::set_hook(hook);
    played
}

/// Keeps the flash: as a device directory if a device can have such a flash, else the image alone.
fn keep(path: &Path, image: &Image) -> Result<String, Failure> {
    let sizes = [image.geometry.capacity, image.geometry.erase, image.geometry.write];
    let [flash, block, write] = sizes.map(|size| u32::try_from(size).unwrap_or(u32::MAX));
    let geometry = Geometry { flash, block, write, objects: 0 };
    let suite = if image.plain { Suite::Plain } else { Suite::Ascon };
    let impossible = match image.geometry.erased {
        0xff => geometry.check().err(),
        _ => Some("the flash of a device directory is erased to 0xff"),
    };
    match impossible {
        None => {
            device::create_from(path, &Config::with_heads(suite, geometry, HEADS), &ROOT, &image.bytes)?;
            Ok(format!("the flash at the end is kept as the device {}", path.display()))
        }
        Some(reason) => {
            let file = path.join("flash.bin");
            std::fs::create_dir(path).map_err(|error| Failure::file("make", path, &error))?;
            std::fs::write(&file, &image.bytes).map_err(|error| Failure::file("write", &file, &error))?;
            Ok(format!("the flash at the end is kept in {}, which is no device: {reason}", file.display()))
        }
    }
}

fn as_text(id: &Id, played: &Played, kept: Option<&str>) -> String {
    let mut text = format!("{id}\n");
    for step in &played.steps {
        match step {
            Step::Did { what, outcome, flash } => {
                let outcome = if outcome.is_empty() { "never ended" } else { outcome };
                let _ = writeln!(text, "  {what}: {}", outcome.trim_end().replace('\n', "\n      "));
                accesses(flash, &mut text);
            }
            Step::Cut { cut, left } => {
                let Cut { operation, .. } = cut;
                let more = if left.len() < operation.len { " ..." } else { "" };
                let _ = writeln!(text, "  POWER CUT in operation {} of this flash: {}", operation.op, place(operation));
                let _ = writeln!(text, "      {cut}\n      left: {}{more}", to_hex(left));
            }
            Step::Note(what) => {
                let _ = writeln!(text, "  {what}");
            }
        }
    }
    let verdict = match &played.verdict {
        Ok(right) => format!("right: {right}"),
        Err(wrong) => format!("WRONG: {}", wrong.trim_end().replace('\n', "\n       ")),
    };
    kept.iter().fold(format!("{text}{verdict}\n"), |text, kept| format!("{text}{kept}\n"))
}

fn place(entry: &TraceEntry) -> String {
    format!("{} {:06x} +{}", entry.kind.name(), entry.address, entry.len)
}

/// A line for accesses of one kind in a row, or several.
fn accesses(flash: &[TraceEntry], text: &mut String) {
    for group in flash.chunk_by(|one, other| one.kind == other.kind) {
        let mut line = format!("      {:<7}", group[0].kind.name());
        let mut rest = group;
        while let [first, ..] = rest {
            let (row, step) = row(rest);
            rest = &rest[row..];
            let mut access = format!(" {:06x} +{}", first.address, first.len);
            match (row, usize::try_from(step)) {
                (1, _) => {}
                (row, Ok(step)) if step == first.len => access += &format!(" x{row}"),
                (row, _) => access += &format!(" x{row} each {step:#x} on"),
            }
            if !rest.is_empty() {
                access.push(',');
            }
            if line.len() + access.len() > WIDTH {
                text.push_str(&line);
                text.push('\n');
                line = " ".repeat(13);
            }
            line.push_str(&access);
        }
        text.push_str(&line);
        text.push('\n');
    }
}

/// How many accesses at the front have the same length and the same distance from each other, and that distance.
fn row(accesses: &[TraceEntry]) -> (usize, u32) {
    let [first, second, ..] = accesses else { return (1, 0) };
    let Some(step) = second.address.checked_sub(first.address).filter(|step| *step > 0) else { return (1, 0) };
    let fits =
        |pair: &[TraceEntry]| pair[1].len == first.len && pair[1].address.checked_sub(pair[0].address) == Some(step);
    let row = 1 + accesses.windows(2).take_while(|pair| fits(pair)).count();
    if row > 2 { (row, step) } else { (1, 0) }
}

fn as_json(id: &Id, played: &Played, kept: Option<&str>) -> Value {
    let access = |entry: &TraceEntry| json!([entry.kind.name(), entry.address, entry.len]);
    let step = |step: &Step| match step {
        Step::Did { what, outcome, flash } => {
            json!({ "did": what, "outcome": outcome, "flash": flash.iter().map(access).collect::<Vec<_>>() })
        }
        Step::Cut { cut, left } => json!({
            "cut": cut.operation.op,
            "flash": [access(&cut.operation)],
            "tear": cut.tear.name(),
            "bits_wanted": cut.bits_wanted,
            "bits_done": cut.bits_done,
            "bits_unstable": cut.bits_unstable,
            "units_unreadable": cut.units_unreadable,
            "left": to_hex(left),
        }),
        Step::Note(what) => json!({ "note": what }),
    };
    let (good, verdict) = match &played.verdict {
        Ok(right) => (true, right),
        Err(wrong) => (false, wrong),
    };
    json!({
        "id": id.to_string(),
        "good": good,
        "verdict": verdict,
        "steps": played.steps.iter().map(step).collect::<Vec<_>>(),
        "kept": kept,
    })
}
