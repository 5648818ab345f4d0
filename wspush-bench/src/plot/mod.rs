//! Plots as SVG, the only ones that we draw: those of a report's page, and with `wspush-bench plot` those of documents.
//!
//! A `canvas` is a frame with axes. On it stand `curves` and `columns`; `bars` need no axes. A `document` is what the
//! command reads: panels of bars in an image of its own. Colours are names in `palette.css`, light and dark, and
//! what they are used for is in `plot.css`; the page and the documents have both.

pub(crate) mod bars;
mod canvas;
pub(crate) mod columns;
pub(crate) mod curves;
pub(crate) mod document;

pub(crate) use canvas::{Frame, NARROW, WIDE, escape};

/// Colours by name.
pub(crate) const PALETTE: &str = include_str!("palette.css");
/// How the parts of a plot look.
pub(crate) const STYLE: &str = include_str!("plot.css");
