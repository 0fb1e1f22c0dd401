//! Skeleton of the policy file.

/// A checked policy.
#[derive(Debug, Clone, Default)]
pub struct Policy {}

impl Policy {
    /// Reads a policy file; `name` is the file's name for error texts.
    pub fn parse(_name: &str, _text: &str) -> Result<Self, PolicyError> {
        Ok(Self {})
    }

    /// Short stable hash of the effective policy, 12 hex digits.
    pub fn hash(&self) -> &str {
        "000000000000"
    }

    /// The mode's name: `Observe`, `Adopt` or `Block`.
    pub fn mode_name(&self) -> &'static str {
        "Observe"
    }

    /// Settings that are ignored or contradict each other, a sentence each.
    pub fn warnings(&self) -> &[String] {
        &[]
    }
}

/// Why a policy file cannot be used; its text names file, line, column, what was found and what is allowed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub String);
