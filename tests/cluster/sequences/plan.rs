//! What happens in a sequence, drawn before it begins: which policy, which Helm, and one write after the other.

use std::fmt;

use serde_json::{Value, json};

use super::kubectl::Way;
use crate::draw::Draw;
use crate::support::control_plane::Helm;

/// The policy of a sequence, as far as it decides what is absorbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rules {
    /// `kubectl*` beside `eks`.
    pub(crate) wide: bool,
    /// `managedAddon: Absent`.
    pub(crate) absent: bool,
}

/// Who writes while our webhook is not asked.
pub(crate) const AWAY: &str = "away";

impl Rules {
    pub(crate) fn of(number: u64) -> Self {
        Self { wide: number.is_multiple_of(2), absent: number % 4 > 1 }
    }

    pub(crate) fn policy(self) -> String {
        let absorb = if self.wide { r#"[eks, "kubectl*"]"# } else { "[eks]" };
        let addon = if self.absent { "Absent" } else { "Unknown" };
        format!(
            "mode: Adopt\nabsorb: {absorb}\nmanagedAddon: {addon}\nexempt: {{usernames: [\"eks:addon-manager\", {AWAY}]}}\n"
        )
    }

    pub(crate) fn absorbs(self, manager: &str) -> bool {
        manager == "eks" || (self.wide && manager.starts_with("kubectl"))
    }
}

/// One write, or several of one command.
#[derive(Debug)]
pub(crate) enum Step {
    /// A forced server-side apply of all six objects; `away`: our webhook is not asked.
    Eks { manifest: Manifest, away: bool, again: bool },
    /// `helm install` until there is a release, then `helm upgrade`. `bold`: `--skip-crds`, or `--force-conflicts` where
    /// conflicts are foretold.
    Helm { client: Helm, values: Value, server_side: bool, bold: bool, again: bool },
    /// `helm rollback` to the `back`-th of the revisions that went well, counted round.
    Rollback { client: Helm, back: usize },
    /// A person at work.
    Kubectl { way: Way, again: bool },
}

/// What EKS applies, each of its features one number.
#[derive(Debug, Clone)]
pub(crate) struct Manifest(pub(crate) [u64; 13]);

/// A whole sequence.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rules: Rules,
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    pub(crate) fn draw(seed: u64, number: u64) -> Self {
        let rules = Rules::of(number);
        let mut draw = Draw::new(seed, number);
        let clients: &[Helm] = match draw.below(4) {
            0 => &[Helm::V3],
            1 => &[Helm::V3, Helm::V4],
            _ => &[Helm::V4],
        };
        let unseen = draw.one_in(3);
        let mut eks = Manifest([(); 13].map(|()| draw.below(60)));
        let mut chart = [(); 15].map(|()| draw.below(60));
        let away = unseen && draw.one_in(2);
        let mut steps = vec![Step::Eks { manifest: eks.clone(), away, again: !away && draw.one_in(4) }];
        let mut helms = 0;
        let count = 8 + draw.below(4);
        for at in 0..count {
            // The release is there from early on, and the last word is Helm's.
            let choice = if at == 1 || at + 1 == count { 4 } else { draw.below(13) };
            steps.push(match choice {
                0 | 1 => {
                    let changes = draw.below(4);
                    change(&mut eks.0, &mut draw, changes);
                    let away = unseen && draw.one_in(3);
                    Step::Eks { manifest: eks.clone(), away, again: !away && draw.one_in(3) }
                }
                2..=5 => {
                    let changes = 1 + draw.below(3);
                    change(&mut chart, &mut draw, changes);
                    helms += 1;
                    Step::Helm {
                        client: clients[(helms / 2).min(clients.len() - 1)],
                        values: values(&chart),
                        server_side: draw.one_in(4),
                        bold: draw.one_in(2),
                        again: draw.one_in(6),
                    }
                }
                6 => {
                    helms += 1;
                    let back = usize::try_from(draw.below(5)).unwrap();
                    Step::Rollback { client: clients[(helms / 2).min(clients.len() - 1)], back }
                }
                _ => Step::Kubectl { way: Way::draw(&mut draw, rules.wide), again: draw.one_in(6) },
            });
        }
        Self { rules, steps }
    }
}

fn change(features: &mut [u64], draw: &mut Draw, changes: u64) {
    let count = u64::try_from(features.len()).unwrap();
    for _ in 0..changes {
        features[usize::try_from(draw.below(count)).unwrap()] = draw.below(60);
    }
}

/// One of these values.
pub(crate) fn pick(feature: u64, values: &[Value]) -> Value {
    values[usize::try_from(feature).unwrap() % values.len()].clone()
}

/// What a person gives to Helm. What is null leaves the chart's own value out.
fn values(f: &[u64; 15]) -> Value {
    let mut env = json!({});
    let absent = json!("absent");
    for (name, value) in [
        ("WARM_ENI_TARGET", pick(f[0], &[absent.clone(), json!("2"), json!("3"), Value::Null])),
        ("AWS_VPC_ENI_MTU", pick(f[1], &[absent.clone(), json!("1500"), Value::Null])),
        ("CHART_ONE", pick(f[2], &[absent.clone(), json!("a"), json!("b")])),
        ("CHART_TWO", pick(f[3], &[absent.clone(), json!("a")])),
        ("MINE", pick(f[4], &[absent.clone(), absent.clone(), json!("chart")])),
        ("CLUSTER_NAME", pick(f[5], &[absent.clone(), json!("example"), json!("another")])),
    ] {
        if value != absent {
            env[name] = value;
        }
    }
    let tag = pick(f[7], &[json!("v1.22.4"), json!("v1.22.4-eksbuild.1"), json!("v1.23.1")]);
    json!({
        "originalMatchLabels": true,
        "env": env,
        "image": {"tag": tag, "pullPolicy": pick(f[8], &[json!("IfNotPresent"), json!("IfNotPresent"), json!("Always")])},
        "nodeAgent": {
            "enabled": !f[6].is_multiple_of(4),
            "metricsPort": if f[14].is_multiple_of(10) { 8180 } else { 8162 },
        },
        "settings": {
            "warmIpTarget": pick(f[9], &[json!("1"), json!("2"), json!("3")]),
            "minimumIpTarget": pick(f[10], &[json!("3"), json!("4")]),
        },
        "serviceAccount": {"annotations": pick(f[11], &[
            json!({}), json!({"eks.amazonaws.com/role-arn": "a"}), json!({"eks.amazonaws.com/role-arn": "b"}),
        ])},
        "podLabels": pick(f[12], &[json!({}), json!({}), json!({"team": "net"})]),
        "cniConfig": pick(f[13], &[
            json!({}), json!({}), json!({"enabled": true, "fileContents": "one"}), json!({"enabled": true, "fileContents": "two"}),
        ]),
    })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eks { manifest, away, again } => {
                write!(f, "eks applies {:?}", manifest.0)?;
                f.write_str(if *away { ", unseen" } else { "" })?;
                f.write_str(if *again { ", twice" } else { "" })
            }
            Self::Helm { client, values, server_side, bold, again } => {
                let side = if *server_side { " --server-side=true" } else { "" };
                let bold = if *bold { ", boldly" } else { "" };
                let twice = if *again { ", twice" } else { "" };
                write!(f, "Helm {client:?}{side} {values}{bold}{twice}")
            }
            Self::Rollback { client, back } => write!(f, "Helm {client:?} rollback, choice {back}"),
            Self::Kubectl { way, again } => {
                write!(f, "{way}")?;
                f.write_str(if *again { ", twice" } else { "" })
            }
        }
    }
}
