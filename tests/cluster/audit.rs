//! `audit` over many contexts at once, some of which lead nowhere; and the name of a kubectl plugin.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::prepared::{Prepared, State};
use crate::scene::{NEW, NEW_HELM_4};
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::schema::check;
use crate::support::steward::BINARY;
use crate::support::suite::Case;
use crate::support::tools::Tool;
use crate::support::watchdog::Folder;
use crate::support::{Output, fixtures, free_port};

pub(crate) const CASES: &[Case] = &[
    Case { name: "audit::twenty_contexts_of_which_four_cannot_be_looked_at", needs: NEW_HELM_4, run: twenty },
    Case { name: "audit::exit_codes_say_what_was_found", needs: NEW, run: exit_codes },
    Case { name: "audit::ctrl_c_says_how_far_it_came", needs: NEW, run: interrupted },
    Case { name: "audit::a_command_line_that_names_no_cluster_is_explained", needs: &[], run: named_wrongly },
    Case { name: "audit::kubectl_finds_us_as_a_plugin_and_completes_our_words", needs: NEW, run: plugin },
];

/// Takes connections, and never says a word.
fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A kubeconfig of clusters (name, address, as JSON), users and contexts (name, cluster, user).
fn kubeconfig(
    folder: &Path,
    clusters: &[(&str, Value)],
    users: &[(&str, Value)],
    contexts: &[(String, &str, &str)],
) -> PathBuf {
    let file = folder.join("kubeconfig");
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters.iter().map(|(name, cluster)| json!({"name": name, "cluster": cluster})).collect::<Vec<_>>(),
        "users": users.iter().map(|(name, user)| json!({"name": name, "user": user})).collect::<Vec<_>>(),
        "contexts": contexts.iter()
            .map(|(name, cluster, user)| json!({"name": name, "context": {"cluster": cluster, "user": user}}))
            .collect::<Vec<_>>(),
    });
    std::fs::write(&file, text.to_string()).unwrap();
    file
}

/// The cluster and the user of a kubeconfig.
fn parts(plane: &ControlPlane, user: User) -> (Value, Value) {
    let text = std::fs::read_to_string(plane.kubeconfig(user)).unwrap();
    let mut whole: Value = serde_json::from_str(&text).unwrap();
    (whole["clusters"][0]["cluster"].take(), whole["users"][0]["user"].take())
}

/// An account without any right.
fn nobody(plane: &ControlPlane) -> Value {
    plane.kubectl(User::Admin, &["create", "serviceaccount", "nobody", "-n", "default"]).ok();
    let token = plane.kubectl(User::Admin, &["create", "token", "nobody", "-n", "default"]);
    json!({"token": token.ok().trim()})
}

fn audit(kubeconfig: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("audit").args(args).env("KUBECONFIG", kubeconfig);
    Output::of(command, None)
}

