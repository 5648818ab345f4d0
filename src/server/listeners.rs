//! The listeners of a configuration: bound, inherited, or in the place of one that can't be had.

use std::fmt::Display;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use socket2::Socket;

use super::StartError;
use crate::config::{AdminListen, Config, LogLevel};
use crate::journal::Journal;
use crate::reactor::listener::{ListenAddr, Listener, Sharing};
use crate::reactor::{ListenerRole, sys};
use crate::time::Time;

/// Bits of a path's mode by which others than its owner may connect.
const OTHERS: u32 = 0o002;
const GROUP: u32 = 0o020;

/// A warning about a listener that works all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Warning {
    /// This machine has no IPv6; the other address is listened on.
    NoIpv6 { address: SocketAddr, instead: SocketAddr },
    /// Others than its owner may connect to this inherited path.
    LooseMode { address: ListenAddr, mode: u32 },
}

impl Warning {
    pub(super) fn log(&self, journal: &mut Journal, now: Time) {
        match self {
            Warning::NoIpv6 { address, instead } => {
                let fix = format!("turn IPv6 on, or write {instead} in place of {address}");
                let fields: [(&str, &dyn Display); 3] =
                    [("address", address), ("listens_at", instead), ("fix", &fix)];
                journal.event(now, LogLevel::Warn, "no_ipv6", &fields);
            }
            Warning::LooseMode { address, mode } => {
                let all = "everybody on this machine";
                let who = if mode & OTHERS != 0 { all } else { "its whole group" };
                let mode = format!("{mode:04o}");
                let fields: [(&str, &dyn Display); 4] = [
                    ("address", address),
                    ("mode", &mode),
                    ("connects", &who),
                    ("fix", &"SocketMode=0600 in its unit"),
                ];
                journal.event(now, LogLevel::Warn, "loose_mode", &fields);
            }
        }
    }
}

/// Opens all listeners of a configuration. An address for which there is a listening socket among `sockets` isn't
/// bound; that socket is used. A socket for which there is no address is an error.
pub(super) fn open(
    config: &Config,
    sockets: Vec<OwnedFd>,
    mut handed: Vec<Listener>,
) -> Result<(Vec<Listener>, Vec<Warning>), StartError> {
    let mut inherited = addresses(sockets)?;
    let (mut listeners, mut warnings) = (Vec::new(), Vec::new());
    let group = config.admin_socket_group.as_deref().map(group).transpose()?;
    for wanted in wanted(config) {
        let Wanted { address, role, .. } = &wanted;
        let (address, role) = (address.clone(), *role);
        let fails = |error| StartError::Listen { address: address.to_string(), error };
        if let Some(at) = handed.iter().position(|listener| listener.serves(&address, role)) {
            listeners.push(wanted.finish(handed.remove(at)));
            // It is the same socket that the predecessor had from there.
            inherited.retain(|(bound, _)| *bound != address);
            continue;
        }
        if let Some(at) = inherited.iter().position(|(bound, _)| *bound == address) {
            let listener = Listener::inherit(inherited.swap_remove(at).1, &address, role).map_err(fails)?;
            warnings.extend(check_mode(config, &listener).map_err(fails)?);
            listeners.push(wanted.finish(listener));
            continue;
        }
        let bound =
            bind_or_instead(&address, config, |address| bind(address, role, config)).map_err(fails)?;
        if let Some(listener) = &bound.0 {
            listener.open_to(config.admin_socket_mode.bits(), group).map_err(fails)?;
        }
        listeners.extend(bound.0.map(|listener| wanted.finish(listener)));
        warnings.extend(bound.1);
    }
    match inherited.first() {
        Some((address, _)) => Err(StartError::Listen {
            address: format!("the inherited socket {address}"),
            error: io::Error::other("it is none of the addresses in listen and admin"),
        }),
        None => Ok((listeners, warnings)),
    }
}

