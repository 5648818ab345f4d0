//! The numbers of a server that is one of several.

use super::Metrics;
use super::exposition::{Exposition, MetricType};
use super::histogram::Histogram;

/// How the engine is that gives all of them one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterGauges {
    /// Whether it is there.
    pub is_up: bool,
    /// Publications handed over that have their places.
    pub placed: u64,
    /// Those that it has not taken.
    pub refused: u64,
    /// Entries that were read: publications of this node and of all others, and lives that begin.
    pub read: u64,
    /// Publications that wait to be handed over.
    pub waiting: u64,
    /// How often it has been lost.
    pub losses: u64,
    /// Lives of a part of the channels that have begun since the start.
    pub epochs: u64,
    /// How often something was no longer there when it was to be read.
    pub gaps: u64,
    /// How long it has taken until they were answered.
    pub seconds: Histogram,
    /// Publications that this node has placed itself while it was away.
    pub local: u64,
}

impl Metrics {
    /// Appends the numbers of the cluster.
    pub(crate) fn write_cluster(cluster: &ClusterGauges, exposition: &mut Exposition) {
        use MetricType::{Counter, Gauge};
        for (name, help, metric_type, value) in [
            (
                "wspush_cluster_up",
                "1: the cluster takes publications and is read.",
                Gauge,
                u64::from(cluster.is_up),
            ),
            (
                "wspush_cluster_waiting",
                "Requests to publish that wait for the cluster.",
                Gauge,
                cluster.waiting,
            ),
            (
                "wspush_cluster_placed_total",
                "Requests to publish that the cluster has answered with places.",
                Counter,
                cluster.placed,
            ),
            (
                "wspush_cluster_refused_total",
                "Requests to publish that the cluster has not taken.",
                Counter,
                cluster.refused,
            ),
            (
                "wspush_cluster_read_total",
                "Entries read from the cluster, of all nodes.",
                Counter,
                cluster.read,
            ),
            ("wspush_cluster_losses_total", "How often the cluster was lost.", Counter, cluster.losses),
            (
                "wspush_cluster_epochs_total",
                "Lives of a partition that have begun because the cluster has lost its data.",
                Counter,
                cluster.epochs,
            ),
            (
                "wspush_cluster_gaps_total",
                "How often entries were gone before this node has read them.",
                Counter,
                cluster.gaps,
            ),
            (
                "wspush_cluster_local_total",
                "Publications for this node's clients alone, while the cluster was away (cluster_down = local).",
                Counter,
                cluster.local,
            ),
        ] {
            exposition.family(name, help, metric_type);
            exposition.sample(value);
        }
        let help = "Time until a request to publish has its places from the cluster, or is refused.";
        exposition.histogram("wspush_cluster_seconds", help, &cluster.seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    #[test]
    fn each_number_has_its_line() {
        let mut exposition = Exposition::new(Format::Text);
        let mut cluster = ClusterGauges { is_up: true, read: 7, gaps: 2, ..ClusterGauges::default() };
        cluster.seconds.note(1_700);
        Metrics::write_cluster(&cluster, &mut exposition);
        let text = String::from_utf8(exposition.finish()).unwrap();
        for line in [
            "wspush_cluster_up 1",
            "wspush_cluster_read_total 7",
            "wspush_cluster_gaps_total 2",
            "wspush_cluster_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert_eq!(text.lines().filter(|line| line.starts_with("# TYPE")).count(), 10);
    }
}
