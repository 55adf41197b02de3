//! What counts mean on parts that are sold: time and energy, estimated from typical figures of data sheets.
//!
//! ```text
//! time   = read calls * call + bytes read * byte           the bus
//!        + program pages * page + bytes programmed * byte  the bus and the cells
//!        + erases * erase
//! energy = volts * (current while reading * time of it + ...)   the memory alone, without the processor that waits
//! ```
//!
//! The processor's own time, for the index and for sealing, is not in it: these are estimates of what the part costs. What
//! a data sheet does not say is marked as assumed.

use lockstone_sim::Counts;

/// A part, in microseconds, milliamperes and volts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Device {
    /// Name for tables.
    pub name: &'static str,
    /// Where the figures are from, and what is assumed.
    pub source: &'static str,
    /// Each read call: command, address, select.
    pub read_call: f64,
    /// Each byte read.
    pub read_byte: f64,
    /// Each page that is programmed: command, address, and what the cells take at least.
    pub program_call: f64,
    /// Each byte programmed: bus and cells.
    pub program_byte: f64,
    /// Longest program of one command, in bytes. A longer call is several.
    pub page: f64,
    /// Smallest transfer in bytes: what is shorter costs as much, and a program of less reads the rest first.
    pub sector: f64,
    /// Each erase of 4 KiB.
    pub erase: f64,
    /// Current while it reads, programs and erases.
    pub current: [f64; 3],
    /// Supply.
    pub volts: f64,
}

/// What one operation takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Time in microseconds.
    pub microseconds: f64,
    /// Energy in microjoules.
    pub microjoules: f64,
}

/// Select, driver and interrupt of one SPI command: assumed, a few microseconds on small processors.
const SPI_COMMAND: f64 = 2.0;

/// Winbond W25Q80BV, AC characteristics, typical: first byte of a program 30 us, further bytes 2.5 us each (256 bytes:
/// 0.7 ms), sector of 4 KiB erased in 30 ms. DC characteristics, typical: read 4 mA at 1 MHz to 6 mA at 33 MHz, program and
/// erase 20 mA, 3.3 V. A read sends 4 bytes first (03h), a program 5 with write enable.
const fn spi_nor(name: &'static str, megahertz: f64, read_current: f64) -> Device {
    let byte = 8.0 / megahertz;
    Device {
        name,
        source: "Winbond W25Q80BV data sheet, AC and DC characteristics, typical: tBP1 30 µs, tBP2 2.5 µs, tSE 30 ms; \
                 read 5 or 7 mA, program and erase 20 mA. 2 µs a command are assumed for select and driver.",
        read_call: SPI_COMMAND + 4.0 * byte,
        read_byte: byte,
        program_call: 2.0 * SPI_COMMAND + 5.0 * byte + 30.0 - 2.5,
        program_byte: byte + 2.5,
        page: 256.0,
        sector: 1.0,
        erase: 2.0 * SPI_COMMAND + 5.0 * byte + 30_000.0,
        current: [read_current, 20.0, 20.0],
        volts: 3.3,
    }
}

/// The parts that estimates are made for.
pub const DEVICES: [Device; 4] = [
    spi_nor("SPI NOR, 8 MHz", 8.0, 5.0),
    spi_nor("SPI NOR, 40 MHz", 40.0, 7.0),
    Device {
        name: "NOR inside a Cortex-M4",
        source: "Nordic nRF52840 product specification, NVMC: a word of 4 bytes written in 41 µs, a page of 4 KiB erased \
                 in 85 ms. Reads are loads: 64 MHz, about 3 cycles a word with wait states (assumed), 0.2 µs a call for the \
                 driver (assumed). No current is given for the NVMC; 3.3 mA at 3 V, what the processor takes at 64 MHz \
                 with the DC/DC converter on, is taken for all three.",
        read_call: 0.2,
        read_byte: 3.0 / 64.0 / 4.0,
        program_call: 0.5,
        program_byte: 41.0 / 4.0,
        page: 4096.0,
        sector: 1.0,
        erase: 85_000.0,
        current: [3.3, 3.3, 3.3],
        volts: 3.0,
    },
    Device {
        name: "SD card, SPI at 25 MHz",
        source: "SD Physical Layer Simplified Specification: blocks of 512 bytes, at most 100 mA at default speed, busy up to \
                 250 ms. Typical figures are measurements in the notes of Arduino's SdFat library (CardPerformance.txt): \
                 about 0.85 ms for a block written in sequence; about 1 ms for a block read at random and 5 ms for one \
                 written at random are assumed. A card erases by itself: an erase of 4 KiB is taken as 8 blocks in sequence. \
                 40 mA are assumed for reading and 60 for writing.",
        read_call: 1_000.0,
        read_byte: 8.0 / 25.0,
        program_call: 5_000.0,
        program_byte: 8.0 / 25.0,
        page: 512.0,
        sector: 512.0,
        erase: 8.0 * 850.0,
        current: [40.0, 60.0, 60.0],
        volts: 3.3,
    },
];

