//! Names of keys as paths of an archive, and back.
//!
//! A name that is a plain relative path stays what it is. Any other (odd bytes, empty or dotted parts, one that would be
//! a file and a folder at once) becomes `.lockstone-name/` and its bytes in hexadecimal, so nothing is lost and nothing
//! leaves its folder.

use std::collections::BTreeSet;

use super::table::TABLE;

/// Folder for names that are no path.
const ODD: &str = ".lockstone-name";
/// Longest part of a path, in bytes: less than any file system takes.
const PART: usize = 200;

/// The path of each name, in the order of the names.
pub(crate) fn paths(names: &BTreeSet<Vec<u8>>) -> Vec<String> {
    names.iter().map(|name| path_of(name, names)).collect()
}

fn path_of(name: &[u8], names: &BTreeSet<Vec<u8>>) -> String {
    match core::str::from_utf8(name) {
        Ok(text) if is_plain(text) && !is_folder(name, names) => text.to_owned(),
        _ => {
            let digits: Vec<String> = name.iter().map(|byte| format!("{byte:02x}")).collect();
            let parts: Vec<String> = digits.chunks(PART / 2).map(<[String]>::concat).collect();
            format!("{ODD}/{}", parts.join("/"))
        }
    }
}

fn is_plain(text: &str) -> bool {
    let good = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= PART;
    !matches!(text.split('/').next(), Some(ODD | TABLE))
        && text.split('/').all(good)
        && text.chars().all(|letter| !letter.is_control() && letter != '\\' && letter != ':')
}

/// Whether another name lies below this one.
fn is_folder(name: &[u8], names: &BTreeSet<Vec<u8>>) -> bool {
    let below = [name, b"/"].concat();
    names.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
}

/// The name that a path stands for; `None` when it is none.
pub(crate) fn name_of(path: &[u8]) -> Option<Vec<u8>> {
    let odd = path.strip_prefix(ODD.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
    let name = match odd {
        Some(digits) => {
            let digits: Vec<u8> = digits.iter().copied().filter(|byte| *byte != b'/').collect();
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let byte = |pair: &[u8]| match pair {
                [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
                _ => None,
            };
            digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?
        }
        None => path.to_vec(),
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
            b".lockstone-name",
            b".lockstone-attributes",
            b"a//b",
            &[0xfe; 255],
            ".lockstone-name/61".as_bytes(),
            &[b'n'; 255],
            "ключ".as_bytes(),
        ]
        .into_iter()
        .map(<[u8]>::to_vec)
        .collect();
        let paths = paths(&names);
        assert!(paths.iter().all(|path| path.split('/').all(|part| part.len() <= 200)));
        assert_eq!(paths.iter().map(|path| name_of(path.as_bytes()).unwrap()).collect::<BTreeSet<_>>(), names);
        assert_eq!(paths.iter().filter(|path| !path.starts_with(ODD)).collect::<Vec<_>>(), ["a/b", "wifi/psk", "ключ"]);
        assert_eq!((name_of(b".lockstone-name/6"), name_of(b".lockstone-name/+f"), name_of(b"")), (None, None, None));
    }
}
