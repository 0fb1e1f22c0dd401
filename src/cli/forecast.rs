//! `review --chart-manifest`: the forecast in sentences, or as JSON for scripts.

mod json;

pub(super) use json::word;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::acceptance::fault::Why;
use crate::acceptance::forecast::is_off_limits;
use crate::acceptance::{Answer, Document, Fault, Forecast, Manifest, Question, Release, Unowned, forecast};
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

/// What a chart renders, and for which release.
#[derive(Debug)]
pub(super) struct Chart<'p> {
    name: String,
    manifest: Manifest,
    manager: &'p str,
    release: Option<Release<'p>>,
    /// Where an object without a namespace goes.
    namespace: &'p str,
}

impl<'p> Chart<'p> {
    /// Reads what `helm template --include-crds` printed.
    pub(super) fn read(file: &Path, policy: &'p Policy) -> anyhow::Result<Self> {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = error
                .as_bytes()
                .iter()
                .take(error.utf8_error().valid_up_to())
                .filter(|b| **b == b'\n')
                .count();
            anyhow::anyhow!("{name}: line {}: not YAML, for it is not UTF-8", line + 1)
        })?;
        let release = policy.owner.release.as_ref();
        let release = release.map(|release| Release { name: &release.name, namespace: &release.namespace });
        let namespace = release.map_or(&*policy.targets.namespace, |release| release.namespace);
        let manifest = Manifest::parse(&name, &text, namespace)?;
        Ok(Self { name, manifest, manager: &policy.owner.manager, release, namespace })
    }

    /// What there is to say about the object.
    pub(super) fn look(&self, subject: Subject<'_>, live: &Value) -> Outlook<'_> {
        let Some(release) = self.release else { return Outlook::Silent(Silence::NoRelease) };
        let found = self.manifest.find(subject.kind, subject.namespace, subject.name, self.namespace);
        let Some(document) = found else {
            let count = self.manifest.documents.len();
            let (file, subject) = (self.name.clone(), subject.to_string());
            return Outlook::Silent(Silence::NotRendered { file, count, subject });
        };
        let forecast = forecast(&Question {
            kind: subject.kind,
            live,
            rendered: &document.object,
            from_crds: document.from_crds,
            manager: self.manager,
            release,
        });
        Outlook::Told(document, Box::new(forecast))
    }

    /// For people.
    pub(super) fn text(&self, outlook: &Outlook<'_>) -> String {
        let mut out = Out(String::from("\n"));
        match outlook {
            Outlook::Told(document, forecast) => {
                let folder = if document.from_crds { ", from crds/" } else { "" };
                let place = format!("document {} (line {}){folder}", document.number, document.line);
                out.line(&format!("chart   {}, {place}", self.name));
                out.forecast(forecast);
            }
            Outlook::Silent(silence @ Silence::NotRendered { .. }) => out.line(&format!("chart   {silence}")),
            Outlook::Silent(silence) => out.line(&format!("chart   no forecast: {silence}")),
        }
        for name in self.off_limits_crds() {
            out.line(&format!(
                "note    the chart brings CRD {name}, which the EKS control plane owns: install with --skip-crds"
            ));
        }
        out.0
    }

    /// For scripts.
    pub(super) fn json(
        &self,
        (kind, namespace, name): (Option<&str>, &str, &str),
        outlook: &Outlook<'_>,
    ) -> anyhow::Result<String> {
        let off_limits_crds = self.off_limits_crds();
        let (file, manager, release) = (self.name.as_str(), self.manager, self.release);
        let frame = json::Frame { file, manager, release, off_limits_crds: &off_limits_crds };
        json::write(frame, json::Object { kind, namespace, name }, outlook)
    }

    /// The chart's CRDs that are off limits.
    fn off_limits_crds(&self) -> Vec<&str> {
        let off_limits =
            |document: &&Document| document.kind().is_some_and(|kind| is_off_limits(kind, document.name()));
        self.manifest.documents.iter().filter(off_limits).map(Document::name).collect()
    }
}

