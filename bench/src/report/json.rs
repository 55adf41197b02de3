//! One object a line: `name`, `value`, `unit`, `peer` (the best one's figure and which), `ratio`, `bar`, `met`.
//!
//! First the bars, then a line for every figure of every task of ours, with no bar. What was not measured is `null`.

use std::fmt::Write as _;

use crate::bars::Line;

/// The line of one figure.
#[must_use]
pub fn line(line: &Line) -> String {
    let mut text = String::new();
    let _ = write!(text, r#"{{"name":{},"value":{}"#, quoted(&line.name), number(line.value));
    let _ = write!(text, r#","unit":{}"#, quoted(line.unit));
    match &line.peer {
        Some((name, value)) => {
            let _ = write!(text, r#","peer":{{"name":{},"value":{}}}"#, quoted(name), number(Some(*value)));
        }
        None => text.push_str(r#","peer":null"#),
    }
    let _ = write!(text, r#","ratio":{},"bar":{}"#, number(line.ratio()), number(line.bar));
    let met = line.met().map_or("null", |met| if met { "true" } else { "false" });
    let _ = write!(text, r#","met":{met}}}"#);
    text
}

/// Four digits behind the point at most.
fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => "null".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Line {
        Line {
            name: "W1 get".to_owned(),
            unit: "B",
            value: Some(90.5),
            peer: Some(("ekv".to_owned(), 3_620.0)),
            bar: Some(90.0),
            more_is_better: false,
        }
    }

    #[test]
    fn a_line_is_one_object() {
        assert_eq!(
            line(&sample()),
            r#"{"name":"W1 get","value":90.5,"unit":"B","peer":{"name":"ekv","value":3620},"ratio":0.025,"bar":90,"met":false}"#
        );
    }

    #[test]
    fn what_is_not_known_is_null() {
        let unknown = Line { value: None, peer: None, bar: None, ..sample() };
        assert_eq!(
            line(&unknown),
            r#"{"name":"W1 get","value":null,"unit":"B","peer":null,"ratio":null,"bar":null,"met":null}"#
        );
        let zero = Line { peer: Some(("esp-nvs".to_owned(), 0.0)), ..sample() };
        assert!(line(&zero).contains(r#""ratio":null"#));
    }

    #[test]
    fn numbers_are_short_and_names_are_escaped() {
        assert_eq!([1.0, 0.12345, 100.0].map(|value| number(Some(value))), ["1", "0.1235", "100"]);
        assert_eq!(number(Some(f64::NAN)), "null");
        assert_eq!(quoted("a \"b\" \\ \n"), r#""a \"b\" \\ \u000a""#);
    }
}
