//! `factory-reset`: a device as it left the factory, after somebody was told what that means and said yes.

use lockstone::{Attributes, Key};

use super::put::reclaim;
use super::{close_after, names};
use crate::args::Confirmed;
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::{Exit, Failure};
use crate::terminal::{counted, print};

/// How many keys of all clients share a fate.
#[derive(Default)]
struct Fates {
    removed: u64,
    brought_back: u64,
    kept: u64,
    /// Objects that were begun and not finished: they are given up.
    unfinished: u64,
}

pub(super) fn factory_reset(args: &Confirmed) -> Result<(), Failure> {
    let purpose = if args.yes { Purpose::Use } else { Purpose::Look };
    let device = Device::find(&args.device)?.hold(purpose)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let fates = fates(&mut session)?;
    if !args.yes {
        print(fates.told("would be ").as_bytes())?;
        let failure = Failure::usage("nothing was changed");
        return Err(failure.hint("`lockstone factory-reset DEV --yes` does it"));
    }
    let reset = session.factory_reset();
    if reset.is_ok() {
        reclaim(&mut session);
    }
    close_after(session, reset)?;
    print(fates.told("").as_bytes())
}

/// What happens to each key that is there.
fn fates(session: &mut Session<'_>) -> Result<Fates, Failure> {
    let mut fates = Fates { unfinished: session.unfinished()?.len() as u64, ..Fates::default() };
    for client in session.clients()? {
        let (names, gaps) = names(session, client, b"")?;
        if gaps > 0 {
            let failure = Failure::new(Exit::Damaged, "stored content is damaged or forged; nothing was changed");
            return Err(failure.hint("`lockstone check DEV` says what is damaged and what can still be read"));
        }
        for name in names {
            let attributes = session.attributes_of(Key::new(&name).of_client(client))?.unwrap_or_default();
            *fates.of(attributes) += 1;
        }
    }
    Ok(fates)
}

impl Fates {
    fn of(&mut self, attributes: Attributes) -> &mut u64 {
        const KEPT: Attributes =
            Attributes::WRITE_ONCE.and(Attributes::NON_DELETABLE).and(Attributes::PROTECTED).and(Attributes::RETAINED);
        if attributes.any(Attributes::FACTORY) {
            &mut self.brought_back
        } else if attributes.any(KEPT) {
            &mut self.kept
        } else {
            &mut self.removed
        }
    }

    fn told(&self, mood: &str) -> String {
        let begun = match self.unfinished {
            0 => String::new(),
            begun => format!("{} {mood}given up.\n", counted(begun, "unfinished object")),
        };
        format!(
            "{} {mood}removed, {} {mood}brought back, {} {mood}kept; of all clients.\n{begun}",
            counted(self.removed, "key"),
            self.brought_back,
            self.kept
        )
    }
}
