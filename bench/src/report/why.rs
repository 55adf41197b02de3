//! Why: of the bars that are missed, what a model says of them, and what reaching them would take.

use crate::bars::Line;
use crate::measure::Sheet;
use crate::model::{miss, passing, pool, ring, two_rings};
use crate::report::grid::number;
use crate::workloads::ASCON;

const SKEW: [(f64, f64); 2] = [(0.05, 0.95), (0.95, 0.05)];

/// A sentence or two for each bar that is missed in this run, as far as there is something to say.
pub fn missed(sheet: &Sheet, lines: &[Line]) -> Vec<String> {
    let mut said: Vec<(String, String)> = Vec::new();
    for line in lines.iter().filter(|line| line.met() == Some(false)) {
        let Some(reason) = reason(sheet, &line.name) else { continue };
        match said.last_mut().filter(|(_, last)| *last == reason) {
            Some((names, _)) => *names += &format!("; {}", line.name),
            None => said.push((line.name.clone(), reason)),
        }
    }
    said.into_iter().map(|(names, reason)| format!("- **{names}**: {reason}")).collect()
}

fn reason(sheet: &Sheet, name: &str) -> Option<String> {
    let read = |task: &str| sheet.find(task, ASCON).map(|figures| figures.tally.bytes_read());
    let programmed = |task: &str| sheet.find(task, ASCON).map(|figures| figures.tally.programmed());
    match name {
        "W1 miss" => Some(format!(
            "of a bucket with more than one record one is read at least. With 100 keys and records of 85 bytes, 20 bytes take {} \
             heads, {} bytes of RAM.",
            number(heads_for(20.0)),
            number(heads_for(20.0) * 8.0)
        )),
        "W1 update read" | "W2 update read" => {
            let workload = name.get(..2)?;
            let (found, written) = (read(&format!("{workload} get"))?, programmed(&format!("{workload} update"))?);
            Some(format!(
                "an update finds what is there ({} bytes for a get in this run) and reads back what it programmed ({}): together \
                 {}; compaction's reading comes on top. The second is what *acknowledged* rests on, and is not given up; the first \
                 shrinks with RAM.",
                number(found),
                number(written),
                number(found + written)
            ))
        }
        "transaction of 8, sealed, write amplification" => {
            let tally = &sheet.find("transaction 8 put", ASCON)?.tally;
            let tags = 7.0 * 16.0 * tally.operations as f64 / tally.payload as f64;
            Some(format!(
                "each of its 8 records has a tag of 16 bytes. If they shared one it would be {}; but then a get of any of them has to \
                 read all that the tag covers, and the bar beside it asks for gets as before.",
                number(tally.amplification() - tags)
            ))
        }
        "usable fill, 32-byte values, sealed, records" => Some(
            "the figure is what a put programs on the average, with its share of headers and lists, times the keys that fit. Of each \
             segment of 4,096 bytes 96 are a header, 156 are set aside for a list, and 160 for the end, which a record of no great \
             length may not fit into; six segments are kept free. Lists that are shorter than what is set aside lower the figure, and not the \
             number of keys."
                .to_owned(),
        ),
        "copy factor, 95/5, 65 % full" => Some(skewed(65)),
        "copy factor, 95/5, 80 % full" => Some(skewed(80)),
        "copy factor, uniform, 80 % full" => Some(
            "a store that is this full begins to compact while there is still room for what all that is live may grow by when it's \
             written again: pointers that old records lack, and other ends of segments \
             ([why](../ARCHITECTURE.md#i-cut-early-dozens-of-times-in-a-row))."
                .to_owned(),
        ),
        _ if name.starts_with("mount,") => Some(
            "a mount reads how each header begins, the newest segment twice and the rest of it once, lists of heads back to those that \
             name all, and eight bytes of the record of each head, for the digest. Zero, as others have it, is paid with the first \
             gets."
                .to_owned(),
        ),
        _ => None,
    }
}

/// Heads with which a miss reads so many bytes, of 100 keys in records of 85 bytes.
fn heads_for(bytes: f64) -> f64 {
    (1..10_000).map(f64::from).find(|heads| miss(100.0, *heads, 85.0) <= bytes).unwrap_or(f64::NAN)
}

fn skewed(percent: u8) -> String {
    let fill = f64::from(percent) / 100.0;
    let (some, many) = (passing(percent.into(), 3), passing(percent.into(), 7));
    let (few, more) = (pool(percent.into(), 3), pool(percent.into(), 6));
    format!(
        "all segments of the log are copied in turn, hot keys or cold, which wears them evenly by construction. The model of a ring \
         says {} at best, {} for two rings, one for the cold ones, which wears those less and less. Played through, a ring that \
         passes over segments full of live records, at most 3 or 7 times in a row, and gives copies segments of their own comes to \
         {} with a spread of {} erases, or {} with {}; the bar for that is 8. A pool, of which any segment may be freed and hot and cold \
         records have segments of their own, comes to {} with a spread of {}, with three segments kept free, as they are here; with the \
         six that this store sets aside for what copies can need more, to {}. It takes a map of segments in RAM, a mount that puts \
         them in order, and tombstones that are copied as long as anything older stands. It is not built.",
        number(ring(fill, &SKEW)),
        number(two_rings(fill, (0.05, 0.95))),
        number(some.factor),
        some.spread,
        number(many.factor),
        many.spread,
        number(few.factor),
        few.spread,
        number(more.factor),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bars;
    use crate::measure::{Figures, Tally};
    use lockstone_sim::Counts;

    #[test]
    fn only_what_is_missed_is_explained() {
        let mut sheet = Sheet::default();
        let figures = |bytes_read| {
            let total = Counts { bytes_read, bytes_programmed: 80, ..Counts::default() };
            Ok(Figures { tally: Tally { operations: 1, total, ..Tally::default() }, ..Figures::default() })
        };
        sheet.push("W1 miss", ASCON, figures(19));
        sheet.push("W1 get", ASCON, figures(87));
        sheet.push("W1 update", ASCON, figures(170));
        let said = missed(&sheet, &bars::lines(&sheet));
        assert!(!said.iter().any(|line| line.contains("W1 miss")));
        let update = said.iter().find(|line| line.contains("W1 update read")).unwrap();
        assert!(update.contains("87 bytes for a get") && update.contains("together 167"), "{update}");
    }

    #[test]
    fn the_models_give_what_the_page_says() {
        assert_eq!(heads_for(20.0), 113.0);
        assert!(skewed(65).contains("says 2.55") && skewed(80).contains("says 4.07"), "{}", skewed(80));
    }
}
