//! How the load was made, and whether that was what set the pace.

use super::tables::Row;
use crate::effort::Worked;
use crate::tally::Tally;
use serde::Serialize;

/// The threads that made the load, while something was on its way to them.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Client {
    /// Share of that time in which the busiest of them could have taken nothing more.
    pub(crate) busiest: f64,
    /// Of it: on a processor, and waiting for one.
    pub(crate) running: f64,
    pub(crate) waiting: f64,
    /// Whether what is told in elapsed time is the client's.
    pub(crate) is_limit: bool,
}

impl Client {
    /// From the set-up of the connections where nothing else was measured.
    pub(crate) fn new(tally: &Tally, is_of_setup: bool) -> Self {
        let threads = if is_of_setup { &tally.setting_up } else { &tally.worked };
        let busiest = threads.iter().copied().max_by(|a, b| a.share().total_cmp(&b.share()));
        let worked = busiest.unwrap_or_default();
        let Worked { elapsed_ns, run_ns, wait_ns } = worked;
        let part = |ns: u64| if elapsed_ns == 0 { 0.0 } else { ns as f64 / elapsed_ns as f64 };
        Self {
            busiest: worked.share(),
            running: part(run_ns).min(1.0),
            waiting: part(wait_ns).min(1.0),
            is_limit: worked.is_limit(),
        }
    }

    pub(super) fn rows(self) -> Vec<Row> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let [busiest, running, waiting] = [self.busiest, self.running, self.waiting].map(percent);
        let text = format!("{busiest} of the time ({running} running, {waiting} waiting for a processor)");
        vec![("busiest thread", text)]
    }

    /// The warning that goes with rates and times.
    pub(crate) fn note(self) -> Option<String> {
        self.is_limit.then(|| {
            let more = match self.waiting > self.running {
                true => "give it processors of its own (--server-cpus, taskset)",
                false => "give it more --threads, and processors for them",
            };
            format!(
                "the client is the limit, its busiest thread had {:.0} % of the time to do: rates and times are \
                 the client's, and only CPU time is the server's; {more}",
                self.busiest * 100.0
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(worked: &[(u64, u64)]) -> Client {
        let worked = worked.iter().map(|&(run_ns, wait_ns)| Worked { elapsed_ns: 100, run_ns, wait_ns });
        Client::new(&Tally { worked: worked.collect(), ..Tally::default() }, false)
    }

    #[test]
    fn the_busiest_thread_tells() {
        let idle = client(&[(10, 0), (40, 5), (30, 0)]);
        assert_eq!((idle.busiest, idle.is_limit, idle.note()), (0.45, false, None));
        assert_eq!(idle.rows()[0].1, "45 % of the time (40 % running, 5 % waiting for a processor)");
        let note = client(&[(10, 0), (97, 1)]).note().unwrap();
        assert!(note.contains("98 % of the time") && note.contains("more --threads"), "{note}");
        assert!(client(&[(30, 65)]).note().unwrap().contains("taskset"));
        assert_eq!(client(&[]).busiest, 0.0);
        let setup =
            Tally { setting_up: vec![Worked { elapsed_ns: 2, run_ns: 2, wait_ns: 0 }], ..Tally::default() };
        assert!(Client::new(&setup, true).is_limit && !Client::new(&setup, false).is_limit);
    }
}
