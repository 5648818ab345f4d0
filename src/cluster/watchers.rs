//! Threads that wait for streams of Redis Cluster, one for each slot: a question that waits is for the streams of one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Connection, ConnectionLike, Value};

use super::connect::{CONNECT, plain};
use super::servers::Servers;
use super::streams::{Stream, Streams, waiting};

/// To an answer, beyond the time that it waits for something to come.
const ANSWER: Duration = Duration::from_secs(1);
/// After an answer that is none, as when a slot is on its way.
const REST: Duration = Duration::from_millis(10);

/// A question.
struct Watched {
    address: String,
    streams: Vec<Stream>,
    block: Duration,
}

/// The slot, and whether there is something to read.
type Seen = (u16, Result<bool, String>);

/// The threads, which end with this.
pub(super) struct Watchers {
    servers: Arc<Servers>,
    threads: HashMap<u16, Watcher>,
    seen: (Sender<Seen>, Receiver<Seen>),
}

struct Watcher {
    ask: Sender<Watched>,
    is_asking: bool,
}

impl Watchers {
    pub fn new(servers: Arc<Servers>) -> Watchers {
        Watchers { servers, threads: HashMap::new(), seen: channel() }
    }

    /// Waits until one of the streams has something, for so long; whether one has.
    ///
    /// # Errors
    /// A connection's.
    pub fn wait(
        &mut self,
        streams: &Streams,
        block: Duration,
        master: impl Fn(u16) -> Option<String>,
    ) -> Result<bool, String> {
        let until = Instant::now() + block;
        loop {
            for (slot, streams) in &streams.slots {
                let address = master(*slot).ok_or("the cluster has not all slots")?;
                self.ask(*slot, Watched { address, streams: streams.clone(), block })?;
            }
            match self.seen.1.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(seen) => {
                    if self.hear(seen)? {
                        // Others that have come meanwhile are not to wake anybody up once more.
                        while let Ok(seen) = self.seen.1.try_recv() {
                            self.hear(seen)?;
                        }
                        return Ok(true);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => return Err("nobody waits for the streams".to_owned()),
            }
        }
    }

    /// A thread has answered: it may be asked again.
    fn hear(&mut self, (slot, seen): Seen) -> Result<bool, String> {
        if let Some(watcher) = self.threads.get_mut(&slot) {
            watcher.is_asking = false;
        }
        seen
    }

    fn ask(&mut self, slot: u16, watched: Watched) -> Result<(), String> {
        if !self.threads.contains_key(&slot) {
            let (ask, asked) = channel();
            let (servers, tell) = (self.servers.clone(), self.seen.0.clone());
            let run = move || watch(&servers, slot, &asked, &tell);
            let thread = thread::Builder::new().name("cluster-watch".to_owned()).spawn(run);
            thread.map_err(|problem| problem.to_string())?;
            self.threads.insert(slot, Watcher { ask, is_asking: false });
        }
        let Some(watcher) = self.threads.get_mut(&slot).filter(|watcher| !watcher.is_asking) else {
            return Ok(());
        };
        watcher.is_asking = true;
        watcher.ask.send(watched).map_err(|_| "a thread that waits for a stream has ended".to_owned())
    }
}

fn watch(servers: &Servers, slot: u16, asked: &Receiver<Watched>, tell: &Sender<Seen>) {
    let mut open: Option<(String, Connection)> = None;
    while let Ok(watched) = asked.recv() {
        let seen = look(servers, &mut open, &watched);
        if tell.send((slot, seen)).is_err() {
            return;
        }
    }
}

fn look(
    servers: &Servers,
    open: &mut Option<(String, Connection)>,
    Watched { address, streams, block }: &Watched,
) -> Result<bool, String> {
    let why = |problem: &redis::RedisError| format!("{address}: {}", plain(problem));
    let mut connection = match open.take() {
        Some((there, connection)) if there == *address => connection,
        _ => {
            let connection = servers.at(address)?.open(CONNECT)?.connection;
            connection.set_read_timeout(Some(*block + ANSWER)).map_err(|problem| why(&problem))?;
            connection
        }
    };
    let seen = match connection.req_command(&waiting(streams, *block)) {
        Ok(Value::Nil) => Ok(false),
        // It has moved, or is about to: whoever reads goes after it.
        Ok(Value::ServerError(_)) => {
            thread::sleep(REST);
            Ok(true)
        }
        Ok(_) => Ok(true),
        Err(problem) => Err(why(&problem)),
    };
    if seen.is_ok() {
        *open = Some((address.clone(), connection));
    }
    seen
}
