//! The scripts that run within Redis, where each is one step.

use redis::{Value, cmd};

use super::outside::Wire;
use super::reply;

const STATE: &str = include_str!("scripts/state.lua");

/// The names that a server has given them.
#[derive(Debug)]
pub(super) struct Scripts {
    /// Gives publications their places.
    pub publish: String,
    /// Begins another life of a channel.
    pub forget: String,
    /// Tells how a partition is.
    pub look: String,
    /// Forgets channels that have been idle for too long.
    pub tidy: String,
    /// Tells all nodes something.
    pub call: String,
    /// Says something to one of them.
    pub reply: String,
    /// Tells which nodes there are.
    pub nodes: String,
    /// Says that a node is there.
    pub beat: String,
    /// Says who has come to a node and who has left it.
    pub who: String,
    /// Counts off whom a node had that is gone.
    pub inherit: String,
}

impl Scripts {
    /// Hands them to a server.
    pub fn load(wire: &mut dyn Wire) -> Result<Scripts, String> {
        let mut load = |body: &str| {
            let answer = wire.ask_one(cmd("SCRIPT").arg("LOAD").arg([STATE, body].concat()));
            match answer? {
                Value::ServerError(problem) => Err(problem.to_string()),
                name => reply::text(&name).map(str::to_owned).ok_or_else(|| "no name of a script".to_owned()),
            }
        };
        Ok(Scripts {
            publish: load(include_str!("scripts/publish.lua"))?,
            forget: load(include_str!("scripts/forget.lua"))?,
            look: load(include_str!("scripts/look.lua"))?,
            tidy: load(include_str!("scripts/tidy.lua"))?,
            call: load(include_str!("scripts/call.lua"))?,
            reply: load(include_str!("scripts/reply.lua"))?,
            nodes: load(include_str!("scripts/nodes.lua"))?,
            beat: load(include_str!("scripts/beat.lua"))?,
            who: load(include_str!("scripts/who.lua"))?,
            inherit: load(include_str!("scripts/inherit.lua"))?,
        })
    }
}
