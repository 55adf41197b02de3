//! `ports`: what lies between the C library and an operating system, on stubs of those systems.
//!
//! ```text
//! crates/lockstone-ffi without std, for this host ─┐
//! ports/freertos, ports/zephyr ────────────────────┼─ gcc ─> run; and once more with a lock that locks nothing, where a call must be
//!                                                  │         told that another is inside
//! ports/tests: stubs on POSIX threads ─────────────┘
//! ports/freertos, ports/zephyr ─ arm-none-eabi-gcc ─> compiled, for each processor that has a library
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library::{self, CORES};
use crate::{Failure, install, root, tools};

const HOST: &[&str] = &["-std=c99", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-g", "-O1"];
/// What a test ends with that found something wrong.
const STOPPED: i32 = 3;
const CONFIG: &[&str] =
    &["-DCONFIG_LOCKSTONE_HEADS=50", "-DCONFIG_LOCKSTONE_ASSET_BYTES=0", "-DCONFIG_LOCKSTONE_CFSTORE_BYTES=0"];

/// A port, and where its parts are in `ports`.
struct Port {
    name: &'static str,
    /// What a product compiles too: the port itself, and its example.
    port: &'static [&'static str],
    example: &'static str,
    /// What only a test compiles.
    test: &'static [&'static str],
    headers: &'static [&'static str],
    /// What a call is told, and says, when there is no lock: the library finds another call inside.
    without_lock: &'static str,
    /// Further flashes that it must work on, in erase blocks: the least that the guide says, and the least that there can be.
    blocks: &'static [&'static str],
    /// What the guide asks of the system's configuration, each taken away by a macro of the stub: then nothing compiles.
    settings: &'static [&'static str],
}

const PORTS: [Port; 2] = [
    Port {
        name: "freertos",
        port: &["freertos/lockstone_freertos.c", "soft-key/lockstone_soft_key.c"],
        example: "freertos/example/tasks.c",
        test: &["tests/part.c", "tests/freertos.c", "tests/freertos/kernel.c"],
        headers: &["freertos", "soft-key", "tests", "tests/freertos"],
        without_lock: "a task was told -3\nstopped: a task failed\n",
        blocks: &[],
        settings: &["MUTEXES", "RECURSIVE_MUTEXES", "STATIC_ALLOCATION", "STORAGE_POINTERS", "SCHEDULER_STATE"],
    },
    Port {
        name: "zephyr",
        port: &["zephyr/lockstone_zephyr.c", "soft-key/lockstone_soft_key.c"],
        example: "zephyr/sample/src/main.c",
        test: &["tests/part.c", "tests/zephyr.c"],
        headers: &["zephyr", "soft-key", "tests", "tests/zephyr"],
        without_lock: "a thread was told -3\nstopped: a call failed\n",
        blocks: &["-DPART_BLOCKS=4u", "-DPART_BLOCKS=8u"],
        settings: &["CSPRNG_ENABLED"],
    },
];

/// Compiles and runs all; the last line says how many ran.
pub(crate) fn run() -> Result<(), Failure> {
    if !tools::answers("gcc") {
        return Err("missing: gcc\n  on Debian: apt-get install --no-install-recommends gcc libc6-dev".to_owned());
    }
    let library = library::build_host_without_std()?;
    let built = tools::target_folder().join("ports");
    std::fs::create_dir_all(&built).map_err(|error| format!("can't make {}: {error}", built.display()))?;
    try_soft_key(&built)?;
    for port in &PORTS {
        let works = tools::succeed(&mut Command::new(port.link(&built, &library, "")?), port.name);
        works.map_err(|failure| format!("{failure}: run it again, it is {}", built.join(port.name).display()))?;
        let broken = port.link(&built, &library, "-DBROKEN_LOCK")?;
        let ended = Command::new(broken).output().map_err(|error| format!("{}: {error}", port.name))?;
        let said = String::from_utf8_lossy(&ended.stderr);
        if ended.status.code() != Some(STOPPED) || said != port.without_lock {
            let name = port.name;
            return Err(format!(
                "{name}, without a lock, ended with {} and said {said:?}: what does it show?",
                ended.status
            ));
        }
        for blocks in port.blocks {
            tools::succeed(
                &mut Command::new(port.link(&built, &library, blocks)?),
                &format!("{}, {blocks}", port.name),
            )?;
        }
        for setting in port.settings {
            port.must_not_compile(&built, setting)?;
        }
    }
    let modules = try_module(&built, &library)?;
    let targets = compile_for_chips(&built)?;
    let is_met = modules > 0 && targets == CORES.len();
    println!(
        r#"{{"name":"ports","ports":{},"failed":0,"modules":{modules},"targets":{targets},"unit":"ports","met":{is_met}}}"#,
        PORTS.len()
    );
    if is_met { Ok(()) } else { Err(format!("not all was tried: missing is cmake, make or {}", library::GCC)) }
}

