//! The directory as publishers and clients use it, without a reactor behind it.

use super::*;

const HERE: Network = 1;

/// A directory of so many named channels.
fn directory(named: usize) -> Directory {
    Directory::new(named + 1, 1_000)
}

/// Publishes, and lets the reactor come to it.
fn publish(directory: &mut Directory, name: &str) -> Result<Option<String>, NoChannel> {
    let (place, forgotten) = directory.publish(Some(name), 5)?;
    directory.audit();
    if directory.heads[directory.names[name] as usize].need == Need::Publications {
        directory.vacate(0, name, place.epoch, Some(place.next_offset + 1));
    }
    directory.audit();
    Ok(forgotten.map(|forgotten| forgotten.name.to_string()))
}

fn occupy(directory: &mut Directory, name: &str, from: Network) -> Result<u64, NoChannel> {
    let occupied = directory.occupy(0, name, from, 5);
    directory.audit();
    occupied.map(|(opened, _)| opened.epoch)
}

#[test]
fn the_longest_idle_goes_and_comes_back_as_another() {
    let mut directory = directory(3);
    for name in ["a", "b", "c", "a"] {
        assert_eq!(publish(&mut directory, name), Ok(None));
    }
    assert_eq!(publish(&mut directory, "d"), Ok(Some("b".to_owned())));
    let epoch = occupy(&mut directory, "c", HERE).unwrap();
    assert_eq!(publish(&mut directory, "e"), Ok(Some("a".to_owned())), "somebody needs c");
    assert_eq!(publish(&mut directory, "c"), Ok(None));
    assert_eq!(directory.vacate(0, "c", epoch, Some(3)), Vacated::Kept);
    assert_eq!(directory.vacate(0, "c", epoch, Some(3)), Vacated::Kept, "said twice");
    for (gone, new) in [("d", "x"), ("e", "y"), ("c", "z")] {
        assert_eq!(publish(&mut directory, new), Ok(Some(gone.to_owned())));
    }
    let (again, _) = directory.publish(Some("c"), 5).unwrap();
    assert!(again.epoch > epoch && again.next_offset == 1);
    assert_eq!(directory.vacate(0, "c", epoch, Some(1)), Vacated::Kept, "the word that it is over comes");
    assert_eq!((directory.is_needed("c", again.epoch), directory.is_needed("c", epoch)), (Some(true), None));
}

#[test]
fn what_is_on_its_way_keeps_the_channel() {
    let mut directory = directory(2);
    let (a, _) = directory.publish(Some("a"), 5).unwrap();
    publish(&mut directory, "b").unwrap();
    // Its subscriber came and went before the publication did.
    occupy(&mut directory, "a", HERE).unwrap();
    assert_eq!(directory.vacate(0, "a", a.epoch, None), Vacated::Kept);
    directory.publish(Some("a"), 5).unwrap();
    assert_eq!(directory.vacate(0, "a", a.epoch, Some(2)), Vacated::Kept, "the second is still to come");
    assert_eq!(publish(&mut directory, "c"), Ok(Some("b".to_owned())));
    directory.publish(Some("c"), 5).unwrap();
    assert_eq!(publish(&mut directory, "d"), Err(NoChannel::NotYet));
    assert_eq!(directory.vacate(0, "a", a.epoch, Some(3)), Vacated::Kept);
    assert_eq!(publish(&mut directory, "d"), Ok(Some("a".to_owned())));
}

#[test]
fn what_nobody_has_published_to_goes_with_its_last_subscriber() {
    let mut directory = directory(8);
    let epoch = occupy(&mut directory, "a", HERE).unwrap();
    assert_eq!(directory.vacate(0, "a", epoch, None), Vacated::Gone);
    let next = occupy(&mut directory, "a", HERE).unwrap();
    assert!(next > epoch);
    assert_eq!(publish(&mut directory, "a"), Ok(None));
    assert_eq!((directory.vacate(0, "a", next, Some(2)), directory.unpublished.held()), (Vacated::Kept, 0));
    assert_eq!(occupy(&mut directory, "a", HERE), Ok(next), "with what it has logged");
}

#[test]
fn clients_leave_the_publishers_their_part() {
    let mut directory = directory(8);
    for n in 0..6 {
        occupy(&mut directory, &format!("x{n}"), n).unwrap();
    }
    let refused = NoChannel::NoShare { whose: ChannelRefusal::Clients, max: 9 };
    assert_eq!(occupy(&mut directory, "x6", 99), Err(refused));
    assert_eq!((publish(&mut directory, "a"), publish(&mut directory, "b")), (Ok(None), Ok(None)));
    assert_eq!(publish(&mut directory, "c"), Ok(Some("a".to_owned())));
    // One that is published to is the publishers', and another client may have its place.
    assert_eq!(publish(&mut directory, "x0"), Ok(None));
    assert!(occupy(&mut directory, "x6", 99).is_ok());
    assert_eq!(occupy(&mut directory, "a b", 99), Err(NoChannel::BadName));
    assert_eq!(directory.refused.iter().map(|(_, count)| count).collect::<Vec<_>>(), [0, 1, 0]);
}

#[test]
fn an_address_leaves_the_others_theirs() {
    let mut directory = directory(100);
    let mut opened = 0;
    let refused = loop {
        match occupy(&mut directory, &format!("x{opened}"), HERE) {
            Ok(_) => opened += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, NoChannel::NoShare { whose: ChannelRefusal::Address, max: 101 });
    assert_eq!(opened, 60, "four fifths of three quarters");
    assert!(refused.to_string().starts_with("this address"));
    assert!(occupy(&mut directory, "y", 2).is_ok());
}

#[test]
fn with_subscribers_everywhere_there_is_no_room() {
    let mut directory = directory(2);
    for name in ["a", "b"] {
        assert_eq!(publish(&mut directory, name), Ok(None));
        occupy(&mut directory, name, HERE).unwrap();
    }
    assert_eq!(publish(&mut directory, "c"), Err(NoChannel::Full { max: 3 }));
    assert_eq!(occupy(&mut directory, "c", HERE), Err(NoChannel::Full { max: 3 }));
    assert_eq!(directory.refused.get(ChannelRefusal::Full), 2);
    let mut none = Directory::new(1, 1);
    assert_eq!(publish(&mut none, "a"), Err(NoChannel::Full { max: 1 }));
    let (default, _) = none.publish(None, 0).unwrap();
    assert_eq!((default.epoch, none.publish(Some(DEFAULT_NAME), 0).unwrap().0.next_offset), (1, 2));
}

#[test]
fn the_oldest_goes_only_if_it_is_old() {
    let mut directory = directory(4);
    for name in ["a", "b", "a"] {
        publish(&mut directory, name).unwrap();
    }
    assert_eq!(directory.forget_oldest(|head| head.next_offset == 3), None);
    let forgotten = directory.forget_oldest(|head| head.next_offset == 2).unwrap();
    assert_eq!((&*forgotten.name, directory.heads.len()), ("b", 1));
    assert!(directory.forget_oldest(|_| true).is_some() && directory.forget_oldest(|_| true).is_none());
}
