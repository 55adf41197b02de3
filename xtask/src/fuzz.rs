//! `fuzz`: the fuzz targets under libFuzzer, on the stable compiler.
//!
//! ```text
//! fuzz/ ─ cargo, coverage compiled in ─> one program a target ─ corpus of the repository + what it found before ─> figures
//! ```
//!
//! `fuzz/` is a package of its own, so that nothing else needs libFuzzer; it needs a C++ compiler. The coverage flags are
//! those of `cargo fuzz --sanitizer none`; the target is named, so that build scripts are built without them. What a run
//! adds to the corpus lies under `target/fuzz/corpus`; what stays is chosen with `--merge`. Findings are copied to
//! `fuzz/findings` (which git ignores), and the command that replays each is printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Failure, root, tools};

/// The targets, in the order in which they run.
const TARGETS: [&str; 5] = ["operations", "mount", "parsers", "device_toml", CAPI];
/// The one that `lockstone replay` has not: the command line is not linked with the C interface.
const CAPI: &str = "capi";
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions";
/// Longest input, in bytes.
const INPUT_MAX: usize = 512;
/// One input that takes longer than this many seconds is a finding.
const PATIENCE: u32 = 20;
/// Most files of a corpus in the repository.
const CORPUS_MAX: usize = 60;
/// Inputs up to this many bytes are printed as an id.
const SHORT: u64 = 400;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `None`: all.
    target: Option<String>,
    seconds: u32,
    json: bool,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Fuzz,
    /// Run the corpus of the repository once.
    Corpus,
    /// Choose the corpus of the repository from all inputs known here.
    Merge,
}

/// What libFuzzer said at the end of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    edges: u64,
    features: u64,
    files: u64,
    findings: u64,
}

impl Options {
    /// Reads the options; `None` when there is one that we don't know.
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self { target: None, seconds: 60, json: false, what: What::Fuzz };
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "--seconds" => options.seconds = arguments.next()?.parse().ok().filter(|seconds| *seconds > 0)?,
                "--json" => options.json = true,
                "--corpus" => options.what = What::Corpus,
                "--merge" => options.what = What::Merge,
                name if TARGETS.contains(&name) && options.target.is_none() => options.target = Some(name.to_owned()),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// Builds the targets and runs them.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    name_missing()?;
    let programs = build()?;
    let mut findings = 0;
    for target in TARGETS.into_iter().filter(|name| options.target.as_ref().is_none_or(|target| target == name)) {
        let place = Place::new(target, &programs)?;
        let figures = match options.what {
            What::Merge => {
                place.merge()?;
                continue;
            }
            What::Corpus => place.corpus()?,
            What::Fuzz => place.fuzz(options.seconds)?,
        };
        for line in lines(target, &figures, &place, options) {
            println!("{line}");
        }
        findings += figures.findings;
    }
    if findings > 0 { Err(format!("{findings} findings")) } else { Ok(()) }
}

/// Says what is not installed.
fn name_missing() -> Result<(), Failure> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let status = Command::new(&compiler).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(format!("missing: a C++ compiler ({compiler}), for libFuzzer\n  on Debian: apt-get install g++"))
}

/// Builds all targets; returns the folder with the programs.
fn build() -> Result<PathBuf, Failure> {
    let host = host()?;
    let folder = folder();
    let status = tools::cargo()
        .args(["build", "--quiet", "--locked", "--release", "--target", &host, "--target-dir"])
        .arg(&folder)
        .current_dir(root().join("fuzz"))
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .map_err(|error| format!("can't run cargo: {error}"))?;
    if status.success() {
        Ok(folder.join(host).join("release"))
    } else {
        Err(format!("fuzz/ does not build: {status}"))
    }
}

/// The machine's own target, so that it can be named.
fn host() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| format!("can't run rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not name its host".to_owned())
}

/// Beside everything else that is built.
fn folder() -> PathBuf {
    tools::target_folder().join("fuzz")
}

