//! What happens to the server's surroundings.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Soak;
use super::peers::{Peer, review};
use crate::support::until;
use crate::trust::Watcher;

/// Longer than a leader relies on its Lease, so that it is lost and taken again.
const HANG: Duration = Duration::from_secs(12);
const SLACK: Duration = Duration::from_mins(2);

/// A new policy that is taken, and one that is not.
pub(super) fn policy(soak: &Soak, round: u32) {
    let file = soak.scene.policy_file();
    let write = |text: &str| {
        let aside = file.with_extension("new");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(&aside, &file).unwrap();
    };
    let count = |outcome: &str| {
        let outcome = format!("outcome=\"{outcome}\"");
        let page = soak.telemetry().get("/metrics").unwrap().text();
        let lines: Vec<_> = page.lines().filter(|line| line.contains("part=\"policy\"")).collect();
        crate::trust::counted(&lines.join("\n"), "cni_steward_reloads_total", &outcome)
    };
    for (what, outcome, text) in [
        ("policies taken", "taken", format!("mode: Adopt\nexempt: {{managers: [nobody-{round}]}}")),
        ("policies refused", "refused", format!("mode: Adapt # {round}")),
        ("policies taken", "taken", "mode: Adopt".to_owned()),
    ] {
        let before = count(outcome);
        write(&text);
        let seen =
            until(&format!("the policy was {outcome}"), SLACK, || (count(outcome) > before).then_some(()));
        soak.tally.expect(what, seen);
    }
}

/// Somebody asks for a new authority, as one does: by taking its key away.
pub(super) fn authority(soak: &Soak) {
    let before = soak.scene.stamps().0;
    let watcher = Watcher::start(&soak.scene, soak.scene.port());
    soak.scene.patch(&json!({"data": {"ca.key": null}}));
    let seen = until("a leaf of a new authority was in force", SLACK, || {
        let settled = soak.scene.secret()?["next-tls.crt"].is_null();
        soak.scene.stamps().0.filter(|leaf| settled && Some(leaf) != before.as_ref()).map(drop)
    });
    soak.tally.expect("new authorities in force", seen);
    soak.tally.count("leaves looked at, all of them trusted", watcher.end());
}

/// The API server stands still. Reviews that come all the same are answered.
pub(super) fn hang(soak: &Soak) {
    let [server, _] = soak.scene.plane.pids();
    let mut peer = Peer::connect(&soak.scene.door());
    crate::support::watchdog::signal(server, "STOP");
    let (body, begin) = (review(2 << 10), Instant::now());
    while begin.elapsed() < HANG {
        let answer = peer.review(&body, &soak.tally);
        soak.tally.expect("answered while the API server hung", answer);
        std::thread::sleep(Duration::from_millis(500));
    }
    crate::support::watchdog::signal(server, "CONT");
    soak.tally.expect("API server hung", recovered(soak));
}

/// The API server dies and comes again.
pub(super) fn restart(soak: &mut Soak) {
    (soak.passed_before, soak.passed_at_start) = (soak.passed(), 0);
    soak.scene.plane.restart();
    let seen = recovered(soak);
    soak.tally.expect("API server restarted", seen);
}

/// It is called, trusted, and leads again.
fn recovered(soak: &Soak) -> Result<(), String> {
    until("the API server called us and we led", SLACK, || {
        let stamped = soak.scene.try_stamps()?.0.is_some();
        (stamped && soak.metric("cni_steward_leading", "") == 1).then_some(())
    })
}
