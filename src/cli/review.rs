//! `review`: answers a recorded `AdmissionReview` offline with the very code that the server runs.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::forecast::{Chart, Outlook, Silence, Subject};
use super::policy_from;
use super::terminal::{print, print_bytes};
use crate::admission::{Judged, Received, answer, patch};
use crate::fields::entry::List;
use crate::fields::{self, Pieces};
use crate::policy::change::Changes;
use crate::policy::decide::explain::explain;
use crate::policy::object::Object;
use crate::policy::{Decision, Kind, Policy, Verdict};
use crate::telemetry::clock;

/// What the command does, in a line.
pub const ABOUT: &str = "Answer a recorded review offline: what would the server say, and why";
/// Shown under `--help`.
const EXAMPLES: &str = "\
Examples:
  cni-steward review --policy examples/adopt.yaml examples/review.json
      the verdict, and each change with its path and reason
  cni-steward review --policy examples/block.yaml -o review - < review.json
      the bytes that the server would answer
  cni-steward review --policy examples/adopt.yaml -o patched review.json | jq .metadata
      the object as it would be stored
  helm template aws-vpc-cni eks/aws-vpc-cni -n kube-system --include-crds > chart.yaml
  cni-steward review --policy examples/adopt.yaml --chart-manifest chart.yaml review.json
      the verdict, then what Helm 3 and Helm 4 will answer on install, and what is left over
  cni-steward review --policy examples/adopt.yaml --chart-manifest chart.yaml -o json review.json | jq .helm4
      the forecast alone, for scripts: {apiVersion: cni-steward.dev/v1alpha1, kind: Forecast, …}
  cni-steward review --policy examples/block.yaml --explain review.json
      which rules were asked, what each found, and which decided

Exit status: 0 allowed, 1 refused, 2 the review or the policy cannot be read.";

/// Arguments of `review`.
#[derive(Debug, clap::Args)]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct ReviewArgs {
    /// Policy file; without one the mode is Observe.
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_POLICY")]
    policy: Option<PathBuf>,
    /// Decide as if it were this time (RFC 3339); the default is the clock.
    #[arg(long, value_name = "RFC3339")]
    now: Option<Timestamp>,
    /// Say also what Helm will answer: what `helm template --include-crds` printed.
    #[arg(long, value_name = "FILE")]
    chart_manifest: Option<PathBuf>,
    /// Say also which rules were asked, in their order, and what each found.
    #[arg(long)]
    explain: bool,
    /// What to print.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The AdmissionReview as JSON; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// The verdict, then each change with its path and reason.
    Text,
    /// The AdmissionReview that the server would answer, byte for byte.
    Review,
    /// The object as it would be after the patch.
    Patched,
    /// The forecast of --chart-manifest, for scripts.
    Json,
}

/// Runs the command: exit 0 allowed, 1 refused.
pub fn run(args: &ReviewArgs) -> anyhow::Result<ExitCode> {
    let policy = policy_from(args.policy.as_deref())?;
    match (args.output, args.chart_manifest.is_some()) {
        (Output::Review | Output::Patched, true) => {
            bail!("--chart-manifest is told in sentences or as JSON: say --output text or --output json")
        }
        (Output::Json, false) => {
            bail!("--output json prints the forecast: name what the chart renders with --chart-manifest FILE")
        }
        _ => {}
    }
    if args.explain && args.output != Output::Text {
        bail!("--explain is told in sentences: leave --output away");
    }
    let chart = args.chart_manifest.as_deref().map(|file| Chart::read(file, &policy)).transpose()?;
    let body = read(&args.file)?;
    let now = args.now.unwrap_or_else(clock::now);
    let name = args.file.display();
    let received = Received::read(&body, &policy).with_context(|| format!("{name}"))?;
    let judged = received.judge(&policy, now);
    match args.output {
        Output::Review => {
            let answer = answer(&body, &policy, now);
            print_bytes(&answer.body.whole(&body))?;
        }
        Output::Text => {
            let mut out = text(&received, &judged, &policy);
            if args.explain {
                explained(&mut out, &received, &judged, &policy, now);
            }
            if let Some(chart) = &chart {
                out.push_str(&chart.text(&outlook(chart, &received, &judged)));
            }
            print(&out)?;
        }
        Output::Patched => print(&patched(&received, &judged)?)?,
        Output::Json => {
            let chart = chart.as_ref().context("no chart")?;
            let review = &received.review;
            let object = (review.kind.map(Kind::name), &*review.namespace, &*review.name);
            print(&chart.json(object, &outlook(chart, &received, &judged))?)?;
        }
    }
    let refused =
        matches!(&judged, Judged::Decided(_, decision) if matches!(decision.verdict, Verdict::Refuse(_)));
    Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).context("standard input")?;
        return Ok(body);
    }
    std::fs::read(file).with_context(|| format!("{}", file.display()))
}

