//! Figures: what a program measured, held against the bar of its row in firmware/budgets.txt.

use crate::size::{Bars, Budget};

/// A line `# name value unit`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: u64,
    pub(crate) unit: String,
}

impl Figure {
    /// Reads what stands behind the `#`; the name may be several words.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.rsplitn(3, ' ');
        let (unit, value, name) = (words.next()?, words.next()?, words.next()?);
        Some(Self { name: name.replace(' ', "_"), value: value.parse().ok()?, unit: unit.to_owned() })
    }

    /// The most it may be: the bars of its program, and of all programs of its board, in rows `PROGRAM/NAME` and `*/NAME`.
    pub(crate) fn bars(&self, board: &str, program: &str, budgets: &[Budget<'_>]) -> Bars {
        let is_mine = |row: &str| {
            row.split_once('/').is_some_and(|(wanted, name)| name == self.name && (wanted == program || wanted == "*"))
        };
        Bars::of(budgets, |budget| budget.target == board && is_mine(budget.row))
    }

    /// One object.
    pub(crate) fn line(&self, board: &str, program: &str, bars: Bars) -> String {
        let Self { name, value, unit } = self;
        let (met, bar) = (bars.is_met(*value), bars.json());
        format!(r#"{{"name":"firmware/{board}/{program}/{name}","value":{value},"unit":"{unit}",{bar}"met":{met}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::budgets;

    #[test]
    fn the_lowest_bar_of_a_row_counts() {
        let budgets = budgets("microbit */ram 10240\nmicrobit certs/ram 5000\nother */ram 7\n").unwrap();
        let figure = Figure::parse("ram 6000 B").unwrap();
        let put = Figure::parse("put of 32 B 900 instructions").unwrap();
        assert_eq!(figure.bars("microbit", "certs", &budgets), Bars::at(5_000));
        assert_eq!(figure.bars("microbit", "config", &budgets), Bars::at(10_240));
        assert_eq!(figure.bars("lm3s6965evb", "config", &budgets), Bars::default());
        assert_eq!(put.bars("microbit", "certs", &budgets), Bars::default());
    }

    #[test]
    fn a_figure_is_one_object_on_one_line() {
        let figure = Figure::parse("put of 32 B 900 instructions").unwrap();
        assert_eq!(
            figure.line("microbit", "certs", Bars::at(899)),
            r#"{"name":"firmware/microbit/certs/put_of_32_B","value":900,"unit":"instructions","bar":899,"met":false}"#
        );
        assert!(figure.line("microbit", "certs", Bars::default()).ends_with(r#""unit":"instructions","met":true}"#));
        assert_eq!(Figure::parse("many words and no number"), None);
    }
}
