//! The agent for tokio-tungstenite: `interop-tungstenite ADDRESS VERSION`.

use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Fallible<T> = Result<T, Box<dyn Error>>;

struct Agent {
    address: String,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

fn sample(kind: &str, bytes: usize) -> Message {
    match kind {
        "text" => Message::text("\u{e9}".repeat(bytes >> 1) + &"x".repeat(bytes & 1)),
        _ => Message::binary((0..bytes).map(|i| (i * 7) as u8).collect::<Vec<u8>>()),
    }
}

impl Agent {
    fn socket(&mut self) -> Fallible<&mut WebSocketStream<MaybeTlsStream<TcpStream>>> {
        self.socket.as_mut().ok_or("not open".into())
    }

    async fn receive(&mut self, wanted: Message) -> Fallible<String> {
        Ok(match self.socket()?.next().await.ok_or("the stream has ended")?? {
            got if got == wanted => "ok".to_owned(),
            Message::Close(frame) => format!("closed {frame:?}"),
            _ => "a different message".to_owned(),
        })
    }

    /// Reads on until both sides have closed, which ends the stream.
    async fn closed(&mut self) -> Fallible<String> {
        let mut said = "the stream has ended".to_owned();
        while let Some(message) = self.socket()?.next().await {
            match message {
                Ok(Message::Close(Some(CloseFrame { code, reason }))) => {
                    said = format!("closed {} clean {reason}", u16::from(code));
                }
                Ok(_) => return Ok("not a close".to_owned()),
                Err(error) => return Ok(format!("{said}, then {error}")),
            }
        }
        Ok(said)
    }

    async fn answer(&mut self, line: &str) -> Fallible<String> {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["open", path] => {
                let url = format!("{}{path}", self.address);
                self.socket = Some(tokio_tungstenite::connect_async(url).await?.0);
                Ok("open".to_owned())
            }
            ["receive", kind, bytes] => self.receive(sample(kind, bytes.parse()?)).await,
            ["send", kind, bytes] => {
                self.socket()?.send(sample(kind, bytes.parse()?)).await?;
                Ok("sent".to_owned())
            }
            ["echo", kind, bytes] => {
                let message = sample(kind, bytes.parse()?);
                self.socket()?.send(message.clone()).await?;
                self.receive(message).await
            }
            ["close", code, reason] => {
                let frame = CloseFrame { code: code.parse::<u16>()?.into(), reason: (*reason).into() };
                self.socket()?.close(Some(frame)).await?;
                self.closed().await
            }
            ["closed"] => self.closed().await,
            // It knows of none.
            ["extensions"] => Ok("extensions".to_owned()),
            _ => Err(format!("no command {line}").into()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(version)) = (args.next(), args.next()) else {
        return Err("usage: interop-tungstenite ADDRESS VERSION".into());
    };
    println!("ready {version}");
    let mut agent = Agent { address, socket: None };
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{}", agent.answer(&line).await.unwrap_or_else(|error| error.to_string()));
    }
    Ok(())
}
