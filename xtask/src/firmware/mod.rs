//! `firmware`: the programs of `firmware/`, built for their boards and run under emulation.
//!
//! ```text
//! firmware/BOARD ── toolchain.rs ──> programs ── emulator.rs ──> console, exit code ─┬─ `#` lines ──> figures, an object each
//!   (Cargo.toml names its programs)    (three starts, one flash)                     └─ the rest ──> BOARD/PROGRAM.out
//! firmware/programs/*.c ── c.rs ──> the same, in C
//! ```
//!
//! A program passes when it prints what its `.out` file says and ends with exit code 0; the one of `killed.rs` never ends.
//! `UPDATE_EXPECT=1` writes the files anew. The last line is one object: boards and programs that ran.

mod board;
mod c;
mod emulator;
mod figure;
mod hosted;
mod killed;
mod toolchain;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::size::{Budget, budgets};
use crate::{Failure, root};
use board::{BOARDS, Board};
use emulator::Run;
pub(crate) use figure::Figure;
pub(crate) use toolchain::{cargo_for, compiler as compiler_for};

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `None`: all.
    board: Option<String>,
    program: Option<String>,
}

impl Options {
    /// Reads the options.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let (board, program) = match arguments {
            [] => (None, None),
            [board] => (Some(board.clone()), None),
            [board, program] => (Some(board.clone()), Some(program.clone())),
            _ => return Err("usage: cargo xtask firmware [BOARD] [PROGRAM]".to_owned()),
        };
        match board.as_deref().filter(|name| !is_board(name)) {
            Some(other) => {
                Err(format!("there is no board {other}; the boards are {}", BOARDS.map(|board| board.name).join(", ")))
            }
            None => Ok(Self { board, program }),
        }
    }

    fn is_asked(&self, board: &Board, program: &str) -> bool {
        let wanted = |asked: &Option<String>, name: &str| asked.as_deref().is_none_or(|asked| asked == name);
        wanted(&self.board, board.name) && wanted(&self.program, program)
    }
}

/// Whether a target of firmware/budgets.txt is one of the boards here.
pub(crate) fn is_board(name: &str) -> bool {
    BOARDS.iter().any(|board| board.name == name)
}

/// A run of all has at least so many boards and programs, those of Arm: one that lost some shows less than it says.
const BOARDS_MIN: usize = 3;
const PROGRAMS_MIN: u32 = 26;

/// How many ran, and what went wrong.
#[derive(Default)]
struct Tally {
    boards: BTreeSet<&'static str>,
    programs: u32,
    /// Board and row of every figure.
    measured: BTreeSet<(&'static str, String)>,
    failures: Vec<String>,
}

/// Builds and runs what was asked for.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let path = root().join("firmware").join("budgets.txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    let budgets = budgets(&text)?;
    let (mut tally, begun) = (Tally::default(), Instant::now());
    for board in &BOARDS {
        let programs: Vec<_> = board.programs()?.into_iter().filter(|name| options.is_asked(board, name)).collect();
        if programs.is_empty() {
            continue;
        }
        if let Some(missing) = board.lacks() {
            if board.is_arm() || options.board.is_some() {
                return Err(missing);
            }
            println!("NOT RUN  {}: {missing}", board.name);
            continue;
        }
        let built = toolchain::build(board.name, board.target)?;
        for program in programs {
            let ended = image(board, &program, &built).and_then(|image| {
                if program == killed::PROGRAM {
                    return killed::run(board, &image).map(|line| println!("{line}"));
                }
                try_program(board, &program, &image, &budgets, &mut tally.measured)?;
                if board.is_hosted(&program) {
                    println!("{}", hosted::run(board, &program, &image)?);
                }
                Ok(())
            });
            tally.add(board, &program, ended);
        }
    }
    if *options == Options::default() {
        let built = toolchain::build_library(RISC_V);
        println!(
            r#"{{"name":"firmware/builds/{RISC_V}","value":{},"unit":"libraries","met":{}}}"#,
            u8::from(built.is_ok()),
            built.is_ok()
        );
        tally.check(RISC_V, built);
        tally.check("firmware/budgets.txt", every_bar_has_a_figure(&budgets, &tally.measured));
        tally.check("all", tally.are_enough());
    }
    tally.say(begun.elapsed().as_secs())
}

