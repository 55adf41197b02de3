//! `ls`: names, sorted by bytes; with lengths and attributes if asked.

use lockstone::Key;

use super::names;
use crate::args::Ls;
use crate::attributes::letters;
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
            let key = Key::new(name).of_client(args.place.client);
            let found = session.length(key).and_then(|length| Ok((length, session.attributes_of(key)?)));
            damaged += u32::from(found.is_err());
            let (length, attributes) = match found {
                Ok((Some(length), Some(attributes))) => (length.to_string(), letters(attributes)),
                _ => ("?".to_owned(), "?".to_owned()),
            };
            text.push_str(&format!("{length:>8}  {attributes:<4}  "));
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
