//! Keys for programs that use the admin API, each with what it may do, as text and as tables of the TOML file.

use std::fmt;
use std::str::FromStr;

use super::client_rights::some_of;
use super::nearest::nearest;
use super::validate::check_pattern;
use super::{Audit, Config, ConfigError, pattern_matches};
use crate::limits::{API_KEY_NAME_BYTES_MAX, PUSHES_PER_SECOND_MAX};

/// Something that a key allows.
///
/// ```
/// use wspush::config::ApiRight;
///
/// assert_eq!("push".parse(), Ok(ApiRight::Push));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiRight {
    /// To publish, and to forget what was published.
    Push,
    /// To look at the server: its numbers, connections, channels and users.
    Read,
    /// To close connections, and to change what they receive.
    Disconnect,
}

/// A program that uses the admin API: `shop sha256=HEX allow=push+read channels=orders.*;news`. Of the key itself only
/// the SHA-256 is known here; whoever has the key shows it as `Authorization: Bearer KEY`.
///
/// ```
/// use wspush::config::{ApiKey, ApiRight};
///
/// let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"; // of "foo"
/// let key: ApiKey = format!("shop sha256={hash} allow=push channels=orders.*").parse()?;
/// assert!(key.allows(ApiRight::Push) && key.reaches("orders.7") && !key.reaches("news"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name, as audit lines have it: 1 to 64 letters, digits and `._-`.
    pub name: String,
    /// The SHA-256 of the key.
    pub sha256: [u8; 32],
    /// Its rights.
    pub allow: Vec<ApiRight>,
    /// The channels that it is for: names, or beginnings of some and `*`. Empty: for all, and for all connections and
    /// users.
    pub channels: Vec<String>,
    /// Pushes in a second, and as many at once; each line of a batch is one. 0: any number.
    pub pushes_per_second: u32,
}

/// The keys behind the name. In a table of the TOML file the name has the key `name`.
const KEYS: &[&str] = &["sha256", "allow", "channels", "pushes_per_second"];

impl ApiKey {
    /// Whether it allows this.
    pub fn allows(&self, right: ApiRight) -> bool {
        self.allow.contains(&right)
    }

    /// Whether it is for this channel.
    pub fn reaches(&self, channel: &str) -> bool {
        self.channels.is_empty() || self.channels.iter().any(|pattern| pattern_matches(pattern, channel))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "sha256" => self.sha256 = hash(value)?,
            "allow" => {
                self.allow = some_of(value, ApiRight::NAMES).map_err(|why| format!("allow: {why}"))?;
            }
            "channels" => {
                let patterns = value.split(';').map(|pattern| check_pattern(pattern.to_owned()));
                self.channels =
                    patterns.collect::<Result<_, _>>().map_err(|why| format!("channels: {why}"))?;
            }
            "pushes_per_second" => {
                let number = value.parse().ok().filter(|number| (1..=PUSHES_PER_SECOND_MAX).contains(number));
                let allowed =
                    || format!("pushes_per_second is not a number from 1 to {PUSHES_PER_SECOND_MAX}");
                self.pushes_per_second = number.ok_or_else(allowed)?;
            }
            _ => {
                // It may be the key itself, which somebody has put in the wrong place.
                return Err(match nearest(key, KEYS.iter().copied()) {
                    Some(near) => format!("a key's text has no such word; did you mean {near}?"),
                    None => format!("a key's text has no such word; there are {}", KEYS.join(", ")),
                });
            }
        }
        Ok(())
    }
}

/// 32 bytes in hexadecimal digits. What was given instead may be the key.
fn hash(text: &str) -> Result<[u8; 32], String> {
    let is_hash = text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut bytes = [0; 32];
    for (n, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(2 * n..2 * n + 2).filter(|_| is_hash);
        let read = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        *byte = read.ok_or("sha256 is not the 64 hexadecimal digits of the key's SHA-256")?;
    }
    Ok(bytes)
}

impl FromStr for ApiKey {
    type Err = String;

