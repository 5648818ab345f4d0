//! A Unix-domain socket's place in the file system. Whatever else is there is left alone: only a socket of ours that
//! nobody answers is replaced, and with `reuseport` that of a server of ours that is still running.
//!
//! Servers that want the same path take turns by an empty file beside it, `.lock` behind its name. Whoever holds byte 0
//! of that may look at the path and change it. Besides, each server holds the byte that has the number of its socket's
//! inode for as long as it listens: as long as it does, no other file has that inode, so that byte tells whose socket
//! it is. The kernel gives up both when a process dies.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::listener::{BACKLOG, Sharing};
use super::sys;

/// How often the lock is tried for, and the pause in between: others hold it for some system calls.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// The byte of the lock file that goes with changing the path.
const TURN: u64 = 0;

/// A file's device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    fn of(metadata: &fs::Metadata) -> Inode {
        Inode { device: metadata.dev(), number: metadata.ino() }
    }

    /// Of what is at a path, be it a symbolic link.
    fn at(path: &Path) -> Option<Inode> {
        fs::symlink_metadata(path).ok().map(|metadata| Inode::of(&metadata))
    }
}

/// The kind of file at a path.
#[derive(Debug, PartialEq, Eq)]
enum Occupant {
    Nobody,
    /// A socket of this user, to which nobody listens any more.
    Dead(Inode),
    /// A server of ours that listens.
    Server,
}

/// A path at which a socket of ours listens; it goes with this.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    inode: Inode,
    lock: Lock,
    /// It goes with this. If not, another process has it, or is to have it.
    is_ours: bool,
}

impl Place {
    /// Listens at a path, for its owner alone.
    pub(super) fn take(path: &Path, sharing: Sharing) -> io::Result<(Socket, Place)> {
        let lock = Lock::of(path)?;
        let occupant = occupant(path, &lock);
        let has_server = matches!(occupant, Ok(Occupant::Server));
        let bound = match occupant {
            Ok(Occupant::Server) if sharing == Sharing::WithSuccessor => take_over(path, &lock),
            Ok(Occupant::Server) => {
                Err(in_use("a server, which only one with reuseport could take over from"))
            }
            Ok(Occupant::Dead(inode)) => clear(path, inode).and_then(|()| bind(path)),
            Ok(Occupant::Nobody) => bind(path),
            Err(why) => Err(why),
        };
        match bound {
            Ok((socket, inode)) => {
                let place = Place { path: path.to_owned(), inode, lock, is_ours: true };
                if !sys::lock_byte(&place.lock.file, mark(inode))? {
                    return Err(in_use("another server"));
                }
                sys::unlock_byte(&place.lock.file, TURN)?;
                Ok((socket, place))
            }
            Err(why) => {
                if !has_server {
                    lock.remove();
                }
                Err(why)
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        // Without its turn it leaves everything as it is: the next server finds a dead socket.
        if !self.lock.wait_for_turn().unwrap_or(false) {
            return;
        }
        // A successor's is not ours to remove.
        if Inode::at(&self.path) == Some(self.inode) {
            let _ = fs::remove_file(&self.path);
        }
        if Inode::at(&self.path).is_none() {
            self.lock.remove();
        }
        for byte in [mark(self.inode), TURN] {
            // A child that was forked off may keep the file open.
            let _ = sys::unlock_byte(&self.lock.file, byte);
        }
    }
}

/// The file by which servers take turns.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Waits for this server's turn at a path.
    fn of(path: &Path) -> io::Result<Lock> {
        let path = with_suffix(path, "lock");
        for _ in 0..TRIES {
            let lock = Lock::open(path.clone())?;
            if !lock.wait_for_turn()? {
                break;
            }
            // The server before may have removed it meanwhile.
            if lock.is_current() {
                return Ok(lock);
            }
        }
        Err(refusal(ErrorKind::AddrInUse, format!("{} is locked", path.display())))
    }

    fn open(path: PathBuf) -> io::Result<Lock> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags)
            .open(&path);
        let wrong = |why: &dyn std::fmt::Display| {
            refusal(
                ErrorKind::AlreadyExists,
                format!("{}, by which servers take turns: {why}", path.display()),
            )
        };
        let file = opened.map_err(|error| wrong(&error))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > 0 || metadata.uid() != sys::user() {
            return Err(wrong(&"this is no empty file of this user's, and it is left alone"));
        }
        Ok(Lock { path, file })
    }

    /// False: somebody else has had it all the time.
    fn wait_for_turn(&self) -> io::Result<bool> {
        for tried in 0..TRIES {
            if tried > 0 {
                std::thread::sleep(PAUSE);
            }
            if sys::lock_byte(&self.file, TURN)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the file; those who wait for their turn see it and make another.
    fn remove(&self) {
        if self.is_current() {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Whether it is still the file that others find.
    fn is_current(&self) -> bool {
        let own = self.file.metadata().map(|metadata| Inode::of(&metadata));
        own.is_ok_and(|own| Inode::at(&self.path) == Some(own))
    }

    /// Whether a server listens at the socket with this inode.
    fn is_held(&self, inode: Inode) -> io::Result<bool> {
        let free = sys::lock_byte(&self.file, mark(inode))?;
        if free {
            sys::unlock_byte(&self.file, mark(inode))?;
        }
        Ok(!free)
    }
}

/// The byte of the lock file that goes with an inode; never [`TURN`].
fn mark(inode: Inode) -> u64 {
    1 + inode.number % (sys::LOCK_BYTE_MAX - 1)
}

/// Looks at what is at a path. An error: it must stay.
fn occupant(path: &Path, lock: &Lock) -> io::Result<Occupant> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Occupant::Nobody),
        found => found?,
    };
    let stays = |what: &str| {
        let why = format!("{what} is at this path and left alone; name another path, or remove it");
        Err(refusal(ErrorKind::AlreadyExists, why))
    };
    if !metadata.file_type().is_socket() {
        return stays(name(metadata.file_type()));
    }
    if metadata.uid() != sys::user() {
        return stays(&format!("a socket of the user {}", metadata.uid()));
    }
    let inode = Inode::of(&metadata);
    if lock.is_held(inode)? {
        return Ok(Occupant::Server);
    }
    // Without waiting: a listener whose queue is full is alive.
    let probe = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(Occupant::Dead(inode)),
        _ => Err(in_use("another program")),
    }
}

