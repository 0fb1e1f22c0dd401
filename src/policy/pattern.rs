//! Patterns for managers, usernames and groups: `*` stands for any run of characters, everything else for itself.
//!
//! No crate: the two-pointer match below is linear in practice and needs no escaping rules to be documented.

use serde::Serialize;

/// A pattern such as `eks`, `kubectl-*` or `terraform-provider-helm_*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Takes the pattern as written.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(first) = pieces.next() else {
            return text.is_empty();
        };
        let Some(mut rest) = text.strip_prefix(first) else {
            return false;
        };
        let mut last = None;
        for piece in pieces {
            if let Some(middle) = last.replace(piece) {
                match rest.find(middle) {
                    Some(at) => rest = rest.get(at + middle.len()..).unwrap_or_default(),
                    None => return false,
                }
            }
        }
        match last {
            Some(end) => rest.ends_with(end),
            None => rest.is_empty(),
        }
    }
}

/// Whether any of the patterns fits.
pub fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("eks", "eks", true)]
    #[case("eks", "eksctl", false)]
    #[case("eks", "aeks", false)]
    #[case("kubectl*", "kubectl-client-side-apply", true)]
    #[case("kubectl-*", "kubectl", false)]
    #[case("*", "", true)]
    #[case("*", "anything", true)]
    #[case("*-controller", "helm-controller", true)]
    #[case("*-controller", "helm-controllers", false)]
    #[case("a*b*c", "a1b2c", true)]
    #[case("a*b*c", "abc", true)]
    #[case("a*b*c", "acb", false)]
    #[case("a*b*c", "axc", false)]
    #[case("a*ab", "aab", true)]
    #[case("a*ab", "ab", false)]
    #[case("", "", true)]
    #[case("", "x", false)]
    fn a_star_stands_for_any_run_and_the_rest_for_itself(
        #[case] pattern: &str,
        #[case] text: &str,
        #[case] fits: bool,
    ) {
        assert_eq!(Pattern::new(pattern).matches(text), fits, "{pattern:?} against {text:?}");
    }
}
