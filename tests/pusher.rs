//! The Pusher Channels protocol over real sockets: connections, channels, events of clients, users.
#![cfg(feature = "pusher")]

mod authorizing;
mod backends;
mod channels;
#[cfg(feature = "cluster")]
mod cluster;
mod connecting;
mod fallback;
mod hostile;
mod reactors;
#[cfg(feature = "tls")]
mod secure;
mod users;

use serde_json::{Value, json};
use wspush::auth::pusher::Credentials;

use crate::daemon::{Daemon, WebSocket};

pub const KEY: &str = "278d425bdf160c739803";
pub const SECRET: &str = "7ad3773142a6692b25b8";

/// A server with an app, whose text has this behind its secret.
pub fn start(app: &str, more: &[&str]) -> Daemon {
    let app = format!("3 key={KEY} secret={SECRET} {app}");
    Daemon::start(&[&["--pusher-app", &app], more].concat())
}

/// A client of the app, which knows its id.
pub struct Client {
    socket: WebSocket,
    pub id: String,
}

impl Client {
    pub fn open(daemon: &Daemon) -> Client {
        Client::open_at(daemon, &format!("/app/{KEY}?protocol=7&client=test&version=1&flash=false"), &[])
    }

    /// At a server of this process.
    pub fn at(address: std::net::SocketAddr) -> Client {
        Client::ask_for(address, &format!("/app/{KEY}?protocol=7"), &[])
    }

    pub fn open_at(daemon: &Daemon, target: &str, more: &[(&str, &str)]) -> Client {
        Client::ask_for(daemon.public, target, more)
    }

    fn ask_for(address: std::net::SocketAddr, target: &str, more: &[(&str, &str)]) -> Client {
        let refused = |response: crate::wire::Response| panic!("{}: {}", response.status, response.text());
        let mut socket = WebSocket::ask(address, target, more).unwrap_or_else(refused);
        let first: Value = serde_json::from_str(&socket.text()).unwrap();
        assert_eq!(first["event"], "pusher:connection_established");
        let data = held(&first);
        assert_eq!(data["activity_timeout"], 120);
        Client { socket, id: data["socket_id"].as_str().unwrap().to_owned() }
    }

    pub fn send(&mut self, message: &Value) {
        self.socket.send_text(&message.to_string());
    }

    pub fn next(&mut self) -> Value {
        serde_json::from_str(&self.socket.text()).unwrap()
    }

    /// All that the server has for it.
    pub fn rest(&mut self) -> Vec<Value> {
        let frames = self.socket.sync();
        frames.iter().map(|frame| serde_json::from_slice(&frame.payload).unwrap()).collect()
    }

    pub fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.next()
    }

    pub fn subscribe(&mut self, channel: &str) -> Value {
        self.ask(&json!({"event": "pusher:subscribe", "data": {"channel": channel, "auth": ""}}))
    }

    /// The same for a channel that the app's backend has signed, with this data.
    pub fn subscribe_signed(&mut self, channel: &str, data: Option<&str>) -> Value {
        self.send_signed(channel, data);
        self.next()
    }

    pub fn send_signed(&mut self, channel: &str, data: Option<&str>) {
        let signed = match data {
            None => format!("{}:{channel}", self.id),
            Some(data) => format!("{}:{channel}:{data}", self.id),
        };
        let mut asked = json!({"channel": channel, "auth": signature(&signed)});
        if let Some(data) = data {
            asked["channel_data"] = data.into();
        }
        self.send(&json!({"event": "pusher:subscribe", "data": asked}));
    }

    pub fn sign_in(&mut self, user_data: &str) -> Value {
        let auth = signature(&format!("{}::user::{user_data}", self.id));
        self.ask(&json!({"event": "pusher:signin", "data": {"auth": auth, "user_data": user_data}}))
    }

    pub fn closed(&mut self) -> u16 {
        self.socket.closed().0
    }

    pub fn reset(self) {
        self.socket.reset();
    }
}

fn signature(text: &str) -> String {
    format!("{KEY}:{}", Credentials::new(KEY, SECRET).sign(text.as_bytes()))
}

/// The JSON that a message's data holds.
pub fn held(message: &Value) -> Value {
    serde_json::from_str(message["data"].as_str().unwrap_or_else(|| panic!("{message}"))).unwrap()
}

/// The word of a subscription to a channel without presence.
pub fn subscribed(channel: &str) -> Value {
    json!({"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"})
}

/// An event as a backend publishes it.
pub fn publish(daemon: &Daemon, channel: &str, name: &str, data: &str) -> Value {
    let event = json!({"event": name, "channel": channel, "data": data});
    // In the order of the protocol.
    let text = format!(
        "{{\"event\":{},\"channel\":{},\"data\":{}}}",
        event["event"], event["channel"], event["data"]
    );
    let ours = channel.replace('=', "+").replace(',', "~").replace(';', "!").replace('#', "$");
    daemon.push_to(&format!("/push?channel=pusher/3/{}", ours.replace('+', "%2B")), &text);
    event
}
