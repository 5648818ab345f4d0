//! The daemon (stand-in main).
use wspush::{Config, Server};
fn main() {
    let mut config = Config::default();
    let args: Vec<String> = std::env::args().collect();
    let get = |n: &str| args.iter().position(|a| a == n).map(|i| args[i + 1].clone());
    config.demo = args.iter().any(|a| a == "--demo");
    if let Some(l) = get("--listen") {
        config.listen = vec![l.parse().unwrap()];
    }
    if let Some(l) = get("--admin") {
        config.admin = wspush::config::AdminListen::Tcp(l.parse().unwrap());
    }
    if let Some(l) = get("--max-connections") {
        config.max_connections = l.parse().unwrap();
    }
    Server::bind(config).unwrap().run().unwrap();
}
