//! `dist`: ready libraries for people without Rust, a folder for each processor.
//!
//! ```text
//! crates/lockstone-ffi ─ library.rs ─> liblockstone.a ─┐
//! headers, pkg-config, CMake ─ install.rs ─────────────┼─> target/dist/lockstone-VERSION-PROCESSOR/ ─> tried
//! README.md, licences (of others too), SHA256SUMS ─────┘
//! ```
//!
//! Each is tried before it counts: its sums are checked, on the host a program runs with what pkg-config says, and for each chip the
//! least program is linked, and must be for the architecture that the folder says. What can't be made is named, and is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library::{self, CORES, Core};
use crate::{Failure, install, root, tools};

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
    /// Reads the names; `None` when there is one that we don't know.
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let known = |name: &String| name == HOST || library::core_named(name).is_ok();
        arguments.iter().all(known).then(|| Self { names: arguments.to_vec() })
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
    let how = format!(
        "For programs on {triple}: static and shared, with the device in a directory.\n\n\
         ```text\ncc -Iinclude program.c lib/liblockstone.a -lm -lpthread -ldl\n```\n"
    );
    finish(&folder, &readme(&triple, &how, &compiler("rustc")?), &triple)?;
    if !install::try_it(&folder, &tools::target_folder().join("library").join("tried"))? {
        return Err("missing: pkg-config\n  on Debian: apt-get install --no-install-recommends pkg-config".to_owned());
    }
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
    let flags = core.gcc.join(" ");
    let how = format!(
        "For {}, without an operating system, for small code: features {}. It needs nothing of a C library{}.\n\n\
         ```text\narm-none-eabi-gcc -mthumb {flags} -Iinclude program.c lib/liblockstone.a\n```\n\n\
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
    let linked = tools::target_folder().join("library").join(core.name).join("bare");
    library::link_bare(core, &folder.join("include"), &folder.join("lib").join("liblockstone.a"), &linked)?;
    let architecture = architecture(&output(Command::new(READELF).arg("-A").arg(&linked))?)?;
    if architecture != core.architecture {
        return Err(format!("what is linked is for {architecture}, not {}", core.architecture));
    }
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

/// Puts what is beside the library, and the sums of all files, and checks them.
fn finish(folder: &Path, readme: &str, target: &str) -> Result<(), Failure> {
    install::write(&folder.join("README.md"), readme)?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        install::copy(&root().join(licence), &folder.join(licence))?;
    }
    install::write(&folder.join("LICENSES-OF-OTHERS.txt"), &licences_of_others(target)?)?;
    if !tools::answers("sha256sum") {
        return Err("missing: sha256sum\n  on Debian: apt-get install --no-install-recommends coreutils".to_owned());
    }
    let mut files = Vec::new();
    list(folder, folder, &mut files)?;
    files.sort();
    let sums = output(Command::new("sha256sum").args(&files).current_dir(folder))?;
    install::write(&folder.join(SUMS), &sums)?;
    let mut check = Command::new("sha256sum");
    tools::succeed(check.args(["--check", "--quiet", "--strict", SUMS]).current_dir(folder), "checking the sums")
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
         Secure storage on flash, for C and C++: the store's own calls (`lockstone.h`), PSA Secure Storage 1.0 (`psa/*.h`), CFSTORE\n\
         (`configuration_store.h`), and a header for C++17 (`lockstone.hpp`). The headers say what each function does.\n\n\
         {how}\n\
         `PKG_CONFIG_PATH=lib/pkgconfig pkg-config --cflags --libs lockstone` and CMake's `find_package(lockstone)` know the same;\n\
         the folder may lie anywhere. `sha256sum --check {SUMS}` says whether all is as it was made, with {compiler}.\n\n\
         Not in this library: objects and firmware slots, CMSIS-Driver Storage, suites other than `ascon`.\n\n\
         Licence: MIT or Apache-2.0, as you choose. LICENSES-OF-OTHERS.txt has those of what is linked in.\n"
    )
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("can't run {program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{program} ended with {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
    }
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

/// What `readelf -A` says a program is for.
fn architecture(attributes: &str) -> Result<String, Failure> {
    let value = attributes.lines().find_map(|line| line.trim().strip_prefix("Tag_CPU_arch: "));
    value.map(|value| value.trim().to_owned()).ok_or_else(|| format!("{READELF} said: {attributes}"))
}

