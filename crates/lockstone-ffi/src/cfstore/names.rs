//! Names of keys, and the patterns of `Find`.
#![forbid(unsafe_code)]

use super::codes::NAME_MAX;

/// Whether a key may have this name: 1 to 220 of `A-Z a-z 0-9 - . _ @ { }`, no dot in front, braces closed in order and
/// never one within another.
pub(crate) fn is_name(name: &[u8]) -> bool {
    is_well_formed(name, false)
}

/// Whether `Find` takes this pattern: the same with `*`, for any run of characters, anywhere.
pub(crate) fn is_query(query: &[u8]) -> bool {
    is_well_formed(query, true)
}

fn is_well_formed(name: &[u8], stars: bool) -> bool {
    let mut open = false;
    let good = name.iter().all(|byte| match byte {
        b'{' => !core::mem::replace(&mut open, true),
        b'}' => core::mem::replace(&mut open, false),
        b'*' => stars,
        _ => byte.is_ascii_alphanumeric() || b"-._@".contains(byte),
    });
    good && !open && (1..=NAME_MAX).contains(&name.len()) && name.first() != Some(&b'.')
}

/// Whether a name fits a pattern. Linear but for one step back to the last star.
pub(crate) fn matches(query: &[u8], name: &[u8]) -> bool {
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < name.len() {
        match query.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(byte) if *byte == name[at] => {
                of += 1;
                at += 1;
            }
            _ => {
                let Some((back, from)) = star else { return false };
                star = Some((back, from + 1));
                of = back + 1;
                at = from + 1;
            }
        }
    }
    query.get(of..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_documents_say() {
        let long = [b'a'; NAME_MAX + 1];
        for good in ["a", "com.arm.0", "{}", "{a}{b}", "a{b}c", "A-Z_@.9", "{a.b}"] {
            assert!(is_name(good.as_bytes()) && is_query(good.as_bytes()), "{good}");
        }
        for bad in ["", ".a", "{{1}}", "{", "}", "}{", "{a", "a}", "a b", "a/b", "a?", "[a]", "\u{e9}", "{}}"] {
            assert!(!is_name(bad.as_bytes()) && !is_query(bad.as_bytes()), "{bad}");
        }
        assert!(is_name(&long[1..]) && !is_name(&long));
        for star in ["*", "a*", "*yz*XYZ", "**"] {
            assert!(!is_name(star.as_bytes()) && is_query(star.as_bytes()), "{star}");
        }
    }

    #[test]
    fn stars_stand_for_anything_dots_too() {
        for (query, name, fits) in [
            ("*", "a.b", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*yz*XYZ", "wxyz.abc.XYZ", true),
            ("*yz*XYZ", "wxyz.abc.XY", false),
            ("*ijk*", "hijkl", true),
            ("*a*a*", "a", false),
            ("*aab", "aaab", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a**c", "abc", true),
            ("{a}*", "{a}b", true),
        ] {
            assert_eq!(matches(query.as_bytes(), name.as_bytes()), fits, "{query} {name}");
        }
    }
}
