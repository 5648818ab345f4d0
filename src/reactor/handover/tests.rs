use std::path::{Path, PathBuf};

use sha1_smol::Sha1;

use super::*;
use crate::metrics::CloseReason;
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

/// The definitions of the types of which images consist, without their comments, in the order of the files: all that
/// can be read back. And the lists that are written without a type.
fn layout() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    ["reactor", "push", "endpoint", "protocol", "tls", "auth"]
        .iter()
        .for_each(|room| collect(&root.join(room), &mut files));
    files.sort();
    let mut all = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let mut taken = None;
        for line in lines {
            let is_derived = line.starts_with("#[derive(") && line.contains("serde::Deserialize");
            let is_list = line.contains("let facts = (") || line.contains("postcard::to_allocvec(&(");
            taken = taken.or(is_derived.then_some("}")).or(is_list.then_some(")"));
            let Some(end) = taken else { continue };
            all += line;
            let is_over = match end {
                "}" => line == "}" || line.ends_with(';') || line.ends_with("{}"),
                _ => line.trim_end_matches(';').trim().starts_with(')'),
            };
            if is_over {
                taken = None;
            }
        }
    }
    all + &format!("{:?}", CloseReason::ALL)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            None => collect(&path, files),
            // Types of tests are told to nobody.
            Some(_) if path.ends_with("tests.rs") => {}
            Some(_) => files.push(path),
        }
    }
}

/// A change of what is told needs another [`VERSION`]: an old server and a new one would misunderstand each other, and
/// take a connection for another. Types that are read from JSON are among these, too: if only those have changed, the
/// version may stay.
#[test]
fn the_format_is_pinned() {
    let (channels, pool) = (channels(), Pool::new(1 << 16));
    let all: Vec<_> = channels.iter().map(|(id, channel)| (id.0, channel)).collect();
    let told = (all, slot().image(&pool), Timers::new(5), Attendances::default());
    let bytes = postcard::to_allocvec(&told).unwrap();
    let [sum, layout] = [&bytes[..], layout().as_bytes()].map(|of| Sha1::from(of).digest().to_string());
    assert_eq!((VERSION, &*sum), (5, "ab58b77e41aad268c4bfa72213c00870902d7046"));
    assert_eq!(
        (VERSION, &*layout),
        (5, "9695d94739d89a0a77a723a9a0092293bc332ab3"),
        "has the layout of what is told changed?"
    );
}

#[test]
fn the_layout_is_all_that_is_told() {
    let layout = layout();
    for part in [
        "struct SlotImage",
        "struct ExtraImage",
        "struct Facts",
        "struct SharedImage",
        "pub struct ListenerImage",
    ] {
        assert!(layout.contains(part), "{part}");
    }
    for list in [
        "self.route_patterns(),",
        "self.totals.guests(),",
        "enum Item",
        "struct Saved",
        "struct RenewalImage",
    ] {
        assert!(layout.contains(list), "{list}");
    }
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
    copy.settle(9, |delivery, _| shown.push((delivery.id, delivery.recipients, delivery.lagging)));
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
