//! The plan for people.

use std::fmt::Write as _;

use super::helm::Answers;
use crate::acceptance::Answer;
use crate::adopt::{ObjectPlan, Plan, State};
use crate::cli::changes;
use crate::cli::forecast::Outlook;
use crate::cluster::inventory::{Inventory, PolicySource};
use crate::policy::Policy;
use crate::policy::rules::Fields;
use crate::undo::Place;

/// What a plan is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'t> {
    pub(super) place: &'t Place,
    pub(super) policy: &'t Policy,
    pub(super) from: &'t PolicySource,
    pub(super) plan: &'t Plan,
}

impl Told<'_> {
    /// Where the policy is from, in a few words.
    pub(super) fn source(&self) -> String {
        match self.from {
            PolicySource::Given => "--policy".into(),
            PolicySource::Installed(namespace, name) => {
                format!("ConfigMap {namespace}/{name} in the cluster")
            }
            PolicySource::Broken(_) | PolicySource::Nowhere => "none, so the defaults".into(),
        }
    }
}

struct Out(String);

impl Out {
    fn line(&mut self, text: &str) {
        // Writing to a String cannot fail.
        writeln!(self.0, "{text}").ok();
    }
}

/// The whole plan.
pub(super) fn plan(told: &Told<'_>, answers: Option<&Answers<'_>>, live: &Inventory) -> String {
    let mut out = Out(String::new());
    let release =
        told.policy.owner.release.as_ref().map_or("no release".to_owned(), |it| format!("release {it}"));
    out.line(&format!("cluster {} ({})", told.place.url, live.version));
    out.line(&format!("owner   {}, {release} (policy: {})", told.policy.owner.manager, told.source()));
    for object in &told.plan.objects {
        out.object(object, &told.policy.owner.manager);
    }
    out.line("");
    for offer in &told.plan.offers {
        out.line(&format!(
            "keeps   {} keeps {} paths of {}; to move them too: --absorb {}",
            offer.manager,
            offer.paths,
            offer.objects.join(", "),
            super::quoted(&offer.manager)
        ));
    }
    for note in &told.plan.notes {
        out.line(&format!("note    {note}"));
    }
    if told.plan.refusals.is_empty() {
        match answers {
            Some(answers) => out.foretold(answers),
            None => out.without_chart(told),
        }
    }
    let count = told.plan.changes().count();
    out.line(&match count {
        0 if told.plan.refusals.is_empty() => {
            format!("nothing to do: {} owns what is there", told.policy.owner.manager)
        }
        _ => format!(
            "{count} of {} objects change, in labels, annotations and field ownership alone; no Pod restarts",
            told.plan.objects.iter().filter(|object| object.state != State::Absent).count()
        ),
    });
    out.0
}

impl Out {
    fn object(&mut self, object: &ObjectPlan, owner: &str) {
        match object.state {
            State::Absent => return self.line(&format!("\n{object}: not there")),
            State::Adopted => return self.line(&format!("\n{object}: nothing to do")),
            State::ToAdopt => self.line(&format!("\n{object}")),
        }
        for edit in &object.edits {
            let line = changes::edit(edit.map, edit.key, edit.to.as_deref());
            let was = edit.from.as_ref().filter(|_| edit.to.is_some());
            let was = was.map(|was| format!(", now {was}")).unwrap_or_default();
            self.line(&format!("{line}  ({}{was})", edit.why.sentence()));
        }
        for moved in &object.moved {
            let (paths, manager, operation) = (moved.paths, &moved.manager, moved.operation.as_str());
            self.line(&format!("  ~ {paths} paths of {manager}/{operation} move to {owner}/Apply"));
        }
        for change in &object.fields {
            self.line(&changes::path(change));
        }
    }

    fn foretold(&mut self, answers: &Answers<'_>) {
        if let Some(summary) = &answers.summary {
            self.line(&format!("Helm 3  helm install {}", ends(summary.helm_3)));
            self.line(&format!("Helm 4  helm install {}", ends(summary.helm_4)));
            if summary.skip_crds {
                self.line(&format!("        with --skip-crds it {}", ends(summary.helm_4_without_crds)));
            }
        }
        for told in &answers.objects {
            match &told.outlook {
                Outlook::Told(_, forecast)
                    if forecast.helm_3.is_well()
                        && forecast.helm_4.is_well()
                        && forecast.leftovers.is_empty() => {}
                outlook => {
                    let text = answers.chart.text(outlook);
                    self.line(&format!("\n{}", told.subject));
                    text.trim().lines().for_each(|line| self.line(&format!("  {line}")));
                }
            }
        }
        self.line("");
    }

    fn without_chart(&mut self, told: &Told<'_>) {
        if told.policy.owner.release.is_none() {
            return self.line("Helm    the owner has no Helm release, so nothing is stamped for one");
        }
        self.line("Helm 3  its ownership check passes: every object carries the three marks of the release");
        let others: Vec<&str> = told.plan.offers.iter().map(|offer| &*offer.manager).collect();
        self.line(&match (told.policy.fields, others.as_slice()) {
            (Fields::Stamp, _) => {
                "Helm 4  asks for --force-conflicts: fields: Stamp leaves eks what it holds".to_owned()
            }
            (_, []) => "Helm 4  meets no conflict: nobody else holds fields".to_owned(),
            (_, others) => {
                format!("Helm 4  conflicts wherever the chart says something else than {}", others.join(", "))
            }
        });
        if let Some(value) = told.plan.original_match_labels {
            self.line(&format!(
                "        the selector cannot change: set originalMatchLabels={value} in the chart's values"
            ));
        }
        self.line(
            "        path by path: --chart-manifest FILE, with what `helm template --include-crds` prints",
        );
    }
}

fn ends(answer: Answer) -> &'static str {
    match answer {
        Answer::Accepts | Answer::Skips => "succeeds",
        Answer::Invalid => "is refused: the API server calls the result invalid",
        Answer::Conflicts => "is refused: conflicts",
        Answer::NotOwned => "is refused: invalid ownership metadata",
    }
}
