//! libFuzzer around one target, which `CNI_STEWARD_FUZZ` names.
#![no_main]

use std::sync::OnceLock;

use cni_steward_fuzz::{TARGETS, Target, target};

static CHOSEN: OnceLock<&Target> = OnceLock::new();

#[expect(clippy::disallowed_methods, reason = "the command line is libFuzzer's own")]
fn choose() {
    let name = std::env::var("CNI_STEWARD_FUZZ").unwrap_or_default();
    let Some(target) = target(&name) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("CNI_STEWARD_FUZZ names no target; there are {}", names.join(", "));
        std::process::exit(2);
    };
    CHOSEN.set(target).expect("it is set once");
}

mod engine {
    #![allow(unsafe_code, reason = "libFuzzer's entry points; the macro writes them")]

    libfuzzer_sys::fuzz_target!(init: super::choose(), |bytes: &[u8]| {
        (super::CHOSEN.get().expect("chosen at the start").run)(bytes);
    });
}
