//! Hides secrets of the command line, so that reports and errors can show it. They stand in headers and in the queries
//! of addresses.

/// Stands in the place of a secret.
const HIDDEN: &str = "...";

/// Words in the name of a parameter that is a secret.
const SECRET_WORDS: [&str; 7] = ["auth", "key", "password", "secret", "session", "signature", "token"];

/// An address without the user's name and without the values of secret parameters.
pub(crate) fn address(text: &str) -> String {
    let (place, query) = text.split_once('?').map_or((text, None), |(place, query)| (place, Some(query)));
    let mut shown = match place.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((_, rest)) => format!("{scheme}://{HIDDEN}@{rest}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    for (at, parameter) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if is_secret(name) => shown.extend([name, "=", HIDDEN]),
            _ => shown.push_str(parameter),
        }
    }
    shown
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

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
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
        assert_eq!(address("https://h/?X-Api-Key=hunter2&b"), "https://h/?X-Api-Key=...&b");
        assert_eq!(address("http://me:hunter2@h/push"), "http://...@h/push");
        assert_eq!(header("Cookie: id=hunter2"), "Cookie: ...");
        assert_eq!(header("Bearer hunter2"), "...");
    }

    #[test]
    fn a_command_can_be_given_to_a_shell_again() {
        let args = ["connect", "-n", "5", "--url", "ws://h/?a&token=hunter2", "--header", "Cookie: hunter2"];
        let more = ["--header=Authorization: hunter2", "--json", "it's"];
        let shown = command(args.into_iter().chain(more).map(str::to_owned));
        assert_eq!(
            shown,
            "connect -n 5 --url 'ws://h/?a&token=...' --header 'Cookie: ...' '--header=Authorization: ...' \
             --json 'it'\\''s'"
        );
        let odd = ["--header", "--header", "a:hunter2"].map(str::to_owned);
        assert_eq!(command(odd.into_iter()), "--header ... a:hunter2");
    }
}
