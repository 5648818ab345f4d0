//! Hosts that ask which servers their cluster has.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::host::Host;
use super::settings::hosts;

/// A Redis server that goes with this.
struct Redis(Child);

impl Redis {
    fn start() -> (Redis, String) {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--port", &free.port().to_string(), "--bind", "127.0.0.1", "--save", ""]);
        let redis =
            Redis(command.stdout(Stdio::null()).spawn().expect("redis-server is installed (./test does it)"));
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(free).is_err() {
            assert!(Instant::now() < until, "a Redis server");
            thread::sleep(Duration::from_millis(10));
        }
        (redis, format!("cluster=redis://{free}"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The answer, as soon as it is this one.
fn wait_nodes(host: &mut Host, wanted: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        host.command("nodes");
        let said = host.line();
        if said == wanted {
            return;
        }
        assert!(Instant::now() < until, "{said} instead of {wanted}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_host_is_told_which_servers_its_cluster_has() {
    let (redis, cluster) = Redis::start();
    let (one, other) = ([cluster.as_str(), "node=one"], [cluster.as_str(), "node=other"]);
    for (mut one, mut other) in hosts(&one).zip(hosts(&other)) {
        one.port();
        other.port();
        wait_nodes(&mut one, "nodes one other");
        wait_nodes(&mut other, "nodes one other");
        other.end();
        one.end();
        // Those who have gone have leases that are still good.
        let url = cluster.strip_prefix("cluster=").unwrap();
        assert!(Command::new("redis-cli").args(["-u", url, "FLUSHALL"]).output().unwrap().status.success());
    }
    for mut alone in hosts(&[]) {
        alone.port();
        wait_nodes(&mut alone, "nodes none");
        alone.end();
    }
    let mut left: Vec<Host> = hosts(&one).collect();
    left.iter_mut().for_each(|host| _ = host.port());
    drop(redis);
    for host in &mut left {
        wait_nodes(host, "nodes away");
        host.end();
    }
}
