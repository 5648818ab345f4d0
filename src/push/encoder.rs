//! The making of publications' forms.

use crate::protocol::envelope::Origin;
use crate::protocol::{Chunk, Deflater, Enveloper, Opcode};

use super::form::{Form, Lens};
use super::prepared::Prepared;
use super::publication::Publication;
use super::stream;

/// Memory for a deflated frame that is kept from one to the next.
const BUFFER_AT_REST: usize = 64 << 10;

/// Makes publications' forms, each once for all who take it.
pub struct Encoder {
    /// Also for messages to one connection.
    pub deflater: Deflater,
    enveloper: Enveloper,
    deflate: bool,
    /// The deflated frames of the publication that was encoded last, plain and in its envelope; empty: none was made.
    deflated: [Vec<u8>; 2],
    is_enveloped: bool,
    /// The publication that was encoded last, in the forms for plain HTTP.
    streamed: [Chunk; Form::STREAMED.len()],
}

impl Encoder {
    /// One that compresses with this, or never.
    pub fn new(deflater: Deflater, deflate: bool) -> Encoder {
        let enveloper = Enveloper::default();
        Encoder {
            deflater,
            enveloper,
            deflate,
            deflated: Default::default(),
            is_enveloped: false,
            streamed: Default::default(),
        }
    }

    /// Makes a publication's forms that are wanted; how long they are. [`encoded`](Self::encoded) shows them.
    ///
    /// A form that is kept has to be wanted, unless it is compressed: nothing could stand in for it.
    pub fn encode(
        &mut self,
        publication: &Publication,
        origin: Origin<'_>,
        wanted: impl Fn(Form) -> bool,
    ) -> Lens {
        for frame in &mut self.deflated {
            frame.clear();
            frame.shrink_to(BUFFER_AT_REST);
        }
        let deflates = |form: Form| self.deflate && publication.options().compress && wanted(form);
        if deflates(Form::Deflated)
            && let Some(frame) = self.deflater.frame(publication.opcode(), publication.payload())
        {
            self.deflated[0].extend_from_slice(frame);
        }
        self.is_enveloped = Form::ALL.into_iter().any(|form| form.has_envelope() && wanted(form));
        if self.is_enveloped {
            self.enveloper.make(origin, publication.opcode(), publication.payload());
            if deflates(Form::EnvelopeDeflated)
                && let Some(frame) = self.deflater.frame(Opcode::Text, self.enveloper.object())
            {
                self.deflated[1].extend_from_slice(frame);
            }
        }
        for (form, chunk) in Form::STREAMED.into_iter().zip(&mut self.streamed) {
            chunk.clear();
            if wanted(form) {
                let (opcode, payload) = (publication.opcode(), publication.payload());
                stream::make(form, origin, (opcode, payload), &self.enveloper, chunk);
            }
        }
        self.encoded(publication).lens()
    }

