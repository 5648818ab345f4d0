//! Publications that an engine has given their places: the directory follows.

use std::sync::Arc;

use crate::push::{DEFAULT_NAME, FIRST_OFFSET};

use super::{Directory, Elsewhere, Forgotten, Head, Need, NoChannel, Opened};

/// How a publication that arrives goes with what is here of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is the next one.
    Follows,
    /// It is the first one here.
    Opens,
    /// The first one of a channel that has had nothing in another life.
    Renews,
    /// Something between is lost, or it is of another life.
    Breaks,
    /// It is here already, or of a former life.
    Known,
    /// There is no place for its channel, which nobody has asked for here.
    Unplaced,
}

/// A publication that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its place.
    pub place: Opened,
    /// How it goes with what is here.
    pub step: Step,
    /// A channel that had to go for it.
    pub forgotten: Option<Forgotten>,
}

impl Directory {
    /// From here on the places of all publications are an engine's, and these are the default channel's.
    pub fn follow(&mut self, elsewhere: Elsewhere) {
        let (epoch, next) = elsewhere.stands(DEFAULT_NAME);
        (self.default.epoch, self.default.next_offset) = (epoch, next);
        self.elsewhere = Some(Box::new(elsewhere));
    }

    /// The first offset that a channel has had here.
    pub fn first_offset(&self, name: &str) -> u64 {
        self.elsewhere.as_ref().map_or(FIRST_OFFSET, |elsewhere| elsewhere.first(name))
    }

    /// The epoch and the newest offset of a channel.
    pub fn position_of(&mut self, name: &str) -> (u64, u64) {
        if let Some(head) = self.head_mut(name) {
            return (head.epoch, head.next_offset - 1);
        }
        let stands = self.elsewhere.as_ref().map_or((0, FIRST_OFFSET), |elsewhere| elsewhere.stands(name));
        (stands.0, stands.1 - 1)
    }

    /// Takes in a publication with its place.
    pub fn arrive(
        &mut self,
        name: &str,
        epoch: u64,
        offset: u64,
        unix_us: u64,
    ) -> Result<Arrived, NoChannel> {
        let place = |name: Arc<str>| Opened { name, epoch, next_offset: offset };
        if let Some(head) = self.head_mut(name) {
            let step = step(head, epoch, offset);
            let place = place(head.name.clone());
            if step != Step::Known {
                (head.epoch, head.next_offset) = (epoch, offset + 1);
                self.expect_publication(name);
            }
            return Ok(Arrived { place, step, forgotten: None });
        }
        let stands = self.elsewhere.as_ref().map_or((0, FIRST_OFFSET), |elsewhere| elsewhere.stands(name));
        if epoch < stands.0 || (epoch == stands.0 && offset < stands.1) {
            return Ok(Arrived { place: place(Arc::from(name)), step: Step::Known, forgotten: None });
        }
        let (key, forgotten) = match self.make(name, None, unix_us) {
            Ok(made) => made,
            Err(NoChannel::Full { .. } | NoChannel::NoShare { .. }) => {
                self.stand(name, epoch, offset + 1);
                return Ok(Arrived { place: place(Arc::from(name)), step: Step::Unplaced, forgotten: None });
            }
            Err(problem) => return Err(problem),
        };
        let head = &mut self.heads[key as usize];
        (head.epoch, head.next_offset) = (epoch, offset + 1);
        let name = head.name.clone();
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.begin(&name, offset);
        }
        self.set_need(key, Need::Publications);
        Ok(Arrived { place: place(name), step: Step::Opens, forgotten })
    }

    /// A channel stands there: what was before is lost here if it has not come. Its name, if it has a place and has not
    /// come so far.
    pub fn stand(&mut self, name: &str, epoch: u64, next: u64) -> Option<Arc<str>> {
        match self.head_mut(name) {
            Some(head) => {
                let is_behind = head.epoch < epoch || head.epoch == epoch && head.next_offset < next;
                if is_behind {
                    (head.epoch, head.next_offset) = (epoch, next);
                }
                is_behind.then(|| head.name.clone())
            }
            None => {
                let elsewhere = self.elsewhere.as_mut()?;
                if elsewhere.stands(name) < (epoch, next) {
                    elsewhere.put(name, epoch, next);
                }
                None
            }
        }
    }

    /// Another life begins of all channels of a part of the cluster: the names of those that have a place.
    pub fn begin_epoch(&mut self, part: usize, epoch: u64) -> Vec<Arc<str>> {
        let Some(elsewhere) = &mut self.elsewhere else { return Vec::new() };
        elsewhere.begin_epoch(part, epoch);
        let heads = self.heads.iter_mut().map(|(_, head)| head).chain([&mut self.default]);
        let of_part = heads.filter(|head| head.epoch < epoch && elsewhere.part_of(&head.name) == part);
        let names = of_part.map(|head| {
            (head.epoch, head.next_offset) = (epoch, FIRST_OFFSET);
            head.name.clone()
        });
        names.collect()
    }

    fn head_mut(&mut self, name: &str) -> Option<&mut Head> {
        match self.names.get(name) {
            Some(&key) => Some(&mut self.heads[key as usize]),
            None => Some(&mut self.default).filter(|_| name == DEFAULT_NAME),
        }
    }

    /// Something is on its way to a channel that has a place.
    fn expect_publication(&mut self, name: &str) {
        let Some(&key) = self.names.get(name) else { return };
        let head = &mut self.heads[key as usize];
        let has_subscribers = head.need == Need::Subscribers;
        if let Some(opener) = head.opener.take() {
            self.unpublished.give_back(opener, 1);
        }
        if !has_subscribers {
            self.set_need(key, Need::Publications);
        }
    }
}

