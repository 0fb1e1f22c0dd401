//! Reviews, lists and sets drawn from bytes. When the bytes are used up every choice is the first one, and lists end.

use arbitrary::Unstructured;
use serde_json::{Map, Value, json};

/// Makes choices from bytes.
#[derive(Debug)]
pub struct Draw<'a>(Unstructured<'a>);

impl<'a> Draw<'a> {
    /// Draws from these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    /// Whether there is nothing left to draw from.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end.saturating_sub(1)).unwrap_or_default()
    }

    /// One of these.
    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        let at = self.below(all.len());
        all[at].clone()
    }

    /// True once in `n` times; never once the bytes are used up.
    pub fn once_in(&mut self, n: u8) -> bool {
        !self.is_empty() && self.0.arbitrary::<u8>().is_ok_and(|byte| byte % n == n - 1)
    }

    /// True or false.
    pub fn flag(&mut self) -> bool {
        self.once_in(2)
    }

    /// Up to `most` of what `one` draws.
    pub fn some<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = if self.is_empty() { 0 } else { self.below(most + 1) };
        (0..count).map(|_| one(self)).collect()
    }

    /// Any short text.
    pub fn text(&mut self) -> String {
        let length = self.below(12);
        let bytes = self.0.bytes(length.min(self.0.len())).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// The bytes that are left.
    pub fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }

    /// A field manager.
    pub fn manager(&mut self) -> String {
        match self.below(16) {
            14 => self.text(),
            15 => "m".repeat(126 + self.below(4)),
            known => {
                const KNOWN: [&str; 7] = [
                    "eks",
                    "helm",
                    "other",
                    "kubectl-set",
                    "kubectl-edit",
                    "argocd-controller",
                    "cni-steward",
                ];
                KNOWN[known % KNOWN.len()].to_owned()
            }
        }
    }

    /// A path element as it stands in `fieldsV1`.
    pub fn element(&mut self) -> String {
        const KNOWN: [&str; 18] = [
            "f:metadata",
            "f:labels",
            "f:annotations",
            "f:spec",
            "f:app.kubernetes.io/managed-by",
            "f:meta.helm.sh/release-name",
            "f:meta.helm.sh/release-namespace",
            "f:cni-steward.dev/installed-by",
            "f:a",
            "f:b",
            ".",
            r#"k:{"name":"a"}"#,
            r#"k:{"name":"b"}"#,
            r#"k:{"b":1.0,"a":80}"#,
            r#"v:"x""#,
            "v:1e1",
            "i:3",
            "x:future",
        ];
        match self.below(KNOWN.len() + 3) {
            at if at < KNOWN.len() => KNOWN[at].to_owned(),
            at if at == KNOWN.len() => self.text(),
            at if at == KNOWN.len() + 1 => format!("{}{}", self.of(&["k:", "v:", "i:"]), self.text()),
            _ => format!("f:{}", self.text()),
        }
    }

    /// The value of `fieldsV1`, as text: an element may stand twice, in any order.
    pub fn fields(&mut self) -> String {
        let mut text = String::new();
        self.fields_into(5, &mut text);
        text
    }

    fn fields_into(&mut self, depth: usize, text: &mut String) {
        match self.below(16) {
            14 => return text.push_str("null"),
            15 => return text.push('7'),
            _ => {}
        }
        text.push('{');
        let count = if depth == 0 || self.is_empty() { 0 } else { self.below(4) };
        for at in 0..count {
            text.push_str(if at > 0 { "," } else { "" });
            text.push_str(&Value::from(self.element()).to_string());
            text.push(':');
            self.fields_into(depth - 1, text);
        }
        text.push('}');
    }

    /// An entry of `managedFields`, as text.
    pub fn entry(&mut self) -> String {
        if self.once_in(16) {
            let strange = [
                "{}",
                "null",
                "7",
                "[]",
                r#"{"manager":"eks","new":true}"#,
                r#"{"manager":"eks","manager":"x"}"#,
            ];
            return self.of(&strange).to_owned();
        }
        let manager = Value::from(self.manager());
        let operation = self.of(&["Apply", "Apply", "Update", "Merge"]);
        let version = self.of(&["apps/v1", "apps/v1", "apps/v1", "v1", ""]);
        let time = self.of(&[
            "",
            r#","time":"2025-05-05T00:00:00Z""#,
            r#","time":"2026-01-01T00:00:00Z""#,
            r#","time":"soon""#,
        ]);
        let fields = self.fields();
        let subresource = self.of(&["", "", "", r#","subresource":"status""#, r#","subresource":"""#]);
        format!(
            r#"{{"manager":{manager},"operation":"{operation}","apiVersion":"{version}"{time},"fieldsType":"FieldsV1","fieldsV1":{fields}{subresource}}}"#
        )
    }

    /// `managedFields`, as text.
    pub fn list(&mut self) -> String {
        format!("[{}]", self.some(6, Self::entry).join(","))
    }

    /// Labels or annotations: of these keys, and others.
    pub fn pairs(&mut self, keys: &[&str]) -> Value {
        if self.once_in(9) {
            return self.of(&[Value::Null, json!([]), json!({"a": 7})]);
        }
        let pairs = self.some(5, |draw| {
            let key = if draw.once_in(5) { draw.text() } else { draw.of(keys).to_owned() };
            let values =
                ["Helm", "aws-vpc-cni", "kube-system", "eks", "true", "", "another", "2026-01-01T13:00:00Z"];
            let value = if draw.once_in(9) { draw.text() } else { draw.of(&values).to_owned() };
            (key, Value::from(value))
        });
        Value::Object(pairs.into_iter().collect::<Map<_, _>>())
    }

    /// An object's metadata, as text.
    pub fn metadata(&mut self) -> String {
        let labels = self.pairs(&[
            "app.kubernetes.io/managed-by",
            "cni-steward.dev/installed-by",
            "aws.cluster.x-k8s.io/prevent-deletion",
            "helm.toolkit.fluxcd.io/name",
        ]);
        let annotations = self.pairs(&[
            "meta.helm.sh/release-name",
            "meta.helm.sh/release-namespace",
            "cni-steward.dev/managed-addon",
            "cni-steward.dev/allow-until",
            "argocd.argoproj.io/tracking-id",
        ]);
        let list = self.list();
        let mut text = r#"{"name":"aws-node","namespace":"kube-system""#.to_owned();
        for (key, value) in [
            ("labels", labels.to_string()),
            ("annotations", annotations.to_string()),
            ("managedFields", list),
        ] {
            if !self.once_in(8) {
                text.extend([",\"", key, "\":", &value]);
            }
        }
        text + "}"
    }

    /// A target's object, as text.
    pub fn object(&mut self) -> String {
        let spec = self.of(&[
            r#"{"template":{"spec":{"containers":[{"name":"aws-node","image":"cni:v1"}]}}}"#,
            r#"{"template":{"spec":{"nodeSelector":{"io.cilium/aws-node-enabled":"true"}}}}"#,
            r#"{"template":{"spec":{"containers":[{"image":"x/amazon-k8s-cni:v1-eksbuild.1"}]}}}"#,
            "{}",
        ]);
        format!(
            r#"{{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{},"spec":{spec}}}"#,
            self.metadata()
        )
    }

    /// A review of a write of a target, as text.
    pub fn review(&mut self) -> String {
        let (kind, group, resource, name, namespace) = self.of(&[
            ("DaemonSet", "apps", "daemonsets", "aws-node", "kube-system"),
            ("ServiceAccount", "", "serviceaccounts", "aws-node", "kube-system"),
            ("ConfigMap", "", "configmaps", "amazon-vpc-cni", "kube-system"),
            ("ClusterRole", "rbac.authorization.k8s.io", "clusterroles", "aws-node", ""),
            (
                "CustomResourceDefinition",
                "apiextensions.k8s.io",
                "customresourcedefinitions",
                "eniconfigs.crd.k8s.amazonaws.com",
                "",
            ),
        ]);
        let user = self.of(&["admin", "eks:addon-manager", "eks:cluster-bootstrap"]);
        let manager = if self.once_in(5) { Value::Null } else { Value::from(self.manager()) };
        let object = self.object();
        let old = match self.below(4) {
            0 => "null".to_owned(),
            1 => object.clone(),
            _ => self.object(),
        };
        let operation = if old == "null" { "CREATE" } else { "UPDATE" };
        let dry_run = self.flag();
        format!(
            r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"7f0c","kind":{{"group":"{group}","version":"v1","kind":"{kind}"}},"resource":{{"group":"{group}","version":"v1","resource":"{resource}"}},"name":"{name}","namespace":"{namespace}","operation":"{operation}","userInfo":{{"username":"{user}","groups":["system:authenticated"]}},"object":{object},"oldObject":{old},"dryRun":{dry_run},"options":{{"kind":"UpdateOptions","apiVersion":"meta.k8s.io/v1","fieldManager":{manager}}}}}}}"#
        )
    }

    /// Spoils a text in up to three places.
    pub fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(3) {
            if bytes.is_empty() {
                return;
            }
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes.truncate(at),
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, self.of(b"{}[]\":,.\\ntf019-+eE \0\xff")),
                4 => {
                    let words: [&[u8]; 7] = [b"null", b"[]", b"{}", b"7", b"\"\"", b"1e400", b"\"\\ud800\""];
                    drop(bytes.splice(at..at, self.of(&words).iter().copied()));
                }
                _ => {
                    let end = (at + 1 + self.below(64)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    drop(bytes.splice(at..at, part));
                }
            }
        }
    }
}
