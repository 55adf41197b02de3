//! `capi`: the C and C++ side. Builds the library, then compiles and runs its tests and examples.
//!
//! ```text
//! crates/lockstone-ffi ─ cargo build, with the simulator ─> liblockstone.a, .so ─┐
//! c/test_*.c, c/test_*.cpp, examples/*.c ─ gcc, g++ ─────────────────────────────┴─> plain · valgrind · sanitizers
//! c/test_mbedtls.c ─ and Debian's libmbedcrypto.a, with ports/mbedtls ──────────> the same ways
//! c/bare.c, the library without std ─ arm-none-eabi-gcc ─> linked, not run      (if rustup has the target)
//! capi install ─ pkg-config ─> hello, with what was installed
//! include/*.h, c/shapes.c ─ gcc, arm-none-eabi-gcc ─> sizes on 64-bit and 32-bit targets
//! ```
//!
//! Tests say in their last line how many checks they made, and how many cases those are: a line of a test that checks something
//! is a case, however often it is reached. What is counted in the end are those of the plain runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{answers, has_target, succeed};
use crate::{Failure, install, library, root, tools};

const C: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-Werror", "-g", "-O1"];
const CPP: &[&str] = &["-std=c++17", "-fno-exceptions", "-Wall", "-Wextra", "-Werror", "-g", "-O1"];
const SANITIZE: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const LIBRARIES: &[&str] = &["-lm", "-lpthread", "-ldl"];
const VALGRIND: &[&str] = &["--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"];
/// What must be there, and the Debian package that brings it.
const TOOLS: [(&str, &str); 4] = [("gcc", "gcc"), ("g++", "g++"), ("valgrind", "valgrind"), ("objcopy", "binutils")];
/// The test that needs Mbed TLS, the archive that it's linked with, and the package that brings that.
const MBEDTLS: (&str, &str, &str) = ("test_mbedtls", "libmbedcrypto.a", "libmbedtls-dev");
/// What its own ITS is called in the archive, built with CMake or with make.
const MBEDTLS_ITS: [&str; 2] = ["psa_its_file.c.o", "psa_its_file.o"];
const ARM: &str = library::GCC;

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

    /// Keeps keys of Mbed TLS.
    fn has_mbedtls(&self) -> bool {
        self.name() == MBEDTLS.0
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
    let mut missing: Vec<_> = TOOLS.iter().filter(|(tool, _)| !answers(tool)).map(|(_, package)| *package).collect();
    if answers("gcc") && mbedtls_archive().is_none() {
        missing.push(MBEDTLS.2);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    Err(format!("missing: {list}\n  on Debian: apt-get install --no-install-recommends {list}"))
}

/// Where gcc finds the archive of Mbed TLS.
fn mbedtls_archive() -> Option<PathBuf> {
    let output = Command::new("gcc").arg(format!("-print-file-name={}", MBEDTLS.1)).output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // Of what it doesn't find it says the name.
    path.is_absolute().then_some(path)
}

/// Mbed TLS without its own ITS, with other names for the four functions of it that it calls; and what these are, which stand last:
/// where its own came first they were taken, in silence or as a second definition.
fn with_our_its(place: &Place) -> Result<[PathBuf; 2], Failure> {
    let port = root().join("ports").join("mbedtls");
    let (from, to) = (mbedtls_archive().ok_or("no Mbed TLS")?, place.built.join(MBEDTLS.1));
    let mut objcopy = Command::new("objcopy");
    objcopy.arg(format!("--redefine-syms={}", port.join("symbols.txt").display())).arg(from).arg(&to);
    succeed(&mut objcopy, "renaming what Mbed TLS calls")?;
    succeed(Command::new("ar").arg("d").arg(&to).args(MBEDTLS_ITS), "taking its own ITS out of Mbed TLS")?;
    let listed = Command::new("ar").arg("t").arg(&to).output().map_err(|error| format!("can't run ar: {error}"))?;
    if String::from_utf8_lossy(&listed.stdout).contains("its_file") {
        return Err("Mbed TLS still has its own ITS".to_owned());
    }
    Ok([to, port.join("lockstone_mbedtls.c")])
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
    if program.has_mbedtls() {
        command.args(with_our_its(place)?);
    }
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
    let core = library::core_named("cortex-m4")?;
    if !has_target(core.target) || !answers(ARM) {
        println!("{} of rustup or {ARM} is not installed: nothing was linked without an operating system", core.target);
        return Ok(());
    }
    library::link_bare(core, &library::headers(), &library::build(core)?, &place.built.join("bare"))?;
    println!("linked for {}, without an operating system", core.target);
    Ok(())
}

/// Installs the library, and builds and runs an example with what pkg-config says of it.
fn check_installed(place: &Place) -> Result<(), Failure> {
    let prefix = place.built.join("prefix");
    let _ = std::fs::remove_dir_all(&prefix);
    install::run(&prefix)?;
    if !install::try_it(&prefix, &place.built.join("run"))? {
        println!("pkg-config is not installed: what it would say was not tried");
    }
    Ok(())
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
