//! Time per turn is bounded as memory is. What a connection makes the reactor do is counted in units, whatever it is,
//! and a connection that has used its share waits in a queue for another turn, behind those that wait already. So
//! nobody has to wait for more than a share of each of the others.
//!
//! A unit is about a nanosecond of one core. What counts is how kinds of work compare, so the prices are constants.

use std::collections::VecDeque;

use crate::metrics::WorkKind;
use crate::narrow;

use super::reactor::Reactor;
use super::slot::Flags;
use super::socket::Socket;

/// A connection's first share when it has something to say: of twenty floods that begin at the same time each
/// has had this before anybody else has waited for a turn.
pub(super) const FIRST: u64 = 16_384;
/// A connection's share of each turn after that.
pub(super) const SHARE: u64 = 65_536;
/// The share of a turn that the events of one poll, the connections that wait, commands, and deadlines may each take.
/// On top of it come one connection's share and a single step.
pub(super) const PART: u64 = 524_288;

/// An event of the poll.
pub(super) const EVENT: u64 = 200;
/// A system call that reads or writes.
pub(super) const CALL: u64 = 1_000;
/// Bytes read or written for a unit.
pub(super) const BYTES: u64 = 4;
/// A step through a client's frames.
pub(super) const FRAME: u64 = 64;
/// A message handed to an endpoint.
pub(super) const MESSAGE: u64 = 256;
/// A byte that comes out of an inflater.
pub(super) const INFLATED: u64 = 2;
/// A byte that goes into a compressor.
pub(super) const COMPRESSED: u64 = 16;
/// A request beside its bytes.
pub(super) const HEAD: u64 = 3_000;
/// A byte of a request's head: of one with many parameters each is looked at several times.
pub(super) const HEAD_BYTE: u64 = 8;
/// A channel's name compared with a pattern, or found and joined.
pub(super) const NAME: u64 = 50;
/// A record of TLS opened, beside its bytes.
pub(super) const RECORD: u64 = 400;
/// A flight of a TLS handshake answered: keys agreed on, a signature made or checked.
pub(super) const HANDSHAKE: u64 = 262_144;
/// A token taken apart and read.
pub(super) const TOKEN: u64 = 2_000;
/// A secret tried on a token.
pub(super) const SECRET: u64 = 500;
/// A signature of a token checked with a public key.
pub(super) const SIGNATURE: u64 = 80_000;
/// A command carried out, beside its bytes.
pub(super) const COMMAND: u64 = 1_000;
/// A deadline that has passed.
pub(super) const DEADLINE: u64 = 2_000;
/// A slot visited by the sweep, or looked at for a list.
pub(super) const SLOT: u64 = 30;
/// A publication looked at for its receipt.
pub(super) const RECEIPT: u64 = 15;

/// A connection in the queue.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    index: u32,
    serial: u32,
    /// Whether its end may have come already, so that it is looked for behind what is read. Else the poll reports it.
    to_end: bool,
}

/// The rest of a turn, and who goes on in the next one.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) meter: super::cpu::Meter,
    /// Units left for the part of the turn that is under way.
    part: u64,
    /// Units left of the share of the connection at hand.
    share: u64,
    /// Some of its input is left for another turn.
    has_postponed: bool,
    /// Units left for commands.
    commands: u64,
    /// Units ever.
    total: u64,
    /// Units since the turn began, by kind.
    spent: [u64; WorkKind::COUNT],
    /// The same of the turn before.
    spent_before: [u64; WorkKind::COUNT],
    /// Kinds that have left something for the next turn, a bit for each.
    cut: u32,
    /// Connections (slot and serial number) that go on in another turn, each once: who has [`Flags::QUEUED`].
    queue: VecDeque<Waiting>,
    /// Connections (slot and serial number) of which the poll has reported the end while they waited.
    ended: Vec<(u32, u32)>,
}

impl Default for Work {
    fn default() -> Work {
        Work {
            meter: super::cpu::Meter::default(),
            part: PART,
            share: SHARE,
            has_postponed: false,
            commands: PART,
            total: 0,
            spent: [0; WorkKind::COUNT],
            spent_before: [0; WorkKind::COUNT],
            cut: 0,
            queue: VecDeque::new(),
            ended: Vec::new(),
        }
    }
}

impl Work {
    /// Notes work that was done.
    #[inline]
    pub(super) fn charge(&mut self, kind: WorkKind, units: u64) {
        self.spent[kind as usize] += units;
        self.total += units;
        self.part = self.part.saturating_sub(units);
        self.share = self.share.saturating_sub(units);
    }

    /// The next part of the turn begins.
    pub(super) fn begin_part(&mut self) {
        self.part = PART;
    }

    /// Whether this part of the turn is over.
    pub(super) fn is_part_used(&self) -> bool {
        self.part == 0
    }

    /// A connection has its turn.
    pub(super) fn begin_share(&mut self, units: u64) {
        (self.share, self.has_postponed, self.commands) = (units, false, PART);
    }

    /// Whether the connection at hand has used its share.
    #[inline]
    pub(super) fn is_share_used(&self) -> bool {
        self.share == 0
    }

    /// Whether the connection at hand has to leave the rest of its input for another turn.
    #[inline]
    pub(super) fn postpones(&mut self, rest: &[u8]) -> bool {
        let postpones = self.is_share_used() && !rest.is_empty();
        self.has_postponed |= postpones;
        postpones
    }

    /// Whether it had to.
    pub(super) fn has_postponed(&self) -> bool {
        self.has_postponed
    }

    /// The commands of a turn are about to be carried out.
    pub(super) fn begin_commands(&mut self) {
        self.commands = PART;
    }

