//! A histogram: how many took how long.

use super::canvas::{Canvas, Frame, mark};
use crate::quantity::{count, time};

/// Draws bins of `(from, to, count)`, the bounds in microseconds.
pub(crate) fn columns(frame: &Frame, bins: &[(f64, f64, u64)]) -> String {
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return String::new() };
    let highest = bins.iter().map(|bin| bin.2).max().unwrap_or(0) as f64;
    let mut canvas = Canvas::new(frame, "distribution of the latency", highest, short);
    let step = (frame.x(1.0) - frame.x(0.0)) / bins.len() as f64;
    let gap = (step / 8.0).min(1.0);
    for (at, (from, to, number)) in bins.iter().enumerate() {
        let (x, y) = (frame.x(0.0) + step * at as f64 + gap / 2.0, canvas.y(*number as f64));
        let (width, height) = (step - gap, frame.base() - y);
        let what = format!("{} to {}: {}", time(*from), time(*to), count(*number));
        canvas.put(format_args!(
            r#"<rect class="accent" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="1"><title>{what}</title></rect>"#
        ));
    }
    let (low, high) = (first.0, last.1);
    let parts = frame.labels_max("999.9 ms".len()).clamp(2, 7) - 1;
    for part in 0..=parts {
        let share = f64::from(part) / f64::from(parts);
        canvas.tick(share, &mark(low + (high - low) * share));
    }
    canvas.finish()
}

/// A count in few characters.
fn short(number: f64) -> String {
    match number {
        number if number >= 1e6 => format!("{} M", number / 1e6),
        number if number >= 1e3 => format!("{} k", number / 1e3),
        number => format!("{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NARROW, WIDE};
    use super::*;

    #[test]
    fn columns_of_nothing_are_empty_and_of_one_bin_are_whole() {
        for frame in [&WIDE, &NARROW] {
            assert!(columns(frame, &[]).is_empty());
            let svg = columns(frame, &[(1.0, 2.0, 5_000)]);
            assert!(svg.ends_with("</svg>") && !svg.contains("NaN"), "{svg}");
            assert!(svg.contains("<title>1 us to 2 us: 5,000</title>") && svg.contains(">1 k<"), "{svg}");
        }
    }
}
