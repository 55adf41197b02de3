//! `erase`: the end of a device. The flash is erased and the root key destroyed.

use lockstone::Error;

use crate::args::Confirmed;
use crate::device::{AnyRam, Device, Purpose};
use crate::exit::{Exit, Failure};
use crate::terminal::{counted, print, say};

pub(super) fn erase(args: &Confirmed) -> Result<(), Failure> {
    let purpose = if args.yes { Purpose::Use } else { Purpose::Look };
    let device = Device::find(&args.device)?.hold(purpose)?;
    let mut memory = AnyRam::new();
    let mounted = device.mount_even_rolled_back(&mut memory);
    if !args.yes {
        let keys = mounted.and_then(|mut session| Ok(session.stats()?.keys));
        let keys =
            keys.map_or_else(|_| "what is on it, which can't be counted".to_owned(), |keys| counted(keys, "key"));
        print(format!("Lost for good would be: {keys}, of all clients, and the root key.\n").as_bytes())?;
        let failure = Failure::usage("nothing was changed");
        return Err(failure.hint("`lockstone erase DEV --yes` does it"));
    }
    match mounted {
        Ok(session) => {
            match session.erase() {
                Err(Error::CounterExhausted) => {
                    say("lockstone: note: the counter has no steps left: images from before are not refused by it");
                }
                erased => erased?,
            }
            // Objects too.
            device.erase_unseen()?;
        }
        Err(failure) if matches!(failure.exit, Exit::Io | Exit::NotPermitted) => return Err(failure),
        Err(failure) => {
            // Without the key nothing sealed can be read, also on a flash that can't be erased.
            if let Err(unerased) = device.erase_unseen() {
                device.destroy_key()?;
                let sentence =
                    format!("trusted/root.key is destroyed, but nothing was erased: {}", unerased.sentence());
                return Err(Failure::new(unerased.exit, sentence).hint("what is left of flash.bin is yours to remove"));
            }
            say(format!("lockstone: note: erased unseen, and no step of the counter taken, as {}", failure.sentence()));
        }
    }
    device.destroy_key()?;
    print(
        b"flash.bin is erased, trusted/root.key is destroyed: no image of this flash can be read again.\n\
          Copies that somebody made of the key are not.\n",
    )
}
