//! What can be asked for of objects.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Named, Place, size};

/// What to do with objects.
#[derive(Debug, Subcommand)]
pub(crate) enum Object {
    /// Store a file as an object; or, with --at, a piece of one that is finished later.
    #[command(
        after_help = "A piece begins and ends where a chunk does (`lockstone stats` says how long those are), or at the end of the\nobject. What is there already is not written again. Until it is finished, the key keeps what it has.\n\nExamples:\n  lockstone object put dev fw/app --file app.bin\n  lockstone object put dev fw/app --file piece7 --at 458752 --length 3000000"
    )]
    Put(PutObject),
    /// Say what is missing of an unfinished object; with --file, write that and finish it.
    #[command(
        after_help = "Examples:\n  lockstone object resume dev fw/app --json\n  lockstone object resume dev fw/app --file app.bin"
    )]
    Resume(ResumeObject),
    /// Put an object of which nothing is missing under its key, in one step.
    #[command(after_help = "Example:\n  lockstone object finish dev fw/app --sha256 $(sha256sum app.bin | cut -c -64)")]
    Finish(FinishObject),
    /// List the objects of a client with their SHA-256, and its unfinished ones. Writes nothing.
    #[command(after_help = "Example:\n  lockstone object ls dev --json")]
    Ls(ListObjects),
    /// Write an object, or a range of it, to standard output or to a file.
    #[command(
        after_help = "An unfinished object is read if the key holds no other, or if it is asked for with --unfinished.\n\nExamples:\n  lockstone object get dev fw/app -o app.bin\n  lockstone object get dev fw/app --offset 64 --length 32 | xxd"
    )]
    Get(GetObject),
    /// Remove an object and erase its blocks.
    #[command(
        after_help = "Examples:\n  lockstone object rm dev fw/app\n  lockstone object rm dev fw/app --unfinished"
    )]
    Rm(RemoveObject),
}

#[derive(Debug, Args)]
pub(crate) struct PutObject {
    #[command(flatten)]
    pub(crate) named: Named,
    /// File to read from instead of standard input.
    #[arg(short, long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    /// The file is a piece of the object that begins there; the object stays unfinished.
    #[arg(long, value_name = "OFFSET", value_parser = size)]
    pub(crate) at: Option<u32>,
    /// How long the object will be: needed for its first piece.
    #[arg(long, value_name = "N", value_parser = size, requires = "at")]
    pub(crate) length: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeObject {
    #[command(flatten)]
    pub(crate) named: Named,
    /// File with the whole object: what is missing is written from it, and the object is finished.
    #[arg(short, long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    /// Print one JSON object on one line.
    #[arg(long, conflicts_with = "file")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FinishObject {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Finish it only if this is the SHA-256 of its content.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub(crate) sha256: Option<[u8; 32]>,
}

#[derive(Debug, Args)]
pub(crate) struct ListObjects {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print one JSON object on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetObject {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Where to begin.
    #[arg(long, value_name = "N", default_value = "0", value_parser = size)]
    pub(crate) offset: u32,
    /// How many bytes; else all up to the end.
    #[arg(long, value_name = "N", value_parser = size)]
    pub(crate) length: Option<u32>,
    /// Read the unfinished one, though the key holds an object.
    #[arg(long)]
    pub(crate) unfinished: bool,
    /// File to replace, as a whole and readable by you alone, instead of writing to standard output.
    #[arg(short, long, value_name = "F", conflicts_with = "show")]
    pub(crate) output: Option<PathBuf>,
    /// Show the content on the terminal; odd bytes are written \xNN there.
    #[arg(long)]
    pub(crate) show: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveObject {
    #[command(flatten)]
    pub(crate) named: Named,
    /// Give up the unfinished one instead; what the key holds stays.
    #[arg(long)]
    pub(crate) unfinished: bool,
}

/// 64 hexadecimal digits.
fn digest(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "a SHA-256 is written as 64 hexadecimal digits".to_owned();
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn digests_are_read() {
        assert_eq!(digest(&"0aF9".repeat(16)).map(|digest| digest[..2].to_vec()), Ok(vec![0x0a, 0xf9]));
        for text in ["", "00", &"0g".repeat(32), &"é".repeat(32), &"+1".repeat(32)] {
            assert!(digest(text).is_err(), "{text}");
        }
    }
}
