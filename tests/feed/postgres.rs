//! The same with a real PostgreSQL server: rows of a table, and what NOTIFY says.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Feed, next, numbered, open};
use crate::daemon::{Daemon, process, wait};

/// A server of its own, in a folder that goes with it.
struct Postgres {
    child: Child,
    folder: PathBuf,
    port: u16,
}

/// The folder of the newest version's programs, as Debian lays them.
fn programs() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("postgresql is installed (./test does it)");
    let newest = versions.filter_map(|version| Some(version.ok()?.path())).max();
    newest.expect("a version").join("bin")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Its programs refuse to be root.
fn command(name: &str) -> Command {
    let program = programs().join(name);
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

impl Postgres {
    fn start() -> Postgres {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let folder = std::env::temp_dir().join(format!("wspush-postgres-{port}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(&folder).status().expect("chown").success());
        }
        let made = command("initdb")
            .args(["--auth=trust", "--username=app", "--no-sync", "-D"])
            .arg(&folder)
            .output();
        let made = made.expect("initdb");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Postgres { child: Postgres::spawn(&folder, port), folder, port }
    }

    fn spawn(folder: &PathBuf, port: u16) -> Child {
        let mut server = command("postgres");
        server.arg("-D").arg(folder).args([
            "-p",
            &port.to_string(),
            "-h",
            "127.0.0.1",
            "-c",
            "fsync=off",
            "-k",
            "",
        ]);
        let child = server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres");
        wait("a PostgreSQL server", || {
            let ready =
                command("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status();
            ready.is_ok_and(|status| status.success())
        });
        child
    }

    fn url(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/postgres", self.port)
    }

    fn sql(&self, text: &str) -> String {
        let output =
            Command::new("psql").args(["-qtA", "-v", "ON_ERROR_STOP=1", "-c", text, &self.url()]).output();
        let output = output.expect("psql is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn stop(&mut self) {
        // Fast: whoever is connected is cut off.
        process::signal(self.child.id(), "INT");
        self.child.wait().expect("a child");
    }

    fn restart(&mut self) {
        self.child = Postgres::spawn(&self.folder, self.port);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        process::signal(self.child.id(), "INT");
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const TABLE: &str = "CREATE TABLE outbox (id bigserial PRIMARY KEY, channel text, data text)";

fn feed(postgres: &Postgres, daemon: &Daemon, args: &[&str]) -> Feed {
    Feed::start(&[&["postgres"], args].concat(), &postgres.url(), &daemon.admin().to_string(), None)
}

fn insert(postgres: &Postgres, numbers: std::ops::RangeInclusive<u64>) {
    let (first, last) = (numbers.start(), numbers.end());
    postgres.sql(&format!(
        "INSERT INTO outbox (channel, data) SELECT 'news', n FROM generate_series({first}, {last}) AS n; NOTIFY outbox"
    ));
}

#[test]
fn rows_come_once_and_in_order_and_are_gone_then() {
    let mut postgres = Postgres::start();
    postgres.sql(TABLE);
    let daemon = Daemon::start(&["--channels", "*"]);
    let mut client = open(&daemon, "news");
    insert(&postgres, 1..=150);
    let args = ["--table", "outbox", "--listen", "outbox"];
    let one = feed(&postgres, &daemon, &args);
    assert_eq!(next(&mut client, 150), numbered(1..=150));
    wait("the rows are gone", || postgres.sql("SELECT count(*) FROM outbox") == "0");
    one.kill();
    insert(&postgres, 151..=152);
    // It was killed when the server had the first, and the table still has it.
    let answer = daemon.push_to("/push?channel=news&idempotency_key=postgres%3Aoutbox%3A151", "151");
    assert_eq!(answer["offset"], 151, "{answer}");
    let again = feed(&postgres, &daemon, &args);
    assert_eq!(next(&mut client, 2), numbered(151..=152));
    // The database goes and comes back.
    postgres.stop();
    again.wait_said("the source is away");
    postgres.restart();
    insert(&postgres, 153..=154);
    assert_eq!(next(&mut client, 2), numbered(153..=154));
    // A row with a lower number that is committed later is found.
    postgres.sql("INSERT INTO outbox (id, channel, data) VALUES (0, 'news', '155'), (-1, NULL, 'nowhere')");
    assert_eq!(next(&mut client, 1), numbered(155..=155));
    again.wait_said("passed over postgres:outbox:-1: it has no channel");
    wait("the rows are gone", || postgres.sql("SELECT count(*) FROM outbox") == "0");
}

#[test]
fn what_notify_says_comes_under_its_name_and_a_wrong_table_is_told() {
    let postgres = Postgres::start();
    let daemon = Daemon::start(&["--channels", "*"]);
    let (mut news, mut all) = (open(&daemon, "news"), open(&daemon, "all"));
    let _one = feed(&postgres, &daemon, &["--listen", "news"]);
    let _two = feed(&postgres, &daemon, &["--listen", "other", "--channel", "all"]);
    wait("both listen", || {
        postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'")
            == "2"
    });
    postgres.sql("NOTIFY news, 'a'; NOTIFY other, 'b'");
    assert_eq!(next(&mut news, 1), [(1, "a".to_owned())]);
    assert_eq!(next(&mut all, 1), [(1, "b".to_owned())]);
    let mut wrong = feed(&postgres, &daemon, &["--table", "nothing"]);
    assert_eq!(wrong.wait_end().code(), Some(1));
    wrong.wait_said("\"nothing\" does not exist");
}
