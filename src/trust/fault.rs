//! Places to die at, for tests: `CNI_STEWARD_DIE=before-promote` ends the process there as a power cut would, with no
//! farewell. Names are `before-` or `after-` and a step's name (`pki::rotation::Step::NAMES`). A release build has none.

/// The place to die at, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Fault(pub Option<String>);

impl Fault {
    /// Dies here if a test has asked for it.
    pub(super) fn point(&self, when: &'static str, step: &'static str) {
        let here = self.0.as_ref().is_some_and(|place| *place == format!("{when}-{step}"));
        if cfg!(debug_assertions) && here {
            std::process::abort();
        }
    }
}