impl Port {
    fn paths(parts: &[&str]) -> Vec<PathBuf> {
        parts.iter().map(|part| root().join("ports").join(part)).collect()
    }

    /// Tells a compiler where the headers are, and what a product's configuration would say.
    fn tell(&self, command: &mut Command) {
        command.args(CONFIG).arg("-I").arg(library::headers());
        for folder in Self::paths(self.headers) {
            command.arg("-I").arg(folder);
        }
    }

    /// Compiles without something that the guide asks for, which must end with the port's own words.
    fn must_not_compile(&self, built: &Path, setting: &str) -> Result<(), Failure> {
        let mut gcc = Command::new("gcc");
        self.tell(gcc.args(HOST).arg(format!("-DWITHOUT_{setting}")));
        gcc.arg("-c").args(Self::paths(self.port).first()).arg("-o").arg(built.join("without.o"));
        let ended = gcc.output().map_err(|error| format!("gcc: {error}"))?;
        let said = String::from_utf8_lossy(&ended.stderr);
        if ended.status.success() || !said.contains("#error \"Lockstone needs ") {
            return Err(format!("{} without {setting} compiles, or says only: {said}", self.name));
        }
        Ok(())
    }

    /// Links port, example and test; the program.
    fn link(&self, built: &Path, library: &Path, further: &str) -> Result<PathBuf, Failure> {
        let (object, to) = (built.join(format!("{}.o", self.name)), built.join(format!("{}{further}", self.name)));
        let mut gcc = Command::new("gcc");
        self.tell(gcc.args(HOST).arg("-c").arg(root().join("ports").join(self.example)).arg("-o").arg(&object));
        if self.name == "zephyr" {
            gcc.arg("-Dmain=sample_main"); // the test starts the sample, more than once
        }
        tools::succeed(&mut gcc, &format!("compiling the example of {}", self.name))?;
        let mut gcc = Command::new("gcc");
        gcc.args(HOST).args(Some(further).filter(|option| !option.is_empty()));
        self.tell(&mut gcc);
        gcc.args(Self::paths(self.port)).args(Self::paths(self.test)).arg(&object).arg(library);
        gcc.args(["-Wl,--gc-sections", "-lpthread", "-o"]).arg(&to);
        tools::succeed(&mut gcc, &format!("compiling the test of {}", self.name))?;
        Ok(to)
    }
}

/// Holds the keys derived in C against the table that `SoftRootKey` is held against too.
fn try_soft_key(built: &Path) -> Result<(), Failure> {
    let ports = root().join("ports");
    let (program, folder) = (built.join("soft_key"), ports.join("soft-key"));
    let mut gcc = Command::new("gcc");
    gcc.args(HOST).args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I"]).arg(&folder);
    gcc.arg(folder.join("lockstone_soft_key.c")).arg(ports.join("tests").join("soft_key.c")).arg("-o").arg(&program);
    tools::succeed(&mut gcc, "compiling the test of soft-key")?;
    let table = ports.join("tests").join("soft_key.txt");
    let table = std::fs::File::open(&table).map_err(|error| format!("can't read {}: {error}", table.display()))?;
    tools::succeed(Command::new(&program).stdin(table), "soft-key")?;
    for optimized in ["-O1", "-O2", "-Os"] {
        let mut gcc = Command::new("gcc");
        gcc.args(HOST).arg(optimized).arg(ports.join("tests").join("soft_key_wiped.c")).args(["-lpthread", "-o"]);
        tools::succeed(gcc.arg(&program), "compiling the test of what soft-key leaves")?;
        tools::succeed(&mut Command::new(&program), &format!("soft-key, {optimized}: what it leaves on the stack"))?;
    }
    Ok(())
}

