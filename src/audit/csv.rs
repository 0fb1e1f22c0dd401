//! The report as CSV (RFC 4180: a header line, CRLF, quotes doubled), for a spreadsheet.
//!
//! A spreadsheet takes a field that begins with `=`, `+`, `-` or `@` for a formula and runs it; whoever names a cluster would then
//! run commands on the reader's machine. Such a field gets an apostrophe in front, which spreadsheets read as "this is text".

use super::{Report, Row};

const HEADER: [&str; 12] = [
    "context",
    "server",
    "owner",
    "certainty",
    "release",
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

fn fields(row: &Row) -> [String; 12] {
    let mut fields: [String; 12] = std::array::from_fn(|_| String::new());
    let values = match &row.outcome {
        Ok(seen) => {
            let release = seen.release.as_ref().map(|(namespace, name)| format!("{namespace}/{name}"));
            let (owner, certainty) = (seen.owner.name().to_owned(), seen.certainty.name().to_owned());
            let (installed_by, cni) = (seen.installed_by.clone(), seen.cni.clone());
            let (kubernetes, mode) = (seen.kubernetes.clone(), seen.mode.clone());
            let release = release.unwrap_or_default();
            vec![owner, certainty, release, installed_by, cni, kubernetes, mode, seen.code_list()]
        }
        Err(gap) => {
            let mut values = vec![String::new(); 8];
            values.extend([gap.reason.to_owned(), gap.message.clone()]);
            values
        }
    };
    let all = [row.context.clone(), row.server.clone()].into_iter().chain(values);
    fields.iter_mut().zip(all).for_each(|(field, value)| *field = value);
    fields
}

fn record(out: &mut String, fields: [&str; 12]) {
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
    // Where a comma is part of a number, spreadsheets part fields at a semicolon: what follows one may be a formula to them.
    if formula || text.contains(['"', ',', ';', '\r', '\n']) {
        out.push('"');
        out.push_str(guard);
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}
