//! `scrub`: what was deleted or replaced goes from flash for good.

use super::close_after;
use crate::args::OnDevice;
use crate::device::{AnyRam, Device, Purpose};
use crate::exit::Failure;
use crate::terminal::{bar, counted, print};

pub(super) fn scrub(args: &OnDevice) -> Result<(), Failure> {
    let device = Device::find(&args.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let before = session.stats()?;
    let bar = bar(true, before.segments.into(), "scrubbing");
    let scrubbed = session.scrub(|done, _| bar.set_position(done.into()));
    bar.finish_and_clear();
    let scrubbed = scrubbed.and_then(|()| session.stats()).map_err(Failure::from);
    let scrubbed = scrubbed.and_then(|after| Ok((after, session.reclaim()?)));
    let has_volume = session.has_volume();
    let (after, blocks) = close_after(session, scrubbed)?;
    let of_objects = if has_volume { format!(" and {} of objects", counted(blocks, "block")) } else { String::new() };
    let said = format!(
        "{}{of_objects} erased, one after the other; {} written again. Nothing of keys and objects that were deleted or replaced is left on the flash.\n",
        counted(after.segments, "segment"),
        counted(after.keys, "key")
    );
    print(said.as_bytes())
}
