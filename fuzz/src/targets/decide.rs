//! A review of a target, drawn; now and then spoilt.

use cni_steward::admission::handler::{Judged, Received};
use cni_steward::policy::decide::explain::explain;

use crate::Target;
use crate::draw::Draw;
use crate::review_laws::lawful;

/// The target.
pub const TARGET: Target = Target {
    name: "decide",
    about: "a drawn review under one of nine policies: the patch applies, changes catalogued paths only and nothing twice",
    seeds: &[],
    dictionary: "",
    longest: 2 << 10,
    run,
};

fn run(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let policy = &super::policy::all()[draw.below(super::policy::all().len())];
    let spoilt = draw.once_in(4);
    let mut body = draw.review().into_bytes();
    if spoilt {
        draw.spoil(&mut body);
    }
    match lawful(&body, policy) {
        Err(problem) => panic!("{problem}\nof {}", String::from_utf8_lossy(&body)),
        Ok(said) if !spoilt => assert_eq!(said.status, 200, "{}", said.record.message),
        Ok(_) => {}
    }
    // What is explained to people is what was decided: one of the rules says so.
    let Ok(received) = Received::read(&body, policy) else { return };
    let now = "2026-01-01T12:00:00.7Z".parse().expect("a time");
    if let (Judged::Decided(_, decision), Ok(subject)) =
        (received.judge(policy, now), received.subject(policy))
    {
        let steps = explain(&subject, policy, now, &decision);
        assert!(steps.last().is_some_and(|step| step.decides), "{:?}: {steps:?}", decision.reason);
    }
}
