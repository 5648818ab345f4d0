//! A node whose two threads are steps that somebody else takes, one at a time: a simulator.

use std::sync::Arc;
use std::time::Duration;

use super::Joining;
use super::reader::{Reader, Step};
use super::writer::{Queue, SILENCE, Writer};
use crate::reactor::Shared;

/// A node's part in the cluster.
pub struct Stepped {
    reader: Reader,
    writer: Writer,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

impl Joining {
    /// From here on the server's publications are placed by the cluster, as with [`follow`](Self::follow), but step by
    /// step.
    pub fn step_by_step(mut self, shared: &Arc<Shared>) -> Stepped {
        let writer = self.attach(shared);
        let queue = writer.queue().clone();
        Stepped { reader: self.reader, writer, queue, shared: shared.clone() }
    }
}

impl Stepped {
    /// Reads what the streams have until now; `carry_out` lets the reactors take it in.
    ///
    /// # Errors
    /// The connection's.
    pub fn warm(&mut self, mut carry_out: impl FnMut()) -> Result<(), String> {
        self.reader.warm(&self.shared, &mut carry_out)
    }

    /// One question to the streams, and what its answer leads to; after this time the next one.
    pub fn read(&mut self) -> Duration {
        rest(&self.reader.step(&self.shared))
    }

    /// One request with all that is to be handed over; after this time the next one.
    pub fn write(&mut self) -> Duration {
        rest(&self.writer.step())
    }

    /// Whether there is something to be handed over, or done at once.
    pub fn has_to_write(&self) -> bool {
        !self.queue.is_idle()
    }

    /// For so long a node writes nothing that has nothing to write.
    pub const SILENCE: Duration = SILENCE;
}

fn rest(step: &Step) -> Duration {
    match step {
        Step::On => Duration::ZERO,
        Step::Again(rest) => *rest,
        Step::Over => Duration::MAX,
    }
}
