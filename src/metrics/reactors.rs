//! The numbers of several reactors of one server, added up and one by one.

use super::Metrics;
use super::exposition::{Exposition, MetricType};

impl Metrics {
    /// Adds the numbers of another reactor. All of them take in what is published, and the first one counts that.
    pub(crate) fn add_of_reactor(&mut self, other: &Metrics) {
        let Metrics { publications, publications_bytes, .. } = *self;
        let (forgotten, refused) = (self.channels_forgotten.clone(), self.channels_refused.clone());
        let (events, dropped, failures) =
            (self.webhook_events, self.webhook_events_dropped, self.webhook_failures);
        let seconds = self.webhook_seconds.clone();
        self.add(other);
        (self.publications, self.publications_bytes) = (publications, publications_bytes);
        (self.channels_forgotten, self.channels_refused) = (forgotten, refused);
        (self.webhook_events, self.webhook_events_dropped, self.webhook_failures) =
            (events, dropped, failures);
        self.webhook_seconds = seconds;
    }

    /// Appends the numbers of each of several reactors, for whoever wants to see how even they are.
    pub(crate) fn write_reactors(reactors: &[(u64, &Metrics)], exposition: &mut Exposition) {
        exposition.family(
            "wspush_reactor_connections",
            "Open connections of each reactor.",
            MetricType::Gauge,
        );
        for (n, (connections, _)) in reactors.iter().enumerate() {
            exposition.sample_with("reactor", &n.to_string(), *connections);
        }
        let help = "Publications written completely to a subscriber, by each reactor.";
        exposition.family("wspush_reactor_deliveries_total", help, MetricType::Counter);
        for (n, (_, metrics)) in reactors.iter().enumerate() {
            exposition.sample_with("reactor", &n.to_string(), metrics.deliveries);
        }
        let help = "Time that the turns of each reactor took, without waiting.";
        exposition.family("wspush_reactor_turn_seconds_total", help, MetricType::Counter);
        for (n, (_, metrics)) in reactors.iter().enumerate() {
            exposition.seconds_with("reactor", &n.to_string(), metrics.turn_seconds.sum_us());
        }
    }
}
