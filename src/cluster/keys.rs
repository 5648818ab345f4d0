//! The names of everything in Redis. What belongs to one partition has its number in braces, so that it lies together
//! also where keys are spread over several servers.

use sha1_smol::Sha1;

/// In place of a partition's number: what is about the nodes.
pub(super) const NODES: &str = "nodes";

/// The part of the cluster that a channel belongs to, of so many: the same at all nodes.
pub(super) fn partition(channel: &str, partitions: usize) -> usize {
    let digest = Sha1::from(channel).digest().bytes();
    let mut first = [0; 4];
    first.copy_from_slice(&digest[..4]);
    u32::from_be_bytes(first) as usize % partitions
}

/// The keys of a cluster.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
    partitions: usize,
}

impl Keys {
    pub fn new(prefix: &str, partitions: usize) -> Keys {
        Keys { prefix: prefix.to_owned(), partitions }
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// The partition of a channel.
    pub fn partition(&self, channel: &str) -> usize {
        partition(channel, self.partitions)
    }

    /// The facts that all nodes agree on.
    pub fn meta(&self) -> String {
        format!("{}:meta", self.prefix)
    }

    /// Stream, state and channels of a partition; behind the last one comes what nodes tell each other.
    pub fn of_partition(&self, partition: usize) -> [String; 3] {
        if partition >= self.partitions {
            return ["log", "state", "top"].map(|what| self.of_nodes(what));
        }
        ["log", "state", "top"].map(|what| format!("{}:{{{partition}}}:{what}", self.prefix))
    }

    /// Something that is about the nodes.
    pub fn of_nodes(&self, what: &str) -> String {
        format!("{}:{{{NODES}}}:{what}", self.prefix)
    }

    /// The stream of what is said to one run of a node alone.
    pub fn said_to(&self, run: &str) -> String {
        self.of_nodes(&format!("in:{run}"))
    }

    /// An idempotency key.
    pub fn idempotency(&self, partition: usize, key: &str) -> String {
        format!("{}:{{{partition}}}:i:{key}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_the_same_partition_for_ever() {
        // Another function would divide a running cluster.
        let found = ["broadcast", "news", "a", "user.1"].map(|channel| partition(channel, 16));
        assert_eq!(found, [8, 13, 7, 4]);
        let mut counts = [0; 16];
        (0..16_000).for_each(|n| counts[partition(&format!("user.{n}"), 16)] += 1);
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }

    #[test]
    fn what_belongs_together_lies_together() {
        let keys = Keys::new("wspush", 16);
        assert_eq!(keys.of_partition(3), ["wspush:{3}:log", "wspush:{3}:state", "wspush:{3}:top"]);
        assert_eq!(keys.idempotency(3, "k"), "wspush:{3}:i:k");
        assert_eq!(keys.of_partition(16)[0], "wspush:{nodes}:log");
        assert_eq!(keys.said_to("a:1:2"), "wspush:{nodes}:in:a:1:2");
    }
}
