//! `check`: everything is read, and what was found is said in sentences. Writes nothing.

use lockstone::{CounterState, Key, Position, Report, Stats};
use serde_json::json;

use super::{how_low, names, read_value};
use crate::args::Look;
use crate::device::{AnyRam, Device, HEADS, Purpose, Session};
use crate::exit::{Exit, Failure};
use crate::findings::{Class, Finding, of_counter, of_report, of_segment};
use crate::standing::Standing;
use crate::terminal::{bar, counted, escaped, print, print_json};

/// What a check found.
struct Findings {
    report: Report,
    stats: Stats,
    client: u32,
    /// Keys of the client that read well.
    good: u32,
    /// Names that are there and can't be answered for.
    damaged: Vec<String>,
    /// How often the listing itself met damage: names may be missing.
    gaps: u32,
    /// Names of objects that were begun and not finished.
    unfinished: Vec<String>,
    /// Why the volume for objects can't be used, if so.
    volume: Option<String>,
    /// Slots that don't hold what the store says.
    slots: Vec<u8>,
    /// Segments that hold what the log does not need, though it's written like it.
    odd: Vec<Finding>,
    counter: CounterState,
    standing: Standing,
    /// How often a roll-back was accepted, if that can be read.
    accepted: Option<u32>,
}

pub(super) fn check(args: &Look) -> Result<(), Failure> {
    let device = Device::find(&args.place.device)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let mut session = match device.mount_even_rolled_back(&mut memory) {
        Ok(session) => session,
        Err(failure) => {
            if args.json {
                print_json(&json!({ "sound": false, "mounted": false, "reason": failure.sentence() }))?;
            }
            return Err(failure);
        }
    };
    let findings = look(&mut session, args.place.client)?;
    if args.json {
        print_json(&findings.as_json())?
    } else {
        print(findings.as_text().as_bytes())?
    }
    match findings.is_sound() {
        true => Ok(()),
        false if findings.standing.rolled_back => Err(findings.standing.failure_in_short()),
        false => Err(Failure::new(Exit::Damaged, "the device is damaged or forged")),
    }
}

/// Whether the device is sound, as `check` finds it with client 0: for tests.
#[cfg(test)]
pub(crate) fn check_device(path: &std::path::Path) -> Result<bool, Failure> {
    let device = Device::find(path)?.hold(Purpose::Look)?;
    let mut memory = AnyRam::new();
    let findings = look(&mut device.mount_even_rolled_back(&mut memory)?, 0)?;
    assert!(findings.is_sound() || findings.as_text().contains("DAMAGED"));
    Ok(findings.is_sound())
}