fn patched(received: &Received<'_>, judged: &Judged<'_>) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&stored(received, judged)?)? + "\n")
}

/// The forecast for the object as it would be stored.
fn outlook<'c>(chart: &'c Chart<'_>, received: &Received<'_>, judged: &Judged<'_>) -> Outlook<'c> {
    let review = &received.review;
    let live = match stored(received, judged) {
        Ok(live) => live,
        Err(problem) => return Outlook::Silent(Silence::NoObject(problem.to_string())),
    };
    let Some(kind) = review.kind else { return Outlook::Silent(Silence::NotInCatalogue) };
    let name = live.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or(&review.name);
    chart.look(Subject { kind, namespace: &review.namespace, name }, &live)
}

/// The object after our patch.
fn stored(received: &Received<'_>, judged: &Judged<'_>) -> anyhow::Result<serde_json::Value> {
    let object = received.review.object.as_ref();
    let (raw, _) = object.context("the review has no object, so there is nothing to patch")?;
    let mut object: serde_json::Value = serde_json::from_str(raw).context("the object is not JSON")?;
    if let Judged::Decided(parsed, decision) = judged {
        match &decision.verdict {
            Verdict::Leave => {}
            Verdict::Refuse(message) => {
                bail!("the write is refused, so there is no object after it: {message}")
            }
            Verdict::Amend(changes) => {
                let patch: json_patch::Patch =
                    serde_json::from_str(&patch::write(changes.clone(), parsed).whole())?;
                json_patch::patch(&mut object, &patch)
                    .context("our own patch does not apply; please report this")?;
            }
        }
    }
    Ok(object)
}

/// The verdict for people.
fn text(received: &Received<'_>, judged: &Judged<'_>, policy: &Policy) -> String {
    let review = &received.review;
    let place = match (&*review.namespace, &*review.name) {
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    let kind = review.kind.map_or("object", |kind| kind.name());
    let what = format!("{} {kind} {place}", review.operation.name());
    let mut out = String::new();
    match judged {
        Judged::Outside => {
            line(&mut out, &format!("ALLOW   {what}\nreason  outside-catalogue: not a target, left alone"));
        }
        Judged::Odd(problem) => {
            line(&mut out, &format!("ALLOW   {what}\nreason  odd-object: {problem}; left alone"));
        }
        Judged::Decided(object, decision) => {
            let verdict = match decision.verdict {
                Verdict::Leave => "ALLOW ",
                Verdict::Amend(_) => "AMEND ",
                Verdict::Refuse(_) => "REFUSE",
            };
            let manager = if decision.manager.is_empty() { "an unknown manager" } else { &decision.manager };
            line(&mut out, &format!("{verdict}  {what}, written by {manager} (user {})", review.username));
            line(&mut out, &format!("reason  {}: {}", decision.reason.code(), decision.message));
            line(&mut out, &format!("policy  {} {}", policy.mode_name(), policy.hash()));
            line(&mut out, &format!("id      {}", review.uid));
            decided(&mut out, object, decision, policy);
            for warning in &decision.warnings {
                line(&mut out, &format!("warning {warning}"));
            }
        }
    }
    out
}

/// The rules, and what each found.
fn explained(
    out: &mut String,
    received: &Received<'_>,
    judged: &Judged<'_>,
    policy: &Policy,
    now: Timestamp,
) {
    let (Judged::Decided(_, decision), Ok(subject)) = (judged, received.subject(policy)) else { return };
    line(out, &format!("rules   at {now}"));
    for step in explain(&subject, policy, now, decision) {
        let decides = if step.decides { "  ← decides" } else { "" };
        line(out, &format!("  {:<16}{}{decides}", step.rule, step.found));
    }
}

fn decided(out: &mut String, object: &Object<'_>, decision: &Decision<'_>, policy: &Policy) {
    match &decision.verdict {
        Verdict::Leave => {}
        Verdict::Refuse(message) => line(out, &format!("answer  {message}")),
        Verdict::Amend(changes) => {
            for edit in &changes.edits {
                let text = super::changes::edit(edit.map, edit.key, edit.value.as_deref());
                line(out, &format!("{text}  ({})", edit.why.sentence()));
            }
            fields_text(out, object, changes, policy);
        }
    }
}

fn fields_text(out: &mut String, object: &Object<'_>, changes: &Changes<'_>, policy: &Policy) {
    let Some(list) = changes.managed_fields.as_ref().map(Pieces::whole) else { return };
    let Some(after) = List::parse(&list) else { return };
    let before = object.managed_fields.clone().unwrap_or_default();
    for moved in &changes.moved {
        line(
            out,
            &format!(
                "  ~ metadata.managedFields: {} paths of {}/{:?} move to {}/Apply",
                moved.paths, moved.manager, moved.operation, policy.owner.manager
            ),
        );
    }
    for change in fields::compare::compare(&before, &after) {
        line(out, &super::changes::path(&change));
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    writeln!(out, "{text}").ok();
}
