//! `check`: everything is read, and what was found is said in sentences. Writes nothing.

use lockstone::{Error, Key, Report, Stats};
use serde_json::json;

use super::{names, read_value};
use crate::args::Look;
use crate::device::{Device, Purpose, Ram, Session};
use crate::exit::{Exit, Failure};
use crate::terminal::{bar, counted, escaped, print, print_json};

const WHAT_TO_DO: &str = "\
What to do: keep a copy of flash.bin, `lockstone get` what can still be read, and put it on a new device.\n";

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
}

pub(super) fn check(args: &Look) -> Result<(), Failure> {
    let device = Device::find(&args.place.device)?.hold(Purpose::Look)?;
    let mut memory = Box::new(Ram::new());
    let mut session = match device.mount(&mut memory) {
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
    if findings.is_sound() { Ok(()) } else { Err(Failure::new(Exit::Damaged, "the device is damaged or forged")) }
}

fn look(session: &mut Session<'_>, client: u32) -> Result<Findings, Failure> {
    let (report, stats) = (*session.report(), session.stats()?);
    let (names, gaps) = names(session, client, b"")?;
    let (mut good, mut damaged) = (0, Vec::new());
    let bar = bar(true, names.len() as u64, "reading");
    for name in &names {
        match read_value(session, Key::new(name).of_client(client), |_, _| {}) {
            Ok(Some(_)) => good += 1,
            Ok(None) | Err(Error::Damaged) => damaged.push(escaped(name)),
            Err(error) => return Err(error.into()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Findings { report, stats, client, good, damaged, gaps })
}

impl Findings {
    fn is_sound(&self) -> bool {
        self.report.is_sound() && self.damaged.is_empty() && self.gaps == 0
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
        })
    }

    fn as_text(&self) -> String {
        let mut text = self.about_the_log();
        text.push_str(&self.about_the_keys());
        text.push_str(if self.is_sound() { "Nothing is damaged.\n" } else { WHAT_TO_DO });
        text
    }

    fn about_the_log(&self) -> String {
        let report = &self.report;
        let mut lines = vec![match (report.clean, report.torn_bytes) {
            (true, _) => "The store was closed in order.".to_owned(),
            (false, 0) => "The store was not closed in order: a process was killed or power was cut.".to_owned(),
            (false, torn) => {
                format!(
                    "A process was killed or power was cut; {} of an unfinished write are ignored.",
                    counted(torn, "byte")
                )
            }
        }];
        lines.push(format!("{} of the log read well.", counted(report.records, "record")));
        if report.unfinished_runs > 0 {
            let groups = counted(report.unfinished_runs, "group");
            lines.push(format!("{groups} of records never became whole and don't count: writes that were cut."));
        }
        if report.damaged_records > 0 {
            let places = counted(report.damaged_records, "record");
            lines.push(format!("DAMAGED: {places} can't be read, though something was written later."));
        }
        if report.damaged_headers > 0 {
            let headers = counted(report.damaged_headers, "segment header");
            lines.push(format!("DAMAGED: {headers} can't be read, though needed."));
        }
        if let Some(at) = report.doubt {
            let place = format!("segment {}, byte {}", self.segment(at.sequence), at.offset);
            lines
                .push(format!("IN DOUBT: damage at {place} may hide the newest state of keys last written before it."));
            lines.push("Those keys are refused, and so is every write; newer keys are served.".to_owned());
        }
        lines.join("\n") + "\n"
    }

    fn about_the_keys(&self) -> String {
        let mut lines = Vec::new();
        for name in &self.damaged {
            lines.push(format!(
                "DAMAGED: key {name} can't be answered for: its content is damaged, forged or in doubt."
            ));
        }
        if self.gaps > 0 {
            let gaps = counted(self.gaps, "part");
            lines.push(format!("DAMAGED: {gaps} of the index can't be listed: names may be missing here."));
        }
        lines.push(format!("{} of client {} read well.", counted(self.good, "key"), self.client));
        if self.others() > 0 {
            lines.push(format!("{} of other clients: read them with --client N.", counted(self.others(), "key")));
        }
        lines.join("\n") + "\n"
    }

    /// Physical segment of a sequence number.
    fn segment(&self, sequence: u32) -> u32 {
        sequence % self.stats.segments.max(1)
    }
}
