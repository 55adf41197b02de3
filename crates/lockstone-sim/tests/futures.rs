//! Operations that are polled, and dropped half way.
#![cfg(feature = "async")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use lockstone_sim::{SimError, SimFlash, Tear};

type Flash = SimFlash<1, 4, 256>;

#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls up to `polls` times, then drops the future. Checks that each pause rang the bell.
fn poll<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let mut future = pin!(future);
    for pauses in 1..=polls {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => assert_eq!(bell.0.load(Ordering::Relaxed), pauses),
        }
    }
    None
}

#[test]
fn every_operation_pauses_twice() {
    let mut flash = Flash::new(1024, 0xff);
    assert_eq!(poll(2, flash.erase(0, 1024)), None);
    assert_eq!(poll(3, flash.erase(0, 1024)), Some(Ok(())));
    assert_eq!(poll(3, flash.write(0, &[5; 8])), Some(Ok(())));
    let mut bytes = [0; 8];
    assert_eq!(poll(3, flash.read(0, &mut bytes)), Some(Ok(())));
    assert_eq!(bytes, [5; 8]);
}

#[test]
fn dropped_at_the_first_pause_nothing_happened_at_the_second_everything() {
    let mut flash = Flash::new(1024, 0xff);
    assert_eq!(poll(1, flash.write(0, &[5; 8])), None);
    assert_eq!((flash.operations(), flash.data()[0]), (0, 0xff));
    assert_eq!(poll(2, flash.write(0, &[5; 8])), None);
    assert_eq!((flash.operations(), flash.data()[0]), (1, 5));
    assert_eq!(poll(1, flash.erase(0, 256)), None);
    assert_eq!(flash.data()[0], 5);
    assert_eq!(poll(2, flash.erase(0, 256)), None);
    assert_eq!(flash.data()[0], 0xff);
}

#[test]
fn cuts_reach_futures() {
    let mut flash = Flash::new(1024, 0xff);
    flash.cut_at(0, Tear::Whole);
    assert_eq!(poll(3, flash.write(0, &[5; 8])), Some(Err(SimError::PowerCut)));
    assert_eq!(poll(3, flash.read(0, &mut [0])), Some(Err(SimError::PowerCut)));
    assert_eq!(flash.data()[..8], [5; 8]);
}
