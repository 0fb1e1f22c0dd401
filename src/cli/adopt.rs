//! `adopt`: makes what is installed the owner's, once, because a person says so; and takes that back.

mod carry_out;
mod helm;
mod json;
mod text;
mod undo;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum;
use serde_json::value::RawValue;

use super::cluster::{ReachArgs, block_on};
use super::confirm::{Answer, Consent};
use super::greeting::say;
use super::interrupt::Interrupt;
use super::policy_file;
use super::terminal::print;
use super::undo_file::{self, UndoFile};
use crate::adopt::{self, Plan, Stored, Wish};
use crate::cluster::inventory::{self, Inventory, PolicySource, Presence, Unseen};
use crate::cluster::{Cluster, Writer};
use crate::policy::Policy;
use crate::policy::pattern::Pattern;
use crate::policy::rules::{Mode, Owner, Release};
use crate::telemetry::clock;
use crate::undo::{After, Metadata, Place, Saved, Undo};

/// Shown under `--help`.
pub const EXAMPLES: &str = "\
Examples:
  cni-steward adopt --plan
      what would change, path by path, and for whom; changes nothing
  helm template aws-vpc-cni eks/aws-vpc-cni -n kube-system --include-crds --set originalMatchLabels=true > chart.yaml
  cni-steward adopt --plan --chart-manifest chart.yaml
      the same, and what Helm 3 and Helm 4 will answer to an install afterwards
  cni-steward adopt
      asks, writes an undo file, then the changes
  cni-steward adopt --owner flux --absorb 'kubectl*' --yes
      for Flux's helm-controller, and with what people changed with kubectl; does not ask
  cni-steward adopt --undo cni-steward-undo-CLUSTER-TIME.json
      puts everything back, as far as nobody else changed it since

Exit status: 0 adopted or nothing to do, 1 refused or not whole, 2 usage or environment.";

/// Arguments of `adopt`.
#[derive(Debug, clap::Args)]
pub struct AdoptArgs {
    /// Policy file [default: the one of the cni-steward in the cluster; else owner helm, release kube-system/aws-vpc-cni].
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_POLICY")]
    policy: Option<PathBuf>,
    /// Who shall own the VPC CNI, instead of the policy's owner.
    #[arg(long, value_enum, value_name = "OWNER", conflicts_with = "policy")]
    owner: Option<Tool>,
    /// The Helm release that shall own it, instead of the policy's.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = release, conflicts_with = "policy")]
    release: Option<Release>,
    /// Move the fields of these managers too (`*` stands for anything); the plan names them. May be given several times.
    #[arg(long, value_name = "GLOB")]
    absorb: Vec<String>,
    /// State that there is no managed add-on (aws eks describe-addon --addon-name vpc-cni finds none).
    #[arg(long)]
    managed_addon_absent: bool,
    /// Say also what Helm will answer: what `helm template --include-crds` printed.
    #[arg(long, value_name = "FILE")]
    chart_manifest: Option<PathBuf>,
    /// Where to write how things stood [default: cni-steward-undo-CLUSTER-TIME.json in the current folder].
    #[arg(long, value_name = "FILE")]
    undo_file: Option<PathBuf>,
    /// Put back what this undo file tells of.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "owner", "release", "absorb", "managed_addon_absent", "chart_manifest", "undo_file", "output"])]
    undo: Option<PathBuf>,
    /// How to print the plan.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    reach: ReachArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Sentences and paths.
    Text,
    /// For scripts: apiVersion cni-steward.dev/v1alpha1, kind `AdoptionPlan`.
    Json,
}

/// Tools that may own the VPC CNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Helm's command line.
    Helm,
    /// Flux's helm-controller.
    Flux,
    /// Argo CD; without a Helm release.
    Argocd,
}

fn release(text: &str) -> Result<Release, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Release { name: name.to_owned(), namespace: namespace.to_owned() })
        }
        _ => Err("expected NAMESPACE/NAME, as in kube-system/aws-vpc-cni".into()),
    }
}

/// Runs the command.
pub fn run(args: &AdoptArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let cluster = args.reach.connect().await?;
        if let Some(file) = &args.undo {
            return undo::run(file, &cluster, args.consent).await;
        }
        args.adopt(&cluster).await
    })
}

