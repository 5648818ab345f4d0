//! The documents of `wspush-bench plot`: JSON in, an SVG image with panels of bars out. docs/bench.md shows one.

use super::bars::{self, Bar, Place};
use super::canvas::{escape, put};
use super::{PALETTE, STYLE};
use crate::redact;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

const WIDTH: f64 = 760.0;
const MARGIN: f64 = 16.0;
/// From one panel to the next.
const PANEL_GAP: f64 = 34.0;
/// From a title's base line to the first bar.
const TITLE_GAP: f64 = 14.0;

/// A document longer than that is not read.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
const PANELS_MAX: usize = 100;
const BARS_MAX: usize = 100;
const DECIMALS_MAX: usize = 6;
/// Longer names would leave no room for the bars.
const NAME_CHARS_MAX: usize = 48;

/// Draws the document in one file, or from standard input (`-`), into another, or to standard output.
pub(crate) fn draw(document: &Path, output: Option<&Path>) -> Result<(), String> {
    let failed = |error: String| match document.as_os_str() == "-" {
        true => format!("standard input: {error}"),
        false => format!("{}: {error}", document.display()),
    };
    let text = read(document).map_err(|error| failed(error.to_string()))?;
    let image = Document::parse(&text).map_err(failed)?.render();
    match output {
        Some(file) => fs::write(file, image).map_err(|error| format!("{}: {error}", file.display())),
        None => io::stdout().write_all(image.as_bytes()).map_err(|error| format!("standard output: {error}")),
    }
}

fn read(document: &Path) -> io::Result<String> {
    let input: Box<dyn Read> =
        if document.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(document)?) };
    let mut text = String::new();
    if input.take(DOCUMENT_BYTES_MAX + 1).read_to_string(&mut text)? as u64 > DOCUMENT_BYTES_MAX {
        return Err(io::Error::other(format!("longer than the {DOCUMENT_BYTES_MAX} bytes of a document")));
    }
    Ok(text)
}

/// An image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    /// Its content in words, for those who do not see it.
    label: String,
    panels: Vec<Panel>,
}

/// One figure of several things.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Panel {
    title: String,
    /// Digits behind the point of each value.
    #[serde(default)]
    decimals: usize,
    bars: Vec<Bar>,
}

impl Document {
    /// Reads a document and checks its bounds.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let document: Self = serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))
            .map_err(|error| problem(&error))?;
        at_most("panels", document.panels.len(), PANELS_MAX)?;
        for (number, panel) in document.panels.iter().enumerate() {
            panel.check().map_err(|error| format!("panel {}, {:?}: {error}", number + 1, panel.title))?;
        }
        Ok(document)
    }

    /// The image.
    pub(crate) fn render(&self) -> String {
        let names = bars::names_width(self.panels.iter().flat_map(|panel| &panel.bars));
        let (mut body, mut top) = (String::new(), 30.0);
        for panel in &self.panels {
            let title = escape(&panel.title);
            put(&mut body, format_args!("<text class=\"title\" x=\"{MARGIN}\" y=\"{top}\">{title}</text>\n"));
            top += TITLE_GAP;
            let place = Place { left: MARGIN, top, width: WIDTH - 2.0 * MARGIN, names };
            top += bars::draw(&mut body, &place, &panel.bars, panel.decimals) + PANEL_GAP;
        }
        let (height, label) = (top - PANEL_GAP + MARGIN, escape(&self.label));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{label}\">\n<style>\n{PALETTE}{STYLE}</style>\n\
             <rect fill=\"var(--card)\" width=\"{WIDTH}\" height=\"{height}\" rx=\"10\"/>\n{body}</svg>\n"
        )
    }
}

/// Names of fields and of tones help who writes a document. Values it may have from anywhere: a file that is none may
/// be somebody's key.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.starts_with("unknown") || text.starts_with("missing") || error.is_syntax() || error.is_eof() {
        true => text,
        false => redact::json(error),
    }
}

impl Panel {
    fn check(&self) -> Result<(), String> {
        at_most("bars", self.bars.len(), BARS_MAX)?;
        at_most("decimals", self.decimals, DECIMALS_MAX)?;
        for bar in &self.bars {
            at_most("characters of a name", bar.name.chars().count(), NAME_CHARS_MAX)?;
            if !(0.0..1e15).contains(&bar.value) {
                return Err(format!("the value of {:?} is {}: expected 0 to 1e15", bar.name, bar.value));
            }
        }
        Ok(())
    }
}

fn at_most(what: &str, number: usize, max: usize) -> Result<(), String> {
    if number > max { Err(format!("{number} {what}: expected at most {max}")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"label":"costs & more","panels":[{"title":"a < b","decimals":2,"bars":[
        {"name":"floor","value":1234.5,"tone":"strong"},{"name":"ours","value":617.25,"tone":"accent"},
        {"name":"other","value":0}]}]}"#;

    /// The widths of the bars.
    fn lengths(svg: &str) -> Vec<f64> {
        let rows = svg.split("<rect class=").skip(1);
        rows.map(|row| row.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn bars_are_in_proportion_and_named() {
        let svg = Document::parse(DOCUMENT).unwrap().render();
        let [long, half, none] = lengths(&svg)[..] else { panic!("{svg}") };
        assert!((long - 2.0 * half).abs() < 0.2 && none == 1.5 && long < WIDTH, "{svg}");
        assert!(svg.contains(">1,234.50<") && svg.contains(">617.25<") && svg.contains(">0.00<"), "{svg}");
        assert!(svg.contains("aria-label=\"costs &amp; more\"") && svg.contains(">a &lt; b<"), "{svg}");
        assert!(
            svg.contains("class=\"strong\"")
                && svg.contains("class=\"accent\"")
                && svg.contains("class=\"plain\"")
        );
        assert!(svg.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn empty_panels_and_bars_of_nothing_are_whole() {
        for panels in
            ["[]", r#"[{"title":"x","bars":[]}]"#, r#"[{"title":"x","bars":[{"name":"y","value":0}]}]"#]
        {
            let svg = Document::parse(&format!(r#"{{"label":"","panels":{panels}}}"#)).unwrap().render();
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, words) in [
            ("617.25", "-1", "panel 1, \"a < b\": the value of \"ours\" is -1"),
            ("\"decimals\":2", "\"decimals\":7", "expected at most 6"),
            ("\"tone\":\"accent\"", "\"tone\":\"loud\"", "unknown variant `loud`"),
            ("\"value\":0", "\"valu\":0", "unknown field `valu`"),
            ("\"other\"", &format!("{:?}", "x".repeat(49)), "49 characters of a name"),
            ("costs", "\u{1}", "control character"),
        ] {
            let error = Document::parse(&DOCUMENT.replace(from, to)).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        for text in [
            "\"hunter2\"",
            "hunter2",
            "[\"hunter2\"]",
            "{\"label\":[\"hunter2\"]}",
            "{\"panels\":\"hunter2\"}",
        ] {
            let error = Document::parse(text).unwrap_err();
            assert!(error.contains("column") && !error.contains("hunter2"), "{error}");
        }
        assert!(Document::parse(&format!("\u{feff}{DOCUMENT}")).is_ok());
    }
}
