//! Reading what `helm template` printed, and what is no such thing.

use cni_steward::acceptance::Manifest;
use cni_steward::policy::Kind;

fn read(text: &str) -> Result<Manifest, String> {
    Manifest::parse("chart.yaml", text, "kube-system").map_err(|error| error.to_string())
}

const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: aws-node\n";
const CRD: &str =
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: c}\n";

#[test]
fn empty_documents_and_comments_are_passed_over_and_numbers_stay_true() {
    let text = format!("# nothing\n---\n---\n# Source: c/templates/x.yaml\n\n---\n{ACCOUNT}---\n{CRD}");
    let manifest = read(&text).unwrap();
    let places: Vec<_> = manifest.documents.iter().map(|document| (document.number, document.line)).collect();
    assert_eq!(places, [(3, 6), (4, 11)]);
    let found = manifest.find(Kind::ServiceAccount, "kube-system", "aws-node", "kube-system");
    assert_eq!(found.map(|document| document.number), Some(3));
    assert!(manifest.find(Kind::ServiceAccount, "default", "aws-node", "kube-system").is_none());
}

#[test]
fn helm_s_comment_says_whether_a_crd_comes_from_crds() {
    let from = |comment: &str| read(&format!("---\n{comment}{CRD}")).unwrap().documents[0].from_crds;
    assert!(from("# Source: aws-vpc-cni/crds/c.yaml\n"));
    assert!(!from("# Source: aws-vpc-cni/templates/c.yaml\n"));
    assert!(from("# Source: parent/charts/aws-vpc-cni/crds/c.yaml\n"));
    assert!(from("# Source: parent/charts/charts/charts/crds/crds/deeper/c.yaml\n"));
    assert!(!from("# Source: parent/charts/crds/templates/c.yaml\n"));
    assert!(!from("# Source: aws-vpc-cni/templates/crds/c.yaml\n"));
    assert!(!from("# Source: crds/templates/c.yaml\n"));
    assert!(from(""), "without a comment a CRD is taken for one of crds/");
}

#[test]
fn scalars_are_read_as_helm_reads_them() {
    let text = format!("{ACCOUNT}x:\n  on: yes\n  mode: 0644\n  text: \"0644\"\n  number: 61678\n");
    let manifest = read(&text).unwrap();
    let x = &manifest.documents[0].object["x"];
    assert_eq!((&x["mode"], &x["text"], &x["number"]), (&420.into(), &"0644".into(), &61678.into()));
}

#[rstest::rstest]
#[case::empty("", "chart.yaml: no object in it; expected what `helm template --include-crds` prints")]
#[case::comments("---\n# a\n---\n", "chart.yaml: no object in it; expected")]
#[case::not_yaml("---\na: [1\n---\nb: 1\n", "chart.yaml: document 1 (line 1): not YAML at line ")]
#[case::a_tab(
    "a: 1\n---\n\tb: 1\n",
    "chart.yaml: document 1 (line 1): an object without `apiVersion`; expected"
)]
#[case::prose("Error: chart not found\nplease\n", "chart.yaml: document 1 (line 1): ")]
#[case::a_scalar("---\nhello\n", "chart.yaml: document 1 (line 1): a single value; expected")]
#[case::a_sequence("- a\n", "chart.yaml: document 1 (line 1): a list; expected")]
#[case::no_version("kind: X\n", "document 1 (line 1): an object without `apiVersion`; expected")]
#[case::no_kind("apiVersion: v1\n", "document 1 (line 1): an object without `kind`; expected")]
#[case::no_name("apiVersion: v1\nkind: X\n", "document 1 (line 1): a X without `metadata.name`; expected")]
#[case::a_list(
    "apiVersion: v1\nkind: List\nitems: []\n",
    "document 1 (line 1): a List of several objects; expected"
)]
#[case::a_typed_list(
    "apiVersion: v1\nkind: ConfigMapList\nitems: []\n",
    "a ConfigMapList of several objects; expected"
)]
fn what_is_no_chart_output_is_refused_with_place_and_expectation(#[case] text: &str, #[case] expected: &str) {
    let error = read(text).unwrap_err();
    assert!(error.contains(expected), "expected {expected}\ngot {error}");
    assert!(error.contains("helm template --include-crds"), "{error}");
}

#[test]
fn an_object_that_stands_twice_is_refused_with_both_places() {
    let twin = ACCOUNT.replace("aws-node", "aws-node\n  namespace: kube-system");
    let error = read(&format!("---\n{ACCOUNT}---\n{twin}")).unwrap_err();
    let expected = "chart.yaml: document 2 (line 6): ServiceAccount kube-system/aws-node (v1) stands in document 1 (line 1)";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn an_alias_bomb_is_an_error_and_no_wait() {
    use std::fmt::Write as _;
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        writeln!(text, "a{level}: &a{level} [{}]", vec![below; 10].join(", ")).unwrap();
    }
    assert!(read(&text).unwrap_err().contains("not YAML"));
}
