//! Results for people and for programs: one object a line, tables, charts, and the page that holds them.

pub mod charts;
pub mod docs;
pub mod grid;
pub mod json;
pub mod svg;
pub mod table;
pub mod why;
