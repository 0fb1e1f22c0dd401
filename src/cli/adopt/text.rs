//! The plan for people.

use std::fmt::Write as _;

use super::helm::Answers;
use crate::acceptance::Answer;
use crate::adopt::{ObjectPlan, Plan, State};
use crate::cli::changes;
use crate::cli::forecast::Outlook;
use crate::cli::terminal::{Terminal, Tone};
use crate::cluster::inventory::PolicySource;
use crate::layout::{printable, quoted};
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
            PolicySource::Broken(_) | PolicySource::Unseen(_) | PolicySource::Nowhere => {
                "none seen, so the defaults".into()
            }
        }
    }
}

struct Out {
    text: String,
    terminal: Terminal,
}

impl Out {
    /// A line; what it quotes may be anybody's.
    fn line(&mut self, text: &str) {
        self.painted(&printable(text));
    }

    fn painted(&mut self, text: &str) {
        // Writing to a String cannot fail.
        writeln!(self.text, "{text}").ok();
    }

    /// A word and what there is to say. Never cut into lines: there are commands in it, to be copied.
    fn say(&mut self, word: &str, tone: Tone, text: &str) {
        let word = self.terminal.paint(tone, &format!("{word:<7}"));
        self.painted(&format!("{word} {}", printable(text)));
    }

    /// The name of an object, and how it stands.
    fn title(&mut self, object: &ObjectPlan, state: &str) {
        let name = self.terminal.paint(Tone::Strong, &object.to_string());
        self.painted(&format!("\n{name}{state}"));
    }
}

/// The whole plan.
pub(super) fn plan(
    told: &Told<'_>,
    answers: Option<&Answers<'_>>,
    version: &str,
    terminal: Terminal,
) -> String {
    let mut out = Out { text: String::new(), terminal };
    let release =
        told.policy.owner.release.as_ref().map_or("no release".to_owned(), |it| format!("release {it}"));
    let owner = &told.policy.owner.manager;
    out.say("cluster", Tone::Strong, &format!("{} ({version})", told.place.url));
    out.say("owner", Tone::Strong, &format!("{owner}, {release} (policy: {})", told.source()));
    for object in &told.plan.objects {
        out.object(object, owner);
    }
    out.line("");
    for offer in &told.plan.offers {
        let (manager, paths) = (&offer.manager, offer.paths);
        let of = match offer.objects.as_slice() {
            [one] => one.clone(),
            many => format!("{} objects", many.len()),
        };
        let flag = quoted(manager);
        out.say(
            "keeps",
            Tone::Warn,
            &format!("{manager} keeps {paths} paths of {of}; to move them too: --absorb {flag}"),
        );
    }
    for note in &told.plan.notes {
        out.say("note", Tone::Warn, note);
    }
    let refused = !told.plan.refusals.is_empty();
    match answers {
        _ if refused => {}
        Some(answers) => out.foretold(answers),
        None => out.without_chart(told),
    }
    let (count, all) = (told.plan.changes().count(), &told.plan.objects);
    let there = all.iter().filter(|object| object.state != State::Absent).count();
    match count {
        _ if refused => {}
        0 => out.line(&format!("nothing to do: {owner} owns what is there")),
        _ => out.line(&format!(
            "{count} of {there} objects change, in labels, annotations and field ownership alone; no Pod restarts"
        )),
    }
    out.text
}

/// Why nothing is written, for standard error.
pub(super) fn refusals(plan: &Plan, terminal: Terminal) -> String {
    let mut out = Out { text: String::new(), terminal };
    for refusal in &plan.refusals {
        out.say("refused", Tone::Bad, &refusal.message);
        out.say("", Tone::Plain, &refusal.next);
    }
    out.text + "nothing was changed"
}

impl Out {
    fn object(&mut self, object: &ObjectPlan, owner: &str) {
        match object.state {
            State::Absent => return self.title(object, ": not there"),
            State::Adopted => return self.title(object, ": nothing to do"),
            State::ToAdopt => self.title(object, ""),
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
            self.ends("Helm 3", "helm install", summary.helm_3);
            self.ends("Helm 4", "helm install", summary.helm_4);
            if summary.skip_crds {
                self.ends("", "with --skip-crds it", summary.helm_4_without_crds);
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
                    self.line("");
                    self.line(&told.subject.to_string());
                    text.trim().lines().for_each(|line| self.line(&format!("  {line}")));
                }
            }
        }
        self.line("");
    }

    fn ends(&mut self, helm: &str, command: &str, answer: Answer) {
        let (tone, end) = match answer {
            Answer::Accepts | Answer::Skips => (Tone::Good, "succeeds"),
            Answer::Invalid => (Tone::Bad, "is refused: the API server calls the result invalid"),
            Answer::Conflicts => (Tone::Bad, "is refused: conflicts"),
            Answer::NotOwned => (Tone::Bad, "is refused: invalid ownership metadata"),
        };
        self.say(helm, tone, &format!("{command} {end}"));
    }

    fn without_chart(&mut self, told: &Told<'_>) {
        if told.policy.owner.release.is_none() {
            return self.say(
                "Helm",
                Tone::Plain,
                "the owner has no Helm release, so nothing is stamped for one",
            );
        }
        self.say(
            "Helm 3",
            Tone::Plain,
            "its ownership check passes: every object carries the three marks of the release",
        );
        let others: Vec<&str> = told.plan.offers.iter().map(|offer| &*offer.manager).collect();
        let text = match (told.policy.fields, others.as_slice()) {
            (Fields::Stamp, _) => {
                "asks for --force-conflicts: fields: Stamp leaves eks what it holds".to_owned()
            }
            (_, []) => "meets no conflict: nobody else holds fields".to_owned(),
            (_, others) => {
                format!("conflicts wherever the chart says something else than {}", others.join(", "))
            }
        };
        self.say("Helm 4", Tone::Plain, &text);
        if let Some(value) = told.plan.original_match_labels {
            let text =
                format!("the selector cannot change: set originalMatchLabels={value} in the chart's values");
            self.say("", Tone::Plain, &text);
        }
        self.say(
            "",
            Tone::Plain,
            "path by path: --chart-manifest FILE, with what `helm template --include-crds` prints",
        );
    }
}
