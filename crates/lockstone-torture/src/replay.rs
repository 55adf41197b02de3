//! Replay: a case again by its id, told step by step.

use std::fmt;

use lockstone_sim::Tear;
use lockstone_sim::geometry::{GEOMETRIES, Geometry};

use crate::cuts::Case;
use crate::fuzz::Target;
use crate::life::{Kind, Life};
use crate::scenes::SCENES;
use crate::tale::{Step, Tale};
use crate::tried::Sort;

/// How ids are written.
pub const GRAMMAR: &str = "\
SCENE/GEOMETRY/SUITE/OPERATION/TEAR[/OPERATION/TEAR]  a power cut, and another in the recovery
life/GEOMETRY/SUITE/SEED                              a random life
flicker/GEOMETRY/SUITE/SEED                           power cut again and again, early in each session
fuzz/TARGET/HEX                                       an input of a fuzz target, or --file F for the input";

/// The verdict on a case whose power cut is in an operation behind the end of its script: no case at all.
pub const NO_SUCH_OPERATION: &str = "the script ends before the cut";

/// A case that can be played.
#[derive(Clone, Debug)]
pub enum Id {
    /// One power cut of the enumeration.
    Cut(Case),
    /// One random life.
    Life(Life),
    /// One input of a fuzz target.
    Fuzz(&'static Target, Vec<u8>),
}

/// Why an id is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadId(pub String);

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadId {}

/// What a flash holds.
#[derive(Clone, Debug)]
pub struct Image {
    /// The chip.
    pub geometry: Geometry,
    /// Suite `plain`, not `ascon`.
    pub plain: bool,
    /// The content; unstable bits have one value here.
    pub bytes: Vec<u8>,
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Played {
    /// What happened.
    pub steps: Vec<Step>,
    /// What is right, or what is wrong.
    pub verdict: Result<String, String>,
    /// The flash at the end, if there was one.
    pub image: Option<Image>,
}

impl Id {
    /// Reads an id. `targets`: the fuzz targets that there are; `input`: what a fuzz target is given instead of HEX.
    ///
    /// # Errors
    /// What makes no sense about it.
    pub fn parse(id: &str, targets: &[&'static Target], input: Option<Vec<u8>>) -> Result<Self, BadId> {
        let bad = |what: &str| BadId(format!("`{id}` is no case: {what}"));
        let parts: Vec<&str> = id.split('/').collect();
        let fuzzed = match parts[..] {
            ["fuzz", target] => Some((target, input.ok_or_else(|| bad("the input is missing"))?)),
            ["fuzz", target, hex] => Some((target, from_hex(hex).ok_or_else(|| bad("the input is not in hex"))?)),
            ["fuzz", ..] => return Err(bad("a fuzz target and its input are missing")),
            _ => None,
        };
        if let Some((name, input)) = fuzzed {
            let target = targets.iter().find(|target| target.name == name);
            return target.map(|target| Self::Fuzz(target, input)).ok_or_else(|| bad("there is no such fuzz target"));
        }
        if let Some(kind) = Kind::parse(parts[0]) {
            let grammar = format!("a {0} is {0}/GEOMETRY/SUITE/SEED", kind.name());
            return Life::parse(id).map(Self::Life).ok_or_else(|| bad(&grammar));
        }
        Case::parse(id).map(Self::Cut).ok_or_else(|| bad(Self::first_oddity(&parts)))
    }

    fn first_oddity(parts: &[&str]) -> &'static str {
        let known = |index: usize, names: &[&str]| parts.get(index).is_some_and(|part| names.contains(part));
        let geometries: Vec<&str> = GEOMETRIES.iter().map(|geometry| geometry.name).collect();
        if !known(0, &SCENES.map(|scene| scene.name)) {
            "there is no such scene"
        } else if !known(1, &geometries) {
            "there is no such geometry"
        } else if !known(2, &Sort::ALL.map(Sort::name)) {
            "a suite is ascon or plain, or that of a small store, small-ascon or small-plain"
        } else if parts.get(3).is_none_or(|number| number.parse::<u64>().is_err()) {
            "an operation is a number"
        } else if !known(4, &Tear::ALL.map(Tear::name)) {
            "there is no such tear"
        } else {
            "the second cut is an operation and a tear"
        }
    }

    /// Plays the case and tells it.
    #[must_use]
    pub fn play(&self) -> Played {
        let tale = Tale::told();
        let (verdict, image) = match self {
            Self::Cut(case) => case.play(&tale),
            Self::Life(life) => {
                let (cuts, image) = life.play(&tale);
                (cuts.map(|cuts| format!("{cuts} power cuts, and every key as acknowledged after each")), image)
            }
            Self::Fuzz(target, input) => {
                let mut image = None;
                let verdict = crate::caught(|| (target.body)(input, &tale, &mut image));
                (verdict.map(|()| "nothing wrong".to_owned()), image)
            }
        };
        Played { steps: tale.take(), verdict, image }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(case) => case.fmt(f),
            Self::Life(life) => life.fmt(f),
            Self::Fuzz(target, input) => write!(f, "fuzz/{}/{}", target.name, to_hex(input)),
        }
    }
}

/// Two digits a byte.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::Id;

    #[test]
    fn ids_are_read_back() {
        for id in [
            "mixed/word4/ascon/5/bits/1/ecc",
            "names/huge-256k/plain/31/metastable-whole",
            "fill/word4/small-ascon/2/absent",
            "life/stm32l0/plain/107",
            "flicker/word4/small-plain/3",
            "fuzz/operations/00ff10",
        ] {
            assert_eq!(Id::parse(id, crate::fuzz::TARGETS, None).unwrap().to_string(), id);
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_reason() {
        for (id, reason) in [
            ("", "there is no such scene"),
            ("mixed/word5/ascon/5/bits", "there is no such geometry"),
            (
                "mixed/word4/rot13/5/bits",
                "a suite is ascon or plain, or that of a small store, small-ascon or small-plain",
            ),
            ("mixed/word4/ascon/five/bits", "an operation is a number"),
            ("mixed/word4/ascon/5/torn", "there is no such tear"),
            ("mixed/word4/ascon/5/bits/1", "the second cut is an operation and a tear"),
            ("life/word4/ascon", "a life is life/GEOMETRY/SUITE/SEED"),
            ("flicker/word4", "a flicker is flicker/GEOMETRY/SUITE/SEED"),
            ("fuzz/nothing/00", "there is no such fuzz target"),
            ("fuzz/operations/0", "the input is not in hex"),
            ("fuzz/operations", "the input is missing"),
        ] {
            let refused = Id::parse(id, crate::fuzz::TARGETS, None).unwrap_err().to_string();
            assert_eq!(refused, format!("`{id}` is no case: {reason}"));
        }
    }
}
