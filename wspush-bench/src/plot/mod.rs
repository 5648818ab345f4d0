//! Line and bar plots as SVG, drawn with the page's own colours (`currentColor` and CSS variables).

use crate::quantity::time;
use std::fmt::Write;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;

/// The drawing area and its two scales.
struct Canvas {
    svg: String,
    y_max: f64,
}

impl Canvas {
    fn new(label: &str, y_max: f64, y_text: impl Fn(f64) -> String) -> Self {
        let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">"#);
        let step = round_step(y_max / 5.0);
        let y_max = (y_max / step).ceil().max(1.0) * step;
        let mut canvas = Self { svg: String::new(), y_max };
        for line in 0..=(y_max / step).round() as u32 {
            let value = f64::from(line) * step;
            let y = canvas.y(value);
            let class = if line == 0 { "axis" } else { "grid" };
            put(&mut svg, format_args!(r#"<path class="{class}" d="M{LEFT} {y:.1}H{:.1}"/>"#, WIDTH - RIGHT));
            put(
                &mut svg,
                format_args!(
                    r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                    LEFT - 8.0,
                    y + 4.0,
                    y_text(value)
                ),
            );
        }
        canvas.svg = svg;
        canvas
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value / self.y_max).min(1.0) * (HEIGHT - TOP - BOTTOM)
    }

    /// A mark under the plot at a share of its width.
    fn tick(&mut self, share: f64, text: &str) {
        let x = x_at(share);
        let (base, end) = (HEIGHT - BOTTOM, HEIGHT - BOTTOM + 5.0);
        put(&mut self.svg, format_args!(r#"<path class="axis" d="M{x:.1} {base}V{end}"/>"#));
        put(
            &mut self.svg,
            format_args!(r#"<text x="{x:.1}" y="{}" text-anchor="middle">{text}</text>"#, end + 14.0),
        );
    }

    fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

/// Latency by percentile. The axis gives each further nine the same room, because the tail is what matters.
pub(crate) fn percentiles(spectrum: &[(f64, f64)]) -> String {
    let Some(last) = spectrum.iter().rev().find(|point| point.0 < 1.0) else { return String::new() };
    let nines = |quantile: f64| -(1.0 - quantile).log10();
    let nines_max = nines(last.0).clamp(1.0, 6.0);
    let share = |quantile: f64| (nines(quantile) / nines_max).min(1.0);
    let highest = spectrum.iter().map(|point| point.1).fold(0.0, f64::max);
    let mut canvas = Canvas::new("latency by percentile", highest, mark);
    for (quantile, text) in [
        (0.0, "min"),
        (0.5, "50 %"),
        (0.75, "75 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
        (0.999999, "99.9999 %"),
    ] {
        if nines(quantile) <= nines_max {
            canvas.tick(share(quantile), text);
        }
    }
    let points: Vec<_> = spectrum
        .iter()
        .filter(|point| point.0 < 1.0)
        .chain([&(1.0, highest)])
        .map(|(quantile, value)| {
            (x_at(if *quantile < 1.0 { share(*quantile) } else { 1.0 }), canvas.y(*value))
        })
        .collect();
    draw_line(&mut canvas.svg, &points);
    for quantile in [0.5, 0.99, 0.999] {
        if let Some((_, value)) =
            spectrum.iter().find(|point| point.0 >= quantile && nines(quantile) <= nines_max)
        {
            let (x, y) = (x_at(share(quantile)), canvas.y(*value));
            put(&mut canvas.svg, format_args!(r#"<circle class="dot" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#));
            let label = time(*value);
            let up = if y < TOP + 24.0 { 18.0 } else { -9.0 };
            put(
                &mut canvas.svg,
                format_args!(
                    r#"<text class="value" x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
                    x - 4.0,
                    y + up
                ),
            );
        }
    }
    canvas.finish()
}

/// How many took how long.
pub(crate) fn bars(bins: &[(f64, f64, u64)]) -> String {
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return String::new() };
    let highest = bins.iter().map(|bin| bin.2).max().unwrap_or(0) as f64;
    let mut canvas = Canvas::new("distribution of the latency", highest, short);
    let (low, high) = (first.0, last.1);
    let width = (x_at(1.0) - x_at(0.0)) / bins.len() as f64;
    for (at, (from, to, count)) in bins.iter().enumerate() {
        let x = x_at(0.0) + width * at as f64;
        let y = canvas.y(*count as f64);
        let (gap, height) = (1.0, HEIGHT - BOTTOM - y);
        let width = width - gap;
        put(
            &mut canvas.svg,
            format_args!(
                r#"<rect class="bar" x="{:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="1.5">"#,
                x + gap / 2.0
            ),
        );
        let (from, to) = (time(*from), time(*to));
        put(&mut canvas.svg, format_args!("<title>{from} to {to}: {count}</title></rect>"));
    }
    for part in 0..=6 {
        let share = f64::from(part) / 6.0;
        canvas.tick(share, &mark(low + (high - low) * share));
    }
    canvas.finish()
}

/// A value over time, such as memory during a soak.
pub(crate) fn line(label: &str, series: &[(f64, f64)], y_text: impl Fn(f64) -> String) -> String {
    let (Some(first), Some(last)) = (series.first(), series.last()) else { return String::new() };
    let highest = series.iter().map(|point| point.1).fold(0.0, f64::max);
    let span = (last.0 - first.0).max(1e-9);
    let mut canvas = Canvas::new(label, highest, y_text);
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        canvas.tick(share, &mark((first.0 + span * share) * 1e6));
    }
    let points: Vec<_> =
        series.iter().map(|(x, value)| (x_at((x - first.0) / span), canvas.y(*value))).collect();
    draw_line(&mut canvas.svg, &points);
    canvas.finish()
}

fn draw_line(svg: &mut String, points: &[(f64, f64)]) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let mut path = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        put(&mut path, format_args!("{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' }));
    }
    let base = HEIGHT - BOTTOM;
    put(svg, format_args!(r#"<path class="area" d="{path}L{:.1} {base}L{:.1} {base}Z"/>"#, last.0, first.0));
    put(svg, format_args!(r#"<path class="line" d="{path}"/>"#));
}

fn put(out: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = out.write_fmt(part);
}

fn x_at(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

/// The next larger of 1, 2, 5, 10, 20 ...
fn round_step(value: f64) -> f64 {
    let base = 10f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|factor| factor * base).find(|step| *step >= value).unwrap_or(10.0 * base)
}

/// A time at an axis: no more digits than it needs.
fn mark(value_us: f64) -> String {
    let text = time(value_us);
    match text.split_once(' ') {
        Some(("0", _)) => "0".into(),
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// A count in few characters.
fn short(count: f64) -> String {
    match count {
        count if count >= 1e6 => format!("{} M", count / 1e6),
        count if count >= 1e3 => format!("{} k", count / 1e3),
        count => format!("{count}"),
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
    fn plots_of_nothing_are_empty_and_of_one_value_are_whole() {
        assert!(percentiles(&[]).is_empty() && bars(&[]).is_empty() && line("", &[], time).is_empty());
        for svg in
            [percentiles(&[(0.5, 3.0), (1.0, 3.0)]), bars(&[(1.0, 2.0, 5)]), line("", &[(0.0, 1.0)], time)]
        {
            assert!(svg.ends_with("</svg>") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
