//! What a C program needs to be linked with the library, under a prefix: for `capi install` and, for each processor, `dist`.
//!
//! ```text
//! P/include/lockstone.h, lockstone.hpp, lockstone_{objects,storage}.h, configuration_store.h, psa/*.h, Driver_*.h,
//! P/include/flash_journal.h, storage_volume_manager.h
//! P/lib/liblockstone.a, liblockstone.so, pkgconfig/lockstone.pc, cmake/lockstone/lockstone-config.cmake
//! ```

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Failure, library, root, tools};

/// Headers that are installed: all but the simulator's, which is for tests of this repository's library.
const HEADERS: [&str; 13] = [
    "Driver_Common.h",
    "Driver_Storage.h",
    "flash_journal.h",
    "lockstone.h",
    "lockstone_objects.h",
    "lockstone_storage.h",
    "storage_volume_manager.h",
    "lockstone.hpp",
    "configuration_store.h",
    "psa/error.h",
    "psa/storage_common.h",
    "psa/internal_trusted_storage.h",
    "psa/protected_storage.h",
];
/// What the library needs of a host's system.
pub(crate) const OF_HOST: &[&str] = &["m", "pthread", "dl"];

/// Builds the library of this host as it is shipped and puts everything under the prefix.
pub(crate) fn run(prefix: &Path) -> Result<(), Failure> {
    let prefix = std::path::absolute(prefix).map_err(|error| format!("can't use {}: {error}", prefix.display()))?;
    let text = prefix.display().to_string();
    put(&prefix, &text, &library::build_host()?, OF_HOST)?;
    println!("installed under {text}");
    Ok(())
}

/// Puts headers, libraries, and the files for pkg-config and CMake under a folder, which will be known as `prefix`.
pub(crate) fn put(folder: &Path, prefix: &str, libraries: &[PathBuf], of_system: &[&str]) -> Result<(), Failure> {
    for header in HEADERS {
        copy(&library::headers().join(header), &folder.join("include").join(header))?;
    }
    let lib = folder.join("lib");
    for library in libraries {
        copy(library, &lib.join("liblockstone").with_extension(library.extension().unwrap_or_default()))?;
    }
    write(&lib.join("pkgconfig").join("lockstone.pc"), &pkg_config(prefix, of_system))?;
    write(&lib.join("cmake").join("lockstone").join("lockstone-config.cmake"), &cmake(of_system))
}

fn pkg_config(prefix: &str, of_system: &[&str]) -> String {
    let private: String = of_system.iter().map(|library| format!(" -l{library}")).collect();
    let private = if private.is_empty() { private } else { format!("Libs.private:{private}\n") };
    let definition = if of_system.is_empty() { " -DLOCKSTONE_NO_STD" } else { "" };
    // A blank would end it.
    let prefix = prefix.replace(' ', "\\ ");
    format!(
        "prefix={prefix}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: lockstone\nDescription: Secure storage on flash: native, PSA Secure Storage, CFSTORE\nVersion: {}\n\
         Cflags: -I${{includedir}}{definition}\nLibs: -L${{libdir}} -llockstone\n{private}",
        env!("CARGO_PKG_VERSION")
    )
}

fn cmake(of_system: &[&str]) -> String {
    let line = match of_system {
        [] => "\n    INTERFACE_COMPILE_DEFINITIONS LOCKSTONE_NO_STD".to_owned(),
        _ => format!("\n    INTERFACE_LINK_LIBRARIES \"{}\"", of_system.join(";")),
    };
    CMAKE.replace("\n@LIBRARIES@", &line)
}

const CMAKE: &str = r#"# find_package(lockstone) gives the target lockstone::lockstone, the static library.
get_filename_component(lockstone_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET lockstone::lockstone)
  add_library(lockstone::lockstone STATIC IMPORTED)
  set_target_properties(lockstone::lockstone PROPERTIES
    IMPORTED_LOCATION "${lockstone_prefix}/lib/liblockstone.a"
    INTERFACE_INCLUDE_DIRECTORIES "${lockstone_prefix}/include"
@LIBRARIES@)
endif()
set(lockstone_FOUND TRUE)
"#;

