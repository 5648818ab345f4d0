//! PEM files (RFC 7468), line by line. What is not understood is told with its line: a block that was passed over would
//! be a certificate that is missing from a chain, and clients would find out. No text from here has a piece of the file
//! in it, since that may be a key's. (The reader that comes with rustls passes over what it doesn't know, and quotes.)

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::wipe;

/// A line of nothing but base64 that is as long as this is no comment: lines of PEM have 64 characters.
const BASE64_CHARS_MIN: usize = 40;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A syntax error and its line; 0: in the file as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    line: usize,
    why: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(self.why),
            line => write!(f, "line {line}: {}", self.why),
        }
    }
}

/// The form of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyForm {
    Pkcs8,
    Pkcs1,
    Sec1,
}

/// The type of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Certificate,
    Key(KeyForm),
    /// A private key that a passphrase protects, in whatever form.
    EncryptedKey,
    /// Stands beside keys, and nothing is missing without it.
    Parameters,
    /// Well known, and of no use here.
    Other(&'static str),
}

/// A block, begun in this line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub kind: Kind,
    pub line: usize,
    /// Empty if it is encrypted.
    pub der: Vec<u8>,
}

/// The blocks of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pem {
    pub blocks: Vec<Block>,
    /// Lines between the blocks that are neither empty nor comments: the first one, and how many there are.
    pub text: Option<(usize, usize)>,
}

/// Reads a file.
pub(crate) fn read(bytes: &[u8]) -> Result<Pem, Problem> {
    if bytes.contains(&0) {
        let why = "no text, or UTF-16: PEM is text, DER becomes PEM by openssl x509 -inform DER -in FILE";
        return Err(Problem { line: 0, why });
    }
    let mut reader = Reader::default();
    for (at, line) in lines(bytes).enumerate() {
        let refuse = |why| Problem { line: at + 1, why };
        reader.line(at + 1, line).map_err(refuse)?;
    }
    match reader.open {
        Some(open) => Err(Problem { line: open.line, why: "the block that begins here has no END" }),
        None => Ok(reader.pem),
    }
}

/// Lines, whatever ends them, without the blanks around them and the mark of an encoding that an editor or `cat` has
/// put there.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = bytes.split(|&byte| byte == b'\n');
    let lines = lines.flat_map(|line| line.strip_suffix(b"\r").unwrap_or(line).split(|&byte| byte == b'\r'));
    lines.map(|line| line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii())
}

/// A block whose end has not come yet.
struct Open {
    label: Vec<u8>,
    kind: Kind,
    line: usize,
    base64: Vec<u8>,
    /// In the fields before the base64 (RFC 1421 section 4.4), of which only encrypted keys have any.
    in_fields: bool,
}

#[derive(Default)]
struct Reader {
    pem: Pem,
    open: Option<Open>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &[u8]) -> Result<(), &'static str> {
        if self.open.is_none() && line.starts_with(b"#") {
            return Ok(());
        }
        match (marker(line)?, &mut self.open) {
            (Some(Marker::Begin(label)), None) => {
                let (label, kind) = (label.to_vec(), kind(label)?);
                self.open = Some(Open { label, kind, line: number, base64: Vec::new(), in_fields: false });
            }
            (Some(Marker::Begin(_)), Some(_)) => {
                return Err("a block begins inside another, whose END is missing");
            }
            (Some(Marker::End(label)), _) => self.end(label)?,
            (None, Some(open)) => open.line(line)?,
            (None, None) if line.is_empty() => {}
            (None, None) if is_base64(line) => return Err("base64 outside of a block: its BEGIN is missing"),
            (None, None) => self.pem.text.get_or_insert((number, 0)).1 += 1,
        }
        Ok(())
    }

    fn end(&mut self, label: &[u8]) -> Result<(), &'static str> {
        let Some(mut open) = self.open.take() else { return Err("END without its BEGIN") };
        if open.label != label {
            return Err("this is the END of another kind of block");
        }
        let der = match open.kind {
            Kind::EncryptedKey => Vec::new(),
            _ => BASE64.decode(&open.base64).map_err(|_| "the block that ends here is not whole")?,
        };
        wipe(&mut open.base64);
        self.pem.blocks.push(Block { kind: open.kind, line: open.line, der });
        Ok(())
    }
}

impl Open {
    fn line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        if let Some(colon) = line.iter().position(|&byte| byte == b':') {
            let value = line[colon..].windows(9);
            if line.starts_with(b"Proc-Type") && value.into_iter().any(|part| part == b"ENCRYPTED") {
                (self.kind, self.in_fields) = (Kind::EncryptedKey, true);
            }
            return if self.in_fields {
                Ok(())
            } else {
                Err("a field that is not understood, inside a block")
            };
        }
        let blanks = u8::is_ascii_whitespace;
        self.base64.extend(line.iter().filter(|byte| !blanks(byte)));
        let is_text = line.iter().all(|byte| blanks(byte) || is_base64_byte(*byte) || *byte == b'=');
        if is_text { Ok(()) } else { Err("not base64, inside a block") }
    }
}

