//! `share`: what the owner of a key lets others do with it.

use lockstone::{Error, Rights, SHARES_MAX};

use super::{close_after, name, no_such_key};
use crate::args::{Share, rights_in_words};
use crate::device::{AnyRam, Device, Purpose};
use crate::exit::Failure;
use crate::terminal::{escaped, print};

pub(super) fn share(args: &Share) -> Result<(), Failure> {
    let owner = args.named.place.client;
    if args.with == owner {
        return Err(Failure::usage(format!("client {owner} owns it, and may do all with it as it is"))
            .hint("`--with N` names another client, `--with everyone` all of them"));
    }
    let device = Device::find(&args.named.place.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let session = device.mount(&mut memory)?;
    let (session, shared) = session.share(owner, name(&args.named), args.with, args.rights);
    let shared = shared.map_err(|error| match error {
        // The value is there already: it is not what is too long.
        Error::TooLarge => too_many(),
        error => error.into(),
    });
    if !close_after(session, shared)? {
        return Err(no_such_key(&args.named.key));
    }
    let whom = match args.with {
        lockstone::EVERYONE => "everyone".to_owned(),
        client => format!("client {client}"),
    };
    let shown = escaped(name(&args.named));
    let said = match args.rights {
        Rights::NONE => format!("{shown} is not shared with {whom} any more.\n"),
        rights => format!("{shown}: {whom} may {} it.\n", rights_in_words(rights)),
    };
    print(said.as_bytes())
}

fn too_many() -> Failure {
    Failure::usage(format!("at most {SHARES_MAX} others can share a key, and as many do; nothing was changed"))
        .hint("`--rights none` takes what one of them has back; `--with everyone` counts as one")
}
