//! The JSON for scripts is as its schema says, whatever the cluster.

use cni_steward::cluster::inventory::Presence;
use cni_steward::findings::{Report, json};
use cni_steward::policy::Kind;
use serde_json::Value;

use crate::check::check;
use crate::world::{STAMPED, eks, install, network, now, record, remove, stamp, unseen};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../docs/schemas/status.schema.json")).unwrap()
}

#[test]
fn the_json_is_as_the_schema_says() {
    let mut adopted = eks();
    install(&mut adopted, "mode: Adopt");
    stamp(&mut adopted, &STAMPED, "aws-vpc-cni");
    record(&mut adopted, "aws-vpc-cni", "failed");
    network(&mut adopted, "Cilium", &["a"]);
    let mut half = eks();
    remove(&mut half, &[Kind::DaemonSet], || Presence::Absent);
    remove(&mut half, &[Kind::ClusterRole], || Presence::Unseen);
    unseen(&mut half, "secrets", Some("kube-system"));
    half.uid = None;
    for live in [eks(), adopted, half] {
        let value = json(&live, &Report::of(&live, now()));
        let mut problems = Vec::new();
        check(&schema(), &schema(), &value, "$", &mut problems);
        assert_eq!(problems, Vec::<String>::new(), "{value:#}");
    }
}

#[test]
fn the_check_sees_what_is_not_described() {
    let live = eks();
    let mut value = json(&live, &Report::of(&live, now()));
    value["more"] = Value::Null;
    value["verdict"]["owner"] = "somebody".into();
    value["cluster"].as_object_mut().unwrap().remove("uid");
    let mut problems = Vec::new();
    check(&schema(), &schema(), &value, "$", &mut problems);
    assert_eq!(problems.len(), 3, "{problems:?}");
}
