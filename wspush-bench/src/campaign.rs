//! One run from the first connection to the report.

use crate::admin::Access;
use crate::admin::pusher::Pusher;
use crate::admin::stats::{Counters, Stats};
use crate::admin::token::Token;
use crate::args::{Broadcast, Connect, Echo, Plan, Push, Setup, Soak};
use crate::cpus::Pinned;
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
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Descriptors that a process needs beside its connections.
const DESCRIPTORS_SPARE: u64 = 64;
/// Until a server has done what follows from the last byte: it gives memory back, and sleeps again.
const SETTLE: Duration = Duration::from_millis(300);

/// Observations of the campaign itself; those of the workers are in their tally.
#[derive(Default)]
pub(crate) struct Observed {
    pub(crate) threads: u32,
    pub(crate) processes: u32,
    /// The server: before the first connection, with all open, and before and after what was measured.
    pub(crate) empty: Sample,
    pub(crate) connected: Sample,
    pub(crate) before: Sample,
    pub(crate) after: Sample,
    /// The server's own counters, over what was measured.
    pub(crate) counted: Option<Counters>,
    /// When each publication was sent, and which of them are measured, in bursts of (first, count).
    pub(crate) sent_ns: Vec<u64>,
    pub(crate) bursts: Vec<(u32, u32)>,
    /// Seconds since the start, and the server's memory then.
    pub(crate) rss_series: Vec<(f64, u64)>,
    /// Why the campaign ended early or is no good.
    pub(crate) findings: Vec<String>,
}

struct Campaign<'a> {
    setup: &'a Setup,
    fleet: Fleet,
    server: Server,
    observed: Observed,
}

/// The measured server, as it is seen beside its answers.
struct Server {
    probe: Option<Probe>,
    stats: Option<Stats>,
    /// Its counters before what is measured.
    before: Counters,
}

