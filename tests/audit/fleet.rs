//! A fleet for the tests: clusters of every kind, in any number.

use cni_steward::audit::{Gap, Report, Row, Seen};
use cni_steward::findings::{Certainty, Code, Finding, Owner};

pub(crate) const PROGRAM: &str = "cni-steward";

/// `size` clusters, the same ones each time.
pub(crate) fn fleet(size: usize) -> Report {
    Report { time: "2026-11-26T15:04:05Z".parse().unwrap(), rows: (0..size).map(row).collect() }
}

fn row(index: usize) -> Row {
    let regions = ["eu-west-1", "us-east-1", "ap-northeast-1"];
    let stages = ["prod", "staging", "dev"];
    let (region, stage) = (regions[index % 3], stages[index / 3 % 3]);
    let context = match index {
        1 => format!("arn:aws:eks:{region}:111122223333:cluster/payments-{stage}"),
        2 => "<script>alert(1)</script>".to_owned(),
        7 => "生产集群".to_owned(),
        _ => format!("{stage}-{region}-{}", index + 1),
    };
    let server = format!("https://{:032X}.gr7.{region}.eks.amazonaws.com:443", index + 1);
    Row { context, server, outcome: outcome(index) }
}

fn outcome(index: usize) -> Result<Seen, Gap> {
    let gap = |reason, message: &str| Err(Gap { reason, message: message.to_owned() });
    match index % 10 {
        1 => Ok(seen(index, Owner::Helm, "eks", "Adopt", &[])),
        2 => Ok(seen(index, Owner::Eks, "eks", "", &[INCOMPLETE, UNCLAIMED])),
        3 => gap("timeout", "cannot reach the API server: no answer within 5s"),
        4 => Ok(seen(index, Owner::Flux, "flux", "Observe", &[SHARED])),
        6 => gap(
            "forbidden",
            "cannot get daemonsets.apps aws-node: daemonsets.apps \"aws-node\" is forbidden: User \"joe\" cannot get \
             resource \"daemonsets\" in API group \"apps\" in the namespace \"kube-system\" (status 403); check the role with: \
             kubectl auth can-i get daemonsets.apps/aws-node -n kube-system --as=joe",
        ),
        8 => Ok(seen(index, Owner::Eks, "eks", "", &[UNCLAIMED])),
        _ => Ok(seen(index, Owner::Helm, "helm", "Block", &[])),
    }
}

type Told = (Code, &'static str, &'static str);
const INCOMPLETE: Told = (
    Code::Incomplete,
    "ServiceAccount, ClusterRole aws-node are missing, the other objects are there",
    "helm upgrade aws-vpc-cni eks/aws-vpc-cni -n kube-system",
);
const UNCLAIMED: Told = (
    Code::Unclaimed,
    "no release claims the objects: helm install will refuse them",
    "cni-steward adopt --plan",
);
const SHARED: Told = (
    Code::SharedFields,
    "kubectl holds 3 fields of DaemonSet aws-node beside the owner",
    "cni-steward adopt --plan",
);

fn seen(index: usize, owner: Owner, installed_by: &str, mode: &str, findings: &[Told]) -> Seen {
    let release = |name: &str| Some(("kube-system".to_owned(), name.to_owned()));
    Seen {
        owner,
        certainty: if owner == Owner::Eks { Certainty::Likely } else { Certainty::Certain },
        release: match owner {
            Owner::Helm => release("aws-vpc-cni"),
            Owner::Flux => release("vpc-cni"),
            _ => None,
        },
        installed_by: installed_by.to_owned(),
        cni: format!("v1.{}.{}", 9 + index * 7 % 14, index % 5),
        kubernetes: format!("v1.{}.{}-eks-3cfe0ce", 29 + index % 6, index * 3 % 11),
        mode: mode.to_owned(),
        findings: findings
            .iter()
            .map(|(code, message, next)| Finding {
                code: *code,
                message: (*message).to_owned(),
                objects: vec!["DaemonSet kube-system/aws-node".to_owned()],
                next: (*next).to_owned(),
            })
            .collect(),
    }
}
