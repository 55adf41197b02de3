//! The command line: what can be asked for.
//!
//! Secrets are never arguments: values come from standard input or a file. Tested by the suite `commands`.

mod object;
mod volume;

use std::ffi::OsString;
use std::num::{IntErrorKind, ParseIntError};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use lockstone::Rights;

pub(crate) use object::{FinishObject, GetObject, ListObjects, Object, PutObject, RemoveObject, ResumeObject};
pub(crate) use volume::{
    AddVolume, AdoptSlot, ConfirmInstall, GetSlot, ListVolumes, RemoveVolume, RequestInstall, Slot, Volume, WhichSlot,
};

use crate::attributes::Attribute;
use crate::device::{COUNTER_MAX, Suite};

/// Keeps small secrets, configuration and firmware on untrusted flash: nothing acknowledged is ever lost, nothing
/// stored can be read or changed unnoticed.
#[derive(Debug, Parser)]
#[command(
    name = "lockstone",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done · 1 no such key · 2 usage · 3 damaged or forged content · 4 rolled back
            5 full, worn out or out of steps · 6 not permitted · 7 device busy or I/O

First steps:
  lockstone demo
  lockstone new dev && echo hello | lockstone put dev greeting && lockstone get dev greeting | cat

Later:
  lockstone share dev greeting --with everyone --rights r
  lockstone rm dev greeting && lockstone scrub dev
  lockstone rekey dev
  lockstone erase dev --yes"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One variant a command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a device directory with an empty store in it.
    #[command(
        after_help = "Examples:\n  lockstone new dev --flash 1M --block 4K --write 4 --suite ascon\n  lockstone new dev --flash 16M --objects 12M\n  lockstone new dev --flash 8M --objects 6M --slot 1M"
    )]
    New(New),
    /// Store a value under a key, replacing the old one. Reads standard input unless --file is given.
    #[command(
        after_help = "A value of more than 64 KiB becomes an object, if the device has a volume for objects: see `lockstone object`.\n\nExamples:\n  lockstone put dev wifi/psk < psk.txt\n  lockstone put dev tls/key --file key.pem\n  lockstone put dev fw/minimum --protect < version\n  lockstone put dev serial --once < serial"
    )]
    Put(Put),
    /// Write the value of a key to standard output or to a file, byte for byte.
    #[command(
        after_help = "Examples:\n  lockstone get dev tls/key | openssl pkey -noout\n  lockstone get dev tls/key -o key.pem"
    )]
    Get(Get),
    /// List the names of keys, one a line, sorted by bytes; odd bytes are written \xNN.
    #[command(after_help = "Example:\n  lockstone ls dev wifi/ -l")]
    Ls(Ls),
    /// Show the attributes of a key, or change them; its value stays.
    #[command(
        after_help = "Examples:\n  lockstone attributes dev serial\n  lockstone attributes dev tls/key --add read-only,no-delete"
    )]
    Attributes(ChangeAttributes),
    /// Delete a key. Works on a full device too.
    #[command(after_help = "Example:\n  lockstone rm dev wifi/psk")]
    Rm(Named),
    /// Read everything and say what is damaged. Writes nothing.
    #[command(after_help = "Example:\n  lockstone check dev && echo sound")]
    Check(Look),
    /// Say how full and how worn the device is. Writes nothing.
    #[command(after_help = "Example:\n  lockstone stats dev --json")]
    Stats(Look),
    /// Say where the counter stands that protects from older images of the flash, and how long it lasts. Writes nothing.
    #[command(after_help = "Example:\n  lockstone counter dev --json")]
    Counter(CountOf),
    /// Take an older flash that was put back as the present one, for good. Says first what that means.
    #[command(after_help = "Examples:\n  lockstone recover dev\n  lockstone recover dev --i-accept-rollback")]
    Recover(Recover),
    /// Bring the device back to its factory state. Without --yes it only says what would happen to how many keys.
    #[command(
        after_help = "Keys with a factory copy get it back; those that are write-once, non-deletable, protected or retained are\nkept; all others, of all clients, are removed. Atomic; takes steps of the counter.\n\nExamples:\n  lockstone factory-reset dev\n  lockstone factory-reset dev --yes"
    )]
    FactoryReset(Confirmed),
    /// Firmware and other large values: written in pieces, in any order, gone on with after a cut, committed in one step.
    #[command(subcommand)]
    Object(Object),
    /// Which parts of the flash are for what: keys, objects, slots for code, and what is spare.
    #[command(subcommand)]
    Volume(Volume),
    /// Code that is executed where it lies: from an object into a slot, verified at each boot.
    #[command(subcommand)]
    Slot(Slot),
    /// Remove from flash what was deleted or replaced: every segment is erased once.
    #[command(
        after_help = "What remains on flash after a delete: records are never updated in place, so the sealed bytes of an old or\ndeleted value stay where they are until their segment is erased in its turn. Nobody reads them without the\nroot key; who gets the key later reads them too. After a scrub only what is there now is on flash, and\ntombstones without names. It may be cut at any moment and called again.\n\nExample:\n  lockstone rm dev wifi/psk && lockstone scrub dev"
    )]
    Scrub(OnDevice),
    /// Let another client, or everyone, use a key. What was said before of that client is replaced.
    #[command(
        after_help = "Examples:\n  lockstone share dev ca.pem --with everyone --rights r\n  lockstone get dev ca.pem --client 7 --owner 0\n  lockstone share dev ca.pem --with everyone --rights none"
    )]
    Share(Share),
    /// List the clients that have keys: how many, and how many bytes. Writes nothing.
    #[command(after_help = "Example:\n  lockstone client dev --json")]
    Client(Clients),
    /// Seal everything anew under a fresh random root key, and another suite if asked. What was shared has to be shared
    /// again.
    #[command(
        after_help = "When it is cut, the next command finds the device with either all old or all new, and says so.\nIt does not change what somebody who had the old key and an old copy of flash.bin can read there.\n\nExamples:\n  lockstone rekey dev\n  lockstone rekey dev --suite aes"
    )]
    Rekey(Rekey),
    /// Erase the flash and destroy the root key: the end of a device. Without --yes it only says what would be lost.
    #[command(
        after_help = "The key file is overwritten and removed; a disk may keep copies of it all the same, as may a backup.\n\nExample:\n  lockstone erase dev --yes"
    )]
    Erase(Confirmed),
    /// Show what is on a flash, damaged and foreign ones too: segments, records, wear, holes, and what a mount decides.
    /// Writes nothing to it.
    #[command(
        after_help = "Examples:\n  lockstone inspect dev --svg dev.svg\n  lockstone inspect readout.bin --key root.key -l\n  lockstone inspect readout.bin        without a key: what stands in the clear"
    )]
    Inspect(Inspect),
    /// Store every file of a folder or tar file, every item of an ESP-IDF NVS partition, or a sealed export.
    #[command(
        after_help = "Examples:\n  lockstone import dev settings/\n  lockstone import dev backup.tar\n  lockstone import dev nvs.bin --nvs\n  lockstone import dev backup.bin --key backup.key\n\nAttributes that an export brings along are set, on keys that are there already too. Where it says none, a key that\nis there keeps its own, and a new one has none: `lockstone attributes`."
    )]
    Import(Import),
    /// Write all keys of a client to a new folder or tar file in the clear, or to a sealed image.
    #[command(
        after_help = "Examples:\n  lockstone export dev --plain -o backup.tar\n  lockstone export dev --plain -o folder\n  lockstone export dev --sealed backup.key -o backup.bin\n\nThe attributes of the keys come along: in the file .lockstone-attributes, or sealed with the keys. Factory copies and\nshares do not. To change the key of a device with all it has: `lockstone rekey`."
    )]
    Export(Export),
    /// Make and verify factory images: the same bytes each time, for one device or thousands.
    #[command(subcommand)]
    Image(Image),
    /// The main job on real input: certificates, power cuts, attacks, and a picture. Needs no device.
    #[command(after_help = "Examples:\n  lockstone demo\n  lockstone demo --cuts 2000 --json")]
    Demo(Demo),
    /// Play one case of the tests or the fuzzer again, step by step, with every access to the flash. Needs no device.
    #[command(
        after_help = "Examples:\n  lockstone replay mixed/word4/ascon/5/bits/1/ecc --keep dev\n  lockstone replay life/word4/plain/7 --json\n  lockstone replay fuzz/mount --file input"
    )]
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Directory to make.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// Size of the flash in bytes; K and M are understood.
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = size)]
    pub(crate) flash: u32,
    /// Size of an erase block.
    #[arg(long, value_name = "SIZE", default_value = "4K", value_parser = size)]
    pub(crate) block: u32,
    /// How much of the flash is for objects, behind the keys: large values such as firmware. Three quarters if the flash has
    /// 4M or more, else none.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) objects: Option<u32>,
    /// A slot for code of this size behind all that; several are numbered from 0.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) slot: Vec<u32>,
    /// Size of a program unit.
    #[arg(long, value_name = "SIZE", default_value = "4", value_parser = size)]
    pub(crate) write: u32,
    /// Bucket heads, 8 bytes of RAM each: firmware that mounts this flash needs as many.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) heads: u16,
    /// How records are sealed.
    #[arg(long, value_enum, default_value_t = Suite::Ascon)]
    pub(crate) suite: Suite,
    /// Steps that the device's counter has, as fuses would: 32, 64, 65536; else more than it can ever need.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=i64::from(COUNTER_MAX)))]
    pub(crate) counter_limit: Option<u32>,
    /// Bind every change to the counter, not only those that ask for it. Decided here, for good.
    #[arg(long)]
    pub(crate) protect_all: bool,
}

