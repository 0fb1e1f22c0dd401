//! `export webhook`: the `MutatingWebhookConfiguration` that makes an API server call us.
//!
//! One entry for the namespaced kinds and one with `scope: Cluster`, because `namespaceSelector` does not restrict
//! cluster-scoped objects. From Kubernetes 1.28 on `matchConditions` name the objects; below, the API server knows only
//! selectors: the labelled kinds are selected by `k8s-app`, and CRDs, whose one of ours has no label, come unselected and
//! are answered from the head (DESIGN §7). The caBundle is the user's; nothing here makes certificates.

pub mod policies;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
    WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::policy_from;
use super::terminal::print;
use crate::policy::Kind;
use crate::policy::rules::Names;
use crate::policy::target::SCHEMA;

/// First Kubernetes minor whose API server has `matchConditions` on by default (KEP-3716).
const MATCH_CONDITIONS: u32 = 28;
/// Oldest Kubernetes minor that is tested.
const OLDEST: u32 = 24;

/// What the command does, in a line.
pub const ABOUT: &str = "The `MutatingWebhookConfiguration` that makes an API server call us, as YAML";
/// Shown under `--help`.
const EXAMPLES: &str = "\
Examples:
  cni-steward export webhook --url https://127.0.0.1:9443/mutate --ca STATE/ca.crt | kubectl apply -f -
      an API server that reaches this machine (`serve --standalone` prints this line with its own paths)
  cni-steward export webhook --service kube-system/cni-steward:9443 --ca ca.crt --kube-version 1.24
      a Service, on a cluster that has no matchConditions yet";

/// Arguments of `export webhook`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("where").required(true))]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct WebhookArgs {
    /// Where the API server reaches us directly, e.g. <https://127.0.0.1:9443/mutate>.
    #[arg(long, group = "where")]
    url: Option<String>,
    /// The Service in front of us.
    #[arg(long, group = "where", value_name = "NS/NAME[:PORT]")]
    service: Option<String>,
    /// PEM file with the CA that signed our certificate; without it the API server's own trust roots decide.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The API server's version; below 1.28 selectors stand in for matchConditions.
    #[arg(long, value_name = "1.MINOR", default_value = "1.28")]
    kube_version: String,
    /// Policy file, for targets that have other names.
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_POLICY")]
    policy: Option<PathBuf>,
}

/// Prints the configuration as YAML.
pub fn webhook(args: &WebhookArgs) -> anyhow::Result<ExitCode> {
    let names = policy_from(args.policy.as_deref())?.targets;
    let client_config = WebhookClientConfig {
        ca_bundle: args.ca.as_ref().map(ca_bundle).transpose()?,
        service: args.service.as_deref().map(service).transpose()?,
        url: args.url.as_deref().map(url).transpose()?,
    };
    let minor = minor(&args.kube_version)?;
    let webhooks = if minor >= MATCH_CONDITIONS { by_condition(&names) } else { by_selector(&names) };
    let configuration = MutatingWebhookConfiguration {
        metadata: ObjectMeta { name: Some("cni-steward".into()), ..ObjectMeta::default() },
        webhooks: Some(webhooks.into_iter().map(|entry| entry.complete(&client_config)).collect()),
    };
    print(&serde_saphyr::to_string(&configuration).context("the configuration cannot be written as YAML")?)?;
    Ok(ExitCode::SUCCESS)
}

/// What differs between the entries.
struct Entry {
    name: &'static str,
    kinds: Vec<Kind>,
    scope: &'static str,
    conditions: Option<Vec<MatchCondition>>,
    namespace: Option<LabelSelector>,
    labelled: Option<LabelSelector>,
}

impl Entry {
    fn complete(self, client_config: &WebhookClientConfig) -> MutatingWebhook {
        let text = |text: &str| Some(text.to_owned());
        let mut rules: Vec<RuleWithOperations> = Vec::new();
        for kind in self.kinds {
            let (group, resource) = kind.group_resource();
            let same_group = |rule: &&mut RuleWithOperations| {
                rule.api_groups.as_ref().is_some_and(|groups| groups.iter().any(|known| known == group))
            };
            if let Some(resources) =
                rules.iter_mut().find(same_group).and_then(|rule| rule.resources.as_mut())
            {
                resources.push(resource.to_owned());
                continue;
            }
            rules.push(RuleWithOperations {
                api_groups: Some(vec![group.to_owned()]),
                api_versions: Some(vec!["v1".to_owned()]),
                operations: Some(vec!["CREATE".to_owned(), "UPDATE".to_owned()]),
                resources: Some(vec![resource.to_owned()]),
                scope: text(self.scope),
            });
        }
        MutatingWebhook {
            admission_review_versions: vec!["v1".to_owned()],
            client_config: client_config.clone(),
            failure_policy: text("Ignore"),
            match_conditions: self.conditions,
            match_policy: text("Equivalent"),
            name: self.name.to_owned(),
            namespace_selector: self.namespace,
            object_selector: self.labelled,
            reinvocation_policy: text("IfNeeded"),
            rules: Some(rules),
            side_effects: "NoneOnDryRun".to_owned(),
            timeout_seconds: Some(3),
        }
    }
}