/// Builds Zephyr's module with its own CMakeLists.txt, as Zephyr would, and runs the test of it; for how many.
fn try_module(built: &Path, library: &Path) -> Result<usize, Failure> {
    if !tools::answers("cmake") {
        println!("cmake is not installed: the CMakeLists.txt of ports/zephyr was not run");
        return Ok(0);
    }
    let folder = built.join("ready, with spaces");
    install::put(&folder, "unused", &[library.to_owned()], &[])?;
    let option = format!("-DCONFIG_LOCKSTONE_DIRECTORY={}", folder.display());
    let source = root().join("ports").join("tests").join("zephyr");
    let program = install::build_with_cmake(&source, &built.join("module"), &option)?.join("zephyr_module");
    tools::succeed(&mut Command::new(program), "zephyr, as a module")?;
    Ok(1)
}

/// Compiles what a product compiles, with the compiler of each processor; for how many.
fn compile_for_chips(built: &Path) -> Result<usize, Failure> {
    if !tools::answers(library::GCC) {
        println!("{} is not installed: the ports were not compiled for chips", library::GCC);
        return Ok(0);
    }
    for core in &CORES {
        for port in &PORTS {
            for source in Port::paths(port.port).into_iter().chain(Port::paths(&[port.example])) {
                let mut gcc = library::gcc(core, &library::headers());
                port.tell(&mut gcc);
                gcc.arg("-c").arg(&source).arg("-o").arg(built.join("chip.o"));
                tools::succeed(&mut gcc, &format!("compiling {} for {}", source.display(), core.name))?;
            }
        }
    }
    Ok(CORES.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All names in a text that begin so.
    fn names(text: &str, begin: &str) -> BTreeSet<String> {
        let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        let words = text.split(|sign| !is_part(sign)).filter_map(|word| word.strip_prefix(begin));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn read(path: &str) -> String {
        let path = root().join("ports").join("zephyr").join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn every_option_that_is_used_is_declared_and_every_one_declared_is_used() {
        let declared: BTreeSet<_> = read("Kconfig")
            .lines()
            .filter_map(|line| line.strip_prefix("config ").or(line.strip_prefix("menuconfig ")))
            .map(str::to_owned)
            .collect();
        let used: BTreeSet<_> =
            ["CMakeLists.txt", "lockstone_zephyr.c"].iter().flat_map(|file| names(&read(file), "CONFIG_")).collect();
        // Zephyr's own: Kconfig depends on the one, and an error names how to get it.
        let of_zephyr = ["CSPRNG_ENABLED", "ENTROPY_GENERATOR"];
        let used: BTreeSet<_> = used.into_iter().filter(|name| !of_zephyr.contains(&name.as_str())).collect();
        assert_eq!(used, declared);
        let known: BTreeSet<_> = ["FLASH", "FLASH_MAP", "FLASH_PAGE_LAYOUT", "ENTROPY_GENERATOR", "MAIN_STACK_SIZE"]
            .map(str::to_owned)
            .into();
        let unknown: Vec<_> = names(&read("sample/prj.conf"), "CONFIG_")
            .into_iter()
            .filter(|name| !declared.contains(name) && !known.contains(name))
            .collect();
        assert_eq!(unknown, Vec::<String>::new());
    }

    #[test]
    fn what_the_module_names_is_there() {
        assert_eq!(read("zephyr/module.yml"), "name: lockstone\nbuild:\n  cmake: .\n  kconfig: Kconfig\n");
        // West looks for it at the root of a project.
        let of_root = "name: lockstone\nbuild:\n  cmake: ports/zephyr\n  kconfig: ports/zephyr/Kconfig\n";
        assert_eq!(read("../../zephyr/module.yml"), of_root);
        let sources = read("CMakeLists.txt");
        let sources = sources.split_once("zephyr_library_sources(").unwrap().1.split_once(')').unwrap().0;
        assert_eq!(sources.split_whitespace().count(), 2);
        for source in sources.split_whitespace() {
            assert!(root().join("ports").join("zephyr").join(source).is_file(), "{source}");
        }
    }
}
