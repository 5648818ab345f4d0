//! Everything that can be at a path when a server comes, and servers that come at once.

use std::os::unix::net::{UnixListener, UnixStream};

use super::*;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("wspush-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("a.sock")
    }

    /// Its contents, in order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn refused(path: &Path, sharing: Sharing) -> (ErrorKind, String) {
    let error = Place::take(path, sharing).map(drop).expect_err("it was taken");
    (error.kind(), error.to_string())
}

const BOTH: [Sharing; 2] = [Sharing::Alone, Sharing::WithSuccessor];

#[test]
fn a_dead_socket_is_replaced_and_nothing_stays_behind() {
    let folder = Folder::new("dead");
    let path = folder.path();
    for sharing in BOTH {
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left behind, as by a crash");
        let (socket, place) = Place::take(&path, sharing).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(UnixStream::connect(&path).is_ok());
        assert_eq!(folder.names(), ["a.sock", "a.sock.lock"]);
        drop((socket, place));
        assert!(folder.names().is_empty());
    }
}

#[test]
fn whatever_is_no_socket_of_ours_stays() {
    let folder = Folder::new("stays");
    let (path, target) = (folder.path(), folder.0.join("target"));
    let dead = folder.0.join("dead");
    drop(UnixListener::bind(&dead).unwrap());
    fs::write(&target, "precious").unwrap();
    let make: [(&str, &dyn Fn()); 5] = [
        ("a regular file", &|| fs::write(&path, "precious").unwrap()),
        ("a symbolic link", &|| std::os::unix::fs::symlink(&target, &path).unwrap()),
        ("a symbolic link", &|| std::os::unix::fs::symlink(&dead, &path).unwrap()),
        ("a symbolic link", &|| std::os::unix::fs::symlink("nowhere", &path).unwrap()),
        ("a directory", &|| fs::create_dir(&path).unwrap()),
    ];
    for (what, make) in make {
        make();
        let before = Inode::at(&path);
        for sharing in BOTH {
            let (kind, why) = refused(&path, sharing);
            assert!(kind == ErrorKind::AlreadyExists && why.starts_with(what), "{why}");
            assert_eq!(Inode::at(&path), before);
            assert_eq!(folder.names(), ["a.sock", "dead", "target"], "{what}");
        }
        if path.is_dir() && what == "a directory" { fs::remove_dir(&path) } else { fs::remove_file(&path) }
            .unwrap();
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn another_program_keeps_its_socket() {
    let folder = Folder::new("other");
    let path = folder.path();
    let other = UnixListener::bind(&path).unwrap();
    let before = Inode::at(&path);
    for sharing in BOTH {
        assert_eq!(refused(&path, sharing).0, ErrorKind::AddrInUse);
        assert_eq!((Inode::at(&path), folder.names().len()), (before, 1));
    }
    // A queue that is full is nobody's death.
    let full: Vec<_> = std::iter::from_fn(|| {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).unwrap();
        socket.connect(&SockAddr::unix(&path).unwrap()).is_ok().then_some(socket)
    })
    .collect();
    assert!(!full.is_empty());
    assert_eq!(refused(&path, Sharing::WithSuccessor).0, ErrorKind::AddrInUse);
    drop(other);
}

#[test]
fn a_successor_takes_over_from_a_server_only() {
    let folder = Folder::new("successor");
    let path = folder.path();
    let first = Place::take(&path, Sharing::WithSuccessor).unwrap();
    assert_eq!(refused(&path, Sharing::Alone).0, ErrorKind::AddrInUse);
    let second = Place::take(&path, Sharing::WithSuccessor).unwrap();
    assert_eq!(folder.names(), ["a.sock", "a.sock.lock"]);
    let now = Inode::at(&path);
    drop(first);
    assert_eq!(Inode::at(&path), now, "it is the successor's");
    let third = Place::take(&path, Sharing::WithSuccessor).unwrap();
    assert_ne!(Inode::at(&path), now);
    // Somebody else takes the path; the servers' marks do not stand for that.
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    assert_eq!(refused(&path, Sharing::WithSuccessor).0, ErrorKind::AddrInUse);
    let now = Inode::at(&path);
    drop((second, third));
    assert_eq!(Inode::at(&path), now, "it is not theirs to remove");
    drop(other);
}

#[test]
fn a_lock_file_that_is_somebody_elses_stays() {
    let folder = Folder::new("lock");
    let (path, lock) = (folder.path(), folder.0.join("a.sock.lock"));
    fs::write(&lock, "precious").unwrap();
    assert_eq!(refused(&path, Sharing::Alone).0, ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&lock).unwrap(), "precious");
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink("elsewhere", &lock).unwrap();
    assert_eq!(refused(&path, Sharing::Alone).0, ErrorKind::AlreadyExists);
    assert_eq!(folder.names(), ["a.sock.lock"]);
}

#[test]
fn those_who_come_at_once_take_turns() {
    let folder = Folder::new("turns");
    let path = folder.path();
    drop(UnixListener::bind(&path).unwrap());
    let start = || Place::take(&path, Sharing::Alone);
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(UnixStream::connect(&path).is_ok(), "the one that has it listens there");
    drop(results);
    assert!(folder.names().is_empty());
}
