//! `dist`: ready libraries for people without Rust, a folder for each processor.
//!
//! ```text
//! crates/lockstone-ffi ─ library.rs ─> liblockstone.a ─┐
//! headers, pkg-config, CMake ─ install.rs ─────────────┼─> target/dist/lockstone-VERSION-PROCESSOR/ ─> tried
//! README.md, licences (of others too), SHA256SUMS ─────┘
//! ```
//!
//! Each is tried before it counts, as whoever gets it would: copied to another place, its sums checked, and a program compiled with the
//! very line of its README. On the host that runs, also with what pkg-config and CMake say; for each chip the library must be for the
//! architecture and the float ABI that the folder says. What can't be made is named, and is a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::library::{self, CORES, Core};
use crate::tools::output;
use crate::{Failure, install, licences, root, tools};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const HOST: &str = "host";
const SUMS: &str = "SHA256SUMS";
const READELF: &str = "arm-none-eabi-readelf";
const STRIP: &str = "arm-none-eabi-strip";
const SIZE: &str = "arm-none-eabi-size";

/// What was asked for; no name: all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    names: Vec<String>,
}

impl Options {
    /// Reads the names; says which there are when there is one that we don't know.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let known = |name: &str| name == HOST || library::core_named(name).is_ok();
        match arguments.iter().find(|name| !known(name)) {
            None => Ok(Self { names: arguments.to_vec() }),
            Some(name) => {
                let names: Vec<_> = CORES.iter().map(|core| core.name).collect();
                Err(format!("there is no library for {name}, but for {HOST}, {}", names.join(", ")))
            }
        }
    }

    fn is_asked(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|asked| asked == name)
    }
}

