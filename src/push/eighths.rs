//! One publication's deliveries by several reactors, as one. Each notes when an eighth of its own recipients had it,
//! when two eighths had, and so on: that tells when half of all had.

use super::ledger::Delivery;

const PARTS: usize = 8;

/// No such part of the recipients had it yet.
const NOT_YET: u32 = u32::MAX;

/// When each eighth of one reactor's recipients had a publication.
#[derive(Clone, Copy, Debug, serde::Deserialize, serde::Serialize)]
pub struct Eighths {
    /// None: nobody had it yet.
    published_us: Option<u64>,
    /// Microseconds after that.
    since_us: [u32; PARTS],
}

impl Default for Eighths {
    fn default() -> Eighths {
        Eighths { published_us: None, since_us: [NOT_YET; PARTS] }
    }
}

/// So many recipients are that many eighths of them at the least.
fn eighths_of(recipients: u32, eighths: usize) -> u64 {
    (u64::from(recipients) * eighths as u64).div_ceil(PARTS as u64)
}

impl Eighths {
    /// Notes how far the publication has come by now. To be called whenever that has changed.
    pub fn note(&mut self, delivery: &Delivery, now_us: u64) {
        let Some(first_us) = delivery.first_us else { return };
        // The first one has it since this very moment.
        let published_us = *self.published_us.get_or_insert(now_us.saturating_sub(first_us));
        let since_us = u32::try_from(now_us.saturating_sub(published_us)).unwrap_or(NOT_YET).min(NOT_YET - 1);
        for (eighths, noted) in (1..).zip(&mut self.since_us) {
            if *noted == NOT_YET && u64::from(delivery.written) >= eighths_of(delivery.recipients, eighths) {
                *noted = since_us;
            }
        }
    }

    /// The eighths as far as a delivery tells them itself.
    fn of(delivery: &Delivery) -> Eighths {
        let mut eighths = Eighths::default();
        let time = |us: Option<u64>| us.map_or(NOT_YET, |us| u32::try_from(us).unwrap_or(NOT_YET - 1));
        let (half, rest) = eighths.since_us.split_at_mut(PARTS / 2);
        half.fill(time(delivery.median_us));
        rest.fill(time(delivery.last_us.filter(|_| delivery.written == delivery.recipients)));
        eighths
    }

    /// So many of these recipients had it by then, at the least.
    fn had_by(&self, recipients: u32, since_us: u32) -> u64 {
        let passed = self.since_us.iter().rposition(|&noted| noted <= since_us);
        passed.map_or(0, |at| eighths_of(recipients, at + 1))
    }
}

/// When half of all recipients had it for sure. It may have been as early as when the last eighth before it had.
fn median_us(parts: &[(Delivery, Eighths)]) -> Option<u64> {
    let half = parts.iter().map(|(delivery, _)| u64::from(delivery.recipients)).sum::<u64>().div_ceil(2);
    let mut times: Vec<u32> = parts.iter().flat_map(|(_, eighths)| eighths.since_us).collect();
    times.retain(|&time| time != NOT_YET);
    times.sort_unstable();
    let had_by =
        |time| parts.iter().map(|(part, eighths)| eighths.had_by(part.recipients, time)).sum::<u64>();
    times.into_iter().find(|&time| had_by(time) >= half).map(u64::from)
}

impl Delivery {
    /// The deliveries of one publication by several reactors, as one. None: there is none.
    pub(crate) fn together(mut parts: Vec<(Delivery, Eighths)>) -> Option<Delivery> {
        let (last, _) = parts.last()?.clone();
        parts.retain(|(part, _)| part.recipients > 0);
        if let [] | [_] = parts[..] {
            return Some(parts.pop().map_or(last, |(only, _)| only));
        }
        let sum = |count: fn(&Delivery) -> u32| parts.iter().map(|(part, _)| count(part)).sum();
        let last_us = parts.iter().map(|(part, _)| part.last_us).reduce(|one, other| Some(one?.max(other?)));
        Some(Delivery {
            recipients: sum(|part| part.recipients),
            recovered: sum(|part| part.recovered),
            written: sum(|part| part.written),
            lagging: sum(|part| part.lagging),
            skipped: sum(|part| part.skipped),
            gone: sum(|part| part.gone),
            first_us: parts.iter().filter_map(|(part, _)| part.first_us).min(),
            median_us: median_us(&parts),
            last_us: last_us.flatten(),
            ..last
        })
    }

    /// The same by several nodes, of whose times no more is known than they say.
    pub(crate) fn of_nodes(parts: impl Iterator<Item = Delivery>) -> Option<Delivery> {
        Delivery::together(parts.map(|part| (part.clone(), Eighths::of(&part))).collect())
    }

