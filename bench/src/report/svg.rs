//! Charts as SVG, written by hand: bars, lines, dots and ranges over one axis that is linear or logarithmic.
//!
//! ```text
//! title
//! note
//!            ┌───────────────────────┐
//! names      │ plot                  │ legend (lines and dots)
//!            └───────────────────────┘
//!              ticks, title of the axis
//! ```
//!
//! All text is text, the ground is white, and a store has the same colour in every chart.

use std::fmt::Write as _;

use crate::report::grid::number;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 66.0;
const ROW: f64 = 24.0;

/// Text and colour of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Colour as CSS has it.
    pub colour: &'static str,
    /// Thicker, in front.
    pub strong: bool,
    /// A value for each category; none where there was no figure.
    pub values: Vec<Option<f64>>,
}

/// What every chart has.
#[derive(Clone, Copy, Debug)]
pub struct Titles<'t> {
    /// What is shown.
    pub title: &'t str,
    /// What must be known to read it.
    pub note: &'t str,
    /// The axis of values, with its unit.
    pub axis: &'t str,
}

/// An axis from a lowest to a highest value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// Logarithmic, over whole decades.
    fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = bounds(values.filter(|value| *value > 0.0));
        let low = 10_f64.powf(low.log10().floor());
        let high = 10_f64.powf(high.log10().ceil()).max(low * 10.0);
        Self { low, high, log: true }
    }

    /// From 0.
    fn linear(values: impl Iterator<Item = f64>) -> Self {
        let (_, high) = bounds(values);
        let step = step(high);
        Self { low: 0.0, high: (high / step).ceil().max(1.0) * step, log: false }
    }

    /// 0 at the lowest value, 1 at the highest.
    fn place(self, value: f64) -> f64 {
        let place = if self.log {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }

    fn ticks(self) -> Vec<f64> {
        if self.log {
            let decades = (self.high / self.low).log10().round();
            return (0..20)
                .map(f64::from)
                .take_while(|power| *power <= decades)
                .map(|power| self.low * 10_f64.powf(power))
                .collect();
        }
        let step = step(self.high);
        (0..20).map(|index| f64::from(index) * step).take_while(|tick| *tick <= self.high * 1.001).collect()
    }
}

/// A round step that divides up to a value into some five parts.
fn step(high: f64) -> f64 {
    let rough = (high / 5.0).max(1e-9);
    let decade = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * decade).into_iter().find(|step| *step >= rough).unwrap_or(rough)
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high { (1.0, 10.0) } else { (low, high) }
}

/// The picture as it grows.
struct Canvas {
    body: String,
    height: f64,
}

