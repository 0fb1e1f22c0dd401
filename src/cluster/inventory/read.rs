//! Fills the read model: three rounds of questions, those of a round all at once.
//!
//! The first question is asked alone: it says whether the cluster can be reached and whether we are somebody to it, and a
//! credential plugin runs once. Whose names are looked for is known after the first round, which releases after the second.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ask::{self, Answer, Question, Type};
use super::installation::{Installation, Webhook};
use super::network::{Network, ready_on, selector};
use super::orphan::{self, Orphan};
use super::release::{self, FluxRelease, HelmRelease};
use super::{Fight, Inventory, Item, Live, Node, PolicySource, Presence, Unseen, text};
use crate::cluster::instance::Place;
use crate::cluster::{ApiError, Cluster, Query, Reference};
use crate::policy::rules::Names;
use crate::policy::{Kind, Policy, Target};

const SECRET: Type = ("", "v1", "secrets", "Secret");
const CONFIG_MAP: Type = ("", "v1", "configmaps", "ConfigMap");
const NAMESPACE: Type = ("", "v1", "namespaces", "Namespace");
const NODE: Type = ("", "v1", "nodes", "Node");
const POD: Type = ("", "v1", "pods", "Pod");
const EVENT: Type = ("", "v1", "events", "Event");
const DAEMON_SET: Type = ("apps", "v1", "daemonsets", "DaemonSet");
const DEPLOYMENT: Type = ("apps", "v1", "deployments", "Deployment");
const LEASE: Type = ("coordination.k8s.io", "v1", "leases", "Lease");
const WEBHOOKS: Type =
    ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration");
const HELM_RELEASE: Type = ("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease");
const HELM_RELEASE_BEFORE: Type = ("helm.toolkit.fluxcd.io", "v2beta2", "helmreleases", "HelmRelease");

/// What to look for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The policy of the person; without one, the one that is installed in the cluster counts.
    pub policy: Option<Policy>,
}

/// Reads what is live. An error only if the cluster cannot be reached or does not know us.
pub async fn read(cluster: &Cluster, wish: Wish) -> Result<Inventory, ApiError> {
    let version = cluster.version().await?;
    let mut reading = Reading { cluster, unseen: Vec::new() };
    let (webhooks, mut installations) = reading.installations().await;
    let (policy, policy_from) = reading.policy(wish.policy, &installations).await;
    let names = policy.targets.clone();

    let mut questions = targets(&names);
    let count = questions.len();
    questions.extend([
        Question::get(NAMESPACE, None, "kube-system"),
        Question::get(DAEMON_SET, Some("kube-system"), "kube-proxy"),
        Question::get(DEPLOYMENT, Some("kube-system"), "coredns"),
        Question::list(NODE, None, Query::default()),
        Question::list(DAEMON_SET, None, Query::default()),
        Question::list(HELM_RELEASE, None, Query::default()),
        Question::list(EVENT, Some(&names.namespace), contests()),
    ]);
    questions.extend(installations.iter().map(|one| Question::get(LEASE, Some(&one.namespace), &one.name)));
    let mut answers = reading.ask(questions).await.into_iter();
    let targets: Vec<Item> = answers.by_ref().take(count).map(|answer| answer.item(&names)).collect();
    let mut next = || answers.next().unwrap_or_default();
    let uid = next().value().and_then(|namespace| text(&namespace, "/metadata/uid").map(str::to_owned));
    let neighbours = vec![next().item(&names), next().item(&names)];
    let mut nodes: Vec<Node> = next().values().iter().filter_map(Node::of).collect();
    let daemon_sets = next().values();
    let flux = next();
    let fights = next().values().iter().filter_map(fight).collect();
    for installation in &mut installations {
        if let Some(lease) = next().value() {
            installation.leads(&lease);
        }
    }
    drop(answers);

    let mut networks: Vec<Network> = daemon_sets.iter().filter_map(Network::of).collect();
    let asked = release::asked(
        policy.owner.release.as_ref().map(|release| (&*release.namespace, &*release.name)),
        &targets,
    );
    let own = targets.iter().find(|item| item.kind == Some(Kind::DaemonSet)).map(|item| &item.state);
    let before = flux.absent;
    let last = reading.last_round(&mut networks, own, &names, &asked, before).await;
    for node in &mut nodes {
        node.vpc_cni = last.vpc_cni.contains(&node.name);
    }
    let flux = if before { last.flux } else { flux.values() };
    Ok(Inventory {
        server: cluster.url(),
        version,
        uid,
        policy,
        policy_from,
        neighbours,
        releases: last.releases,
        flux: FluxRelease::relevant(&flux, &asked, &targets),
        targets,
        nodes,
        networks,
        installations,
        webhooks,
        fights,
        orphans: last.orphans,
        unseen: reading.unseen,
    })
}