enum Marker<'a> {
    Begin(&'a [u8]),
    End(&'a [u8]),
}

/// A line that begins or ends a block; none if it doesn't look as if it was meant to.
fn marker(line: &[u8]) -> Result<Option<Marker<'_>>, &'static str> {
    let has = |part: &[u8]| line.windows(part.len()).filter(|window| *window == part).count();
    let words = has(b"BEGIN ") + has(b"END ");
    if words == 0 || has(b"--") == 0 {
        return Ok(None);
    }
    let inner = line.strip_prefix(b"-----").and_then(|rest| rest.strip_suffix(b"-----"));
    let marker = inner.and_then(|inner| match (inner.strip_prefix(b"BEGIN "), inner.strip_prefix(b"END ")) {
        (Some(label), _) => Some(Marker::Begin(label)),
        (None, Some(label)) => Some(Marker::End(label)),
        (None, None) => None,
    });
    match marker {
        _ if has(b"\\n") > 0 => {
            Err("its line breaks are the two characters \\ and n: printf '%b' makes line breaks")
        }
        _ if words > 1 => Err("more than one BEGIN or END on a line: each needs a line of its own"),
        Some(marker) => Ok(Some(marker)),
        None => Err("BEGIN or END, but not between five hyphens and five hyphens, and nothing else"),
    }
}

/// The type of a block with this label.
fn kind(label: &[u8]) -> Result<Kind, &'static str> {
    const OTHERS: [&str; 7] = [
        "PUBLIC KEY",
        "RSA PUBLIC KEY",
        "CERTIFICATE REQUEST",
        "NEW CERTIFICATE REQUEST",
        "X509 CRL",
        "ATTRIBUTE CERTIFICATE",
        "ECHCONFIG",
    ];
    Ok(match label {
        b"CERTIFICATE" | b"X509 CERTIFICATE" => Kind::Certificate,
        b"PRIVATE KEY" => Kind::Key(KeyForm::Pkcs8),
        b"RSA PRIVATE KEY" => Kind::Key(KeyForm::Pkcs1),
        b"EC PRIVATE KEY" => Kind::Key(KeyForm::Sec1),
        b"ENCRYPTED PRIVATE KEY" => Kind::EncryptedKey,
        b"EC PARAMETERS" | b"DH PARAMETERS" | b"X9.42 DH PARAMETERS" => Kind::Parameters,
        b"TRUSTED CERTIFICATE" => {
            return Err("a TRUSTED CERTIFICATE: openssl x509 -in FILE makes a CERTIFICATE");
        }
        b"PKCS7" => return Err("PKCS #7: openssl pkcs7 -print_certs -in FILE makes CERTIFICATEs"),
        b"OPENSSH PRIVATE KEY" => return Err("OpenSSH's own form of a key: ssh-keygen -p -m PKCS8 -f FILE"),
        other => match OTHERS.iter().find(|name| name.as_bytes() == other) {
            Some(name) => Kind::Other(name),
            None => return Err("a block of a kind that is not understood"),
        },
    })
}

fn is_base64_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

