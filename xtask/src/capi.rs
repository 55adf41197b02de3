//! `capi`: the C and C++ side. Builds the library, then compiles and runs its tests and examples.
//!
//! ```text
//! crates/lockstone-ffi ─ cargo build, with the simulator ─> liblockstone.a, .so ─┐
//! c/test_*.c, c/test_*.cpp, examples/*.c ─ gcc, g++ ─────────────────────────────┴─> plain · valgrind · sanitizers
//! c/bare.c, the library without std ─ arm-none-eabi-gcc ─> linked, not run      (if rustup has the target)
//! capi install ─ pkg-config ─> hello, with what was installed
//! include/*.h, c/shapes.c ─ gcc, arm-none-eabi-gcc ─> sizes on 64-bit and 32-bit targets
//! ```
//!
//! Tests say in their last line how many checks they made, and how many cases those are: a line of a test that checks something
//! is a case, however often it is reached. What is counted in the end are those of the plain runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::tools::{answers, has_target, succeed};
use crate::{Failure, install, root, tools};

const C: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-Werror", "-g", "-O1"];
const CPP: &[&str] = &["-std=c++17", "-fno-exceptions", "-Wall", "-Wextra", "-Werror", "-g", "-O1"];
const SANITIZE: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const LIBRARIES: &[&str] = &["-lm", "-lpthread", "-ldl"];
const VALGRIND: &[&str] = &["--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"];
/// What must be there, and the Debian package that brings it.
const TOOLS: [(&str, &str); 3] = [("gcc", "gcc"), ("g++", "g++"), ("valgrind", "valgrind")];
const ARM: &str = "arm-none-eabi-gcc";

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Shared,
    Valgrind,
    Sanitized,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Shared => "shared",
            Self::Valgrind => "valgrind",
            Self::Sanitized => "sanitized",
        }
    }

    /// Of the power cuts of a test only every so many-th: a tool makes each 20 times slower.
    const fn stride(self) -> &'static str {
        match self {
            Self::Plain | Self::Shared => "1",
            Self::Valgrind => "61",
            Self::Sanitized => "17",
        }
    }
}

/// Where everything is.
struct Place {
    sources: PathBuf,
    built: PathBuf,
}

/// A program in C or C++.
struct Program {
    source: PathBuf,
    is_test: bool,
}

