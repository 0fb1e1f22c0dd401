//! The policy file: its defaults, and one error for each mistake that says where, what was found and what is allowed.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail, and nobody else uses its items"
)]

use cni_steward_verdict::policy::Policy;
use cni_steward_verdict::policy::rules::{ClusterApi, Fields, ManagedAddon, Mode};

fn error(text: &str) -> String {
    match Policy::parse("policy.yaml", text) {
        Ok(policy) => panic!("accepted: {policy:?}"),
        Err(error) => error.to_string(),
    }
}

fn read(text: &str) -> Policy {
    Policy::parse("policy.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn only_the_mode_is_needed_and_the_rest_has_defaults() {
    let adopt = read("mode: Adopt");
    assert_eq!(adopt.owner.manager, "helm");
    assert_eq!(adopt.owner.release.as_ref().unwrap().to_string(), "kube-system/aws-vpc-cni");
    assert_eq!((adopt.fields, adopt.cluster_api), (Fields::Transfer, ClusterApi::Protect));
    assert_eq!(adopt.managed_addon, ManagedAddon::Unknown);
    assert_eq!(
        adopt.absorb.iter().map(cni_steward_verdict::policy::pattern::Pattern::as_str).collect::<Vec<_>>(),
        ["eks"]
    );
    assert_eq!(
        adopt
            .exempt
            .usernames
            .iter()
            .map(cni_steward_verdict::policy::pattern::Pattern::as_str)
            .collect::<Vec<_>>(),
        ["eks:addon-manager"]
    );
    assert_eq!(adopt.targets.settings, "amazon-vpc-cni");
    assert_eq!(read("mode: Observe").cluster_api, ClusterApi::Protect);
    assert_eq!(read("mode: Block").cluster_api, ClusterApi::Leave);
    assert_eq!(Policy::default().mode, Mode::Observe);
    assert_eq!(adopt.warnings(), &[] as &[String]);
}

#[test]
fn the_examples_are_valid_and_spell_out_the_defaults() {
    let example = |name: &str| {
        let path = format!("{}/../examples/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        read(&std::fs::read_to_string(path).unwrap())
    };
    assert_eq!(example("adopt"), read("mode: Adopt"));
    assert_eq!(example("block"), read("mode: Block"));
    assert_eq!(example("observe"), Policy::default());
}

#[test]
fn json_is_yaml() {
    assert_eq!(
        read(r#"{"apiVersion": "cni-steward.dev/v1alpha1", "kind": "Policy", "mode": "Block"}"#),
        read("mode: Block")
    );
}

#[test]
fn the_hash_tells_effective_policies_apart_and_nothing_else() {
    assert_eq!(read("mode: Adopt").hash(), read("# comment\nfields: Transfer\nmode: Adopt\n").hash());
    assert_ne!(read("mode: Adopt").hash(), read("mode: Adopt\nfields: Stamp").hash());
    assert_eq!(read("mode: Adopt").hash().len(), 12);
}

#[test]
fn an_owner_without_a_release_is_written_as_null_and_assumed_for_argo_cd() {
    assert_eq!(read("mode: Adopt\nowner: {release: null}").owner.release, None);
    assert_eq!(read("mode: Adopt\nowner: {manager: argocd-controller}").owner.release, None);
    let explicit = read("mode: Adopt\nowner: {manager: argocd-controller, release: {name: x}}");
    assert_eq!(explicit.owner.release.unwrap().to_string(), "kube-system/x");
    assert!(read("mode: Adopt\nowner: {manager: helm-controller}").owner.release.is_some());
}

#[rstest::rstest]
#[case::unknown_key(
    "mode: Adopt\nclusterAPI: Protect\n",
    "policy.yaml:2:1: unknown key `clusterAPI`; allowed here: apiVersion, kind, mode, owner,"
)]
#[case::unknown_inner_key(
    "mode: Adopt\nowner:\n  relase: {}\n",
    "policy.yaml:3:3: unknown key `relase`; allowed here: manager, release"
)]
#[case::wrong_mode(
    "mode: adopt",
    "policy.yaml:1:7: `adopt` is not a value of this key; allowed: Observe, Adopt, Block"
)]
#[case::wrong_fields(
    "mode: Adopt\nfields: All",
    "policy.yaml:2:9: `All` is not a value of this key; allowed: Transfer, Stamp"
)]
#[case::no_mode("kind: Policy", "policy.yaml:1:1: key `mode` is missing")]
#[case::wrong_type(
    "mode: Adopt\nowner:\n  manager: [a]\n",
    "policy.yaml:3:12: expected string scalar; found `[a]`"
)]
#[case::list_for_map("mode: Adopt\nowner: [helm]\n", "policy.yaml:2:8: ")]
#[case::text_for_list("mode: Adopt\nabsorb: eks\n", "policy.yaml:2:9: ")]
#[case::twice("mode: Adopt\nmode: Block\n", "policy.yaml:2:1: duplicate mapping key: mode")]
#[case::two_documents(
    "mode: Adopt\n---\nmode: Block\n",
    "policy.yaml:3:1: a second YAML document begins here"
)]
#[case::other_version(
    "apiVersion: cni-steward.dev/v2\nmode: Adopt",
    "policy.yaml:1:13: `apiVersion` is `cni-steward.dev/v2`; allowed: `cni-steward.dev/v1alpha1`"
)]
#[case::other_kind("kind: Pod\nmode: Adopt", "policy.yaml:1:7: `kind` is `Pod`; allowed: `Policy`")]
#[case::empty("", "policy.yaml: the file is empty")]
#[case::comment_only("# nothing\n", "policy.yaml")]
#[case::not_a_map("- a\n", "policy.yaml:1:1: expected mapping start; found `- a`")]
#[case::binary("\u{0}\u{1}", "policy.yaml:1:1: ")]
#[case::broken("mode: [\n", "policy.yaml:")]
#[case::release_in_adopt(
    "mode: Adopt\nclusterApi: Release\n",
    "policy.yaml:2:13: `clusterApi: Release` contradicts `mode: Adopt` for release kube-system/aws-vpc-cni"
)]
#[case::stamp_without_release(
    "mode: Adopt\nowner: {release: null}\nfields: Stamp\n",
    "policy.yaml:3:9: `fields: Stamp` with `owner.release: null` would change nothing"
)]
#[case::empty_manager(
    "mode: Adopt\nowner: {manager: ''}\n",
    "policy.yaml:2:18: `owner.manager` is empty; allowed: 1 to 128 bytes"
)]
#[case::control_character(
    "mode: Adopt\nowner: {manager: \"a\\tb\"}\n",
    "policy.yaml:2:18: `owner.manager` is `a\\tb`; allowed: 1 to 128 bytes of printable ASCII"
)]
#[case::space_that_nobody_sees(
    "mode: Adopt\nowner: {manager: \"helm\\u200b\"}\n",
    "policy.yaml:2:18: `owner.manager` is `helm\\u{200b}`; allowed: 1 to 128 bytes of printable ASCII"
)]
#[case::pattern_as_owner(
    "mode: Adopt\nowner: {manager: 'terraform*'}\n",
    "policy.yaml:2:18: `owner.manager` is `terraform*`, but this is the name of one field manager"
)]
#[case::eks_as_owner(
    "mode: Adopt\nowner: {manager: eks}\n",
    "policy.yaml:2:18: `owner.manager` is `eks`, but EKS"
)]
#[case::steward_as_owner(
    "mode: Adopt\nowner: {manager: cni-steward}\n",
    "policy.yaml:2:18: `owner.manager` is `cni-steward`, but"
)]
#[case::empty_absorb("mode: Adopt\nabsorb: [eks, '']\n", "policy.yaml:2:15: `absorb` is empty")]
#[case::empty_exempt(
    "mode: Adopt\nexempt: {groups: ['']}\n",
    "policy.yaml:2:19: `exempt.groups` holds an empty text"
)]
#[case::release_name(
    "mode: Adopt\nowner: {release: {name: My_Release}}\n",
    "policy.yaml:2:25: `owner.release.name` is `My_Release`; allowed: a DNS name of 1 to 53"
)]
#[case::target_name("mode: Adopt\ntargets: {name: -x}\n", "policy.yaml:2:17: `targets.name` is `-x`")]
fn a_mistake_is_one_error_that_says_where_what_and_what_is_allowed(
    #[case] text: &str,
    #[case] expected: &str,
) {
    let error = error(text);
    assert!(error.starts_with(expected), "expected {expected:?}, seen {error:?}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_manager_has_at_most_128_bytes() {
    let with = |length: usize| format!("mode: Adopt\nowner: {{manager: {}}}\n", "m".repeat(length));
    assert_eq!(read(&with(128)).owner.manager.len(), 128);
    let error = error(&with(129));
    assert!(
        error.starts_with("policy.yaml:2:18: `owner.manager` has 129 bytes; allowed: 1 to 128"),
        "{error}"
    );
}

/// Found by fuzzing: an escape sequence in a file of somebody else's reached the terminal of who read the error.
#[test]
fn what_an_error_quotes_cannot_speak_to_a_terminal() {
    for (text, quoted) in [
        (r#""\e[2Jkey": 1"#, r"unknown key `\u{1b}[2Jkey`"),
        (r#"mode: "\e[2J""#, r"`\u{1b}[2J` is not a value of this key"),
        ("a\tb: 1", r"unknown key `a\tb`"),
        (r#"{mode: Adopt, owner: {"\r\n": 1}}"#, r"unknown key `\r\n`"),
    ] {
        let error = error(text);
        assert!(error.contains(quoted) && !error.contains(char::is_control), "{text}: {error:?}");
    }
    let long = error(&format!("{}: 1", "k".repeat(5000)));
    assert!(long.len() < 300, "expected a key cut short: {long}");
}

#[test]
fn what_block_ignores_is_warned_about() {
    let policy = read("mode: Block\nowner: {manager: helm}\nfields: Transfer\nabsorb: [eks]\n");
    let warnings = policy.warnings();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].starts_with("policy.yaml:2:8: `owner` is ignored"), "{warnings:?}");
}

#[test]
fn absorbing_everybody_is_warned_about() {
    assert!(read("mode: Adopt\nabsorb: ['*']").warnings()[0].contains("name the managers"));
}

#[test]
fn a_policy_of_a_mebibyte_is_an_error_and_not_a_crash() {
    let text = format!("mode: Adopt\nabsorb: [{}]\n", "eks, ".repeat(200_000));
    // Either the reader's budget refuses it, or it is a valid if silly list.
    match Policy::parse("policy.yaml", &text) {
        Ok(policy) => assert_eq!(policy.absorb.len(), 200_000),
        Err(error) => assert!(error.to_string().starts_with("policy.yaml"), "{error}"),
    }
    let deep = format!("mode: Adopt\nowner: {}", "[".repeat(100_000));
    assert!(error(&deep).starts_with("policy.yaml"));
}
