//! Volumes in words: for `volume ls` and `inspect`, so that both say the same.

use lockstone::{VolumeEntry, VolumeKind, VolumeTable};
use serde_json::{Value, json};

/// What a volume is for, in a word.
pub(crate) const fn kind_name(kind: VolumeKind) -> &'static str {
    match kind {
        VolumeKind::Keys => "keys",
        VolumeKind::Objects => "objects",
        VolumeKind::Slot => "slot",
        VolumeKind::Spare => "spare",
    }
}

/// Volumes of the first part and what is free between them, in the order of their places; `None`: free.
pub(crate) fn stretches(table: &VolumeTable, capacity: u32) -> Vec<(Option<VolumeEntry>, u32, u32)> {
    let mut volumes: Vec<_> = table.volumes().iter().copied().filter(|volume| volume.part == 0).collect();
    volumes.sort_by_key(|volume| volume.start);
    let (mut found, mut at) = (Vec::new(), 0);
    for volume in volumes {
        if volume.start > at {
            found.push((None, at, volume.start - at));
        }
        found.push((Some(volume), volume.start, volume.length));
        at = volume.end();
    }
    if capacity > at {
        found.push((None, at, capacity - at));
    }
    found
}

/// One object a volume.
pub(crate) fn as_json(table: &VolumeTable) -> Value {
    let volumes = table.volumes().iter().map(|volume| {
        json!({ "kind": kind_name(volume.kind), "number": volume.number, "part": volume.part, "start": volume.start, "length": volume.length })
    });
    volumes.collect()
}