struct Reading<'c> {
    cluster: &'c Cluster,
    unseen: Vec<Unseen>,
}

/// What the last round brings.
#[derive(Default)]
struct Last {
    releases: Vec<HelmRelease>,
    flux: Vec<Value>,
    vpc_cni: BTreeSet<String>,
    orphans: Vec<Orphan>,
}

impl Reading<'_> {
    async fn ask(&mut self, questions: Vec<Question>) -> Vec<Answer> {
        ask::all(self.cluster, questions, &mut self.unseen).await
    }

    /// Where we are installed: where a webhook leads, and where a Deployment is labelled as ours.
    async fn installations(&mut self) -> (Vec<Webhook>, Vec<Installation>) {
        let label = Query::labelled("app.kubernetes.io/name=cni-steward");
        let questions =
            vec![Question::list(WEBHOOKS, None, Query::default()), Question::list(DEPLOYMENT, None, label)];
        let answers = self.ask(questions).await;
        let mut answers = answers.iter().map(Answer::values);
        let webhooks: Vec<_> = answers.next().unwrap_or_default().iter().filter_map(Webhook::of).collect();
        let deployments = answers.next().unwrap_or_default();
        let seen_all = !self.unseen.iter().any(|unseen| unseen.resource == "deployments.apps");
        let mut places: Vec<Place> = webhooks.iter().filter_map(Webhook::leads_to).collect();
        let placed = |deployment: &Value| {
            let namespace = text(deployment, "/metadata/namespace")?.to_owned();
            Some(Place { namespace, name: text(deployment, "/metadata/name")?.to_owned() })
        };
        places.extend(deployments.iter().filter_map(placed));
        let mut found: Vec<Installation> = Vec::new();
        for place in places {
            let mut one = Installation::new(place.clone());
            match deployments.iter().find(|deployment| placed(deployment).as_ref() == Some(&place)) {
                Some(deployment) => one.deployed(deployment),
                None => one.missing = seen_all,
            }
            if !found.iter().any(|other| other.namespace == one.namespace && other.name == one.name) {
                found.push(one);
            }
        }
        (webhooks, found)
    }

    /// The policy that counts: the person's, else the installed one, else the defaults.
    async fn policy(&mut self, given: Option<Policy>, ours: &[Installation]) -> (Policy, PolicySource) {
        if let Some(policy) = given {
            return (policy, PolicySource::Given);
        }
        for one in ours {
            let name = format!("{}-policy", one.name);
            let answer = self.ask(vec![Question::get(CONFIG_MAP, Some(&one.namespace), &name)]).await;
            let Some(stored) = answer.first().and_then(Answer::value) else {
                // The first that cannot be seen ends this, so it is of this namespace.
                match self.unseen.iter().find(|unseen| unseen.is_of("configmaps", &name)) {
                    Some(unseen) => return (Policy::default(), PolicySource::Unseen(unseen.clone())),
                    None => continue,
                }
            };
            let place = format!("ConfigMap {}/{name}", one.namespace);
            let text = stored.get("data").and_then(|data| data.get("policy.yaml")).and_then(Value::as_str);
            return match Policy::parse(&place, text.unwrap_or_default()) {
                Ok(policy) => (policy, PolicySource::Installed(one.namespace.clone(), name)),
                Err(error) => (Policy::default(), PolicySource::Broken(error.to_string())),
            };
        }
        (Policy::default(), PolicySource::Nowhere)
    }

    /// What can only be asked once the targets are known: where each network runs, and Helm's records.
    async fn last_round(
        &mut self,
        networks: &mut [Network],
        own: Option<&Presence>,
        names: &Names,
        releases: &BTreeSet<release::Name>,
        flux_before: bool,
    ) -> Last {
        let mut questions = Vec::new();
        for network in networks.iter() {
            let pods = Query::labelled(network.selector.clone());
            questions.push(Question::list(POD, Some(&network.namespace), pods));
            if !network.settings.is_empty() {
                questions.push(Question::get(CONFIG_MAP, Some(&network.namespace), &network.settings));
            }
        }
        let of_live = |live: &Live| serde_json::from_str(live.text.get()).ok().map(|own| selector(&own));
        let labels = match own {
            Some(Presence::Stands(live)) => of_live(live),
            Some(Presence::Absent) => Some(orphan::LABEL.to_owned()),
            _ => None,
        };
        if let Some(labels) = labels {
            questions.push(Question::list(POD, Some(&names.namespace), Query::labelled(labels)));
        }
        let namespaces: BTreeSet<&String> = releases.iter().map(|(namespace, _)| namespace).collect();
        for namespace in namespaces {
            let called: Vec<&str> =
                releases.iter().filter(|(of, _)| of == namespace).map(|(_, name)| &**name).collect();
            let labels = format!("owner=helm,name in ({})", called.join(","));
            let query = Query { metadata_only: true, ..Query::labelled(labels) };
            questions.push(Question::list(SECRET, Some(namespace), query));
        }
        if flux_before {
            questions.push(Question::list(HELM_RELEASE_BEFORE, None, Query::default()));
        }
        let mut last = Last::default();
        for answer in self.ask(questions).await {
            let Some(reference) = &answer.reference else { continue };
            let namespace = reference.namespace().unwrap_or_default();
            match reference.kind() {
                "Pod" => {
                    let pods = answer.values();
                    for network in networks.iter_mut().filter(|network| network.namespace == namespace) {
                        network.ready_on.extend(ready_on(&pods, &network.name));
                    }
                    if namespace == names.namespace {
                        last.vpc_cni.extend(ready_on(&pods, &names.name));
                    }
                    if namespace == names.namespace && matches!(own, Some(Presence::Absent)) {
                        last.orphans.extend(pods.iter().filter_map(|pod| Orphan::of(pod, &names.name)));
                    }
                }
                "ConfigMap" => {
                    let Some(settings) = answer.value() else { continue };
                    let theirs = |network: &&mut Network| {
                        network.namespace == namespace && network.settings == reference.name()
                    };
                    networks.iter_mut().filter(theirs).for_each(|network| network.configured(&settings));
                }
                "Secret" => last.releases.extend(HelmRelease::newest(&answer.values())),
                _ => last.flux = answer.values(),
            }
        }
        last
    }
}

fn targets(names: &Names) -> Vec<Question> {
    let question = |target: Target<'_>| Question { reference: Reference::target(&target), query: None };
    Target::all(names).into_iter().map(question).collect()
}

/// Events of our reconcilers about repairs that somebody changes back.
fn contests() -> Query {
    Query { fields: "reason=Contested,source=cni-steward.dev/cni-steward".into(), ..Query::default() }
}

fn fight(event: &Value) -> Option<Fight> {
    let kind = text(event, "/involvedObject/kind")?;
    let name = text(event, "/involvedObject/name")?;
    let when = text(event, "/lastTimestamp").or(text(event, "/eventTime"))?;
    Some(Fight {
        object: format!("{kind} {name}"),
        note: text(event, "/message").unwrap_or_default().to_owned(),
        when: when.to_owned(),
    })
}
