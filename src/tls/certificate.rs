//! The contents of a certificate that operators and handlers want to know: whose it is, and when it is valid.
//!
//! `x509-cert` reads it, RustCrypto's decoder of strict DER, with five crates more to link, where `x509-parser` would
//! bring eighteen. rustls checks certificates, but tells neither names nor dates; so nothing is checked a second time
//! here (the profile [`Raw`]: some authorities have serial numbers of more than 20 octets, which rustls takes).
//! The text is made here: that crate's leaves some control characters as they are, and puts into capitals what openssl
//! does not.

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::BmpString;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::oid::db::{rfc3280, rfc4519};
use x509_cert::der::{Any, Decode, Encode, Tag, Tagged};
use x509_cert::name::Name;
use x509_cert::time::Time;

/// The subject as text has at most so many bytes; a longer one is cut off at an attribute.
const SUBJECT_BYTES_MAX: usize = 1_024;

/// Attributes that have a short name (RFC 4514 section 3, and what openssl calls the others). Any other one has the
/// digits of its object identifier.
const SHORT_NAMES: [(ObjectIdentifier, &str); 11] = [
    (rfc4519::CN, "CN"),
    (rfc4519::SERIAL_NUMBER, "serialNumber"),
    (rfc4519::C, "C"),
    (rfc4519::L, "L"),
    (rfc4519::ST, "ST"),
    (rfc4519::STREET, "STREET"),
    (rfc4519::O, "O"),
    (rfc4519::OU, "OU"),
    (rfc3280::EMAIL_ADDRESS, "emailAddress"),
    (rfc4519::DC, "DC"),
    (rfc4519::UID, "UID"),
];

/// Part of an X.509 certificate (RFC 5280 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, the way of RFC 4514: `CN=alice,O=Example`.
    pub subject: String,
    /// From then on it is valid, seconds since 1970.
    pub not_before_s: i64,
    /// Until then it is valid, seconds since 1970.
    pub not_after_s: i64,
}

/// Reads a certificate; None: it is damaged, more follows it, or it is dated before 1970. Whom it is from and whether
/// it is valid is not checked: that is rustls's task.
pub fn certificate(der: &[u8]) -> Option<Certificate> {
    let certificate = CertificateInner::<Raw>::from_der(der).ok()?;
    let signed = certificate.tbs_certificate();
    let seconds = |time: Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
    Some(Certificate {
        subject: text(signed.subject()),
        not_before_s: seconds(signed.validity().not_before)?,
        not_after_s: seconds(signed.validity().not_after)?,
    })
}

/// A distinguished name as text, the last part first (RFC 4514 section 2.1).
fn text(name: &Name) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for part in parts.iter().rev() {
        for (nth, attribute) in part.iter().map(attribute).enumerate() {
            if text.len() + attribute.len() >= SUBJECT_BYTES_MAX {
                return text;
            }
            if !text.is_empty() {
                text.push(if nth == 0 { ',' } else { '+' });
            }
            text.push_str(&attribute);
        }
    }
    text
}

/// One attribute: its short name, or its object identifier's digits, and its value.
fn attribute(attribute: &AttributeTypeAndValue) -> String {
    let short = SHORT_NAMES.iter().find(|(id, _)| *id == attribute.oid);
    let name = short.map_or_else(|| attribute.oid.to_string(), |(_, name)| (*name).to_owned());
    let value = string(&attribute.value).map_or_else(|| hexadecimal(&attribute.value), |text| escaped(&text));
    format!("{name}={value}")
}

/// The value as text; None: it is none, or says to be one and isn't.
fn string(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            std::str::from_utf8(value.value()).ok().map(str::to_owned)
        }
        // Says to be T.61; what is written into it is Latin-1.
        Tag::TeletexString => Some(value.value().iter().map(|&byte| char::from(byte)).collect()),
        Tag::BmpString => value.decode_as::<BmpString>().ok().map(|text| text.chars().collect()),
        _ => None,
    }
}

