//! The report as CSV (RFC 4180: a header line, CRLF, quotes doubled), for a spreadsheet.
//!
//! A spreadsheet takes a field that begins with `=`, `+`, `-` or `@` for a formula and runs it; whoever names a cluster would then
//! run commands on the reader's machine. Such a field gets an apostrophe in front, which spreadsheets read as "this is text".

use super::{Report, Row};

const HEADER: [&str; 10] = [
    "context",
    "server",
    "owner",
    "installed_by",
    "vpc_cni",
    "kubernetes",
    "mode",
    "findings",
    "not_audited",
    "message",
];

/// The report as CSV. Codes in one field are separated by spaces; `not_audited` is the reason, or empty.
pub fn csv(report: &Report) -> String {
    let mut out = String::new();
    record(&mut out, HEADER);
    for row in &report.rows {
        record(&mut out, fields(row).each_ref().map(String::as_str));
    }
    out
}

fn fields(row: &Row) -> [String; 10] {
    let (seen, gap) = match &row.outcome {
        Ok(seen) => (seen.clone(), None),
        Err(gap) => (super::Seen::default(), Some(gap)),
    };
    let codes = seen.codes().join(" ");
    [
        row.context.clone(),
        row.server.clone(),
        seen.owner,
        seen.installed_by,
        seen.cni,
        seen.kubernetes,
        seen.mode,
        codes,
        gap.map(|gap| gap.reason.to_owned()).unwrap_or_default(),
        gap.map(|gap| gap.message.clone()).unwrap_or_default(),
    ]
}

fn record(out: &mut String, fields: [&str; 10]) {
    for (index, text) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        field(out, text);
    }
    out.push_str("\r\n");
}

fn field(out: &mut String, text: &str) {
    // The wide forms are formulas to spreadsheets set to Chinese or Japanese.
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let guard = if formula { "'" } else { "" };
    if formula || text.contains(['"', ',', '\r', '\n']) {
        out.push('"');
        out.push_str(guard);
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}