    /// The same while so many reactors have still to take the publication in. How many recipients they have is not
    /// known, so each counts as one that lags: nobody takes it for done.
    pub(crate) fn awaiting(self, reactors: u32) -> Delivery {
        if reactors == 0 {
            return self;
        }
        let (recipients, lagging) = (self.recipients + reactors, self.lagging + reactors);
        Delivery { recipients, lagging, median_us: None, last_us: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reactor with so many recipients, each of whom has it at one of these times after 1,000.
    fn part(recipients: u32, times: &[u64]) -> (Delivery, Eighths) {
        let mut delivery = Delivery { id: 7, recipients, lagging: recipients, ..Delivery::default() };
        let mut eighths = Eighths::default();
        let mut told: Vec<u64> = times.to_vec();
        told.dedup();
        for time in told {
            delivery.written = times.iter().filter(|&&at| at <= time).count() as u32;
            delivery.lagging = recipients - delivery.written;
            delivery.first_us.get_or_insert(time);
            if delivery.written >= recipients.div_ceil(2) {
                delivery.median_us.get_or_insert(time);
            }
            if delivery.lagging == 0 {
                delivery.last_us = Some(time);
            }
            eighths.note(&delivery, 1_000 + time);
        }
        (delivery, eighths)
    }

    fn times(parts: &[(Delivery, Eighths)]) -> [Option<u64>; 3] {
        let whole = Delivery::together(parts.to_vec()).unwrap();
        [whole.first_us, whole.median_us, whole.last_us]
    }

    #[test]
    fn the_median_is_that_of_all() {
        let quick = part(100, &[10; 100]);
        let slow = part(100, &[500; 100]);
        assert_eq!(times(&[quick.clone(), slow.clone()]), [Some(10), Some(10), Some(500)]);
        // Most are at the slow one, so half of all had it when that had most of its own.
        let spread: Vec<u64> = (1..=900).collect();
        let large = part(900, &spread);
        let [_, median, last] = times(&[quick.clone(), large.clone()]);
        // 400 of the 900 and the 100 others, or up to an eighth more.
        assert!((400..=400 + 900 / 8).contains(&median.unwrap()), "{median:?}");
        assert_eq!((last, times(&[large, quick])[1]), (Some(900), median));
    }

    #[test]
    fn the_median_lies_between_a_half_and_five_eighths_of_all() {
        // Any shapes: the times of each are sums of steps that repeat after different lengths.
        for seed in 1..200_u64 {
            let reactor = |n: u64| {
                let count = (seed * 7 + n * 13) % 40;
                let at = (1..=count).scan(0, |at, k| {
                    *at += (k * seed) % (n + 3);
                    Some(*at + n * seed % 50)
                });
                at.collect::<Vec<u64>>()
            };
            let reactors: Vec<Vec<u64>> = (0..4).map(reactor).filter(|times| !times.is_empty()).collect();
            let parts: Vec<_> = reactors.iter().map(|times| part(times.len() as u32, times)).collect();
            let mut all = reactors.concat();
            all.sort_unstable();
            let (Some(median), true) = (times(&parts)[1], parts.len() > 1) else { continue };
            let before = all.iter().filter(|&&at| at < median).count();
            let by_then = all.iter().filter(|&&at| at <= median).count();
            // Each reactor's eighths are of whole recipients.
            assert!(by_then >= all.len().div_ceil(2), "{seed}: {by_then} of {}", all.len());
            assert!(before <= all.len() * 5 / 8 + parts.len(), "{seed}: {before} of {}", all.len());
        }
    }

    #[test]
    fn nodes_tell_when_a_half_had_it_and_when_all() {
        let of = |parts: [&(Delivery, Eighths); 2]| {
            let whole = Delivery::of_nodes(parts.into_iter().map(|(part, _)| part.clone())).unwrap();
            (whole.first_us, whole.median_us, whole.last_us)
        };
        let (small, large) = (part(10, &[7; 10]), part(30, &(1..=30).collect::<Vec<u64>>()));
        assert_eq!(of([&small, &large]), (Some(1), Some(15), Some(30)));
        // Half of all is more than the larger one's half, and no more is known than when that one has ended.
        let unfinished = part(10, &[7; 4]);
        assert_eq!(of([&unfinished, &large]), (Some(1), Some(30), None));
    }

    #[test]
    fn who_has_no_recipients_says_nothing_about_the_times() {
        let empty = (Delivery { id: 7, last_us: Some(3), ..Delivery::default() }, Eighths::default());
        let one = part(2, &[20, 40]);
        assert_eq!(Delivery::together(vec![one.clone(), empty.clone()]), Some(one.0));
        assert_eq!(Delivery::together(vec![empty.clone(), empty.clone()]), Some(empty.0));
        assert_eq!(Delivery::together(Vec::new()), None);
    }

    #[test]
    fn it_is_not_over_before_all_have_it() {
        let (done, half) = (part(4, &[5, 5, 5, 5]), part(4, &[9]));
        let whole = Delivery::together(vec![done.clone(), half]).unwrap();
        assert_eq!((whole.recipients, whole.written, whole.lagging), (8, 5, 3));
        assert_eq!((whole.first_us, whole.median_us, whole.last_us), (Some(5), Some(5), None));
        let awaited = done.0.clone().awaiting(2);
        assert_eq!((awaited.recipients, awaited.written, awaited.lagging), (6, 4, 2));
        assert_eq!((awaited.first_us, awaited.median_us, awaited.last_us), (Some(5), None, None));
        assert_eq!(done.0.clone().awaiting(0), done.0);
    }
}
