//! The report as one page that needs nothing else: no network, no file beside it, and no script to be read.
//!
//! Its rows are plain HTML, and which state is shown is CSS; the script adds sorting and the search. All text from clusters is
//! escaped, and the page's own policy lets no other script or style run than those two, by their hashes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use super::{Gap, Report, Row, Seen, State, counted};
use crate::findings::Severity;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");
const HEADINGS: [&str; 7] =
    ["Context", "Owner", "Installed by", "VPC CNI", "Kubernetes", "Policy", "Findings"];

/// The report as a page; `program` is the command as the person types it.
pub fn html(report: &Report, program: &str) -> String {
    let mut page = String::with_capacity(STYLE.len() + SCRIPT.len() + 512 * (report.rows.len() + 8));
    head(&mut page, report);
    filters(&mut page, report);
    page.push_str("<div class=\"card scroll\" role=\"region\" aria-label=\"Clusters\" tabindex=\"0\"><table><caption>The VPC CNI in each cluster</caption>\n<thead><tr>");
    for heading in HEADINGS {
        add(&mut page, format_args!("<th scope=\"col\">{heading}</th>"));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &report.rows {
        cluster(&mut page, row);
    }
    page.push_str("</tbody></table></div>\n");
    codes(&mut page, report, program);
    add(&mut page, format_args!("<script>{SCRIPT}</script>\n</html>\n"));
    page
}

fn head(page: &mut String, report: &Report) {
    let (style, script) = (source(STYLE), source(SCRIPT));
    let (size, time) = (counted(report.rows.len()), report.time.strftime("%Y-%m-%d %H:%M UTC"));
    add(page, format_args!("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"));
    add(
        page,
        format_args!(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {style}; script-src {script}; \
             img-src data:; base-uri 'none'; form-action 'none'\">\n"
        ),
    );
    page.push_str(
        "<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <link rel=\"icon\" href=\"data:,\">\n",
    );
    add(page, format_args!("<title>VPC CNI audit of {size}, {time}</title>\n<style>{STYLE}</style>\n"));
    add(
        page,
        format_args!(
            "<h1>Who owns the VPC CNI</h1>\n<p>{size}, looked at <time datetime=\"{}\">{time}</time> by cni-steward {}.</p>\n",
            report.time,
            env!("CARGO_PKG_VERSION"),
        ),
    );
}

fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

fn filters(page: &mut String, report: &Report) {
    page.push_str("<form><fieldset><legend class=\"sr\">Which clusters are shown</legend>");
    let states = [
        ("all", "All", report.rows.len()),
        ("gap", "Not audited", report.count(State::NotAudited)),
        ("bad", "Problems", report.count(State::Problems)),
        ("warn", "Warnings", report.count(State::Warnings)),
        ("ok", "Clear", report.count(State::Clear)),
    ];
    for (id, label, count) in states {
        let checked = if id == "all" { " checked" } else { "" };
        add(
            page,
            format_args!(
                "<label class=\"pill\"><input type=\"radio\" name=\"state\" id=\"{id}\"{checked}>{label}<b>{count}</b></label>"
            ),
        );
    }
    page.push_str(
        "</fieldset><label class=\"find\" hidden><span>Search</span><input type=\"search\" id=\"find\" \
         placeholder=\"context, owner, version, code\" autocomplete=\"off\"></label><output></output></form>\n",
    );
}

fn cluster(page: &mut String, row: &Row) {
    let class = match row.state() {
        State::NotAudited => "gap",
        State::Problems => "bad",
        State::Warnings => "warn",
        State::Clear => "ok",
    };
    add(page, format_args!("<tr class=\"{class}\"><th scope=\"row\">{}</th>", Text(&row.context)));
    match &row.outcome {
        Ok(seen) => looked_at(page, seen),
        Err(gap) => not_audited(page, gap),
    }
    page.push_str("</tr>\n");
}

fn looked_at(page: &mut String, seen: &Seen) {
    for (text, class) in [
        (&seen.owned_by(), ""),
        (&seen.installed_by, ""),
        (&seen.cni, " class=\"n\""),
        (&seen.kubernetes, " class=\"n\""),
        (&seen.mode, ""),
    ] {
        match text.as_str() {
            "" => page.push_str("<td class=\"none\" data-v=\"\">–</td>"),
            text => add(page, format_args!("<td{class}>{}</td>", Text(text))),
        }
    }
    let codes = seen.codes();
    // Sorted by the worst, then by how many there are.
    let worst = codes.first().map_or('3', |code| rank(code.severity()));
    add(page, format_args!("<td data-v=\"{worst} {} {}\">", 99 - codes.len().min(99), seen.code_list()));
    if codes.is_empty() {
        page.push_str("<span class=\"fine\">✓ none</span>");
    }
    for code in codes {
        add(
            page,
            format_args!("<a class=\"tag s{1}\" href=\"#{0}\">{0}</a>", code.id(), rank(code.severity())),
        );
    }
    page.push_str("</td>");
}

fn rank(severity: Severity) -> char {
    match severity {
        Severity::Problem => '0',
        Severity::Warning => '1',
        Severity::Note => '2',
    }
}

/// One cell over all columns that nobody knows; sorted behind everything else.
fn not_audited(page: &mut String, gap: &Gap) {
    let (reason, message) = (Text(gap.reason), Text(&gap.message));
    add(
        page,
        format_args!(
            "<td colspan=\"6\" data-v=\"\"><span class=\"tag\">not audited: {reason}</span> <small>{message}</small></td>"
        ),
    );
}

fn codes(page: &mut String, report: &Report, program: &str) {
    let codes = report.codes();
    if codes.is_empty() {
        return;
    }
    page.push_str("<h2>What the findings mean</h2>\n<dl class=\"card\">\n");
    for found in codes {
        let (code, severity) = (found.first.code.id(), found.first.code.severity());
        add(
            page,
            format_args!(
                "<div id=\"{code}\"><dt><span class=\"tag s{}\">{code}</span> <small>{}</small></dt>\
                 <dd>{}<small>in {}</small><code>{}</code></dd></div>\n",
                rank(severity),
                severity.name(),
                Text(&found.first.message),
                Text(&found.places()),
                Text(&found.first.next),
            ),
        );
    }
    add(
        page,
        format_args!(
            "</dl>\n<p>More about one cluster: <code>{program} status --context CONTEXT</code></p>\n"
        ),
    );
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    page.write_fmt(text).ok();
}

/// Text that stays text, in an element and in a quoted attribute.
struct Text<'a>(&'a str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No page may hold them.
                c if c.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn no_character_of_a_text_ends_an_element_or_an_attribute() {
        let text = Text("<b a='x' c=\"y\">&amp;\u{1b}\u{0}é").to_string();
        assert_eq!(text, "&lt;b a=&#39;x&#39; c=&quot;y&quot;&gt;&amp;amp;\u{fffd}\u{fffd}é");
    }
}
