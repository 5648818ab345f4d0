//! Redis Cluster as one server: each command goes to the master that has its keys, and after them when they move. One
//! without keys goes to all masters.
//!
//! Streams that lie at several masters can't be waited for by one question. `Watchers` wait for each of them, and when
//! one has something all are read, so that what was published before a call is read before it as well.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use redis::{Cmd, Connection, ConnectionLike, Pipeline, Value, cmd};

use super::connect::{check_server, plain, strange};
use super::keys::NODES;
use super::outside::Wire;
use super::reply;
use super::servers::Servers;
use super::slots::{Elsewhere, SlotMap, host_of, slot};
use super::streams::Streams;
use super::watchers::Watchers;

/// So often a command is sent after its keys, and the time in between when they are on their way.
const FOLLOWED: usize = 20;
const ON_ITS_WAY: Duration = Duration::from_millis(10);

/// All masters.
pub(super) struct Shards {
    servers: Arc<Servers>,
    masters: Vec<Master>,
    map: SlotMap,
    connect: Duration,
    answer: Duration,
    /// Said to all masters, and to those that come later.
    scripts: Vec<Cmd>,
    watchers: Watchers,
}

struct Master {
    address: String,
    connection: Connection,
}

impl Shards {
    /// Connects to all masters.
    ///
    /// # Errors
    /// Why not, and to whom.
    pub fn open(servers: &Arc<Servers>, connect: Duration, answer: Duration) -> Result<Shards, String> {
        let map = servers.slots(connect)?;
        let mut shards = Shards {
            servers: servers.clone(),
            masters: Vec::new(),
            connect,
            answer,
            scripts: Vec::new(),
            watchers: Watchers::new(servers.clone()),
            map,
        };
        for address in shards.map.masters() {
            shards.master(&address)?;
        }
        Ok(shards)
    }

    /// The place of a master, to which a connection is made if there is none.
    fn master(&mut self, address: &str) -> Result<usize, String> {
        if let Some(at) = self.masters.iter().position(|master| master.address == address) {
            return Ok(at);
        }
        let why = |problem: String| format!("{address}: {problem}");
        let mut connection = self.servers.at(address)?.open(self.connect)?.connection;
        let set = connection.set_read_timeout(Some(self.answer));
        set.and_then(|()| connection.set_write_timeout(Some(self.answer))).map_err(|p| why(plain(&p)))?;
        let info = connection.req_command(cmd("INFO").arg("everything")).map_err(|p| why(plain(&p)))?;
        check_server(reply::text(&info).unwrap_or_default()).map_err(why)?;
        for script in &self.scripts {
            connection.req_command(script).map_err(|p| why(plain(&p)))?;
        }
        self.masters.push(Master { address: address.to_owned(), connection });
        Ok(self.masters.len() - 1)
    }

    fn master_of(&mut self, slot: u16) -> Result<usize, String> {
        let address = self.map.of(slot).ok_or("the cluster has not all slots")?.to_owned();
        self.master(&address)
    }

    /// The answers to commands that go out at once, to all masters that they are for.
    fn ask_together(&mut self, commands: &[&Cmd]) -> Result<Vec<Value>, String> {
        let mut places = Vec::with_capacity(commands.len());
        for command in commands {
            let key = key(command).ok_or("a command without a key")?;
            places.push(self.master_of(slot(key))?);
        }
        for (at, master) in self.masters.iter_mut().enumerate() {
            let own = commands.iter().zip(&places).filter(|(_, place)| **place == at);
            let packed: Vec<u8> = own.flat_map(|(command, _)| command.get_packed_command()).collect();
            if !packed.is_empty() {
                master.connection.send_packed_command(&packed).map_err(|p| named(&master.address, &p))?;
            }
        }
        let mut answers = Vec::with_capacity(commands.len());
        for place in &places {
            let master = &mut self.masters[*place];
            answers.push(master.connection.recv_response().map_err(|p| named(&master.address, &p))?);
        }
        // All answers are there before a connection is used again.
        for ((command, place), answer) in commands.iter().zip(&places).zip(&mut answers) {
            if Elsewhere::read(answer, "").is_some() {
                *answer = self.follow(command, *place, std::mem::replace(answer, Value::Nil))?;
            }
        }
        Ok(answers)
    }

    /// Sends a command after its keys.
    fn follow(&mut self, command: &Cmd, mut at: usize, mut answer: Value) -> Result<Value, String> {
        for _ in 0..FOLLOWED {
            match Elsewhere::read(&answer, host_of(&self.masters[at].address)) {
                None => break,
                Some(Elsewhere::Moved(slot, address)) => {
                    self.map.set(slot, &address);
                    at = self.master(&address)?;
                    answer = self.ask_at(at, command)?;
                }
                Some(Elsewhere::Ask(address)) => {
                    let there = self.master(&address)?;
                    self.ask_at(there, &cmd("ASKING"))?;
                    answer = self.ask_at(there, command)?;
                    if matches!(Elsewhere::read(&answer, ""), Some(Elsewhere::TryAgain)) {
                        thread::sleep(ON_ITS_WAY);
                        answer = self.ask_at(at, command)?;
                    }
                }
                Some(Elsewhere::TryAgain) => {
                    thread::sleep(ON_ITS_WAY);
                    answer = self.ask_at(at, command)?;
                }
            }
        }
        Ok(answer)
    }

