//! One run from the first connection to the report.

use crate::admin::pusher::Pusher;
use crate::args::{Broadcast, Common, Connect, Echo, Plan, Push, Soak};
use crate::fleet::Fleet;
use crate::job::{Job, Order};
use crate::payload::Template;
use crate::probe::{Probe, Sample};
use crate::progress::Progress;
use crate::random::Random;
use crate::report::{self, Report, page, text};
use crate::sys;
use crate::tally::Tally;
use crate::tls;
use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Descriptors that a process needs beside its connections.
const DESCRIPTORS_SPARE: u64 = 64;
/// Until a server has done what follows from the last byte: it gives memory back, and sleeps again.
const SETTLE: Duration = Duration::from_millis(300);

/// What the campaign itself sees; the workers' part is in their tally.
#[derive(Default)]
pub(crate) struct Observed {
    pub(crate) threads: u32,
    pub(crate) processes: u32,
    /// The server: before the first connection, with all open, and before and after what was measured.
    pub(crate) empty: Sample,
    pub(crate) connected: Sample,
    pub(crate) before: Sample,
    pub(crate) after: Sample,
    /// When each publication was sent, and which of them are measured, in bursts of (first, count).
    pub(crate) sent_ns: Vec<u64>,
    pub(crate) bursts: Vec<(u32, u32)>,
    /// Seconds since the start, and the server's memory then.
    pub(crate) rss_series: Vec<(f64, u64)>,
    /// Why the campaign ended early or is no good.
    pub(crate) findings: Vec<String>,
}

struct Campaign<'a> {
    common: &'a Common,
    fleet: Fleet,
    probe: Option<Probe>,
    observed: Observed,
}

/// Carries out the plan; true when the server passed.
pub(crate) fn run(plan: &Plan) -> Result<bool, String> {
    let common = plan.common();
    let probe = Probe::new(&common.server_pid)?;
    let run = Random::new().next() as u16;
    // A wrong push address shows before thousands of connections are opened.
    let pusher = match plan {
        Plan::Broadcast(Broadcast { push, .. }) | Plan::Soak(Soak { push, .. }) => {
            let template = Template { run, body: push.message.payload, size: push.message.size(128) };
            Some(Pusher::connect(&push.target, template, push.binary, common.timeout)?)
        }
        Plan::Connect(_) | Plan::Echo(_) => None,
    };
    let mut campaign = Campaign::start(plan, probe, run)?;
    match (plan, pusher) {
        (Plan::Connect(plan), _) => campaign.connect(plan)?,
        (Plan::Echo(plan), _) => campaign.echo(plan)?,
        (Plan::Broadcast(plan), Some(pusher)) => campaign.broadcast(plan, pusher)?,
        (Plan::Soak(plan), Some(pusher)) => campaign.soak(plan, pusher)?,
        (Plan::Broadcast(_) | Plan::Soak(_), None) => unreachable!("these plans have a pusher"),
    }
    let Campaign { fleet, observed, .. } = campaign;
    let tally = fleet.finish()?;
    conclude(plan, &observed, &tally)
}

