//! A table of text, for terminals and for Markdown.

use std::fmt::Write as _;

/// A header and rows of as many cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// An empty table with these columns.
    pub fn new<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing are empty.
    pub fn push(&mut self, mut row: Vec<String>) {
        row.resize(self.header.len(), String::new());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// In columns: the first to the left, the others to the right.
    #[must_use]
    pub fn text(&self) -> String {
        let mut widths: Vec<usize> = self.header.iter().map(|cell| cell.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = if index == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// As Markdown has it.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&self.header);
        let rules = (0..self.header.len()).map(|index| if index == 0 { "---" } else { "---:" });
        let _ = writeln!(text, "|{}|", rules.collect::<Vec<_>>().join("|"));
        text.extend(self.rows.iter().map(|row| line(row)));
        text
    }
}

/// A number for people: three digits or so, thousands apart.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut apart = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && digit.is_ascii_digit() && !apart.ends_with('-') {
            apart.push(',');
        }
        apart.push(digit);
    }
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { apart } else { format!("{apart}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 0.0182, 1.5, 19.52, 262_144.0, 1_234.6, -1_234.0, f64::NAN].map(number);
        assert_eq!(numbers, ["0", "0.0182", "1.5", "19.5", "262,144", "1,235", "-1,234", ""]);
    }

    #[test]
    fn a_grid_is_text_and_markdown() {
        let mut grid = Grid::new(["store", "B"]);
        grid.push(vec!["ekv".to_owned(), "12".to_owned()]);
        grid.push(vec!["none".to_owned()]);
        assert_eq!(grid.text(), "store   B\nekv    12\nnone\n");
        assert_eq!(grid.markdown(), "| store | B |\n|---|---:|\n| ekv | 12 |\n| none |  |\n");
    }
}