    /// Notes a command, with what it has cost by itself since `before`.
    pub(super) fn charge_command(&mut self, bytes: usize, before: u64) {
        self.charge(WorkKind::Commands, COMMAND + bytes as u64 / BYTES);
        self.commands = self.commands.saturating_sub(self.total - before);
    }

    /// Whether a command that has begun at `before` has used what is left for commands in this turn.
    pub(super) fn is_command_over(&self, before: u64) -> bool {
        self.total - before >= self.commands
    }

    /// Whether other commands wait for the next turn.
    pub(super) fn are_commands_used(&self) -> bool {
        self.commands == 0
    }

    /// All units ever.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Something of this kind is left for the next turn.
    pub(super) fn cut(&mut self, kind: WorkKind) {
        self.cut |= 1 << kind as u32;
    }

    /// Connections or events are left for the next turn, because of what has taken most of this one.
    pub(super) fn cut_by_most(&mut self) {
        let most = WorkKind::ALL.iter().max_by_key(|&&kind| self.spent[kind as usize]);
        most.into_iter().for_each(|&kind| self.cut(kind));
    }

    /// The turn is over; the kinds of which something is left.
    pub(super) fn end_turn(&mut self) -> impl Iterator<Item = WorkKind> + use<> {
        self.spent_before = std::mem::take(&mut self.spent);
        let cut = std::mem::take(&mut self.cut);
        WorkKind::ALL.iter().copied().filter(move |&kind| cut & 1 << kind as u32 != 0)
    }

    /// Whether no connection waits.
    pub(super) fn is_queue_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Connections that wait.
    pub(super) fn queue(&self) -> impl Iterator<Item = (u32, u32)> {
        self.queue.iter().map(|waiting| (waiting.index, waiting.serial))
    }
}

impl<S: Socket> Reactor<S> {
    /// Lets a connection go on in another turn, or in this one's next part. The edge of its end may have been seen.
    pub(super) fn go_on_later(&mut self, index: usize) {
        self.wait_in_queue(index, true);
    }

    /// The same where the poll has reported that there is something to read, and maybe the end.
    pub(super) fn read_later(&mut self, index: usize, ended: bool) {
        let slot = &self.connections.slots[index];
        if !slot.flags.any(Flags::QUEUED) {
            self.wait_in_queue(index, ended);
        } else if ended {
            self.work.ended.push((narrow::to_u32(index), slot.serial));
        }
    }

    fn wait_in_queue(&mut self, index: usize, to_end: bool) {
        let slot = &mut self.connections.slots[index];
        if !slot.flags.any(Flags::QUEUED) {
            slot.flags.set(Flags::QUEUED, true);
            let waiting = Waiting { index: narrow::to_u32(index), serial: slot.serial, to_end };
            self.work.queue.push_back(waiting);
        }
    }

    /// Gives each connection that waits a share, as far as the turn goes. A few may take larger ones: what is put aside
    /// is copied.
    pub(super) fn serve_queue(&mut self) {
        let waiting = self.work.queue.len();
        let share = SHARE.max(PART / waiting.max(1) as u64);
        for _ in 0..waiting {
            if self.work.is_part_used() {
                self.work.cut_by_most();
                break;
            }
            let Some(Waiting { index, serial, to_end }) = self.work.queue.pop_front() else { break };
            let Some(slot) = self.connections.get(index as usize, serial) else {
                continue;
            };
            slot.flags.set(Flags::QUEUED, false);
            if slot.is_decided() && self.go_on_decided(index as usize).is_err() {
                continue;
            }
            self.readable(index as usize, to_end, share);
        }
        for (index, serial) in std::mem::take(&mut self.work.ended) {
            match self.connections.get(index as usize, serial) {
                Some(slot) if slot.flags.any(Flags::QUEUED) => self.work.ended.push((index, serial)),
                Some(_) => self.go_on_later(index as usize),
                None => {}
            }
        }
        if self.work.queue.capacity() > 4 * self.work.queue.len().max(256) {
            // A storm leaves no memory behind.
            self.work.queue.shrink_to(2 * self.work.queue.len());
        }
    }

    /// Units of work of the turn that was shown last.
    #[doc(hidden)]
    pub fn units(&self, kind: WorkKind) -> u64 {
        self.work.spent_before[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_and_a_part_end_by_whatever_was_done() {
        let mut work = Work::default();
        work.begin_share(1_000);
        work.charge(WorkKind::Inflate, 999);
        assert!(!work.is_share_used());
        work.charge(WorkKind::Heads, 1);
        assert!(work.is_share_used() && !work.is_part_used());
        work.begin_share(u64::MAX);
        work.charge(WorkKind::Heads, PART);
        assert!(!work.is_share_used() && work.is_part_used());
        work.begin_part();
        assert!(!work.is_part_used());
        assert_eq!(work.total(), PART + 1_000);
    }

    #[test]
    fn a_turn_is_cut_by_what_has_taken_most_of_it() {
        let mut work = Work::default();
        work.charge(WorkKind::Read, 5);
        work.charge(WorkKind::Inflate, 6);
        work.cut_by_most();
        work.cut_by_most();
        work.cut(WorkKind::Sweep);
        assert_eq!(work.end_turn().collect::<Vec<_>>(), [WorkKind::Inflate, WorkKind::Sweep]);
        assert_eq!(work.end_turn().count(), 0);
    }

    #[test]
    fn commands_have_a_part_of_their_own() {
        let mut work = Work::default();
        work.begin_commands();
        let before = work.total();
        work.charge(WorkKind::Compress, PART - COMMAND - 1);
        work.charge_command(0, before);
        assert!(!work.are_commands_used());
        let before = work.total();
        work.charge_command(4, before);
        assert!(work.are_commands_used());
    }
}