/// Listening sockets and the addresses that they are bound to.
fn addresses(sockets: Vec<OwnedFd>) -> Result<Vec<(ListenAddr, Socket)>, StartError> {
    let count = sockets.len();
    let known = |(n, fd): (usize, OwnedFd)| {
        let name = || format!("inherited socket {} of {count}", n + 1);
        let unknown = |error| StartError::Listen { address: name(), error };
        let socket = Socket::from(fd);
        let listens = socket.is_listener().map_err(unknown)?;
        let address = socket.local_addr().map_err(unknown)?;
        let path = || Some(ListenAddr::Unix(address.as_pathname()?.to_owned()));
        match address.as_socket().map(ListenAddr::Tcp).or_else(path) {
            Some(address) if listens => Ok((address, socket)),
            _ => Err(unknown(io::Error::other("it is not a listening TCP or Unix-domain socket"))),
        }
    };
    sockets.into_iter().enumerate().map(known).collect()
}

/// A listener that is to be.
struct Wanted {
    address: ListenAddr,
    role: ListenerRole,
    /// TLS is spoken there.
    tls: bool,
    /// Proxies say first for whom they speak.
    proxy: bool,
    /// There are only numbers.
    has_numbers_only: bool,
}

impl Wanted {
    /// The listener as it is to be.
    fn finish(&self, listener: Listener) -> Listener {
        let listener = listener.with_tls(self.tls).with_proxy(self.proxy);
        if self.has_numbers_only { listener.with_numbers_only() } else { listener }
    }
}

/// The number of a group, from its name or as it stands. The file is read, and nobody else is asked: what needs a
/// network or a library of the machine's may not be there yet.
fn group(name: &str) -> Result<u32, StartError> {
    const FILE: &str = "/etc/group";
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let fails = |error| StartError::Listen { address: format!("a socket of the group {name}"), error };
    let text = std::fs::read_to_string(FILE).map_err(fails)?;
    let is_it = |line: &str| {
        let mut fields = line.split(':');
        if fields.next() == Some(name) { fields.nth(1)?.parse().ok() } else { None }
    };
    let found: Option<u32> = text.lines().find_map(is_it);
    found.ok_or_else(|| fails(io::Error::other(format!("{FILE} has no such group"))))
}

/// Every listener of a configuration.
fn wanted(config: &Config) -> impl Iterator<Item = Wanted> {
    let public = config.listen.iter().map(|on| Wanted {
        address: ListenAddr::Tcp(on.address),
        role: ListenerRole::Public,
        tls: on.tls,
        proxy: on.proxy,
        has_numbers_only: false,
    });
    let admin = config.admin.iter().map(|on| Wanted {
        address: match on {
            AdminListen::Tcp(at) | AdminListen::Tls(at) | AdminListen::Metrics(at) => ListenAddr::Tcp(*at),
            AdminListen::Unix(path) => ListenAddr::Unix(path.clone()),
        },
        role: ListenerRole::Admin,
        tls: matches!(on, AdminListen::Tls(_)),
        proxy: false,
        has_numbers_only: matches!(on, AdminListen::Metrics(_)),
    });
    public.chain(admin)
}

fn bind(address: &ListenAddr, role: ListenerRole, config: &Config) -> io::Result<Listener> {
    // With IPv6 switched off on all interfaces the kernel still binds [::], where nobody can ever connect.
    let is_all = |address: &SocketAddr| address.is_ipv6() && address.ip().is_unspecified();
    if matches!(address, ListenAddr::Tcp(address) if is_all(address)) && !sys::has_ipv6_addresses() {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    let sharing = if config.reuseport { Sharing::WithSuccessor } else { Sharing::Alone };
    Listener::bind(address, role, sharing)
}

/// Listens at an address. Where there is no IPv6, all its addresses are all of IPv4, and its loopback is that of IPv4;
/// nothing, if that is listened on anyway.
fn bind_or_instead<L>(
    address: &ListenAddr,
    config: &Config,
    bind: impl Fn(&ListenAddr) -> io::Result<L>,
) -> io::Result<(Option<L>, Option<Warning>)> {
    let error = match bind(address) {
        Ok(listener) => return Ok((Some(listener), None)),
        Err(error) => error,
    };
    let without_ipv6 = matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL));
    let (ListenAddr::Tcp(address), true) = (address, without_ipv6) else { return Err(error) };
    let Some(instead) = in_ipv4(*address) else { return Err(error) };
    let warning = Warning::NoIpv6 { address: *address, instead };
    if instead.port() != 0 && wanted(config).any(|other| other.address == ListenAddr::Tcp(instead)) {
        return Ok((None, Some(warning)));
    }
    Ok((Some(bind(&ListenAddr::Tcp(instead))?), Some(warning)))
}

