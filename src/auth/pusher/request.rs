//! Requests of a backend, which are signed in their query.

use std::borrow::Cow;

use aws_lc_rs::hmac;

use super::{Credentials, RequestError, SIGNATURE_BYTES, bytes_of, hexadecimal, is_same};
use crate::limits::PUSHER_CLOCKS_S;
use crate::protocol::form;

/// As much of a request as is signed; the body is by its hash.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path as it was sent, without a prefix that only this server knows.
    pub path: &'a str,
    /// The query as it was sent.
    pub query: &'a str,
}

/// The MD5 that a good signature says of the body, if it says one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyHash(Option<[u8; 16]>);

impl BodyHash {
    /// Checks the body that came.
    ///
    /// # Errors
    /// It is another one, or the signature is for none.
    pub fn check(self, body: &[u8]) -> Result<(), RequestError> {
        match self.0 {
            None if body.is_empty() => Ok(()),
            None => Err(RequestError::NoBodyHash),
            Some(signed) if is_same(&md5::compute(body).0, &signed) => Ok(()),
            Some(_) => Err(RequestError::Body),
        }
    }
}

/// The parameters that every request has, as they were sent.
#[derive(Default)]
struct Signed<'a> {
    key: Option<Cow<'a, [u8]>>,
    timestamp: Option<Cow<'a, [u8]>>,
    version: Option<Cow<'a, [u8]>>,
    body_md5: Option<Cow<'a, [u8]>>,
    signature: Option<Cow<'a, [u8]>>,
}

impl<'a> Signed<'a> {
    fn read(query: &'a str) -> Result<Signed<'a>, RequestError> {
        let mut signed = Signed::default();
        for field in form::fields(query.as_bytes()) {
            let (name, place) = match &*field.name {
                b"auth_key" => ("auth_key", &mut signed.key),
                b"auth_timestamp" => ("auth_timestamp", &mut signed.timestamp),
                b"auth_version" => ("auth_version", &mut signed.version),
                b"body_md5" => ("body_md5", &mut signed.body_md5),
                b"auth_signature" => ("auth_signature", &mut signed.signature),
                _ => continue,
            };
            if place.replace(field.value.unwrap_or_default()).is_some() {
                return Err(RequestError::Twice(name));
            }
        }
        Ok(signed)
    }
}

impl Credentials {
    /// Checks a request at its head, before its body is read: somebody who can't sign costs no more than that.
    ///
    /// # Errors
    /// It is not signed with this key's secret, or at another time.
    pub fn check_request(&self, request: &SignedRequest<'_>, unix_s: u64) -> Result<BodyHash, RequestError> {
        let signed = Signed::read(request.query)?;
        let key = text_of("auth_key", signed.key.as_deref())?;
        if !self.has_key(key) {
            return Err(RequestError::Key);
        }
        if text_of("auth_version", signed.version.as_deref())? != "1.0" {
            return Err(RequestError::Malformed("auth_version"));
        }
        let then_s = text_of("auth_timestamp", signed.timestamp.as_deref())?;
        let is_number = then_s.bytes().all(|digit| digit.is_ascii_digit());
        let then_s: u64 =
            then_s.parse().ok().filter(|_| is_number).ok_or(RequestError::Malformed("auth_timestamp"))?;
        match (unix_s.saturating_sub(then_s), then_s.saturating_sub(unix_s)) {
            (ago_s, _) if ago_s > PUSHER_CLOCKS_S => return Err(RequestError::Old(ago_s)),
            (_, in_s) if in_s > PUSHER_CLOCKS_S => return Err(RequestError::FromTheFuture(in_s)),
            _ => {}
        }
        let body = match signed.body_md5.as_deref() {
            None => None,
            Some(digits) => {
                let digits = text_of("body_md5", Some(digits))?;
                Some(bytes_of(digits).ok_or(RequestError::Malformed("body_md5"))?)
            }
        };
        let shown = text_of("auth_signature", signed.signature.as_deref())?;
        let shown: [u8; SIGNATURE_BYTES] =
            bytes_of(shown).ok_or(RequestError::Malformed("auth_signature"))?;
        match self.has_signed(request, &shown) {
            true => Ok(BodyHash(body)),
            false => Err(RequestError::Signature),
        }
    }

    /// The query of a request that is signed at this time: these parameters, and those that sign it.
    pub fn sign_request(
        &self,
        (method, path): (&str, &str),
        parameters: &[(&str, &str)],
        body: &[u8],
        unix_s: u64,
    ) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        query.append_pair("auth_key", &self.key).append_pair("auth_timestamp", &unix_s.to_string());
        query.append_pair("auth_version", "1.0");
        if !body.is_empty() {
            query.append_pair("body_md5", &hexadecimal(&md5::compute(body).0));
        }
        let query = query.finish();
        let signature = self.sign(&string_to_sign(method, path.as_bytes(), &query, Plus::Space));
        format!("{query}&auth_signature={signature}")
    }

    /// Clients sign what they mean, and differ in how they then write it: a plus or `%20` for a space, or a plus for
    /// itself. Every reading that differs from the ones before is tried.
    fn has_signed(&self, request: &SignedRequest<'_>, shown: &[u8]) -> bool {
        let mut tried: Vec<Vec<u8>> = Vec::new();
        let sent = Cow::Borrowed(request.path.as_bytes());
        let decoded: Cow<'_, [u8]> = percent_encoding::percent_decode_str(request.path).into();
        // A line of its own is what nobody means by a part of a path.
        for path in [sent, decoded].into_iter().filter(|path| !path.contains(&b'\n')) {
            for plus in [Plus::Space, Plus::Itself] {
                let text = string_to_sign(request.method, &path, request.query, plus);
                if tried.contains(&text) {
                    continue;
                }
                if is_same(hmac::sign(&self.secret, &text).as_ref(), shown) {
                    return true;
                }
                tried.push(text);
            }
        }
        false
    }
}

/// The meaning of a plus in a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Space,
    Itself,
}

/// The method, the path, and the parameters by their names in small letters, without the signature.
fn string_to_sign(method: &str, path: &[u8], query: &str, plus: Plus) -> Vec<u8> {
    let query = match plus {
        Plus::Itself if query.contains('+') => Cow::Owned(query.replace('+', "%2B")),
        _ => Cow::Borrowed(query),
    };
    let fields = form::fields(query.as_bytes()).map(|field| {
        let name = field.name.to_ascii_lowercase();
        (name, field.value.unwrap_or_default())
    });
    let mut fields: Vec<_> = fields.filter(|(name, _)| name != b"auth_signature").collect();
    // The values of one name stay as they came.
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut text = Vec::with_capacity(method.len() + path.len() + query.len() + 2);
    text.extend_from_slice(method.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(path);
    text.push(b'\n');
    for (n, (name, value)) in fields.iter().enumerate() {
        if n > 0 {
            text.push(b'&');
        }
        text.extend_from_slice(name);
        text.push(b'=');
        text.extend_from_slice(value);
    }
    text
}

fn text_of<'a>(name: &'static str, value: Option<&'a [u8]>) -> Result<&'a str, RequestError> {
    let value = value.filter(|value| !value.is_empty()).ok_or(RequestError::Missing(name))?;
    std::str::from_utf8(value).map_err(|_| RequestError::Malformed(name))
}
