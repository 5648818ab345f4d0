//! Who may connect to a Unix-domain socket.

use std::fmt;
use std::str::FromStr;

/// The mode of a Unix-domain socket. Whoever may write to it may connect.
///
/// ```
/// use wspush::config::SocketMode;
///
/// assert_eq!("0660".parse::<SocketMode>()?.to_string(), "0660");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketMode(u32);

impl SocketMode {
    /// Its owner alone.
    pub const OWNER: SocketMode = SocketMode(0o600);

    /// As chmod(2) takes it.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether everybody on the machine may connect.
    pub fn is_for_all(self) -> bool {
        self.0 & 0o002 != 0
    }
}

impl fmt::Display for SocketMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl FromStr for SocketMode {
    type Err = String;

    fn from_str(text: &str) -> Result<SocketMode, String> {
        let is_octal =
            (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && mode & !0o777 == 0);
        match mode {
            Some(mode) if mode & 0o600 == 0o600 => Ok(SocketMode(mode)),
            Some(_) => Err(format!("with {text} its owner itself could not connect; 0600 at the least")),
            None => Err(format!("{text:?} is no mode like 0660, in octal digits")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (text, shown) in [("0600", "0600"), ("660", "0660"), ("0666", "0666"), ("0777", "0777")] {
            assert_eq!(text.parse::<SocketMode>().unwrap().to_string(), shown);
        }
        for text in ["", "0", "0800", "rw", "00660", "1777", "0060", "-660", "+660"] {
            assert!(text.parse::<SocketMode>().is_err(), "{text}");
        }
        let for_all = |text: &str| text.parse::<SocketMode>().unwrap().is_for_all();
        assert!(for_all("0666") && !for_all("0664") && !for_all("0660"));
    }
}
