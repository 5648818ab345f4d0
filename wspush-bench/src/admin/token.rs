//! The bearer token of the admin API. It comes from a file or from the environment, because command lines stand in
//! `ps` and in the histories of shells.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The daemon's own variable.
const VARIABLE: &str = "WSPUSH_ADMIN_TOKEN";
/// Longer than any token that a server takes in a header.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// A token that nothing prints: it has neither `Debug` nor `Display`.
pub(crate) struct Token(String);

impl Token {
    /// Reads the file, or else the environment. No error quotes what was read.
    pub(crate) fn find(file: Option<&Path>) -> Result<Option<Self>, String> {
        let Some(file) = file else {
            return match std::env::var_os(VARIABLE) {
                None => Ok(None),
                // Empty is not unset: then the variable that it was made of was.
                Some(value) => Self::new(&value.to_string_lossy())
                    .map(Some)
                    .map_err(|error| format!("{VARIABLE}: {error}")),
            };
        };
        let failed = |error: &dyn std::fmt::Display| format!("--admin-token-file: {error}");
        let mut text = String::new();
        File::open(file)
            .and_then(|file| file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text))
            .map_err(|error| failed(&error))?;
        Self::new(&text).map(Some).map_err(|error| failed(&error))
    }

    fn new(text: &str) -> Result<Self, String> {
        // Some editors begin a file with a mark of its encoding.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii_end();
        if text.len() as u64 >= TOKEN_BYTES_MAX {
            return Err(format!("longer than the {TOKEN_BYTES_MAX} bytes that a token may have"));
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("expected a token: one line of visible ASCII characters".into());
        }
        Ok(Self(text.to_owned()))
    }

    /// The line of a request's head.
    pub(super) fn header(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_that_no_error_quotes() {
        assert_eq!(Token::new("hunter2\n").ok().unwrap().header(), "Authorization: Bearer hunter2\r\n");
        assert_eq!(
            Token::new("\u{feff}hunter2\r\n").ok().unwrap().header(),
            "Authorization: Bearer hunter2\r\n"
        );
        for bad in ["", "\n", "hunter2\r\nX: y", "hunter2 hunter3", "hunter\u{e4}", &"hunter2".repeat(600)] {
            let error = Token::new(bad).err().unwrap();
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_named() {
        // It may be the token itself, given in the place of a file.
        let error = Token::find(Some(Path::new("hunter2"))).err().unwrap();
        assert!(
            error.starts_with("--admin-token-file: No such file") && !error.contains("hunter2"),
            "{error}"
        );
        assert!(Token::find(Some(Path::new("/dev/zero"))).err().unwrap().contains("4096"));
    }
}
