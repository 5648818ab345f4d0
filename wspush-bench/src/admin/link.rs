//! A connection to the admin API: TCP, TLS over TCP, or a Unix socket. It blocks, at most for a time limit.

use super::address::Address;
use crate::tls::{self, Terms};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::time::Duration;

/// Bytes to and fro, whatever carries them.
pub(super) trait Link: Read + Write {}

impl<T: Read + Write> Link for T {}

/// Connects, and lets each read and write last so long at the most.
pub(super) fn connect(address: &Address, terms: &Terms, timeout: Duration) -> Result<Box<dyn Link>, String> {
    let socket = open(address, timeout).map_err(|error| error.to_string())?;
    if address.is_secure() {
        return Ok(Box::new(tls::secure(terms, address.host(), socket)?));
    }
    Ok(Box::new(socket))
}

fn open(address: &Address, timeout: Duration) -> io::Result<Socket> {
    let (address, is_tcp) = match address {
        Address::Tcp(target) => (SockAddr::from(target.address), true),
        Address::Unix { socket, .. } => (SockAddr::unix(socket)?, false),
    };
    let domain = Domain::from(i32::from(address.family()));
    let socket = Socket::new(domain, Type::STREAM.cloexec(), None)?;
    socket.connect_timeout(&address, timeout)?;
    if is_tcp {
        socket.set_tcp_nodelay(true)?;
    }
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    Ok(socket)
}
