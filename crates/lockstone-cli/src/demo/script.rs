//! Script: what happens to a device in its life. Draws one change after the other.

use super::dice::Dice;
use super::input::{Value, configuration, firmware, private_key};
use super::model::{Change, Model};

pub(crate) const PRIVATE_KEY: &[u8] = b"tls/private-key";
pub(crate) const CONFIGURATION: &[u8] = b"app/config.json";
pub(crate) const FIRMWARE: &[u8] = b"app/firmware";
pub(crate) const BOOTS: &[u8] = b"boot/count";

/// The device never has fewer certificates than this part of all.
const KEPT: (usize, usize) = (9, 10);

/// Draws changes from certificates and dice.
#[derive(Debug)]
pub(crate) struct Script {
    certificates: Vec<(Vec<u8>, Value)>,
    dice: Dice,
    revision: u32,
}

impl Script {
    pub(crate) const fn new(certificates: Vec<(Vec<u8>, Value)>, dice: Dice) -> Self {
        Self { certificates, dice, revision: 0 }
    }

    /// What the device is given first: every certificate, then the rest.
    pub(crate) fn first(&mut self) -> Vec<Change> {
        let certificates = self.certificates.clone();
        let mut changes: Vec<_> = certificates.into_iter().map(|(name, value)| set(&name, Some(value))).collect();
        changes.extend([self.rotate(), self.configure(), self.count(), self.update()]);
        changes
    }

    /// What happens next.
    pub(crate) fn next(&mut self, model: &Model) -> Change {
        match self.dice.below(40) {
            0..=11 => self.configure(),
            12..=19 => self.count(),
            20..=26 => self.replace(),
            27..=32 => self.delete_or_add(model),
            33..=34 => self.rotate(),
            35 => self.update(),
            _ => self.several(model),
        }
    }

    fn configure(&mut self) -> Change {
        self.revision += 1;
        set(CONFIGURATION, Some(configuration(self.revision, &mut self.dice)))
    }

    fn count(&mut self) -> Change {
        self.revision += 1;
        set(BOOTS, Some(Value::from(self.revision.to_le_bytes())))
    }

    fn rotate(&mut self) -> Change {
        set(PRIVATE_KEY, Some(private_key(&mut self.dice)))
    }

    fn update(&mut self) -> Change {
        self.revision += 1;
        set(FIRMWARE, Some(firmware(self.revision, &mut self.dice)))
    }

    /// One certificate takes the content of another.
    fn replace(&mut self) -> Change {
        let (one, other) = (self.dice.below(self.certificates.len()), self.dice.below(self.certificates.len()));
        set(&self.certificates[one].0, Some(self.certificates[other].1.clone()))
    }

    fn delete_or_add(&mut self, model: &Model) -> Change {
        let gone: Vec<_> = self.certificates.iter().filter(|(name, _)| !model.contains(name)).cloned().collect();
        let few = (self.certificates.len() - gone.len()) * KEPT.1 <= self.certificates.len() * KEPT.0;
        match self.dice.pick(&gone) {
            Some((name, value)) if few || self.dice.below(2) == 0 => set(name, Some(value.clone())),
            _ if few => self.count(),
            _ => {
                let one = self.dice.below(self.certificates.len());
                set(&self.certificates[one].0, None)
            }
        }
    }

    /// A transaction.
    fn several(&mut self, model: &Model) -> Change {
        let mut change = self.configure();
        change.extend(self.count());
        change.extend(self.replace());
        if self.dice.below(2) == 0 {
            change.extend(self.delete_or_add(model));
        }
        if self.dice.below(4) == 0 {
            change.extend(self.rotate());
        }
        change
    }
}

fn set(name: &[u8], value: Option<Value>) -> Change {
    Change::from([(name.to_vec(), value)])
}
