//! The publishers of a server of several reactors: they are other threads, so they come between any two steps.

use wspush::endpoint::Receipt;
use wspush::push::{Message, Pace};
use wspush::{PushError, PushOptions};

use super::client::padding;
use super::several::{CHANNELS, Several, time};
use super::world::publish;

impl Several {
    /// A burst of publications. Each is in all inboxes, or in none.
    pub fn publish(&mut self) {
        let (channel, count) = (self.dice.pick(&CHANNELS), self.dice.pick(&[1, 1, 1, 2, 9]));
        self.publish_to(channel, count);
    }

    pub fn publish_to(&mut self, channel: &str, count: usize) {
        for _ in 0..count {
            let number = self.published[channel].len() + 1;
            let text = format!("P|{channel}|{number}|{}", padding(number, self.dice.range(0, 200)));
            let name = (channel != "broadcast").then_some(channel);
            let pace = self.dice.one_in(10).then_some(Pace::PerSecond(500));
            let options = PushOptions::default().pace(pace);
            let before = self.shared.waiting();
            let placed =
                publish(&self.shared, name, Message::Text(&text), options, time(self.now_us).unix_us);
            let added = self.shared.waiting() - before;
            match placed {
                Ok(receipt) => {
                    assert!(added >= self.seats.len(), "{receipt:?} is not in all inboxes: {added} more");
                    let all = self.published.get_mut(channel).unwrap();
                    let is_next =
                        |last: &Receipt| last.epoch != receipt.epoch || last.offset + 1 == receipt.offset;
                    assert!(all.last().is_none_or(is_next), "{receipt:?} behind {:?}", all.last());
                    all.push(receipt);
                    self.met.published += 1;
                }
                Err(PushError::InboxFull) => {
                    assert_eq!(added, 0, "refused, and there");
                    let is_one = before < self.seats.len() * self.config.inbox_commands_max;
                    self.met.refused_by_one += u64::from(is_one);
                }
                Err(PushError::Stopped) => assert_eq!(added, 0),
                Err(other) => panic!("{other}"),
            }
        }
    }
}
