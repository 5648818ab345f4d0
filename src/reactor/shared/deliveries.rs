//! How far the newest publications have come at one reactor, as of its last turn.

use crate::narrow;
use crate::push::{Delivery, Eighths, RECEIPTS_KEPT};

/// The deliveries that a reactor keeps for those who ask about receipts.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub(in super::super) struct Deliveries {
    kept: Vec<Delivery>,
    /// Where there are several reactors, the times that those of all together are made of.
    eighths: Vec<Eighths>,
    /// Where there are several: the publications up to this receipt are taken in here.
    taken_in: u64,
}

/// Where the delivery of a receipt lies among those that are kept.
pub(super) fn place_of(receipt: u64) -> usize {
    narrow::to_usize(receipt % RECEIPTS_KEPT as u64)
}

impl Deliveries {
    /// Keeps one. Inlined: in a burst this is asked for each publication.
    #[inline]
    pub fn keep(&mut self, delivery: &Delivery) {
        let place = place_of(delivery.id);
        if self.kept.len() <= place {
            self.kept.resize(place + 1, Delivery::default());
        }
        if self.kept[place].id <= delivery.id {
            self.kept[place].clone_from(delivery);
        }
    }

    /// Keeps the part of one that a reactor among several has.
    pub fn keep_part(&mut self, delivery: &Delivery, now_us: u64) {
        let place = place_of(delivery.id);
        let kept = self.kept.get(place).map_or(0, |kept| kept.id);
        if kept > delivery.id {
            return;
        }
        self.keep(delivery);
        if self.eighths.len() <= place {
            self.eighths.resize(place + 1, Eighths::default());
        }
        let eighths = &mut self.eighths[place];
        if kept < delivery.id {
            *eighths = Eighths::default();
        }
        eighths.note(delivery, now_us);
    }

    /// The publications up to this receipt are taken in by this reactor, and those behind it are not.
    pub fn take_in(&mut self, receipt: u64) {
        self.taken_in = receipt;
    }

    /// Whether this one is.
    pub fn has_taken_in(&self, receipt: u64) -> bool {
        self.taken_in >= receipt
    }

    /// The delivery of a receipt, if it is kept.
    pub fn find(&self, receipt: u64) -> Option<(Delivery, Eighths)> {
        let place = place_of(receipt);
        let kept = self.kept.get(place).filter(|delivery| delivery.id == receipt && receipt != 0)?;
        Some((kept.clone(), self.eighths.get(place).copied().unwrap_or_default()))
    }
}
