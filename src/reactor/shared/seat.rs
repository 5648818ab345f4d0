//! The part of one reactor that other threads see, beside its inbox.

use super::super::sync::{AtomicBool, Mutex};
use super::WakeUp;
use super::deliveries::Deliveries;
use crate::endpoint::Stats;
use crate::metrics::Gauges;
use crate::reactor::own::Own;

/// A reactor, as the others know it. None of them writes here where another one looks in each turn.
#[repr(align(128))]
pub(super) struct Seat {
    /// Whether the inbox has something that the reactor has not seen. Set under the lock, so that a turn in which
    /// nobody asked for anything doesn't take it.
    pub has_news: AtomicBool,
    /// The same for what was asked about the end.
    pub has_end: AtomicBool,
    pub wake: WakeUp,
    /// The commands that the reactor's own callbacks have put into its inbox.
    pub own: Own,
    pub stats: Mutex<Stats>,
    pub gauges: Mutex<Gauges>,
    pub deliveries: Mutex<Deliveries>,
}

impl Seat {
    pub fn new(wake: WakeUp) -> Seat {
        Seat {
            has_news: AtomicBool::new(false),
            has_end: AtomicBool::new(false),
            wake,
            own: Own::default(),
            stats: Mutex::default(),
            gauges: Mutex::default(),
            deliveries: Mutex::default(),
        }
    }
}
