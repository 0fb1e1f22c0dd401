//! Named points at which a test ends the program as `kill -9` would: no destructor, no last write, no farewell.
//!
//! Only debug builds have them; in a release build [`point`] is nothing. `CNI_STEWARD_FAULT` names the one that counts. What lies
//! between two writes is tested by being there, and not by sleeping until one may be.

/// Ends the program here, if the test that started it said so.
#[cfg(debug_assertions)]
#[expect(
    clippy::disallowed_methods,
    reason = "no configuration: nothing that a user can set, and absent in a release"
)]
pub fn point(name: &str) {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("CNI_STEWARD_FAULT").ok());
    if chosen.as_deref() == Some(name) {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub const fn point(_name: &str) {}

/// The point `before-STEP`.
pub fn before(step: &str) {
    if cfg!(debug_assertions) {
        point(&format!("before-{step}"));
    }
}

/// The point `after-STEP`.
pub fn after(step: &str) {
    if cfg!(debug_assertions) {
        point(&format!("after-{step}"));
    }
}