/// A core that is not from Arm: the library must build for it.
const RISC_V: &str = "riscv32imc-unknown-none-elf";

/// A bar whose row nobody measures would be met for ever.
fn every_bar_has_a_figure(budgets: &[Budget<'_>], measured: &BTreeSet<(&'static str, String)>) -> Result<(), Failure> {
    let is_measured = |board: &str, row: &str| measured.iter().any(|(seen, name)| *seen == board && name == row);
    let mut of_boards = budgets.iter().filter(|budget| is_board(budget.target));
    match of_boards.find(|budget| !is_measured(budget.target, budget.row)) {
        Some(budget) => Err(format!("nothing measures {} {}", budget.target, budget.row)),
        None => Ok(()),
    }
}

/// Whether a board has a program.
pub(crate) fn has_program(board: &str, program: &str) -> Result<bool, Failure> {
    let board = BOARDS.iter().find(|known| known.name == board).ok_or("no such board")?;
    Ok(board.programs()?.iter().any(|name| name == program))
}

/// The compiler of the boards.
pub(crate) fn compiler() -> Result<String, Failure> {
    toolchain::compiler(BOARDS[0].target)
}

/// What a program of a board measures.
pub(crate) fn measure(board: &str, program: &str) -> Result<Vec<Figure>, Failure> {
    let board = BOARDS.iter().find(|known| known.name == board).ok_or("no such board")?;
    board.lacks().map_or(Ok(()), Err)?;
    let built = toolchain::build(board.name, board.target)?;
    Ok(Run::start(board, program, &image(board, program, &built)?)?.figures)
}

/// Where a program is, given where those in Rust were built; one in C is built here.
fn image(board: &Board, program: &str, built: &Path) -> Result<PathBuf, Failure> {
    if c::is_program(program) { c::build(board, program) } else { Ok(built.join(program)) }
}

