//! The emulator: a program from its start to its exit code, with a time limit, and what it said meanwhile.
//!
//! Time in the emulator is counted in instructions (`-icount`), 32 ns each, so that it is the same at every run.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::board::Board;
use super::figure::Figure;
use super::toolchain::run_folder;
use crate::Failure;

/// One start of a program takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a program said in all its starts.
pub(crate) struct Run {
    /// All lines but those that begin with `#`.
    pub(crate) console: String,
    /// The lines that do, the highest of all starts.
    pub(crate) figures: Vec<Figure>,
}

impl Run {
    /// Starts a program as often as its board asks, with a flash that is fresh at the first start.
    pub(crate) fn start(board: &Board, program: &str, image: &Path) -> Result<Self, Failure> {
        let place = folder(board, program)?;
        let mut run = Self { console: String::new(), figures: Vec::new() };
        for start in 1..=board.starts() {
            if start > 1 {
                let _ = writeln!(run.console, "-- start {start}");
            }
            let (said, status) = Emulation::begin(board, image, &place)?.wait(PATIENCE)?;
            if !status.success() {
                return Err(format!("ended with {status} and said:\n{said}"));
            }
            run.read(&said)?;
        }
        run.add_ram();
        Ok(run)
    }

    fn read(&mut self, said: &str) -> Result<(), Failure> {
        for line in said.lines() {
            match line.strip_prefix('#') {
                Some(figure) => {
                    let parsed = figure.strip_prefix(' ').and_then(Figure::parse);
                    self.keep(parsed.ok_or_else(|| format!("no name, number and unit: {line}"))?);
                }
                None => self.console += &format!("{line}\n"),
            }
        }
        Ok(())
    }

    /// The highest value of a figure counts.
    fn keep(&mut self, figure: Figure) {
        match self.figures.iter_mut().find(|kept| kept.name == figure.name) {
            Some(kept) => kept.value = kept.value.max(figure.value),
            None => self.figures.push(figure),
        }
    }

    /// Stack and static data together.
    fn add_ram(&mut self) {
        let value = |name: &str| self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value);
        if let Some((stack, statics)) = value("stack").zip(value("statics")) {
            self.figures.push(Figure { name: "ram".to_owned(), value: stack + statics, unit: "B".to_owned() });
        }
    }
}

/// A fresh folder for the flash of a program.
pub(crate) fn folder(board: &Board, program: &str) -> Result<PathBuf, Failure> {
    let place = run_folder(board.name, program);
    let _ = fs::remove_dir_all(&place);
    let failed = |error: std::io::Error| format!("can't make {}: {error}", place.display());
    fs::create_dir_all(&place).map_err(failed)?;
    if board.card > 0 {
        // Sparse: it takes what is written to it.
        File::create(place.join(CARD)).and_then(|file| file.set_len(board.card)).map_err(failed)?;
    }
    Ok(place)
}

const CARD: &str = "card.img";

/// An emulator that runs.
pub(crate) struct Emulation {
    child: Child,
}

impl Emulation {
    /// Starts a program with the flash in a folder.
    pub(crate) fn begin(board: &Board, image: &Path, place: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(board.emulator);
        command.args(board.machine).args(["-display", "none", "-monitor", "none", "-serial", "none"]);
        command.args(["-semihosting-config", "enable=on,target=native", "-icount", "shift=5,sleep=off"]);
        if board.card > 0 {
            command.args(["-drive", &format!("if=sd,format=raw,file={CARD}")]);
        }
        command.arg("-kernel").arg(image).current_dir(place);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("can't run {}: {error}", board.emulator))?;
        Ok(Self { child })
    }

    /// What it says until it ends; it is ended when that takes too long.
    pub(crate) fn wait(mut self, patience: Duration) -> Result<(String, ExitStatus), Failure> {
        let (output, errors) = (reader(self.child.stdout.take()), reader(self.child.stderr.take()));
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().map_err(|error| format!("can't wait for the emulator: {error}"))? {
                Some(status) => break status,
                None if begun.elapsed() > patience => {
                    self.kill();
                    let said = output.join().unwrap_or_default();
                    return Err(format!("did not end within {} s and said:\n{said}", patience.as_secs()));
                }
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let (said, errors) = (output.join().unwrap_or_default(), errors.join().unwrap_or_default());
        let said = if status.success() { said } else { said + &errors };
        Ok((said, status))
    }

    /// What it says, line by line as it says it; a line that was not ended was not said.
    pub(crate) fn lines(mut self) -> (Self, Receiver<String>) {
        let (sender, lines) = channel();
        if let Some(output) = self.child.stdout.take() {
            thread::spawn(move || {
                let mut output = BufReader::new(output);
                let mut line = String::new();
                while output.read_line(&mut line).is_ok_and(|_| line.ends_with('\n')) {
                    if sender.send(line.trim_end().to_owned()).is_err() {
                        return;
                    }
                    line.clear();
                }
            });
        }
        (self, lines)
    }

    /// Ends it at once; it must not have ended by itself.
    ///
    /// No power cut: whatever the emulator had handed to the host by then is there afterwards, in the order in which it came.
    pub(crate) fn kill_alive(&mut self) -> Result<(), Failure> {
        match self.child.try_wait().map_err(|error| format!("can't wait for the emulator: {error}"))? {
            None => {
                self.kill();
                Ok(())
            }
            Some(status) => Err(format!("the program ended by itself with {status}")),
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads to the end, beside the program.
fn reader<R: Read + Send + 'static>(source: Option<R>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut source) = source {
            let _ = source.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_read_and_the_rest_is_compared() {
        let mut run = Run { console: String::new(), figures: Vec::new() };
        run.read("boot 1\n# stack 40 B\n# put of 32 B 900 instructions\n# statics 4 B\n").unwrap();
        run.read("boot 2\n# stack 30 B\n# statics 4 B\n").unwrap();
        for line in ["#stack 40 B", "# stack many B", "# stack 40", "#"] {
            assert!(run.read(line).is_err(), "{line}");
        }
        run.add_ram();
        assert_eq!(run.console, "boot 1\nboot 2\n");
        let names: Vec<_> = run.figures.iter().map(|figure| (figure.name.as_str(), figure.value)).collect();
        assert_eq!(names, [("stack", 40), ("put_of_32_B", 900), ("statics", 4), ("ram", 44)]);
    }
}
