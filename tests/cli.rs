//! The commands that need no cluster: `review` and `export webhook`, as scripts call them.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

use std::process::{Command, Output};

use serde_json::Value;

const REVIEW: &str = "examples/review.json";

fn run(args: &[&str]) -> Output {
    run_with(args, None)
}

fn run_with(args: &[&str], stdin: Option<&[u8]>) -> Output {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut command = Command::new(env!("CARGO_BIN_EXE_cni-steward"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CNI_STEWARD_POLICY");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // A command that does not read its input closes it; that is its right.
    drop(pipe.write_all(stdin.unwrap_or_default()));
    drop(pipe);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn ok(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn fails(code: i32, args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn review_tells_people_the_verdict_then_each_change_with_its_path_and_reason() {
    let text = ok(&["review", "--policy", "examples/adopt.yaml", REVIEW]);
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("AMEND   CREATE DaemonSet kube-system/aws-node, written by eks (user admin)"),
        "{text}"
    );
    for expected in [
        "+ metadata.annotations[meta.helm.sh/release-name] = aws-vpc-cni  (Helm's ownership check requires it)",
        "+ metadata.labels[cni-steward.dev/installed-by] = eks  (records who installed the object)",
        "+ metadata.labels[aws.cluster.x-k8s.io/prevent-deletion] = true  (Cluster API must not delete the object)",
        "eks/Apply → helm/Apply",
    ] {
        assert!(text.contains(expected), "expected {expected:?} in\n{text}");
    }
}

#[test]
fn review_exits_with_1_when_the_write_is_refused() {
    let output = run(&["review", "--policy", "examples/block.yaml", REVIEW]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("REFUSE  CREATE DaemonSet kube-system/aws-node"), "{text}");
    assert!(
        fails(2, &["review", "--policy", "examples/block.yaml", "-o", "patched", REVIEW]).contains("refused")
    );
}

#[test]
fn review_answers_the_server_s_bytes_at_the_same_time() {
    use cni_steward::{admission::answer, policy::Policy};
    let body = std::fs::read(format!("{}/{REVIEW}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let policy = Policy::parse("x", include_str!("../examples/adopt.yaml")).unwrap();
    let now = "2026-01-01T00:00:00Z";
    let args = ["review", "--policy", "examples/adopt.yaml", "--now", now, "-o", "review", "-"];
    let output = run_with(&args, Some(&body));
    assert_eq!(output.stdout, answer(&body, &policy, now.parse().unwrap()).body.whole(&body));
}

#[test]
fn review_prints_the_object_after_the_patch() {
    let object: Value =
        serde_json::from_str(&ok(&["review", "--policy", "examples/adopt.yaml", "-o", "patched", REVIEW]))
            .unwrap();
    assert_eq!(object["metadata"]["annotations"]["meta.helm.sh/release-name"], "aws-vpc-cni");
    assert_eq!(object["metadata"]["managedFields"][0]["manager"], "helm");
}

#[test]
fn review_says_which_file_it_cannot_read_and_why() {
    for (args, expected) in [
        (vec!["review", "no-such-file.json"], "no-such-file.json: No such file"),
        (vec!["review", "README.md"], "README.md: the body is not an AdmissionReview"),
        (vec!["review", "--policy", "no-such-policy.yaml", REVIEW], "cannot read no-such-policy.yaml"),
        (vec!["review", "--policy", "Cargo.toml", REVIEW], "Cargo.toml:1:1: "),
        (vec!["review", "--now", "yesterday", REVIEW], "--now"),
    ] {
        let text = fails(2, &args);
        assert!(text.contains(expected), "{args:?}: expected {expected:?} in {text:?}");
    }
    let empty = run_with(&["review", "-"], Some(b""));
    assert_eq!(empty.status.code(), Some(2));
    assert!(String::from_utf8(empty.stderr).unwrap().contains("the body is empty"));
}

fn exported(args: &[&str]) -> Value {
    let yaml = ok(&[&["export", "webhook"], args].concat());
    serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

#[test]
fn export_webhook_names_the_objects_by_match_conditions() {
    let configuration = exported(&["--url", "https://127.0.0.1:9443/mutate"]);
    assert_eq!(configuration["kind"], "MutatingWebhookConfiguration");
    let hooks = configuration["webhooks"].as_array().unwrap();
    assert_eq!(hooks.len(), 2);
    for (hook, scope) in hooks.iter().zip(["Namespaced", "Cluster"]) {
        assert_eq!(hook["failurePolicy"], "Ignore");
        assert_eq!(hook["timeoutSeconds"], 3);
        assert_eq!(hook["sideEffects"], "NoneOnDryRun");
        assert_eq!(hook["reinvocationPolicy"], "IfNeeded");
        assert_eq!(hook["matchPolicy"], "Equivalent");
        assert_eq!(hook["admissionReviewVersions"], serde_json::json!(["v1"]));
        assert_eq!(hook["matchConditions"].as_array().unwrap().len(), 1);
        assert_eq!(hook.get("objectSelector"), None);
        assert_eq!(hook["clientConfig"]["url"], "https://127.0.0.1:9443/mutate");
        assert_eq!(hook["clientConfig"].get("caBundle"), None);
        for rule in hook["rules"].as_array().unwrap() {
            assert_eq!(rule["scope"], scope);
            assert_eq!(rule["operations"], serde_json::json!(["CREATE", "UPDATE"]));
            let resources = rule["resources"].to_string();
            assert!(!resources.contains('/') && !resources.contains("pods"), "{resources}");
        }
    }
}

#[test]
fn export_webhook_falls_back_to_selectors_before_1_28() {
    let configuration =
        exported(&["--service", "kube-system/cni-steward:9443", "--kube-version", "v1.27.16-eks-1"]);
    let hooks = configuration["webhooks"].as_array().unwrap();
    assert_eq!(hooks.len(), 3);
    for hook in hooks {
        assert_eq!(hook.get("matchConditions"), None);
        assert_eq!(hook["clientConfig"]["service"]["port"], 9443);
        assert_eq!(hook["clientConfig"]["service"]["path"], "/mutate");
        let schema = hook["name"] == "schema.cni-steward.dev";
        assert_eq!(hook.get("objectSelector").is_none(), schema, "eniconfigs has no labels to select by");
    }
}

#[test]
fn export_webhook_takes_the_targets_names_from_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(
        &file,
        "mode: Observe\ntargets: {name: my-cni, namespace: network, settings: my-settings}\n",
    )
    .unwrap();
    let configuration =
        exported(&["--url", "https://h:9443/mutate", "--policy", file.to_str().unwrap()]).to_string();
    for name in ["my-cni", "network", "my-settings"] {
        assert!(configuration.contains(name), "{name} in {configuration}");
    }
    assert!(!configuration.contains("'aws-node'"), "{configuration}");
}

#[test]
fn export_webhook_refuses_what_an_api_server_would() {
    for (args, expected) in [
        (vec![], "--url"),
        (vec!["--url", "http://x/mutate"], "https only"),
        (vec!["--url", "https://x:9443"], "/mutate"),
        (vec!["--url", "https://u@x/mutate"], "without user"),
        (vec!["--service", "cni-steward"], "NAMESPACE/NAME"),
        (vec!["--service", "a/b:0"], "NAMESPACE/NAME"),
        (vec!["--service", "a/b", "--url", "https://x/mutate"], "cannot be used with"),
        (vec!["--url", "https://x/mutate", "--kube-version", "1.23"], "oldest supported Kubernetes is 1.24"),
        (vec!["--url", "https://x/mutate", "--kube-version", "new"], "such as 1.30"),
        (vec!["--url", "https://x/mutate", "--ca", "README.md"], "no PEM certificate"),
        (vec!["--url", "https://x/mutate", "--ca", "none.crt"], "none.crt"),
    ] {
        let text = fails(2, &[&["export", "webhook"], args.as_slice()].concat());
        assert!(text.contains(expected), "{args:?}: expected {expected:?} in {text:?}");
    }
}

#[test]
fn export_webhook_never_prints_a_private_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.pem");
    std::fs::write(&file, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let args = ["export", "webhook", "--url", "https://x/mutate", "--ca", file.to_str().unwrap()];
    assert!(fails(2, &args).contains("it holds a private key"));
}

#[test]
fn every_command_explains_itself_with_examples() {
    for args in [vec!["serve"], vec!["review"], vec!["status"], vec!["export", "webhook"]] {
        let text = ok(&[args.as_slice(), &["--help"]].concat());
        assert!(text.contains("Examples:") && text.contains("cni-steward "), "{args:?}: {text}");
    }
}

#[test]
fn export_policies_says_first_what_they_cannot_do_and_prints_what_the_version_has() {
    let kinds = |policy: &str, version: &str| -> (String, Vec<String>) {
        let yaml = ok(&["export", "policies", "--policy", policy, "--kube-version", version]);
        let kinds = yaml.lines().filter_map(|line| line.strip_prefix("kind: ")).map(str::to_owned).collect();
        let comments = yaml.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join(" ");
        (comments, kinds)
    };
    let stamps = ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"];
    let refusal = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    let (comments, _) = kinds("examples/adopt.yaml", "1.35");
    assert!(!comments.contains("there is no clock"), "what is not exported has no limits: {comments}");
    for (policy, version, said, expected) in [
        ("examples/observe.yaml", "1.36", "there is nothing to export", &[][..]),
        ("examples/adopt.yaml", "1.36", "there is no clock where objects are changed", &stamps),
        ("examples/block.yaml", "v1.30.4-eks-a737599", "metadata.creationTimestamp", &refusal[..]),
        ("examples/adopt.yaml", "1.35", "no MutatingAdmissionPolicy", &[]),
        ("examples/adopt.yaml", "1.36", "nothing moves to the owner", &stamps),
    ] {
        let (comments, kinds) = kinds(policy, version);
        assert!(comments.contains(said), "{policy} {version}: expected {said:?} in {comments}");
        assert_eq!(kinds, expected, "{policy} {version}");
    }
    let old = run(&["export", "policies", "--policy", "examples/block.yaml", "--kube-version", "1.29"]);
    let said = String::from_utf8_lossy(&old.stderr).into_owned();
    assert_eq!(old.status.code(), Some(2));
    assert!(said.contains("--kube-version 1.29") && said.contains("from 1.30 on"), "{said}");
}

#[test]
fn a_policy_of_the_environment_stands_in_nobody_s_way() {
    for args in [
        &["adopt", "--undo", "no-such-file"][..],
        &["purge", "--undo", "no-such-file"],
        &["adopt", "--owner", "flux"],
        &["adopt", "--release", "a/b"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cni-steward"));
        let output = command
            .args(args)
            .args(["--kubeconfig", "no-such-file"])
            .env("CNI_STEWARD_POLICY", "examples/adopt.yaml")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("no-such-file"), "{args:?}: expected the file to be what is missing\n{said}");
    }
}
