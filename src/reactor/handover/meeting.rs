//! The reactors of one server stop together, so that all of it can be told: each between two turns, in a moment in
//! which nothing is under way in it. Then each tells its own part, the first one before the others, and stands still
//! until the first one knows what has come of it.
//!
//! Nobody waits for long. A reactor that stands still gives its thread back after some milliseconds, since a host may
//! drive all of them by one thread, and goes on with a turn if something has come for it before all have stopped.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::LOOK_MS;
use super::records::Teller;

/// How long a reactor stands still before all have stopped.
const PATIENCE: Duration = Duration::from_millis(50);

/// How far a hand-over has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    None,
    /// All are to stop.
    Called,
    /// All have stopped, and this one's part is told.
    Telling(usize),
    /// All is told, or one of them could not.
    Told,
}

/// The numbers in the log's line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub moved: usize,
    pub stay: usize,
}

struct Table {
    stage: Stage,
    /// Those who stand still, a bit for each.
    stopped: u64,
    /// Between two parts.
    teller: Option<Teller>,
    failure: Option<io::Error>,
    sums: Sums,
    /// It is over, and the successor has everything.
    is_handed_over: bool,
}

/// Where they meet.
pub(super) struct Meeting {
    table: Mutex<Table>,
    changed: Condvar,
    is_called: AtomicBool,
    reactors: usize,
}

/// The next step of a reactor that stands still.
pub(super) enum Step {
    /// To stand still.
    Wait,
    /// To go on, since there is no hand-over, or something has come for it.
    GoOn,
    /// To tell its part.
    Tell(Teller),
    /// To give up what the successor has.
    GiveUp,
}

/// The next step of the first one, beside its own.
pub(super) enum Lead {
    /// The others are to come.
    Wait,
    /// All stand still.
    Begin,
    /// All is told.
    End(Teller, Sums),
    /// It has failed.
    Failed(io::Error),
}

