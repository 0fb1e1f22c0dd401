//! Somebody who changes our `caBundle` back, again and again. Pure; time is passed in.
//!
//! Unlike a target's label it is written anew each time all the same: without it nobody is called. But a person has to
//! hear of it, since between two writes reviews pass unseen.

use std::time::Duration;

use serde_json::Value;

use crate::pki::Bundle;
use crate::reconcile::contest::{Contest, Contests};
use crate::reconcile::wanted::{NOBODY_KNOWN, Wanted};

const OBJECT: &str = "caBundle";

/// What we wrote last, and how often it was changed.
#[derive(Debug, Default)]
pub struct Fight {
    wrote: Option<Bundle>,
    contests: Contests,
}

impl Fight {
    /// The configuration is about to be written, for the content `generation` of it. Gives the fight, if one begins now.
    pub fn seen(&mut self, entries: &[Bundle], generation: i64, by: &str, now: Duration) -> Option<Contest> {
        let changed = self.wrote.as_ref().is_some_and(|wrote| !entries.iter().all(|entry| entry.says(wrote)));
        let wanted = changed.then(|| Wanted {
            path: OBJECT.to_owned(),
            by: by.to_owned(),
            trace: generation.to_string(),
        });
        self.contests.seen(OBJECT, wanted.as_slice(), now).pop()
    }

    /// This was written into every entry.
    pub fn wrote(&mut self, bundle: Bundle, now: Duration) {
        self.wrote = Some(bundle);
        self.contests.repaired(OBJECT, &[OBJECT.to_owned()], now);
    }

    /// Whether one goes on: nothing is to be written now.
    pub fn goes_on(&mut self, now: Duration) -> bool {
        self.contests.seen(OBJECT, &[], now);
        self.contests.count(OBJECT) > 0
    }
}

/// Which field manager changed our `caBundle`, from `managedFields`: who holds one, or else who wrote last. Who only takes
/// something away leaves no name.
pub fn writer(managed_fields: &[Value], us: &str) -> String {
    let others = || managed_fields.iter().filter(|entry| entry.get("manager").is_some_and(|name| name != us));
    let holds = |entry: &&Value| {
        let webhooks = entry.pointer("/fieldsV1/f:webhooks").and_then(Value::as_object);
        let mut entries = webhooks.into_iter().flatten();
        entries.any(|(_, fields)| fields.pointer("/f:clientConfig/f:caBundle").is_some())
    };
    let time = |entry: &Value| entry.get("time").and_then(Value::as_str).map(ToOwned::to_owned);
    let ours = managed_fields.iter().filter(|entry| entry.get("manager").is_some_and(|name| name == us));
    let ours = ours.filter_map(time).max();
    let later = |entry: &&Value| time(entry) >= ours && ours.is_some();
    let found = others().find(holds).or_else(|| others().filter(later).max_by_key(|entry| time(entry)));
    let name = found.and_then(|entry| entry.get("manager")?.as_str());
    name.unwrap_or(NOBODY_KNOWN).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pki::authority;

    fn bundles() -> [Bundle; 2] {
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        [(); 2].map(|()| Bundle::read(&authority::make(now).unwrap().cert))
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_third_time_back_in_ten_minutes_is_told_once_and_ends_when_it_is_quiet() {
        let [ours, theirs] = bundles();
        let mut fight = Fight::default();
        let mut told = Vec::new();
        for second in 0..20 {
            let generation = i64::try_from(second).unwrap();
            told.extend(fight.seen(std::slice::from_ref(&theirs), generation, "argocd", at(second)));
            fight.wrote(ours.clone(), at(second));
        }
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].by.as_str(), told[0].backs), ("argocd", 3));
        assert!(fight.goes_on(at(30)));
        assert!(!fight.goes_on(at(20 + 600)));
    }

    #[test]
    fn what_the_rotation_itself_adds_is_no_fight() {
        let [ours, next] = bundles();
        let mut fight = Fight::default();
        for second in 0..20 {
            let written = if second % 2 == 0 { &ours } else { &next };
            let before = if second % 2 == 0 { &next } else { &ours };
            assert_eq!(fight.seen(std::slice::from_ref(before), 1, "x", at(second)), None);
            fight.wrote(written.clone(), at(second));
        }
    }

    #[test]
    fn the_writer_is_who_holds_a_bundle_or_who_wrote_last() {
        let holds = json!({"f:webhooks": {"k:{\"name\":\"a\"}": {"f:clientConfig": {"f:caBundle": {}}}}});
        let entry = |manager: &str, time: &str, fields: &Value| json!({"manager": manager, "time": time, "fieldsV1": fields});
        let us = entry("us", "2026-11-23T00:00:05Z", &holds);
        let helm = entry("helm", "2026-11-23T00:00:01Z", &json!({}));
        assert_eq!(writer(&[us.clone(), helm.clone()], "us"), NOBODY_KNOWN);
        let flux = entry("flux", "2026-11-23T00:00:06Z", &json!({}));
        assert_eq!(writer(&[us.clone(), helm.clone(), flux], "us"), "flux");
        let argo = entry("argocd", "2026-11-23T00:00:02Z", &holds);
        assert_eq!(writer(&[helm, argo, us], "us"), "argocd");
    }
}