impl Device {
    /// Time and energy of one of so many operations that asked for these counts.
    #[must_use]
    pub fn estimate(&self, counts: &Counts, operations: u64) -> Estimate {
        if operations == 0 {
            return Estimate::default();
        }
        let [read, program, erase] = self.times(counts);
        let share = 1.0 / operations as f64;
        let charge = read * self.current[0] + program * self.current[1] + erase * self.current[2];
        // Microseconds times milliamperes times volts are nanojoules.
        Estimate { microseconds: (read + program + erase) * share, microjoules: charge * self.volts / 1_000.0 * share }
    }

    fn times(&self, counts: &Counts) -> [f64; 3] {
        let (reads, read) = self.transfers(counts.reads, counts.bytes_read, self.sector);
        let (programs, programmed) = self.transfers(counts.programs, counts.bytes_programmed, self.page);
        // A sector that is written in part is read before.
        let before = if self.sector > 1.0 { programs } else { 0.0 };
        [
            (reads + before) * self.read_call + (read + before * self.sector) * self.read_byte,
            programs * self.program_call + programmed * self.program_byte,
            counts.erases as f64 * self.erase,
        ]
    }

    /// Commands and bytes on the bus of so many calls: each call is at least one command, and a further one for each
    /// `step` that it fills, where commands have a longest.
    fn transfers(&self, calls: u64, bytes: u64, step: f64) -> (f64, f64) {
        let (calls, bytes) = (calls as f64, bytes as f64);
        if step <= 1.0 {
            return (calls, bytes);
        }
        let commands = calls.max((bytes / step).ceil());
        let sent = if self.sector > 1.0 { commands * self.sector } else { bytes };
        (commands, sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "{a} is not {b}");
    }

    #[test]
    fn a_read_over_spi_is_command_and_bytes() {
        let counts = Counts { reads: 2, bytes_read: 100, ..Counts::default() };
        let estimate = DEVICES[0].estimate(&counts, 1);
        near(estimate.microseconds, 2.0 * (2.0 + 4.0) + 100.0);
        near(estimate.microjoules, estimate.microseconds * 5.0 * 3.3 / 1000.0);
    }

    #[test]
    fn a_page_takes_what_the_data_sheet_says() {
        let counts = Counts { programs: 1, bytes_programmed: 256, ..Counts::default() };
        let cells = DEVICES[1].estimate(&counts, 1).microseconds - (4.0 + 5.0 * 0.2 + 256.0 * 0.2);
        near(cells, 30.0 + 255.0 * 2.5);
    }

    #[test]
    fn words_and_pages_of_the_microcontroller() {
        let counts = Counts { programs: 1, bytes_programmed: 4, erases: 1, ..Counts::default() };
        near(DEVICES[2].estimate(&counts, 1).microseconds, 0.5 + 41.0 + 85_000.0);
    }

    #[test]
    fn a_card_moves_whole_blocks() {
        let counts = Counts { reads: 1, bytes_read: 20, ..Counts::default() };
        near(DEVICES[3].estimate(&counts, 1).microseconds, 1_000.0 + 512.0 * 0.32);
        let counts = Counts { programs: 1, bytes_programmed: 20, ..Counts::default() };
        near(DEVICES[3].estimate(&counts, 1).microseconds, 6_000.0 + 2.0 * 512.0 * 0.32);
    }

    #[test]
    fn it_is_a_mean() {
        let counts = Counts { reads: 10, bytes_read: 1_000, ..Counts::default() };
        let one = Counts { reads: 1, bytes_read: 100, ..Counts::default() };
        near(DEVICES[1].estimate(&counts, 10).microseconds, DEVICES[1].estimate(&one, 1).microseconds);
        assert_eq!(DEVICES[0].estimate(&counts, 0), Estimate::default());
    }
}
