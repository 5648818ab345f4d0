//! The admin API at a path: what is there already is left alone, and nobody else gets in.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::daemon::{Daemon, Http, Sockets, WebSocket, field};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("wspush-unix-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Its contents, in order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a folder").map(|entry| entry.expect("an entry"));
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("it is there");
    }
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

const HOW: [&[&str]; 2] = [&[], &["--reuseport"]];

/// A daemon does not start at this path, whether it shares or not, says why in one line, and leaves what is there.
fn refuses(folder: &Folder, path: &Path, why: &str) {
    let state = || fs::symlink_metadata(path).map(|m| (m.ino(), m.mode(), m.len())).expect("it is there");
    let (before, names) = (state(), folder.names());
    for how in HOW {
        let (status, said) = Daemon::refused(&[&["--admin", &unix(path)], how].concat());
        assert_eq!(status.code(), Some(2), "{said}");
        assert!(said.contains(why) && said.trim_end().lines().count() == 1, "{said}");
        assert_eq!((state(), folder.names()), (before, names.clone()), "{said}");
    }
}

#[test]
fn what_is_there_is_left_alone() {
    let folder = Folder::new("alone");
    let (file, link, fifo) = (folder.file("notes.txt"), folder.file("link"), folder.file("fifo"));
    fs::write(&file, "precious").expect("a file");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    assert!(Command::new("mkfifo").arg(&fifo).status().is_ok_and(|status| status.success()));
    refuses(&folder, &file, "a regular file is at this path");
    refuses(&folder, &link, "a symbolic link is at this path");
    refuses(&folder, &fifo, "a FIFO is at this path");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "precious");
    let socket = folder.file("other.sock");
    let other = UnixListener::bind(&socket).expect("a socket");
    refuses(&folder, &socket, "in use by another program");
    let client = UnixStream::connect(&socket).expect("the other program can still be reached");
    // The daemon has looked whether somebody answers.
    while !other.accept().expect("a connection").1.is_unnamed() {}
    drop(client);
}

#[test]
fn a_path_that_a_crash_has_left_is_taken() {
    let folder = Folder::new("crash");
    let path = folder.file("a.sock");
    for how in HOW {
        let admin = unix(&path);
        let flags = [&["--admin", &admin], how].concat();
        let mut crashed = Daemon::start(&flags);
        crashed.signal("KILL");
        crashed.wait_exit();
        assert!(fs::metadata(&path).expect("left behind").file_type().is_socket());
        let mut daemon = Daemon::start(&flags);
        assert_eq!(daemon.push("hello")["offset"], 1);
        daemon.signal("TERM");
        assert!(daemon.wait_exit().success());
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    }
}

#[test]
fn two_servers_do_not_share_a_path_unless_both_were_told_so() {
    let folder = Folder::new("two");
    let path = folder.file("a.sock");
    let admin = unix(&path);
    let flags = ["--admin", &admin, "--reuseport"];
    let mut old = Daemon::start(&flags);
    let (status, said) = Daemon::refused(&flags[..2]);
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("in use by a server"), "{said}");
    assert_eq!(old.push("still here")["offset"], 1);
    let mut new = Daemon::start(&flags);
    let mut client = WebSocket::open(&new);
    assert_eq!(new.push("to the successor")["recipients"], 1);
    old.signal("TERM");
    assert!(old.wait_exit().success());
    assert_eq!(new.push("and still")["recipients"], 1);
    assert_eq!([client.text(), client.text()], ["to the successor", "and still"]);
    drop(client);
    new.signal("TERM");
    assert!(new.wait_exit().success());
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

/// A socket at a path as somebody else has made it, and the command of a daemon that inherits it.
fn inheriting(path: &Path, mode: u32) -> (TcpListener, Command, String) {
    let _ = fs::remove_file(path);
    let admin = UnixListener::bind(path).expect("a socket");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    let public = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let command = Sockets::command_with(&public, &admin, "");
    let address = public.local_addr().expect("an address").to_string();
    (public, command, address)
}

#[test]
fn an_inherited_path_that_lets_everybody_in_is_refused_or_warned_of() {
    let folder = Folder::new("mode");
    let path = folder.file("a.sock");
    let admin = unix(&path);
    for (mode, token, starts, warns) in [
        (0o600, false, true, false),
        (0o660, false, true, true),
        (0o666, false, false, true),
        (0o602, false, false, true),
        (0o666, true, true, true),
        (0o600, true, true, false),
    ] {
        let (_public, mut command, address) = inheriting(&path, mode);
        let mut flags = vec!["--listen", &address, "--admin", &admin];
        if token {
            flags.extend(["--admin-token", "s3cret"]);
        }
        command.args(&flags);
        if !starts {
            let (status, said) = Daemon::ends(&mut command);
            assert_eq!(status.code(), Some(2), "{mode:o}: {said}");
            assert!(said.contains("SocketMode=0600") && said.contains("admin_token"), "{said}");
            continue;
        }
        let daemon = Daemon::watch(&mut command, &flags);
        let headers: &[(&str, &str)] = if token { &[("Authorization", "Bearer s3cret")] } else { &[] };
        let status = Http::unix(path.to_str().expect("UTF-8")).ask("GET", "/stats", headers, b"").status;
        assert_eq!(status, 200, "{mode:o}");
        if warns {
            let line = daemon.wait_event("loose_mode");
            assert_eq!(field(&line, "mode"), Some(format!("{mode:04o}").as_str()), "{line}");
        }
        assert_eq!(daemon.events("loose_mode"), usize::from(warns), "{mode:o}");
    }
}