impl AdoptArgs {
    async fn adopt(&self, cluster: &Cluster) -> anyhow::Result<ExitCode> {
        let given = self.policy.as_deref().map(policy_file::read).transpose()?;
        let live = inventory::read(cluster, inventory::Wish { policy: given }).await?;
        let place = self.seen(&live)?;
        let policy = self.policy(&live)?;
        let absorb: Vec<Pattern> = self.absorb.iter().map(Pattern::new).collect();
        let wish = Wish { policy: &policy, absorb: &absorb, addon_absent: self.managed_addon_absent };
        let chart = helm::Chart::of(self.chart_manifest.as_deref(), &policy)?;
        let stored = stored(&live);
        let mut plan = adopt::plan(&stored, &wish, cluster.now());
        self.notes(&live, &policy, &mut plan);

        let answers = chart.as_ref().map(|chart| helm::Answers::of(chart, &stored, &plan));
        let told = text::Told { place: &place, policy: &policy, from: &live.policy_from, plan: &plan };
        print(&match self.output {
            Output::Text => text::plan(&told, answers.as_ref(), &live),
            Output::Json => json::plan(&told, answers.as_ref())?,
        })?;
        if !plan.refusals.is_empty() {
            for refusal in &plan.refusals {
                say(&format!("refused: {}\n  {}", refusal.message, refusal.next));
            }
            say("nothing was changed");
            return Ok(ExitCode::from(1));
        }
        if plan.changes().next().is_none() {
            return Ok(ExitCode::SUCCESS);
        }
        let question = format!("Change the metadata of {} objects at {}?", plan.changes().count(), place.url);
        match self.consent.ask(&question, &self.again("--yes"))? {
            Answer::PlanOnly => return Ok(ExitCode::SUCCESS),
            Answer::Refused => return Ok(ExitCode::from(1)),
            Answer::Go => {}
        }
        carry_out::rehearse(cluster, &plan).await?;
        let interrupt = Interrupt::listen()?;
        let mut file = self.undo_file(&place, &policy, &stored, &plan)?;
        let effective = adopt::effective(&wish);
        let mut work = carry_out::Work {
            cluster,
            writer: &Writer::operator(),
            policy: &effective,
            file: &mut file,
            interrupt: &interrupt,
            again: self.again("--yes"),
            done: 0,
            total: plan.changes().map(adopt::ObjectPlan::writes).sum(),
        };
        work.all(&stored, &plan).await
    }

    /// What has to be seen before anything can be planned.
    fn seen(&self, live: &Inventory) -> anyhow::Result<Place> {
        let blind = live.targets.iter().filter(|item| matches!(item.state, Presence::Unseen));
        let mut missing: Vec<String> = Vec::new();
        for item in blind {
            let same = |unseen: &&Unseen| {
                unseen.resource == item.reference.resource() && unseen.name == item.reference.name()
            };
            missing.push(match live.unseen.iter().find(same) {
                Some(unseen) => sentence(unseen),
                None => format!("cannot read {}", item.reference),
            });
        }
        let uid = live.uid.clone().unwrap_or_default();
        if uid.is_empty() {
            let namespace = |unseen: &&Unseen| unseen.resource == "namespaces";
            missing.push(match live.unseen.iter().find(namespace) {
                Some(unseen) => format!("{}; its uid tells this cluster from others", sentence(unseen)),
                None => "Namespace kube-system has no uid, which tells this cluster from others".into(),
            });
        }
        if !missing.is_empty() {
            bail!("nothing was changed: what is installed could not be seen:\n  {}", missing.join("\n  "));
        }
        Ok(Place { uid, url: live.server.clone() })
    }

    /// The policy that says who shall own it.
    fn policy(&self, live: &Inventory) -> anyhow::Result<Policy> {
        let mut policy = match &live.policy_from {
            PolicySource::Given | PolicySource::Installed(..) => live.policy.clone(),
            PolicySource::Nowhere => Policy::with_mode(Mode::Adopt),
            PolicySource::Broken(why) => {
                bail!(
                    "the policy in the cluster cannot be used: {why}. Repair it, or give one with --policy FILE"
                )
            }
        };
        for warning in policy.warnings() {
            say(&format!("warning: {warning}"));
        }
        if self.owner.is_none() && self.release.is_none() {
            return Ok(policy);
        }
        let before = policy.owner.clone();
        let fallback = || Release { name: "aws-vpc-cni".into(), namespace: "kube-system".into() };
        let release = self.release.clone().or(policy.owner.release.clone());
        policy.owner = match self.owner {
            None => Owner { release, ..policy.owner },
            Some(Tool::Helm) => owner("helm", Some(release.unwrap_or_else(fallback))),
            Some(Tool::Flux) => owner("helm-controller", Some(release.unwrap_or_else(fallback))),
            Some(Tool::Argocd) if self.release.is_some() => {
                bail!("Argo CD installs no Helm release: leave --release out")
            }
            Some(Tool::Argocd) => owner("argocd-controller", None),
        };
        if matches!(live.policy_from, PolicySource::Installed(..)) && before != policy.owner {
            say(&format!(
                "warning: the policy of the cni-steward in this cluster names owner {}; in mode Adopt it would take back \
                 what is adopted for {}, so set the owner there first",
                before.manager, policy.owner.manager
            ));
        }
        Ok(policy)
    }

