//! What can be asked for of volumes and slots.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use lockstone::VolumeKind;

use super::{Named, size};

/// What to do with the volume table.
#[derive(Debug, Subcommand)]
pub(crate) enum Volume {
    /// List the volumes of the flash, and what is free. Writes nothing.
    #[command(after_help = "Example:\n  lockstone volume ls dev --json")]
    Ls(ListVolumes),
    /// Add a volume where room is free. The store keeps the table from then on.
    #[command(
        after_help = "Of a new volume for objects all blocks are erased: what is free is nobody's.\n\nExamples:\n  lockstone volume add dev slot --length 1M\n  lockstone volume add dev spare --number 2 --start 15M --length 64K"
    )]
    Add(AddVolume),
    /// Remove a volume. Objects and slots that the store knows of keep theirs; of others the bytes stay until something else is put
    /// there, or a rekey.
    #[command(after_help = "Example:\n  lockstone volume rm dev slot --number 1")]
    Rm(RemoveVolume),
}

/// Volumes that come and go; the one for keys does not.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Firmware and other large values.
    Objects,
    /// Code that is executed where it lies.
    Slot,
    /// Something else's: nothing here touches it.
    Spare,
}

impl From<Kind> for VolumeKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Objects => Self::Objects,
            Kind::Slot => Self::Slot,
            Kind::Spare => Self::Spare,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListVolumes {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A volume of a device.
#[derive(Debug, Args)]
pub(crate) struct WhichVolume {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// What it is for.
    #[arg(value_enum)]
    pub(crate) kind: Kind,
    /// Which one of that kind.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) number: u8,
    /// Bind the change to the counter: no older flash undoes it. Takes two of its steps.
    #[arg(long)]
    pub(crate) protect: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddVolume {
    #[command(flatten)]
    pub(crate) which: WhichVolume,
    /// Its bytes, in whole erase blocks; else the largest stretch that is free.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) length: Option<u32>,
    /// Its first byte; else where it fits first.
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "length")]
    pub(crate) start: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveVolume {
    #[command(flatten)]
    pub(crate) which: WhichVolume,
}

/// What to do with slots.
#[derive(Debug, Subcommand)]
pub(crate) enum Slot {
    /// List the slots, what the store says belongs there, and whether it does. Writes nothing.
    #[command(after_help = "Example:\n  lockstone slot ls dev --json")]
    Ls(ListVolumes),
    /// Decide that a slot is to hold an object: the application's part of an install.
    #[command(
        after_help = "The object is read through first, and kept until the install is confirmed.\n\nExamples:\n  lockstone slot request dev fw/app\n  lockstone slot request dev fw/app --slot 1 --protect"
    )]
    Request(RequestInstall),
    /// Bring a slot to hold what was requested, and verify it: what a boot loader does at each start. It goes on where it was cut.
    #[command(after_help = "Example:\n  lockstone slot install dev")]
    Install(WhichSlot),
    /// End an install: the new code runs well, and its object is not needed any more.
    #[command(after_help = "Example:\n  lockstone slot confirm dev")]
    Confirm(ConfirmInstall),
    /// Take code for what belongs into a slot that the store knows nothing of: the first one, as a factory does.
    #[command(after_help = "Example:\n  lockstone slot adopt dev --file app.bin")]
    Adopt(AdoptSlot),
    /// Forget what belongs into a slot: nothing in it is to be executed any more, and its volume can be removed.
    #[command(after_help = "Example:\n  lockstone slot forget dev --slot 1 && lockstone volume rm dev slot --number 1")]
    Forget(ConfirmInstall),
    /// Write the code in a slot to standard output or to a file, if it is what the store says.
    #[command(after_help = "Example:\n  lockstone slot get dev -o app.bin")]
    Get(GetSlot),
}

#[derive(Debug, Args)]
pub(crate) struct RequestInstall {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Which slot.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) slot: u8,
    /// Bind the request to the counter: no older flash undoes it. Takes three of its steps.
    #[arg(long)]
    pub(crate) protect: bool,
}

/// A slot of a device.
#[derive(Debug, Args)]
pub(crate) struct WhichSlot {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// Which slot.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) slot: u8,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmInstall {
    #[command(flatten)]
    pub(crate) which: WhichSlot,
    /// Bind it to the counter: no older flash undoes it. Takes two of its steps.
    #[arg(long)]
    pub(crate) protect: bool,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["file", "length"])))]
pub(crate) struct AdoptSlot {
    #[command(flatten)]
    pub(crate) which: WhichSlot,
    /// File with the code: the slot is erased, and it is written there.
    #[arg(short, long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    /// So many bytes lie there already.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) length: Option<u32>,
    /// Bind it to the counter: no older flash undoes it. Takes two of its steps.
    #[arg(long)]
    pub(crate) protect: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetSlot {
    #[command(flatten)]
    pub(crate) which: WhichSlot,
    /// File to replace, as a whole and readable by you alone, instead of writing to standard output.
    #[arg(short, long, value_name = "F", conflicts_with = "show")]
    pub(crate) output: Option<PathBuf>,
    /// Show the code on the terminal; odd bytes are written \xNN there.
    #[arg(long)]
    pub(crate) show: bool,
}
