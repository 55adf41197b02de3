//! The frame of every program: start, result, exit code.

use crate::semihosting::exit;
use crate::{Failure, stack};

/// Makes a function the program: `program!(main)`, where `main` returns `Result<(), Failure>`. How it is started, the crate
/// `board` says.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        /// Where the start-up code of `cortex-m-rt` jumps to.
        // SAFETY: nothing else is called `main` in a program without an operating system.
        #[unsafe(no_mangle)]
        extern "C" fn main() -> ! {
            ::board::start($main)
        }

        $crate::stop_on_panic!();
    };
}

/// What a panic does: says so, and ends the emulator.
#[macro_export]
macro_rules! stop_on_panic {
    () => {
        #[panic_handler]
        fn stop(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::println!("{info}");
            $crate::semihosting::exit(101)
        }
    };
}

/// Runs the program and ends the emulator with its exit code.
pub fn run(program: fn() -> Result<(), Failure>) -> ! {
    end(program())
}

/// Ends the emulator: for programs whose tasks never return.
pub fn end(ended: Result<(), Failure>) -> ! {
    stack::report();
    exit(u32::from(ended.is_err()))
}

/// The same on a board whose flash lasts as long as the emulator: restarts it until it was started so often.
#[cfg(target_arch = "arm")]
pub fn run_again(program: fn() -> Result<(), Failure>, starts: u32) -> ! {
    let start = crate::nvmc::count_start();
    if start > 1 {
        crate::println!("-- start {start}");
    }
    let ended = program();
    stack::report();
    if ended.is_err() || start == starts {
        exit(u32::from(ended.is_err()))
    }
    cortex_m::peripheral::SCB::sys_reset()
}