/// Two clusters behind sixteen contexts, and four that cannot be looked at.
struct Fleet {
    kubeconfig: PathBuf,
    /// What is replaced in texts: addresses and Kubernetes' version.
    words: Vec<(String, &'static str)>,
    _folder: Folder,
    _helm: Prepared,
    _half: Prepared,
    _silent: TcpListener,
}

fn fleet() -> Fleet {
    let (helm, half) = (State::Helm4.prepare(), State::HalfDeleted.prepare());
    let (folder, silent) = (Folder::new(), silent());
    let (first, joe) = parts(&helm.plane, User::Joe);
    let (second, _) = parts(&half.plane, User::Joe);
    let closed = format!("http://127.0.0.1:{}", free_port());
    let slow = format!("http://{}", silent.local_addr().unwrap());
    let words = vec![
        (first["server"].as_str().unwrap().to_owned(), "FIRST"),
        (second["server"].as_str().unwrap().to_owned(), "SECOND"),
        (slow.clone(), "SLOW"),
        (slow.trim_start_matches("http://").to_owned(), "SLOW"),
        (closed.clone(), "CLOSED"),
        (closed.trim_start_matches("http://").to_owned(), "CLOSED"),
    ];
    let clusters = [
        ("first", first),
        ("second", second),
        ("closed", json!({"server": closed})),
        ("slow", json!({"server": slow})),
    ];
    let users = [("joe", joe), ("nobody", nobody(&half.plane))];
    let contexts: Vec<_> = (1..=20)
        .map(|number| match number {
            3 => ("<script>alert(1)</script>".to_owned(), "first", "joe"),
            4 => ("=1+1".to_owned(), "second", "joe"),
            5 => ("生产".to_owned(), "first", "joe"),
            7 => ("gone-1".to_owned(), "closed", "joe"),
            8 => ("gone-2".to_owned(), "closed", "joe"),
            12 => ("slow".to_owned(), "slow", "joe"),
            16 => ("not-ours".to_owned(), "second", "nobody"),
            _ if number % 2 == 0 => (format!("half-{number}"), "second", "joe"),
            _ => (format!("helm-{number}"), "first", "joe"),
        })
        .collect();
    let kubeconfig = kubeconfig(folder.path(), &clusters, &users, &contexts);
    Fleet { kubeconfig, words, _folder: folder, _helm: helm, _half: half, _silent: silent }
}

impl Fleet {
    /// Every format takes its time from the slow one alone.
    fn told(&self, format: &str) -> String {
        let start = Instant::now();
        let output = audit(
            &self.kubeconfig,
            &["--all-contexts", "--request-timeout", "3s", "--timeout", "10s", "-o", format],
        );
        assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
        assert_eq!(output.code, 2, "{output}");
        self.words.iter().fold(output.stdout, |text, (is, word)| text.replace(is, word))
    }
}

fn twenty() {
    let fleet = fleet();
    let version = "v1.36.3";
    let table = fleet.told("table");
    let expected = "\
CONTEXT                    OWNER                         INSTALLED BY  VPC CNI             KUBERNETES  POLICY  FINDINGS
helm-1                     helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
half-2                     eks (likely)                  eks           v1.22.4-eksbuild.1  v1.36.3     -       CS001 CS006
<script>alert(1)</script>  helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
=1+1                       eks (likely)                  eks           v1.22.4-eksbuild.1  v1.36.3     -       CS001 CS006
生产                       helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
half-6                     eks (likely)                  eks           v1.22.4-eksbuild.1  v1.36.3     -       CS001 CS006
gone-1                     -                             -             -                   -           -       not audited: unreachable
gone-2                     -                             -             -                   -           -       not audited: unreachable
helm-9                     helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
half-10                    eks (likely)                  eks           v1.22.4-eksbuild.1  v1.36.3     -       CS001 CS006
helm-11                    helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
slow                       -                             -             -                   -           -       not audited: timeout
helm-13                    helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
half-14                    eks (likely)                  eks           v1.22.4-eksbuild.1  v1.36.3     -       CS001 CS006
helm-15                    helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
not-ours                   -                             -             -                   -           -       not audited: forbidden
helm-17                    helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
half-18                    eks (likely)                  eks           v1.22.4-eksbuild.1  v1.36.3     -       CS001 CS006
helm-19                    helm kube-system/aws-vpc-cni  helm          v1.22.4             v1.36.3     -       none
half-20                    eks (likely)                  eks           v1.22.4-eksbuild.1  v1.36.3     -       CS001 CS006

Not audited
  gone-1
      cannot reach the API server: cannot connect to CLOSED: Connection refused (os error 111)
  gone-2
      cannot reach the API server: cannot connect to CLOSED: Connection refused (os error 111)
  slow
      cannot reach the API server: no answer within 3s
  not-ours
      daemonsets.apps \"aws-node\" is forbidden: User \"system:serviceaccount:default:nobody\" cannot get resource \"daemonsets\" in API group \"apps\" in the namespace \"kube-system\" (status 403); and 16 more questions without an answer

Findings (more by: cni-steward status --context CONTEXT)
  CS001 problem  half-2 and 6 more: the VPC CNI is not whole; missing: ServiceAccount, ClusterRole aws-node; there: ConfigMap amazon-vpc-cni, ClusterRoleBinding, DaemonSet aws-node
  CS006 note     half-2 and 6 more: no release claims these objects: `helm install` refuses them, and Helm 4 meets the fields of eks

20 clusters: 9 clear, 0 with warnings, 7 with problems, 4 not audited
";
    assert_eq!(table, expected);

    let document: Value = serde_json::from_str(&fleet.told("json")).unwrap();
    let schema = serde_json::from_str(include_str!("../../docs/schemas/audit.schema.json")).unwrap();
    let mut problems = Vec::new();
    check(&schema, &schema, &document, "$", &mut problems);
    assert_eq!(problems, Vec::<String>::new(), "{document:#}");
    assert_eq!(
        document["summary"],
        json!({"clusters": 20, "clear": 9, "withWarnings": 0, "withProblems": 7, "notAudited": 4})
    );
    assert_eq!(document["clusters"][0]["kubernetesVersion"], version);

    let csv = fleet.told("csv");
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 21, "{csv}");
    assert_eq!(
        [lines[1], lines[4], lines[7], lines[12]],
        [
            "helm-1,FIRST,helm,certain,kube-system/aws-vpc-cni,helm,v1.22.4,v1.36.3,,,,",
            "\"'=1+1\",SECOND,eks,likely,,eks,v1.22.4-eksbuild.1,v1.36.3,,CS001 CS006,,",
            "gone-1,CLOSED,,,,,,,,,unreachable,cannot reach the API server: cannot connect to CLOSED: Connection refused (os error 111)",
            "slow,SLOW,,,,,,,,,timeout,cannot reach the API server: no answer within 3s",
        ]
    );