    /// What is worth knowing about the rest of the cluster.
    fn notes(&self, live: &Inventory, policy: &Policy, plan: &mut Plan) {
        let Some(release) = &policy.owner.release else { return };
        let own = |name: &str, namespace: &str| name == release.name && namespace == release.namespace;
        for found in live.releases.iter().filter(|found| own(&found.name, &found.namespace)) {
            plan.notes.push(format!(
                "release {release} is there already (revision {}, {}): `helm upgrade` it, `helm install` will say that the name \
                 is in use",
                found.revision, found.status
            ));
        }
        for found in live.flux.iter().filter(|found| policy.owner.manager == "helm" && !found.suspended) {
            plan.notes.push(format!(
                "Flux installs the VPC CNI as HelmRelease {}/{}: it would take the fields from helm again; adopt for it with \
                 --owner flux",
                found.namespace, found.name
            ));
        }
    }

    /// A new undo file, or the one of a run that was cut off.
    fn undo_file(
        &self,
        place: &Place,
        policy: &Policy,
        stored: &[Stored<'_>],
        plan: &Plan,
    ) -> anyhow::Result<UndoFile> {
        let host = place.url.split("//").last().unwrap_or_default();
        if let Some(file) = self.interrupted(place, host, plan)? {
            return Ok(file);
        }
        let now = clock::now();
        let path = self.undo_file.clone().unwrap_or_else(|| undo_file::default_path(host, now));
        let objects = plan.changes().filter_map(|object| saved(object, stored)).collect();
        let undo = Undo {
            command: "adopt".into(),
            made_at: now,
            policy: policy.hash().to_owned(),
            cluster: place.clone(),
            objects,
            marks: Vec::new(),
        };
        let file = UndoFile::create(&path, &undo)?;
        say(&format!("how things stood is in {}", path.display()));
        Ok(file)
    }

    /// The undo file of a run that did not end, if it knows all objects that are left to write.
    fn interrupted(&self, place: &Place, host: &str, plan: &Plan) -> anyhow::Result<Option<UndoFile>> {
        let candidates = match &self.undo_file {
            Some(path) if path.exists() => vec![path.clone()],
            Some(_) => return Ok(None),
            None => undo_file::of_cluster(Path::new("."), host),
        };
        for path in candidates {
            let named = self.undo_file.is_some();
            let (undo, _) = match undo_file::read(&path) {
                Ok(read) => read,
                Err(error) if named => return Err(error),
                Err(_) => continue,
            };
            let knows = |object: &adopt::ObjectPlan| {
                let same = |saved: &Saved| {
                    saved.to_string() == object.to_string()
                        && Metadata::of(&saved.before).is_ok_and(|before| before.uid == object.before.uid)
                };
                undo.objects.iter().any(same)
            };
            if undo.unfinished()
                && undo.command == "adopt"
                && undo.cluster.uid == place.uid
                && plan.changes().all(knows)
            {
                let (file, _) = UndoFile::open(&path)?;
                say(&format!(
                    "going on with the run that was cut off; how things stood before it is in {}",
                    path.display()
                ));
                return Ok(Some(file));
            }
            if named {
                bail!(
                    "{} is there already and is not the file of a run that was cut off here; nothing was changed. Name another \
                     file with --undo-file",
                    path.display()
                );
            }
        }
        Ok(None)
    }

    /// The command line to type again, with one more word.
    fn again(&self, more: &str) -> String {
        let mut words = vec!["cni-steward".to_owned()];
        words.extend(std::env::args().skip(1).filter(|word| word != more));
        words.push(more.to_owned());
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

fn owner(manager: &str, release: Option<Release>) -> Owner {
    Owner { manager: manager.to_owned(), release }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn sentence(unseen: &Unseen) -> String {
    let Unseen { verb, resource, namespace, name, why, .. } = unseen;
    let place = namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let flag = namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    format!(
        "cannot {verb} {resource} {place}{name}: {why}; check it with: kubectl auth can-i {verb} {resource}/{name}{flag}"
    )
}

/// The targets of the policy as they are stored.
fn stored(live: &Inventory) -> Vec<Stored<'_>> {
    live.targets
        .iter()
        .filter_map(|item| {
            Some(Stored { target: item.target()?, text: item.live().map(|live| RawValue::get(&live.text)) })
        })
        .collect()
}

fn saved(object: &adopt::ObjectPlan, stored: &[Stored<'_>]) -> Option<Saved> {
    let found = stored.iter().find(|one| one.target.to_string() == object.to_string())?;
    let group = found.target.kind.group_resource().0;
    Some(Saved {
        api_version: if group.is_empty() { "v1".into() } else { format!("{group}/v1") },
        kind: object.kind.name().to_owned(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        before: found.text?.to_owned(),
        after: After::Changed(object.after.clone()),
    })
}
