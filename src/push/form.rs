//! The forms in which subscribers take publications.
//!
//! A form to come is a variant here and some lines in [`Encoder::encode`](super::Encoder::encode), or for one that
//! goes over plain HTTP in [`stream`](super::stream): whatever keeps, writes, resumes or counts publications knows
//! forms only by their number.

use crate::protocol::{chunk, frame};

/// In which wire bytes a subscriber takes publications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[repr(u8)]
pub enum Form {
    /// One unmasked frame each (RFC 6455 section 5.2). Every channel keeps it, and the other forms are evicted in step
    /// with it.
    #[default]
    Plain,
    /// The same compressed (RFC 7692 section 6), where that is shorter.
    Deflated,
    /// A text frame each, with the envelope of `wspush.v1`.
    Envelope,
    /// The same compressed, where that is shorter.
    EnvelopeDeflated,
    /// A chunk each, with a Server-Sent Event that has the payload, and the position for its id: for streams of this
    /// channel alone.
    Sse,
    /// The same with the envelope.
    SseJson,
    /// The payload in an event without an id: for streams of any number of channels, each of which is told its
    /// positions behind what it gets.
    SseMany,
    /// The same with the envelope.
    SseManyJson,
    /// A chunk each, with the envelope on a line of its own.
    Ndjson,
}

impl Form {
    /// How many there are.
    pub const COUNT: usize = Form::ALL.len();

    /// All of them, in the order of their numbers.
    pub const ALL: [Form; 9] = [
        Form::Plain,
        Form::Deflated,
        Form::Envelope,
        Form::EnvelopeDeflated,
        Form::Sse,
        Form::SseJson,
        Form::SseMany,
        Form::SseManyJson,
        Form::Ndjson,
    ];

    /// Those that a channel keeps only while somebody takes them.
    pub const LAZY: [Form; Form::COUNT - 1] = *Form::ALL.last_chunk().unwrap();

    /// Those that go over plain HTTP.
    pub const STREAMED: [Form; Form::COUNT - Form::Sse.index()] = *Form::ALL.last_chunk().unwrap();

    /// Its number.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The form whose bytes stand in for its own where they are not longer, or were not made because nobody keeps it.
    pub const fn stand_in(self) -> Option<Form> {
        match self {
            Form::Plain => None,
            Form::EnvelopeDeflated => Some(Form::Envelope),
            _ => Some(Form::Plain),
        }
    }

    /// The form that is made of the same bytes and compressed; what goes over plain HTTP is left to proxies.
    pub const fn deflated(self) -> Form {
        match self {
            Form::Plain => Form::Deflated,
            Form::Envelope => Form::EnvelopeDeflated,
            other => other,
        }
    }

    /// Whether it is more than the plain frame, or that compressed: it has to be made of the payload.
    pub const fn is_made(self) -> bool {
        !matches!(self, Form::Plain | Form::Deflated)
    }

    /// Whether it says a publication in its envelope.
    pub const fn has_envelope(self) -> bool {
        matches!(
            self,
            Form::Envelope | Form::EnvelopeDeflated | Form::SseJson | Form::SseManyJson | Form::Ndjson
        )
    }

    /// Whether it is compressed.
    pub const fn is_deflated(self) -> bool {
        matches!(self, Form::Deflated | Form::EnvelopeDeflated)
    }

    /// Whether it goes over plain HTTP.
    pub const fn is_streamed(self) -> bool {
        self.index() >= Form::Sse.index()
    }

    /// Whether the subscriber of this form has to be told its positions, behind the publications.
    pub const fn is_of_many(self) -> bool {
        matches!(self, Form::SseMany | Form::SseManyJson)
    }

    /// The form for streams of any number of channels in place of the one for a single channel.
    pub const fn of_many(self) -> Form {
        match self {
            Form::Sse => Form::SseMany,
            Form::SseJson => Form::SseManyJson,
            other => other,
        }
    }

    /// Whether these bytes are publications in this form, all of them whole.
    pub(super) fn are_whole(self, bytes: &[u8]) -> bool {
        if self.is_streamed() { chunk::are_whole(bytes) } else { frame::are_whole(bytes) }
    }
}

// The bounds on memory count on it.
const _: () = assert!(Form::COUNT == crate::limits::LOG_FORMS);

/// Bytes of a publication in each form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lens(pub(super) [usize; Form::COUNT]);

impl Lens {
    /// Of one in its plain form alone.
    pub fn plain(len: usize) -> Lens {
        Lens([len; Form::COUNT])
    }

    /// In this form.
    #[inline]
    pub fn of(self, form: Form) -> usize {
        self.0[form.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_have_their_numbers() {
        for (n, form) in Form::ALL.into_iter().enumerate() {
            assert_eq!(form.index(), n);
            assert!(form.deflated().is_deflated() != form.is_streamed());
            assert!(form.stand_in().is_none_or(|other| other.index() < n && !other.is_streamed()));
            assert_eq!(form.of_many().is_of_many(), form.is_streamed() && form != Form::Ndjson);
            assert_eq!(form.of_many().has_envelope(), form.has_envelope());
        }
        assert_eq!(Form::LAZY[..], Form::ALL[1..]);
        assert_eq!(Form::STREAMED[..], Form::ALL[Form::Sse.index()..]);
        assert!(Form::STREAMED.iter().all(|form| form.is_streamed()));
    }
}
