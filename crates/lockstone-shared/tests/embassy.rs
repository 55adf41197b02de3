//! Tasks on one store: they take turns, and one that is cancelled anywhere in a call neither keeps the lock nor breaks anything.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embassy_futures::block_on;
use embassy_futures::join::join3;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use lockstone::asynchronous::{Clients, Store};
use lockstone::{Ascon, Memory, Part, SoftRootKey, buffer_size};
use lockstone_shared::embassy::{Handle, Shared};
use lockstone_sim::SimFlash;
use lockstone_torture::Random;

type Chip = SimFlash<1, 4, 4096>;
type Ram = Memory<16, { buffer_size(1, 4, 4096) + 16 }>;

fn root() -> SoftRootKey {
    SoftRootKey::new([0x42; 32])
}

fn chip() -> Chip {
    Chip::new(16 * 4096, 0xff)
}

#[test]
fn tasks_find_what_they_wrote() {
    block_on(async {
        let mut memory = Ram::new();
        let store = Store::<_, Ascon>::format(chip(), Part::NOR, &root(), &mut Random(1), &mut memory).await.unwrap();
        let shared = Shared::<NoopRawMutex, _, _>::new(Clients::new(store, &mut []));
        let task = |number: u32| {
            let mine = Handle::of(&shared, number);
            async move {
                for round in 0..100_u32 {
                    mine.put(b"state", &(number * 100 + round).to_le_bytes()).await.unwrap();
                    let mut found = [0; 4];
                    assert_eq!(mine.get(b"state", &mut found).await, Ok(Some(4)));
                    assert_eq!(u32::from_le_bytes(found), number * 100 + round);
                }
            }
        };
        join3(task(1), task(2), task(3)).await;
        let stats = shared.into_inner().store().stats().await.unwrap();
        assert_eq!(stats.keys, 3, "one of each task");
    });
}

/// Polls a future so often and drops it; whether it ended before.
fn poll_and_drop(future: impl Future, polls: u32) -> bool {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).any(|_| matches!(future.as_mut().poll(&mut context), Poll::Ready(_)))
}

#[test]
fn a_task_that_is_cancelled_at_any_await_keeps_neither_the_lock_nor_half_a_value() {
    let mut memory = Ram::new();
    let store = block_on(Store::<_, Ascon>::format(chip(), Part::NOR, &root(), &mut Random(1), &mut memory)).unwrap();
    let shared = Shared::<NoopRawMutex, _, _>::new(Clients::new(store, &mut []));
    let (one, two) = (Handle::of(&shared, 1), Handle::of(&shared, 2));
    block_on(one.put(b"state", &[0; 40])).unwrap();
    let mut cancelled = 0;
    for polls in 0_u8.. {
        let (new, mut value) = (polls + 1, [0; 40]);
        let ended = poll_and_drop(one.put(b"state", &[new; 40]), polls.into());
        cancelled += u32::from(!ended);
        block_on(two.put(b"turn", &[polls])).unwrap(); // the lock is free
        assert_eq!(block_on(one.get(b"state", &mut value)), Ok(Some(40)));
        assert!(value == [new; 40] || !ended && value == [value[0]; 40] && value[0] < new, "{polls}: {value:?}");
        block_on(one.put(b"state", &[new; 40])).unwrap();
        if ended {
            break;
        }
    }
    assert!(cancelled > 3, "a put has several awaits, this one had {cancelled}");
}
