//! Lines: latency by percentile, and a value over time.

use super::canvas::{CHARACTER, Canvas, Frame, mark, put};
use crate::quantity::time;

/// Latency by percentile, of `(quantile, microseconds)`. The axis gives each further nine the same room, because the
/// tail is what matters.
pub(crate) fn percentiles(frame: &Frame, spectrum: &[(f64, f64)]) -> String {
    let Some(last) = spectrum.iter().rev().find(|point| point.0 < 1.0) else { return String::new() };
    let nines_max = nines(last.0).clamp(1.0, 6.0);
    let share = |quantile: f64| if quantile < 1.0 { (nines(quantile) / nines_max).min(1.0) } else { 1.0 };
    let highest = spectrum.iter().map(|point| point.1).fold(0.0, f64::max);
    let mut canvas = Canvas::new(frame, "latency by percentile", highest, mark);
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
    let points = spectrum.iter().copied().filter(|point| point.0 < 1.0).chain([(1.0, highest)]);
    draw_line(&mut canvas, points.map(|(quantile, value)| (share(quantile), value)));
    for quantile in [0.5, 0.99, 0.999] {
        if nines(quantile) <= nines_max
            && let Some((_, value)) = spectrum.iter().find(|point| point.0 >= quantile)
        {
            draw_dot(&mut canvas, share(quantile), *value);
        }
    }
    canvas.finish()
}

/// 0.99 has two.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// A value over time since 0, such as memory during a soak; the points are `(seconds, value)`.
pub(crate) fn line(
    frame: &Frame,
    name: &str,
    series: &[(f64, f64)],
    y_text: impl Fn(f64) -> String,
) -> String {
    let Some(last) = series.last() else { return String::new() };
    let highest = series.iter().map(|point| point.1).fold(0.0, f64::max);
    let span_s = last.0.max(1e-9);
    let mut canvas = Canvas::new(frame, name, highest, y_text);
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        canvas.tick(share, &mark(span_s * share * 1e6));
    }
    draw_line(&mut canvas, series.iter().map(|(at_s, value)| (at_s / span_s, *value)));
    canvas.finish()
}

/// A line through points of `(share of the width, value)`, and the area below it.
fn draw_line(canvas: &mut Canvas<'_>, points: impl Iterator<Item = (f64, f64)>) {
    let (mut path, mut first, mut last) = (String::new(), None, 0.0);
    for (share, value) in points {
        let (x, y) = (canvas.frame.x(share), canvas.y(value));
        put(&mut path, format_args!("{}{x:.1} {y:.1}", if first.is_none() { 'M' } else { 'L' }));
        first.get_or_insert(x);
        last = x;
    }
    let Some(first) = first else { return };
    let base = canvas.frame.base();
    canvas.put(format_args!(r#"<path class="area" d="{path}L{last:.1} {base}L{first:.1} {base}Z"/>"#));
    canvas.put(format_args!(r#"<path class="line" d="{path}"/>"#));
}

/// A point with its value.
fn draw_dot(canvas: &mut Canvas<'_>, share: f64, value_us: f64) {
    let (x, y) = (canvas.frame.x(share), canvas.y(value_us));
    canvas.put(format_args!(r#"<circle class="dot" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#));
    let text = time(value_us);
    // The line rises, so there is room above what is left of the point, and below what is right of it.
    let has_room = x - text.len() as f64 * CHARACTER > canvas.frame.x(0.0);
    let (x, y, anchor) = if has_room { (x - 4.0, y - 9.0, "end") } else { (x + 6.0, y + 16.0, "start") };
    canvas.put(format_args!(
        r#"<text class="value" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    ));
}

#[cfg(test)]
mod tests {
    use super::super::{NARROW, WIDE};
    use super::*;

    #[test]
    fn curves_of_nothing_are_empty_and_of_one_value_are_whole() {
        for frame in [&WIDE, &NARROW] {
            assert!(percentiles(frame, &[]).is_empty() && line(frame, "", &[], time).is_empty());
            for svg in [
                percentiles(frame, &[(0.5, 3.0), (1.0, 3.0)]),
                percentiles(frame, &[(0.0, 0.0), (1.0, 0.0)]),
                line(frame, "", &[(0.0, 1.0)], time),
            ] {
                assert!(svg.ends_with("</svg>") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}