/// The address of IPv4 that says what this one of IPv6 says.
fn in_ipv4(address: SocketAddr) -> Option<SocketAddr> {
    let SocketAddr::V6(address) = address else { return None };
    match *address.ip() {
        Ipv6Addr::UNSPECIFIED => Some((Ipv4Addr::UNSPECIFIED, address.port()).into()),
        Ipv6Addr::LOCALHOST => Some((Ipv4Addr::LOCALHOST, address.port()).into()),
        _ => None,
    }
}

/// A Unix-domain socket that somebody else has bound has the mode that somebody else has given it: systemd's default
/// lets everybody on the machine in.
fn check_mode(config: &Config, listener: &Listener) -> io::Result<Option<Warning>> {
    let Some(mode) = listener.inherited_mode() else { return Ok(None) };
    if mode & OTHERS != 0 && !config.names_callers() {
        return Err(io::Error::other(format!(
            "everybody on this machine may connect there (mode {mode:04o}): set SocketMode=0600 in its unit, or \
             admin_token"
        )));
    }
    let loose = mode & (OTHERS | GROUP) != 0;
    Ok(loose.then(|| Warning::LooseMode { address: listener.address().clone(), mode }))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const OFF: i32 = libc::EAFNOSUPPORT;

    /// The listener for an address where every IPv6 one fails with this error, and the warning.
    fn bound(address: &str, listen: &[&str], error: i32) -> io::Result<(Option<String>, Option<Warning>)> {
        let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
        let config = Config { listen, ..Config::default() };
        let tried = RefCell::new(0);
        bind_or_instead(&ListenAddr::Tcp(address.parse().unwrap()), &config, |address| {
            *tried.borrow_mut() += 1;
            assert!(*tried.borrow() <= 2);
            match address {
                ListenAddr::Tcp(SocketAddr::V6(_)) => Err(io::Error::from_raw_os_error(error)),
                other => Ok(other.to_string()),
            }
        })
    }

    fn warning(address: &str, instead: &str) -> Option<Warning> {
        Some(Warning::NoIpv6 { address: address.parse().unwrap(), instead: instead.parse().unwrap() })
    }

    #[test]
    fn without_ipv6_it_goes_on_with_ipv4() {
        for (address, instead) in
            [("[::]:80", "0.0.0.0:80"), ("[::1]:80", "127.0.0.1:80"), ("[::]:0", "0.0.0.0:0")]
        {
            for error in [OFF, libc::EADDRNOTAVAIL] {
                let (listener, warned) = bound(address, &[address], error).unwrap();
                assert_eq!((listener.as_deref(), warned), (Some(instead), warning(address, instead)));
            }
        }
    }

    #[test]
    fn but_not_twice() {
        for listen in [["0.0.0.0:80", "[::]:80"], ["[::]:80", "0.0.0.0:80"], ["[::]:80", "tls://0.0.0.0:80"]]
        {
            assert_eq!(bound("[::]:80", &listen, OFF).unwrap(), (None, warning("[::]:80", "0.0.0.0:80")));
        }
        let (listener, _) = bound("[::]:0", &["0.0.0.0:0", "[::]:0"], OFF).unwrap();
        assert_eq!(listener.as_deref(), Some("0.0.0.0:0"), "each has a port of its own");
        let (listener, _) = bound("[::]:80", &["[::]:80", "127.0.0.1:80", "0.0.0.0:81"], OFF).unwrap();
        assert_eq!(listener.as_deref(), Some("0.0.0.0:80"), "the others are not the same");
    }

    #[test]
    fn what_means_one_address_is_an_error() {
        for address in ["[2001:db8::1]:80", "[fe80::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(bound(address, &[address], OFF).unwrap_err().raw_os_error(), Some(OFF));
        }
        let error = bound("[::]:80", &["[::]:80"], libc::EADDRINUSE).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
        assert_eq!(
            bound("192.0.2.1:80", &["192.0.2.1:80"], OFF).unwrap(),
            (Some("192.0.2.1:80".into()), None)
        );
    }
}