/// The whole element's bytes, for a value that is no text (RFC 4514 section 2.4).
fn hexadecimal(value: &Any) -> String {
    let der = value.to_der().unwrap_or_default();
    der.iter().fold("#".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// With a backslash before what would end the value (RFC 4514 section 2.4); control characters as their bytes.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => text.extend(['\\', c]),
            ' ' if at == 0 || at == last => text.extend(['\\', c]),
            '#' if at == 0 => text.extend(['\\', c]),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|byte| text += &format!("\\{byte:02x}"));
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn made(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.not_before = rcgen::date_time_ymd(2020, 2, 29);
        params.not_after = rcgen::date_time_ymd(2093, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn subject_and_dates() {
        let der = made(&[(DnType::OrganizationName, "Exa, mple"), (DnType::CommonName, " a=\u{e4}\n")]);
        let read = certificate(&der).unwrap();
        assert_eq!(read.subject, "CN=\\ a\\=\u{e4}\\0a,O=Exa\\, mple");
        assert_eq!((read.not_before_s, read.not_after_s), (1_582_934_400, 3_881_606_400));
        let other = made(&[(DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99_999]), "x")]);
        assert_eq!(certificate(&other).unwrap().subject, "1.3.6.1.4.1.99999=x");
    }

    #[test]
    fn a_long_subject_is_cut_off() {
        let long = "x".repeat(700);
        let der = made(&[(DnType::OrganizationName, &long), (DnType::CommonName, &long)]);
        assert_eq!(certificate(&der).unwrap().subject, format!("CN={long}"));
    }

    #[test]
    fn dates() {
        let read = |years: (i32, i32)| {
            let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
            params.not_after = rcgen::date_time_ymd(years.1, 12, 31);
            let read = certificate(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())?;
            Some((read.not_before_s, read.not_after_s))
        };
        // Those up to 2049 have two digits for the year, later ones four (RFC 5280 section 4.1.2.5).
        assert_eq!(read((1970, 2049)), Some((0, 2_524_521_600)));
        assert_eq!(read((2050, 9999)), Some((2_524_608_000, 253_402_214_400)));
        assert_eq!(read((1969, 2049)), None);
    }

    #[test]
    fn a_long_serial_number() {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.serial_number = Some(vec![1; 33].into());
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert!(certificate(der.der()).is_some());
    }

    #[test]
    fn values_of_all_kinds() {
        let read = |tag, value: &[u8]| {
            let value = Any::new(tag, value).unwrap();
            attribute(&AttributeTypeAndValue { oid: rfc4519::UID, value })
        };
        assert_eq!(read(Tag::PrintableString, b"a*b"), "UID=a*b", "it has no asterisk, but who cares");
        assert_eq!(read(Tag::TeletexString, b"\xe4"), "UID=\u{e4}");
        assert_eq!(read(Tag::BmpString, &[0x20, 0xac]), "UID=\u{20ac}");
        assert_eq!(read(Tag::Ia5String, b"#ab"), "UID=\\#ab", "otherwise it would be the next but one");
        assert_eq!(read(Tag::Utf8String, "\u{85}\x7f".as_bytes()), "UID=\\c2\\85\\7f");
        assert_eq!(read(Tag::Integer, &[0xab]), "UID=#0201ab");
        assert_eq!(read(Tag::Utf8String, &[0xff]), "UID=#0c01ff");
        assert_eq!(read(Tag::BmpString, &[0xd8, 0x00]), "UID=#1e02d800", "half a surrogate pair");
    }

    #[test]
    fn a_part_of_one_is_none() {
        let der = made(&[(DnType::CommonName, "a")]);
        // Whatever is missing, the outermost length doesn't fit any more.
        assert!((0..der.len()).all(|length| certificate(&der[..length]).is_none()));
        assert!(certificate(&der).is_some());
        assert!(certificate(&[&der[..], &[0]].concat()).is_none(), "more than one");
    }

    proptest! {
        /// The crate's own reader of RFC 4514 gets out of the text what was put into it.
        #[test]
        fn what_is_escaped_is_read_back(value in r##"[ -/#+<>=\\\\a-f0-9;\PC\u{0}-\u{a0}]{0,20}"##) {
            let value = Any::new(Tag::Utf8String, value.as_bytes()).unwrap();
            let given = AttributeTypeAndValue { oid: rfc4519::CN, value };
            let text = attribute(&given);
            prop_assert!(!text.chars().any(char::is_control), "{text:?}");
            prop_assert_eq!(text.parse::<AttributeTypeAndValue>().unwrap(), given);
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0_usize..300, byte in any::<u8>()) {
            let _ = certificate(&bytes);
            let mut der = made(&[(DnType::CommonName, "a")]);
            let at = at % der.len();
            der[at] = byte;
            let _ = certificate(&der);
        }
    }
}