    let page = fleet.told("html");
    assert_eq!(page.matches("<tr class=\"gap\">").count(), 4);
    assert_eq!(page.matches("<tr class=\"bad\">").count(), 7);
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script>alert"),
        "{page}"
    );
    let policy = page.find("Content-Security-Policy").expect("a policy of its own");
    assert!(policy < page.find("<style>").unwrap());
}

fn exit_codes() {
    let plane = ControlPlane::start(Version::V1_36);
    let folder = Folder::new();
    let (cluster, joe) = parts(&plane, User::Joe);
    let users = [("joe", joe), ("nobody", nobody(&plane))];
    let contexts = [("whole".to_owned(), "a", "joe"), ("not-ours".to_owned(), "a", "nobody")];
    let file = kubeconfig(folder.path(), &[("a", cluster)], &users, &contexts);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let clear = audit(&file, &["--contexts", "who*"]);
    assert_eq!(clear.code, 0, "a note is no problem: {clear}");
    assert!(
        clear.stdout.ends_with("1 cluster: 1 clear, 0 with warnings, 0 with problems, 0 not audited\n"),
        "{clear}"
    );
    assert_eq!(clear.stderr, "", "nothing is said about what takes less than a second");
    plane.kubectl(User::Joe, &["delete", "clusterrole", "aws-node"]).ok();
    let problem = plane.assert_writes_nothing(|| audit(&file, &["--contexts", "whole"]));
    assert_eq!(problem.code, 1, "{problem}");
    // Named twice it is one row, and the order is the one asked for.
    let both = audit(&file, &["--contexts", "not-ours,whole,whole", "-o", "json"]);
    assert_eq!(both.code, 2, "what could not be audited is worse than a problem: {both}");
    let document: Value = serde_json::from_str(&both.stdout).unwrap();
    let rows: Vec<_> =
        document["clusters"].as_array().unwrap().iter().map(|row| row["context"].as_str().unwrap()).collect();
    assert_eq!(rows, ["not-ours", "whole"]);
}

fn interrupted() {
    let plane = ControlPlane::start(Version::V1_36);
    let (folder, silent) = (Folder::new(), silent());
    let (cluster, joe) = parts(&plane, User::Joe);
    let slow = json!({"server": format!("http://{}", silent.local_addr().unwrap())});
    let contexts = [
        ("whole".to_owned(), "a", "joe"),
        ("slow".to_owned(), "b", "joe"),
        ("slow-2".to_owned(), "b", "joe"),
    ];
    let file = kubeconfig(folder.path(), &[("a", cluster), ("b", slow)], &[("joe", joe)], &contexts);
    let mut command = Command::new(BINARY);
    command
        .args(["audit", "--all-contexts", "--timeout", "5m", "--request-timeout", "5m"])
        .env("KUBECONFIG", &file);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "1 of 3 clusters audited; waiting for slow, slow-2\n");
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}{rest}");
    assert_eq!(rest, "interrupted: 1 of 3 clusters were audited; an audit changes nothing\n");
    assert_eq!(told.matches("not audited: interrupted").count(), 2, "{told}");
    assert!(told.lines().nth(1).unwrap().starts_with("whole    none "), "{told}");
}

