//! Named points at which a test ends the program as `kill -9` would: no destructor, no last write, no farewell.
//!
//! Only debug builds have them; in a release build [`point`] is nothing. `CNI_STEWARD_FAULT` names the one that counts. What lies
//! between two writes is tested by being there, and not by sleeping until one may be. Tests go through all of [`POINTS`].

/// All points: around each write of the keeper of certificates (`pki::rotation::Step::NAMES`), and of a repair.
pub const POINTS: [&str; 15] = [
    "before-new_authority",
    "after-new_authority",
    "before-new_leaf",
    "after-new_leaf",
    "before-trust",
    "after-trust",
    "before-promote",
    "after-promote",
    "before-restore",
    "after-restore",
    "before-remember",
    "after-remember",
    "repair-planned",
    "repair-stamped",
    "repair-finished",
];

/// And, after `before-` or `after-`, those around each write of a command, with its number or the object's kind behind: the tests of
/// `adopt` and `purge` count them themselves.
#[cfg(debug_assertions)]
const COMMANDS: [&str; 4] = ["write-", "delete-", "create-", "owners-"];

#[cfg(debug_assertions)]
fn is_known(name: &str) -> bool {
    let of_a_command = |(_, write): (&str, &str)| COMMANDS.iter().any(|command| write.starts_with(command));
    POINTS.contains(&name) || name.split_once('-').is_some_and(of_a_command)
}

/// Ends the program here, if the test that started it said so.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    debug_assert!(is_known(name), "{name} is not on the list, so no test would come here");
    if CHOSEN.get_or_init(|| setting("CNI_STEWARD_FAULT")).as_deref() == Some(name) {
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

/// How many times faster than the clock the reconciler's time passes (`CNI_STEWARD_HASTE`): what it does only after ten quiet minutes
/// can then be seen on a real API server.
#[cfg(debug_assertions)]
pub fn haste() -> u32 {
    static CHOSEN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(|| setting("CNI_STEWARD_HASTE").and_then(|text| text.parse().ok()).unwrap_or(1))
}

/// Not at all.
#[cfg(not(debug_assertions))]
pub const fn haste() -> u32 {
    1
}

#[cfg(debug_assertions)]
#[expect(
    clippy::disallowed_methods,
    reason = "no configuration: nothing that a user can set, and absent in a release"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