/// Removes a dead socket, and nothing that has come in its place meanwhile: it is moved aside and looked at again.
fn clear(path: &Path, dead: Inode) -> io::Result<()> {
    let aside = with_suffix(path, &format!("{}.old", std::process::id()));
    if Inode::at(&aside).is_some() {
        return Err(refusal(ErrorKind::AlreadyExists, format!("{} is in the way", aside.display())));
    }
    fs::rename(path, &aside)?;
    if Inode::at(&aside) == Some(dead) {
        return fs::remove_file(&aside);
    }
    // A link never takes anything's place, as moving it back might.
    let back = fs::hard_link(&aside, path).and_then(|()| fs::remove_file(&aside));
    back.map_err(|error| refusal(error.kind(), format!("it was moved to {}: {error}", aside.display())))?;
    Err(in_use("another program"))
}

/// Binds a path beside the one that is wanted and moves it there: at no moment is nobody listening.
fn take_over(path: &Path, lock: &Lock) -> io::Result<(Socket, Inode)> {
    let beside = with_suffix(path, &std::process::id().to_string());
    if let Occupant::Dead(inode) = occupant(&beside, lock)? {
        clear(&beside, inode)?;
    }
    let (socket, inode) = bind(&beside)?;
    if let Err(error) = fs::rename(&beside, path) {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    Ok((socket, inode))
}

/// Binds a path that only its owner may connect to.
fn bind(path: &Path) -> io::Result<(Socket, Inode)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Nobody can connect before listen(), so there is no moment in which others may.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    let inode = Inode::at(path).ok_or(ErrorKind::NotFound)?;
    Ok((socket, inode))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn name(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => "a regular file",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        _ => "a device",
    }
}

fn in_use(by: &str) -> io::Error {
    refusal(ErrorKind::AddrInUse, format!("it is in use by {by}"))
}

fn refusal(kind: ErrorKind, why: String) -> io::Error {
    io::Error::new(kind, why)
}

#[cfg(feature = "handover")]
mod image;
#[cfg(test)]
mod tests;

#[cfg(feature = "handover")]
pub(super) use image::PlaceImage;
