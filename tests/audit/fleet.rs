//! A fleet for the tests: clusters of every kind, in any number.

use cni_steward::audit::{Finding, Gap, Report, Row, Seen};

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
        1 => Ok(seen(index, "Helm release kube-system/aws-vpc-cni", "eks", "Adopt", &[])),
        2 => Ok(seen(index, "EKS (self-managed)", "eks", "", &[UNADOPTED, NO_WEBHOOK])),
        3 => gap("timeout", "cannot get daemonsets.apps kube-system/aws-node: no answer within 5s"),
        4 => Ok(seen(index, "Flux HelmRelease flux-system/vpc-cni", "flux", "Observe", &[FIGHT])),
        6 => gap(
            "forbidden",
            "cannot get daemonsets.apps kube-system/aws-node: daemonsets.apps \"aws-node\" is forbidden: User \"joe\" cannot get \
             resource \"daemonsets\" in API group \"apps\" in the namespace \"kube-system\" (status 403); check the role with: \
             kubectl auth can-i get daemonsets.apps/aws-node -n kube-system --as=joe",
        ),
        8 => Ok(seen(index, "managed add-on", "eks", "", &[])),
        _ => Ok(seen(index, "Helm release kube-system/aws-vpc-cni", "helm", "Block", &[])),
    }
}

type Told = (&'static str, &'static str);
const UNADOPTED: Told = ("CS101", "No Helm release owns the VPC CNI: helm install will refuse it");
const NO_WEBHOOK: Told = ("CS301", "No webhook of cni-steward is registered in this cluster");
const FIGHT: Told = ("CS204", "Two writers change the same paths back and forth: flux and argocd-controller");

fn seen(index: usize, owner: &str, installed_by: &str, mode: &str, findings: &[Told]) -> Seen {
    Seen {
        owner: owner.to_owned(),
        installed_by: installed_by.to_owned(),
        cni: format!("v1.{}.{}", 9 + index * 7 % 14, index % 5),
        kubernetes: format!("v1.{}.{}-eks-3cfe0ce", 29 + index % 6, index * 3 % 11),
        mode: mode.to_owned(),
        findings: findings
            .iter()
            .map(|(code, message)| Finding { code: (*code).to_owned(), message: (*message).to_owned() })
            .collect(),
    }
}