/// A target and its folders.
struct Place {
    target: &'static str,
    program: PathBuf,
    /// In the repository.
    corpus: PathBuf,
    /// What runs here found worth keeping.
    grown: PathBuf,
    artifacts: PathBuf,
}

impl Place {
    fn new(target: &'static str, programs: &Path) -> Result<Self, Failure> {
        let place = Self {
            target,
            program: programs.join(target),
            corpus: root().join("fuzz").join("corpus").join(target),
            grown: folder().join("corpus").join(target),
            artifacts: folder().join("artifacts").join(target),
        };
        let _ = fs::remove_dir_all(&place.artifacts);
        for folder in [&place.corpus, &place.grown, &place.artifacts] {
            fs::create_dir_all(folder).map_err(|error| format!("can't make {}: {error}", folder.display()))?;
        }
        Ok(place)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-print_final_stats=1", "-rss_limit_mb=2048"]);
        command.arg(format!("-max_len={INPUT_MAX}")).arg(format!("-timeout={PATIENCE}"));
        command.arg(format!("-artifact_prefix={}/", self.artifacts.display()));
        command
    }

    fn fuzz(&self, seconds: u32) -> Result<Figures, Failure> {
        let mut command = self.command();
        command.arg(format!("-max_total_time={seconds}")).arg(&self.grown).arg(&self.corpus);
        self.figures(&mut command)
    }

    fn corpus(&self) -> Result<Figures, Failure> {
        let mut command = self.command();
        command.arg("-runs=0").arg(&self.corpus);
        self.figures(&mut command)
    }

    fn figures(&self, command: &mut Command) -> Result<Figures, Failure> {
        let output = command.output().map_err(|error| format!("can't run {}: {error}", self.program.display()))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let mut figures = figures_of(&text);
        figures.findings = self.findings()?;
        if !output.status.success() && figures.findings == 0 {
            return Err(format!("{} ended with {}:\n{text}", self.program.display(), output.status));
        }
        if figures.findings > 0 {
            let said = text.lines().skip_while(|line| !line.contains("panicked at")).take(2);
            said.for_each(|line| eprintln!("{line}"));
        }
        Ok(figures)
    }

    /// Copies what was found to where it can be looked at, and says how.
    fn findings(&self) -> Result<u64, Failure> {
        let failed = |error: std::io::Error| format!("can't copy a finding: {error}");
        let folder = root().join("fuzz").join("findings");
        let mut count = 0;
        for finding in fs::read_dir(&self.artifacts).map_err(failed)?.flatten() {
            let kept = folder.join(format!("{}-{}", self.target, finding.file_name().to_string_lossy()));
            fs::create_dir_all(&folder).and_then(|()| fs::copy(finding.path(), &kept)).map_err(failed)?;
            let input = fs::read(&kept).map_err(failed)?;
            if self.target == CAPI {
                let kept = kept.display();
                eprintln!("LOCKSTONE_FUZZ_INPUT={kept} cargo test -p lockstone-ffi --features fuzzing --test it fuzz");
                count += 1;
                continue;
            }
            let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            if input.len() as u64 <= SHORT {
                eprintln!("lockstone replay fuzz/{}/{hex}", self.target);
            } else {
                eprintln!("lockstone replay fuzz/{} --file {}", self.target, kept.display());
            }
            count += 1;
        }
        Ok(count)
    }

