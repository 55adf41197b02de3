//! `ls`: names, sorted by bytes.

use lockstone::Key;

use super::names;
use crate::args::Ls;
use crate::device::{AnyRam, Device, Purpose};
use crate::exit::{Exit, Failure};
use crate::terminal::{escaped, print};

pub(super) fn ls(args: &Ls) -> Result<(), Failure> {
    let device = Device::find(&args.place.device)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let (names, mut damaged) = names(&mut session, args.place.client, args.prefix.as_encoded_bytes())?;
    let mut text = String::new();
    for name in &names {
        if args.long {
            let length = session.length(Key::new(name).of_client(args.place.client));
            damaged += u32::from(length.is_err());
            let length = length.ok().flatten().map_or("?".to_owned(), |length| length.to_string());
            text.push_str(&format!("{length:>8}  "));
        }
        text.push_str(&escaped(name));
        text.push('\n');
    }
    print(text.as_bytes())?;
    if damaged == 0 {
        return Ok(());
    }
    let failure = Failure::new(Exit::Damaged, "stored content is damaged or forged: the list is not complete");
    Err(failure.hint("`lockstone check DEV` says what is damaged and what can still be read"))
}
