//! Messages of a Redis channel, or of all channels that a pattern names. Redis keeps none of them.

use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, IntoConnectionInfo};
use wspush::reactor::sys;

use super::arguments::{Arguments, Source};
use super::redis_stream::stopped;
use super::target::Target;
use super::{Body, Item, Stop, encoded, pass_on};

/// To a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// A server that is silent is asked by the kernel whether it is there.
const SILENCE: Duration = Duration::from_secs(10);

/// Listens until that is no longer possible.
pub(super) fn follow(arguments: &Arguments, target: &mut Target) -> Stop {
    match listen(arguments, target) {
        Ok(never) => match never {},
        Err(stop) => stop,
    }
}

fn listen(arguments: &Arguments, target: &mut Target) -> Result<std::convert::Infallible, Stop> {
    let Source::Channel { name } = &arguments.source else {
        return Err(Stop::Wrong("no channel".to_owned()));
    };
    // No error repeats the URL.
    let odd = |_| Stop::Wrong("the source is no URL of a Redis server".to_owned());
    let info = arguments.url.as_str().into_connection_info().map_err(odd)?;
    let keepalive = TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE).with_retries(2);
    let info = info.set_tcp_settings(TcpSettings::default().set_keepalive(keepalive));
    let client = Client::open(info).map_err(odd)?;
    let mut connection = client.get_connection_with_timeout(CONNECT).map_err(stopped)?;
    let mut messages = connection.as_pubsub();
    if name.contains(['*', '?', '[']) { messages.psubscribe(name) } else { messages.subscribe(name) }
        .map_err(stopped)?;
    let since = sys::calendar().as_micros();
    let mut count = 0u64;
    loop {
        let message = messages.get_message().map_err(stopped)?;
        count += 1;
        let channel = arguments.channel.as_deref().unwrap_or_else(|| message.get_channel_name());
        let bytes = message.get_payload_bytes().to_vec();
        let is_text = std::str::from_utf8(&bytes).is_ok();
        // A push without an answer is made again, and has to be known.
        let item = Item {
            target: format!("channel={}", encoded(channel)),
            body: if is_text { Body::Text(bytes) } else { Body::Binary(bytes) },
            key: format!("feed:{}:{since}:{count}", std::process::id()),
        };
        pass_on(target, &item)?;
    }
}
