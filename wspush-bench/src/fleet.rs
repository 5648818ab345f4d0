//! All workers of a campaign: threads of this process, or of children when one process may not open enough
//! descriptors. A child is this program again; jobs, orders and events cross its pipes as lines of JSON.

use crate::job::{Event, Job, Order};
use crate::redact;
use crate::sys;
use crate::tally::Tally;
use crate::worker::Worker;
use mio::Waker;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Where a worker is reached.
enum Hand {
    Thread { orders: Sender<Order>, waker: Arc<Waker> },
    Process { child: Child, orders: ChildStdin },
}

/// The workers.
pub(crate) struct Fleet {
    hands: Vec<Hand>,
    workers: usize,
    events: Receiver<(usize, Event)>,
}

impl Fleet {
    /// Starts one worker for each job, all in this process.
    pub(crate) fn in_threads(jobs: Vec<Job>) -> Result<Self, String> {
        let (sender, events) = mpsc::channel();
        let workers = jobs.len();
        let mut hands = Vec::with_capacity(workers);
        for job in jobs {
            let (orders, receiver) = mpsc::channel();
            let name = format!("load-{}", job.worker);
            let (worker, waker) = Worker::new(job, receiver, sender.clone())?;
            thread::Builder::new()
                .name(name)
                .spawn(move || worker.run())
                .map_err(|error| format!("can't start a thread: {error}"))?;
            hands.push(Hand::Thread { orders, waker });
        }
        Ok(Self { hands, workers, events })
    }

    /// Starts a child for each share of the jobs.
    pub(crate) fn in_processes(shares: &[Vec<Job>]) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| format!("can't find this program: {error}"))?;
        let (sender, events) = mpsc::channel();
        let mut hands = Vec::with_capacity(shares.len());
        for jobs in shares {
            let mut child = Command::new(&program)
                .arg("worker")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(|error| format!("can't start {}: {error}", program.display()))?;
            let (Some(mut orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
                return Err("a child without pipes".into());
            };
            write_line(&mut orders, jobs)?;
            let sender = sender.clone();
            let workers = jobs.len();
            thread::spawn(move || relay(BufReader::new(output), workers, &sender));
            hands.push(Hand::Process { child, orders });
        }
        Ok(Self { hands, workers: shares.iter().map(Vec::len).sum(), events })
    }

    /// Gives an order to all.
    pub(crate) fn order(&mut self, order: Order) -> Result<(), String> {
        for hand in &mut self.hands {
            match hand {
                Hand::Thread { orders, waker } => {
                    orders.send(order).map_err(|_| "a worker thread has died".to_owned())?;
                    waker.wake().map_err(|error| format!("can't wake a worker: {error}"))?;
                }
                Hand::Process { orders, .. } => write_line(orders, &order)?,
            }
        }
        Ok(())
    }

    /// Waits until every worker has sent an event that `is_it` takes. False when the time is over before.
    fn wait(
        &self,
        limit: Option<Duration>,
        mut is_it: impl FnMut(usize, &mut Event) -> bool,
    ) -> Result<bool, String> {
        let begun = Instant::now();
        let mut missing = self.workers;
        while missing > 0 {
            let left = limit.map_or(Duration::from_secs(3600), |limit| limit.saturating_sub(begun.elapsed()));
            match self.events.recv_timeout(left) {
                Ok((_, Event::Fault(fault))) => return Err(fault),
                Ok((worker, mut event)) => missing -= usize::from(is_it(worker, &mut event)),
                Err(RecvTimeoutError::Timeout) if limit.is_some() => return Ok(false),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("every worker has died".into()),
            }
        }
        Ok(true)
    }

    /// Lets every worker begin to count anew, and waits until it has.
    pub(crate) fn mark(&mut self) -> Result<(), String> {
        self.order(Order::Mark)?;
        self.wait(None, |_, event| matches!(event, Event::Marked)).map(|_| ())
    }

    /// Waits until every worker has its first TLS tickets.
    pub(crate) fn primed(&self) -> Result<(), String> {
        self.wait(None, |_, event| matches!(event, Event::Primed)).map(|_| ())
    }

    /// Waits until every connection is open or has failed; `report` hears how many of each.
    pub(crate) fn connected(&self, report: impl Fn(u32, u32)) -> Result<(u32, u32), String> {
        let mut counts = vec![(0, 0); self.workers];
        let sum = |counts: &[(u32, u32)]| {
            counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
        };
        self.wait(None, |worker, event| {
            let (Event::Progress { open, failed } | Event::Connected { open, failed }) = *event else {
                return false;
            };
            counts[worker] = (open, failed);
            let (open, failed) = sum(&counts);
            report(open, failed);
            matches!(event, Event::Connected { .. })
        })?;
        Ok(sum(&counts))
    }

    /// Waits until everybody has `publications`.
    pub(crate) fn caught_up(&self, publications: u32, limit: Duration) -> Result<bool, String> {
        self.wait(
            Some(limit),
            |_, event| matches!(event, Event::CaughtUp { publications: got } if *got == publications),
        )
    }

    /// Waits until no echo is under way.
    pub(crate) fn halted(&self, limit: Duration) -> Result<bool, String> {
        self.wait(Some(limit), |_, event| matches!(event, Event::Halted))
    }

    /// Ends the work and sums up.
    pub(crate) fn finish(mut self) -> Result<Tally, String> {
        self.order(Order::Finish)?;
        let mut sum = Tally::default();
        self.wait(None, |_, event| {
            let Event::Finished(tally) = event else { return false };
            sum.merge(tally);
            true
        })?;
        for hand in &mut self.hands {
            if let Hand::Process { child, .. } = hand {
                child.wait().map_err(|error| format!("a child is lost: {error}"))?;
            }
        }
        Ok(sum)
    }
}

