//! RTIC: the store is a resource of one task, which owns it for good. What others want stored they send; a task of higher priority is
//! never held up by it.
#![no_std]
#![no_main]

board::stop_on_panic!();

#[rtic::app(device = lm3s6965, dispatchers = [UART0, UART1])]
mod app {
    use board::{Failure, Flash, InsecureRandom, PART, Ram, insecure_root_key, println};
    use lockstone::{Ascon, OpenError, Store};

    /// Borrows nothing but its RAM, which lives as long as the program.
    type Keys = Store<'static, Flash, Ascon>;

    const READINGS: u32 = 40;

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
        let (root, mut flash) = (insecure_root_key(), board::flash()?);
        if matches!(Store::<_, Ascon>::mount(&mut flash, PART, &root, &mut *memory), Err(OpenError::Blank)) {
            Store::<_, Ascon>::format(&mut flash, PART, &root, &mut InsecureRandom(1), &mut *memory)?;
        }
        Ok(Store::mount(flash, PART, &root, memory)?)
    }

    /// The urgent one: takes a reading. It comes between any two instructions of `keep`, also while that is in a call of the store.
    #[task(priority = 2, shared = [newest])]
    async fn measure(mut context: measure::Context<'_>) {
        context.shared.newest.lock(|newest| *newest += 1);
    }

    /// The patient one: stores the newest reading, as often as there is a new one.
    #[task(priority = 1, local = [store], shared = [newest])]
    async fn keep(mut context: keep::Context<'_>) {
        let store = context.local.store;
        let ended = keep_all(store, || {
            let _ = measure::spawn(); // runs at once: it has the higher priority
            context.shared.newest.lock(|newest| *newest)
        });
        board::end(ended)
    }

    fn keep_all(store: &mut Keys, mut measure: impl FnMut() -> u32) -> Result<(), Failure> {
        let (mut all, mut number) = (0, [0; 4]);
        if store.get("readings", &mut number)?.is_some() {
            all = u32::from_le_bytes(number);
        }
        for turn in 1..=READINGS {
            let newest = measure();
            if newest != turn {
                return Err("the urgent task was held up".into());
            }
            store.put("readings", &(all + newest).to_le_bytes())?;
        }
        store.get("readings", &mut number)?;
        println!("{} readings in all", u32::from_le_bytes(number));
        Ok(())
    }
}
