//! Values of a policy as CEL: texts, patterns, and who is exempt.

use crate::policy::pattern::Pattern;
use crate::policy::rules::Exempt;

/// A text as a CEL literal. JSON's escapes are a part of CEL's.
pub(super) fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether the writer is exempt.
pub(super) fn exempt(exempt: &Exempt) -> String {
    let group = fits("group", &exempt.groups)
        .map(|fits| format!("request.userInfo.?groups.orValue([]).exists(group, {fits})"));
    let parts = [
        fits("request.?userInfo.?username.orValue(\"\")", &exempt.usernames),
        fits("variables.manager", &exempt.managers),
        group,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "false".to_owned() } else { parts.join(" || ") }
}

/// Whether the text that `subject` gives fits one of the patterns; `None` for no pattern.
fn fits(subject: &str, patterns: &[Pattern]) -> Option<String> {
    let (globs, plain): (Vec<&str>, Vec<&str>) =
        patterns.iter().map(Pattern::as_str).partition(|pattern| pattern.contains('*'));
    let mut parts = Vec::new();
    if !plain.is_empty() {
        let list: Vec<String> = plain.into_iter().map(literal).collect();
        parts.push(format!("{subject} in [{}]", list.join(", ")));
    }
    parts.extend(globs.into_iter().map(|glob| format!("{subject}.matches({})", literal(&regex(glob)))));
    (!parts.is_empty()).then(|| parts.join(" || "))
}

/// A pattern as a regular expression of Go.
fn regex(pattern: &str) -> String {
    let pieces: Vec<String> = pattern.split('*').map(quoted).collect();
    format!("(?s)^{}$", pieces.join(".*"))
}

/// What Go's `regexp.QuoteMeta` gives, so that the chart's template gives the same.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<Pattern> {
        list.iter().map(|text| Pattern::new(*text)).collect()
    }

    #[test]
    fn names_are_listed_and_patterns_become_regular_expressions_of_the_whole_text() {
        assert_eq!(fits("x", &patterns(&[])), None);
        assert_eq!(
            fits("x", &patterns(&["eks", "a.b*", "say \"hi\""])).as_deref(),
            Some(r#"x in ["eks", "say \"hi\""] || x.matches("(?s)^a\\.b.*$")"#)
        );
    }

    #[test]
    fn nobody_is_exempt_where_nobody_is_named() {
        let nobody = Exempt { usernames: vec![], groups: vec![], managers: vec![] };
        assert_eq!(exempt(&nobody), "false");
    }
}
