//! tokio-tungstenite on one thread: a task for each connection, a broadcast channel between them and the
//! push.
//!
//!     peer-tokio-tungstenite PORT ADMIN_PORT small|default

use futures_util::{SinkExt, StreamExt};
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::broadcast::{self, Sender, error::RecvError};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

fn listen(port: &str) -> io::Result<TcpListener> {
    let address = format!("127.0.0.1:{port}").parse().map_err(io::Error::other)?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(4096)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [port, admin_port, buffers] = args.as_slice() else {
        return Err(io::Error::other("usage: peer-tokio-tungstenite PORT ADMIN_PORT small|default"));
    };
    let config = match buffers.as_str() {
        "small" => WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0),
        _ => WebSocketConfig::default(),
    };
    let listener = listen(port)?;
    let admin = listen(admin_port)?;
    let (publisher, _) = broadcast::channel::<Utf8Bytes>(1024);
    let pushed = publisher.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = admin.accept().await {
            tokio::spawn(push(stream, pushed.clone()));
        }
    });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, config, publisher.clone()));
    }
}

async fn serve(stream: TcpStream, config: WebSocketConfig, publisher: Sender<Utf8Bytes>) {
    let mut is_echo = false;
    #[expect(clippy::result_large_err, reason = "tungstenite's signature")]
    let look = |request: &Request, response: Response| {
        is_echo = request.uri().path() == "/echo";
        Ok(response)
    };
    let accepted = tokio_tungstenite::accept_hdr_async_with_config(stream, look, Some(config)).await;
    let Ok(mut socket) = accepted else { return };
    if is_echo {
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
        return;
    }
    let mut publications = publisher.subscribe();
    loop {
        tokio::select! {
            publication = publications.recv() => match publication {
                Ok(text) => if socket.send(Message::Text(text)).await.is_err() { return },
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            message = socket.next() => if !matches!(message, Some(Ok(_))) { return },
        }
    }
}

/// Just enough HTTP for a publisher that keeps its connection.
async fn push(stream: TcpStream, publisher: Sender<Utf8Bytes>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            let text = Utf8Bytes::try_from(body).map_err(io::Error::other)?;
            // An error means only that nobody is there to receive it.
            let _ = publisher.send(text);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?;
        }
    }
}
