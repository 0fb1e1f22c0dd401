//! The report for a person at a terminal: the rows, what could not be looked at and why, what the codes mean, and the sum.

use std::fmt::Write as _;

use super::{Report, Row, State, counted};
use crate::findings::Severity;
use crate::layout::{Terminal, Tone};

const HEADINGS: [&str; 7] =
    ["CONTEXT", "OWNER", "INSTALLED BY", "VPC CNI", "KUBERNETES", "POLICY", "FINDINGS"];

/// The report as text; `program` is the command as the person types it.
pub fn table(report: &Report, terminal: Terminal, program: &str) -> String {
    let mut rows = vec![HEADINGS.map(|heading| (Tone::Strong, heading.to_owned()))];
    rows.extend(report.rows.iter().map(cells));
    let mut out = terminal.table(&rows);
    gaps(&mut out, report, terminal);
    findings(&mut out, report, terminal, program);
    out.push('\n');
    sum(&mut out, report, terminal);
    out
}

fn cells(row: &Row) -> [(Tone, String); 7] {
    let context = (Tone::Plain, row.context.clone());
    let seen = match &row.outcome {
        Ok(seen) => seen,
        Err(gap) => {
            let reason = (Tone::Bad, format!("not audited: {}", gap.reason));
            return [context, said(""), said(""), said(""), said(""), said(""), reason];
        }
    };
    let tone = match row.state() {
        State::Problems => Tone::Bad,
        State::Warnings => Tone::Warn,
        State::Clear | State::NotAudited => Tone::Plain,
    };
    let codes = match seen.code_list() {
        none if none.is_empty() => (Tone::Good, "none".to_owned()),
        codes => (tone, codes),
    };
    let [installed_by, cni, kubernetes, mode] =
        [&seen.installed_by, &seen.cni, &seen.kubernetes, &seen.mode].map(|text| said(text));
    [context, (Tone::Plain, seen.owned_by()), installed_by, cni, kubernetes, mode, codes]
}

/// A dash for nothing, so that columns can still be counted.
fn said(text: &str) -> (Tone, String) {
    if text.is_empty() { (Tone::Faint, "-".to_owned()) } else { (Tone::Plain, text.to_owned()) }
}

fn gaps(out: &mut String, report: &Report, terminal: Terminal) {
    if report.count(State::NotAudited) > 0 {
        heading(out, "Not audited", terminal);
    }
    for row in &report.rows {
        if let Err(gap) = &row.outcome {
            out.push_str(&terminal.paragraph(2, &row.context));
            out.push_str(&terminal.paragraph(6, &gap.message));
        }
    }
}

fn findings(out: &mut String, report: &Report, terminal: Terminal, program: &str) {
    let codes = report.codes();
    if codes.is_empty() {
        return;
    }
    heading(out, &format!("Findings (more by: {program} status --context CONTEXT)"), terminal);
    let rows: Vec<_> = codes
        .into_iter()
        .map(|found| {
            let severity = found.first.code.severity();
            let tone = match severity {
                Severity::Problem => Tone::Bad,
                Severity::Warning => Tone::Warn,
                Severity::Note => Tone::Faint,
            };
            let code = format!("  {} {}", found.first.code.id(), severity.name());
            [(tone, code), (Tone::Plain, format!("{}: {}", found.places(), found.first.message))]
        })
        .collect();
    out.push_str(&terminal.table(&rows));
}

fn sum(out: &mut String, report: &Report, terminal: Terminal) {
    let tones = [
        (State::Clear, Tone::Good),
        (State::Warnings, Tone::Warn),
        (State::Problems, Tone::Bad),
        (State::NotAudited, Tone::Bad),
    ];
    let parts = tones.map(|(state, tone)| {
        let count = report.count(state);
        let text = format!("{count} {}", state.name());
        if count == 0 { text } else { terminal.paint(tone, &text) }
    });
    writeln!(out, "{}: {}", counted(report.rows.len()), parts.join(", ")).ok();
}

fn heading(out: &mut String, text: &str, terminal: Terminal) {
    // Writing to a String cannot fail.
    writeln!(out, "\n{}", terminal.paint(Tone::Strong, text)).ok();
}
