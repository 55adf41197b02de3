//! Terminal: what is written to standard output and error, and how odd bytes look there.
//!
//! A command composes what it says and writes it once. A reader that goes away (`| head`) has read enough. Progress bars
//! are drawn on standard error, and only if that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::{Exit, Failure};

/// Work on more bytes than this shows its progress.
pub(crate) const LONG_WORK: usize = 64 * 1024;

/// Writes all of it to standard output.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Io, format!("can't write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something on standard error, if anybody listens there.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes one object on one line to standard output.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(format!("{value}\n").as_bytes())
}

/// A name in print: valid, visible text stays, all other bytes and the backslash are written `\xNN`.
pub(crate) fn escaped(name: &[u8]) -> String {
    escaped_but(name, "")
}

/// A sentence in print: nothing in it moves the cursor or begins a line.
pub(crate) fn on_one_line(sentence: &str) -> String {
    escaped_but(sentence.as_bytes(), "\\")
}

/// A value in print: as a name, but lines and tabs stay.
pub(crate) fn escaped_text(value: &[u8]) -> String {
    escaped_but(value, "\n\t\\")
}

fn escaped_but(bytes: &[u8], kept: &str) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if kept.contains(letter) || is_visible(letter) {
                text.push(letter);
            } else {
                escape(letter.encode_utf8(&mut [0; 4]).as_bytes(), &mut text);
            }
        }
        escape(chunk.invalid(), &mut text);
    }
    text
}

fn escape(bytes: &[u8], text: &mut String) {
    bytes.iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
}

/// Neither a control nor a format character, nor the backslash.
fn is_visible(letter: char) -> bool {
    matches!(letter, '"' | '\'') || letter.escape_debug().len() == 1
}

/// `1 key`, `2 keys`.
pub(crate) fn counted(number: impl Into<u64>, thing: &str) -> String {
    let number = number.into();
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A bar for work of known length; hidden if `shown` is false or standard error is no terminal.
pub(crate) fn bar(shown: bool, steps: u64, doing: &str) -> ProgressBar {
    if !shown || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar:.cyan} {pos}/{len} {eta}");
    let bar = ProgressBar::new(steps).with_message(doing.to_owned());
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

/// A sign of life for work of unknown length.
pub(crate) fn spinner(shown: bool, doing: &str) -> ProgressBar {
    if !shown || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(doing.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

#[cfg(test)]
mod tests {
    use super::{escaped, escaped_text};

    #[test]
    fn odd_bytes_are_escaped_and_plain_ones_stay() {
        for (name, shown) in [
            (&b"wifi/psk \"x'"[..], "wifi/psk \"x'"),
            (b"a\nb\x1b[31m", "a\\x0ab\\x1b[31m"),
            (b"back\\slash", "back\\x5cslash"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("ключ é".as_bytes(), "ключ é"),
            ("\u{202e}".as_bytes(), "\\xe2\\x80\\xae"),
        ] {
            assert_eq!(escaped(name), shown);
        }
        assert_eq!(escaped_text(b"a\tb\\\n\x07"), "a\tb\\\n\\x07");
    }
}
