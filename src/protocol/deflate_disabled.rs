//! The stand-ins for [`Deflater`], [`Inflater`] and [`Inflating`] in a build without the feature `deflate`: nothing is
//! worth it, and nobody is told that it may.

use super::close::Violation;
use super::frame::{self, Opcode};

/// Compresses nothing.
#[derive(Default)]
pub struct Deflater {}

impl Deflater {
    /// The arguments are for those who compress.
    pub fn new(_level: u8, _bytes_min: usize) -> Deflater {
        Deflater {}
    }

    /// Nothing.
    pub fn take_work(&mut self) -> u64 {
        0
    }

    /// None: never worth it.
    pub fn frame(&mut self, _opcode: Opcode, _payload: &[u8]) -> Option<&[u8]> {
        None
    }

    /// Appends a message as one frame.
    pub fn encode(&mut self, opcode: Opcode, payload: &[u8], _window_bits: u8, out: &mut Vec<u8>) {
        frame::encode(opcode, payload, out);
    }
}

/// Inflates nothing.
#[derive(Default)]
pub struct Inflater {}

impl Inflater {
    /// Nothing.
    pub fn take_work(&mut self) -> u64 {
        0
    }

    /// Nothing is a deflated message here.
    pub fn message<'p>(
        &mut self,
        _pieces: impl Iterator<Item = &'p [u8]>,
        _bytes_max: usize,
    ) -> Result<&[u8], Violation> {
        Err(Violation::not_deflated())
    }
}

/// A decoder's memory.
pub const INFLATING_BYTES: usize = 0;

/// Inflates nothing in pieces either.
#[derive(Debug, Default)]
pub struct Inflating {}

impl Inflating {
    /// Nothing.
    pub fn begin(&mut self) {}

    /// Nothing.
    pub fn take_work(&mut self) -> u64 {
        0
    }

    /// Never.
    pub fn is_full(&self) -> bool {
        false
    }

    /// Nothing is a deflated message here.
    pub fn push(
        &mut self,
        _input: &[u8],
        _room: &mut [u8],
        _bytes_max: u64,
    ) -> Result<(usize, usize), Violation> {
        Err(Violation::not_deflated())
    }

    /// Nor its end.
    pub fn finish(&mut self, _room: &mut [u8], _bytes_max: u64) -> Result<(usize, bool), Violation> {
        Err(Violation::not_deflated())
    }
}
