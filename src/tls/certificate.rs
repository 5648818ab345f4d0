//! What is in a certificate that operators and handlers want to know: whose it is, and when it is valid.

use super::der::{self, Element};

/// The subject as text has at most so many bytes; a longer one is cut off at an attribute.
const SUBJECT_BYTES_MAX: usize = 1_024;

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

/// Reads a certificate; None: it is damaged. Nothing about it is checked: that is the library's task.
pub fn certificate(mut der: &[u8]) -> Option<Certificate> {
    const VERSION: u8 = 0xa0;
    let mut certificate = der::expect(&mut der, der::SEQUENCE)?;
    let mut signed = der::expect(&mut certificate, der::SEQUENCE)?;
    // The version may be missing; then this is the serial number already.
    if der::next(&mut signed)?.tag == VERSION {
        der::next(&mut signed)?;
    }
    let _algorithm = der::expect(&mut signed, der::SEQUENCE)?;
    let _issuer = der::expect(&mut signed, der::SEQUENCE)?;
    let mut validity = der::expect(&mut signed, der::SEQUENCE)?;
    let not_before_s = time(der::next(&mut validity)?)?;
    let not_after_s = time(der::next(&mut validity)?)?;
    let subject = name(der::expect(&mut signed, der::SEQUENCE)?);
    Some(Certificate { subject, not_before_s, not_after_s })
}

/// A distinguished name as text, the last part first (RFC 4514 section 2.1).
fn name(sequence: &[u8]) -> String {
    let sets: Vec<Element<'_>> = der::each(sequence).filter(|element| element.tag == der::SET).collect();
    let mut text = String::new();
    for set in sets.iter().rev() {
        for (nth, pair) in der::each(set.content).enumerate() {
            let Some(attribute) = attribute(pair.content) else { continue };
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
fn attribute(mut pair: &[u8]) -> Option<String> {
    let id = der::expect(&mut pair, der::OBJECT_IDENTIFIER)?;
    let value = der::next(&mut pair)?;
    let short = match id {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "STREET",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        // 1.2.840.113549.1.9.1, 0.9.2342.19200300.100.1.25 and .1
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        _ => return Some(format!("{}={}", dotted(id), escaped(&string(value)))),
    };
    Some(format!("{short}={}", escaped(&string(value))))
}

fn dotted(id: &[u8]) -> String {
    let mut text = String::new();
    let mut number = 0_u64;
    for &byte in id {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        text += &match text.is_empty() {
            true => format!("{}.{}", (number / 40).min(2), number - 40 * (number / 40).min(2)),
            false => format!(".{number}"),
        };
        number = 0;
    }
    text
}

fn string(value: Element<'_>) -> String {
    match value.tag {
        der::UTF8_STRING | der::PRINTABLE_STRING | der::IA5_STRING => {
            String::from_utf8_lossy(value.content).into_owned()
        }
        der::TELETEX_STRING => value.content.iter().map(|&byte| char::from(byte)).collect(),
        der::BMP_STRING => {
            let units = value.content.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        _ => value.content.iter().fold("#".to_owned(), |text, byte| text + &format!("{byte:02x}")),
    }
}

/// With a backslash before what would end the value (RFC 4514 section 2.4); control characters as their bytes.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => text.extend(['\\', c]),
            ' ' if at == 0 || at == last => text.extend(['\\', c]),
            '#' if at == 0 && value.len() > 1 && !value[1..].bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                text.extend(['\\', c]);
            }
            c if c.is_control() => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|byte| text += &format!("\\{byte:02x}"));
            }
            c => text.push(c),
        }
    }
    text
}

/// Seconds since 1970 (RFC 5280 section 4.1.2.5): `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(element: Element<'_>) -> Option<i64> {
    let digits = element.content.strip_suffix(b"Z")?;
    let number = |digits: &[u8]| {
        let text =
            std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
        text.parse::<i64>().ok()
    };
    let (year, rest) = match (element.tag, digits.len()) {
        (der::UTC_TIME, 12) => {
            let year = number(&digits[..2])?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (der::GENERALIZED_TIME, 14) => (number(&digits[..4])?, &digits[4..]),
        _ => return None,
    };
    let mut parts = [0; 5];
    for (part, digits) in parts.iter_mut().zip(rest.chunks_exact(2)) {
        *part = number(digits)?;
    }
    let [month, day, hour, minute, second] = parts;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days of the proleptic Gregorian calendar, in years that begin with March.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
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
    fn times() {
        let at = |tag, text: &str| time(Element { tag, content: text.as_bytes() });
        assert_eq!(at(der::UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(at(der::UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(at(der::UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(at(der::GENERALIZED_TIME, "20000229120000Z"), Some(951_825_600));
        assert_eq!(at(der::GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        for text in
            ["", "Z", "700101000000", "7001010000Z", "701301000000Z", "7001010000-1Z", "+00101000000Z"]
        {
            assert_eq!(at(der::UTC_TIME, text), None, "{text}");
        }
    }

    #[test]
    fn a_part_of_one_is_none() {
        let der = made(&[(DnType::CommonName, "a")]);
        // Whatever is missing, the outermost length doesn't fit any more.
        assert!((0..der.len()).all(|length| certificate(&der[..length]).is_none()));
    }

    proptest! {
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
