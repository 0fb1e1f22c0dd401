//! What there is to say about a cluster: who owns the VPC CNI and how sure that is, then what is wrong. Pure.
//!
//! It judges an [`Inventory`] and reads nothing itself. The verdict is a sentence with its evidence; a finding has a stable
//! code, a sentence and the next command.

mod cluster;
mod code;
mod hands_off;
mod json;
mod objects;
mod owner;
mod release;
mod steward;
mod verdict;

use jiff::Timestamp;

use crate::cluster::inventory::{Facts, Inventory, Item};

pub use code::{Code, Severity};
pub use json::{json, list};
pub use verdict::{Certainty, Owner, Verdict};

/// All there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who owns the VPC CNI.
    pub verdict: Verdict,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its stable code.
    pub code: Code,
    /// One sentence.
    pub message: String,
    /// The objects it is about, as in `DaemonSet kube-system/aws-node`.
    pub objects: Vec<String>,
    /// The next command.
    pub next: String,
}

impl Report {
    /// Judges what is live at this time.
    pub fn of(live: &Inventory, now: Timestamp) -> Self {
        let verdict = owner::verdict(live);
        let mut found = Found { live, now, owner: verdict.owner, findings: Vec::new() };
        found.objects();
        found.releases();
        found.cluster();
        found.steward();
        found.unseen();
        let mut findings = found.findings;
        findings.sort_by_key(|finding| (finding.code.severity(), finding.code));
        Self { verdict, findings }
    }

    /// Whether a finding is a problem.
    pub fn has_problem(&self) -> bool {
        self.findings.iter().any(|finding| finding.code.severity() == Severity::Problem)
    }
}

struct Found<'i> {
    live: &'i Inventory,
    now: Timestamp,
    owner: Owner,
    findings: Vec<Finding>,
}

impl<'i> Found<'i> {
    fn say(&mut self, code: Code, objects: &[&Item], message: impl Into<String>, next: impl Into<String>) {
        let objects = objects.iter().map(|item| item.reference.to_string()).collect();
        self.findings.push(Finding { code, message: message.into(), objects, next: next.into() });
    }

    /// The targets that stand and of which this is true.
    fn which(&self, is: impl Fn(&Item, &Facts) -> bool) -> Vec<&'i Item> {
        self.live.standing().filter(|(item, facts)| is(item, facts)).map(|(item, _)| item).collect()
    }

    /// What could not be seen, each with the command that checks the right.
    fn unseen(&mut self) {
        for unseen in &self.live.unseen {
            let place =
                unseen.namespace.as_ref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
            let name = if unseen.name.is_empty() { String::new() } else { format!(" {}", unseen.name) };
            let (verb, resource) = (unseen.verb, &unseen.resource);
            let message = format!("cannot {verb} {resource}{name}{place}: {}", unseen.why);
            let object = if unseen.name.is_empty() { String::new() } else { format!("/{}", unseen.name) };
            let scope = unseen.scope();
            let next = if unseen.forbidden {
                format!("kubectl auth can-i {verb} {resource}{object}{scope}")
            } else {
                format!("kubectl get {resource}{name}{scope}")
            };
            self.say(Code::Unseen, &[], message, next);
        }
    }

    /// Whether everything of this resource could be seen.
    fn saw(&self, resource: &str) -> bool {
        !self.live.unseen.iter().any(|unseen| unseen.resource == resource)
    }
}

/// The objects in one clause: `DaemonSet, ServiceAccount aws-node`, with names that all share told once.
fn named(items: &[&Item]) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut rest = items.iter().peekable();
    while let Some(item) = rest.next() {
        let next = rest.peek().map(|next| next.reference.name());
        if next == Some(item.reference.name()) {
            out.push(item.reference.kind().to_owned());
        } else {
            out.push(format!("{} {}", item.reference.kind(), item.reference.name()));
        }
    }
    out.join(", ")
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