fn is_base64(line: &[u8]) -> bool {
    let bare = line.strip_suffix(b"=").unwrap_or(line);
    let bare = bare.strip_suffix(b"=").unwrap_or(bare);
    bare.len() >= BASE64_CHARS_MIN && bare.iter().all(|&byte| is_base64_byte(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4C\nAQAw\n-----END PRIVATE KEY-----";

    fn kinds(text: &str) -> Vec<(Kind, usize, usize)> {
        let pem = read(text.as_bytes()).unwrap_or_else(|problem| panic!("{problem}: {text:?}"));
        pem.blocks.iter().map(|block| (block.kind, block.line, block.der.len())).collect()
    }

    fn refused(text: &str) -> String {
        read(text.as_bytes()).expect_err("a bad file was read").to_string()
    }

    #[test]
    fn blocks_are_read_as_they_come() {
        let pem = read(format!("{A}\n\n{KEY}").as_bytes()).unwrap();
        let certificate = Block { kind: Kind::Certificate, line: 1, der: vec![0, 1, 2] };
        let key = Block { kind: Kind::Key(KeyForm::Pkcs8), line: 5, der: vec![0x30, 0x2e, 2, 1, 0, 0x30] };
        assert_eq!(pem, Pem { blocks: vec![certificate, key], text: None });
        for (label, kind) in [
            ("X509 CERTIFICATE", Kind::Certificate),
            ("RSA PRIVATE KEY", Kind::Key(KeyForm::Pkcs1)),
            ("EC PRIVATE KEY", Kind::Key(KeyForm::Sec1)),
            ("EC PARAMETERS", Kind::Parameters),
            ("X509 CRL", Kind::Other("X509 CRL")),
        ] {
            assert_eq!(kinds(&A.replace("CERTIFICATE", label)), [(kind, 1, 3)], "{label}");
        }
        assert_eq!(kinds(""), []);
    }

    #[test]
    fn what_differs_between_systems_and_editors_is_read_over() {
        let both = [(Kind::Certificate, 1, 3), (Kind::Certificate, 4, 3)];
        let file = format!("{A}\n{A}\n");
        assert_eq!(kinds(&file), both);
        for (from, to) in [("\n", "\r\n"), ("\n", "\r"), ("\n", " \t\n"), ("-----B", "\u{feff}-----B")] {
            assert_eq!(kinds(&file.replace(from, to)), both, "{from:?} {to:?}");
        }
        assert_eq!(kinds(&file.replace("\nAAEC", "\n\n  AA EC  \n")).len(), 2);
        assert_eq!(kinds(&file.replace("\n-----B", "\n# the issuer\n\n-----B"))[1].1, 6);
        assert_eq!(kinds(&format!("# {A}").replace('\n', "\n# ")), []);
    }

    #[test]
    fn text_between_the_blocks_is_noted() {
        let text = format!("Bag Attributes\n  friendlyName: a\n{A}\nAmazon Root\n=====\n--\n{A}");
        assert_eq!(read(text.as_bytes()).unwrap().text, Some((1, 5)));
        assert_eq!(kinds(&text).len(), 2);
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        let chain = format!("{A}\n{A}\n");
        for (from, to, error) in [
            ("-----\n-----B", "----------B", "line 3: more than one BEGIN or END"),
            ("-----\n-----B", "----- -----B", "line 3: more than one BEGIN or END"),
            ("CERTIFICATE-----\nAAEC\n-----END", "CERTIFICATE----- AAEC -----END", "line 1: more than one"),
            ("\n", "\\n", "line 1: its line breaks are the two characters"),
            ("-----\nAAEC", "----\nAAEC", "line 1: BEGIN or END, but not between"),
            ("-----BEGIN", "----BEGIN", "line 1: BEGIN or END, but not between"),
            ("-----BEGIN", "\u{2014}--BEGIN", "line 1: BEGIN or END, but not between"),
            ("-----\nAAEC", "-----AAEC", "line 1: BEGIN or END, but not between"),
            ("-----END CERTIFICATE-----\n", "", "line 3: a block begins inside another"),
            ("-----BEGIN CERTIFICATE-----\n", "", "line 2: END without its BEGIN"),
            ("END CERTIFICATE", "END PRIVATE KEY", "line 3: this is the END of another kind"),
            ("CERTIFICATE", "CERTFICATE", "line 1: a block of a kind that is not understood"),
            ("CERTIFICATE", "TRUSTED CERTIFICATE", "line 1: a TRUSTED CERTIFICATE: openssl x509"),
            ("CERTIFICATE", "PKCS7", "line 1: PKCS #7"),
            ("CERTIFICATE", "OPENSSH PRIVATE KEY", "line 1: OpenSSH's own form"),
            ("AAEC", "AA*C", "line 2: not base64"),
            ("AAEC", "AAECA", "line 3: the block that ends here is not whole"),
            ("AAEC", "Comment: x\nAAEC", "line 2: a field that is not understood"),
            ("AAEC", "\0", "no text, or UTF-16"),
        ] {
            let bad = chain.replace(from, to);
            assert_ne!(bad, chain, "{from:?}");
            assert!(refused(&bad).starts_with(error), "{from:?} {to:?}: {}", refused(&bad));
        }
        assert_eq!(
            refused(&chain[..chain.len() - 10]),
            "line 6: BEGIN or END, but not between five hyphens and five hyphens, and nothing else"
        );
        assert_eq!(refused(&chain[..90]), "line 4: the block that begins here has no END");
        let lost = chain.replace("-----BEGIN CERTIFICATE-----\nAAEC", &"AAEC".repeat(16));
        assert_eq!(refused(&lost), "line 1: base64 outside of a block: its BEGIN is missing");
    }

    #[test]
    fn encrypted_keys_are_known_in_both_forms() {
        let fields = "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123\n\nMC4C";
        let text = KEY.replace("PRIVATE KEY", "RSA PRIVATE KEY").replace("\nMC4C", fields);
        assert_eq!(kinds(&text), [(Kind::EncryptedKey, 1, 0)]);
        let text = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(kinds(&text), [(Kind::EncryptedKey, 1, 0)]);
    }

    proptest! {
        /// However a file is damaged, no certificate of its chain is lost without an error.
        #[test]
        fn a_chain_is_whole_or_refused(at in 0..4 * (A.len() + 1), length in 0_usize..4, to in "[-\nA E:#]{0,3}") {
            let mut text = format!("{A}\n").repeat(4);
            let end = (at + length).min(text.len());
            text.replace_range(at..end, &to);
            if let Ok(pem) = read(text.as_bytes()) {
                let certificates = pem.blocks.iter().filter(|block| block.kind == Kind::Certificate);
                prop_assert!(certificates.count() == 4 || pem.text.is_some() || text.contains('#'), "{}", text);
            }
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
