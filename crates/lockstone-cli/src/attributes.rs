//! Attributes: their words on the command line, their letters in a list, and what each means. One table.

use clap::ValueEnum;
use lockstone::Attributes;

use crate::args::AttributeFlags;

/// One attribute, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Attribute {
    /// Each change is bound to the counter.
    Protected,
    /// Never changed or deleted again.
    Once,
    /// Not changed until this is taken away.
    ReadOnly,
    /// Not deleted until this is taken away.
    NoDelete,
    /// A factory reset keeps it.
    Retain,
    /// A factory reset brings this value back.
    Factory,
    /// May be executed in place.
    Executable,
    /// An older flash may undo it, and that is accepted.
    AcceptReplay,
    /// Name and value stand on flash in the clear.
    Clear,
}

impl Attribute {
    pub(crate) const fn set(self) -> Attributes {
        match self {
            Self::Protected => Attributes::PROTECTED,
            Self::Once => Attributes::WRITE_ONCE,
            Self::ReadOnly => Attributes::READ_ONLY,
            Self::NoDelete => Attributes::NON_DELETABLE,
            Self::Retain => Attributes::RETAINED,
            Self::Factory => Attributes::FACTORY,
            Self::Executable => Attributes::EXECUTABLE,
            Self::AcceptReplay => Attributes::DANGER_REPLAYABLE,
            Self::Clear => Attributes::NO_CONFIDENTIALITY,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Once => "once",
            Self::ReadOnly => "read-only",
            Self::NoDelete => "no-delete",
            Self::Retain => "retain",
            Self::Factory => "factory",
            Self::Executable => "executable",
            Self::AcceptReplay => "accept-replay",
            Self::Clear => "clear",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Protected => 'p',
            Self::Once => 'o',
            Self::ReadOnly => 'r',
            Self::NoDelete => 'd',
            Self::Retain => 't',
            Self::Factory => 'f',
            Self::Executable => 'x',
            Self::AcceptReplay => 'a',
            Self::Clear => 'c',
        }
    }

    /// For somebody who has such a key.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Protected => "each change is bound to the counter: no older flash brings the state before back",
            Self::Once => "value and attributes never change again, and it can't be deleted",
            Self::ReadOnly => "the value can't be changed until this is taken away",
            Self::NoDelete => "it can't be deleted until this is taken away",
            Self::Retain => "a factory reset keeps it as it is",
            Self::Factory => "a factory reset brings back the value that came with this; it can't be deleted",
            Self::Executable => "boot code may execute it in place",
            Self::AcceptReplay => "nothing is bound to the counter: an older flash brings the state before back",
            Self::Clear => "name and value stand on flash in the clear",
        }
    }
}

/// Those that are set.
fn present(attributes: Attributes) -> impl Iterator<Item = Attribute> {
    Attribute::value_variants().iter().copied().filter(move |attribute| attributes.any(attribute.set()))
}

/// Of an object: nobody gives or takes that.
const OBJECT: (char, &str, &str) = ('b', "object", "an object: its content is in blocks of its own");

/// A letter each, `-` for none.
pub(crate) fn letters(attributes: Attributes) -> String {
    let object = attributes.is_object().then_some(OBJECT.0);
    let letters: String = present(attributes).map(Attribute::letter).chain(object).collect();
    if letters.is_empty() { "-".to_owned() } else { letters }
}

/// Those that a key can be given, whatever it holds.
pub(crate) fn given(attributes: Attributes) -> Attributes {
    present(attributes).fold(Attributes::NONE, |set, attribute| set.and(attribute.set()))
}

/// Their words.
pub(crate) fn words(attributes: Attributes) -> Vec<&'static str> {
    present(attributes).map(Attribute::name).collect()
}

/// A line each.
pub(crate) fn lines(attributes: Attributes) -> String {
    let line = |name: &str, meaning: &str| format!("{name:<14} {meaning}\n");
    let object = attributes.is_object().then(|| line(OBJECT.1, OBJECT.2));
    let lines = present(attributes).map(|attribute| line(attribute.name(), attribute.meaning()));
    let lines: String = lines.chain(object).collect();
    if lines.is_empty() { "none\n".to_owned() } else { lines }
}

/// All of these together.
pub(crate) fn together(attributes: &[Attribute]) -> Attributes {
    attributes.iter().fold(Attributes::NONE, |set, attribute| set.and(attribute.set()))
}

/// What the flags of `put` ask for; `None`: what the key has stays.
pub(crate) fn of_flags(flags: &AttributeFlags) -> Option<Attributes> {
    let asked = [
        (flags.protected, Attribute::Protected),
        (flags.once, Attribute::Once),
        (flags.read_only, Attribute::ReadOnly),
        (flags.no_delete, Attribute::NoDelete),
        (flags.retain, Attribute::Retain),
        (flags.factory, Attribute::Factory),
        (flags.executable, Attribute::Executable),
        (flags.accept_replay, Attribute::AcceptReplay),
        (flags.clear, Attribute::Clear),
    ];
    let asked: Vec<_> = asked.iter().filter(|(is_set, _)| *is_set).map(|(_, attribute)| *attribute).collect();
    (!asked.is_empty()).then(|| together(&asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_letters_are_all_different() {
        let all = Attribute::value_variants();
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.to_possible_value().map(|value| value.get_name().to_owned()).as_deref(), Some(one.name()));
            for other in &all[..index] {
                assert!(one.letter() != other.letter() && !one.set().any(other.set()), "{one:?} {other:?}");
            }
        }
        assert_eq!((letters(Attributes::NONE), lines(Attributes::NONE)), ("-".to_owned(), "none\n".to_owned()));
    }
}
