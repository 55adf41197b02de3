//! `recover`: an older flash becomes the present one, after somebody was told what that means and said yes.

use crate::args::Recover;
use crate::device::{AnyRam, Device, Purpose};
use crate::exit::Failure;
use crate::standing::{Standing, Verdict};
use crate::terminal::{counted, print};

use super::close_after;

pub(super) fn recover(args: &Recover) -> Result<(), Failure> {
    let purpose = if args.i_accept_rollback { Purpose::Use } else { Purpose::Look };
    let device = Device::find(&args.device)?.hold(purpose)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount_even_rolled_back(&mut memory)?;
    let standing = session.standing();
    if !standing.rolled_back {
        let failure = Failure::usage("this device was not rolled back: there is nothing to accept");
        return Err(failure.hint(format!("{}; nothing was changed", standing.sentence())));
    }
    if !args.i_accept_rollback {
        let (keys, sound) = (session.stats()?.keys, session.report().is_sound());
        print(explained(&standing, keys, sound).as_bytes())?;
        let failure = Failure::usage("nothing was changed");
        return Err(failure.hint("`lockstone recover DEV --i-accept-rollback` does it"));
    }
    let accepted = session.accept_rollback().and_then(|()| session.rollbacks_accepted());
    let times = close_after(session, accepted)?;
    print(format!("Accepted, and recorded: {} so far.\n", counted(times, "accepted roll-back")).as_bytes())
}

fn explained(standing: &Standing, keys: u32, sound: bool) -> String {
    let keys = if sound { keys.to_string() } else { "unknown, as some of it is damaged".to_owned() };
    let mut text = format!(
        "What happened: {}.\nKeys on it: {keys}, of all clients; `lockstone check DEV` reads them.\n\
         Accepting makes this the present state. What was written since is lost, protected or not, and the flash that\n\
         holds it will be refused from then on. It takes two steps of the counter, and stays on record.\n",
        standing.sentence()
    );
    if let Verdict::Ahead(_) = standing.verdict() {
        text.push_str(
            "A counter that went back says again what it said before: older images of this flash can pass for the present\n\
             one later. Put the right counter back if there is any way.\n",
        );
    }
    text
}
