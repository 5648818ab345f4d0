//! A state that is written while the server goes on (`Handle::save_state`, `SIGUSR2`), for the successor of one that
//! dies.
//!
//! The reactor copies a piece of the logs in a turn and gives it to a thread, which hashes it, writes it and asks for
//! the next one through the inbox. So nobody waits for a disk, and there is one piece in memory at a time. A channel is
//! written in parts if it is longer than a piece; between two of them it may lose its oldest publications.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use crate::metrics::WorkKind;
use crate::push::state::{Counters, StateKind, StateWriter, is_saved, push_part};
use crate::push::{ChannelId, Channels};

use super::delivery::deliver;
use super::reactor::Reactor;
use super::shared::{Command, Shared};
use super::socket::Socket;
use super::state_file::{buffered, finish, put_file};
use super::work::{BYTES, NAME};

/// Bytes of publications after which a piece is long enough.
const PIECE_BYTES: usize = 512 << 10;
/// Publications and channels after which it is.
const PIECE_STEPS: u64 = 4_096;

/// A snapshot under way.
pub(super) struct Snapshot {
    /// The channel to be copied next.
    next: u32,
    /// Its epoch and the offset with which its next part begins, if it was begun.
    rest: Option<(u64, u64)>,
    writer: Sender<Piece>,
    thread: JoinHandle<()>,
    /// Another one was asked for meanwhile.
    again: bool,
}

/// A piece of a state.
enum Piece {
    Parts(Vec<u8>),
    /// The users whose tokens are revoked come last.
    End(Vec<(String, u64)>),
}

/// The news of the thread that writes.
#[derive(Clone, Debug)]
pub enum SnapshotNews {
    /// It waits for the next piece.
    Written,
    /// It is done: so many bytes, or none and why.
    Over(Result<u64, String>),
}

impl<S: Socket> Reactor<S> {
    /// Begins a snapshot; if one is under way, another one follows.
    pub(super) fn begin_snapshot(&mut self) {
        let Some(file) = self.config.state_file.clone() else {
            return self.note_not_saved("", &"no state_file is set");
        };
        if let Some(snapshot) = &mut self.exit.snapshot {
            snapshot.again = true;
            return;
        }
        if self.exit.leaves_state {
            return self.note_not_saved(&file, &"what is there is no state file of wspush");
        }
        let (writer, pieces) = channel();
        let (shared, counters) = (self.shared.clone(), self.shared.counters());
        let path = PathBuf::from(&file);
        let work = move || write(&path, counters, &pieces, &shared);
        match thread::Builder::new().name("state".to_owned()).spawn(work) {
            Ok(thread) => {
                self.exit.snapshot = Some(Snapshot { next: 0, rest: None, writer, thread, again: false });
                self.copy_piece();
            }
            Err(problem) => self.note_not_saved(&file, &problem),
        }
    }

    /// The thread has got on.
    pub(super) fn snapshot_news(&mut self, news: SnapshotNews) {
        match news {
            SnapshotNews::Written => self.copy_piece(),
            SnapshotNews::Over(outcome) => {
                let Some(Snapshot { thread, again, .. }) = self.exit.snapshot.take() else { return };
                let _ = thread.join();
                let file = self.config.state_file.clone().unwrap_or_default();
                match outcome {
                    Ok(bytes) => self.note_saved(&file, StateKind::Snapshot, bytes),
                    Err(problem) => self.note_not_saved(&file, &problem),
                }
                if again {
                    self.begin_snapshot();
                }
            }
        }
    }

    fn copy_piece(&mut self) {
        let Some(snapshot) = &mut self.exit.snapshot else { return };
        let is_over = snapshot.next as usize >= self.channels.places();
        let piece = if is_over {
            Piece::End(self.revoked.iter().map(|(user, until_s)| (user.to_owned(), until_s)).collect())
        } else {
            let (mut parts, mut steps) = (Vec::new(), PIECE_STEPS);
            while parts.len() < PIECE_BYTES && steps > 0 && (snapshot.next as usize) < self.channels.places()
            {
                steps -= 1;
                steps -= snapshot.copy_part(&self.channels, &mut parts, steps);
            }
            let units = (PIECE_STEPS - steps) * NAME + parts.len() as u64 / BYTES;
            self.work.charge(WorkKind::Commands, units);
            Piece::Parts(parts)
        };
        // If the thread has gone, its last word is on the way.
        let _ = snapshot.writer.send(piece);
    }

    /// The final state comes: nothing may take its place.
    pub(super) fn end_snapshot(&mut self) {
        if let Some(Snapshot { writer, thread, .. }) = self.exit.snapshot.take() {
            drop(writer);
            let _ = thread.join();
        }
    }
}

impl Snapshot {
    /// Copies so much of the next channel as a piece has room for, and a publication more, but no more publications
    /// than `max`; how many that are.
    fn copy_part(&mut self, channels: &Channels, parts: &mut Vec<u8>, max: u64) -> u64 {
        let channel = channels.try_get(ChannelId(self.next));
        let rest = self.rest.take();
        self.next += 1;
        let Some(channel) = channel.filter(|channel| is_saved(channel)) else { return 0 };
        let log = channel.log();
        let first = match rest {
            Some((epoch, _)) if epoch != channel.epoch => return 0,
            Some((_, from)) => from.max(log.first_offset()),
            None => log.first_offset(),
        };
        let room = PIECE_BYTES.saturating_sub(parts.len()) as u64;
        let end = log.start_of(first) + room;
        let until = if end < log.head() { log.offset_at(end).0 + 1 } else { log.next_offset() };
        let until = until.min(first + max);
        // It writes into memory.
        let _ = push_part(parts, channel, first..until);
        if until < log.next_offset() {
            self.rest = Some((channel.epoch, until));
            self.next -= 1;
        }
        until - first
    }
}

/// Writes what comes, in a thread of its own.
fn write(path: &Path, counters: Counters, pieces: &Receiver<Piece>, shared: &Arc<Shared>) {
    let written = put_file(path, |file| {
        let mut writer = StateWriter::begin(buffered(file), StateKind::Snapshot, counters)?;
        loop {
            match pieces.recv() {
                Ok(Piece::Parts(parts)) => writer.parts(&parts)?,
                Ok(Piece::End(revoked)) => {
                    let revoked = revoked.iter().map(|(user, until_s)| (&**user, *until_s));
                    return finish(writer.end(revoked)?);
                }
                // The server ends, and writes a better one.
                Err(_) => return Err(io::ErrorKind::Interrupted.into()),
            }
            tell(shared, &SnapshotNews::Written);
        }
    });
    tell(shared, &SnapshotNews::Over(written.map_err(|problem| problem.to_string())));
}

/// Tells the reactor; one that has ended needs to hear nothing.
fn tell(shared: &Shared, news: &SnapshotNews) {
    deliver(shared, || Command::Snapshot(news.clone()));
}
