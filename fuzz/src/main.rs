//! libFuzzer around one target, which `CNI_STEWARD_FUZZ` names; without it the targets are listed.
#![no_main]

use std::sync::OnceLock;

use cni_steward_fuzz::{Target, list, target};

static CHOSEN: OnceLock<&Target> = OnceLock::new();

#[expect(clippy::disallowed_methods, reason = "the command line is libFuzzer's own")]
fn choose() {
    let Ok(name) = std::env::var("CNI_STEWARD_FUZZ") else {
        list();
        std::process::exit(0);
    };
    let Some(target) = target(&name) else {
        eprintln!("there is no target {name}; without CNI_STEWARD_FUZZ they are listed");
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
