//! Clients that come back: they ask for what they have missed, at positions where somebody was, or nobody, and are told
//! where they stand.

use wspush::push::{Position, Since};

use super::dice::Dice;
use super::world::World;

/// How they came out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Comebacks {
    /// Those who got everything behind their position, and that was something.
    pub recovered: usize,
    /// Those for whom it was gone.
    pub missed: usize,
}

impl World {
    /// From where on a newcomer wants a channel, if it says so.
    pub fn since(&mut self, channel: &str) -> Option<Since> {
        let receipts = &self.published[channel];
        let heard = self.clients.iter().filter_map(|client| client.heard.get(channel)?.last().copied());
        let heard: Vec<usize> = heard.collect();
        let dice = &mut self.dice;
        let number = match dice.below(8) {
            0..=2 => return None,
            3 if dice.one_in(2) => return Some(dice.pick(&[Since::Earliest, Since::Latest, Since::Last(3)])),
            4 | 5 if !heard.is_empty() => dice.pick(&heard),
            _ => receipts.len() - dice.below(receipts.len().min(20) + 1),
        };
        Some(Since::Position(position(dice, receipts.get(number.checked_sub(1)?)?)))
    }

    /// From where on somebody is subscribed to a channel that has `logged` publications, and how many of those that one
    /// is sure not to get: none that the same client may have had before.
    pub fn since_number(&mut self, n: usize, channel: &str, logged: usize) -> (Since, usize) {
        let heard = self.clients[n].heard.get(channel).and_then(|heard| heard.last()).copied().unwrap_or(0);
        let last_span = self.clients[n].spans.get(channel).and_then(|spans| spans.last());
        let low = last_span.map_or(0, |span| span.left.unwrap_or(logged)).max(heard);
        let Some(receipt) = low.checked_sub(1).and_then(|at| self.published[channel].get(at)) else {
            return (Since::Head, logged);
        };
        if self.dice.one_in(2) {
            return (Since::Head, logged);
        }
        (Since::Position(Position { epoch: receipt.epoch, offset: receipt.offset }), low)
    }

    /// Holds what clients were told of their positions against what they have asked for. Exactly the publications
    /// behind it are theirs.
    pub fn note_positions(&mut self) {
        for n in 0..self.clients.len() {
            for (channel, position) in std::mem::take(&mut self.clients[n].positions) {
                self.note_position(n, &channel, position);
            }
        }
    }

    fn note_position(&mut self, n: usize, channel: &str, position: Position) {
        let lasts = self.rule(channel).ttl_ms.is_none();
        let client = &mut self.clients[n];
        // Tests with clients of their own look at other things.
        let span = client.spans.get_mut(channel).and_then(|spans| spans.first_mut());
        let (Some(span), Some(receipts)) = (span, self.published.get(channel)) else { return };
        let is_behind = |epoch, offset| (epoch, offset) <= (position.epoch, position.offset);
        let number = receipts.partition_point(|r| is_behind(r.epoch, r.offset));
        let who = format!("client {n}, {channel}: {position}");
        assert!(number <= span.high, "{who}: nobody has published so much");
        let asked = client.since.get(channel).copied().unwrap_or_default();
        assert!(asked != Since::Head || span.low <= number, "{who}: that was before {span:?}");
        (span.low, span.high) = (number, number.max(span.low));
        if let Since::Position(asked) = asked {
            let total = &mut self.comebacks;
            if asked == position {
                total.recovered += usize::from(number < span.high);
            } else {
                total.missed += 1;
                let kept = self
                    .audit
                    .first_offsets
                    .iter()
                    .find(|(name, epoch, _)| (&**name, *epoch) == (channel, asked.epoch));
                let is_kept = kept
                    .is_some_and(|(_, _, first)| (*first..=position.offset).contains(&(asked.offset + 1)));
                // There may have been no memory for another form of it.
                let has_memory = client.window_bits < 15 || self.config.logs_bytes_max > 1 << 29;
                assert!(!is_kept || !has_memory || !lasts, "{who}: what follows {asked} is still there");
            }
        }
        span.high = number;
    }
}

/// The position of one that has this publication, or now and then one that nobody can have.
fn position(dice: &mut Dice, receipt: &wspush::Receipt) -> Position {
    let forged = Position { epoch: receipt.epoch + 1, offset: receipt.offset };
    let ahead = Position { epoch: receipt.epoch, offset: receipt.offset + 1_000 };
    let honest = Position { epoch: receipt.epoch, offset: receipt.offset };
    match dice.below(20) {
        0 => forged,
        1 => ahead,
        _ => honest,
    }
}
