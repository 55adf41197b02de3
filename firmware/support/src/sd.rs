//! The SD card of the LM3S6965 evaluation board: SPI on the controller SSI0, chip select on the pin PD0, and the protocol of
//! the crate `embedded-sdmmc`.
//!
//! The emulated card has two quirks, which no card may have, and which are put right here: it answers CMD58 as if it were still
//! idle, and it takes one byte before a data token for part of the answer to the command.

use core::fmt;
use core::ptr::{read_volatile, write_volatile};

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{Error, ErrorKind, ErrorType, Operation, SpiDevice};
use embedded_sdmmc::{Block, BlockDevice as _, BlockIdx, SdCard, SdCardError};
use lockstone_block::{BlockDevice, SECTOR};

use crate::Once;

const SSI_CONTROL_0: usize = 0x4000_8000;
const SSI_CONTROL_1: usize = 0x4000_8004;
const SSI_DATA: usize = 0x4000_8008;
const SSI_STATUS: usize = 0x4000_800c;
const SSI_PRESCALE: usize = 0x4000_8010;
/// A byte has arrived.
const ARRIVED: u32 = 1 << 2;
/// Pin 0 of port D alone: the address says which pins a write changes.
const PIN_D0: usize = 0x4000_7004;
const PORT_D_DIRECTION: usize = 0x4000_7400;
const PORT_D_DIGITAL: usize = 0x4000_751c;
const CLOCKS_1: usize = 0x400f_e104;
const CLOCKS_2: usize = 0x400f_e108;

const READ_OCR: u8 = 0x40 | 58;
/// First bytes of a block of data.
const DATA_TOKENS: core::ops::RangeInclusive<u8> = 0xfc..=0xfe;
const IDLE: u8 = 0x01;

fn set(register: usize, value: u32) {
    // SAFETY: a register of SSI0, port D or the clock gates, aligned; they touch no memory.
    unsafe { write_volatile(register as *mut u32, value) };
}

fn get(register: usize) -> u32 {
    // SAFETY: as above; reading the data register takes the byte that arrived, which nobody else waits for.
    unsafe { read_volatile(register as *const u32) }
}

/// A byte takes some dozen clocks of the processor; a controller that has not sent it after so many looks never will.
const LOOKS_MAX: u32 = 100_000;

/// The controller does not answer.
#[derive(Clone, Copy, Debug)]
struct Silent;

impl Error for Silent {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// The bus with the card on it.
struct Bus {
    /// The answer to CMD58 comes next.
    asked_for_ocr: bool,
}

impl Bus {
    fn start() -> Result<Self, Silent> {
        set(CLOCKS_1, 1 << 4); // SSI0
        set(CLOCKS_2, 1 << 3 | 1); // ports D and A
        set(PORT_D_DIRECTION, 1);
        set(PORT_D_DIGITAL, 1);
        set(SSI_CONTROL_0, 7); // 8 bits
        set(SSI_PRESCALE, 2);
        set(SSI_CONTROL_1, 2); // on
        set(PIN_D0, 1);
        let bus = Self { asked_for_ocr: false };
        // A card needs 74 clocks before it is spoken to.
        bus.send(&[0xff; 10])?;
        Ok(bus)
    }

    /// Sends a byte, and returns the one that comes back.
    fn byte(&self, byte: u8) -> Result<u8, Silent> {
        set(SSI_DATA, byte.into());
        if (0..LOOKS_MAX).all(|_| get(SSI_STATUS) & ARRIVED == 0) {
            return Err(Silent);
        }
        Ok(get(SSI_DATA) as u8)
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Silent> {
        bytes.iter().try_for_each(|byte| self.byte(*byte).map(drop))
    }

    /// The answer to CMD58 is put right.
    fn answer(&mut self, byte: u8) -> u8 {
        let first = self.asked_for_ocr && byte != 0xff;
        self.asked_for_ocr &= !first;
        if first && byte == IDLE { 0 } else { byte }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Silent> {
        match bytes {
            [READ_OCR, _, _, _, _, _] => self.asked_for_ocr = true,
            [token] if DATA_TOKENS.contains(token) => self.send(&[0xff])?,
            _ => {}
        }
        self.send(bytes)
    }

    fn transfer(&mut self, bytes: &mut [u8]) -> Result<(), Silent> {
        if matches!(bytes, [token] if DATA_TOKENS.contains(token)) {
            self.byte(0xff)?;
        }
        for byte in bytes {
            let answer = self.byte(*byte)?;
            *byte = self.answer(answer);
        }
        Ok(())
    }

    fn operate(&mut self, operation: &mut Operation<'_, u8>) -> Result<(), Silent> {
        match operation {
            Operation::Read(bytes) => {
                bytes.fill(0xff);
                self.transfer(bytes)
            }
            Operation::Write(bytes) => self.write(bytes),
            Operation::Transfer(answer, bytes) => {
                let common = answer.len().min(bytes.len());
                answer.fill(0xff);
                answer[..common].copy_from_slice(&bytes[..common]);
                self.transfer(answer)?;
                self.write(&bytes[common..])
            }
            Operation::TransferInPlace(bytes) => self.transfer(bytes),
            Operation::DelayNs(_) => Ok(()),
        }
    }
}

impl ErrorType for Bus {
    type Error = Silent;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Silent> {
        set(PIN_D0, 0);
        let ended = operations.iter_mut().try_for_each(|operation| self.operate(operation));
        set(PIN_D0, 1);
        ended
    }
}

/// The emulated card is never slow.
struct NoDelay;

impl DelayNs for NoDelay {
    fn delay_ns(&mut self, _: u32) {}
}

/// The card.
pub struct Card {
    card: SdCard<Bus, NoDelay>,
    sectors: u32,
}

/// Why a call on a card failed.
#[derive(Debug)]
pub enum CardError {
    /// It was taken already.
    Taken,
    /// The controller does not answer.
    Silent,
    /// The card says so.
    Card(SdCardError),
}

impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("the card is taken already"),
            Self::Silent => f.write_str("the controller of the card does not answer"),
            Self::Card(error) => write!(f, "the card: {error:?}"),
        }
    }
}

impl core::error::Error for CardError {}

impl From<SdCardError> for CardError {
    fn from(error: SdCardError) -> Self {
        Self::Card(error)
    }
}

static TAKEN: Once = Once::new();

impl Card {
    /// Takes the controller and starts the card.
    ///
    /// # Errors
    /// There is no card, or the controller is taken.
    pub fn take() -> Result<Self, CardError> {
        if !TAKEN.take() {
            return Err(CardError::Taken);
        }
        let bus = Bus::start().map_err(|_| CardError::Silent)?;
        let card = SdCard::new(bus, NoDelay);
        let sectors = card.num_blocks()?.0;
        Ok(Self { card, sectors })
    }
}

impl BlockDevice for Card {
    type Error = CardError;

    fn sectors(&self) -> u32 {
        self.sectors
    }

    fn read(&mut self, sector: u32, data: &mut [u8; SECTOR]) -> Result<(), CardError> {
        let mut block = [Block { contents: *data }];
        self.card.read(&mut block, BlockIdx(sector))?;
        *data = block[0].contents;
        Ok(())
    }

    fn write(&mut self, sector: u32, data: &[u8; SECTOR]) -> Result<(), CardError> {
        Ok(self.card.write(&[Block { contents: *data }], BlockIdx(sector))?)
    }

    /// The driver has waited for the card to be ready and has asked it how the write ended; the cache of newer cards is off
    /// until somebody turns it on.
    fn flush(&mut self) -> Result<(), CardError> {
        Ok(())
    }
}
