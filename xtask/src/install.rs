//! `capi install`: the library, its headers, and what pkg-config and CMake want to know, under a prefix.
//!
//! ```text
//! P/include/lockstone.h, lockstone.hpp, lockstone_{objects,storage}.h, configuration_store.h, psa/*.h, Driver_*.h,
//! P/include/flash_journal.h, storage_volume_manager.h
//! P/lib/liblockstone.a, liblockstone.so, pkgconfig/lockstone.pc, cmake/lockstone/lockstone-config.cmake
//! ```

use std::path::{Path, PathBuf};

use crate::{Failure, root, tools};

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
const LIBRARIES: [&str; 2] = ["a", "so"];

/// Builds the library as it is shipped and puts everything under the prefix.
pub(crate) fn run(prefix: &Path) -> Result<(), Failure> {
    let prefix = std::path::absolute(prefix).map_err(|error| format!("can't use {}: {error}", prefix.display()))?;
    let built = build()?;
    for header in HEADERS {
        let from = root().join("crates").join("lockstone-ffi").join("include").join(header);
        copy(&from, &prefix.join("include").join(header))?;
    }
    for kind in LIBRARIES {
        copy(
            &built.join(format!("liblockstone_ffi.{kind}")),
            &prefix.join("lib").join(format!("liblockstone.{kind}")),
        )?;
    }
    let text = prefix.display().to_string();
    write(&prefix.join("lib").join("pkgconfig").join("lockstone.pc"), &pkg_config(&text))?;
    write(&prefix.join("lib").join("cmake").join("lockstone").join("lockstone-config.cmake"), CMAKE)?;
    println!("installed under {text}");
    Ok(())
}

fn build() -> Result<PathBuf, Failure> {
    let target = tools::target_folder();
    let mut cargo = tools::cargo();
    cargo.args(["build", "--quiet", "--release", "-p", "lockstone-ffi", "--target-dir"]).arg(&target);
    tools::succeed(cargo.current_dir(root()), "building lockstone-ffi")?;
    Ok(target.join("release"))
}

fn pkg_config(prefix: &str) -> String {
    format!(
        "prefix={prefix}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: lockstone\nDescription: Secure storage on flash: native, PSA Secure Storage, CFSTORE\nVersion: {}\n\
         Cflags: -I${{includedir}}\nLibs: -L${{libdir}} -llockstone\nLibs.private: -lm -lpthread -ldl\n",
        env!("CARGO_PKG_VERSION")
    )
}

const CMAKE: &str = r#"# find_package(lockstone) gives the target lockstone::lockstone, the static library.
get_filename_component(lockstone_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET lockstone::lockstone)
  add_library(lockstone::lockstone STATIC IMPORTED)
  set_target_properties(lockstone::lockstone PROPERTIES
    IMPORTED_LOCATION "${lockstone_prefix}/lib/liblockstone.a"
    INTERFACE_INCLUDE_DIRECTORIES "${lockstone_prefix}/include"
    INTERFACE_LINK_LIBRARIES "m;pthread;dl")
endif()
set(lockstone_FOUND TRUE)
"#;

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    make_folder_of(to)?;
    std::fs::copy(from, to).map(drop).map_err(|error| format!("can't copy {}: {error}", from.display()))
}

fn write(to: &Path, text: &str) -> Result<(), Failure> {
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
        let text = pkg_config("/opt/lockstone");
        assert!(text.starts_with("prefix=/opt/lockstone\nlibdir=${prefix}/lib\n"), "{text}");
        assert!(text.contains("\nCflags: -I${includedir}\nLibs: -L${libdir} -llockstone\n"), "{text}");
    }

    #[test]
    fn every_header_that_is_installed_is_there_and_no_other_is_missing() {
        let include = root().join("crates").join("lockstone-ffi").join("include");
        assert!(HEADERS.iter().all(|header| include.join(header).is_file()));
        let names = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
        // The folder psa, and the simulator's header.
        assert_eq!(names(&include) + names(&include.join("psa")), HEADERS.len() + 2);
    }
}