/// Builds and runs an example with what pkg-config says of a prefix, in a fresh folder, and once more with what CMake finds there, if
/// that is installed; false when there is no pkg-config.
pub(crate) fn try_it(prefix: &Path, run: &Path) -> Result<bool, Failure> {
    if !tools::answers("pkg-config") {
        return Ok(false);
    }
    let _ = std::fs::remove_dir_all(run);
    std::fs::create_dir_all(run).map_err(|error| format!("can't make {}: {error}", run.display()))?;
    let mut asked = Command::new("pkg-config");
    asked.args(["--cflags", "--libs", "lockstone"]).env("PKG_CONFIG_PATH", prefix.join("lib").join("pkgconfig"));
    let said = asked.output().map_err(|error| format!("pkg-config: {error}"))?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let binary = run.join("hello");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c99", "-Wall", "-Wextra", "-Werror"]);
    gcc.arg(root().join("crates").join("lockstone-ffi").join("examples").join("hello.c")).arg("-o").arg(&binary);
    tools::succeed(gcc.args(said.split_whitespace()), "compiling hello with what was installed")?;
    let mut programs = vec![binary];
    if tools::answers("cmake") {
        let option = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
        programs
            .push(build_with_cmake(&root().join("ports").join("tests"), &run.join("cmake"), &option)?.join("hello"));
    }
    for program in programs {
        let mut hello = Command::new(&program);
        hello.current_dir(run).env("LD_LIBRARY_PATH", prefix.join("lib")).env("LOCKSTONE_DEVICE", "installed");
        tools::succeed(hello.stdout(Stdio::null()), "hello, with what was installed")?;
    }
    Ok(true)
}

/// Builds and runs a program with what pkg-config says of the static library, in a copy of a prefix, from which the shared one is taken.
pub(crate) fn try_static(prefix: &Path, program: &Path) -> Result<(), Failure> {
    let shared = prefix.join("lib").join("liblockstone.so");
    std::fs::remove_file(&shared).map_err(|error| format!("can't remove {}: {error}", shared.display()))?;
    let mut asked = Command::new("pkg-config");
    asked
        .args(["--static", "--cflags", "--libs", "lockstone"])
        .current_dir(prefix)
        .env("PKG_CONFIG_PATH", "lib/pkgconfig");
    let said = tools::output(&mut asked)?;
    let mut gcc = Command::new("gcc");
    gcc.arg(program).args(said.split_whitespace()).args(["-o", "static"]).current_dir(prefix);
    tools::succeed(&mut gcc, "compiling with the static library")?;
    let mut linked = Command::new(prefix.join("static"));
    linked.env("LOCKSTONE_DEVICE", prefix.join("device")).stdout(Stdio::null());
    tools::succeed(&mut linked, "a program with the static library")
}

/// Configures and builds a project of CMake's in a fresh folder; that folder.
pub(crate) fn build_with_cmake(source: &Path, folder: &Path, option: &str) -> Result<PathBuf, Failure> {
    let _ = std::fs::remove_dir_all(folder);
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(source).arg("-B").arg(folder).arg(option).stdout(Stdio::null());
    tools::succeed(&mut configure, &format!("cmake, for {}", source.display()))?;
    let mut build = Command::new("cmake");
    tools::succeed(build.arg("--build").arg(folder).stdout(Stdio::null()), &format!("building {}", source.display()))?;
    Ok(folder.to_owned())
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    make_folder_of(to)?;
    std::fs::copy(from, to).map(drop).map_err(|error| format!("can't copy {}: {error}", from.display()))
}

pub(crate) fn write(to: &Path, text: &str) -> Result<(), Failure> {
    make_folder_of(to)?;
    std::fs::write(to, text).map_err(|error| format!("can't write {}: {error}", to.display()))
}

fn make_folder_of(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| format!("can't make {}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkg_config_is_told_where_it_is() {
        let text = pkg_config("/opt/lockstone", OF_HOST);
        assert!(text.starts_with("prefix=/opt/lockstone\nlibdir=${prefix}/lib\n"), "{text}");
        assert!(text.contains("\nCflags: -I${includedir}\nLibs: -L${libdir} -llockstone\n"), "{text}");
        assert!(text.ends_with("\nLibs.private: -lm -lpthread -ldl\n"), "{text}");
        assert!(pkg_config("/opt/lock stone", OF_HOST).starts_with("prefix=/opt/lock\\ stone\n"));
    }

    #[test]
    fn a_chip_has_no_libraries_of_its_system() {
        assert!(pkg_config("p", &[]).ends_with("Libs: -L${libdir} -llockstone\n"));
        assert!(pkg_config("p", &[]).contains("\nCflags: -I${includedir} -DLOCKSTONE_NO_STD\n"));
        let definition = "include\"\n    INTERFACE_COMPILE_DEFINITIONS LOCKSTONE_NO_STD)\nendif()";
        assert!(cmake(&[]).contains(definition), "{}", cmake(&[]));
        assert!(cmake(OF_HOST).contains("include\"\n    INTERFACE_LINK_LIBRARIES \"m;pthread;dl\")\nendif()"));
    }

    #[test]
    fn every_header_that_is_installed_is_there_and_no_other_is_missing() {
        let include = library::headers();
        assert!(HEADERS.iter().all(|header| include.join(header).is_file()));
        let names = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
        // The folder psa, and the simulator's header.
        assert_eq!(names(&include) + names(&include.join("psa")), HEADERS.len() + 2);
    }
}
