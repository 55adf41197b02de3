//! What CMSIS drivers share: `Driver_Common.h`, and words of bits.

/// `ARM_DRIVER_VERSION`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Of the interface: major and minor.
    pub api: u16,
    /// Of this driver.
    pub drv: u16,
}

/// A word of bits that C declares as bit fields: capabilities, status, mode.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// The first field is the lowest bit.
    pub bits: u32,
}