fn conclude(plan: &Plan, observed: &Observed, tally: &Tally) -> Result<bool, String> {
    let report = Report::new(plan, observed, tally);
    let common = plan.common();
    std::io::stdout()
        .write_all(text::render(&report).as_bytes())
        .map_err(|error| format!("standard output: {error}"))?;
    for (path, content) in
        [(&common.json, report::json as fn(&Report) -> String), (&common.html, page::render)]
    {
        if let Some(path) = path {
            std::fs::write(path, content(&report)).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(report.passed)
}

impl<'a> Campaign<'a> {
    /// Opens the connections.
    fn start(plan: &'a Plan, probe: Option<Probe>, run: u16) -> Result<Self, String> {
        let common = plan.common();
        let limit = sys::raise_descriptor_limit().map_err(|error| format!("descriptor limit: {error}"))?;
        if common.url.is_secure {
            // A certificate that can't be read shows here, not in every worker.
            tls::Client::new(&common.tls.terms(), &common.url.host, common.connections)?;
        }
        let processes = processes(common, limit)?;
        let mut observed = Observed { threads: common.threads, processes, ..Observed::default() };
        observed.empty = sample(probe.as_ref())?;
        let jobs = jobs(plan, processes, run);
        let mut fleet = if processes == 1 {
            Fleet::in_threads(jobs)?
        } else {
            let shares: Vec<_> = jobs.chunks(common.threads as usize).map(<[Job]>::to_vec).collect();
            Fleet::in_processes(&shares)?
        };
        if common.tls.terms().resumes {
            fleet.primed()?;
            sleep(SETTLE);
            observed.empty = sample(probe.as_ref())?;
            fleet.order(Order::Begin)?;
        }
        let bar = Progress::new("connecting", u64::from(common.connections));
        let (open, failed) = fleet.connected(|open, failed| bar.set(u64::from(open + failed)))?;
        drop(bar);
        if open == 0 {
            observed.findings.push(format!("none of {failed} connections was opened"));
        }
        sleep(SETTLE);
        observed.connected = sample(probe.as_ref())?;
        Ok(Self { common, fleet, probe, observed })
    }

    fn sample(&self) -> Result<Sample, String> {
        sample(self.probe.as_ref())
    }

    fn connect(&mut self, plan: &Connect) -> Result<(), String> {
        self.observed.before = self.observed.connected;
        sleep(plan.hold);
        self.observed.after = self.sample()?;
        Ok(())
    }

    fn broadcast(&mut self, plan: &Broadcast, mut pusher: Pusher) -> Result<(), String> {
        let mut is_well = self.observed.findings.is_empty();
        if is_well && plan.warm_up > 0 {
            is_well = self.push(&mut pusher, plan.warm_up, &plan.push, true)?;
            sleep(plan.interval.max(SETTLE));
        }
        self.fleet.mark()?;
        self.observed.before = self.sample()?;
        let bar = Progress::new("publishing", u64::from(plan.messages));
        let begun = Instant::now();
        let mut pushed = 0;
        while is_well && pushed < plan.messages {
            let count = plan.push.burst.min(plan.messages - pushed);
            if pushed > 0 {
                let round = self.observed.bursts.len() as u32;
                sleep(if plan.fixed_interval {
                    (plan.interval * round).saturating_sub(begun.elapsed())
                } else {
                    plan.interval
                });
            }
            self.observed.bursts.push((pusher.published(), count));
            let is_last = pushed + count == plan.messages;
            is_well = self.push(&mut pusher, count, &plan.push, is_last || !plan.fixed_interval)?;
            pushed += count;
            bar.set(u64::from(pushed));
        }
        sleep(SETTLE.min(Duration::from_millis(50)));
        self.observed.after = self.sample()?;
        self.observed.sent_ns = pusher.sent_ns;
        Ok(())
    }

    /// Posts publications and, if asked to, waits until everybody has them; false when it makes no sense to
    /// go on.
    fn push(&mut self, pusher: &mut Pusher, count: u32, how: &Push, waits: bool) -> Result<bool, String> {
        let publications = pusher.published() + count;
        self.fleet.order(Order::Expect { publications })?;
        if let Err(error) = pusher.burst(count, how.pipeline) {
            self.observed.findings.push(error);
            return Ok(false);
        }
        if pusher.refused > 0 {
            self.observed
                .findings
                .push(format!("{} publications were refused: {}", pusher.refused, pusher.last_refusal));
            return Ok(false);
        }
        if waits && !self.fleet.caught_up(publications, self.common.timeout)? {
            let waited_s = self.common.timeout.as_secs_f64();
            self.observed
                .findings
                .push(format!("not everybody had publication {publications} after {waited_s} s"));
            return Ok(false);
        }
        Ok(true)
    }

    fn echo(&mut self, plan: &Echo) -> Result<(), String> {
        let (body, size) = (plan.message.payload, plan.message.size(32));
        self.fleet.order(Order::Echo { outstanding: plan.outstanding, body, size })?;
        sleep(plan.warm_up);
        self.observed.before = self.sample()?;
        self.fleet.order(Order::Mark)?;
        sleep(plan.duration);
        self.observed.after = self.sample()?;
        self.fleet.order(Order::Halt)?;
        if !self.fleet.halted(self.common.timeout)? {
            self.observed.findings.push("not every message came back in time".into());
        }
        Ok(())
    }

    fn soak(&mut self, plan: &Soak, mut pusher: Pusher) -> Result<(), String> {
        let begun = Instant::now();
        let bar = Progress::new("soaking", plan.duration.as_secs());
        self.observed.before = self.sample()?;
        let mut is_well = self.observed.findings.is_empty();
        let mut round = 0;
        while is_well && begun.elapsed() < plan.duration {
            self.observed.bursts.push((pusher.published(), plan.push.burst));
            is_well = self.push(&mut pusher, plan.push.burst, &plan.push, true)?;
            if round == 0 {
                self.fleet.order(Order::Churn { per_second: plan.churn })?;
            }
            round += 1;
            sleep((plan.interval * round).saturating_sub(begun.elapsed()));
            let rss_bytes = self.sample()?.rss_bytes;
            self.observed.rss_series.push((begun.elapsed().as_secs_f64(), rss_bytes));
            bar.set(begun.elapsed().as_secs());
        }
        self.fleet.order(Order::Churn { per_second: 0.0 })?;
        if is_well {
            // Those that left have been replaced by now; one more publication must reach all.
            sleep(SETTLE);
            self.fleet.order(Order::Settle { publications: pusher.published() })?;
            self.observed.bursts.push((pusher.published(), plan.push.burst));
            self.push(&mut pusher, plan.push.burst, &plan.push, true)?;
        }
        self.observed.after = self.sample()?;
        self.observed.sent_ns = pusher.sent_ns;
        Ok(())
    }
}

fn sample(probe: Option<&Probe>) -> Result<Sample, String> {
    probe.map_or(Ok(Sample::default()), Probe::sample)
}

/// How many processes the descriptor limit asks for.
fn processes(common: &Common, limit: u64) -> Result<u32, String> {
    let room = limit.saturating_sub(DESCRIPTORS_SPARE + 8 * u64::from(common.threads)).max(1);
    let needed = u64::from(common.connections).div_ceil(room) as u32;
    match common.processes {
        Some(given) if given < needed => Err(format!(
            "{} connections in {given} process{} need more than the {limit} descriptors that each may open \
             (RLIMIT_NOFILE, hard limit): leave --processes out to have {needed} of them, or raise the limit \
             with `ulimit -Hn {}` as root or LimitNOFILE= in the unit",
            common.connections,
            if given == 1 { "" } else { "es" },
            u64::from(common.connections.div_ceil(given)) + DESCRIPTORS_SPARE + 8 * u64::from(common.threads),
        )),
        Some(given) => Ok(given),
        None => Ok(needed),
    }
}

/// Divides the load between the workers.
fn jobs(plan: &Plan, processes: u32, run: u16) -> Vec<Job> {
    let common = plan.common();
    let workers = (processes * common.threads).min(common.connections);
    let seed = Random::new().next();
    let share = |worker: u32| (u64::from(common.connections) * u64::from(worker) / u64::from(workers)) as u32;
    let (never_read_percent, receive_buffer, warm_up) = match plan {
        Plan::Broadcast(plan) => (plan.never_read, plan.receive_buffer, plan.warm_up),
        _ => (0.0, None, 0),
    };
    (0..workers)
        .map(|worker| Job {
            worker: worker as usize,
            first: share(worker),
            connections: share(worker + 1) - share(worker),
            target: common.url.clone(),
            tls: common.tls.terms(),
            deflate: common.deflate,
            headers: common.headers.clone(),
            source: common.source,
            rate: common.rate / f64::from(workers),
            window: common.window.div_ceil(workers),
            timeout_ms: common.timeout.as_millis() as u64,
            wait: common.wait,
            fixed_key: common.fixed_key,
            never_read_percent,
            receive_buffer,
            seed,
            run,
            warm_up,
        })
        .collect()
}