/// A child's life: jobs from the first line of standard input, an order from every other, events to standard
/// output.
pub(crate) fn serve_parent() -> Result<(), String> {
    sys::raise_descriptor_limit().map_err(|error| format!("descriptor limit: {error}"))?;
    let mut lines = BufReader::new(std::io::stdin()).lines().map_while(Result::ok);
    let jobs = lines.next().ok_or("a worker is started by wspush-bench itself, not by hand")?;
    let jobs: Vec<Job> =
        serde_json::from_str(&jobs).map_err(|error| format!("unreadable job: {}", redact::json(&error)))?;
    let workers = jobs.len();
    let Fleet { hands, events, .. } = Fleet::in_threads(jobs)?;
    let mut fleet = Fleet { hands, workers, events: mpsc::channel().1 };
    thread::spawn(move || {
        while let Some(order) = lines.next().and_then(|line| serde_json::from_str(&line).ok()) {
            if fleet.order(order).is_err() {
                break;
            }
        }
        // The parent is gone, or done: then this one fails, because nobody is left to take it.
        let _ = fleet.order(Order::Finish);
    });
    let mut output = std::io::stdout();
    let mut finished = 0;
    while let Ok((worker, event)) = events.recv() {
        write_line(&mut output, &(worker, &event))?;
        finished += usize::from(matches!(event, Event::Finished(_)));
        if finished == workers {
            break;
        }
    }
    Ok(())
}

/// Hands on what a child says, and that it has died when it falls silent too early.
fn relay(output: impl BufRead, workers: usize, events: &Sender<(usize, Event)>) {
    let mut finished = 0;
    for line in output.lines().map_while(Result::ok) {
        let event: (usize, Event) = serde_json::from_str(&line).unwrap_or_else(|error| {
            (0, Event::Fault(format!("a child spoke nonsense: {}", redact::json(&error))))
        });
        finished += usize::from(matches!(event.1, Event::Finished(_)));
        if events.send(event).is_err() {
            return;
        }
    }
    if finished < workers {
        // The campaign may have ended with a fault of its own, and then nobody hears this one.
        let _ = events.send((0, Event::Fault("a child process has died".into())));
    }
}

fn write_line(pipe: &mut impl Write, value: &impl serde::Serialize) -> Result<(), String> {
    let mut line = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    line.push(b'\n');
    pipe.write_all(&line)
        .and_then(|()| pipe.flush())
        .map_err(|error| format!("pipe between bench processes: {error}"))
}
