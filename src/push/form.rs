//! The forms in which subscribers take publications, and what makes them.
//!
//! A form to come is a variant here and an arm in [`Encoder::encode`]: whatever keeps, writes, resumes or counts
//! publications knows forms only by their number.

use crate::protocol::{Deflater, frame};

use super::publication::Publication;

/// In which wire bytes a subscriber takes publications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    /// One unmasked frame each (RFC 6455 section 5.2). Every channel keeps it, and the other forms are evicted in step
    /// with it.
    #[default]
    Plain,
    /// The same compressed (RFC 7692 section 6), where that is shorter.
    Deflated,
}

impl Form {
    /// How many there are.
    pub const COUNT: usize = Form::ALL.len();

    /// All of them, in the order of their numbers.
    pub const ALL: [Form; 2] = [Form::Plain, Form::Deflated];

    /// Those that a channel keeps only while somebody takes them.
    pub const LAZY: [Form; 1] = [Form::Deflated];

    /// Its number.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether these bytes are publications in this form, all of them whole.
    pub(super) fn are_whole(self, bytes: &[u8]) -> bool {
        match self {
            Form::Plain | Form::Deflated => frame::are_whole(bytes),
        }
    }
}

// The bounds on memory count on it.
const _: () = assert!(Form::COUNT == crate::limits::LOG_FORMS);

/// Makes publications' forms, each once for all who take it.
pub struct Encoder {
    /// Also for messages to one connection.
    pub deflater: Deflater,
    deflate: bool,
}

impl Encoder {
    /// One that compresses with this, or never.
    pub fn new(deflater: Deflater, deflate: bool) -> Encoder {
        Encoder { deflater, deflate }
    }

    /// A publication in the forms that are wanted.
    pub fn encode<'a>(
        &'a mut self,
        publication: &'a Publication,
        wanted: impl Fn(Form) -> bool,
    ) -> Encoded<'a> {
        let deflate = self.deflate && publication.options().compress && wanted(Form::Deflated);
        let deflated =
            if deflate { self.deflater.frame(publication.opcode(), publication.payload()) } else { None };
        Encoded { plain: publication.plain_frame(), others: [deflated] }
    }
}

/// A publication in its forms.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    plain: &'a [u8],
    others: [Option<&'a [u8]>; Form::LAZY.len()],
}

impl<'a> Encoded<'a> {
    /// A publication of which there is the plain frame alone.
    pub fn plain(frame: &'a [u8]) -> Encoded<'a> {
        Encoded { plain: frame, others: [None; Form::LAZY.len()] }
    }

    /// The same, with a deflated frame.
    #[cfg(test)]
    pub(super) fn with_deflated(self, frame: Option<&'a [u8]>) -> Encoded<'a> {
        Encoded { others: [frame], ..self }
    }

    /// The bytes for subscribers who take this form. The plain frame takes the place of one that wasn't made, or would
    /// be longer.
    pub fn bytes(&self, form: Form) -> &'a [u8] {
        self.apart(form).unwrap_or(self.plain)
    }

    /// The bytes of this form, if they are others than the plain frame.
    pub fn apart(&self, form: Form) -> Option<&'a [u8]> {
        let other = self.others.get(form.index().checked_sub(1)?)?;
        other.filter(|other| other.len() < self.plain.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::{Message, PushOptions};

    #[test]
    fn forms_have_their_numbers() {
        for (n, form) in Form::ALL.into_iter().enumerate() {
            assert_eq!(form.index(), n);
        }
        assert_eq!(Form::LAZY[..], Form::ALL[1..]);
    }

    #[test]
    fn the_plain_frame_stands_in_for_what_is_not_shorter() {
        let long = Encoded::plain(b"\x81\x01a").with_deflated(Some(b"\xc1\x05abcde"));
        assert_eq!((long.bytes(Form::Deflated), long.apart(Form::Deflated)), (&b"\x81\x01a"[..], None));
        let short = Encoded::plain(b"\x81\x05aaaaa").with_deflated(Some(b"\xc1\x01x"));
        assert_eq!((short.bytes(Form::Deflated), short.apart(Form::Plain)), (&b"\xc1\x01x"[..], None));
        assert_eq!(short.bytes(Form::Plain), b"\x81\x05aaaaa");
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn only_what_is_wanted_and_allowed_is_made() {
        let text = "a".repeat(500);
        let publication = |options| Publication::new(Message::Text(&text), options).unwrap();
        let made = |encoder: &mut Encoder, options, wanted: bool| {
            encoder.encode(&publication(options), |_| wanted).apart(Form::Deflated).is_some()
        };
        let mut encoder = Encoder::new(Deflater::new(3, 1), true);
        let default = PushOptions::default();
        assert!(made(&mut encoder, default, true) && !made(&mut encoder, default, false));
        assert!(!made(&mut encoder, default.compress(false), true));
        assert!(!made(&mut Encoder::new(Deflater::new(3, 1), false), default, true));
    }
}
