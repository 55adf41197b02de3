//! Everything that was measured, as a table for terminals, and as lines without bars.

use crate::bars::Line;
use crate::measure::{Figures, Row, Sheet};
use crate::report::grid::{Grid, number};
use crate::stores::{Contender, Suite};

/// The bars and what was reached.
#[must_use]
pub fn bars(lines: &[Line]) -> Grid {
    let mut grid = Grid::new(["", "ours", "best peer", "who", "ratio", "bar", "met"]);
    for line in lines {
        let unit = |text: String| if line.unit.is_empty() { text } else { format!("{text} {}", line.unit) };
        let (peer, who) = line
            .peer
            .as_ref()
            .map_or((String::new(), String::new()), |(name, value)| (unit(number(*value)), name.clone()));
        let bar = line.bar.map_or(String::new(), |bar| {
            format!("{} {}", if line.more_is_better { ">=" } else { "<=" }, unit(number(bar)))
        });
        grid.push(vec![
            line.name.clone(),
            line.value.map_or("none".to_owned(), |value| unit(number(value))),
            peer,
            who,
            line.ratio().map_or(String::new(), number),
            bar,
            line.met().map_or(String::new(), |met| if met { "yes" } else { "no" }.to_owned()),
        ]);
    }
    grid
}

/// Every row. Figures are of one operation; time is over that of Lockstone `plain` in the same task.
#[must_use]
pub fn rows(sheet: &Sheet) -> Grid {
    let mut grid = Grid::new([
        "task, store",
        "read B",
        "calls",
        "worst B",
        "worst calls",
        "programmed B",
        "WA",
        "worst B",
        "erases",
        "worst",
        "wear",
        "RAM",
        "time",
        "figure",
    ]);
    for row in &sheet.rows {
        grid.push(cells(sheet, row));
    }
    grid
}

fn cells(sheet: &Sheet, row: &Row) -> Vec<String> {
    let name = format!("{}, {}", row.task, row.contender.name());
    let figures = match &row.outcome {
        Ok(figures) => figures,
        Err(failure) => return vec![name, failure.to_string()],
    };
    let tally = &figures.tally;
    let written = tally.total.programs > 0;
    let on = |shown: bool, text: String| if shown { text } else { String::new() };
    vec![
        name,
        number(tally.bytes_read()),
        number(tally.reads()),
        number(tally.worst.bytes_read as f64),
        number(tally.worst.reads as f64),
        on(written, number(tally.per(tally.total.bytes_programmed))),
        on(written, number(tally.amplification())),
        on(written, number(tally.worst.bytes_programmed as f64)),
        on(written, number(tally.per(tally.total.erases))),
        on(written, number(tally.worst.erases as f64)),
        format!("{}..{}", figures.wear.0, figures.wear.1),
        number(figures.ram as f64),
        time_ratio(sheet, row).map_or(String::new(), number),
        number(figures.derived),
    ]
}

/// Time of one operation on this host over that of Lockstone `plain` with the most RAM that ran the same task.
#[must_use]
pub fn time_ratio(sheet: &Sheet, row: &Row) -> Option<f64> {
    let plain = sheet.of(&row.task).filter(|(contender, _)| matches!(contender, Contender::Lockstone(Suite::Plain, _)));
    let base = plain.max_by_key(|(_, figures)| figures.ram).map(|(_, figures)| seconds(figures))?;
    let ratio = seconds(row.outcome.as_ref().ok()?) / base;
    ratio.is_finite().then_some(ratio)
}

fn seconds(figures: &Figures) -> f64 {
    figures.tally.time.as_secs_f64() / figures.tally.operations as f64
}

type Metric = (&'static str, &'static str, fn(&Figures) -> f64);

/// What is said of tasks that write, and of others.
const READING: [Metric; 3] = [
    ("bytes read", "B", |figures| figures.tally.bytes_read()),
    ("read calls", "", |figures| figures.tally.reads()),
    ("worst read calls", "", |figures| figures.tally.worst.reads as f64),
];
const WRITING: [Metric; 4] = [
    ("bytes programmed", "B", |figures| figures.tally.per(figures.tally.total.bytes_programmed)),
    ("write amplification", "", |figures| figures.tally.amplification()),
    ("erases", "", |figures| figures.tally.per(figures.tally.total.erases)),
    ("worst bytes programmed", "B", |figures| figures.tally.worst.bytes_programmed as f64),
];

/// A line for each figure of each task of each of our stores, beside the best peer's; none has a bar.
#[must_use]
pub fn lines(sheet: &Sheet) -> Vec<Line> {
    let mut lines = Vec::new();
    let ours = sheet.rows.iter().filter(|row| row.contender.is_ours());
    for row in ours {
        let Ok(figures) = &row.outcome else { continue };
        let writing = if figures.tally.total.programs > 0 { &WRITING[..] } else { &[] };
        for (metric, unit, figure) in READING.iter().chain(writing) {
            let peers = sheet.of(&row.task).filter(|(contender, _)| !contender.is_ours());
            let peers = peers.map(|(contender, figures)| (contender.name(), figure(figures)));
            lines.push(Line {
                name: format!("{}, {}: {metric}", row.task, row.contender.name()),
                unit,
                value: Some(figure(figures)),
                peer: peers.min_by(|a, b| a.1.total_cmp(&b.1)),
                bar: None,
                more_is_better: false,
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Tally;
    use crate::stores::Failure;
    use crate::workloads::PLAIN;

    #[test]
    fn what_failed_has_a_row_that_says_so() {
        let mut sheet = Sheet::default();
        sheet.push("W1", Contender::Ekv, Err(Failure::Full));
        let text = rows(&sheet).text();
        assert!(text.contains("W1, ekv") && text.contains("full"));
    }

    #[test]
    fn our_figures_have_lines_beside_the_best_peer() {
        let figures = |bytes| {
            let total = lockstone_sim::Counts { reads: 1, bytes_read: bytes, ..Default::default() };
            Figures { tally: Tally { operations: 1, total, ..Tally::default() }, ..Figures::default() }
        };
        let mut sheet = Sheet::default();
        sheet.push("W1 get", PLAIN, Ok(figures(70)));
        sheet.push("W1 get", Contender::Ekv, Ok(figures(700)));
        let lines = lines(&sheet);
        assert_eq!(lines.len(), READING.len());
        assert_eq!(lines[0].name, "W1 get, lockstone plain 4k: bytes read");
        assert_eq!((lines[0].ratio(), lines[0].met()), (Some(0.1), None));
    }
}