const NAMESPACED: &str = "namespaced.cni-steward.dev";
const CLUSTER: &str = "cluster.cni-steward.dev";

fn kinds(wanted: impl Fn(Kind) -> bool) -> Vec<Kind> {
    Kind::ALL.into_iter().filter(|kind| wanted(*kind)).collect()
}

fn in_namespace(names: &Names) -> LabelSelector {
    // Set on every namespace by the API server itself since 1.21.
    select("kubernetes.io/metadata.name", &names.namespace)
}

fn select(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some([(key.to_owned(), value.to_owned())].into()),
        ..LabelSelector::default()
    }
}

// A name that the API server has yet to make up is not there: an error then would have `failurePolicy: Fail` refuse the write.
fn by_condition(names: &Names) -> Vec<Entry> {
    let named =
        |expression: String| Some(vec![MatchCondition { name: "vpc-cni-by-name".to_owned(), expression }]);
    vec![
        Entry {
            name: NAMESPACED,
            kinds: kinds(Kind::namespaced),
            scope: "Namespaced",
            conditions: named(format!(
                "has(request.name) && (request.name == '{}' \
                 || (request.resource.resource == 'configmaps' && request.name == '{}'))",
                names.name, names.settings
            )),
            namespace: Some(in_namespace(names)),
            labelled: None,
        },
        Entry {
            name: CLUSTER,
            kinds: kinds(|kind| !kind.namespaced()),
            scope: "Cluster",
            conditions: named(format!(
                "has(request.name) && (request.resource.resource == 'customresourcedefinitions' \
                 ? request.name == '{SCHEMA}' : request.name == '{}')",
                names.name
            )),
            namespace: None,
            labelled: None,
        },
    ]
}

fn by_selector(names: &Names) -> Vec<Entry> {
    let labelled = || Some(select("k8s-app", "aws-node"));
    vec![
        Entry {
            name: NAMESPACED,
            kinds: kinds(Kind::namespaced),
            scope: "Namespaced",
            conditions: None,
            namespace: Some(in_namespace(names)),
            labelled: labelled(),
        },
        Entry {
            name: CLUSTER,
            kinds: kinds(|kind| !kind.namespaced() && kind.stamped()),
            scope: "Cluster",
            conditions: None,
            namespace: None,
            labelled: labelled(),
        },
        Entry {
            name: "schema.cni-steward.dev",
            kinds: kinds(|kind| !kind.stamped()),
            scope: "Cluster",
            conditions: None,
            namespace: None,
            labelled: None,
        },
    ]
}

fn minor(version: &str) -> anyhow::Result<u32> {
    let number = version.trim_start_matches('v').strip_prefix("1.").and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    match number {
        Some(minor) if minor >= OLDEST => Ok(minor),
        Some(_) => bail!("--kube-version {version}: the oldest supported Kubernetes is 1.{OLDEST}"),
        None => bail!("--kube-version {version}: expected a Kubernetes version such as 1.30"),
    }
}

fn url(url: &str) -> anyhow::Result<String> {
    let host = url
        .strip_prefix("https://")
        .with_context(|| format!("--url {url}: the API server calls https only"))?;
    if host.is_empty() || host.starts_with('/') || host.contains(['?', '#', '@']) {
        bail!("--url {url}: expected https://HOST[:PORT]/mutate, without user, query or fragment");
    }
    if !url.ends_with("/mutate") {
        bail!("--url {url}: the path must be /mutate");
    }
    Ok(url.to_owned())
}

fn service(reference: &str) -> anyhow::Result<ServiceReference> {
    let expected = || format!("--service {reference}: expected NAMESPACE/NAME or NAMESPACE/NAME:PORT");
    let (namespace, name) = reference.split_once('/').with_context(expected)?;
    let (name, port) = match name.split_once(':') {
        Some((name, port)) => {
            (name, Some(port.parse::<u16>().ok().filter(|port| *port > 0).with_context(expected)?))
        }
        None => (name, None),
    };
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        bail!(expected());
    }
    Ok(ServiceReference {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        path: Some("/mutate".to_owned()),
        port: port.map(i32::from),
    })
}

fn ca_bundle(file: &PathBuf) -> anyhow::Result<ByteString> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;
    let place = || format!("--ca {}", file.display());
    let pem = std::fs::read(file).with_context(place)?;
    if String::from_utf8_lossy(&pem).contains("PRIVATE KEY") {
        bail!(
            "--ca {}: it holds a private key, which must not leave this machine; give certificates only",
            file.display()
        );
    }
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.with_context(place)?;
        x509_parser::parse_x509_certificate(&certificate).ok().with_context(|| {
            format!("--ca {}: item {} is not an X.509 certificate", file.display(), count + 1)
        })?;
        count += 1;
    }
    if count == 0 {
        bail!("--ca {}: no PEM certificate in it", file.display());
    }
    Ok(ByteString(pem))
}
