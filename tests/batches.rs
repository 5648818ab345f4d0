//! Batches from a host: things for channels, users and connections at once, all of them or none.

use crate::reads::{Logging, PARENT};
use crate::users::{Host, ids};
use wspush::{BatchItem, ConnId, Handle, Message, PublishTerms, PublishedBatch, PushError, PushOptions};

const HI: Message<'_> = Message::Text("hi");

fn offsets(batch: &PublishedBatch) -> Vec<Option<(&str, u64)>> {
    batch.receipts.iter().map(|receipt| receipt.as_ref().map(|r| (&*r.channel, r.offset))).collect()
}

/// Publishes these and one more, and says why not.
fn refusal(handle: &Handle, bad: BatchItem<'_>) -> (usize, PushError) {
    let good = BatchItem::channel("news", HI);
    match handle.publish_batch(&[good, good, bad, good], None) {
        Err(PushError::BadItem { index, problem }) => (index, *problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_item_goes_where_it_says_and_in_their_order() {
    let host = Host::start();
    let mut ann = host.open("/ws?as=ann&channel=news");
    let mut bob = host.open("/ws?as=bob");
    let bob_is: ConnId = ids(&host.ask("GET", "/users/bob", b"").1)[0].parse().unwrap();
    let items = [
        BatchItem::channel("news", Message::Text("1")),
        BatchItem::user("ann", Message::Text("2")),
        BatchItem::channel("broadcast", Message::Binary(b"\x00\xff")),
        BatchItem::conn(bob_is, Message::Text("4")).options(PushOptions::default().compress(false)),
        BatchItem::channel("news", Message::Text("5")),
    ];
    let batch = host.handle.publish_batch(&items, None).unwrap();
    assert_eq!(offsets(&batch), [Some(("news", 1)), None, Some(("broadcast", 1)), None, Some(("news", 2))]);
    let ids: Vec<u64> = batch.receipts.iter().flatten().map(|receipt| receipt.id).collect();
    assert_eq!((ids, batch.duplicate), (vec![1, 2, 3], false));
    // Different logs have no order among them; a message to one comes behind all that was published before.
    assert_eq!([ann.text(), ann.text()], ["1", "2"]);
    let mut rest = [ann.frame().payload, ann.frame().payload];
    rest.sort();
    assert_eq!(rest, [b"\x00\xff".to_vec(), b"5".to_vec()]);
    assert_eq!((bob.frame().payload, bob.text()), (b"\x00\xff".to_vec(), "4".to_owned()));
}

#[test]
fn a_bad_item_is_named_and_nothing_is_published() {
    let host = Host::start();
    let mut ann = host.open("/ws?as=ann&channel=news");
    let handle = &host.handle;
    let long = "a".repeat(257);
    for (bad, expected) in [
        (BatchItem::channel("a b", HI), PushError::BadChannel),
        (BatchItem::channel("", HI), PushError::BadChannel),
        (BatchItem::user("", HI), PushError::BadUser),
        (BatchItem::user(&long, HI), PushError::BadUser),
        (BatchItem::conn(ConnId(0), HI), PushError::NoSuchConnection),
        (BatchItem::user("ann", Message::Text("")), PushError::Empty),
    ] {
        assert_eq!(refusal(handle, bad), (2, expected));
    }
    let large = "x".repeat(5_000_000);
    let (index, problem) = refusal(handle, BatchItem::channel("news", Message::Text(&large)));
    assert!(index == 2 && matches!(problem, PushError::TooLarge { setting: "log_bytes", .. }), "{problem}");
    let said = PushError::BadItem { index, problem: Box::new(PushError::Empty) }.to_string();
    assert_eq!(said, "items[2]: the message is empty; nothing was published");
    assert!(matches!(handle.publish_batch(&[], None), Err(PushError::BadTerms(_))));
    let many = [BatchItem::channel("news", HI); 1_001];
    let too_many = PushError::TooMany { count: 1_001, max: 1_000, what: "items of a batch" };
    assert_eq!(handle.publish_batch(&many, None), Err(too_many));
    assert_eq!(ann.sync(), [], "nothing of them all was published");
    assert_eq!(handle.publish_batch(&many[1..], None).unwrap().receipts.len(), 1_000);
}

#[test]
fn a_batch_is_published_once() {
    let host = Host::start();
    let mut ann = host.open("/ws?as=ann&channel=news");
    let items = [BatchItem::channel("news", Message::Text("1")), BatchItem::user("ann", Message::Text("2"))];
    let first = host.handle.publish_batch(&items, Some("order-17")).unwrap();
    let again = host.handle.publish_batch(&items, Some("order-17")).unwrap();
    assert_eq!(again, PublishedBatch { duplicate: true, ..first });
    for other in [
        &items[..1],
        &[items[1], items[0]],
        &[items[0].options(PushOptions::default().compress(false)), items[1]],
        &[items[0], BatchItem::channel("ann", Message::Text("2"))],
        &[items[0], BatchItem::user("ann", Message::Binary(b"2"))],
    ] {
        assert_eq!(host.handle.publish_batch(other, Some("order-17")), Err(PushError::KeyReused));
    }
    for no_key in ["", &"k".repeat(129)] {
        assert!(matches!(host.handle.publish_batch(&items, Some(no_key)), Err(PushError::BadTerms(_))));
    }
    host.handle.publish_user("ann", Message::Text("3")).unwrap();
    assert_eq!([ann.text(), ann.text(), ann.text()], ["1", "2", "3"]);
}

#[test]
fn a_batch_says_of_which_request_it_is_a_part() {
    let mut host = Logging::new();
    let handle = host.server.handle();
    let items = [BatchItem::channel("a", HI), BatchItem::user("ann", HI), BatchItem::channel("b", HI)];
    let publish = |items: &[BatchItem<'_>], parent: &str| {
        let terms = PublishTerms::default().idempotency_key(&parent[parent.len() - 2..]).traceparent(parent);
        handle.publish_batch_on(items, terms).unwrap()
    };
    let batch = publish(&items, PARENT);
    let again = publish(&items, PARENT);
    assert!(again.duplicate && again.receipts == batch.receipts);
    let unsampled = PARENT.replace("-01", "-00");
    let traced = [&batch, &again, &publish(&items, &unsampled), &publish(&items, &PARENT[..50])];
    let traced = traced.map(|batch| batch.traceparent.as_deref());
    assert_eq!(traced, [Some(PARENT), Some(PARENT), Some(&*unsampled), None]);
    assert_eq!(handle.publish_batch(&items, None).unwrap().traceparent, None);
    let [a, b] = [0, 2].map(|n| batch.receipts[n].as_ref().unwrap());
    let places = format!("at=a~{}.1,b~{}.1 receipt=1,2", a.epoch, b.epoch);
    let line = |duplicate| format!("{places} duplicate={duplicate} traceparent={PARENT}");
    assert_eq!(host.published(), [line(false), line(true)]);
    // A message to a user stands nowhere.
    let sampled = PARENT.replace("-01", "-03");
    publish(&items[1..2], &sampled);
    assert_eq!(host.published(), [format!("duplicate=false traceparent={sampled}")]);
}

#[test]
fn how_an_item_is_pushed_stands_in_the_item() {
    let host = Host::start();
    let terms = PublishTerms::default();
    for other in [terms.if_offset(0), terms.options(PushOptions::default().compress(false))] {
        let refused = host.handle.publish_batch_on(&[BatchItem::channel("news", HI)], other);
        assert!(matches!(refused, Err(PushError::BadTerms(_))), "{refused:?}");
    }
    let taken = host.handle.publish_batch(&[BatchItem::channel("news", HI)], None).unwrap();
    assert_eq!(offsets(&taken), [Some(("news", 1))], "nothing that was refused has taken a place");
}