    fn ask_at(&mut self, at: usize, command: &Cmd) -> Result<Value, String> {
        let Master { connection, address } = &mut self.masters[at];
        connection.req_command(command).map_err(|problem| named(address, &problem))
    }

    /// Says something to all masters; the answer of the last, or an error.
    fn ask_all(&mut self, command: &Cmd) -> Result<Value, String> {
        if words(command).first().is_some_and(|word| word.eq_ignore_ascii_case(b"SCRIPT")) {
            self.scripts.push(command.clone());
        }
        let mut last = Value::Nil;
        for at in 0..self.masters.len() {
            last = self.ask_at(at, command)?;
            if let Value::ServerError(_) = last {
                break;
            }
        }
        Ok(last)
    }

    /// The entries of streams, wherever they lie.
    fn read_streams(&mut self, streams: &Streams) -> Result<Value, String> {
        let read = self.sweep(streams)?;
        let Some(block) = streams.block.filter(|_| read == Value::Nil) else { return Ok(read) };
        let map = &self.map;
        if !self.watchers.wait(streams, block, |slot| map.of(slot).map(str::to_owned))? {
            return Ok(Value::Nil);
        }
        self.sweep(streams)
    }

    fn sweep(&mut self, streams: &Streams) -> Result<Value, String> {
        let commands: Vec<Cmd> = streams.slots.iter().map(|(_, part)| streams.command(part)).collect();
        let commands: Vec<&Cmd> = commands.iter().collect();
        let mut all = Vec::new();
        for answer in self.ask_together(&commands)? {
            match answer {
                Value::Array(read) => all.extend(read),
                Value::Nil => {}
                other => return Ok(other),
            }
        }
        Ok(if all.is_empty() { Value::Nil } else { Value::Array(all) })
    }
}

impl Wire for Shards {
    fn ask(&mut self, commands: &Pipeline) -> Result<Vec<Value>, String> {
        let commands: Vec<&Cmd> = commands.cmd_iter().collect();
        let mut answers = Vec::with_capacity(commands.len());
        // A call of a node comes behind what was published before it, and before what is published then.
        for part in commands.chunk_by(|one, other| is_for_partition(one) && is_for_partition(other)) {
            match part {
                [one] => answers.push(self.ask_one(one)?),
                several => answers.extend(self.ask_together(several)?),
            }
        }
        Ok(answers)
    }

    fn ask_one(&mut self, command: &Cmd) -> Result<Value, String> {
        if let Some(streams) = Streams::read(&words(command)) {
            return self.read_streams(&streams);
        }
        if key(command).is_none() {
            return self.ask_all(command);
        }
        self.ask_together(&[command])?.pop().ok_or_else(strange)
    }

    fn set_patience(&mut self, answer: Duration) -> Result<(), String> {
        self.answer = answer;
        let mut all = self.masters.iter();
        all.try_for_each(|master| {
            let set = master.connection.set_read_timeout(Some(answer));
            set.map_err(|problem| named(&master.address, &problem))
        })
    }
}

fn named(address: &str, problem: &redis::RedisError) -> String {
    format!("{address}: {}", plain(problem))
}

/// The words of a command.
fn words(command: &Cmd) -> Vec<&[u8]> {
    let words = command.args_iter().map(|arg| match arg {
        redis::Arg::Simple(word) => word,
        _ => b"0",
    });
    words.collect()
}

/// The first key of a command; None: it has none.
fn key(command: &Cmd) -> Option<&[u8]> {
    let words = words(command);
    match *words.first()? {
        b"EVALSHA" => (**words.get(2)? != *b"0").then(|| words.get(3).copied())?,
        b"INFO" | b"PING" | b"SCRIPT" => None,
        b"XREAD" => {
            words.iter().position(|word| **word == *b"STREAMS").and_then(|at| words.get(at + 1).copied())
        }
        _ => words.get(1).copied(),
    }
}

/// Whether a command is about a partition, whose order nothing but its own stream knows.
fn is_for_partition(command: &Cmd) -> bool {
    key(command).is_some_and(|key| !key.windows(NODES.len() + 2).any(|part| part == b"{nodes}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_its_key_where_it_has_it() {
        let of = |text: &str| {
            let mut parts = text.split(' ');
            let mut command = cmd(parts.next().unwrap());
            parts.for_each(|part| _ = command.arg(part));
            key(&command).map(|key| String::from_utf8_lossy(key).into_owned())
        };
        assert_eq!(of("EVALSHA sha 2 k l v").as_deref(), Some("k"));
        assert_eq!(of("HGETALL k").as_deref(), Some("k"));
        assert_eq!(of("XREAD COUNT 1 STREAMS k l 0 0").as_deref(), Some("k"));
        assert_eq!(
            (of("EVALSHA sha 0"), of("INFO everything"), of("PING"), of("SCRIPT LOAD x")),
            (None, None, None, None)
        );
        let mut command = cmd("HGET");
        command.arg("wspush:{nodes}:lease");
        assert!(!is_for_partition(&command) && is_for_partition(cmd("HGET").arg("wspush:{3}:top")));
        assert_eq!(NODES, "nodes");
    }
}
