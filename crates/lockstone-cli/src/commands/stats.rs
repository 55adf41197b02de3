//! `stats`: fill and wear in numbers.

use lockstone::Stats;
use serde_json::{Value, json};

use crate::args::Look;
use crate::device::{AnyRam, Config, Device, Purpose, Usage};
use crate::exit::{Exit, Failure};
use crate::terminal::{print, print_json};

pub(super) fn stats(args: &Look) -> Result<(), Failure> {
    let device = Device::find(&args.place.device)?.hold(Purpose::Look)?;
    let config = *device.config();
    let mut memory = AnyRam::new();
    let mut session = device.mount(&mut memory)?;
    let (stats, sound) = (session.stats()?, session.report().is_sound());
    let (objects, failed) = match session.usage() {
        Ok(objects) => (objects, None),
        Err(failure) => (None, Some(failure)),
    };
    if args.json {
        let mut page = as_json(&config, &stats, sound);
        page["objects"] = objects.as_ref().map_or(Value::Null, Usage::as_json);
        print_json(&page)?;
    } else {
        let objects = objects.map_or_else(String::new, |objects| format!("objects    {}\n", objects.as_text()));
        print((as_text(&config, &stats, sound) + &objects).as_bytes())?;
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    if sound {
        return Ok(());
    }
    let failure = Failure::new(Exit::Damaged, "stored content is damaged or forged: keys and fill can't be told");
    Err(failure.hint("`lockstone check DEV` says what is damaged and what can still be read"))
}

fn as_json(config: &Config, stats: &Stats, sound: bool) -> Value {
    json!({
        "suite": config.suite.name(),
        "flash_bytes": config.geometry.flash,
        "block_bytes": config.geometry.block,
        "write_bytes": config.geometry.write,
        "sound": sound,
        "keys": sound.then_some(stats.keys),
        "used_bytes": sound.then_some(stats.used_bytes),
        "capacity_bytes": stats.capacity_bytes,
        "segments": stats.segments,
        "segment_bytes": stats.segment_bytes,
        "log_segments": stats.log_segments,
        "bad_segments": stats.bad_segments,
        "erases_min": stats.erases_min,
        "erases_max": stats.erases_max,
    })
}

fn as_text(config: &Config, stats: &Stats, sound: bool) -> String {
    let known = |number: u64| if sound { number.to_string() } else { "?".to_owned() };
    let percent = u64::from(stats.used_bytes) * 100 / u64::from(stats.capacity_bytes.max(1));
    format!(
        "suite      {}\n\
         flash      {} bytes: {} segments of {}, {} in the log, {} bad\n\
         keys       {}, of all clients\n\
         fill       {} of {} bytes, {} %\n\
         erases     {} to {} a segment\n",
        config.suite.name(),
        config.geometry.flash,
        stats.segments,
        stats.segment_bytes,
        stats.log_segments,
        stats.bad_segments,
        known(stats.keys.into()),
        known(stats.used_bytes.into()),
        stats.capacity_bytes,
        known(percent),
        stats.erases_min,
        stats.erases_max,
    )
}