    fn from_str(text: &str) -> Result<ApiKey, String> {
        let mut words = text.split_ascii_whitespace();
        let is_name = |name: &&str| {
            name.len() <= API_KEY_NAME_BYTES_MAX
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let name = words.next().filter(is_name).ok_or_else(|| {
            format!("a key begins with its name, 1 to {API_KEY_NAME_BYTES_MAX} letters, digits and ._-")
        })?;
        let (mut key, mut seen) = (ApiKey { name: name.to_owned(), ..ApiKey::empty() }, Vec::new());
        for word in words {
            let (what, value) = word
                .split_once('=')
                .ok_or_else(|| format!("{name}: each word is key=value ({})", KEYS.join(", ")))?;
            key.set(what, value).map_err(|why| format!("{name}: {why}"))?;
            if seen.contains(&what) {
                return Err(format!("{name}: {what} is there twice"));
            }
            seen.push(what);
        }
        match ["sha256", "allow"].iter().find(|needed| !seen.contains(needed)) {
            Some(missing) => Err(format!("{name}: {missing} is missing")),
            None => Ok(key),
        }
    }
}

impl ApiKey {
    fn empty() -> ApiKey {
        ApiKey {
            name: String::new(),
            sha256: [0; 32],
            allow: Vec::new(),
            channels: Vec::new(),
            pushes_per_second: 0,
        }
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sha256=", self.name)?;
        for byte in self.sha256 {
            write!(f, "{byte:02x}")?;
        }
        let allow: Vec<&str> = self.allow.iter().map(|right| right.name()).collect();
        write!(f, " allow={}", allow.join("+"))?;
        if !self.channels.is_empty() {
            write!(f, " channels={}", self.channels.join(";"))?;
        }
        if self.pushes_per_second != 0 {
            write!(f, " pushes_per_second={}", self.pushes_per_second)?;
        }
        Ok(())
    }
}

/// Without the hash: what is short may be guessed from it.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("name", &self.name)
            .field("allow", &self.allow)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Whether who uses the admin API shows who he is.
    pub(crate) fn names_callers(&self) -> bool {
        self.admin_token.is_some() || !self.api_key.is_empty()
    }

    /// Whether each request that changes something is a line of the log.
    pub(crate) fn audits(&self) -> bool {
        match self.audit {
            Audit::Auto => self.names_callers(),
            Audit::On => true,
            Audit::Off => false,
        }
    }

    pub(super) fn validate_api_keys(&self) -> Result<(), ConfigError> {
        if !self.api_key.is_empty() && !cfg!(feature = "auth") {
            return Err(self.invalid("api_key", "this build checks no keys (cargo feature auth)"));
        }
        for (n, key) in self.api_key.iter().enumerate() {
            let earlier = &self.api_key[..n];
            if earlier.iter().any(|other| other.name == key.name) {
                return Err(self.invalid("api_key", &format!("the name {} is there twice", key.name)));
            }
            if let Some(other) = earlier.iter().find(|other| other.sha256 == key.sha256) {
                let why = format!("{} and {} are the same key", other.name, key.name);
                return Err(self.invalid("api_key", &why));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    #[test]
    fn there_and_back() {
        for rest in ["allow=push", "allow=read+disconnect channels=a.*;b pushes_per_second=5"] {
            let text = format!("shop sha256={HASH} {rest}");
            let key: ApiKey = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
            assert!(!format!("{key:?}").contains("2c26"));
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_no_secret_is_repeated() {
        let refused = |text: &str| text.parse::<ApiKey>().expect_err(text);
        let hash = format!("sha256={HASH}");
        for (text, expected) in [
            ("", "a key begins with its name, 1 to 64 letters, digits and ._-"),
            (&format!("sha256={HASH}"), "a key begins with its name, 1 to 64 letters, digits and ._-"),
            ("shop", "shop: sha256 is missing"),
            (&format!("shop {hash}"), "shop: allow is missing"),
            (
                "shop sha256=hunter2 allow=push",
                "shop: sha256 is not the 64 hexadecimal digits of the key's SHA-256",
            ),
            (
                &format!("shop {hash} allow=pish"),
                "shop: allow: expected some of push, read, disconnect, with + between them",
            ),
            (&format!("shop {hash} allow=push+push"), "shop: allow: push is there twice"),
            (&format!("shop {hash} {hash} allow=push"), "shop: sha256 is there twice"),
            (
                &format!("shop {hash} allow=push pushes_per_second=0"),
                "shop: pushes_per_second is not a number from 1 to 1000000",
            ),
            ("shop hunter2", "shop: each word is key=value (sha256, allow, channels, pushes_per_second)"),
            (&format!("shop {hash} alow=push"), "shop: a key's text has no such word; did you mean allow?"),
        ] {
            assert_eq!(refused(text), expected);
        }
        assert!(
            refused(&format!("shop {hash} allow=push channels=a;")).starts_with("shop: channels: \"\" is")
        );
    }
}
