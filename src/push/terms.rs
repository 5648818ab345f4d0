//! On which terms something is published.

use std::hash::{Hash, Hasher};

use sha1_smol::Sha1;

use super::options::PushOptions;
use super::pace::Pace;
use super::push_error::PushError;
use crate::limits::IDEMPOTENCY_KEY_BYTES_MAX;

/// On which terms a publication is taken, and how it is pushed. The default is what a plain publish does.
///
/// ```
/// use wspush::PublishTerms;
///
/// // However often it is asked for, it is published once; and only if nothing came after publication 41.
/// let terms = PublishTerms::default().idempotency_key("order-17").if_offset(41);
/// assert_eq!(terms.if_offset, Some(41));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishTerms<'a> {
    /// How it is pushed.
    pub options: PushOptions,
    /// A repetition of this key within five minutes, with the same message to the same channels, gets the first receipt
    /// again, and nothing is published.
    pub idempotency_key: Option<&'a str>,
    /// It is taken if this is the offset of the newest publication of the channel, or of each of them; 0: none yet.
    pub if_offset: Option<u64>,
    /// The request that it is part of, as the program's tracing knows it (`traceparent` of W3C Trace Context). It comes
    /// back in the receipts, and is logged if it is sampled; one that is not valid is left out.
    pub traceparent: Option<&'a str>,
}

impl<'a> PublishTerms<'a> {
    /// The terms with these options.
    #[must_use]
    pub fn options(self, options: PushOptions) -> PublishTerms<'a> {
        PublishTerms { options, ..self }
    }

    /// The terms with this idempotency key, of 1 to 128 bytes.
    #[must_use]
    pub fn idempotency_key(self, key: &'a str) -> PublishTerms<'a> {
        PublishTerms { idempotency_key: Some(key), ..self }
    }

    /// The terms with this newest offset.
    #[must_use]
    pub fn if_offset(self, offset: u64) -> PublishTerms<'a> {
        PublishTerms { if_offset: Some(offset), ..self }
    }

    /// The terms with this pace: each of the channels is written to at it.
    #[must_use]
    pub fn pace(self, pace: impl Into<Option<Pace>>) -> PublishTerms<'a> {
        PublishTerms { options: self.options.pace(pace), ..self }
    }

    /// The terms with the request that it is part of.
    #[must_use]
    pub fn traceparent(self, traceparent: &'a str) -> PublishTerms<'a> {
        PublishTerms { traceparent: Some(traceparent), ..self }
    }

    /// Whether they can be kept.
    ///
    /// # Errors
    /// [`PushError::BadTerms`]
    pub(crate) fn check(&self) -> Result<(), PushError> {
        let fits = |key: &str| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len());
        match self.idempotency_key {
            Some(key) if !fits(key) => Err(PushError::BadTerms("an idempotency key has 1 to 128 bytes")),
            _ => Ok(()),
        }
    }

    /// Whether they are such as a batch can have.
    ///
    /// # Errors
    /// [`PushError::BadTerms`]
    pub(crate) fn check_for_batch(&self) -> Result<(), PushError> {
        if self.if_offset.is_some() || self.options != PushOptions::default() {
            let why = "a batch has a key and a traceparent; options and a pace are an item's, and if_offset is none's";
            return Err(PushError::BadTerms(why));
        }
        self.check()
    }
}

/// A number by which a repetition is known from something else under the same key. It is the same at all nodes of a
/// cluster, whatever they were built with.
pub fn fingerprint(asked: &impl Hash) -> u64 {
    let mut digest = Digest(Sha1::new());
    asked.hash(&mut digest);
    digest.finish()
}

/// A hash that is the same in all versions and on all machines.
struct Digest(Sha1);

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0.digest().bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn write_u16(&mut self, number: u16) {
        self.write(&number.to_be_bytes());
    }

    fn write_u32(&mut self, number: u32) {
        self.write(&number.to_be_bytes());
    }

    fn write_u64(&mut self, number: u64) {
        self.write(&number.to_be_bytes());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}

const _: () = assert!(IDEMPOTENCY_KEY_BYTES_MAX == 128, "the error says so");

#[cfg(test)]
mod tests {
    use super::*;

    /// Another number would take the repetitions of a cluster's older nodes for something else.
    #[test]
    fn a_fingerprint_is_the_same_for_ever() {
        let what = (&["news", "a"][..], b"hi".as_slice(), PushOptions::default(), Some(7_u64));
        assert_eq!(fingerprint(&what), 2_953_004_806_271_416_017);
        assert_eq!(fingerprint(&b"hi".as_slice()), 14_599_880_935_941_698_135);
        assert_ne!(fingerprint(&("ab", "c")), fingerprint(&("a", "bc")));
    }

    #[test]
    fn a_key_has_its_bounds() {
        let check = |len| PublishTerms::default().idempotency_key(&"k".repeat(len)).check().is_ok();
        assert_eq!([0, 1, 128, 129].map(check), [false, true, true, false]);
        assert!(PublishTerms::default().check().is_ok());
    }

    #[test]
    fn a_batch_has_a_key_and_a_request() {
        let terms = PublishTerms::default().idempotency_key("k").traceparent("00-a");
        let options = PushOptions::default().compress(false);
        let others = [terms.if_offset(0), terms.pace(super::Pace::PerSecond(1)), terms.options(options)];
        assert!(terms.check_for_batch().is_ok() && PublishTerms::default().check_for_batch().is_ok());
        assert!(terms.idempotency_key("").check_for_batch().is_err());
        assert!(others.iter().all(|terms| terms.check().is_ok() && terms.check_for_batch().is_err()));
    }
}
