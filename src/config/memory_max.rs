//! How much memory the server may take, with the kernel's sockets.

use std::fmt;
use std::str::FromStr;

use crate::limits::MEMORY_MAX;

const AUTO: &str = "auto";
const OFF: &str = "off";

/// A bound for the server's memory, its own and the kernel's for its sockets.
///
/// ```
/// use wspush::config::MemoryMax;
///
/// let max: MemoryMax = "64 MiB".parse()?;
/// assert_eq!(max.of(1 << 30), Some(64 << 20));
/// assert_eq!("50%".parse::<MemoryMax>()?.of(1 << 30), Some(512 << 20));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryMax {
    /// Whatever comes.
    Off,
    /// Most of what the machine has, or of what the process is allowed.
    Auto,
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of it.
    Percent(u8),
}

impl MemoryMax {
    /// The bytes, where there are so many in all; None: no bound.
    pub fn of(self, available: u64) -> Option<u64> {
        match self {
            MemoryMax::Off => None,
            // The rest is for the system's other needs: page tables, files, those who log in.
            MemoryMax::Auto => Some(available - available / 8),
            MemoryMax::Bytes(bytes) => Some(bytes),
            MemoryMax::Percent(percent) => {
                let percent = u64::from(percent);
                Some(available / 100 * percent + available % 100 * percent / 100)
            }
        }
    }

    /// So many bytes, if there may be.
    pub(super) fn bytes(bytes: u64) -> Result<MemoryMax, String> {
        if MEMORY_MAX.contains(bytes) { Ok(MemoryMax::Bytes(bytes)) } else { Err(allowed()) }
    }
}

fn allowed() -> String {
    let (min, max) = (MEMORY_MAX.min, MEMORY_MAX.max);
    format!("allowed are {min}..={max} bytes, also as 64 MiB or 2 GiB; 1% to 100%; {AUTO}; {OFF}")
}

/// The bytes that a unit stands for.
fn unit_bytes(unit: &str) -> Option<u64> {
    let units = [("", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("K", 10), ("M", 20), ("G", 30)];
    units.iter().find(|(name, _)| *name == unit).map(|(_, shift)| 1 << shift)
}

impl fmt::Display for MemoryMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryMax::Off => f.write_str(OFF),
            MemoryMax::Auto => f.write_str(AUTO),
            MemoryMax::Bytes(bytes) => bytes.fmt(f),
            MemoryMax::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for MemoryMax {
    type Err = String;

    fn from_str(text: &str) -> Result<MemoryMax, String> {
        match text {
            AUTO => return Ok(MemoryMax::Auto),
            OFF => return Ok(MemoryMax::Off),
            _ => {}
        }
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.trim_end().parse().ok().filter(|percent| (1..=100).contains(percent));
            return percent.map(MemoryMax::Percent).ok_or_else(allowed);
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let bytes =
            unit_bytes(unit.trim_start()).and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit));
        MemoryMax::bytes(bytes.ok_or_else(allowed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (text, max) in [
            ("off", MemoryMax::Off),
            ("auto", MemoryMax::Auto),
            ("8388608", MemoryMax::Bytes(8 << 20)),
            ("64 MiB", MemoryMax::Bytes(64 << 20)),
            ("64MiB", MemoryMax::Bytes(64 << 20)),
            ("64M", MemoryMax::Bytes(64 << 20)),
            ("1 GiB", MemoryMax::Bytes(1 << 30)),
            ("8192 KiB", MemoryMax::Bytes(8 << 20)),
            ("50%", MemoryMax::Percent(50)),
            ("100 %", MemoryMax::Percent(100)),
        ] {
            assert_eq!(text.parse(), Ok(max), "{text}");
            assert_eq!(max.to_string().parse(), Ok(max), "{text}");
        }
        for text in
            ["", "0", "1", "-1", "64 MB", "64 mib", "MiB", "0%", "101%", "%", "Auto", "1.5 GiB", "1 TiB"]
        {
            let problem = text.parse::<MemoryMax>().unwrap_err();
            assert!(problem.contains("64 MiB") && problem.contains("auto"), "{text}: {problem}");
        }
        assert!("99999999999999999999 GiB".parse::<MemoryMax>().is_err());
    }

    #[test]
    fn it_is_a_part_of_what_there_is() {
        for (max, bytes) in [
            (MemoryMax::Off, None),
            (MemoryMax::Auto, Some(14 << 20)),
            (MemoryMax::Bytes(64 << 20), Some(64 << 20)),
            (MemoryMax::Percent(25), Some(4 << 20)),
        ] {
            assert_eq!(max.of(16 << 20), bytes, "{max}");
        }
    }
}
