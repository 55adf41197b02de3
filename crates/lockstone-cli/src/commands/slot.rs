//! `slot`: code in the clear, and how it comes there. The host plays both parts: the application's, and the boot loader's.

use lockstone::{Installed, VolumeKind};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::get::Target;
use super::object::{hex, told};
use super::put::read_input;
use super::{close_after, key, no_such_key};
use crate::args::{AdoptSlot, ConfirmInstall, GetSlot, ListVolumes, RequestInstall, Slot, WhichSlot};
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::{Exit, Failure};
use crate::terminal::{LONG_WORK, bar, print, print_json};

pub(super) fn slot(command: &Slot) -> Result<(), Failure> {
    match command {
        Slot::Ls(args) => ls(args),
        Slot::Request(args) => request(args),
        Slot::Install(args) => install(args),
        Slot::Confirm(args) => confirm(args),
        Slot::Adopt(args) => adopt(args),
        Slot::Forget(args) => forget(args),
        Slot::Get(args) => get(args),
    }
}

/// A slot, as a list shows it.
pub(crate) struct Line {
    pub(crate) number: u8,
    capacity: u32,
    state: Option<Installed>,
    /// Whether it holds what the store says.
    good: bool,
}

impl Line {
    /// Nothing is wrong with a slot that is pending: it's not to be executed before an install.
    pub(crate) fn is_damaged(&self) -> bool {
        self.capacity == 0 || !self.good && self.state.is_some_and(|state| !state.pending)
    }

    fn as_text(&self) -> String {
        let Some(Installed { length, digest, pending }) = self.state else {
            if self.capacity == 0 {
                return format!("slot {:<3} is on no part of this flash, or too small\n", self.number);
            }
            return format!("slot {:<3}{:>10} bytes   nothing is known of what is there\n", self.number, self.capacity);
        };
        let standing = match (pending, self.good) {
            (true, true) => "copied, to be confirmed",
            (true, false) => "to be installed",
            (false, true) => "verified",
            (false, false) => "DAMAGED",
        };
        let digest = hex(&digest);
        format!("slot {:<3}{:>10} bytes   {length} bytes, sha-256 {digest}: {standing}\n", self.number, self.capacity)
    }
}

/// Every slot of the device.
pub(crate) fn lines(session: &mut Session<'_>) -> Result<Vec<Line>, Failure> {
    let table = session.volumes()?;
    // Without one nothing is known of any slot: a table that says so is not taken while something is.
    let known = session.has_volume();
    let mut lines = Vec::new();
    for volume in table.volumes().iter().filter(|volume| volume.kind == VolumeKind::Slot) {
        let number = volume.number;
        // A table that another program wrote may say what can't be.
        let Ok(capacity) = session.slot_capacity(number) else {
            lines.push(Line { number, capacity: 0, state: None, good: false });
            continue;
        };
        let state = if known { session.slot_state(number)? } else { None };
        let good = match state {
            Some(state) => code(session, number, state)?.is_some(),
            None => false,
        };
        lines.push(Line { number, capacity, state, good });
    }
    lines.sort_by_key(|line| line.number);
    Ok(lines)
}

/// The code in a slot; `None`: it's not what the store says.
fn code(session: &mut Session<'_>, number: u8, state: Installed) -> Result<Option<Vec<u8>>, Failure> {
    let code = session.read_slot(number, state.length)?;
    let good = code.len() == state.length as usize && Sha256::digest(&code)[..] == state.digest;
    Ok(Some(code).filter(|_| good))
}

fn ls(args: &ListVolumes) -> Result<(), Failure> {
    let device = Device::find(&args.device)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let lines = lines(&mut device.mount(&mut memory)?)?;
    if args.json {
        let slots = lines.iter().map(|line| {
            let (state, pending) = (line.state, line.state.map(|state| state.pending));
            json!({
                "slot": line.number,
                "capacity": line.capacity,
                "length": state.map(|state| state.length),
                "sha256": state.map(|state| hex(&state.digest)),
                "pending": pending,
                "good": state.map(|_| line.good),
            })
        });
        print_json(&json!({ "slots": slots.collect::<Vec<_>>() }))?;
    } else {
        print(lines.iter().map(Line::as_text).collect::<String>().as_bytes())?;
    }
    match lines.iter().find(|line| line.is_damaged() && line.capacity > 0) {
        None => Ok(()),
        Some(line) => Err(damaged(line.number)),
    }
}

