//! The licences of what is linked into a ready library beside our own code: of packages, and of what the compiler brings.
//!
//! ```text
//! packages that cargo names ─ their folders ───────────────┐
//! members of the library ─ a table, and nothing else ──────┼─> LICENSES-OF-OTHERS.txt
//! share/doc/rust of the compiler ──────────────────────────┴─> licences-of-rust/
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::output;
use crate::{Failure, install, library, root, tools};

const BEGINNINGS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];
const EITHER: &str = "MIT OR Apache-2.0";
/// What comes with the compiler, as the members of a library are called, and its licence.
const OF_RUST: [(&str, &str); 17] = [
    ("addr2line", EITHER),
    ("adler2", "0BSD OR MIT OR Apache-2.0"),
    ("alloc", EITHER),
    ("cfg_if", EITHER),
    ("compiler_builtins", BUILTINS),
    ("core", "MIT OR Apache-2.0; its tables of characters are of Unicode, Inc., Unicode-3.0"),
    ("gimli", EITHER),
    ("hashbrown", EITHER),
    ("libc", EITHER),
    ("memchr", "Unlicense OR MIT, copyright 2015 Andrew Gallant"),
    ("miniz_oxide", "MIT OR Zlib OR Apache-2.0"),
    ("object", EITHER),
    ("panic_unwind", EITHER),
    ("rustc_demangle", EITHER),
    ("std", EITHER),
    ("std_detect", EITHER),
    ("unwind", EITHER),
];
const BUILTINS: &str = "MIT AND Apache-2.0 WITH LLVM-exception.\n    In it: compiler-rt of the LLVM project \
    (Apache-2.0 WITH LLVM-exception; older parts NCSA OR MIT, copyright 2009-2019 its\n    contributors), and libm (MIT), which is \
    derived from musl (MIT, copyright 2005-2020 Rich Felker and others), from msun of FreeBSD\n    (copyright 1993 Sun \
    Microsystems, Inc.) and from CORE-MATH (MIT)";
/// The texts that the table and the standard library's notices name.
const TEXTS: [&str; 6] = ["Apache-2.0", "BSD-2-Clause", "LLVM-exception", "MIT", "NCSA", "Unicode-3.0"];

/// Copies the notices and texts that come with the compiler into a folder; a failure when there is one that it does not have.
pub(crate) fn put_those_of_rust(folder: &Path) -> Result<(), Failure> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let from = Path::new(sysroot.trim()).join("share").join("doc").join("rust");
    let to = folder.join("licences-of-rust");
    install::copy(&from.join("COPYRIGHT-library.html"), &to.join("COPYRIGHT-library.html"))?;
    for text in TEXTS.map(|text| format!("{text}.txt")) {
        install::copy(&from.join("licenses").join(&text), &to.join(&text))?;
    }
    Ok(())
}

/// What the members of a library are of, beside `ours`, and its licence; a failure when there is one that nobody has looked at.
fn of_rust(members: &str, ours: &[String]) -> Result<Vec<(&'static str, &'static str)>, Failure> {
    let mut found = Vec::new();
    for member in members.lines() {
        // Compiled from C: compiler-rt, in compiler_builtins. Else `NAME-HASH.PART.rcgu.o`.
        let name = member.split(['-', '.']).next().unwrap_or_default();
        let is_compiler_rt = name.len() == 16 && name.bytes().all(|sign| sign.is_ascii_hexdigit());
        let name = if is_compiler_rt { "compiler_builtins" } else { name };
        if name.starts_with("lockstone")
            || name.starts_with("rustc_std_workspace_")
            || ours.iter().any(|our| our == name)
        {
            continue;
        }
        let row = OF_RUST.iter().find(|(known, _)| *known == name);
        found.push(*row.ok_or_else(|| format!("whose is {member}? The table of licences does not say"))?);
    }
    if !found.iter().any(|(name, _)| *name == "core") {
        found.extend(OF_RUST.iter().filter(|(name, _)| *name == "core" || *name == "alloc")); // within our own member
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The licences of all packages that are linked in, and of what comes with the compiler.
pub(crate) fn of_others(target: &str, library: &Path) -> Result<String, Failure> {
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
    let mut metadata = tools::cargo();
    metadata.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target]);
    let metadata = output(metadata.current_dir(root()))?;
    let mut packages: Vec<_> = packages.lines().filter_map(package).collect();
    packages.sort();
    packages.dedup();
    let mut text = "What is linked into the library beside Lockstone's own code, and under which licence.\n\n\
        Of the Rust compiler that made it, under the licences whose texts are in licences-of-rust (COPYRIGHT-library.html there has the\n\
        notices of the standard library, as they come with the compiler):\n\n"
        .to_owned();
    let ours: Vec<_> = packages.iter().map(|(name, ..)| name.replace('-', "_")).collect();
    for (name, licence) in of_rust(&output(Command::new("ar").arg("t").arg(library))?, &ours)? {
        text += &format!("{name}: {licence}\n");
    }
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
        path.is_file() && BEGINNINGS.iter().any(|begin| name.starts_with(begin))
    };
    files.retain(is_licence);
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).map(|text| format!("\n{text}")).map_err(failed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_looked_at_is_refused() {
        let members = "subtle-0011223344556677.subtle.8.rcgu.o\nmemchr-0011223344556677.x.rcgu.o\n45c91108d938afe8-popcountsi2.o\n";
        let found: Vec<_> =
            of_rust(members, &["subtle".to_owned()]).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["alloc", "compiler_builtins", "core", "memchr"]);
        assert!(of_rust("surprise-0011223344556677.x.rcgu.o\n", &[]).is_err());
        assert!(of_rust(members, &[]).is_err());
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
