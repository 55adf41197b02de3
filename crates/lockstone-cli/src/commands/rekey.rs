//! `rekey`: everything on a device sealed anew under a fresh root key.

use super::{names, warn_if_low};
use crate::args::Rekey;
use crate::device::{AnyRam, Device, Purpose, Suite};
use crate::exit::Failure;
use crate::terminal::{counted, print};

pub(super) fn rekey(args: &Rekey) -> Result<(), Failure> {
    let device = Device::find(&args.device)?.hold(Purpose::Use)?;
    let suite = args.suite.unwrap_or(device.config().suite);
    if (suite, device.config().suite) == (Suite::Plain, Suite::Plain) {
        let failure = Failure::usage("the suite plain seals nothing, under no key; nothing was changed");
        return Err(failure.hint("`lockstone rekey DEV --suite ascon` seals what is there"));
    }
    let keys = device.rekey(suite)?;
    count(args)?;
    let said = format!(
        "{} sealed anew under a fresh root key, suite {}. What was shared has to be shared again.\n",
        counted(keys, "key"),
        suite.name()
    );
    print(said.as_bytes())
}

/// Opens the new store once and lists it: that counts it, so that the old flash is refused from now on.
fn count(args: &Rekey) -> Result<(), Failure> {
    let device = Device::find(&args.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    names(&mut session, 0, b"")?;
    warn_if_low(&session);
    Ok(session.close()?)
}