    /// Replaces the corpus in the repository by the few of all inputs known here that cover the most.
    fn merge(&self) -> Result<(), Failure> {
        let chosen = folder().join("merged").join(self.target);
        let _ = fs::remove_dir_all(&chosen);
        let failed = |error: std::io::Error| format!("can't choose a corpus: {error}");
        fs::create_dir_all(&chosen).map_err(failed)?;
        let mut command = self.command();
        command.arg("-set_cover_merge=1").arg(&chosen).arg(&self.corpus).arg(&self.grown);
        let output = command.output().map_err(failed)?;
        if !output.status.success() {
            return Err(format!("{} ended with {}", self.program.display(), output.status));
        }
        let mut inputs: Vec<_> = fs::read_dir(&chosen).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
        // The order in which they were chosen: those that cover most first.
        inputs.sort_by_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok());
        fs::remove_dir_all(&self.corpus).and_then(|()| fs::create_dir_all(&self.corpus)).map_err(failed)?;
        for input in inputs.iter().take(CORPUS_MAX) {
            let name = input.file_name().unwrap_or_default();
            fs::copy(input, self.corpus.join(name)).map_err(failed)?;
        }
        println!("{}: {} of {} inputs chosen", self.target, inputs.len().min(CORPUS_MAX), inputs.len());
        Ok(())
    }

    /// Bytes of the corpus in the repository.
    fn bytes(&self) -> u64 {
        let files = fs::read_dir(&self.corpus).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
    }
}

/// What libFuzzer says while it runs (`#123 pulse cov: 4 ft: 5 corp: 6/7b ...`) and at the end.
fn figures_of(text: &str) -> Figures {
    let mut figures = Figures::default();
    for line in text.lines() {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            figures.executions = count.trim().parse().unwrap_or(0);
        }
        if !line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let number = |text: Option<&str>| text.and_then(|text| text.split('/').next()?.parse().ok());
            match word {
                "cov:" => figures.edges = number(words.next()).unwrap_or(figures.edges),
                "ft:" => figures.features = number(words.next()).unwrap_or(figures.features),
                "corp:" => figures.files = number(words.next()).unwrap_or(figures.files),
                _ => {}
            }
        }
    }
    figures
}

fn lines(target: &str, figures: &Figures, place: &Place, options: &Options) -> Vec<String> {
    let Figures { executions, edges, features, files, findings } = figures;
    if options.json {
        let line = |name: &str, value: u64, unit: &str, bar: &str, met: bool| {
            format!(r#"{{"name":"fuzz_{target}_{name}","value":{value},"unit":"{unit}","bar":{bar},"met":{met}}}"#)
        };
        return vec![
            line("findings", *findings, "inputs", "0", *findings == 0),
            line("executions", *executions, "inputs", "null", true),
            line("edges", *edges, "edges", "null", true),
            line("features", *features, "features", "null", true),
            line("corpus", *files, "inputs", "null", true),
        ];
    }
    let covered = format!("{edges} edges, {features} features covered");
    vec![match options.what {
        What::Fuzz => {
            let seconds = options.seconds;
            format!(
                "{target:<12} {executions:>9} executions in {seconds} s, {covered}, corpus {files}, {findings} findings"
            )
        }
        _ => {
            format!("{target:<12} {:>9} bytes in {} files, {covered}, {findings} findings", place.bytes(), count(place))
        }
    }]
}

fn count(place: &Place) -> usize {
    fs::read_dir(&place.corpus).into_iter().flatten().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_run_are_read() {
        let text = "#2\tINITED cov: 7 ft: 8 corp: 1/1b exec/s: 0 rss: 27Mb\n\
            #4096\tDONE   cov: 114 ft: 120 corp: 35/177b lim: 512 exec/s: 9 rss: 27Mb\n\
            stat::number_of_executed_units: 4097\n";
        let figures = Figures { executions: 4097, edges: 114, features: 120, files: 35, findings: 0 };
        assert_eq!(figures_of(text), figures);
    }

    #[test]
    fn options_are_read() {
        let parse = |text: &str| Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("mount --seconds 9 --json").unwrap();
        assert_eq!((options.target.as_deref(), options.seconds, options.json), (Some("mount"), 9, true));
        assert_eq!(parse("--corpus").map(|options| options.what), Some(What::Corpus));
        for nonsense in ["nothing", "--seconds", "--seconds 0", "mount parsers"] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }
}
