//! Figures: what a program measured, held against the bar of its row in firmware/budgets.txt.

use crate::size::Budget;

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

    /// The most it may be: the bar of its program, or of all programs of its board, in rows `PROGRAM/NAME` and `*/NAME`.
    pub(crate) fn bar(&self, board: &str, program: &str, budgets: &[Budget<'_>]) -> Option<u64> {
        let is_mine = |row: &str| {
            row.split_once('/').is_some_and(|(wanted, name)| name == self.name && (wanted == program || wanted == "*"))
        };
        budgets.iter().filter(|(wanted, row, _)| *wanted == board && is_mine(row)).map(|(.., most)| *most).min()
    }

    /// One object.
    pub(crate) fn line(&self, board: &str, program: &str, bar: Option<u64>) -> String {
        let Self { name, value, unit } = self;
        let met = bar.is_none_or(|bar| *value <= bar);
        let bar = bar.map_or(String::new(), |bar| format!(r#""bar":{bar},"#));
        format!(r#"{{"name":"firmware/{board}/{program}/{name}","value":{value},"unit":"{unit}",{bar}"met":{met}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bar_of_a_row_counts() {
        let budgets = [("microbit", "*/ram", 10_240), ("microbit", "certs/ram", 5_000), ("other", "*/ram", 7)];
        let figure = Figure::parse("ram 6000 B").unwrap();
        assert_eq!(figure.bar("microbit", "certs", &budgets), Some(5_000));
        assert_eq!(figure.bar("microbit", "config", &budgets), Some(10_240));
        assert_eq!(figure.bar("lm3s6965evb", "config", &budgets), None);
        assert_eq!(Figure::parse("put of 32 B 900 instructions").unwrap().bar("microbit", "certs", &budgets), None);
    }

    #[test]
    fn a_figure_is_one_object_on_one_line() {
        let figure = Figure::parse("put of 32 B 900 instructions").unwrap();
        assert_eq!(
            figure.line("microbit", "certs", Some(899)),
            r#"{"name":"firmware/microbit/certs/put_of_32_B","value":900,"unit":"instructions","bar":899,"met":false}"#
        );
        assert!(figure.line("microbit", "certs", None).ends_with(r#""unit":"instructions","met":true}"#));
        assert_eq!(Figure::parse("many words and no number"), None);
    }
}
