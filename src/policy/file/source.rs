//! Where a policy's text came from, and the errors that say so: file, line, column, what was found, what is allowed.

use serde_saphyr::{Location, Spanned};

use crate::policy::PolicyError;

/// Longest field manager the API server accepts, in bytes (apimachinery `FieldManagerMaxLength`).
const MAX_MANAGER: usize = 128;

/// Where the text came from, to say so in an error.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

/// What is quoted of a file may hold anything: no control character of it may reach a terminal.
fn printable(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() {
            text.extend(character.escape_debug());
        } else {
            text.push(character);
        }
    }
    text
}

/// As much of a key or value as helps to find it.
fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

impl Source<'_> {
    pub(super) fn error(&self, at: Option<Location>, message: &str) -> PolicyError {
        let message = printable(message);
        match at {
            Some(at) => PolicyError(format!("{}:{}:{}: {message}", self.name, at.line(), at.column())),
            None => PolicyError(format!("{}: {message}", self.name)),
        }
    }

    /// An error of the YAML reader, in the file's own terms.
    pub(super) fn syntax(&self, error: &serde_saphyr::Error) -> PolicyError {
        use serde_saphyr::Error;
        let at = error.location();
        let error = error.without_snippet();
        let message = match error {
            Error::MultipleDocuments { .. } => {
                "a second YAML document begins here; a policy file holds one".to_owned()
            }
            Error::Eof { .. } => "the file ends before the policy does".to_owned(),
            Error::SerdeMissingField { field, .. } => format!("key `{field}` is missing; it must be set"),
            Error::SerdeUnknownField { field, expected, .. } => {
                format!("unknown key `{}`; allowed here: {}", cut(field), expected.join(", "))
            }
            Error::SerdeUnknownVariant { variant, expected, .. } => {
                format!("`{}` is not a value of this key; allowed: {}", cut(variant), expected.join(", "))
            }
            other => {
                let text = other.to_string();
                let text = text
                    .split(" at line ")
                    .next()
                    .unwrap_or(&text)
                    .trim_end_matches(", set DuplicateKeyPolicy in Options if acceptable");
                match self.found(at) {
                    Some(found) => format!("{text}; found `{found}`"),
                    None => text.to_owned(),
                }
            }
        };
        self.error(at, &message)
    }

    /// What stands at a place, to the end of its line.
    fn found(&self, at: Option<Location>) -> Option<String> {
        let at = at?;
        let line = self.text.lines().nth(usize::try_from(at.line()).ok()?.checked_sub(1)?)?;
        let rest: String =
            line.chars().skip(usize::try_from(at.column()).ok()?.checked_sub(1)?).take(40).collect();
        let rest = rest.trim();
        (!rest.is_empty()).then(|| rest.escape_debug().to_string())
    }

    pub(super) fn exactly(
        &self,
        found: Option<&Spanned<String>>,
        key: &str,
        allowed: &str,
    ) -> Result<(), PolicyError> {
        match found {
            Some(found) if found.value != allowed => Err(self.error(
                Some(found.referenced),
                &format!("`{key}` is `{}`; allowed: `{allowed}`", found.value.escape_debug()),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn manager(&self, found: &Spanned<String>, key: &str) -> Result<(), PolicyError> {
        let problem = if found.value.is_empty() {
            "is empty".to_owned()
        } else if found.value.len() > MAX_MANAGER {
            format!("has {} bytes", found.value.len())
        } else if !found.value.chars().all(|c| matches!(c, ' '..='~')) {
            format!("is `{}`", found.value.escape_debug())
        } else {
            return Ok(());
        };
        Err(self.error(
            Some(found.referenced),
            &format!("`{key}` {problem}; allowed: 1 to {MAX_MANAGER} bytes of printable ASCII"),
        ))
    }

    pub(super) fn dns_name(
        &self,
        found: Spanned<String>,
        key: &str,
        longest: usize,
    ) -> Result<String, PolicyError> {
        let text = &found.value;
        let alphanumeric = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let fits = text.len() <= longest
            && alphanumeric(text.chars().next())
            && alphanumeric(text.chars().next_back())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.');
        if fits {
            return Ok(found.value);
        }
        Err(self.error(
            Some(found.referenced),
            &format!(
                "`{key}` is `{}`; allowed: a DNS name of 1 to {longest} lower-case letters, digits, `-` and `.`",
                text.chars().take(80).collect::<String>().escape_debug()
            ),
        ))
    }
}