impl Meeting {
    pub(super) fn new(reactors: usize) -> Arc<Meeting> {
        let table = Table {
            stage: Stage::None,
            stopped: 0,
            teller: None,
            failure: None,
            sums: Sums::default(),
            is_handed_over: false,
        };
        let (changed, is_called) = (Condvar::new(), AtomicBool::new(false));
        Arc::new(Meeting { table: Mutex::new(table), changed, is_called, reactors })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(super) fn reactors(&self) -> usize {
        self.reactors
    }

    /// Whether all are to stop.
    pub(super) fn is_called(&self) -> bool {
        self.is_called.load(Ordering::Acquire)
    }

    /// Calls all of them. False: that has happened.
    pub(super) fn call(&self) -> bool {
        let mut table = self.lock();
        let is_first = table.stage == Stage::None;
        if is_first {
            table.stage = Stage::Called;
            self.is_called.store(true, Ordering::Release);
        }
        is_first
    }

    /// One of them stands still now.
    fn stop(&self, seat: usize) {
        let mut table = self.lock();
        if table.stage == Stage::Called {
            table.stopped |= 1 << seat;
            self.changed.notify_all();
        }
    }

    /// The step of one of them; `may_stay`: nothing has come for it. Waits for a step at most so long.
    fn step(&self, seat: usize, may_stay: bool, at_most: Duration) -> Step {
        let mut table = self.lock();
        for is_last in [false, true] {
            match table.stage {
                Stage::None if table.is_handed_over => return Step::GiveUp,
                Stage::None => return Step::GoOn,
                Stage::Called if !may_stay => {
                    table.stopped &= !(1 << seat);
                    return Step::GoOn;
                }
                Stage::Called => table.stopped |= 1 << seat,
                Stage::Telling(at) if at == seat => {
                    if let Some(teller) = table.teller.take() {
                        return Step::Tell(teller);
                    }
                }
                Stage::Telling(_) | Stage::Told => {}
            }
            if !is_last {
                let waited = self.changed.wait_timeout(table, at_most);
                (table, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
        Step::Wait
    }

    /// One of them has told its part, or could not.
    fn told(&self, seat: usize, teller: Teller, told: io::Result<Sums>) {
        let mut table = self.lock();
        if table.stage != Stage::Telling(seat) {
            // It took too long.
            return;
        }
        table.teller = Some(teller);
        match told {
            Ok(Sums { moved, stay }) => {
                table.sums.moved += moved;
                table.sums.stay += stay;
                let next = seat + 1;
                table.stage = if next < self.reactors { Stage::Telling(next) } else { Stage::Told };
            }
            Err(failure) => {
                table.failure = Some(failure);
                table.stage = Stage::Told;
            }
        }
        self.changed.notify_all();
    }

    /// For the first one: whether it goes on. `freeze` keeps other threads from asking for anything more.
    pub(super) fn lead(&self, is_late: bool, freeze: impl FnOnce() -> bool) -> Lead {
        let mut table = self.lock();
        let all = u64::MAX >> (u64::BITS as usize - self.reactors);
        match table.stage {
            Stage::Called if table.stopped == all && freeze() => {
                table.stage = Stage::Telling(0);
                table.sums = Sums::default();
                Lead::Begin
            }
            Stage::Told => match (table.failure.take(), table.teller.take()) {
                (None, Some(teller)) => Lead::End(teller, table.sums),
                (failure, _) => Lead::Failed(failure.unwrap_or_else(|| io::ErrorKind::TimedOut.into())),
            },
            Stage::Called if is_late => {
                Lead::Failed(io::Error::other("requests are under way all the time; try again"))
            }
            Stage::Telling(_) if is_late => {
                Lead::Failed(io::Error::new(io::ErrorKind::TimedOut, "it took too long"))
            }
            Stage::None | Stage::Called | Stage::Telling(_) => Lead::Wait,
        }
    }

    /// For the first one: it is over.
    pub(super) fn close(&self, is_handed_over: bool) {
        let mut table = self.lock();
        self.is_called.store(false, Ordering::Release);
        (table.stage, table.stopped, table.teller) = (Stage::None, 0, None);
        table.is_handed_over = is_handed_over;
        self.changed.notify_all();
    }
}

/// A reactor's part in it.
pub(super) struct Part {
    meeting: Arc<Meeting>,
    seat: usize,
    /// Since when it stands still.
    stopped: Option<Instant>,
    /// The connections that it has told of.
    pub(super) moved: Vec<usize>,
}

impl Part {
    pub(super) fn new(meeting: Arc<Meeting>, seat: usize) -> Part {
        Part { meeting, seat, stopped: None, moved: Vec::new() }
    }

    pub(super) fn meeting(&self) -> &Arc<Meeting> {
        &self.meeting
    }

    /// Whether it stands still.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Whether it looks after this without being woken.
    pub(super) fn is_due(&self) -> bool {
        self.stopped.is_some() || self.meeting.is_called()
    }

    /// Stands still from now on.
    pub(super) fn stop(&mut self) {
        self.stopped = Some(Instant::now());
        self.meeting.stop(self.seat);
    }

    /// The next step.
    pub(super) fn step(&mut self, has_news: bool, timeout: Option<Duration>) -> Step {
        let Some(since) = self.stopped else { return Step::GoOn };
        let at_most = Duration::from_millis(LOOK_MS).min(timeout.unwrap_or(Duration::MAX));
        // The first one is asked again at once whether it leads.
        let at_most = if self.seat == 0 && self.meeting.reactors == 1 { Duration::ZERO } else { at_most };
        let step = self.meeting.step(self.seat, !has_news && since.elapsed() < PATIENCE, at_most);
        if matches!(step, Step::GoOn | Step::GiveUp) {
            self.stopped = None;
        }
        step
    }

    /// Its part is told.
    pub(super) fn told(&mut self, teller: Teller, told: io::Result<Vec<usize>>, connections: usize) {
        let told = told.map(|moved| {
            let sums = Sums { moved: moved.len(), stay: connections - moved.len() };
            self.moved = moved;
            sums
        });
        self.meeting.told(self.seat, teller, told);
    }
}
