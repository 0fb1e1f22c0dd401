//! `review --chart-manifest`: the forecast in sentences.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::acceptance::forecast::is_off_limits;
use crate::acceptance::{Answer, Fixed, Forecast, Manifest, Question, Release, Unowned, forecast};
use crate::fields::Operation;
use crate::policy::change::Map;
use crate::policy::{Kind, Policy};

/// Which object the forecast is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) kind: Kind,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// Reads the manifest and says what will become of the object.
pub(super) fn text(
    file: &Path,
    subject: Subject<'_>,
    live: &Value,
    policy: &Policy,
) -> anyhow::Result<String> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{name}: not YAML, for it is not UTF-8"))?;
    let default = Release { name: "", namespace: subject.namespace };
    let release = policy.owner.release.as_ref();
    let release =
        release.map_or(default, |release| Release { name: &release.name, namespace: &release.namespace });
    let manifest = Manifest::parse(&name, &text, release.namespace)?;

    let mut out = Out(String::from("\n"));
    if policy.owner.release.is_none() {
        out.line("chart   no forecast: the policy names no Helm release (`owner.release` is null)");
        return Ok(out.0);
    }
    let Subject { kind, namespace, name: object } = subject;
    match manifest.find(kind, namespace, object, release.namespace) {
        None => {
            let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
            out.line(&format!(
                "chart   does not render {} {place}{object}: Helm neither checks nor changes it ({name}, {} objects)",
                kind.name(),
                manifest.documents.len()
            ));
        }
        Some(document) => {
            let question = Question {
                kind,
                live,
                rendered: &document.object,
                from_crds: document.from_crds,
                manager: &policy.owner.manager,
                release,
            };
            let folder = if document.from_crds { ", from crds/" } else { "" };
            out.line(&format!(
                "chart   {name}, document {} (line {}){folder}",
                document.number, document.line
            ));
            out.forecast(&forecast(&question));
        }
    }
    for document in &manifest.documents {
        if document.kind().is_some_and(|kind| is_off_limits(kind, document.name())) {
            out.line(&format!(
                "note    the chart brings CRD {}, which the EKS control plane owns: install with --skip-crds",
                document.name()
            ));
        }
    }
    Ok(out.0)
}

struct Out(String);

impl Out {
    fn line(&mut self, text: &str) {
        // Writing to a String cannot fail.
        writeln!(self.0, "{text}").ok();
    }

    fn forecast(&mut self, forecast: &Forecast) {
        self.line(&format!("Helm 3  install {}", sentence(forecast.helm_3)));
        self.problems(&forecast.unowned, forecast.helm_3, &forecast.fixed_3);
        if forecast.helm_3 == Answer::Skips && !forecast.differs.is_empty() {
            self.line(&format!("  it stays different from the chart in {}", forecast.differs.join(", ")));
        }
        self.line("        (so does Helm 4's upgrade of a release that Helm 3 made: it stays client-side)");
        self.line(&format!("Helm 4  install {}", sentence(forecast.helm_4)));
        self.problems(&forecast.unowned, forecast.helm_4, &[]);
        for conflict in &forecast.conflicts {
            let mut by = format!("\"{}\"", conflict.manager.escape_debug());
            if !conflict.subresource.is_empty() {
                by.push_str(&format!(" (subresource {})", conflict.subresource.escape_debug()));
            }
            let operation = if conflict.operation == Operation::Apply { "Apply" } else { "Update" };
            self.line(&format!("  conflict with {by}, {operation}:"));
            for path in &conflict.paths {
                self.line(&format!("    {path}"));
            }
        }
        self.problems(&[], forecast.helm_4, &forecast.fixed_4);
        if forecast.kind == Kind::CustomResourceDefinition && !forecast.helm_4.is_well() {
            self.line("  --skip-crds leaves the CRD as it is");
        }
        self.leftovers(forecast);
    }

    fn problems(&mut self, unowned: &[Unowned], answer: Answer, fixed: &[Fixed]) {
        for missing in unowned {
            let map = if missing.map == Map::Labels { "label" } else { "annotation" };
            let found = match &missing.found {
                Some(found) => format!("current value is \"{}\"", found.escape_debug()),
                None => "missing".to_owned(),
            };
            self.line(&format!("  {map} {} must be set to \"{}\": {found}", missing.key, missing.wanted));
        }
        for fixed in fixed {
            let then = if answer == Answer::Invalid { "" } else { ", once the rest is cured" };
            self.line(&format!("  {} cannot be changed{then}:", fixed.path));
            self.line(&format!("    live    {}", fixed.live));
            self.line(&format!("    wanted  {}", fixed.wanted));
            if let Some(value) = fixed.original_match_labels {
                self.line(&format!("    set originalMatchLabels={value} in the chart's values"));
            }
        }
    }

    fn leftovers(&mut self, forecast: &Forecast) {
        if forecast.leftovers.is_empty() {
            return;
        }
        self.line("left over: live, but not rendered by the chart");
        for leftover in &forecast.leftovers {
            let fate = if leftover.pruned {
                "Helm 3 leaves it for ever, Helm 4 removes it with its first apply"
            } else if forecast.helm_3 == Answer::Skips {
                "neither Helm removes it"
            } else {
                "both Helms leave it for ever"
            };
            self.line(&format!("  {}  held by {}: {fate}", leftover.path, leftover.holders.join(", ")));
            self.line(&format!("      {}", leftover.command));
        }
    }
}

fn sentence(answer: Answer) -> &'static str {
    match answer {
        Answer::Accepts => "takes the object over",
        Answer::Skips => "leaves the object as it is (what is in crds/ is only created)",
        Answer::Invalid => "is refused: the API server lets nobody change an immutable field",
        Answer::Conflicts => "is refused: the API server reports conflicts",
        Answer::NotOwned => "is refused: invalid ownership metadata",
    }
}