impl Program {
    fn name(&self) -> String {
        self.source.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn is_cpp(&self) -> bool {
        self.source.extension().is_some_and(|extension| extension == "cpp")
    }
}

/// Runs all; the last line is one row with the number of checks.
pub(crate) fn run() -> Result<(), Failure> {
    name_missing()?;
    let place = build()?;
    let (mut cases, mut checks, mut runs) = (0, 0, 0);
    let programs = programs(&place)?;
    for program in &programs {
        for way in [Way::Plain, Way::Shared, Way::Valgrind, Way::Sanitized] {
            let binary = compile(&place, program, way)?;
            let counted = execute(&place, program, &binary, way)?;
            println!(
                "{:<14} {:<10} {}",
                program.name(),
                way.name(),
                counted.map_or("done".to_owned(), |(cases, checks)| format!("{cases} cases, {checks} checks"))
            );
            if way == Way::Plain {
                let counted = counted.unwrap_or((0, 0));
                (cases, checks) = (cases + counted.0, checks + counted.1);
            }
            runs += 1;
        }
    }
    let targets = check_shapes(&place)?;
    check_installed(&place)?;
    link_bare(&place)?;
    println!(
        r#"{{"name":"capi","cases":{cases},"checks":{checks},"failed":0,"programs":{},"runs":{runs},"targets":{targets}}}"#,
        programs.len()
    );
    if cases < 600 { Err(format!("only {cases} cases were checked")) } else { Ok(()) }
}

fn name_missing() -> Result<(), Failure> {
    let missing: Vec<_> = TOOLS.iter().filter(|(tool, _)| !answers(tool)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    Err(format!("missing: {list}\n  on Debian: apt-get install --no-install-recommends {list}"))
}

/// Builds the library with the simulator, and puts it under its name.
fn build() -> Result<Place, Failure> {
    let target = tools::target_folder().join("capi");
    let mut cargo = tools::cargo();
    cargo.args(["build", "--quiet", "-p", "lockstone-ffi", "--features", "sim", "--target-dir"]).arg(&target);
    succeed(cargo.current_dir(root()), "building lockstone-ffi")?;
    for (from, to) in [("liblockstone_ffi.a", "liblockstone.a"), ("liblockstone_ffi.so", "liblockstone.so")] {
        let (from, to) = (target.join("debug").join(from), target.join(to));
        std::fs::copy(&from, &to).map_err(|error| format!("can't copy {}: {error}", from.display()))?;
    }
    Ok(Place { sources: root().join("crates").join("lockstone-ffi"), built: target })
}

/// All tests, then all examples.
fn programs(place: &Place) -> Result<Vec<Program>, Failure> {
    let mut found = Vec::new();
    for (folder, is_test) in [("c", true), ("examples", false)] {
        let folder = place.sources.join(folder);
        let entries =
            std::fs::read_dir(&folder).map_err(|error| format!("can't read {}: {error}", folder.display()))?;
        let mut sources: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        sources.sort();
        sources.retain(|path| path.extension().is_some_and(|extension| extension == "c" || extension == "cpp"));
        sources.retain(|path| {
            !is_test || path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("test_"))
        });
        found.extend(sources.into_iter().map(|source| Program { source, is_test }));
    }
    Ok(found)
}

fn compile(place: &Place, program: &Program, way: Way) -> Result<PathBuf, Failure> {
    let binary = place.built.join(format!("{}-{}", program.name(), way.name()));
    let (compiler, flags) = if program.is_cpp() { ("g++", CPP) } else { ("gcc", C) };
    let mut command = Command::new(compiler);
    command.args(flags).arg("-I").arg(place.sources.join("include"));
    if way == Way::Sanitized {
        command.args(SANITIZE);
    }
    command.arg(&program.source).arg("-o").arg(&binary);
    if way == Way::Shared {
        command.arg("-L").arg(&place.built).arg("-llockstone").arg(format!("-Wl,-rpath,{}", place.built.display()));
        // The shared library is found under the name that it was linked with.
        command.arg(format!("-Wl,-rpath,{}", place.built.join("debug").display()));
    } else {
        command.arg(place.built.join("liblockstone.a")).args(LIBRARIES);
    }
    succeed(&mut command, &format!("compiling {} ({})", program.name(), way.name()))?;
    Ok(binary)
}

/// Runs a program in a folder of its own, where its device is made; how many cases and checks it made.
fn execute(place: &Place, program: &Program, binary: &Path, way: Way) -> Result<Option<(u64, u64)>, Failure> {
    let what = format!("{} ({})", program.name(), way.name());
    let folder = place.built.join("run");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("can't make {}: {error}", folder.display()))?;
    let mut command = Command::new(if way == Way::Valgrind { Path::new("valgrind") } else { binary });
    if way == Way::Valgrind {
        command.args(VALGRIND).arg(binary);
    }
    command.current_dir(&folder).env_remove("LOCKSTONE_DEVICE").env("LOCKSTONE_NO_SYNC", "1");
    command.env("LOCKSTONE_STRIDE", way.stride());
    let output = command.output().map_err(|error| format!("can't run {what}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("{what} ended with {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    if !program.is_test {
        return Ok(None);
    }
    let row = said.lines().last().unwrap_or_default();
    match (number(row, "cases"), number(row, "checks"), number(row, "failed")) {
        (Some(cases), Some(checks), Some(0)) => Ok(Some((cases, checks))),
        _ => Err(format!("{what} ended with: {row}")),
    }
}

/// A number in a row of JSON.
fn number(row: &str, name: &str) -> Option<u64> {
    let behind = row.split_once(&format!("\"{name}\":"))?.1;
    let end = behind.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(behind.len());
    behind[..end].parse().ok()
}

/// Compiles what says the sizes of everything that crosses the boundary, here and for 32-bit targets; for how many.
fn check_shapes(place: &Place) -> Result<usize, Failure> {
    let mut targets = vec![("gcc", None)];
    if answers(ARM) {
        targets.extend([(ARM, Some("cortex-m0")), (ARM, Some("cortex-m4"))]);
    } else {
        println!("{ARM} is not installed: the headers were not compiled for a 32-bit target");
    }
    for (compiler, cpu) in &targets {
        let mut command = Command::new(compiler);
        command.args(C).args(["-ffreestanding", "-Wno-unused-local-typedefs", "-fsyntax-only", "-I"]);
        command.arg(place.sources.join("include")).arg(place.sources.join("c").join("shapes.c"));
        if let Some(cpu) = cpu {
            command.arg("-mthumb").arg(format!("-mcpu={cpu}"));
        }
        succeed(&mut command, &format!("compiling the headers for {}", cpu.unwrap_or("the host")))?;
    }
    Ok(targets.len())
}

/// Builds the library for a processor without an operating system, and links a program with it, if there are tools for that.
fn link_bare(place: &Place) -> Result<(), Failure> {
    const TARGET: &str = "thumbv7em-none-eabi";
    if !has_target(TARGET) || !answers(ARM) {
        println!("{TARGET} of rustup or {ARM} is not installed: nothing was linked without an operating system");
        return Ok(());
    }
    let mut cargo = tools::cargo();
    cargo.args([
        "rustc",
        "--quiet",
        "--release",
        "-p",
        "lockstone-ffi",
        "--crate-type",
        "staticlib",
        "--target",
        TARGET,
    ]);
    cargo
        .args([
            "--no-default-features",
            "--features",
            "cfstore-mux,journal,panic-handler,psa,volume-manager",
            "--target-dir",
        ])
        .arg(&place.built);
    succeed(cargo.current_dir(root()), "building lockstone-ffi without std")?;
    let library = place.built.join(TARGET).join("release").join("liblockstone_ffi.a");
    let mut command = Command::new(ARM);
    command.args(C).args([
        "-Os",
        "-ffreestanding",
        "-nostdlib",
        "-Wl,-z,noexecstack",
        "-mcpu=cortex-m4",
        "-mthumb",
        "-Wl,--gc-sections",
    ]);
    command.arg("-I").arg(place.sources.join("include")).arg(place.sources.join("c").join("bare.c")).arg(library);
    succeed(command.arg("-o").arg(place.built.join("bare")), "linking a program without an operating system")?;
    println!("linked for {TARGET}, without an operating system");
    Ok(())
}

/// Installs the library, and builds and runs an example with what pkg-config says of it.
fn check_installed(place: &Place) -> Result<(), Failure> {
    let prefix = place.built.join("prefix");
    let _ = std::fs::remove_dir_all(&prefix);
    install::run(&prefix)?;
    if !answers("pkg-config") {
        println!("pkg-config is not installed: what it would say was not tried");
        return Ok(());
    }
    let mut asked = Command::new("pkg-config");
    asked.args(["--cflags", "--libs", "lockstone"]).env("PKG_CONFIG_PATH", prefix.join("lib").join("pkgconfig"));
    let said = asked.output().map_err(|error| format!("pkg-config: {error}"))?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let binary = place.built.join("hello-installed");
    let mut command = Command::new("gcc");
    command.args(C).arg(place.sources.join("examples").join("hello.c")).arg("-o").arg(&binary);
    succeed(command.args(said.split_whitespace()), "compiling hello with what was installed")?;
    let folder = place.built.join("run");
    let mut run = Command::new(&binary);
    run.current_dir(&folder).env("LD_LIBRARY_PATH", prefix.join("lib")).env("LOCKSTONE_DEVICE", "installed");
    succeed(run.stdout(Stdio::null()), "hello, with what was installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read() {
        let row = r#"{"name":"psa","checks":3000,"failed":0}"#;
        assert_eq!((number(row, "checks"), number(row, "failed"), number(row, "other")), (Some(3000), Some(0), None));
        assert_eq!(number(r#"{"checks":x}"#, "checks"), None);
    }
}
