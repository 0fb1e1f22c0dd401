//! A policy file, byte for byte; and the policies that other targets decide by.

use std::sync::OnceLock;

use cni_steward::policy::{Policy, cel};

use crate::Target;
use crate::review_laws::POLICIES;

/// The target.
pub const TARGET: Target = Target {
    name: "policy",
    about: "a policy file: an error names file and place; what is accepted is accepted again, and can be exported",
    seeds: &["examples"],
    dictionary: "policy.dict",
    longest: 2 << 10,
    run,
};

/// The policies of the laws, read once.
pub(super) fn all() -> &'static [Policy] {
    static READ: OnceLock<Vec<Policy>> = OnceLock::new();
    READ.get_or_init(|| {
        POLICIES.iter().map(|text| Policy::parse("policy.yaml", text).expect("a policy")).collect()
    })
}

fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Policy::parse("policy.yaml", text) {
        Err(problem) => {
            assert!(problem.0.starts_with("policy.yaml"), "{problem}");
            assert!(!problem.0.contains(|c: char| c.is_control() && c != '\n'), "{problem:?}");
        }
        Ok(policy) => {
            let again = Policy::parse("policy.yaml", text).expect("the same text");
            assert_eq!(policy, again);
            assert_eq!(policy.hash(), again.hash());
            drop((cel::refusal(&policy), cel::stamping(&policy)));
            assert_eq!(
                policy.exempts("a", ["b"].into_iter(), "c"),
                again.exempts("a", ["b"].into_iter(), "c")
            );
        }
    }
}
