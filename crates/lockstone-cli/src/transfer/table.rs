//! The attributes of an archive's keys: a file among the others, `.lockstone-attributes`, as TOML.
//!
//! ```text
//! "wifi/psk" = ["retain", "protected"]     the path of a file, and the words of `lockstone attributes`
//! ```
//!
//! There is none when no key has attributes. In a sealed export it is a value of a client that no key is exported of.

use std::collections::BTreeMap;

use clap::ValueEnum as _;
use lockstone::Attributes;

use super::Item;
use super::names::name_of;
use crate::attributes::{Attribute, together, words};
use crate::exit::Failure;
use crate::terminal::escaped;

/// Name of the file, and of the value in a sealed export.
pub(crate) const TABLE: &str = ".lockstone-attributes";

/// The text of the table, if any of these has attributes.
pub(crate) fn write(paths: &[String], items: &[Item]) -> Result<Option<String>, Failure> {
    let marked = paths.iter().zip(items).filter(|(_, item)| item.attributes != Attributes::NONE);
    let table: BTreeMap<_, _> = marked.map(|(path, item)| (path, words(item.attributes))).collect();
    let text = || toml::to_string(&table).map_err(|error| Failure::usage(error.to_string()));
    (!table.is_empty()).then(text).transpose()
}

/// Gives the items their attributes. A table that names a key which isn't there, or a word that is none, is refused.
pub(crate) fn read(text: &[u8], items: &mut [Item]) -> Result<(), Failure> {
    let refused = |what: String| Failure::usage(format!("{TABLE}: {what}"));
    let text = core::str::from_utf8(text).map_err(|_| refused("it is no text".to_owned()))?;
    // What the parser says would show the line, and a terminal could be told things by it.
    let table: BTreeMap<String, Vec<String>> =
        toml::from_str(text).map_err(|_| refused("it is no table of paths and words".to_owned()))?;
    let mut by_name: BTreeMap<Vec<u8>, &mut Item> = items.iter_mut().map(|item| (item.name.clone(), item)).collect();
    for (path, words) in table {
        let item = name_of(path.as_bytes()).and_then(|name| by_name.get_mut(&name));
        let item = item.ok_or_else(|| refused(format!("there is no key {}", escaped(path.as_bytes()))))?;
        let word = |word: &String| {
            let attribute = Attribute::from_str(word, false);
            attribute.map_err(|_| refused(format!("{} is no attribute", escaped(word.as_bytes()))))
        };
        item.attributes = together(&words.iter().map(word).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(())
}
