//! The report for a terminal.

use super::{Report, tables};
use std::fmt::{self, Write};

/// The report, ready to print.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_report(&mut out, report);
    out
}

fn write_report(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "wspush-bench {} {} {}", report.version, report.mode, report.target)?;
    writeln!(out, "client: {}", report.client_form())?;
    for table in tables::tables(report) {
        writeln!(out, "\n{}", table.title)?;
        for (name, value) in table.rows {
            writeln!(out, "  {name:<24}{value}")?;
        }
    }
    writeln!(out)?;
    if let Some(note) = report.client.note() {
        writeln!(out, "NOTE: {note}")?;
    }
    if report.passed {
        return writeln!(
            out,
            "PASSED: nothing lost, duplicated, reordered or corrupted, no connection failed"
        );
    }
    report.findings.iter().try_for_each(|finding| writeln!(out, "FAILED: {finding}"))
}