impl Canvas {
    fn new(titles: Titles<'_>, height: f64) -> Self {
        let mut canvas = Self { body: String::new(), height };
        canvas.text(16.0, 28.0, "start", "bold 17px", titles.title);
        canvas.text(16.0, 48.0, "start", "12px", titles.note);
        canvas
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, font: &str, text: &str) {
        let (weight, size) = font.split_once(' ').unwrap_or(("normal", font));
        let _ = writeln!(
            self.body,
            r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}" fill="#222">{}</text>"##,
            escaped(text)
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let _ = writeln!(
            self.body,
            r#"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="{colour}" stroke-width="{width}"/>"#,
            from.0, from.1, to.0, to.1
        );
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, colour: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" fill="{colour}"/>"#,
            width.max(1.5),
            ROW * 0.66
        );
    }

    fn dot(&mut self, x: f64, y: f64, series: &Series) {
        let radius = if series.strong { 5.5 } else { 4.5 };
        let _ = writeln!(
            self.body,
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{}" stroke="#fff" stroke-width="1"/>"##,
            series.colour
        );
    }

    /// Ticks and lines of an axis that runs to the right.
    fn ground(&mut self, axis: Axis, right: f64, bottom: f64, title: &str) {
        for tick in axis.ticks() {
            let x = LEFT + axis.place(tick) * (right - LEFT);
            self.line((x, TOP), (x, bottom), "#ddd", 1.0);
            self.text(x, bottom + 16.0, "middle", "11px", &number(tick));
        }
        self.text(f64::midpoint(LEFT, right), bottom + 36.0, "middle", "12px", title);
    }

    fn legend(&mut self, series: &[Series], x: f64) {
        for (index, series) in series.iter().enumerate() {
            let y = TOP + 10.0 + index as f64 * 20.0;
            self.dot(x, y - 4.0, series);
            self.text(x + 12.0, y, "start", if series.strong { "bold 12px" } else { "12px" }, &series.name);
        }
    }

    fn finish(self) -> String {
        let Self { body, height } = self;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" width="{WIDTH}" height="{height:.0}" font-family="Helvetica, Arial, sans-serif">
<rect width="100%" height="100%" fill="#fff"/>
{body}</svg>
"##
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Horizontal bars, one for each series that has a figure; the shortest is best. Zero is said, not drawn.
#[must_use]
pub fn bars(titles: Titles<'_>, series: &[Series], log: bool) -> String {
    let shown: Vec<(&Series, f64)> = series.iter().filter_map(|series| Some((series, value_of(series, 0)?))).collect();
    let values = shown.iter().map(|(_, value)| *value);
    let axis = if log { Axis::logarithmic(values) } else { Axis::linear(values) };
    let bottom = TOP + shown.len() as f64 * ROW + 4.0;
    let right = WIDTH - RIGHT - 60.0;
    let mut canvas = Canvas::new(titles, bottom + 50.0);
    canvas.ground(axis, right, bottom, titles.axis);
    for (index, (series, value)) in shown.into_iter().enumerate() {
        let y = TOP + index as f64 * ROW + 4.0;
        let font = if series.strong { "bold 12px" } else { "12px" };
        canvas.text(LEFT - 8.0, y + 12.0, "end", font, &series.name);
        let width = axis.place(value) * (right - LEFT);
        if value > 0.0 {
            canvas.bar(LEFT, y, width, series.colour);
        }
        let width = if value > 0.0 { width.max(1.5) } else { 0.0 };
        canvas.text(LEFT + width + 5.0, y + 12.0, "start", font, &number(value));
    }
    canvas.finish()
}

/// Horizontal ranges from a first to a second value.
#[must_use]
pub fn ranges(titles: Titles<'_>, series: &[Series]) -> String {
    let shown: Vec<(&Series, f64, f64)> =
        series.iter().filter_map(|series| Some((series, value_of(series, 0)?, value_of(series, 1)?))).collect();
    // Never erased is left of once.
    let axis = Axis::logarithmic(shown.iter().flat_map(|(_, low, high)| [low.max(0.5), high.max(0.5)]));
    let bottom = TOP + shown.len() as f64 * ROW + 4.0;
    let right = WIDTH - RIGHT - 100.0;
    let mut canvas = Canvas::new(titles, bottom + 50.0);
    canvas.ground(axis, right, bottom, titles.axis);
    for (index, (series, low, high)) in shown.into_iter().enumerate() {
        let y = TOP + index as f64 * ROW + 4.0;
        let font = if series.strong { "bold 12px" } else { "12px" };
        canvas.text(LEFT - 8.0, y + 12.0, "end", font, &series.name);
        let [from, to] = [low, high].map(|value| LEFT + axis.place(value) * (right - LEFT));
        canvas.bar(from, y, (to - from).max(4.0), series.colour);
        let label = format!("{} to {}", number(low), number(high));
        canvas.text(from + (to - from).max(4.0) + 5.0, y + 12.0, "start", font, &label);
    }
    canvas.finish()
}

/// Rows of categories, a dot for each series.
#[must_use]
pub fn dots(titles: Titles<'_>, categories: &[String], series: &[Series]) -> String {
    let axis = Axis::logarithmic(series.iter().flat_map(|series| series.values.iter().flatten().copied()));
    let row = 44.0;
    let bottom = TOP + (categories.len() as f64 * row).max(series.len() as f64 * 20.0);
    let right = WIDTH - 220.0;
    let mut canvas = Canvas::new(titles, bottom + 50.0);
    canvas.ground(axis, right, bottom, titles.axis);
    for (index, category) in categories.iter().enumerate() {
        let y = TOP + (index as f64 + 0.5) * row;
        canvas.line((LEFT, y), (right, y), "#eee", 1.0);
        canvas.text(LEFT - 8.0, y + 4.0, "end", "12px", category);
        for series in in_front_last(series) {
            if let Some(value) = value_of(series, index) {
                canvas.dot(LEFT + axis.place(value) * (right - LEFT), y, series);
            }
        }
    }
    canvas.legend(series, right + 24.0);
    canvas.finish()
}

/// Lines over categories, evenly apart from left to right.
#[must_use]
pub fn lines(titles: Titles<'_>, below: &str, categories: &[String], series: &[Series], log: bool) -> String {
    let values = series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let axis = if log { Axis::logarithmic(values) } else { Axis::linear(values) };
    // The title of the axis stands above it, below the note.
    let (left, right, top, bottom) = (80.0, WIDTH - 220.0, TOP + 16.0, TOP + 296.0);
    let mut canvas = Canvas::new(titles, bottom + 54.0);
    let height = |value: f64| bottom - axis.place(value) * (bottom - top);
    let across = |index: usize| left + (right - left) * (index as f64 + 0.5) / categories.len() as f64;
    for tick in axis.ticks() {
        canvas.line((left, height(tick)), (right, height(tick)), "#ddd", 1.0);
        canvas.text(left - 6.0, height(tick) + 4.0, "end", "11px", &number(tick));
    }
    canvas.text(16.0, top - 12.0, "start", "12px", titles.axis);
    for (index, category) in categories.iter().enumerate() {
        canvas.text(across(index), bottom + 16.0, "middle", "11px", category);
    }
    canvas.text(f64::midpoint(left, right), bottom + 36.0, "middle", "12px", below);
    for series in in_front_last(series) {
        let points: Vec<(f64, f64)> = (0..categories.len())
            .filter_map(|index| Some((index, value_of(series, index)?)))
            // There is no zero on a logarithmic axis.
            .filter(|(_, value)| !log || *value > 0.0)
            .map(|(index, value)| (across(index), height(value)))
            .collect();
        let width = if series.strong { 3.0 } else { 1.6 };
        points.windows(2).for_each(|pair| canvas.line(pair[0], pair[1], series.colour, width));
        points.iter().for_each(|point| canvas.dot(point.0, point.1, series));
    }
    canvas.legend(series, right + 24.0);
    canvas.finish()
}

fn value_of(series: &Series, index: usize) -> Option<f64> {
    series.values.get(index).copied().flatten().filter(|value| value.is_finite())
}

fn in_front_last(series: &[Series]) -> impl Iterator<Item = &Series> {
    let strong = |wanted: bool| series.iter().filter(move |series| series.strong == wanted);
    strong(false).chain(strong(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, values: &[Option<f64>]) -> Series {
        Series { name: name.to_owned(), colour: "#000", strong: false, values: values.to_vec() }
    }

    const TITLES: Titles<'_> = Titles { title: "A < B", note: "note", axis: "bytes" };

    #[test]
    fn axes_are_round() {
        let axis = Axis::logarithmic([52.0, 7_949.0].into_iter());
        assert_eq!((axis.low.round(), axis.high.round(), axis.ticks().len()), (10.0, 10_000.0, 4));
        assert!((axis.place(100.0) - 1.0 / 3.0).abs() < 1e-9);
        let axis = Axis::linear([4.65].into_iter());
        assert_eq!((axis.high, axis.ticks()), (5.0, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    }

    #[test]
    fn text_is_escaped_and_zero_is_said() {
        let picture =
            bars(TITLES, &[series("zero", &[Some(0.0)]), series("ten", &[Some(10.0)]), series("no", &[None])], true);
        assert!(picture.contains("A &lt; B") && picture.contains(">zero<") && !picture.contains(">no<"));
        assert_eq!(picture.matches("<rect").count(), 2, "the ground and one bar");
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    }

    #[test]
    fn a_gap_ends_no_line() {
        let values = [Some(1.0), None, Some(3.0)];
        let categories = ["a", "b", "c"].map(str::to_owned);
        let picture = lines(TITLES, "x", &categories, &[series("s", &values)], false);
        assert_eq!(picture.matches("<circle").count(), 3, "two points and the legend");
        let picture = dots(TITLES, &categories, &[series("s", &values)]);
        assert_eq!(picture.matches("<circle").count(), 3);
        let picture = ranges(TITLES, &[series("s", &[Some(0.0), Some(40.0)])]);
        assert!(picture.contains("0 to 40"));
    }
}
