//! Fuzz targets: those of `lockstone-torture`, and one for what the command line itself parses.

use lockstone_torture::Tale;
use lockstone_torture::fuzz::{TARGETS, Target};
use lockstone_torture::replay::Image;

use crate::device::Config;

/// `device.toml`, written by anybody.
pub const DEVICE_TOML: Target =
    Target { name: "device_toml", about: "the configuration of a device directory", body: device_toml };

/// Every target.
#[must_use]
pub fn targets() -> Vec<&'static Target> {
    TARGETS.iter().copied().chain([&DEVICE_TOML]).collect()
}

/// What is accepted describes a possible flash, and is read back as it was written.
fn device_toml(input: &[u8], tale: &Tale, _: &mut Option<Image>) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let parsed = Config::parse(&text);
    tale.note(|| format!("{parsed:?}"));
    let Ok(config) = parsed else { return Ok(()) };
    config.geometry.check().map_err(str::to_owned)?;
    let again = config.to_text().and_then(|text| Config::parse(&text)).map_err(|failure| failure.to_string())?;
    if again == config { Ok(()) } else { Err(format!("written and read back as {again:?}")) }
}