/// Makes and tries what was asked for; the last line says how many there are.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let (mut made, mut lacking) = (0, Vec::new());
    let all = [None].into_iter().chain(CORES.iter().map(Some));
    for core in all.filter(|core| options.is_asked(core.map_or(HOST, |core| core.name))) {
        let name = core.map_or(HOST, |core| core.name);
        match core.map_or_else(make_host, make_core) {
            Ok(row) => {
                println!(r#"{{"name":"dist/{name}",{row},"unit":"B","met":true}}"#);
                made += 1;
            }
            Err(failure) => {
                eprintln!("NOT MADE  {name}: {failure}");
                lacking.push(name);
            }
        }
    }
    println!(r#"{{"name":"dist","made":{made},"lacking":{},"met":{}}}"#, lacking.len(), lacking.is_empty());
    if lacking.is_empty() { Ok(()) } else { Err(format!("not made: {}", lacking.join(", "))) }
}

/// The library of this machine; what there is to say of it.
fn make_host() -> Result<String, Failure> {
    let triple = host_triple()?;
    let libraries = library::build_host()?;
    let folder = fresh_folder(&triple)?;
    install::put(&folder, RELATIVE, &libraries, install::OF_HOST)?;
    let line = "cc -Iinclude program.c lib/liblockstone.a -lm -lpthread -ldl";
    let how = format!(
        "For programs on {triple}: static and shared, with the device in a directory.\n\n```text\n{line}\n```\n\n\
         The shared library has no version in its name: a program linked with it finds it with `LD_LIBRARY_PATH=lib`, or where\n\
         `-Wl,-rpath` says.\n\n\
         `PKG_CONFIG_PATH=lib/pkgconfig pkg-config --cflags --libs lockstone` (`--static` with the static library) and CMake's\n\
         `find_package(lockstone)` say the same.\n"
    );
    finish(&folder, &readme(&triple, &how, &compiler("rustc")?), &triple)?;
    let hello = root().join("crates").join("lockstone-ffi").join("examples").join("hello.c");
    let moved = compile_elsewhere(&folder, line, &hello)?;
    let mut program = Command::new(moved.join("a.out"));
    tools::succeed(
        program.env("LOCKSTONE_DEVICE", moved.join("device")).stdout(Stdio::null()),
        "the program of the README",
    )?;
    if !install::try_it(&moved, &tools::target_folder().join("library").join("tried"))? {
        return Err("missing: pkg-config\n  on Debian: apt-get install --no-install-recommends pkg-config".to_owned());
    }
    install::try_static(&moved, &hello)?;
    Ok(format!(r#""library":{},"linked":0"#, length(&folder)?))
}

/// The library of a chip; what there is to say of it.
fn make_core(core: &'static Core) -> Result<String, Failure> {
    library::name_missing()?;
    let library = library::build(core)?;
    let folder = fresh_folder(core.name)?;
    install::put(&folder, RELATIVE, &[library], &[])?;
    // A core library that comes with its compiler brings what its own build said of its sources, four times as much as the code.
    let mut strip = Command::new(STRIP);
    strip.arg("--strip-debug").arg(folder.join("lib").join("liblockstone.a"));
    tools::succeed(&mut strip, "stripping the library")?;
    let line = format!(
        "{} -mthumb {} -DLOCKSTONE_NO_STD -ffreestanding -nostdlib -Wl,--gc-sections -Wl,-z,noexecstack -Iinclude program.c lib/liblockstone.a",
        library::GCC,
        core.gcc.join(" ")
    );
    let how = format!(
        "For {}, without an operating system, for small code: features {}. It needs nothing of a C library{}.\n\n\
         ```text\n{line}\n```\n\n\
         links a program that starts at `_start`. A product has a linker script of its chip beside, and may have a C library.\n\
         pkg-config (`PKG_CONFIG_PATH=lib/pkgconfig`) and CMake's `find_package(lockstone)` know the headers, the library and\n\
         LOCKSTONE_NO_STD; the processor your build says.\n\n\
         Whoever calls gives it a `lockstone_platform` (flash, root key, what else there is) and memory: see include/lockstone.h. It\n\
         has a panic handler that stops, so another library in Rust can't stand beside it in one program.\n",
        core.name,
        library::FEATURES,
        if core.name.ends_with('f') {
            "; the FPU must be on before the first call, as for all code with this ABI"
        } else {
            ", and no FPU"
        },
    );
    finish(&folder, &readme(core.name, &how, &library::compiler(core)?), core.target)?;
    let moved =
        compile_elsewhere(&folder, &line, &root().join("crates").join("lockstone-ffi").join("c").join("bare.c"))?;
    let linked = moved.join("a.out");
    check_members(core, &output(Command::new(READELF).arg("-A").arg(moved.join("lib").join("liblockstone.a")))?)?;
    let text = text_of(&output(Command::new(SIZE).arg(&linked))?)?;
    Ok(format!(r#""library":{},"linked":{text}"#, length(&folder)?))
}

/// How a file for pkg-config says where it is, so that the folder may be moved.
const RELATIVE: &str = "${pcfiledir}/../..";

fn fresh_folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = tools::target_folder().join("dist").join(format!("lockstone-{VERSION}-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("can't make {}: {error}", folder.display()))?;
    Ok(folder)
}

fn length(folder: &Path) -> Result<u64, Failure> {
    let library = folder.join("lib").join("liblockstone.a");
    std::fs::metadata(&library).map(|data| data.len()).map_err(|error| format!("no {}: {error}", library.display()))
}

/// Copies a folder to another place, checks its sums there, and compiles a program in it with the line of its README; where that is.
fn compile_elsewhere(folder: &Path, line: &str, program: &Path) -> Result<PathBuf, Failure> {
    let moved = tools::target_folder().join("library").join("moved").join(folder.file_name().unwrap_or_default());
    let _ = std::fs::remove_dir_all(&moved);
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    for file in &files {
        install::copy(&folder.join(file), &moved.join(file))?;
    }
    let mut check = Command::new("sha256sum");
    tools::succeed(check.args(["--check", "--quiet", "--strict", SUMS]).current_dir(&moved), "checking the sums")?;
    if !std::fs::read_to_string(moved.join("README.md")).is_ok_and(|readme| readme.contains(line)) {
        return Err(format!("its README has no line {line}"));
    }
    install::copy(program, &moved.join("program.c"))?;
    let mut words = line.split_whitespace();
    let mut compile = Command::new(words.next().unwrap_or_default());
    tools::succeed(compile.args(words).current_dir(&moved), "the line of the README")?;
    Ok(moved)
}

/// Puts what is beside the library, and the sums of all files.
fn finish(folder: &Path, readme: &str, target: &str) -> Result<(), Failure> {
    install::write(&folder.join("README.md"), readme)?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        install::copy(&root().join(licence), &folder.join(licence))?;
    }
    install::write(
        &folder.join("LICENSES-OF-OTHERS.txt"),
        &licences::of_others(target, &folder.join("lib").join("liblockstone.a"))?,
    )?;
    licences::put_those_of_rust(folder)?;
    if !tools::answers("sha256sum") {
        return Err("missing: sha256sum\n  on Debian: apt-get install --no-install-recommends coreutils".to_owned());
    }
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.sort();
    let sums = output(Command::new("sha256sum").args(&files).current_dir(folder))?;
    install::write(&folder.join(SUMS), &sums)
}

/// All files below a folder, as they are called from the base.
fn list(base: &Path, folder: &Path, files: &mut Vec<String>) -> Result<(), Failure> {
    let failed = |error| format!("can't read {}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            list(base, &path, files)?;
        } else {
            files.push(path.strip_prefix(base).unwrap_or(&path).display().to_string());
        }
    }
    Ok(())
}

fn readme(name: &str, how: &str, compiler: &str) -> String {
    format!(
        "# Lockstone {VERSION} for {name}\n\n\
         Secure storage on flash, for C and C++: the store's own calls (`lockstone.h`), objects and slots (`lockstone_objects.h`),\n\
         drivers of CMSIS-Driver Storage (`lockstone_storage.h`), PSA Secure Storage 1.0 (`psa/*.h`), CFSTORE (`configuration_store.h`),\n\
         Flash Journal (`flash_journal.h`), the Storage Volume Manager (`storage_volume_manager.h`), and a header for C++17\n\
         (`lockstone.hpp`). The headers say what each function does.\n\n\
         {how}\n\
         The folder may lie anywhere. `sha256sum --check {SUMS}` says whether all is as it was made, with {compiler}.\n\n\
         Not in this library: suites other than `ascon`.\n\n\
         Licence: MIT or Apache-2.0, as you choose. LICENSES-OF-OTHERS.txt and licences-of-rust have\n\
         those of what is linked in.\n"
    )
}

fn host_triple() -> Result<String, Failure> {
    let said = output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say what this machine is".to_owned())
}

fn compiler(rustc: &str) -> Result<String, Failure> {
    let said = output(Command::new(rustc).arg("--version"))?;
    Ok(said.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// Holds what `readelf -A` says of each member of a library against the processor. Our own is for just that; what comes ready with the
/// compiler may be for what its target is in general.
fn check_members(core: &Core, attributes: &str) -> Result<(), Failure> {
    let of_target = if core.target.starts_with("thumbv8m.main") { "v8-M.mainline" } else { core.architecture };
    let mut ours = 0;
    for member in attributes.split("\nFile: ") {
        let value = |tag: &str| member.lines().find_map(|line| line.trim().strip_prefix(tag)).map(str::trim);
        let Some(architecture) = value("Tag_CPU_arch: ") else { continue };
        let name = member.lines().next().unwrap_or_default();
        let is_ours = name.contains("lockstone_ffi");
        let in_registers = value("Tag_ABI_VFP_args: ") == Some("VFP registers");
        if architecture != core.architecture && (is_ours || architecture != of_target) {
            return Err(format!("{name} is for {architecture}, not {}", core.architecture));
        }
        if in_registers != core.name.ends_with('f') {
            return Err(format!("{name} has the other float ABI"));
        }
        ours += u32::from(is_ours);
    }
    if ours > 0 { Ok(()) } else { Err(format!("{READELF} names no member of ours: {attributes}")) }
}

/// The first number of the second line of `size`.
fn text_of(said: &str) -> Result<u64, Failure> {
    let number = said.lines().nth(1).and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("{SIZE} said: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_known_is_refused() {
        let parse = |text: &str| Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(parse("").unwrap().is_asked("cortex-m3"));
        let some = parse("host cortex-m4f").unwrap();
        assert!(some.is_asked(HOST) && some.is_asked("cortex-m4f") && !some.is_asked("cortex-m4"));
        let refused = parse("cortex-m7").unwrap_err();
        assert!(
            refused.contains("for cortex-m7, but for host, cortex-m0plus, ") && refused.ends_with("cortex-m55f"),
            "{refused}"
        );
    }

    #[test]
    fn what_each_member_is_for_is_read() {
        let member = |name: &str, architecture: &str, further: &str| {
            format!("\nFile: lib/liblockstone.a({name})\nFile Attributes\n  Tag_CPU_arch: {architecture}\n{further}")
        };
        let core = |name| library::core_named(name).unwrap();
        let (hard, ours) = ("  Tag_ABI_VFP_args: VFP registers\n", "lockstone_ffi-0.o");
        assert_eq!(check_members(core("cortex-m3"), &member(ours, "v7", "")), Ok(()));
        assert_eq!(check_members(core("cortex-m4f"), &member(ours, "v7E-M", hard)), Ok(()));
        let mixed = member(ours, "v8.1-M.mainline", "") + &member("core.o", "v8-M.mainline", "");
        assert_eq!(check_members(core("cortex-m55"), &mixed), Ok(()));
        assert!(check_members(core("cortex-m55"), &member(ours, "v8-M.mainline", "")).is_err());
        assert!(check_members(core("cortex-m33"), &mixed).is_err());
        assert!(check_members(core("cortex-m4"), &member(ours, "v7E-M", hard)).is_err());
        assert!(check_members(core("cortex-m4f"), &member(ours, "v7E-M", "")).is_err());
        assert!(check_members(core("cortex-m3"), &member("core.o", "v7", "")).is_err());
        assert_eq!(text_of("   text\t   data\n  42408\t    608\n"), Ok(42_408));
        assert!(text_of("   text\t   data\n").is_err());
    }
}