fn step(head: &Head, epoch: u64, offset: u64) -> Step {
    if epoch < head.epoch || epoch == head.epoch && offset < head.next_offset {
        Step::Known
    } else if epoch == head.epoch && offset == head.next_offset {
        Step::Follows
    } else if epoch > head.epoch && head.next_offset == FIRST_OFFSET && offset == FIRST_OFFSET {
        Step::Renews
    } else {
        Step::Breaks
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::addresses::Network;
    use super::*;

    fn part(name: &str, parts: usize) -> usize {
        usize::from(name.as_bytes()[0]) % parts
    }

    fn directory(max: usize) -> Directory {
        let mut directory = Directory::new(max, 1);
        directory.follow(Elsewhere::new(part, vec![100, 200]));
        directory
    }

    fn arrive(directory: &mut Directory, name: &str, epoch: u64, offset: u64) -> Step {
        let arrived = directory.arrive(name, epoch, offset, 5).unwrap();
        directory.audit();
        arrived.step
    }

    #[test]
    fn publications_have_the_places_that_they_come_with() {
        let mut directory = directory(10);
        // 'a' is odd, 'b' is even.
        assert_eq!(directory.default_epoch(), 100);
        for (name, epoch, offset, step) in [
            ("a", 200, 7, Step::Opens),
            ("a", 200, 8, Step::Follows),
            ("a", 200, 8, Step::Known),
            ("a", 150, 9, Step::Known),
            ("a", 200, 11, Step::Breaks),
            ("a", 300, 1, Step::Breaks),
            ("a", 200, 12, Step::Known),
            ("b", 100, 1, Step::Opens),
            ("broadcast", 100, 1, Step::Follows),
            ("broadcast", 100, 3, Step::Breaks),
        ] {
            assert_eq!(arrive(&mut directory, name, epoch, offset), step, "{name} {epoch}.{offset}");
        }
        assert_eq!((directory.first_offset("a"), directory.first_offset("b")), (7, 1));
    }

    #[test]
    fn a_channel_that_had_to_go_goes_on_where_it_stood() {
        let mut directory = directory(3);
        assert_eq!(arrive(&mut directory, "a", 200, 1), Step::Opens);
        assert_eq!(directory.stand("c", 200, 9), None);
        assert_eq!(directory.vacate(0, "a", 200, Some(2)), super::super::Vacated::Kept);
        assert_eq!(arrive(&mut directory, "e", 200, 4), Step::Opens);
        let (opened, forgotten) = directory.occupy(0, "c", Network::default(), 5).unwrap();
        assert_eq!((opened.epoch, opened.next_offset, forgotten.is_some()), (200, 9, true));
        assert_eq!(directory.first_offset("c"), 9);
        assert_eq!(arrive(&mut directory, "a", 200, 1), Step::Known, "it stood behind that");
        assert_eq!(arrive(&mut directory, "c", 200, 9), Step::Follows);
    }

    #[test]
    fn another_life_of_a_part_begins_at_once() {
        let mut directory = directory(10);
        arrive(&mut directory, "a", 200, 4);
        arrive(&mut directory, "b", 100, 4);
        directory.stand("c", 200, 9);
        directory.stand("e", 900, 2);
        let names: Vec<String> = directory.begin_epoch(1, 300).iter().map(|name| name.to_string()).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(directory.stand("b", 100, 5), None, "the other part goes on");
        assert_eq!(directory.stand("a", 300, 6).as_deref(), Some("a"));
        assert_eq!(directory.stand("a", 300, 5), None);
        let opened =
            |directory: &mut Directory, name| directory.occupy(0, name, Network::default(), 5).unwrap().0;
        assert_eq!((opened(&mut directory, "c").epoch, opened(&mut directory, "e").epoch), (300, 900));
    }
}
