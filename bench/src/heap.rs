//! How much heap is in use: some peers keep their state there, and RAM is RAM.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes of heap in use now.
#[must_use]
pub fn in_use() -> usize {
    HEAP.allocated()
}
