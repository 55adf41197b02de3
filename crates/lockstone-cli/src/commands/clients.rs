//! `client`: whose keys are on a device, and how many.

use lockstone::Key;
use serde_json::json;

use super::names;
use crate::args::Clients;
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::{Exit, Failure};
use crate::terminal::{print, print_json};

/// What a client has.
struct Holding {
    client: u32,
    keys: u64,
    /// Bytes of all its values.
    bytes: u64,
}

pub(super) fn clients(args: &Clients) -> Result<(), Failure> {
    let device = Device::find(&args.device)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let mut damaged = 0;
    let mut holdings = Vec::new();
    for client in session.clients()? {
        let (holding, gaps) = holding_of(&mut session, client)?;
        damaged += gaps;
        if holding.keys > 0 {
            holdings.push(holding);
        }
    }
    if args.json {
        let clients: Vec<_> = holdings
            .iter()
            .map(|Holding { client, keys, bytes }| json!({ "client": client, "keys": keys, "bytes": bytes }))
            .collect();
        print_json(&json!({ "clients": clients, "complete": damaged == 0 }))?;
    } else {
        print(as_text(&holdings).as_bytes())?;
    }
    if damaged == 0 {
        return Ok(());
    }
    let failure = Failure::new(Exit::Damaged, "stored content is damaged or forged: the numbers are too small");
    Err(failure.hint("`lockstone check DEV` says what is damaged and what can still be read"))
}

/// What a client has, and how much of it could not be read.
fn holding_of(session: &mut Session<'_>, client: u32) -> Result<(Holding, u32), Failure> {
    let (names, mut damaged) = names(session, client, b"")?;
    let mut bytes = 0;
    for name in &names {
        match session.length(Key::new(name).of_client(client)) {
            Ok(length) => bytes += u64::from(length.unwrap_or(0)),
            Err(_) => damaged += 1,
        }
    }
    Ok((Holding { client, keys: names.len() as u64, bytes }, damaged))
}

fn as_text(holdings: &[Holding]) -> String {
    let mut text = String::from("    client      keys     bytes of values\n");
    for Holding { client, keys, bytes } in holdings {
        text.push_str(&format!("{client:>10}  {keys:>8}  {bytes:>18}\n"));
    }
    text
}
