//! Where the linker finds the map of the machine.

fn main() {
    println!("cargo::rustc-link-search={}", std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rustc-link-arg-bins=-melf32lriscv");
    println!("cargo::rustc-link-arg-bins=-Tvirt.x");
    println!("cargo::rerun-if-changed=virt.x");
}
