//! A monotonic counter in one-time-programmable bits: fuses, OTP words, anything that goes from 0 to 1 and not back.
//!
//! ```text
//! bit      0  1  2  3  4  5  6  7
//!          1  1  0  1  0  0  0  0       value 4: the place behind the highest bit that is 1
//!                ^  ^
//!                |  took the step instead
//!                did not take
//! ```
//!
//! A step programs the bit at the value and reads it back. A bit that does not take is passed over: the next one takes the
//! step, and the value goes up by two. The value is a place and not the number of ones, so only the highest bit matters:
//! one below it that fails to program, wavers, or is lost with age changes nothing. [`Redundant`] makes one bit of several,
//! and then it takes that many broken fuses for the value to skip, or to go back.
//!
//! A cut may leave the bit of the step marginal: 0 now, 1 the next time. So no 1 is believed as it is: [`OtpCounter::open`]
//! programs the highest bit again, and reads it back, before it says anything. The value it says stays for the power
//! session, and no later one says less. A marginal bit that happens to read 0 can't be known for one: the old value is
//! said then, and a later session may say the new one, without another step. It's a step that was asked for.
//!
//! Who can program the bits can drive the value up, never down: the store is locked, not fooled. Down it goes only for who
//! makes the highest bit read 0.
//!
//! Tested by `tests/it/trust.rs`: cut at every program, every outcome, again during recovery, broken bits, exhaustion.

use super::MonotonicCounter;

/// How often a bit is programmed before it is given up.
const TRIES: u32 = 3;
/// How often it must read 1 in a row then.
const CHECKS: u32 = 16;

/// One-time-programmable bits that only trusted code can program.
pub trait OtpBits {
    /// What the hardware says when it fails.
    type Error;

    /// Number of bits; always the same.
    fn bits(&self) -> u32;

    /// Whether the bit is 1.
    ///
    /// # Errors
    /// The hardware's own.
    fn read(&mut self, index: u32) -> Result<bool, Self::Error>;

    /// Makes the bit 1. One that is 1 already, or may be, is programmed all the same: it must be firm afterwards. A bit
    /// that does not take is no error; reading it says so.
    ///
    /// # Errors
    /// The hardware's own: it could not be tried. The bit is what it was, or 1, or reads differently each time.
    fn program(&mut self, index: u32) -> Result<(), Self::Error>;
}

impl<B: OtpBits + ?Sized> OtpBits for &mut B {
    type Error = B::Error;

    fn bits(&self) -> u32 {
        (**self).bits()
    }

    fn read(&mut self, index: u32) -> Result<bool, B::Error> {
        (**self).read(index)
    }

    fn program(&mut self, index: u32) -> Result<(), B::Error> {
        (**self).program(index)
    }
}

/// One bit made of `COPIES`, each in a bank of its own: it is 1 if any of them is.
#[derive(Clone, Debug)]
pub struct Redundant<B, const COPIES: u32>(pub B);

impl<B: OtpBits, const COPIES: u32> OtpBits for Redundant<B, COPIES> {
    type Error = B::Error;

    fn bits(&self) -> u32 {
        const { assert!(COPIES > 0, "a bit needs a copy") };
        self.0.bits() / COPIES
    }

    fn read(&mut self, index: u32) -> Result<bool, B::Error> {
        let mut any = false;
        for copy in 0..COPIES {
            any |= self.0.read(copy * self.bits() + index)?;
        }
        Ok(any)
    }

    fn program(&mut self, index: u32) -> Result<(), B::Error> {
        (0..COPIES).try_for_each(|copy| self.0.program(copy * self.bits() + index))
    }
}

/// Why a counter could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtpCounterError<E> {
    /// The bits could not be read or programmed. The value is the old or the new one.
    Bits(E),
    /// The highest bit that reads 1 does not get firm, and there is none above it to take its place.
    Damaged,
    /// No bit is left that can be programmed.
    Exhausted,
}

impl<E: core::fmt::Debug> core::fmt::Display for OtpCounterError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bits(error) => write!(f, "the bits of the counter failed: {error:?}"),
            Self::Damaged => f.write_str("the highest bit of the counter does not get firm"),
            Self::Exhausted => f.write_str("the counter can't go up any more"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for OtpCounterError<E> {}

impl<E> From<E> for OtpCounterError<E> {
    fn from(error: E) -> Self {
        Self::Bits(error)
    }
}

/// A counter that can count as far as there are bits. Blank bits are a counter at 0: there is nothing to format.
#[derive(Debug)]
pub struct OtpCounter<B> {
    bits: B,
    value: u32,
}

impl<B: OtpBits> OtpCounter<B> {
    /// Finds the value, and makes firm what the last power session may have left half-done.
    ///
    /// # Errors
    /// [`OtpCounterError`]; open it again.
    pub fn open(bits: B) -> Result<Self, OtpCounterError<B::Error>> {
        let mut counter = Self { bits, value: 0 };
        if let Some(top) = counter.highest()?
            && !counter.advance(top)?
        {
            return Err(OtpCounterError::Damaged);
        }
        Ok(counter)
    }

    /// The present value.
    pub const fn value(&self) -> u32 {
        self.value
    }

    /// Gives the bits back.
    pub fn into_bits(self) -> B {
        self.bits
    }

    fn highest(&mut self) -> Result<Option<u32>, B::Error> {
        for index in (0..self.bits.bits()).rev() {
            if self.bits.read(index)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Programs the first bit from `from` on that takes; the value is the place behind it. False: none took.
    fn advance(&mut self, from: u32) -> Result<bool, B::Error> {
        for index in from..self.bits.bits() {
            if self.make_firm(index)? {
                self.value = index + 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn make_firm(&mut self, index: u32) -> Result<bool, B::Error> {
        for _ in 0..TRIES {
            self.bits.program(index)?;
            if self.is_firm(index)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_firm(&mut self, index: u32) -> Result<bool, B::Error> {
        for _ in 0..CHECKS {
            if !self.bits.read(index)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<B: OtpBits> MonotonicCounter for OtpCounter<B> {
    type Error = OtpCounterError<B::Error>;

    fn read(&mut self) -> Result<u64, Self::Error> {
        Ok(self.value.into())
    }

    /// More than one is added where a bit does not take. After an error the old value is said until a step succeeds; a
    /// later power session may say the new one.
    fn increment(&mut self) -> Result<u64, Self::Error> {
        if self.advance(self.value)? { Ok(self.value.into()) } else { Err(OtpCounterError::Exhausted) }
    }

    fn limit(&self) -> u64 {
        self.bits.bits().into()
    }
}