/// Runs one program on a fresh flash, and holds what it prints against its `.out` file.
fn try_program(
    board: &Board,
    program: &str,
    image: &Path,
    budgets: &[Budget<'_>],
    measured: &mut BTreeSet<(&'static str, String)>,
) -> Result<(), Failure> {
    let run = Run::start(board, program, image)?;
    let mut over = None;
    for figure in &run.figures {
        let bars = figure.bars(board.name, program, budgets);
        measured.extend([program, "*"].map(|program| (board.name, format!("{program}/{}", figure.name))));
        println!("{}", figure.line(board.name, program, bars));
        over = over.or_else(|| bars.broken(figure.value).map(|bar| (figure, bar)));
    }
    if let Some((figure, bar)) = over {
        return Err(format!(
            "{} is {} {}, its bar in firmware/budgets.txt {bar}",
            figure.name, figure.value, figure.unit
        ));
    }
    compare(&root().join("firmware").join(board.name).join(format!("{program}.out")), &run.console)
}

fn compare(expected: &Path, seen: &str) -> Result<(), Failure> {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        return fs::write(expected, seen).map_err(|error| format!("can't write {}: {error}", expected.display()));
    }
    let wanted = fs::read_to_string(expected).map_err(|error| format!("can't read {}: {error}", expected.display()))?;
    if wanted == seen {
        return Ok(());
    }
    let (wanted, seen) = (wanted.lines(), seen.lines());
    let line = wanted.clone().zip(seen.clone()).take_while(|(wanted, seen)| wanted == seen).count();
    let [wanted, seen] = [wanted, seen].map(|mut lines| lines.nth(line).unwrap_or("(the end)").to_owned());
    Err(format!("line {} of {}:\n  expected: {wanted}\n  seen:     {seen}", line + 1, expected.display()))
}

impl Tally {
    fn add(&mut self, board: &Board, program: &str, ended: Result<(), Failure>) {
        self.boards.insert(board.name);
        self.programs += 1;
        self.check(&format!("{} {program}", board.name), ended);
    }

    /// Takes note of what is no program but may fail all the same.
    fn check(&mut self, what: &str, ended: Result<(), Failure>) {
        if let Err(failure) = ended {
            let failure = format!("{what}: {failure}");
            eprintln!("FAILED  {failure}");
            self.failures.push(failure);
        }
    }

    fn are_enough(&self) -> Result<(), Failure> {
        let (boards, programs) = (self.boards.len(), self.programs);
        if boards >= BOARDS_MIN && programs >= PROGRAMS_MIN {
            Ok(())
        } else {
            Err(format!("{programs} programs on {boards} boards ran, at least {PROGRAMS_MIN} on {BOARDS_MIN} must"))
        }
    }

    fn say(self, seconds: u64) -> Result<(), Failure> {
        let (boards, programs, failed) = (self.boards.len(), self.programs, self.failures.len());
        let met = failed == 0 && programs > 0;
        println!(
            r#"{{"name":"firmware","boards":{boards},"programs":{programs},"failed":{failed},"seconds":{seconds},"unit":"programs","met":{met}}}"#
        );
        match (programs, failed) {
            (0, _) => Err("there is no such program on this board".to_owned()),
            (_, 0) => Ok(()),
            _ => Err(format!("{failed} failures; {programs} programs ran")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let parse = |text: &str| Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("microbit certs").unwrap();
        assert!(options.is_asked(&BOARDS[1], "certs"));
        assert!(!options.is_asked(&BOARDS[1], "config") && !options.is_asked(&BOARDS[0], "certs"));
        assert_eq!(parse(""), Ok(Options::default()));
        let boards = "there is no board toaster; the boards are mps3-an547, microbit, lm3s6965evb, riscv-virt";
        assert_eq!(parse("toaster"), Err(boards.to_owned()));
        assert!(parse("microbit certs more").is_err());
    }

    #[test]
    fn a_run_of_all_that_lost_some_fails() {
        let tally = |boards: &[&'static str], programs| Tally {
            boards: boards.iter().copied().collect(),
            programs,
            ..Tally::default()
        };
        assert_eq!(tally(&["a", "b", "c"], PROGRAMS_MIN).are_enough(), Ok(()));
        assert!(tally(&["a", "b"], PROGRAMS_MIN).are_enough().is_err());
        assert!(tally(&["a", "b", "c"], PROGRAMS_MIN - 1).are_enough().is_err());
    }

    #[test]
    fn a_bar_that_belongs_to_nothing_is_found() {
        let measured = BTreeSet::from([("microbit", "certs/ram".to_owned()), ("microbit", "*/ram".to_owned())]);
        let check = |text: &str| every_bar_has_a_figure(&budgets(text).unwrap(), &measured);
        assert_eq!(check("thumbv6m a/b 1\nmicrobit certs/ram 2\nmicrobit */ram 3\n"), Ok(()));
        for row in ["cert/ram", "certs/rams", "*/stack"] {
            assert!(check(&format!("microbit {row} 4 goal")).is_err(), "{row}");
        }
    }

    #[test]
    fn every_program_is_in_the_table_of_twins_and_what_that_names_is_there() {
        let text = fs::read_to_string(root().join("docs").join("porting.md")).unwrap();
        let table = text.split_once("## Programs, and their twins on a host").unwrap().1;
        let links = table.split("](").skip(1).filter_map(|link| Some(link.split_once(')')?.0));
        let links: Vec<_> = links.map(|link| root().join("docs").join(link)).collect();
        for link in &links {
            assert!(link.is_file(), "{}", link.display());
        }
        let programs = fs::read_dir(root().join("firmware").join("programs")).unwrap();
        for program in programs.map(|entry| entry.unwrap().path()) {
            let named = |link: &PathBuf| link.canonicalize().unwrap() == program.canonicalize().unwrap();
            assert!(links.iter().any(named), "{} has no row", program.display());
        }
    }

    #[test]
    fn every_program_of_a_board_has_its_output() {
        for board in &BOARDS {
            let programs = board.programs().unwrap();
            assert!(!programs.is_empty(), "{}", board.name);
            for program in programs.into_iter().filter(|program| program != killed::PROGRAM) {
                let expected = root().join("firmware").join(board.name).join(format!("{program}.out"));
                assert!(expected.exists(), "{} is missing: run with UPDATE_EXPECT=1", expected.display());
            }
        }
    }
}
