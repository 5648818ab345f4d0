//! The demo's chat: guests in one room, who come, talk and go.

use std::fmt::Write as _;

/// The channel that carries the chat. Clients can't choose it on `/ws` unless the configuration says so.
pub const CHANNEL: &str = "demo.chat";

/// The name of the guest who came in as number `n`.
pub fn guest_name(n: u64) -> String {
    format!("guest{n}")
}

/// Tells everyone that a guest has come.
pub fn joined(guest: &str) -> String {
    format!("* {guest} has joined.")
}

/// Tells everyone that a guest has gone.
pub fn left(guest: &str) -> String {
    format!("* {guest} has left.")
}

/// A guest's words, safe to put into a page.
pub fn said(guest: &str, text: &str) -> String {
    let mut line = String::with_capacity(guest.len() + 2 + text.len());
    line.push_str(guest);
    line.push_str(": ");
    escape_html(text, &mut line);
    line
}

/// Writes `text` so that a browser shows it and runs nothing of it.
fn escape_html(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Other control characters than tab and newline have no business in a chat line.
            c if c.is_control() && c != '\n' && c != '\t' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_what_a_guest_says_is_markup() {
        let line = said(&guest_name(3), "<img src=x onerror='alert(\"&\")'>\u{7}");
        assert_eq!(line, "guest3: &lt;img src=x onerror=&#39;alert(&quot;&amp;&quot;)&#39;&gt;\\u0007");
        assert_eq!((joined("g").as_str(), left("g").as_str()), ("* g has joined.", "* g has left."));
    }
}
