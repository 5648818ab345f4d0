//! Publications that a ring lacks at its older end, made of what the plain one has.

use std::ops::Range;

use crate::narrow;
use crate::protocol::envelope::Origin;
use crate::protocol::{Chunk, Enveloper};

use super::form::Form;
use super::log::Log;
use super::{past, stream};

/// Makes a form of publications that the plain log has. None is compressed: nobody knows any more whether it may be.
pub(super) struct Older<'a> {
    form: Form,
    plain: &'a Log,
    /// Whose they are.
    origin: Origin<'a>,
    enveloper: Enveloper,
    chunk: Chunk,
}

impl<'a> Older<'a> {
    /// Those of the channel that this log and this origin belong to.
    pub fn new(form: Form, plain: &'a Log, origin: Origin<'a>) -> Older<'a> {
        Older { form, plain, origin, enveloper: Enveloper::default(), chunk: Chunk::default() }
    }

    /// A publication's bytes, which may come in two pieces.
    pub fn bytes(&mut self, offset: u64) -> (&[u8], &[u8]) {
        let (start, end) = (self.plain.start_of(offset), self.plain.start_of(offset + 1));
        let (first, second) = self.plain.slices_between(start, end);
        if !self.form.is_made() {
            return (first, second);
        }
        let (kind, payload) = past::read(self.plain, offset);
        let (origin, opcode) = (Origin { offset, ..self.origin }, kind.opcode());
        if self.form.has_envelope() {
            self.enveloper.make(origin, opcode, &payload);
        }
        if self.form.is_streamed() {
            (stream::make(self.form, origin, (opcode, &payload), &self.enveloper, &mut self.chunk), &[])
        } else {
            (self.enveloper.frame(), &[])
        }
    }

    /// From where on the missing ones fit into so many bytes, and how many bytes they take.
    pub fn reach(&mut self, missing: Range<u64>, room: usize) -> (u64, usize) {
        if !self.form.is_made() {
            let bytes = self.plain.start_of(missing.end) - self.plain.start_of(missing.start);
            return (missing.start, narrow::to_usize(bytes));
        }
        let (mut first, mut bytes) = (missing.end, 0);
        for offset in missing.rev() {
            let len = self.bytes(offset).0.len();
            if bytes + len > room {
                break;
            }
            (first, bytes) = (offset, bytes + len);
        }
        (first, bytes)
    }
}
