//! The drawing area, its two scales, and how parts of an SVG are written.

use crate::quantity::time;
use std::fmt::{Arguments, Write};

/// Room for the value above a point that is as high as the axis.
const TOP: f64 = 26.0;
const BOTTOM: f64 = 28.0;
/// Width of a character of the plots' text, rather too much than too little.
pub(super) const CHARACTER: f64 = 7.6;
/// Between the labels of an axis.
const LABEL_GAP: f64 = 10.0;

/// The size of a plot with axes. Text has the same size in all, so one is made for each kind of screen.
pub(crate) struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
}

/// For a window.
pub(crate) const WIDE: Frame = Frame { width: 860.0, height: 300.0, left: 72.0, right: 40.0 };
/// For a phone.
pub(crate) const NARROW: Frame = Frame { width: 320.0, height: 240.0, left: 62.0, right: 32.0 };

impl Frame {
    /// Where a share of the width is.
    pub(super) fn x(&self, share: f64) -> f64 {
        self.left + share * (self.width - self.left - self.right)
    }

    /// Where the lower axis is.
    pub(super) fn base(&self) -> f64 {
        self.height - BOTTOM
    }

    /// How many labels of so many characters have room below the plot.
    pub(super) fn labels_max(&self, characters: usize) -> u32 {
        let label = characters as f64 * CHARACTER + LABEL_GAP;
        ((self.x(1.0) - self.x(0.0)) / label).floor().max(1.0) as u32
    }
}

/// A plot with axes.
pub(super) struct Canvas<'a> {
    pub(super) frame: &'a Frame,
    svg: String,
    y_max: f64,
    /// Where the last label of the lower axis ends.
    label_end: f64,
}

impl<'a> Canvas<'a> {
    /// Draws the left axis from 0 to `highest` or a little more.
    pub(super) fn new(frame: &'a Frame, name: &str, highest: f64, y_text: impl Fn(f64) -> String) -> Self {
        let Frame { width, height, left, .. } = frame;
        let name = escape(name);
        let svg = format!(r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}">"#);
        let step = round_step(highest / 5.0);
        let lines = (highest / step).ceil().max(1.0);
        let mut canvas = Self { frame, svg, y_max: lines * step, label_end: 0.0 };
        for line in 0..=lines as u32 {
            let value = f64::from(line) * step;
            let y = canvas.y(value);
            let class = if line == 0 { "axis" } else { "grid" };
            canvas.put(format_args!(r#"<path class="{class}" d="M{left} {y:.1}H{:.1}"/>"#, frame.x(1.0)));
            let text = y_text(value);
            let (x, y) = (left - 8.0, y + 4.0);
            canvas.put(format_args!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="end">{text}</text>"#));
        }
        canvas
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let base = self.frame.base();
        base - (value / self.y_max).min(1.0) * (base - TOP)
    }

    /// A mark below the plot at a share of its width, unless its label would stand in that of the one before it.
    pub(super) fn tick(&mut self, share: f64, text: &str) {
        let (x, base) = (self.frame.x(share), self.frame.base());
        let half = text.chars().count() as f64 * CHARACTER / 2.0;
        if x - half < self.label_end + LABEL_GAP / 2.0 && self.label_end > 0.0 {
            return;
        }
        self.label_end = x + half;
        let end = base + 5.0;
        self.put(format_args!(r#"<path class="axis" d="M{x:.1} {base}V{end}"/>"#));
        self.put(format_args!(r#"<text x="{x:.1}" y="{}" text-anchor="middle">{text}</text>"#, end + 14.0));
    }

    pub(super) fn put(&mut self, part: Arguments<'_>) {
        put(&mut self.svg, part);
    }

    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

pub(super) fn put(out: &mut String, part: Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = out.write_fmt(part);
}

/// Text as it has to stand in SVG and HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The next larger of 1, 2, 5, 10, 20 ...
fn round_step(value: f64) -> f64 {
    let base = 10f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|factor| factor * base).find(|step| *step >= value).unwrap_or(10.0 * base)
}

/// A time at an axis: no more digits than it needs.
pub(super) fn mark(value_us: f64) -> String {
    let text = time(value_us);
    match text.split_once(' ') {
        Some(("0", _)) => "0".into(),
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (value, step) in [(0.7, 1.0), (1.0, 1.0), (1.1, 2.0), (37.0, 50.0), (51.0, 100.0)] {
            assert!((round_step(value) - step).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn marks_have_no_needless_digits() {
        for (value_us, text) in [(0.0, "0"), (600_000.0, "600 ms"), (1_500.0, "1.5 ms"), (900.0, "900 us")] {
            assert_eq!(mark(value_us), text);
        }
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }

    #[test]
    fn labels_do_not_stand_in_each_other() {
        let mut canvas = Canvas::new(&NARROW, "", 1.0, mark);
        for share in 0..=100 {
            canvas.tick(f64::from(share) / 100.0, "99.9 %");
        }
        let svg = canvas.finish();
        let labels: Vec<f64> = svg
            .split("<text x=\"")
            .filter(|text| text.contains("text-anchor=\"middle\""))
            .map(|text| text.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!(labels.len() > 3 && labels.is_sorted_by(|a, b| b - a > 6.0 * CHARACTER), "{labels:?}");
    }
}
