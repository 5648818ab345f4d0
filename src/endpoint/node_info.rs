//! A server among those that are one service, as a host sees it.

use serde::Deserialize;

/// One of the servers of a cluster.
///
/// ```no_run
/// # fn example(handle: &wspush::Handle) -> Result<(), wspush::PushError> {
/// handle.nodes(|nodes| {
///     for node in nodes.unwrap_or_default() {
///         println!("{} has {} connections", node.node, node.connections);
///     }
/// })
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct NodeInfo {
    /// Its name.
    #[serde(skip)]
    pub node: String,
    /// This run of it.
    pub run: String,
    /// The version that it is of.
    pub version: String,
    /// When it started, in milliseconds since 1970.
    pub since_ms: u64,
    /// Its connections, three seconds ago at the most.
    pub connections: u64,
    /// How far it was behind the streams then.
    pub lag_ms: u64,
    /// For how long its lease is still good: it is gone then, unless it is heard of.
    pub lease_ms: u64,
}

impl NodeInfo {
    /// Reads what a node says of itself; what a newer one says more is passed over.
    pub fn read(node: String, json: &str) -> NodeInfo {
        NodeInfo { node, ..serde_json::from_str(json).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_what_it_is() {
        let json = r#"{"run":"a:1:2","version":"9.9","since_ms":7,
            "connections":3,"lag_ms":1,"lease_ms":9000,"new":[]}"#;
        let info = NodeInfo::read("a".to_owned(), json);
        assert_eq!((&*info.node, &*info.run, &*info.version), ("a", "a:1:2", "9.9"));
        assert_eq!((info.since_ms, info.connections, info.lag_ms, info.lease_ms), (7, 3, 1, 9_000));
        let odd = NodeInfo::read("b".to_owned(), "[");
        assert_eq!(odd, NodeInfo { node: "b".to_owned(), ..NodeInfo::default() });
    }
}
