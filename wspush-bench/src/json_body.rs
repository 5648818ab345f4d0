//! A JSON body as servers push them: quotes for a screen, with names and numbers that differ from message to
//! message. What makes it shrink is what makes real ones shrink, keys and words that come again and numbers that
//! lie close together; other digits don't.

use crate::random::Random;
use std::fmt::Write;

/// Stands before the stamp.
pub(crate) const HEAD: &str = r#"{"stamp":""#;
/// Room for one item, whatever its numbers are.
const ITEM_MAX: usize = 250;
/// Room for one of the short entries behind the items.
const MOVER_MAX: usize = 52;
const NAMES: [(&str, &str); 16] = [
    ("AKER", "Aker Shipyards"),
    ("BRNT", "Brent Crude Oil"),
    ("CLVR", "Clover Dairies"),
    ("DNUB", "Danube Navigation"),
    ("ELMW", "Elmwood Timber"),
    ("FJRD", "Fjord Salmon Farms"),
    ("GRNT", "Granite Works"),
    ("HRBR", "Harbour Light Insurance"),
    ("IRIS", "Iris Optical"),
    ("JUNO", "Juno Satellites"),
    ("KELP", "Kelp & Sons"),
    ("LMPS", "Lumen Lamps"),
    ("MRTN", "Martin Locomotives"),
    ("NVRA", "Nevara Mining"),
    ("OPAL", "Opal Payments"),
    ("PINE", "Pine Valley Paper"),
];
const VENUES: [&str; 4] = ["XETR", "XPAR", "XLON", "XAMS"];
const NOTE: &str = "Prices are delayed by fifteen minutes. ";

/// Appends what follows the stamp, up to `size` bytes in all since `start`.
pub(crate) fn fill(out: &mut Vec<u8>, start: usize, seed: u64, size: usize) {
    let mut random = Random::from_seed(seed);
    // The quotes of a message are of one moment.
    let now_s = random.next() % 86_000;
    let mut text = String::from(r#"","type":"quotes","items":["#);
    let left = |text: &str, out: &[u8]| size.saturating_sub(out.len() - start + text.len());
    let mut items = 0;
    while left(&text, out) >= ITEM_MAX {
        text.push_str(if items > 0 { "," } else { "" });
        item(&mut text, &mut random, now_s);
        items += 1;
    }
    text.push_str(r#"],"movers":["#);
    let mut movers = 0;
    while left(&text, out) >= MOVER_MAX {
        text.push_str(if movers > 0 { "," } else { "" });
        mover(&mut text, &mut random);
        movers += 1;
    }
    text.push_str(r#"],"note":""#);
    let words = left(&text, out).saturating_sub(2);
    text.extend(NOTE.chars().cycle().take(words));
    text.push_str(r#""}"#);
    out.extend_from_slice(text.as_bytes());
}

fn item(text: &mut String, random: &mut Random, now_s: u64) {
    let mut below = |bound: u64| random.next() % bound;
    let (symbol, name) = NAMES[below(NAMES.len() as u64) as usize];
    let venue = VENUES[below(VENUES.len() as u64) as usize];
    let status = if below(8) == 0 { "auction" } else { "open" };
    let cents = 1_000 + below(99_000);
    let change = below(1_000) as i64 - 500;
    let at_s = now_s + below(10);
    let price = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
    // Writing to a String does not fail.
    let _ = write!(
        text,
        r#"{{"symbol":"{symbol}","name":"{name}","venue":"{venue}","currency":"EUR","status":"{status}","#
    );
    let _ = write!(
        text,
        r#""last":{},"bid":{},"ask":{},"change":{:.2},"volume":{},"#,
        price(cents),
        price(cents - below(20)),
        price(cents + 1 + below(20)),
        change as f64 / 100.0,
        below(1_000_000),
    );
    let _ = write!(
        text,
        r#""updated":"2026-11-21T{:02}:{:02}:{:02}.{:03}Z"}}"#,
        at_s / 3_600,
        at_s / 60 % 60,
        at_s % 60,
        below(1_000),
    );
}

fn mover(text: &mut String, random: &mut Random) {
    let (symbol, _) = NAMES[(random.next() % NAMES.len() as u64) as usize];
    let change = (random.next() % 1_000) as f64 / 100.0 - 5.0;
    // Writing to a String does not fail.
    let _ = write!(text, r#"{{"symbol":"{symbol}","change":{change:.2}}}"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_json_of_the_asked_size_and_never_the_same() {
        let compose = |seed, size| {
            let mut out = Vec::from(HEAD);
            fill(&mut out, 0, seed, size);
            out
        };
        for size in [96, 128, 286, 287, 512, 1_024, 9_000] {
            let body = compose(7, size);
            assert_eq!(body.len(), size);
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(value["items"].as_array().unwrap().is_empty(), size < 287, "{size}");
        }
        assert_ne!(compose(1, 1_024), compose(2, 1_024));
        assert_eq!(compose(1, 1_024), compose(1, 1_024));
    }

    #[test]
    fn an_item_has_room() {
        let mut random = Random::from_seed(3);
        for _ in 0..10_000 {
            let mut text = String::new();
            item(&mut text, &mut random, 86_000);
            assert!(text.len() + 1 + r#"],"movers":[],"note":""}"#.len() <= ITEM_MAX, "{text}");
            let mut text = String::new();
            mover(&mut text, &mut random);
            assert!(text.len() + 1 + r#"],"note":""}"#.len() <= MOVER_MAX, "{text}");
        }
    }
}
