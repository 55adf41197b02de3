//! `attributes`: what may be done to a key, shown or changed.

use lockstone::{Attributes, AttributesError, Error};
use serde_json::json;

use super::{close_after, key, no_such_key};
use crate::args::ChangeAttributes;
use crate::attributes::{lines, together, words};
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::Failure;
use crate::file_flash::FlashError;
use crate::terminal::{print, print_json};

pub(super) fn attributes(args: &ChangeAttributes) -> Result<(), Failure> {
    let (add, remove) = (together(&args.add), together(&args.remove));
    let changes = add.and(remove) != Attributes::NONE;
    let purpose = if changes { Purpose::Use } else { Purpose::Look };
    let device = Device::find(&args.named.place.device)?.hold(purpose)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let found = if changes {
        let changed = change(&mut session, args, add, remove).map_err(|error| match error {
            // It had it, and what made it replayable is to go.
            Error::Attributes(AttributesError::NothingReplayable) if !add.any(Attributes::DANGER_REPLAYABLE) => {
                let both = words(remove).join(",");
                let hint =
                    format!("accept-replay has to go with it: `--remove {both},accept-replay`; nothing was changed");
                Failure::from(error).hint(hint)
            }
            error => error.into(),
        });
        close_after(session, changed)?
    } else {
        session.attributes_of(key(&args.named))?
    };
    let Some(attributes) = found else { return Err(no_such_key(&args.named.key)) };
    if args.json {
        print_json(&json!({ "attributes": words(attributes), "object": attributes.is_object() }))
    } else {
        print(lines(attributes).as_bytes())
    }
}

/// What the key has then; `None`: there is no such key.
fn change(
    session: &mut Session<'_>,
    args: &ChangeAttributes,
    add: Attributes,
    remove: Attributes,
) -> Result<Option<Attributes>, Error<FlashError>> {
    let key = key(&args.named);
    let Some(old) = session.attributes_of(key)? else { return Ok(None) };
    session.set_attributes(key, old.and(add).without(remove))?;
    session.attributes_of(key)
}
