//! The end of a run: everybody has heard all that was published, or knows just what it has not, and in time.

use std::collections::{BTreeMap, BTreeSet};

use super::ear::Place;
use super::{Fleet, S, net};

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    /// Publications, and those that took more than one try.
    pub posts: usize,
    pub repeated: usize,
    /// Receipts by ears.
    pub receipts: u64,
    /// From the first try to the last receipt, at the most and in the mean of all publications.
    pub last_us: u64,
    pub mean_us: u64,
    /// Positions that ears came back with, and found all behind them.
    pub recovered: usize,
    pub comebacks: usize,
    /// Stretches that ears were told they would not get: those of a life that was over, and others.
    pub told: usize,
    pub told_within: usize,
    /// Publications that were answered and lost with the server, and heard by some.
    pub lost: usize,
    /// Publications that were answered and lost with the server before anybody had read them.
    pub unheard: usize,
    /// Places in which some have heard another publication than others, in a life that was over with that.
    pub diverged: usize,
    /// Publications that ears have heard and that had gone when they came back.
    pub withdrawn: usize,
    /// Publications that some ear has heard twice, since the first place was lost with the server.
    pub heard_again: usize,
    pub lost_wires: u64,
    pub failovers: u64,
}

impl std::ops::AddAssign for Verdict {
    fn add_assign(&mut self, other: Verdict) {
        self.posts += other.posts;
        self.repeated += other.repeated;
        self.receipts += other.receipts;
        self.last_us = self.last_us.max(other.last_us);
        self.mean_us = self.mean_us.max(other.mean_us);
        self.recovered += other.recovered;
        self.comebacks += other.comebacks;
        self.told += other.told;
        self.told_within += other.told_within;
        self.lost += other.lost;
        self.unheard += other.unheard;
        self.diverged += other.diverged;
        self.withdrawn += other.withdrawn;
        self.heard_again += other.heard_again;
        self.lost_wires += other.lost_wires;
        self.failovers += other.failovers;
    }
}

impl Fleet {
    /// Panics where an ear lacks something that it does not know of, or has something else than the others.
    pub fn judge(&self) -> Verdict {
        let mut verdict = Verdict { posts: self.posts.len(), ..Verdict::default() };
        self.all_stand_at_the_end();
        let said = self.same_everywhere(&mut verdict);
        for (number, post) in self.posts.iter().enumerate() {
            let (epoch, offset) =
                post.place.unwrap_or_else(|| panic!("post {number} was never taken: {post:?}"));
            verdict.repeated += usize::from(post.tries > 1);
            let place: Place = (post.channel.clone(), epoch, offset);
            let text = number.to_string();
            if said.get(&place).is_some_and(|said| !said.contains(&*text)) {
                // The server has died with it before anybody had read it: nobody can know.
                assert!(self.plan.failovers > 0, "post {number} stands at {place:?}, where another does");
                let has_heard = said.values().any(|said| said.contains(&*text));
                assert!(!has_heard, "post {number} was heard, and another stands at {place:?}");
                verdict.unheard += 1;
                continue;
            }
            let listeners = || self.ears.iter().filter(|ear| ear.channels.contains(&post.channel));
            for ear in listeners() {
                let is_known = match ear.heard.get(&place) {
                    // In a life that is over, which all were told; or all who have seen it have died with the server.
                    Some((heard, _)) => {
                        let is_over = ear.stands[&post.channel].0 > epoch;
                        *heard == text || is_over || self.plan.failovers > 0 && self.plan.deaths > 0
                    }
                    None => ear.knows_of(&place),
                };
                assert!(is_known, "ear {} has not got post {number}, {place:?}, and does not know", ear.n);
            }
            let missing = listeners().filter(|ear| !ear.heard.contains_key(&place)).count();
            verdict.lost += usize::from(missing > 0);
            let at = listeners().filter_map(|ear| ear.heard.get(&place)).map(|(_, at_us)| *at_us).max();
            let took_us = at.map_or(0, |at_us| at_us.saturating_sub(post.posted_us));
            verdict.last_us = verdict.last_us.max(took_us);
            verdict.mean_us += took_us / self.posts.len() as u64;
        }
        for ear in &self.ears {
            self.check_doubles(ear, &mut verdict);
            verdict.receipts += ear.heard.len() as u64;
            verdict.recovered += ear.recovered;
            verdict.comebacks += ear.comebacks;
            verdict.told_within += ear.missed.iter().filter(|missed| missed.from.0 == missed.to.0).count();
            verdict.told += ear.missed.len();
            verdict.withdrawn += ear.withdrawn.len();
            assert!(
                ear.withdrawn.is_empty() || self.plan.failovers > 0,
                "ear {}: {:?}",
                ear.n,
                ear.withdrawn
            );
        }
        let net = net::lock(&self.net);
        (verdict.lost_wires, verdict.failovers) = (net.lost_wires, net.failovers);
        verdict
    }

    /// A publication comes once, but where its first place was lost with the server, and was heard before.
    fn check_doubles(&self, ear: &super::ear::Ear, verdict: &mut Verdict) {
        let mut places: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
        for (place, (text, _)) in &ear.heard {
            places.entry(text).or_default().push(place);
        }
        for (text, places) in places.into_iter().filter(|(_, places)| places.len() > 1) {
            let mut epochs: Vec<u64> = places.iter().map(|(_, epoch, _)| *epoch).collect();
            epochs.dedup();
            assert_eq!(epochs.len(), places.len(), "ear {} hears {text} twice: {places:?}", ear.n);
            verdict.heard_again += 1;
        }
    }

    /// All ears are there, and stand where the server says that their channels do.
    fn all_stand_at_the_end(&self) {
        let heads = self.heads();
        for ear in &self.ears {
            assert!(ear.node.is_some_and(|node| self.nodes[node].is_alive), "ear {} is nowhere", ear.n);
            for channel in &ear.channels {
                let stand =
                    ear.stands.get(channel).unwrap_or_else(|| panic!("ear {} has no {channel}", ear.n));
                if let Some((epoch, offset)) = heads.get(channel) {
                    assert_eq!(
                        *stand,
                        (*epoch, offset + 1),
                        "ear {} in {channel}, {} s",
                        ear.n,
                        self.now_us / S
                    );
                }
            }
        }
    }

    /// In each place all have heard the same, but in a life that is over: its last publications may have been lost
    /// with the server when some had them, and others have come in their places before one of those has noticed.
    fn same_everywhere(&self, verdict: &mut Verdict) -> BTreeMap<&Place, BTreeSet<&str>> {
        let (mut said, heads) = (BTreeMap::<&Place, BTreeSet<&str>>::new(), self.heads());
        for ear in &self.ears {
            for (place, (text, _)) in &ear.heard {
                said.entry(place).or_default().insert(text);
            }
        }
        for (place, texts) in said.iter().filter(|(_, texts)| texts.len() > 1) {
            let is_over = heads.get(&place.0).is_some_and(|(epoch, _)| *epoch > place.1);
            // Or all who have seen them have died with it.
            let is_to_be = self.plan.failovers > 0 && (is_over || self.plan.deaths > 0);
            assert!(is_to_be, "{texts:?} were heard at {place:?}");
            verdict.diverged += 1;
        }
        said
    }
}
