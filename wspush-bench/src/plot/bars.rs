//! Horizontal bars with names and values: one figure of several things.

use super::canvas::{CHARACTER, escape, put};
use crate::quantity::decimal;
use serde::Deserialize;

const ROW: f64 = 26.0;
const HEIGHT: f64 = 18.0;
/// Where the text stands in a row.
const TEXT: f64 = 13.0;
/// Between a bar and the texts beside it.
const GAP: f64 = 8.0;
/// So that even nothing is seen.
const LENGTH_MIN: f64 = 1.5;

/// One bar.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bar {
    pub(super) name: String,
    /// From 0; the longest bar of a panel has all the room.
    pub(super) value: f64,
    #[serde(default)]
    tone: Tone,
}

/// How much a bar stands out.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tone {
    #[default]
    Plain,
    Strong,
    Accent,
}

impl Tone {
    /// Its class in `plot.css`.
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Strong => "strong",
            Self::Accent => "accent",
        }
    }
}

/// Where bars are drawn.
pub(super) struct Place {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    /// The room for names, the same in all panels of an image.
    pub(super) names: f64,
}

/// The room that the names of bars take.
pub(super) fn names_width<'a>(bars: impl Iterator<Item = &'a Bar>) -> f64 {
    bars.map(|bar| bar.name.chars().count()).max().unwrap_or(0) as f64 * CHARACTER
}

/// Draws bars, their values with so many digits behind the point, and returns the height that they take.
pub(super) fn draw(svg: &mut String, place: &Place, bars: &[Bar], digits: usize) -> f64 {
    let values: Vec<_> = bars.iter().map(|bar| decimal(bar.value, digits)).collect();
    let values_width = values.iter().map(String::len).max().unwrap_or(0) as f64 * CHARACTER;
    let start = place.left + place.names + GAP;
    let room = (place.left + place.width - start - GAP - values_width).max(LENGTH_MIN);
    let highest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    for (at, (bar, value)) in bars.iter().zip(&values).enumerate() {
        let top = place.top + ROW * at as f64;
        let length = if highest > 0.0 { bar.value / highest * room } else { 0.0 }.max(LENGTH_MIN);
        let (name, class, y) = (escape(&bar.name), bar.tone.class(), top + TEXT);
        put(
            svg,
            format_args!("<text x=\"{:.1}\" y=\"{y}\" text-anchor=\"end\">{name}</text>\n", start - GAP),
        );
        put(svg, format_args!("<rect class=\"{class}\" x=\"{start:.1}\" y=\"{top}\" "));
        put(svg, format_args!("width=\"{length:.1}\" height=\"{HEIGHT}\" rx=\"3\"/>\n"));
        let x = start + length + GAP;
        put(svg, format_args!("<text class=\"value\" x=\"{x:.1}\" y=\"{y}\">{value}</text>\n"));
    }
    ROW * bars.len() as f64
}