/// Carries out the plan; true when the server passed.
pub(crate) fn run(plan: &Plan) -> Result<bool, String> {
    let setup = plan.setup();
    let probe = Probe::new(&setup.server.pids)?;
    let _pinned = setup.server.cpus.as_ref().map(|cpus| Pinned::new(&setup.server.pids, cpus)).transpose()?;
    let run = Random::new().next() as u16;
    let access = access(plan)?;
    // A wrong address or token shows before thousands of connections are opened.
    let stats = setup.server.stats.clone().map(|address| Stats::new(address, access.clone()));
    let before = stats.as_ref().map_or(Ok(Counters::default()), Stats::counters)?;
    let pusher = plan.push().map(|push| {
        let (body, size) = push.message();
        Pusher::connect(&push.address, &access, Template { run, body, size }, push.content_type())
    });
    let pusher = pusher.transpose()?;
    let mut campaign = Campaign::start(plan, Server { probe, stats, before }, run)?;
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

/// How the admin API is reached. The token is only looked for where there is one to show it to.
fn access(plan: &Plan) -> Result<Access, String> {
    let Setup { connections, tls, server, .. } = plan.setup();
    let is_needed = plan.push().is_some() || server.stats.is_some();
    let token = if is_needed { Token::find(server.admin_token_file.as_deref())? } else { None };
    Ok(Access { token: token.map(Rc::new), terms: tls.trust(), timeout: connections.timeout })
}

fn conclude(plan: &Plan, observed: &Observed, tally: &Tally) -> Result<bool, String> {
    let report = Report::new(plan, observed, tally);
    let output = &plan.setup().output;
    std::io::stdout()
        .write_all(text::render(&report).as_bytes())
        .map_err(|error| format!("standard output: {error}"))?;
    for (path, content) in
        [(&output.json, report::json as fn(&Report) -> String), (&output.html, page::render)]
    {
        if let Some(path) = path {
            std::fs::write(path, content(&report)).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(report.passed)
}

impl<'a> Campaign<'a> {
    /// Opens the connections.
    fn start(plan: &'a Plan, server: Server, run: u16) -> Result<Self, String> {
        let setup = plan.setup();
        let Setup { connections, tls, client, .. } = setup;
        let limit = sys::raise_descriptor_limit().map_err(|error| format!("descriptor limit: {error}"))?;
        if connections.url.is_secure {
            // A certificate that can't be read shows here, not in every worker.
            tls::Client::new(&tls.terms(), &connections.url.host, connections.count)?;
        }
        let processes = processes(setup, limit)?;
        let mut observed = Observed { threads: client.threads, processes, ..Observed::default() };
        observed.empty = server.sample()?;
        let jobs = jobs(plan, processes, run);
        let mut fleet = if processes == 1 {
            Fleet::in_threads(jobs)?
        } else {
            let shares: Vec<_> = jobs.chunks(client.threads as usize).map(<[Job]>::to_vec).collect();
            Fleet::in_processes(&shares)?
        };
        if tls.terms().resumes {
            fleet.primed()?;
            sleep(SETTLE);
            observed.empty = server.sample()?;
            fleet.order(Order::Begin)?;
        }
        let bar = Progress::new("connecting", u64::from(connections.count));
        let (open, failed) = fleet.connected(|open, failed| bar.set(u64::from(open + failed)))?;
        drop(bar);
        if open == 0 {
            observed.findings.push(format!("none of {failed} connections was opened"));
        }
        sleep(SETTLE);
        observed.connected = server.sample()?;
        Ok(Self { setup, fleet, server, observed })
    }

    /// Reads the server's costs before the measured part.
    fn begin(&mut self) -> Result<(), String> {
        self.server.before = self.server.counters()?;
        // Last, so that the question for the counters costs what is measured nothing.
        self.observed.before = self.server.sample()?;
        Ok(())
    }

    /// Reads the server's costs after the measured part.
    fn end(&mut self) -> Result<(), String> {
        self.observed.after = self.server.sample()?;
        if self.server.stats.is_some() {
            self.observed.counted = Some(self.server.counters()?.since(self.server.before));
        }
        Ok(())
    }

    fn connect(&mut self, plan: &Connect) -> Result<(), String> {
        self.begin()?;
        sleep(plan.hold);
        self.end()
    }

    fn broadcast(&mut self, plan: &Broadcast, mut pusher: Pusher) -> Result<(), String> {
        let mut is_well = self.observed.findings.is_empty();
        if is_well && plan.warm_up > 0 {
            is_well = self.push_to_all(&mut pusher, plan.warm_up, &plan.push)?;
            sleep(plan.interval.max(SETTLE));
        }
        self.fleet.mark()?;
        self.begin()?;
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
            pushed += count;
            is_well = if plan.fixed_interval && pushed < plan.messages {
                self.push(&mut pusher, count, &plan.push)?
            } else {
                self.push_to_all(&mut pusher, count, &plan.push)?
            };
            bar.set(u64::from(pushed));
        }
        sleep(SETTLE.min(Duration::from_millis(50)));
        self.end()?;
        self.observed.sent_ns = pusher.sent_ns;
        Ok(())
    }

    /// Posts publications; false when it makes no sense to go on.
    fn push(&mut self, pusher: &mut Pusher, count: u32, how: &Push) -> Result<bool, String> {
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
        Ok(true)
    }

    /// Posts publications and waits until everybody has them; false when it makes no sense to go on.
    fn push_to_all(&mut self, pusher: &mut Pusher, count: u32, how: &Push) -> Result<bool, String> {
        if !self.push(pusher, count, how)? {
            return Ok(false);
        }
        let publications = pusher.published();
        if !self.fleet.caught_up(publications, self.setup.connections.timeout)? {
            let waited_s = self.setup.connections.timeout.as_secs_f64();
            self.observed
                .findings
                .push(format!("not everybody had publication {publications} after {waited_s} s"));
            return Ok(false);
        }
        Ok(true)
    }

    fn echo(&mut self, plan: &Echo) -> Result<(), String> {
        let (body, size) = plan.message();
        self.fleet.order(Order::Echo { outstanding: plan.outstanding, body, size })?;
        sleep(plan.warm_up);
        self.begin()?;
        self.fleet.order(Order::Mark)?;
        sleep(plan.duration);
        self.end()?;
        self.fleet.order(Order::Halt)?;
        if !self.fleet.halted(self.setup.connections.timeout)? {
            self.observed.findings.push("not every message came back in time".into());
        }
        Ok(())
    }

    fn soak(&mut self, plan: &Soak, mut pusher: Pusher) -> Result<(), String> {
        let begun = Instant::now();
        let bar = Progress::new("soaking", plan.duration.as_secs());
        self.begin()?;
        let mut is_well = self.observed.findings.is_empty();
        let mut round = 0;
        while is_well && begun.elapsed() < plan.duration {
            self.observed.bursts.push((pusher.published(), plan.push.burst));
            is_well = self.push_to_all(&mut pusher, plan.push.burst, &plan.push)?;
            if round == 0 {
                self.fleet.order(Order::Churn { per_second: plan.churn })?;
            }
            round += 1;
            sleep((plan.interval * round).saturating_sub(begun.elapsed()));
            let rss_bytes = self.server.sample()?.rss_bytes;
            self.observed.rss_series.push((begun.elapsed().as_secs_f64(), rss_bytes));
            bar.set(begun.elapsed().as_secs());
        }
        self.fleet.order(Order::Churn { per_second: 0.0 })?;
        if is_well {
            // Those that left have been replaced by now; one more publication must reach all.
            sleep(SETTLE);
            self.fleet.order(Order::Settle { publications: pusher.published() })?;
            self.observed.bursts.push((pusher.published(), plan.push.burst));
            self.push_to_all(&mut pusher, plan.push.burst, &plan.push)?;
        }
        self.end()?;
        self.observed.sent_ns = pusher.sent_ns;
        Ok(())
    }
}

impl Server {
    fn sample(&self) -> Result<Sample, String> {
        self.probe.as_ref().map_or(Ok(Sample::default()), Probe::sample)
    }

    fn counters(&self) -> Result<Counters, String> {
        self.stats.as_ref().map_or(Ok(Counters::default()), Stats::counters)
    }
}

/// How many processes the descriptor limit asks for.
fn processes(setup: &Setup, limit: u64) -> Result<u32, String> {
    let Setup { connections, client, .. } = setup;
    let spare = DESCRIPTORS_SPARE + 8 * u64::from(client.threads);
    let room = limit.saturating_sub(spare).max(1);
    let needed = u64::from(connections.count).div_ceil(room) as u32;
    match client.processes {
        Some(given) if given < needed => Err(format!(
            "{} connections in {given} process{} need more than the {limit} descriptors that each may open \
             (RLIMIT_NOFILE, hard limit): leave --processes out to have {needed} of them, or raise the limit \
             with `ulimit -Hn {}` as root or LimitNOFILE= in the unit",
            connections.count,
            if given == 1 { "" } else { "es" },
            u64::from(connections.count.div_ceil(given)) + spare,
        )),
        Some(given) => Ok(given),
        None => Ok(needed),
    }
}

/// Divides the load between the workers.
fn jobs(plan: &Plan, processes: u32, run: u16) -> Vec<Job> {
    let Setup { connections, tls, client, .. } = plan.setup();
    let workers = (processes * client.threads).min(connections.count);
    let seed = Random::new().next();
    let share = |worker: u32| (u64::from(connections.count) * u64::from(worker) / u64::from(workers)) as u32;
    let (never_read_percent, receive_buffer, warm_up) = match plan {
        Plan::Broadcast(plan) => (plan.never_read, plan.receive_buffer, plan.warm_up),
        _ => (0.0, None, 0),
    };
    (0..workers)
        .map(|worker| Job {
            worker: worker as usize,
            first: share(worker),
            connections: share(worker + 1) - share(worker),
            transport: connections.transport,
            target: connections.url.clone(),
            tls: tls.terms(),
            deflate: connections.deflate,
            headers: connections.headers.clone(),
            source: connections.source,
            rate: connections.rate / f64::from(workers),
            window: connections.window.div_ceil(workers),
            timeout_ms: connections.timeout.as_millis() as u64,
            wait: client.wait,
            fixed_key: connections.fixed_key,
            never_read_percent,
            receive_buffer,
            seed,
            run,
            warm_up,
        })
        .collect()
}
