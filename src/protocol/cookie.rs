//! Cookies of a request (RFC 6265 section 4.2).

use super::head::Head;

/// The value of the first cookie of this name, without quotes. One without a value is left of one that was taken away.
pub fn value<'a>(head: &Head<'a>, name: &str) -> Option<&'a str> {
    let fields = head.headers("cookie").filter_map(|field| std::str::from_utf8(field).ok());
    let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(own, _)| own.trim() == name)?;
    Some(value.trim().trim_matches('"')).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    #[test]
    fn the_first_of_a_name_counts() {
        let request =
            "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=1; b=\"2=3\";c = 4 ; d=\r\nCookie: a=5; e=6; f\r\n\r\n";
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
        for (name, expected) in [
            ("a", Some("1")),
            ("b", Some("2=3")),
            ("c", Some("4")),
            ("d", None),
            ("e", Some("6")),
            ("f", None),
            ("A", None),
            ("", None),
        ] {
            assert_eq!(value(&head, name), expected, "{name}");
        }
    }
}