fn look(session: &mut Session<'_>, client: u32) -> Result<Findings, Failure> {
    let (report, stats) = (*session.report(), session.stats()?);
    let (names, gaps) = names(session, client, b"")?;
    let (mut good, mut damaged) = (0, Vec::new());
    let bar = bar(true, names.len() as u64, "reading");
    for name in &names {
        match read_value(session, Key::new(name).of_client(client), |_, _| {}) {
            Ok(Some(_)) => good += 1,
            Ok(None) => damaged.push(escaped(name)),
            Err(failure) if failure.exit == Exit::Damaged => damaged.push(escaped(name)),
            Err(failure) => return Err(failure),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut odd = Vec::new();
    for physical in 0..stats.segments {
        let view = session.look(physical)?;
        odd.extend(of_segment(physical, view.state, view.signposts_broken));
    }
    let (unfinished, volume) = look_at_objects(session, client)?;
    let slots = damaged_slots(session)?;
    let (counter, standing, accepted) = (session.counter(), session.standing(), session.rollbacks_accepted().ok());
    Ok(Findings {
        report,
        stats,
        client,
        good,
        damaged,
        gaps,
        unfinished,
        volume,
        slots,
        odd,
        counter,
        standing,
        accepted,
    })
}

/// The slots that don't hold what the store says, though they should.
fn damaged_slots(session: &mut Session<'_>) -> Result<Vec<u8>, Failure> {
    match super::slots(session) {
        Ok(lines) => Ok(lines.iter().filter(|line| line.is_damaged()).map(|line| line.number).collect()),
        // Then the look at the objects met the same.
        Err(failure) if failure.exit == Exit::Damaged => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// The names of unfinished objects, and why the volume for objects can't be used, if so.
fn look_at_objects(session: &mut Session<'_>, client: u32) -> Result<(Vec<String>, Option<String>), Failure> {
    // Damage that hides the volume table is in the report of the mount.
    let known = match session.volumes() {
        Err(failure) if failure.exit != Exit::Damaged => return Err(failure),
        volumes => volumes.is_ok(),
    };
    if !known || !session.has_volume() {
        return Ok((Vec::new(), None));
    }
    let found = session.object_layout().map(|_| session.unfinished());
    match found {
        Err(failure) if failure.exit == Exit::Damaged => Ok((Vec::new(), Some(failure.sentence().to_owned()))),
        Err(failure) => Err(failure),
        // Then the listing of names met the same damage.
        Ok(Err(failure)) if failure.exit == Exit::Damaged => Ok((Vec::new(), None)),
        Ok(unfinished) => {
            let own = unfinished?.into_iter().filter(|entry| entry.client == client);
            Ok((own.map(|entry| escaped(&entry.name)).collect(), None))
        }
    }
}

impl Findings {
    fn is_sound(&self) -> bool {
        self.report.is_sound() && !self.findings().iter().any(|finding| finding.class.is_damage())
    }

    /// Keys of other clients, which this check did not read.
    fn others(&self) -> u32 {
        let seen = self.good.saturating_add(u32::try_from(self.damaged.len()).unwrap_or(u32::MAX));
        if self.gaps > 0 { 0 } else { self.stats.keys.saturating_sub(seen) }
    }

    fn as_json(&self) -> serde_json::Value {
        let report = &self.report;
        let doubt = report.doubt.map(|at| json!({ "segment": self.segment(at.sequence), "offset": at.offset }));
        json!({
            "sound": self.is_sound(),
            "mounted": true,
            "clean": report.clean,
            "records": report.records,
            "damaged_records": report.damaged_records,
            "damaged_headers": report.damaged_headers,
            "torn_bytes": report.torn_bytes,
            "unfinished_runs": report.unfinished_runs,
            "doubt": doubt,
            "client": self.client,
            "keys_good": self.good,
            "keys_damaged": self.damaged,
            "listing_gaps": self.gaps,
            "keys_of_others": self.others(),
            "rolled_back": report.rolled_back,
            "rollbacks_accepted": self.accepted,
            "counter": self.standing.as_json(),
            "findings": self.findings().iter().map(Finding::as_json).collect::<Vec<_>>(),
        })
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = of_counter(&self.standing, self.accepted);
        if self.counter.low {
            findings.push(Finding::new(Class::CounterLow, how_low(self.counter)));
        }
        let place = |at: Position| format!("segment {}, byte {}", self.segment(at.sequence), at.offset);
        findings.extend(of_report(&self.report, place));
        findings.extend(self.odd.iter().cloned());
        findings.extend(self.volume.iter().map(|why| Finding::new(Class::ForeignVolume, why.clone())));
        for number in &self.slots {
            let sentence = format!("slot {number} does not hold what the store says");
            findings.push(Finding::new(Class::DamagedSlot, sentence));
        }
        for name in &self.unfinished {
            let sentence = format!("object {name} was begun and not finished");
            findings.push(Finding::new(Class::UnfinishedObject, sentence));
        }
        for name in &self.damaged {
            let sentence = format!("key {name} can't be answered for: its content is damaged, forged or in doubt");
            findings.push(Finding::new(Class::DamagedKey, sentence));
        }
        if self.gaps > 0 {
            let sentence = if self.gaps as usize >= HEADS {
                "no name can be listed: the damage may hide any of them".to_owned()
            } else {
                format!("{} of the index can't be listed: names may be missing here", counted(self.gaps, "part"))
            };
            findings.push(Finding::new(Class::ListingGap, sentence));
        }
        findings
    }

    fn as_text(&self) -> String {
        let mut text = String::new();
        if self.report.clean {
            text.push_str("The store was closed in order.\n");
        }
        text.push_str(&format!("{} of the log read well.\n", counted(self.report.records, "record")));
        text.push_str(&format!("{} of client {} read well.\n", counted(self.good, "key"), self.client));
        if self.others() > 0 {
            let others = counted(self.others(), "key");
            text.push_str(&format!("{others} of other clients: read them with --client N.\n"));
        }
        self.findings().iter().for_each(|finding| text.push_str(&finding.as_text()));
        if self.is_sound() {
            text.push_str("Nothing is damaged.\n");
        }
        text
    }

    /// Physical segment of a sequence number.
    fn segment(&self, sequence: u32) -> u32 {
        sequence % self.stats.segments.max(1)
    }
}