fn named_wrongly() {
    let folder = Folder::new();
    let closed = json!({"server": "http://127.0.0.1:1"});
    let contexts = [("a".to_owned(), "a", "joe"), ("odd".to_owned(), "missing", "joe")];
    let file = kubeconfig(folder.path(), &[("a", closed)], &[("joe", json!({}))], &contexts);
    for (args, expected) in [
        (
            &["--contexts", "b"][..],
            "no context of the kubeconfig is called b; kubectl config get-contexts -o name lists them",
        ),
        (&["--contexts", "prod-*"], "no context of the kubeconfig is called prod-*"),
        (&["--contexts", ","], "--contexts names no context"),
        (&[], "--contexts <NAMES>|--all-contexts"),
        (&["--all-contexts", "--parallel", "0"], "'--parallel <N>'"),
        (&["--all-contexts", "--timeout", "soon"], "'--timeout <DURATION>'"),
        (&["--all-contexts", "--kubeconfig", "no-such-file"], "no-such-file: No such file"),
    ] {
        let output = audit(&file, args);
        assert_eq!((output.code, &*output.stdout), (2, ""), "{output}");
        assert!(output.stderr.contains(expected), "expected {expected:?}\n{output}");
    }
    // A context that is wrong in itself is a row: the others are looked at all the same.
    let output = audit(&file, &["--all-contexts"]);
    assert_eq!(output.code, 2, "{output}");
    assert!(output.stdout.contains("not audited: configuration"), "{output}");
    assert!(output.stdout.contains("it has no cluster missing"), "{output}");
}

fn plugin() {
    let plane = ControlPlane::start(Version::V1_36);
    plane.eks_apply(fixtures::EKS_APPLY).ok();
    let folder = Folder::new();
    for name in ["kubectl-cni_steward", "kubectl_complete-cni_steward"] {
        std::os::unix::fs::symlink(BINARY, folder.join(name)).unwrap();
    }
    let kubectl = |args: &[&str]| {
        let mut command = Command::new(Tool::Kubectl.path().unwrap());
        let path = format!("{}:{}", folder.path().display(), std::env::var_os("PATH").unwrap().display());
        command.args(args).env("PATH", path).env("KUBECONFIG", plane.kubeconfig(User::Joe));
        Output::of(command, None)
    };
    let status = kubectl(&["cni-steward", "status", "-o", "json"]);
    let document: Value = serde_json::from_str(status.ok()).unwrap();
    assert_eq!(document["verdict"]["owner"], "eks");
    // Options of kubectl that stand behind the plugin's name are ours too.
    kubectl(&["cni-steward", "status", "--context", "test"]).ok();
    let help = kubectl(&["cni-steward", "audit", "--help"]);
    assert!(help.ok().contains("Usage: kubectl cni-steward audit"), "{help}");
    assert!(help.ok().contains("\n  kubectl cni-steward audit --all-contexts\n"), "{help}");
    assert!(!help.ok().replace("kubectl cni-steward", "").contains("cni-steward audit"), "{help}");
    let wrong = kubectl(&["cni-steward", "adut"]);
    assert!(wrong.refused().contains("Usage: kubectl cni-steward <COMMAND>"), "{wrong}");
    let table = kubectl(&["cni-steward", "audit", "--all-contexts"]);
    assert!(table.ok().contains("(more by: kubectl cni-steward status --context CONTEXT)"), "{table}");
    let completed = kubectl(&["__complete", "cni-steward", "aud"]);
    assert!(completed.ok().starts_with("audit\t"), "{completed}");
    let completed = kubectl(&["__complete", "cni-steward", "status", "--context", ""]);
    assert!(completed.ok().starts_with("test\n"), "{completed}");
}