/// A device and a client on it.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// Whose keys: each client has names of its own.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=u32::MAX as i64 - 1))]
    pub(crate) client: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Name of the key: 1 to 255 bytes.
    #[arg(value_name = "KEY")]
    pub(crate) key: OsString,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    #[command(flatten)]
    pub(crate) named: Named,
    /// File to read the value from instead of standard input.
    #[arg(short, long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    /// Replace the value of a key that this client shares with --client.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=u32::MAX as i64 - 1), conflicts_with_all = ["protect", "AttributeFlags"])]
    pub(crate) owner: Option<u32>,
    /// Bind this write to the counter: no older flash undoes it. Takes two of its steps.
    #[arg(long)]
    pub(crate) protect: bool,
    #[command(flatten)]
    pub(crate) attributes: AttributeFlags,
}

/// What the key is from now on. Any of these replace all that it had.
#[derive(Debug, Args)]
#[command(next_help_heading = "Attributes of the key, in place of those that it has")]
pub(crate) struct AttributeFlags {
    /// Bind each change of the key to the counter, this one too.
    #[arg(long)]
    pub(crate) protected: bool,
    /// The value never changes again, nor can it be deleted. Brings --protected.
    #[arg(long)]
    pub(crate) once: bool,
    /// The value can't be changed until the attribute is removed. Brings --protected.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// The key can't be deleted until the attribute is removed. Brings --protected.
    #[arg(long)]
    pub(crate) no_delete: bool,
    /// A factory reset keeps the key as it is.
    #[arg(long)]
    pub(crate) retain: bool,
    /// A factory reset brings this value back.
    #[arg(long)]
    pub(crate) factory: bool,
    /// The value may be executed in place: boot code asks.
    #[arg(long)]
    pub(crate) executable: bool,
    /// Accept that an older flash undoes --once, --read-only or --no-delete: without --protected.
    #[arg(long)]
    pub(crate) accept_replay: bool,
    /// Leave name and value in the clear on flash, for readers without the key; they can't be changed unnoticed.
    #[arg(long)]
    pub(crate) clear: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeAttributes {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Add these.
    #[arg(long, value_name = "A,B", value_enum, value_delimiter = ',')]
    pub(crate) add: Vec<Attribute>,
    /// Take these away.
    #[arg(long, value_name = "A,B", value_enum, value_delimiter = ',')]
    pub(crate) remove: Vec<Attribute>,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CountOf {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A device alone.
#[derive(Debug, Args)]
pub(crate) struct OnDevice {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
}

/// What can't be undone.
#[derive(Debug, Args)]
pub(crate) struct Confirmed {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// Do it.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Clients {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Share {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Number of the other client, or `everyone`.
    #[arg(long, value_name = "N|everyone", value_parser = other)]
    pub(crate) with: u32,
    /// What the other may do: r read, w write, x execute, or several, as in rw; `none` takes all back.
    #[arg(long, value_name = "RWX|none", value_parser = rights)]
    pub(crate) rights: Rights,
}

#[derive(Debug, Args)]
pub(crate) struct Rekey {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// How records are sealed from now on; else as they are now.
    #[arg(long, value_enum)]
    pub(crate) suite: Option<Suite>,
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Device directory.
    #[arg(value_name = "DEV")]
    pub(crate) device: PathBuf,
    /// Do it. What was protected since is lost, and it stays on record that this was accepted.
    #[arg(long)]
    pub(crate) i_accept_rollback: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Read a key that this client shares with --client.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=u32::MAX as i64 - 1))]
    pub(crate) owner: Option<u32>,
    /// File to replace, as a whole and readable by you alone, instead of writing to standard output.
    #[arg(short, long, value_name = "F", conflicts_with = "show")]
    pub(crate) output: Option<PathBuf>,
    /// Show the value on the terminal; odd bytes are written \xNN there.
    #[arg(long)]
    pub(crate) show: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only names that begin with this.
    #[arg(value_name = "PREFIX", default_value = "")]
    pub(crate) prefix: OsString,
    /// Show the length of each value and the attributes of its key too: p protected, o once, r read-only, d can't be
    /// deleted, t retained by a factory reset, f factory value, x executable, a replay accepted, c in the clear, b an object, in
    /// blocks of its own.
    #[arg(short, long)]
    pub(crate) long: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Look {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Device directory, or a file with the content of a flash.
    #[arg(value_name = "DEV|IMAGE")]
    pub(crate) path: Option<PathBuf>,
    /// File with the root key of 32 bytes; a device brings its own.
    #[arg(long, value_name = "F")]
    pub(crate) key: Option<PathBuf>,
    /// Where the flash begins in the file: for images of a whole chip.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) offset: Option<u32>,
    /// How long the flash is in the file, without a volume for objects behind it; else its headers say it, as far as they
    /// can.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) size: Option<u32>,
    /// A line for each segment too.
    #[arg(short, long)]
    pub(crate) long: bool,
    /// A line for each record too.
    #[arg(long)]
    pub(crate) records: bool,
    /// Draw it: a bar for each segment.
    #[arg(long, value_name = "F")]
    pub(crate) svg: Option<PathBuf>,
    /// Print one JSON object on one line.
    #[arg(long, conflicts_with_all = ["long", "records"])]
    pub(crate) json: bool,
    /// Print the numbers of the format instead.
    #[arg(long, exclusive = true)]
    pub(crate) constants: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Where the keys come from. The path of a file is the name of its key.
    #[arg(value_name = "FOLDER|FILE")]
    pub(crate) source: PathBuf,
    /// The file is an ESP-IDF NVS partition: its items become keys `namespace/key`.
    #[arg(long)]
    pub(crate) nvs: bool,
    /// The file is a sealed export or a flash image; this file has its root key of 32 bytes.
    #[arg(long, value_name = "F", conflicts_with = "nvs")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("form").required(true).args(["plain", "sealed"])))]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) place: Place,
    /// New tar file (a name that ends in .tar), new folder, or new image.
    #[arg(short, long, value_name = "F|DIR")]
    pub(crate) output: PathBuf,
    /// In the clear: whoever has the file has the secrets.
    #[arg(long)]
    pub(crate) plain: bool,
    /// As a sealed image under the root key of 32 bytes in this file.
    #[arg(long, value_name = "F")]
    pub(crate) sealed: Option<PathBuf>,
}

/// What to do with factory images.
#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Make the flash of every device that a manifest names, or one image.
    #[command(
        after_help = "Examples:\n  lockstone image build factory.toml -o flash.bin --key root.key\n  lockstone image build batch.toml -o out --with-keys\n  lockstone image build batch.toml -o out --device dev-0007"
    )]
    Build(BuildImage),
    /// Compare images with the manifest that they were made from. Writes nothing.
    #[command(after_help = "Example:\n  lockstone image verify batch.toml out")]
    Verify(VerifyImage),
    /// Write the root key of one device of a batch to a new file.
    #[command(after_help = "Example:\n  lockstone image key batch.toml dev-0007 -o root.key")]
    Key(ImageKey),
}

