//! A server of a few lines that says publications as event streams, as lines and to polls, and misbehaves on demand.

use super::server::Head;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A fault of this server.
#[derive(Clone, Copy, PartialEq)]
pub enum Flaw {
    None,
    /// Each third publication is sent to nobody.
    Lose,
    /// Streams end in good order behind the third publication, and polls are answered 410.
    End,
    /// Everybody is answered 503.
    Refuse,
}

struct Channel {
    flaw: Flaw,
    texts: Mutex<Vec<String>>,
    grown: Condvar,
}

/// Its address, and that of its admin API.
pub fn serve_streams(flaw: Flaw) -> (SocketAddr, String) {
    let channel = Arc::new(Channel { flaw, texts: Mutex::default(), grown: Condvar::new() });
    let (public, admin) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (address, push) = (public.local_addr().unwrap(), admin.local_addr().unwrap());
    for (listener, is_public) in [(public, true), (admin, false)] {
        let channel = Arc::clone(&channel);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let channel = Arc::clone(&channel);
                thread::spawn(move || channel.answer(stream, is_public));
            }
        });
    }
    (address, format!("http://{push}/push"))
}

impl Channel {
    /// Answers requests until the bench is gone, and then nobody hears the rest.
    fn answer(&self, mut stream: TcpStream, is_public: bool) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let head = Head::read(&mut reader)?;
            if self.flaw == Flaw::Refuse && is_public {
                return stream
                    .write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                    .ok();
            }
            let path = head.line.strip_prefix("GET ");
            match path.map(|path| path.split('?').next().unwrap()) {
                None => self.publish(&head, &mut reader, &mut stream)?,
                Some("/sse") => {
                    return self.stream(&mut stream, "text/event-stream", "retry: 3000\n\n", event);
                }
                Some("/stream") => {
                    return self.stream(&mut stream, "application/x-ndjson", " {\"subscribed\":{}}\n", line);
                }
                Some(_) => self.poll(&head.line, &mut stream)?,
            }
        }
    }

    fn publish(&self, head: &Head, reader: &mut impl Read, stream: &mut TcpStream) -> Option<()> {
        let mut body = vec![0; head.get("content-length").unwrap().parse().unwrap()];
        reader.read_exact(&mut body).ok()?;
        self.texts.lock().unwrap().push(String::from_utf8(body).unwrap());
        self.grown.notify_all();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()
    }

    /// Waits for publications behind an offset; they, with their own, and the offset of the last one, sent or not.
    fn behind(&self, offset: usize) -> (Vec<(usize, String)>, usize) {
        let texts = self.grown.wait_while(self.texts.lock().unwrap(), |texts| texts.len() <= offset).unwrap();
        let is_kept = |number: usize| !(self.flaw == Flaw::Lose && number.is_multiple_of(3));
        let new = (offset + 1..).zip(texts[offset..].iter().cloned());
        (new.filter(|(number, _)| is_kept(*number)).collect(), texts.len())
    }

    fn stream(
        &self,
        stream: &mut TcpStream,
        media_type: &str,
        first: &str,
        said: fn(usize, &str) -> String,
    ) -> Option<()> {
        let mut offset = self.texts.lock().unwrap().len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            chunk(first)
        );
        stream.write_all(head.as_bytes()).ok()?;
        loop {
            let (new, last) = self.behind(offset);
            for (number, text) in new {
                stream.write_all(chunk(&said(number, &text)).as_bytes()).ok()?;
                if self.flaw == Flaw::End && number == 3 {
                    return stream.write_all(b"0\r\n\r\n").ok();
                }
            }
            offset = last;
        }
    }

    fn poll(&self, line: &str, stream: &mut TcpStream) -> Option<()> {
        let Some((_, since)) = line.split_once("since=17.") else {
            let count = self.texts.lock().unwrap().len();
            return stream
                .write_all(format!("HTTP/1.1 204 No Content\r\nETag: \"17.{count}\"\r\n\r\n").as_bytes())
                .ok();
        };
        let (new, last) = self.behind(since.parse().unwrap());
        if self.flaw == Flaw::End && last > 3 {
            return stream.write_all(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n").ok();
        }
        let body: String = new.iter().map(|(number, text)| line_of(*number, text)).collect();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nETag: \"17.{last}\"\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).ok()
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn event(number: usize, text: &str) -> String {
    format!("id: 17.{number}\ndata: {text}\n\n:\n\n")
}

fn line(number: usize, text: &str) -> String {
    format!(" {}", line_of(number, text))
}

fn line_of(number: usize, text: &str) -> String {
    format!("{{\"channel\":\"broadcast\",\"epoch\":\"17\",\"offset\":{number},\"data\":\"{text}\"}}\n")
}
