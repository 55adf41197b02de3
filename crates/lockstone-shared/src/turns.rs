//! Turns: tasks wait in the order in which they came, each with a waker of its own, and only the first is woken.
//!
//! ```text
//! take ── free, and nobody is before it ──> Turn ── dropped ──> the first that waits is woken
//!      ── else: it waits, with a ticket ── dropped ──> forgotten; if it was the one that was woken, the next is
//!      ── no room to wait ──> None
//! ```

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;

/// Whose turn it is, and who waits: up to `N`.
pub(crate) struct Turns<M: RawMutex, const N: usize> {
    queue: Mutex<M, RefCell<Queue<N>>>,
}

struct Queue<const N: usize> {
    is_taken: bool,
    /// Who comes next gets this one, and waits for all that have a lesser one.
    next: u64,
    waiting: [Option<(u64, Waker)>; N],
}

impl<const N: usize> Queue<N> {
    fn first(&self) -> Option<&(u64, Waker)> {
        self.waiting.iter().flatten().min_by_key(|(ticket, _)| *ticket)
    }

    /// Wakes who is next, if it can be its turn.
    fn wake(&self) {
        if let Some((_, waker)) = self.first().filter(|_| !self.is_taken) {
            waker.wake_by_ref();
        }
    }

    fn place_of(&mut self, ticket: u64) -> Option<&mut Option<(u64, Waker)>> {
        self.waiting.iter_mut().find(|place| place.as_ref().is_some_and(|(other, _)| *other == ticket))
    }

    /// Whether it is the turn of a ticket, or of somebody who has none yet.
    fn take(&mut self, ticket: Option<u64>) -> bool {
        let is_next = self.first().is_none_or(|(first, _)| Some(*first) == ticket);
        if self.is_taken || !is_next {
            return false;
        }
        if let Some(place) = ticket.and_then(|ticket| self.place_of(ticket)) {
            *place = None;
        }
        self.is_taken = true;
        true
    }

    /// Keeps a waker, in its old place or in a free one; its ticket.
    fn wait(&mut self, ticket: Option<u64>, waker: &Waker) -> Option<u64> {
        if let Some((_, kept)) = ticket.and_then(|ticket| self.place_of(ticket)).and_then(Option::as_mut) {
            kept.clone_from(waker);
            return ticket;
        }
        let free = self.waiting.iter_mut().find(|place| place.is_none())?;
        let ticket = self.next;
        *free = Some((ticket, waker.clone()));
        self.next += 1;
        Some(ticket)
    }
}

impl<M: RawMutex, const N: usize> Turns<M, N> {
    pub(crate) const fn new() -> Self {
        Self { queue: Mutex::new(RefCell::new(Queue { is_taken: false, next: 0, waiting: [const { None }; N] })) }
    }

    /// Waits for a turn; `None`: there is no room to wait.
    pub(crate) const fn take(&self) -> Waiting<'_, M, N> {
        Waiting { turns: self, ticket: None }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Queue<N>) -> R) -> R {
        self.queue.lock(|queue| act(&mut queue.borrow_mut()))
    }
}

/// Somebody who waits.
pub(crate) struct Waiting<'t, M: RawMutex, const N: usize> {
    turns: &'t Turns<M, N>,
    ticket: Option<u64>,
}

impl<'t, M: RawMutex, const N: usize> Future for Waiting<'t, M, N> {
    type Output = Option<Turn<'t, M, N>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (turns, ticket) = (self.turns, self.ticket);
        let (is_ours, ticket) = turns.with(|queue| match queue.take(ticket) {
            true => (true, None),
            false => (false, queue.wait(ticket, context.waker())),
        });
        self.ticket = ticket;
        match (is_ours, ticket) {
            (true, _) => Poll::Ready(Some(Turn { turns })),
            (false, Some(_)) => Poll::Pending,
            (false, None) => Poll::Ready(None),
        }
    }
}

impl<M: RawMutex, const N: usize> Drop for Waiting<'_, M, N> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.turns.with(|queue| {
                if let Some(place) = queue.place_of(ticket) {
                    *place = None;
                }
                queue.wake(); // it may have been the one that was woken
            });
        }
    }
}

/// A turn, until it is dropped.
pub(crate) struct Turn<'t, M: RawMutex, const N: usize> {
    turns: &'t Turns<M, N>,
}

impl<M: RawMutex, const N: usize> Drop for Turn<'_, M, N> {
    fn drop(&mut self) {
        self.turns.with(|queue| {
            queue.is_taken = false;
            queue.wake();
        });
    }
}