#[derive(Debug, Args)]
pub(crate) struct BuildImage {
    /// Manifest in TOML: see docs/start.md.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,
    /// New file for one image, or folder for the devices of a batch.
    #[arg(short, long, value_name = "F|DIR")]
    pub(crate) output: PathBuf,
    /// File with the root key of 32 bytes, for one image.
    #[arg(long, value_name = "F")]
    pub(crate) key: Option<PathBuf>,
    /// Only this device of a batch.
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Write each device's root key to its trusted/ folder too: keep those apart from the images.
    #[arg(long)]
    pub(crate) with_keys: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyImage {
    /// Manifest that the images were made from.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,
    /// The image, or the folder of the batch.
    #[arg(value_name = "F|DIR")]
    pub(crate) images: PathBuf,
    /// File with the root key of 32 bytes, for one image.
    #[arg(long, value_name = "F")]
    pub(crate) key: Option<PathBuf>,
    /// Only this device of a batch.
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageKey {
    /// Manifest of the batch.
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,
    /// Name of the device.
    #[arg(value_name = "NAME")]
    pub(crate) device: String,
    /// New file, readable by you alone.
    #[arg(short, long, value_name = "F")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How often the power is cut.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) cuts: u32,
    /// What decides everything random; drawn and printed if not given.
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Bundle of certificates to store; else the machine's, else a small one that comes along.
    #[arg(long, value_name = "FILE")]
    pub(crate) pem: Option<PathBuf>,
    /// Firmware to update a device with, its first MiB; else this program.
    #[arg(long, value_name = "FILE")]
    pub(crate) firmware: Option<PathBuf>,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep the final state as a device directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Name of the case, as the failure printed it.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// File with the input of a fuzz target, instead of HEX in the id.
    #[arg(long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    /// Keep the flash at the end as a device directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A number of bytes: `512`, `4K`, `1M`.
pub(crate) fn size(text: &str) -> Result<u32, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let factor = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KIB" => 1024,
        "M" | "MIB" => 1024 * 1024,
        _ => return Err("a size is a number of bytes, with K or M for KiB and MiB".to_owned()),
    };
    let too_large = || "that is more than 4 GiB".to_owned();
    let number: u32 = digits.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => too_large(),
        _ => "a size is a whole number of bytes".to_owned(),
    })?;
    number.checked_mul(factor).ok_or_else(too_large)
}

