//! For how long the webhook configuration has told every API server to trust an authority.
//!
//! Each API server has its own copy of the configuration and gets changes a little later than they are stored. So
//! trust counts from the moment since which *this* process has seen it, without a gap, in every entry of ours. Time is
//! measured on the monotonic clock: two replicas' clocks need not agree. A change that was missed (the generation went
//! up by more than one) may have been one that took the trust away, so counting begins anew.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Bundle, Certificate, Fingerprint};

/// Which content of the configuration was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Another one after deletion and creation.
    pub uid: String,
    /// Goes up by one when the content changes.
    pub generation: i64,
}

/// What was seen until now. Moments are times since the process started.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    version: Option<Version>,
    since: BTreeMap<Fingerprint, Duration>,
    /// Since when there has been no entry of ours, so nobody who could be without trust.
    unasked_since: Option<Duration>,
}

impl Coverage {
    /// Takes note of the configuration as it is at the moment `at`; `version` is `None` while there is none.
    pub fn see(&mut self, at: Duration, version: Option<&Version>, entries: &[Bundle]) {
        if !follows(self.version.as_ref(), version) {
            self.since.clear();
            self.unasked_since = None;
        }
        self.version = version.cloned();
        if entries.is_empty() {
            self.since.clear();
            self.unasked_since.get_or_insert(at);
            return;
        }
        self.unasked_since = None;
        let in_all = |authority: Fingerprint| entries.iter().all(|entry| entry.holds(authority));
        self.since.retain(|&authority, _| in_all(authority));
        for authority in entries.iter().flat_map(Bundle::fingerprints).filter(|&one| in_all(one)) {
            self.since.entry(authority).or_insert(at);
        }
    }

    /// Whether the configuration is as it was created, one change aside.
    pub fn is_young(&self) -> bool {
        self.version.as_ref().is_some_and(|version| version.generation <= 2)
    }

    /// For how long every entry has held this authority; `None` when one does not.
    pub fn of(&self, at: Duration, authority: &Certificate) -> Option<Duration> {
        let since = self.unasked_since.or_else(|| self.since.get(&authority.fingerprint()).copied())?;
        Some(at.saturating_sub(since))
    }
}

fn follows(before: Option<&Version>, now: Option<&Version>) -> bool {
    match (before, now) {
        (None, None) => true,
        (Some(before), Some(now)) => {
            before.uid == now.uid && (0..=1).contains(&(now.generation - before.generation))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::authority;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn version(generation: i64) -> Version {
        Version { uid: "one".into(), generation }
    }

    #[test]
    fn trust_counts_from_when_all_entries_have_it_and_anew_after_any_gap() {
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        let [one, two] = [(); 2].map(|()| authority::make(now).unwrap().cert);
        let ca = Certificate::read(&two).unwrap();
        let old = Bundle::read(&one);
        let both = Bundle::read(&format!("{one}{two}"));
        let mut seen = Coverage::default();
        seen.see(at(0), Some(&version(1)), &[both.clone(), old.clone()]);
        assert_eq!(seen.of(at(5), &ca), None, "one entry lacks it");
        let all = [both.clone(), both];
        seen.see(at(10), Some(&version(2)), &all);
        seen.see(at(20), Some(&version(2)), &all);
        assert_eq!(seen.of(at(25), &ca), Some(at(15)));
        seen.see(at(30), Some(&version(3)), &all);
        assert_eq!(seen.of(at(30), &ca), Some(at(20)), "a change that was seen from both sides");
        seen.see(at(40), Some(&version(5)), &all);
        assert_eq!(seen.of(at(40), &ca), Some(at(0)), "a change was missed");
        seen.see(at(50), Some(&version(6)), &[old.clone(), old]);
        seen.see(at(51), Some(&version(7)), &all);
        assert_eq!(seen.of(at(52), &ca), Some(at(1)), "wiped and healed");
        seen.see(at(60), None, &[]);
        assert_eq!(seen.of(at(70), &ca), Some(at(10)), "nobody is told to call us");
    }
}
