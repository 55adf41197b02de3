//! What turned unreadable under a mounted store is never forgotten: compaction does not take it for dead.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockstone::{Ascon, Error, Memory, Part, Store};
use lockstone_sim::{SimError, SimFlash};

use lockstone_torture::{Fixed, root};

/// A part that the store and the attacker hold at the same time.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Rc<RefCell<SimFlash<1, 4, 4096>>>);

impl ErrorType for Shared {
    type Error = SimError;
}

impl ReadNorFlash for Shared {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        self.0.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}

impl NorFlash for Shared {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.0.borrow_mut().erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.0.borrow_mut().write(offset, bytes)
    }
}

#[test]
fn a_record_damaged_under_the_store_never_turns_absent() {
    let part = Shared(Rc::new(RefCell::new(SimFlash::new(16 * 4096, 0xff))));
    let mut memory = Memory::<64, 528>::new();
    let mut store = Store::<_, Ascon>::format(part.clone(), Part::NOR, &root(), &mut Fixed(7), &mut memory).unwrap();
    let before = part.0.borrow().data().to_vec();
    store.put("stays", b"the secret").unwrap();
    let last = part.0.borrow().data().iter().zip(&before).rposition(|(now, then)| now != then).unwrap();
    part.0.borrow_mut().flip_bit(last * 8);
    assert_eq!(store.get("stays", &mut [0; 32]), Err(Error::Damaged));
    // Enough to turn the ring several times: the writes must stop at the damage rather than bury it.
    let refused = (0..4000_u32).find_map(|count| store.put("hot", &count.to_le_bytes()).err());
    assert_eq!(refused, Some(Error::Damaged));
    assert_eq!(store.get("stays", &mut [0; 32]), Err(Error::Damaged));
    drop(store);
    let mut store = Store::<_, Ascon>::mount(part.clone(), Part::NOR, &root(), &mut memory).unwrap();
    assert_eq!(store.get("stays", &mut [0; 32]), Err(Error::Damaged));
    drop(store);
    let mut store = Store::<_, Ascon>::mount(part, Part::NOR.thoroughly(), &root(), &mut memory).unwrap();
    assert_eq!(store.get("stays", &mut [0; 32]), Err(Error::Damaged));
    assert!(!store.report().is_sound());
}

/// A part whose driver fails short reads at one address: a scan does not see what lies there, a look-up does.
#[derive(Clone)]
struct Shy(Shared, Rc<Cell<Option<u32>>>);

impl ErrorType for Shy {
    type Error = SimError;
}

impl ReadNorFlash for Shy {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        if self.1.get() == Some(offset) && bytes.len() == 4 {
            return Err(SimError::Ecc);
        }
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Shy {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        self.0.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        self.0.write(offset, bytes)
    }
}

#[test]
fn a_record_that_compaction_could_not_read_is_not_erased() {
    let part = Shared(Rc::new(RefCell::new(SimFlash::new(16 * 4096, 0xff))));
    let shy = Shy(part.clone(), Rc::default());
    // One bucket: the record is reached by a pointer. A head is looked at again anyway before its segment goes.
    let mut memory = Memory::<1, 528>::new();
    let mut store = Store::<_, Ascon>::format(shy.clone(), Part::NOR, &root(), &mut Fixed(7), &mut memory).unwrap();
    let before = part.0.borrow().data().to_vec();
    store.put("stays", b"the secret").unwrap();
    let first = part.0.borrow().data().iter().zip(&before).position(|(now, then)| now != then).unwrap();
    shy.1.set(Some(first as u32));
    // The segment's turn comes: it's passed, and everything that the index reaches can be read, this record too.
    let refused = (0..4000_u32).find_map(|count| store.put("hot", &count.to_le_bytes()).err());
    assert_eq!(refused, Some(Error::Damaged));
    drop(store);
    shy.1.set(None);
    let mut value = [0; 32];
    let mut store = Store::<_, Ascon>::mount(shy, Part::NOR, &root(), &mut memory).unwrap();
    assert_eq!(store.get("stays", &mut value), Ok(Some(10)));
    assert_eq!(&value[..10], b"the secret");
}