/// Whom something is shared with: a number, or `everyone`.
fn other(text: &str) -> Result<u32, String> {
    if text == "everyone" {
        return Ok(lockstone::EVERYONE);
    }
    let number: Option<u32> = text.parse().ok().filter(|number| *number != lockstone::EVERYONE);
    number.ok_or_else(|| format!("a client is a number from 0 to {}, or `everyone`", lockstone::EVERYONE - 1))
}

const RIGHTS: [(char, Rights, &str); 3] =
    [('r', Rights::READ, "read"), ('w', Rights::WRITE, "write"), ('x', Rights::EXECUTE, "execute")];

/// `r`, `rw`, `none`.
fn rights(text: &str) -> Result<Rights, String> {
    if text == "none" {
        return Ok(Rights::NONE);
    }
    let right = |letter| RIGHTS.iter().find(|(known, ..)| *known == letter).map(|(_, right, _)| *right);
    let all = text.chars().try_fold(Rights::NONE, |all, letter| Some(all.and(right(letter)?)));
    let all = all.filter(|all| *all != Rights::NONE);
    all.ok_or_else(|| "rights are letters of r (read), w (write) and x (execute), or `none`".to_owned())
}

/// `read and write`.
pub(crate) fn rights_in_words(rights: Rights) -> String {
    let words: Vec<_> = RIGHTS.iter().filter(|(_, right, _)| rights.all(*right)).map(|(.., word)| *word).collect();
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use lockstone::Rights;

    use super::{rights, rights_in_words, size};

    #[test]
    fn rights_are_read_and_said() {
        let told = |text: &str| rights(text).map(rights_in_words);
        assert_eq!(told("r").as_deref(), Ok("read"));
        assert_eq!(told("xwr").as_deref(), Ok("read and write and execute"));
        assert_eq!(rights("none"), Ok(Rights::NONE));
        for text in ["", "rwz", "all", "R"] {
            assert!(rights(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_suffix() {
        for (text, bytes) in [("512", 512), ("4K", 4096), ("4k", 4096), ("1M", 1 << 20), ("2MiB", 2 << 20)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1", "1.5M", "1G", "4096M", "99999999999"] {
            assert!(size(text).is_err(), "{text}");
        }
        for text in ["4294967296", "18014398509481984K", "99999999999999", "18446744073709551616"] {
            assert_eq!(size(text), Err("that is more than 4 GiB".to_owned()), "{text}");
        }
    }
}
