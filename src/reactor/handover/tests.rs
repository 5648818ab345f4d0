use sha1_smol::Sha1;

use super::*;
use crate::protocol::pool::Pool;
use crate::push::{Channels, Cursor, DEFAULT, Encoded, Form, LogLimits, Message, Place, Since};
use crate::reactor::attendance::Attendances;
use crate::reactor::outbox::Stretch;
use crate::reactor::slot::image::SavedFrames;
use crate::reactor::slot::{Flags, Phase, Slot};
use crate::reactor::stamp::Stamp;
use crate::reactor::timers::Timers;
use crate::reactor::transport::Transport;
use crate::reactor::users::User;

const LIMITS: LogLimits = LogLimits { bytes: 1 << 12, publications: 8, sum_bytes: 1 << 20 };

fn channels() -> Channels {
    let mut channels = Channels::new(LIMITS, 7);
    let id = channels.open(&"c".into(), 8, 0);
    for form in [Form::Plain, Form::Envelope] {
        let cursor = channels.enter(id, form, Since::Head, 0).cursor;
        channels.get_mut(id).join(form as u32, cursor, 0);
    }
    for offset in 1..=3 {
        let frame = Message::Text("text").to_frame();
        channels.append(
            id,
            &Encoded::plain(&frame),
            Place { offset, receipt: offset, now_us: 5, unix_ms: 6 },
        );
    }
    channels
}

fn slot() -> Slot<()> {
    let mut slot = Slot::new((), 9, Phase::Open, Stamp::at(1_000));
    slot.speak(Transport::V1, 0);
    slot.flags.set(Flags::BROADCAST, true);
    slot.cursor = Cursor(77);
    slot.keep(b"half");
    slot.extra_mut().user = Some(Box::new(User::new("ann")));
    let stretch = Stretch { channel: DEFAULT, form: Form::Plain, midway: true, epoch: 7, from: 1, to: 5 };
    slot.outbox_mut().push_stretch(stretch);
    slot.outbox_mut().push_frames(b"whole");
    slot
}

/// A change of what is told needs another [`VERSION`]: an old server and a new one would misunderstand each other, and
/// take a connection for another.
#[test]
fn the_format_is_pinned() {
    let (channels, pool) = (channels(), Pool::new(1 << 16));
    let all: Vec<_> = channels.iter().map(|(id, channel)| (id.0, channel)).collect();
    let told = (all, slot().image(&pool), Timers::new(5), Attendances::default());
    let bytes = postcard::to_allocvec(&told).unwrap();
    let sum = Sha1::from(&bytes).digest().to_string();
    assert_eq!((VERSION, sum.as_str()), (2, "2cf927ac941934de78077c935c4e6b209e2b9de1"));
}

#[test]
fn a_connection_comes_over_as_it_was() {
    let mut pool = Pool::new(1 << 16);
    let bytes = postcard::to_allocvec(&slot().image(&pool)).unwrap();
    let image = postcard::from_bytes(&bytes).unwrap();
    let copy = Slot::of_image((), image, &mut pool, &SavedFrames::new()).unwrap();
    let slot = slot();
    assert_eq!(
        (copy.id(3), copy.cursor, copy.flags, copy.phase),
        (slot.id(3), slot.cursor, slot.flags, slot.phase)
    );
    assert_eq!(
        (copy.seen, copy.form, copy.transport, copy.kind),
        (slot.seen, slot.form, slot.transport, slot.kind)
    );
    assert_eq!((copy.kept(), copy.user()), (&b"half"[..], Some("ann")));
    let (ours, theirs) = (slot.outbox().unwrap(), copy.outbox().unwrap());
    assert_eq!((theirs.len(), theirs.left(), theirs.bytes()), (ours.len(), ours.left(), ours.bytes()));
}

#[test]
fn channels_come_over_with_their_places_and_what_is_to_be_done() {
    let channels = channels();
    let all: Vec<_> = channels.iter().map(|(id, channel)| (id.0, channel)).collect();
    let bytes = postcard::to_allocvec(&all).unwrap();
    let mut copy = Channels::new(LIMITS, 1);
    copy.resume(postcard::from_bytes(&bytes).unwrap(), channels.newest()).unwrap();
    let id = channels.find("c").unwrap();
    assert_eq!((copy.find("c"), copy.len(), copy.newest()), (Some(id), 2, 3));
    assert_eq!(copy.next_dirty(), Some(id), "what was published is to be written");
    let mut shown = Vec::new();
    copy.settle(9, |delivery| shown.push((delivery.id, delivery.recipients, delivery.lagging)));
    assert_eq!(shown, [(1, 2, 2), (2, 2, 2), (3, 2, 2)]);
    let (ours, theirs) = (channels.get(id), copy.get(id));
    for form in [Form::Plain, Form::Envelope] {
        let (ours, theirs) = (ours.log_in(form).unwrap(), theirs.log_in(form).unwrap());
        assert_eq!((theirs.tail(), theirs.head(), theirs.next_offset()), (ours.tail(), ours.head(), 4));
    }
    assert_eq!(theirs.members, ours.members);
    let twice: Vec<_> = all.iter().chain(&all).collect();
    let bytes = postcard::to_allocvec(&twice).unwrap();
    assert!(copy.resume(postcard::from_bytes(&bytes).unwrap(), 0).is_err());
    assert!(copy.resume(Vec::new(), 0).is_err());
}