fn damaged(number: u8) -> Failure {
    let failure = Failure::new(Exit::Damaged, format!("slot {number} does not hold what the store says: don't run it"));
    failure.hint("request an install of the object that belongs there, and do it: `lockstone slot request`, `lockstone slot install`")
}

fn request(args: &RequestInstall) -> Result<(), Failure> {
    let device = Device::find(&args.named.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let requested = match session.request_install(args.slot, key(&args.named), args.protect) {
        Err(failure) if failure.exit == Exit::NoSuchKey => Err(no_such_key(&args.named.key)),
        requested => requested,
    };
    close_after(session, requested)
}

fn install(args: &WhichSlot) -> Result<(), Failure> {
    let device = Device::find(&args.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let length = session.slot_state(args.slot)?.map_or(0, |state| state.length);
    let bar = bar(length as usize > LONG_WORK, length.into(), "installing");
    let installed = session.install(args.slot, |done, _| bar.set_position(done.into()));
    bar.finish_and_clear();
    // It would fail again.
    let installed = installed.map_err(|failure| if failure.is_of_the_slot() { damaged(args.slot) } else { failure });
    print(said(&close_after(session, installed)?).as_bytes())
}

fn said(state: &Installed) -> String {
    told(state.length, &state.digest)
}

fn confirm(args: &ConfirmInstall) -> Result<(), Failure> {
    let device = Device::find(&args.which.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let state = session.slot_state(args.which.slot)?;
    let confirmed = session.confirm_install(args.which.slot, args.protect);
    // What was confirmed before is not installed again by an install alone.
    let is_confirmed = state.is_some_and(|state| !state.pending);
    let confirmed = confirmed.map_err(|failure| match failure.is_of_the_slot() && is_confirmed {
        true => damaged(args.which.slot),
        false => failure,
    });
    print(said(&close_after(session, confirmed)?).as_bytes())
}

fn adopt(args: &AdoptSlot) -> Result<(), Failure> {
    let device = Device::find(&args.which.device)?;
    let code = match &args.file {
        Some(file) => Some(read_input(Some(file), device.config.geometry.flash)?),
        None => None,
    };
    let device = device.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let adopted = take(&mut session, args, code.as_ref().map(|code| code.as_slice()));
    print(said(&close_after(session, adopted)?).as_bytes())
}

fn take(session: &mut Session<'_>, args: &AdoptSlot, code: Option<&[u8]>) -> Result<Installed, Failure> {
    let (number, capacity) = (args.which.slot, session.slot_capacity(args.which.slot)?);
    if session.slot_state(number)?.is_some() {
        let failure = Failure::usage(format!("the store knows what belongs into slot {number}; nothing was changed"));
        return Err(failure.hint("other code comes there with `lockstone slot request` and `lockstone slot install`"));
    }
    let length = code.map_or(args.length.unwrap_or(0), |code| u32::try_from(code.len()).unwrap_or(u32::MAX));
    if length > capacity {
        return Err(Failure::usage(format!("slot {number} takes {capacity} bytes, not {length}; nothing was changed")));
    }
    if let Some(code) = code {
        session.program_slot(number, code, args.protect)?;
    }
    session.adopt_slot(number, length, args.protect)
}

fn forget(args: &ConfirmInstall) -> Result<(), Failure> {
    let device = Device::find(&args.which.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let forgotten = session.forget_slot(args.which.slot, args.protect);
    if close_after(session, forgotten)? { Ok(()) } else { Err(unknown(args.which.slot)) }
}

fn unknown(number: u8) -> Failure {
    Failure::usage(format!("the store does not know what belongs into slot {number}"))
}

fn get(args: &GetSlot) -> Result<(), Failure> {
    let target = Target::of(args.output.as_deref(), args.show, &args.which.device)?;
    let device = Device::find(&args.which.device)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let number = args.which.slot;
    let Some(state) = session.slot_state(number)? else {
        return Err(unknown(number));
    };
    let code = code(&mut session, number, state)?.ok_or_else(|| damaged(number))?;
    target.write(&code)
}