/// The first number of the second line of `size`.
fn text_of(said: &str) -> Result<u64, Failure> {
    let number = said.lines().nth(1).and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("{SIZE} said: {said}"))
}

/// The licences of all packages that are linked in, and of what comes with the compiler.
fn licences_of_others(target: &str) -> Result<String, Failure> {
    let mut tree = tools::cargo();
    tree.args([
        "tree",
        "--locked",
        "--package",
        "lockstone-ffi",
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
    ]);
    tree.args(["--format", "{p}|{l}", "--target", target]);
    if target.contains("-none-") {
        tree.args(["--no-default-features", "--features", library::FEATURES]);
    }
    let packages = output(tree.current_dir(root()))?;
    let metadata = output(tools::cargo().args(["metadata", "--locked", "--format-version", "1"]).current_dir(root()))?;
    let mut packages: Vec<_> = packages.lines().filter_map(package).collect();
    packages.sort();
    packages.dedup();
    let mut text = "What is linked into the library beside Lockstone's own code, and under which licence.\n\n\
        Rust's core library, and on a host its standard library: MIT OR Apache-2.0 (LICENSE-MIT and LICENSE-APACHE have the texts;\n\
        copyright of the Rust Project's contributors).\n"
        .to_owned();
    for (name, version, licence) in packages {
        let folder = folder_of(&metadata, name, version).ok_or_else(|| format!("no source of {name} {version}"))?;
        text += &format!("\n======== {name} {version}: {licence}\n");
        let texts = licence_texts(&folder)?;
        match (texts.is_empty(), licence.contains("Apache-2.0")) {
            (true, true) => text += "\nIts package has no text; that of Apache-2.0 is in LICENSE-APACHE.\n",
            (true, false) => return Err(format!("{name} {version} ({licence}) has no text of its licence")),
            (false, _) => text.extend(texts),
        }
    }
    Ok(text)
}

/// Reads `NAME vVERSION|LICENCE`; ours, which stand with their folder, are not of others.
fn package(line: &str) -> Option<(&str, &str, &str)> {
    let (package, licence) = line.split_once('|')?;
    let (name, version) = package.split_once(" v")?;
    (!version.contains(' ')).then_some((name, version, licence))
}

/// Where the source of a package is.
fn folder_of(metadata: &str, name: &str, version: &str) -> Option<PathBuf> {
    let end = format!("/{name}-{version}/Cargo.toml\"");
    let before = &metadata[..metadata.find(&end)?];
    let start = before.rfind('"')? + 1;
    Some(Path::new(&before[start..]).join(format!("{name}-{version}")))
}

fn licence_texts(folder: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| format!("can't read {}: {error}", folder.display());
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).map_err(failed)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    let is_licence = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && (name.starts_with("LICENSE") || name.starts_with("LICENCE") || name.starts_with("COPYING"))
    };
    files.retain(is_licence);
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).map(|text| format!("\n{text}")).map_err(failed)).collect()
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
        assert_eq!(parse("cortex-a53"), None);
    }

    #[test]
    fn what_a_program_is_for_is_read() {
        let said = "Attribute Section: aeabi\nFile Attributes\n  Tag_CPU_name: \"6S-M\"\n  Tag_CPU_arch: v6S-M\n";
        assert_eq!(architecture(said).as_deref(), Ok("v6S-M"));
        assert!(architecture("File Attributes\n").is_err());
        assert_eq!(text_of("   text\t   data\n  42408\t    608\n"), Ok(42_408));
        assert!(text_of("   text\t   data\n").is_err());
    }

    #[test]
    fn packages_of_others_and_their_sources_are_found() {
        assert_eq!(package("subtle v2.6.1|BSD-3-Clause"), Some(("subtle", "2.6.1", "BSD-3-Clause")));
        assert_eq!(package("lockstone v0.1.0 (/src/crates/lockstone)|MIT OR Apache-2.0"), None);
        let metadata = r#"{"manifest_path":"/registry/subtle-2.6.1/Cargo.toml","x":"/registry/ab-1.0.0/Cargo.toml"}"#;
        assert_eq!(folder_of(metadata, "ab", "1.0.0"), Some(PathBuf::from("/registry/ab-1.0.0")));
        assert_eq!(folder_of(metadata, "b", "1.0.0"), None);
    }
}