/// A forecast, or why there is none.
#[derive(Debug)]
pub(super) enum Outlook<'c> {
    /// Of what this document renders.
    Told(&'c Document, Box<Forecast>),
    /// None.
    Silent(Silence),
}

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    #[error("the policy names no Helm release (`owner.release` is null)")]
    NoRelease,
    #[error("{file} renders {}, {subject} is none of them: Helm neither checks nor changes it", objects(*count))]
    NotRendered { file: String, count: usize, subject: String },
    #[error("the object is of no kind that the chart of the VPC CNI has")]
    NotInCatalogue,
    #[error("{0}")]
    NoObject(String),
}

fn objects(count: usize) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        write!(f, "{} {}{slash}{}", self.kind.name(), self.namespace, self.name)
    }
}

struct Out(String);

impl Out {
    fn line(&mut self, text: &str) {
        // Writing to a String cannot fail.
        writeln!(self.0, "{text}").ok();
    }

    fn forecast(&mut self, forecast: &Forecast) {
        self.line(&format!("Helm 3  install {}", sentence(forecast.helm_3)));
        self.problems(&forecast.unowned, forecast.helm_3, &forecast.faults_3);
        if forecast.helm_3 == Answer::Skips && !forecast.differs.is_empty() {
            self.line(&format!("  it stays different from the chart in {}", forecast.differs.join(", ")));
        }
        if forecast.helm_3 == Answer::Accepts {
            self.line(
                "        (so does Helm 4's upgrade of a release that Helm 3 made: it stays client-side)",
            );
        }
        self.line(&format!("Helm 4  install {}", sentence(forecast.helm_4)));
        self.problems(&forecast.unowned, forecast.helm_4, &[]);
        for conflict in &forecast.conflicts {
            let mut by = format!("\"{}\"", conflict.manager.escape_debug());
            if !conflict.subresource.is_empty() {
                by = format!("{by} (subresource {})", conflict.subresource.escape_debug());
            }
            let operation = if conflict.operation == Operation::Apply { "Apply" } else { "Update" };
            self.line(&format!("  conflict with {by}, {operation}:"));
            for path in &conflict.paths {
                self.line(&format!("    {path}"));
            }
        }
        self.problems(&[], forecast.helm_4, &forecast.faults_4);
        if forecast.kind == Kind::CustomResourceDefinition && !forecast.helm_4.is_well() {
            self.line("  --skip-crds leaves the CRD as it is");
        }
        self.leftovers(forecast);
    }

    fn problems(&mut self, unowned: &[Unowned], answer: Answer, faults: &[Fault]) {
        for missing in unowned {
            let map = if missing.map == Map::Labels { "label" } else { "annotation" };
            let found = match &missing.found {
                Some(found) => format!("current value is \"{}\"", found.escape_debug()),
                None => "missing".to_owned(),
            };
            self.line(&format!("  {map} {} must be set to \"{}\": {found}", missing.key, missing.wanted));
        }
        for fault in faults {
            let then = if answer == Answer::Invalid { "" } else { ", once the rest is cured" };
            match fault.why {
                Why::Immutable => self.line(&format!("  {} cannot be changed{then}:", fault.path)),
                Why::Labels => self.line(&format!("  {} must match the selector{then}:", fault.path)),
                Why::OneOf => {
                    let (path, set) = (&fault.path, &fault.wanted);
                    self.line(&format!("  {path} would set {set}, of which only one may be set{then}"));
                    continue;
                }
                Why::Twice => {
                    let (path, name) = (&fault.path, &fault.wanted);
                    self.line(&format!("  {path} would have the name {name} twice{then}"));
                    continue;
                }
            }
            self.line(&format!("    live    {}", fault.live));
            self.line(&format!("    wanted  {}", fault.wanted));
            if let Some(value) = fault.original_match_labels {
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
        Answer::Invalid => "is refused: the API server calls the result invalid",
        Answer::Conflicts => "is refused: the API server reports conflicts",
        Answer::NotOwned => "is refused: invalid ownership metadata",
    }
}
