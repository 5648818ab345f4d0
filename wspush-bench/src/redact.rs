//! Hides secrets of the command line, so that reports and errors can show it. They stand in headers and in the queries
//! of addresses.

use rustls::pki_types::pem;
use serde_json::error::Category;

/// Stands in the place of a secret.
const HIDDEN: &str = "...";

/// Parameters that are no secrets. Whatever else there is may be one, as in the addresses of other servers.
const OPEN_NAMES: [&str; 10] =
    ["broadcast", "channel", "conn", "format", "limit", "receipt", "refusals", "since", "timeout", "topic"];

/// An address without the user's name and without the values of parameters that may be secrets.
pub(crate) fn address(text: &str) -> String {
    let (mut shown, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // Where no port stands behind the colon it is a password's, which may have any of these characters.
    let is_place = match rest[..host].rsplit_once(':') {
        Some((_, port)) => port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit()),
        None => true,
    };
    let at = if is_place { rest[..host].rfind('@') } else { rest.rfind('@') };
    let rest = match at {
        Some(at) => {
            shown += HIDDEN;
            &rest[at..]
        }
        None => rest,
    };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    shown.push_str(place);
    for (at, parameter) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if OPEN_NAMES.contains(&name) => shown.push_str(parameter),
            Some((name, _)) => shown.extend([name, "=", HIDDEN]),
            None => shown.push_str(HIDDEN),
        }
    }
    shown
}

/// An error in JSON and where it is, without a piece of it.
pub(crate) fn json(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Io => "it cannot be read",
        Category::Syntax => "it is not JSON",
        Category::Data => "it is JSON of something else",
        Category::Eof => "it ends too early",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// An error in a PEM file. The library's own words have lines of it.
pub(crate) const fn pem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no END",
        pem::Error::IllegalSectionStart { .. } => {
            "a BEGIN does not stand alone between five hyphens and five hyphens"
        }
        pem::Error::Base64Decode(_) => "a block is not base64",
        pem::Error::SectionTooLarge => "a block is too large",
        _ => "not PEM",
    }
}

/// A header line's name.
pub(crate) fn header(line: &str) -> String {
    line.split_once(':').map_or_else(|| HIDDEN.to_owned(), |(name, _)| format!("{name}: {HIDDEN}"))
}

/// The arguments of this program, to be given to a shell again.
pub(crate) fn command(args: impl Iterator<Item = String>) -> String {
    let mut shown = Vec::new();
    let mut is_header = false;
    for arg in args {
        shown.push(quote(&match arg.strip_prefix("--header=") {
            Some(line) => format!("--header={}", header(line)),
            None if is_header => header(&arg),
            None => address(&arg),
        }));
        is_header = arg == "--header" && !is_header;
    }
    shown.join(" ")
}

fn quote(arg: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_=+,./:@%".contains(letter);
    if !arg.is_empty() && arg.chars().all(is_plain) {
        return arg.to_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_is_shown() {
        assert_eq!(address("ws://h:1/ws?channel=a&token=hunter2"), "ws://h:1/ws?channel=a&token=...");
        assert_eq!(address("https://h/?X-Api-Key=hunter2&hunter2"), "https://h/?X-Api-Key=...&...");
        assert_eq!(address("https://h?%74oken=hunter2&pass=hunter2#a"), "https://h?%74oken=...&pass=...");
        for rest in ["h/push", "[::1]:80/push", "h"] {
            assert_eq!(address(&format!("http://me:hunter2@{rest}")), format!("http://...@{rest}"));
            assert_eq!(address(&format!("hunter2@{rest}")), format!("...@{rest}"));
        }
        for password in ["hun@ter2", "hun/ter2", "hun?ter2", "hun#ter2", "hun@/?t=er2"] {
            assert_eq!(address(&format!("http://me:{password}@h:1/push")), "http://...@h:1/push");
        }
        assert_eq!(address("ws://h:1/ws?channel=a@b&since=3"), "ws://h:1/ws?channel=a@b&since=3");
        assert_eq!(address("unix:/run/a.sock:/push?token=hunter2"), "unix:/run/a.sock:/push?token=...");
        assert_eq!(header("Cookie: id=hunter2"), "Cookie: ...");
        assert_eq!(header("Bearer hunter2"), "...");
    }

    #[test]
    fn a_command_can_be_given_to_a_shell_again() {
        let args =
            ["connect", "-n", "5", "--url", "ws://h/?a=b&token=hunter2", "--header", "Cookie: hunter2"];
        let more = ["--header=Authorization: hunter2", "--json", "it's"];
        let shown = command(args.into_iter().chain(more).map(str::to_owned));
        assert_eq!(
            shown,
            "connect -n 5 --url 'ws://h/?a=...&token=...' --header 'Cookie: ...' '--header=Authorization: ...' \
             --json 'it'\\''s'"
        );
        let odd = ["--header", "--header", "a:hunter2"].map(str::to_owned);
        assert_eq!(command(odd.into_iter()), "--header ... a:hunter2");
    }
}
