//! Numbers of the whole process, under the names that Prometheus's own clients give them, and what was built.

use super::exposition::{Exposition, MetricType};

/// The process, as the system sees it. 0: the system doesn't say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Processor time of all threads, in hundredths of a second.
    pub cpu_ticks: u64,
    /// Open descriptors.
    pub open_descriptors: u64,
    /// Descriptors that there may be.
    pub descriptors_max: u64,
    /// Address space.
    pub virtual_bytes: u64,
    /// Resident set.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// When it began, in seconds since 1970.
    pub began_unix_s: u64,
}

impl Process {
    /// Appends these numbers and the build's name.
    pub fn write(&self, exposition: &mut Exposition) {
        let help = "The version of this server; always 1.";
        exposition.family("wspush_build_info", help, MetricType::Gauge);
        exposition.sample_with("version", env!("CARGO_PKG_VERSION"), 1);
        let help = "Processor time of all threads, user and system, in seconds.";
        exposition.family("process_cpu_seconds_total", help, MetricType::Counter);
        exposition.hundredths(self.cpu_ticks);
        for (name, help, value) in [
            ("process_open_fds", "Open descriptors.", self.open_descriptors),
            ("process_max_fds", "Descriptors that there may be.", self.descriptors_max),
            ("process_virtual_memory_bytes", "Address space.", self.virtual_bytes),
            ("process_resident_memory_bytes", "Resident set.", self.resident_bytes),
            ("process_threads", "Threads.", self.threads),
            ("process_start_time_seconds", "When the server began, since 1970.", self.began_unix_s),
        ] {
            if value > 0 {
                exposition.family(name, help, MetricType::Gauge);
                exposition.sample(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    #[test]
    fn unknown_numbers_are_not_there() {
        let process = Process { cpu_ticks: 1_205, threads: 3, ..Process::default() };
        let mut exposition = Exposition::new(Format::Text);
        process.write(&mut exposition);
        let text = String::from_utf8(exposition.finish()).unwrap();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let build = format!("wspush_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        assert_eq!(samples, [&*build, "process_cpu_seconds_total 12.05", "process_threads 3"]);
    }
}
