//! The dashboard: a page on the admin listener that shows the server at work. It asks the admin API as any program
//! does, so it can do what its key can, and the page itself has nothing in it that is not public.

use crate::protocol::response::Response;

const PAGE: &str = concat!(
    include_str!("dashboard/page.html"),
    include_str!("dashboard/page.js"),
    "</script>\n</body>\n</html>\n"
);

/// The page.
pub fn page() -> Response {
    let mut response = Response::html(200, PAGE);
    // Nothing from elsewhere, and questions to where it came from only.
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                  connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ];
    response.headers.extend(headers.map(|(name, value)| (name, value.to_owned())));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_and_needs_nothing_else() {
        assert!(PAGE.len() <= 60_000, "{} bytes", PAGE.len());
        for elsewhere in ["http://", "https://", "//cdn", "@import", "src="] {
            let found = PAGE.replace("http://www.w3.org/2000/svg", "").contains(elsewhere);
            assert!(!found, "{elsewhere}");
        }
    }
}
