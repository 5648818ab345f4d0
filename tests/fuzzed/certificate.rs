//! The parts of clients' certificates that are read.

/// The subject is one short line, and a certificate with something behind it is none.
pub fn certificate(data: &[u8]) {
    let Some(read) = wspush::tls::certificate(data) else { return };
    assert!(read.subject.len() <= 1_024 && !read.subject.chars().any(char::is_control), "{read:?}");
    assert_eq!(wspush::tls::certificate(&[data, &[0]].concat()), None, "more than a certificate");
}
