//! RTIC: the store is a resource of one task, which owns it for good. What others want stored they send; a task of higher priority is
//! never held up by it, and here comes in the midst of each call that writes.
#![no_std]
#![no_main]

board::stop_on_panic!();

#[rtic::app(device = lm3s6965, dispatchers = [UART0])]
mod app {
    use board::{Failure, Flash, InsecureRandom, PART, Ram, insecure_root_key, println};
    use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
    use lockstone::{Ascon, OpenError, Store};

    /// Borrows nothing but its RAM, which lives as long as the program.
    type Keys = Store<'static, Ringing, Ascon>;

    const READINGS: u32 = 40;

    /// A flash during whose writes a sensor asks for its interrupt, as one does whenever it has something.
    struct Ringing(Flash);

    impl ErrorType for Ringing {
        type Error = <Flash as ErrorType>::Error;
    }

    impl ReadNorFlash for Ringing {
        const READ_SIZE: usize = Flash::READ_SIZE;

        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
            self.0.read(offset, bytes)
        }

        fn capacity(&self) -> usize {
            self.0.capacity()
        }
    }

    impl NorFlash for Ringing {
        const WRITE_SIZE: usize = Flash::WRITE_SIZE;
        const ERASE_SIZE: usize = Flash::ERASE_SIZE;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
            self.0.erase(from, to)
        }

        fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
            rtic::pend(lm3s6965::Interrupt::UART1);
            self.0.write(offset, bytes)
        }
    }

    #[shared]
    struct Shared {
        /// The newest reading; `keep` stores what is newest when it comes to it.
        newest: u32,
    }

    #[local]
    struct Local {
        store: Keys,
    }

    /// RTIC makes `memory` a static that only this task can name, and hands it out for good.
    #[init(local = [memory: Ram = Ram::new()])]
    fn init(context: init::Context<'_>) -> (Shared, Local) {
        match open(context.local.memory) {
            Ok(store) => {
                let _ = keep::spawn(); // the first of its kind: there is room for it
                (Shared { newest: 0 }, Local { store })
            }
            Err(failure) => board::end(Err(failure)),
        }
    }

    /// Formats a blank flash, and nothing else; then the store takes the flash.
    fn open(memory: &'static mut Ram) -> Result<Keys, Failure> {
        let (root, mut flash) = (insecure_root_key(), Ringing(board::flash()?));
        if matches!(Store::<_, Ascon>::mount(&mut flash, PART, &root, &mut *memory), Err(OpenError::Blank)) {
            Store::<_, Ascon>::format(&mut flash, PART, &root, &mut InsecureRandom(1), &mut *memory)?;
        }
        Ok(Store::mount(flash, PART, &root, memory)?)
    }

    /// The urgent one: takes a reading. It comes between any two instructions of `keep`, also while that is in a call of the store.
    #[task(binds = UART1, priority = 2, shared = [newest])]
    fn measure(mut context: measure::Context<'_>) {
        context.shared.newest.lock(|newest| *newest += 1);
    }

    /// The patient one: stores the newest reading, as often as there is a new one.
    #[task(priority = 1, local = [store], shared = [newest])]
    async fn keep(mut context: keep::Context<'_>) {
        let store = context.local.store;
        let ended = keep_all(store, || context.shared.newest.lock(|newest| *newest));
        board::end(ended)
    }

    fn keep_all(store: &mut Keys, mut newest: impl FnMut() -> u32) -> Result<(), Failure> {
        let (mut all, mut number) = (0, [0; 4]);
        if store.get("readings", &mut number)?.is_some() {
            all = u32::from_le_bytes(number);
        }
        for turn in 1..=READINGS {
            let before = newest();
            store.put("readings", &(all + turn).to_le_bytes())?;
            if newest() == before {
                return Err("the urgent task did not run while the store was called".into());
            }
        }
        store.get("readings", &mut number)?;
        println!("{} readings in all", u32::from_le_bytes(number));
        Ok(())
    }
}
