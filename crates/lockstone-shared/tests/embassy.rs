//! Tasks on one store: they take turns, and one that is cancelled anywhere in a call neither keeps the lock nor breaks anything.

use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use embassy_futures::block_on;
use embassy_futures::join::join3;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use lockstone::asynchronous::{Clients, Store};
use lockstone::{Ascon, Memory, Part, SoftRootKey, buffer_size};
use lockstone_shared::embassy::{Handle, Shared, SharedError};
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

/// What an executor knows of a task: whether it was woken. Each has its own.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Task<'f, T> {
    woken: Arc<Woken>,
    future: Pin<Box<dyn Future<Output = T> + 'f>>,
    ended: Option<T>,
}

impl<'f, T> Task<'f, T> {
    fn new(future: impl Future<Output = T> + 'f) -> Self {
        Self { woken: Arc::new(Woken(AtomicBool::new(true))), future: Box::pin(future), ended: None }
    }

    fn is_woken(&self) -> bool {
        self.ended.is_none() && self.woken.0.load(Ordering::SeqCst)
    }

    fn poll(&mut self) {
        self.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.woken));
        if let Poll::Ready(ended) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.ended = Some(ended);
        }
    }
}

/// Runs tasks as an executor does: those that were woken, until none is; how many polls that took.
fn run<T>(tasks: &mut [Task<'_, T>]) -> usize {
    let mut polls = 0;
    while polls < 1000
        && let Some(task) = tasks.iter_mut().find(|task| task.is_woken())
    {
        task.poll();
        polls += 1;
    }
    polls
}

type Keys<'m, const WAITING: usize> = Shared<'m, NoopRawMutex, Chip, Ascon, lockstone::trust::NoCounter, WAITING>;

fn shared<const WAITING: usize>(memory: &mut Ram) -> Keys<'_, WAITING> {
    let store = block_on(Store::<_, Ascon>::format(chip(), Part::NOR, &root(), &mut Random(1), memory));
    let store = store.expect("a chip that is delivered");
    Shared::new(Clients::new(store, &mut []))
}

#[test]
fn those_that_wait_sleep_until_it_is_their_turn_and_take_turns_as_they_came() {
    let mut memory = Ram::new();
    let shared = shared::<3>(&mut memory);
    let held = block_on(shared.lock()).unwrap(); // of an executor of low priority, which runs when the others sleep
    let order = core::cell::RefCell::new(Vec::new());
    let mut waiting: Vec<_> = (1..=3)
        .map(|number| {
            let (mine, order) = (Handle::of(&shared, number), &order);
            Task::new(async move {
                let put = mine.put(b"state", &number.to_le_bytes()).await;
                order.borrow_mut().push(number);
                put
            })
        })
        .collect();
    assert_eq!(run(&mut waiting), 3, "each is polled once, and sleeps");
    for task in &mut waiting {
        task.poll(); // for no reason, as an executor may
    }
    assert_eq!(run(&mut waiting), 0, "and none wakes another");
    drop(held);
    assert_eq!(waiting.iter().filter(|task| task.is_woken()).count(), 1, "one is told");
    let _ = run(&mut waiting);
    assert!(waiting.iter().all(|task| task.ended == Some(Ok(()))));
    drop(waiting);
    assert_eq!(order.into_inner(), [1, 2, 3]);
}

#[test]
fn one_that_is_cancelled_when_it_was_its_turn_hands_it_on() {
    for cancelled in 0..3 {
        let mut memory = Ram::new();
        let shared = shared::<3>(&mut memory);
        let held = block_on(shared.lock()).unwrap();
        let mut waiting: Vec<_> = (1..=3)
            .map(|number| Handle::of(&shared, number))
            .map(|mine| Task::new(async move { mine.length(b"state").await }))
            .collect();
        let _ = run(&mut waiting);
        drop(held); // wakes the first
        drop(waiting.remove(cancelled));
        let _ = run(&mut waiting);
        assert!(waiting.iter().all(|task| task.ended == Some(Ok(None))), "{cancelled}");
        block_on(Handle::of(&shared, 9).put(b"state", &[1])).unwrap();
    }
}

#[test]
fn where_more_wait_than_there_is_room_for_the_last_is_told_and_the_others_are_not_disturbed() {
    let mut memory = Ram::new();
    let shared = shared::<2>(&mut memory);
    let held = block_on(shared.lock()).unwrap();
    let mut tasks: Vec<_> = (1..=3)
        .map(|number| Handle::of(&shared, number))
        .map(|mine| Task::new(async move { mine.put(b"state", &[1]).await }))
        .collect();
    assert_eq!(run(&mut tasks), 3);
    assert_eq!(tasks[2].ended, Some(Err(SharedError::Crowded)));
    assert!(block_on(shared.lock()).is_none());
    drop(held);
    let _ = run(&mut tasks);
    assert_eq!((tasks[0].ended, tasks[1].ended), (Some(Ok(())), Some(Ok(()))));
}

#[test]
fn what_a_client_can_do_a_handle_can() {
    block_on(async {
        let mut memory = Ram::new();
        let shared = shared::<2>(&mut memory);
        let mine = Handle::of(&shared, 1);
        mine.put(b"boot", &[1]).await.unwrap();
        assert_eq!(mine.may_execute(1, b"boot").await, Ok(false));
        assert_eq!(mine.set_attributes(b"boot", lockstone::Attributes::EXECUTABLE).await, Ok(true));
        assert_eq!(mine.attributes_of(b"boot").await, Ok(Some(lockstone::Attributes::EXECUTABLE)));
        assert_eq!(mine.may_execute(1, b"boot").await, Ok(true));
        let (mut cursor, mut name) = (lockstone::Cursor::default(), [0; 255]);
        assert_eq!(mine.next_key(&mut cursor, b"b", &mut name).await, Ok(Some(4)));
        assert_eq!(mine.next_key(&mut cursor, b"b", &mut name).await, Ok(None));
        assert_eq!(Handle::of(&shared, 2).next_key(&mut lockstone::Cursor::default(), b"", &mut name).await, Ok(None));
    });
}