    /// Makes those forms of a publication that are wanted and that no other reactor, which logs it as well, has made
    /// yet. All that are wanted, and the bytes of those that were compressed here, before and after it.
    pub fn encode_for_all<'a>(
        &mut self,
        prepared: &'a Prepared,
        origin: Origin<'_>,
        wanted: impl Fn(Form) -> bool,
    ) -> (Encoded<'a>, (usize, usize)) {
        let (mut encoded, mut compressed) = (Encoded::plain(prepared.publication().plain_frame()), (0, 0));
        for (form, made) in Form::LAZY.into_iter().zip(&prepared.forms).filter(|(form, _)| wanted(*form)) {
            let mut is_made_here = false;
            let bytes = made.get_or_init(|| {
                is_made_here = true;
                self.encode(prepared.publication(), origin, |other| other == form);
                self.encoded(prepared.publication()).own(form).unwrap_or_default().into()
            });
            encoded.others[form.index() - 1] = Some(&bytes[..]).filter(|bytes| !bytes.is_empty());
            if let (true, true, Some(frame), Some(other)) =
                (is_made_here, form.is_deflated(), encoded.apart(form), form.stand_in())
            {
                compressed = (compressed.0 + encoded.bytes(other).len(), compressed.1 + frame.len());
            }
        }
        (encoded, compressed)
    }

    /// The publication that was encoded last, in its forms.
    pub fn encoded<'a>(&'a self, publication: &'a Publication) -> Encoded<'a> {
        let [deflated, envelope_deflated] =
            self.deflated.each_ref().map(|frame| Some(&frame[..]).filter(|frame| !frame.is_empty()));
        let envelope = self.is_enveloped.then(|| self.enveloper.frame());
        let [sse, sse_json, sse_many, sse_many_json, ndjson] =
            self.streamed.each_ref().map(|chunk| Some(chunk.bytes()).filter(|bytes| !bytes.is_empty()));
        let others = [deflated, envelope, envelope_deflated, sse, sse_json, sse_many, sse_many_json, ndjson];
        Encoded { plain: publication.plain_frame(), others }
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

    /// A notice in the forms that have bytes of their own for it: an event, and a line. Each is empty where nobody
    /// takes it.
    pub(super) fn of_notice(frame: &'a [u8], event: &'a [u8], line: &'a [u8]) -> Encoded<'a> {
        let some = |bytes: &'a [u8]| Some(bytes).filter(|bytes| !bytes.is_empty());
        let others = Form::LAZY.map(|form| match form {
            Form::Ndjson => some(line),
            _ if form.is_streamed() => some(event),
            _ => None,
        });
        Encoded { plain: frame, others }
    }

    /// The same, with a frame in another form.
    #[cfg(test)]
    pub(super) fn with(mut self, form: Form, frame: Option<&'a [u8]>) -> Encoded<'a> {
        self.others[form.index() - 1] = frame;
        self
    }

    /// The bytes for subscribers who take this form: those of the form that stands in for it where there are no others.
    pub fn bytes(&self, form: Form) -> &'a [u8] {
        match form.stand_in() {
            Some(other) => self.apart(form).unwrap_or_else(|| self.bytes(other)),
            None => self.plain,
        }
    }

    /// The bytes that were made for this form.
    fn own(&self, form: Form) -> Option<&'a [u8]> {
        *self.others.get(form.index().checked_sub(1)?)?
    }

    /// The bytes of this form, if they are others than those of the form that stands in for it.
    pub fn apart(&self, form: Form) -> Option<&'a [u8]> {
        let own = self.own(form)?;
        let is_worth_it = !form.is_deflated() || own.len() < self.bytes(form.stand_in()?).len();
        is_worth_it.then_some(own)
    }

    /// Bytes of the frames that have been compressed, and of the shorter ones that were made of them.
    pub fn deflated_bytes(&self) -> (usize, usize) {
        let deflated = Form::ALL.into_iter().filter(|form| form.is_deflated());
        deflated.fold((0, 0), |(from, to), form| match (self.apart(form), form.stand_in()) {
            (Some(frame), Some(other)) => (from + self.bytes(other).len(), to + frame.len()),
            _ => (from, to),
        })
    }

    /// How long it is in each form.
    pub fn lens(&self) -> Lens {
        Lens(Form::ALL.map(|form| self.bytes(form).len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::{Message, PushOptions};

    const ORIGIN: Origin<'_> = Origin { channel: "c", epoch: 7, offset: 3, frame_bytes_max: 1 << 20 };

    fn publication(text: &str, options: PushOptions) -> Publication {
        Publication::new(Message::Text(text), options).unwrap()
    }

    #[test]
    fn another_form_stands_in_for_what_is_not_shorter() {
        let long = Encoded::plain(b"\x81\x01a").with(Form::Deflated, Some(b"\xc1\x05abcde"));
        assert_eq!((long.bytes(Form::Deflated), long.apart(Form::Deflated)), (&b"\x81\x01a"[..], None));
        let short = Encoded::plain(b"\x81\x05aaaaa").with(Form::Deflated, Some(b"\xc1\x01x"));
        assert_eq!((short.bytes(Form::Deflated), short.apart(Form::Plain)), (&b"\xc1\x01x"[..], None));
        assert_eq!(short.bytes(Form::Plain), b"\x81\x05aaaaa");
        let envelope = short.with(Form::Envelope, Some(b"\x81\x08 aaaaa 7"));
        assert_eq!(envelope.bytes(Form::EnvelopeDeflated), b"\x81\x08 aaaaa 7");
        let both = envelope.with(Form::EnvelopeDeflated, Some(b"\xc1\x06abcdef"));
        assert_eq!(both.bytes(Form::EnvelopeDeflated), b"\xc1\x06abcdef", "longer than another one's");
        assert_eq!(both.lens(), Lens([7, 3, 10, 8, 7, 7, 7, 7, 7]));
        assert_eq!((both.deflated_bytes(), long.deflated_bytes()), ((17, 11), (0, 0)));
    }

    #[test]
    fn an_envelope_is_made_for_those_who_take_it_deflated_too() {
        let mut encoder = Encoder::new(Deflater::default(), false);
        let publication = publication("hello", PushOptions::default());
        let envelope = br#"{"channel":"c","epoch":"7","offset":3,"data":"hello"}"#;
        for wanted in [Form::Envelope, Form::EnvelopeDeflated] {
            let lens = encoder.encode(&publication, ORIGIN, |form| form == wanted);
            let encoded = encoder.encoded(&publication);
            assert_eq!(encoded.bytes(wanted)[2..], envelope[..]);
            assert_eq!((lens.of(Form::Plain), lens.of(wanted)), (7, 2 + envelope.len()));
        }
        encoder.encode(&publication, ORIGIN, |_| false);
        assert_eq!(encoder.encoded(&publication).apart(Form::Envelope), None);
    }

    #[test]
    fn each_form_for_plain_http_is_made_if_it_is_wanted() {
        let mut encoder = Encoder::new(Deflater::default(), false);
        let publication = publication("hello", PushOptions::default());
        for wanted in Form::STREAMED {
            let lens = encoder.encode(&publication, ORIGIN, |form| form == wanted);
            let encoded = encoder.encoded(&publication);
            for form in Form::STREAMED {
                assert_eq!(encoded.apart(form).is_some(), form == wanted, "{form:?}");
            }
            let bytes = encoded.bytes(wanted);
            assert!(wanted.are_whole(bytes) && bytes.windows(5).any(|part| part == b"hello"));
            assert_eq!(lens.of(wanted), bytes.len());
        }
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn only_what_is_wanted_and_allowed_is_made() {
        let text = "a".repeat(500);
        let made = |encoder: &mut Encoder, options, wanted: Option<Form>| {
            let publication = publication(&text, options);
            encoder.encode(&publication, ORIGIN, |form| Some(form) == wanted);
            let encoded = encoder.encoded(&publication);
            [Form::Deflated, Form::Envelope, Form::EnvelopeDeflated].map(|form| encoded.apart(form).is_some())
        };
        let mut encoder = Encoder::new(Deflater::new(3, 1), true);
        let default = PushOptions::default();
        assert_eq!(made(&mut encoder, default, Some(Form::Deflated)), [true, false, false]);
        assert_eq!(made(&mut encoder, default, Some(Form::EnvelopeDeflated)), [false, true, true]);
        assert_eq!(made(&mut encoder, default, Some(Form::Envelope)), [false, true, false]);
        assert_eq!(made(&mut encoder, default, None), [false; 3]);
        for form in [Form::Deflated, Form::Envelope, Form::EnvelopeDeflated] {
            let kept = made(&mut encoder, default.compress(false), Some(form));
            assert!(!kept[0] && !kept[2], "{form:?}");
            let never = made(&mut Encoder::new(Deflater::new(3, 1), false), default, Some(form));
            assert!(!never[0] && !never[2], "{form:?}");
        }
    }
}
