//! Places to die at, for tests: `CNI_STEWARD_DIE=before-promote` ends the process there as a power cut would, with no
//! farewell. Names are `before-` or `after-` and a step's name (`pki::rotation::Step::NAMES`). Not in a release build.

/// Dies here if a test has asked for it.
pub(super) fn point(when: &'static str, step: &'static str) {
    #[cfg(debug_assertions)]
    if std::env::var("CNI_STEWARD_DIE").is_ok_and(|place| place == format!("{when}-{step}")) {
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let (_, _) = (when, step);
}
