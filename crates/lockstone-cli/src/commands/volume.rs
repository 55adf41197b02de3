//! `volume`: which parts of the flash are for what.

use lockstone::{TableError, VolumeEntry};
use serde_json::json;

use super::close_after;
use crate::args::{AddVolume, ListVolumes, RemoveVolume, Volume};
use crate::device::{AnyRam, Device, Purpose, Session};
use crate::exit::Failure;
use crate::terminal::{print, print_json};
use crate::volumes::{as_json, kind_name, stretches};

pub(super) fn volume(command: &Volume) -> Result<(), Failure> {
    match command {
        Volume::Ls(args) => ls(args),
        Volume::Add(args) => add(args),
        Volume::Rm(args) => rm(args),
    }
}

fn ls(args: &ListVolumes) -> Result<(), Failure> {
    let device = Device::find(&args.device)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let (table, capacity) = (session.volumes()?, session.capacity());
    let free =
        stretches(&table, capacity).iter().filter(|(volume, ..)| volume.is_none()).map(|(.., length)| length).sum();
    let free: u32 = free;
    if args.json {
        return print_json(&json!({ "flash_bytes": capacity, "volumes": as_json(&table), "free_bytes": free }));
    }
    let mut text = String::from("volume         start      length\n");
    for (volume, start, length) in stretches(&table, capacity) {
        let name = volume.map_or("free".to_owned(), |volume| format!("{} {}", kind_name(volume.kind), volume.number));
        text.push_str(&format!("{name:<10}{start:>10}{length:>12}\n"));
    }
    print(text.as_bytes())
}

fn add(args: &AddVolume) -> Result<(), Failure> {
    let device = Device::find(&args.which.device)?.hold(Purpose::Use)?;
    let block = device.config().geometry.block;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let added =
        place(&mut session, args, block).and_then(|volume| session.add_volume(volume, block, args.which.protect));
    close_after(session, added)
}

/// Where the new volume goes.
fn place(session: &mut Session<'_>, args: &AddVolume, block: u32) -> Result<VolumeEntry, Failure> {
    let found = match (args.start, args.length) {
        (Some(start), Some(length)) => Some((start, length)),
        (_, Some(0)) => return Err(TableError::Length.into()),
        (_, length) => session.room(length, block)?,
    };
    let (start, length) = found.ok_or_else(|| {
        Failure::usage("there is no room for such a volume").hint("`lockstone volume ls DEV` shows what is free")
    })?;
    Ok(VolumeEntry::new(args.which.kind.into(), 0, start, length).with_number(args.which.number))
}

fn rm(args: &RemoveVolume) -> Result<(), Failure> {
    let device = Device::find(&args.which.device)?.hold(Purpose::Use)?;
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let removed = session.remove_volume(args.which.kind.into(), args.which.number, args.which.protect);
    close_after(session, removed)
}
