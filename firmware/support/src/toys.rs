//! Toys: what a store needs of trusted hardware, in a form that protects nothing. **Never ship these.**

use core::convert::Infallible;

use lockstone::SoftRootKey;

/// A key that stands in this file, so everybody has it. A device has its own in fuses, a secure element, a TEE.
#[must_use]
pub fn insecure_root_key() -> SoftRootKey {
    SoftRootKey::new([0x42; 32])
}

/// The same numbers at each start. A device has a generator in hardware; the identity of a store is drawn from it.
#[derive(Clone, Copy, Debug)]
pub struct InsecureRandom(pub u32);

impl rand_core::TryRng for InsecureRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Ok(self.0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.try_next_u32()?) << 32 | u64::from(self.try_next_u32()?))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for byte in target {
            *byte = self.try_next_u32()?.to_le_bytes()[3];
        }
        Ok(())
    }
}
