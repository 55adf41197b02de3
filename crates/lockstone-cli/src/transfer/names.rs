//! Names of keys as paths of an archive, and back.
//!
//! A name that is a plain relative path stays what it is. Any other (odd bytes, empty or dotted parts, one that would be
//! a file and a folder at once) becomes `.lockstone-name/` and its bytes in hexadecimal, so nothing is lost and nothing
//! leaves its folder.

use std::collections::BTreeSet;

/// Folder for names that are no path.
const ODD: &str = ".lockstone-name/";

/// The path of each name, in the order of the names.
pub(crate) fn paths(names: &BTreeSet<Vec<u8>>) -> Vec<String> {
    names.iter().map(|name| path_of(name, names)).collect()
}

fn path_of(name: &[u8], names: &BTreeSet<Vec<u8>>) -> String {
    match core::str::from_utf8(name) {
        Ok(text) if is_plain(text) && !is_folder(name, names) => text.to_owned(),
        _ => name.iter().fold(ODD.to_owned(), |path, byte| format!("{path}{byte:02x}")),
    }
}

/// One name of 255 bytes is too long for a file, so parts are kept below what every file system takes.
fn is_plain(text: &str) -> bool {
    let good = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 200;
    !text.starts_with(ODD)
        && text.split('/').all(good)
        && text.chars().all(|letter| !letter.is_control() && letter != '\\' && letter != ':')
}

/// Whether another name lies below this one.
fn is_folder(name: &[u8], names: &BTreeSet<Vec<u8>>) -> bool {
    let below = [name, b"/"].concat();
    names.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
}

/// The name that a path stands for; `None` when it is none.
pub(crate) fn name_of(path: &str) -> Option<Vec<u8>> {
    let name = match path.strip_prefix(ODD) {
        Some(digits) if digits.len().is_multiple_of(2) && digits.is_ascii() => (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
            .collect::<Option<Vec<u8>>>()?,
        Some(_) => return None,
        None => path.as_bytes().to_vec(),
    };
    (!name.is_empty() && name.len() <= 255).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back() {
        let names: BTreeSet<Vec<u8>> = [
            &b"wifi/psk"[..],
            b"a",
            b"a/b",
            b"/etc/passwd",
            b"../up",
            b"x//y",
            b"\xff\0",
            b".",
            b"c:\\x",
            ".lockstone-name/61".as_bytes(),
            &[b'n'; 255],
            "ключ".as_bytes(),
        ]
        .into_iter()
        .map(<[u8]>::to_vec)
        .collect();
        let paths = paths(&names);
        assert_eq!(paths.iter().map(|path| name_of(path).unwrap()).collect::<BTreeSet<_>>(), names);
        assert_eq!(paths.iter().filter(|path| !path.starts_with(ODD)).collect::<Vec<_>>(), ["a/b", "wifi/psk", "ключ"]);
        assert_eq!((name_of(".lockstone-name/6"), name_of(".lockstone-name/zz"), name_of("")), (None, None, None));
    }
}
