//! Stories of writes, told to the API server's own field manager, with our real answer to every review in between.

use std::fmt::Write as _;

use base64::Engine as _;
use cni_steward::admission::answer;
use cni_steward::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::ask::Oracle;
use crate::laws::{Seen, owners, times};
use crate::manifest;
use crate::policies::{RULES, Rule};
use crate::random::{self, Random};
use crate::story::{Step, Story, What};
use crate::support::suite::Case;
use crate::support::tools::Tool;

pub(crate) const CASES: &[Case] = &[Case {
    name: "after_any_sequence_of_writes_the_owners_are_what_the_laws_say",
    needs: &[Tool::OracleWrites],
    run: stories,
}];

fn stories() {
    let amount = random::amount("CNI_STEWARD_ORACLE_SEQUENCES", 500);
    let oracle = || Oracle::start(Tool::OracleWrites);
    random::each_seed("sequences of writes", amount, 1, oracle, |oracle, seeds| {
        for seed in seeds {
            let story = Story::of(*seed);
            if let Err(problem) = tell(oracle, &story) {
                let (story, problem) = shorten(oracle, story, problem);
                let steps: Vec<_> = story.steps.iter().map(|step| step.what).collect();
                return Err(format!(
                    "CNI_STEWARD_ORACLE_SEED={seed} CNI_STEWARD_ORACLE_SEQUENCES=1 shows it alone\n\
                     {} under {:?}, unasked before step {}; shortened to {steps:?}\n{problem}",
                    story.kind, RULES[story.rule].text, story.before
                ));
            }
        }
        Ok(())
    });
}

/// Leaves out steps as long as the story still fails.
fn shorten(oracle: &mut Oracle, mut story: Story, mut problem: String) -> (Story, String) {
    let mut at = story.steps.len();
    while at > 0 {
        at -= 1;
        let mut shorter = story.clone();
        shorter.steps.remove(at);
        shorter.before -= usize::from(at < shorter.before);
        if let Err(other) = tell(oracle, &shorter) {
            (story, problem) = (shorter, other);
        }
    }
    (story, problem)
}

fn tell(oracle: &mut Oracle, story: &Story) -> Result<(), String> {
    let rule = &RULES[story.rule];
    let mut world = World {
        oracle,
        rule,
        policy: rule.policy(),
        kind: story.kind,
        asked: false,
        now: "2001-01-01T00:00:00Z".parse().unwrap(),
        live: Value::Null,
        eks: manifest::of_eks(story.kind),
        chart: chart(story, rule),
        log: String::new(),
    };
    world.order(&json!({"do": "start", "kind": story.kind}));
    for (at, step) in story.steps.iter().enumerate() {
        world.asked = at >= story.before;
        world.step(*step).map_err(|problem| format!("{}{problem}", world.log))?;
    }
    Ok(())
}

/// What the owner applies: the same objects in other words.
fn chart(story: &Story, rule: &Rule) -> Value {
    let mut random = Random::new(story.seed ^ 1);
    let mut chart = manifest::of_eks(story.kind);
    if rule.text.contains("argocd") || story.kind == "CustomResourceDefinition" {
        chart["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "cni"});
    } else {
        chart["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "aws-vpc-cni", "meta.helm.sh/release-namespace": "kube-system"});
    }
    for _ in 0..3 {
        manifest::vary(&mut chart, &mut random);
    }
    chart
}

/// A write as a client makes it.
struct Write {
    how: &'static str,
    manager: String,
    force: bool,
    username: &'static str,
    /// Whether the client names its manager; else the API server takes the User-Agent's.
    named: bool,
    object: Value,
}

fn by(manager: &str, how: &'static str, object: Value) -> Write {
    Write { how, manager: manager.to_owned(), force: true, username: "admin", named: true, object }
}

enum Ended {
    /// The API server did not take it.
    Refused,
    Stored {
        changed: bool,
        reason: &'static str,
    },
}

struct World<'w> {
    oracle: &'w mut Oracle,
    rule: &'static Rule,
    policy: Policy,
    kind: &'static str,
    /// Whether we are installed yet.
    asked: bool,
    now: Timestamp,
    /// The stored object, or null.
    live: Value,
    eks: Value,
    chart: Value,
    log: String,
}

/// What the program said of a write.
struct Said {
    verdict: &'static str,
    reason: &'static str,
    manager: String,
    message: String,
}

impl World<'_> {
    fn order(&mut self, order: &Value) -> Value {
        self.oracle.write(&format!("{order}\n"));
        serde_json::from_str(&self.oracle.line()).unwrap()
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        let mut random = Random::new(step.seed);
        self.now += SignedDuration::from_secs(i64::try_from(random.below(3)).unwrap());
        match step.what {
            What::Eks | What::EksAsks | What::Addon => self.eks(step.what, &mut random),
            What::OwnerApplies => {
                manifest::vary(&mut self.chart, &mut random);
                let write =
                    Write { force: random.once_in(2), ..by(self.rule.owner, "apply", self.chart.clone()) };
                self.write(write).map(drop)
            }
            What::OwnerPatches => {
                manifest::vary(&mut self.chart, &mut random);
                let mut object = self.live.clone();
                manifest::merge(&mut object, &self.chart);
                self.write(by(self.rule.owner, "update", object)).map(drop)
            }
            What::KubectlApplies => {
                let mut object = self.base();
                manifest::vary(&mut object, &mut random);
                object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
                    json!("{}");
                self.write(by("kubectl-client-side-apply", "update", object)).map(drop)
            }
            What::SomebodyApplies => {
                let part = manifest::part_of(&self.eks, &mut random);
                let names = ["kubectl", "argocd-controller", "helm-controller", "helm", "terraform"];
                let write = by(random.of(&names), "apply", part);
                self.write(Write { force: !random.once_in(4), ..write }).map(drop)
            }
            What::SomebodyEdits => {
                let mut object = self.base();
                for _ in 0..=random.below(2) {
                    manifest::vary(&mut object, &mut random);
                }
                let names = [
                    "kubectl-edit",
                    "kubectl-label",
                    "kubectl-set",
                    "kubectl-patch",
                    "terraform",
                    "node-fetch",
                ];
                let write = by(random.of(&names), "update", object);
                self.write(Write { named: !random.once_in(3), ..write }).map(drop)
            }
            What::SomebodyTakesStamps => self.take_stamps(&mut random),
            What::Replace => {
                let mut object = if random.once_in(2) { self.eks.clone() } else { self.chart.clone() };
                if random.once_in(3) {
                    object["metadata"].as_object_mut().unwrap().remove("labels");
                }
                self.write(by("kubectl-replace", "update", object)).map(drop)
            }
            What::ListByHand => self.list_by_hand(&mut random),
            What::Crowd => {
                for number in 0..13 {
                    let mut object = self.base();
                    object["metadata"]["annotations"][format!("example.com/{number}")] = json!("here");
                    self.now += SignedDuration::from_secs(1);
                    self.write(by(&format!("client-{number}"), "update", object))?;
                }
                Ok(())
            }
            What::Status => {
                if !self.live.is_null() {
                    let mut object = self.live.clone();
                    object["status"]["observedGeneration"] = json!(random.below(1000));
                    if self.kind == "DaemonSet" {
                        object["status"]["numberReady"] = json!(random.below(1000));
                    }
                    self.write(by("kube-controller-manager", "status", object))?;
                }
                Ok(())
            }
            What::Delete => {
                self.order(&json!({"do": "forget"}));
                self.live = Value::Null;
                self.log.push_str("deleted\n");
                Ok(())
            }
        }
    }

    /// What a client that edits starts from.
    fn base(&self) -> Value {
        if self.live.is_null() { self.chart.clone() } else { self.live.clone() }
    }

    fn eks(&mut self, what: What, random: &mut Random) -> Result<(), String> {
        if random.once_in(2) {
            manifest::vary(&mut self.eks, random);
        }
        match random.below(12) {
            0 => self.eks["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("eks"),
            1 => drop(
                self.eks["metadata"]["labels"]
                    .as_object_mut()
                    .map(|labels| labels.remove("app.kubernetes.io/managed-by")),
            ),
            2 => self.eks["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm"),
            _ => {}
        }
        let username = if what == What::Addon { "eks:addon-manager" } else { "eks:cluster-bootstrap" };
        let write = |world: &Self| Write {
            force: what != What::EksAsks,
            username,
            ..by("eks", "apply", world.eks.clone())
        };
        let Ended::Stored { .. } = self.write(write(self))? else { return Ok(()) };
        // The same apply again, now or later, must not reach etcd. Where we leave the entry of `eks` to it, the API server itself
        // may write twice more: it drops the empty `f:labels` that a forced apply left in another's entry (seed 20264235), and
        // entries of one second are sorted by name, and change places when one gets a later time.
        for last in [false, false, true] {
            self.now += SignedDuration::from_secs(i64::try_from(random.below(2)).unwrap());
            let Ended::Stored { changed, reason } = self.write(write(self))? else { return Ok(()) };
            if changed && (self.rule.transfer && matches!(reason, "adopted" | "in-order") || last) {
                return Err(format!("a repeated apply by eks was written to etcd ({reason})"));
            }
            if !changed {
                break;
            }
        }
        Ok(())
    }

    fn take_stamps(&mut self, random: &mut Random) -> Result<(), String> {
        let mut object = self.base();
        let (map, key) = random.of(&[
            ("labels", "app.kubernetes.io/managed-by"),
            ("annotations", "meta.helm.sh/release-name"),
            ("annotations", "meta.helm.sh/release-namespace"),
            ("labels", "cni-steward.dev/installed-by"),
            ("labels", "aws.cluster.x-k8s.io/prevent-deletion"),
        ]);
        if random.once_in(2) {
            drop(object["metadata"][map].as_object_mut().map(|pairs| pairs.remove(key)));
        } else {
            object["metadata"][map][key] = json!("mine");
        }
        if random.once_in(4) {
            manifest::vary(&mut object, random);
        }
        let how = if random.once_in(4) { "apply" } else { "update" };
        if how == "apply" {
            let mut part = manifest::part_of(&self.eks, random);
            part["metadata"][map][key] = json!("mine");
            object = part;
        }
        let named = how == "apply" || !random.once_in(4);
        self.write(Write { named, ..by("kubectl-label", how, object) }).map(drop)
    }

    fn list_by_hand(&mut self, random: &mut Random) -> Result<(), String> {
        let mut object = self.base();
        let list = &mut object["metadata"]["managedFields"];
        match (random.below(5), list.as_array_mut()) {
            (0, _) => *list = json!([{}]),
            (1, _) => *list = json!([]),
            (2, Some(entries)) if !entries.is_empty() => drop(entries.remove(random.below(entries.len()))),
            (3, Some(entries)) if !entries.is_empty() => {
                let at = random.below(entries.len());
                entries[at]["manager"] = json!(random.of(&["helm", "eks", "somebody"]));
            }
            (_, Some(entries)) if !entries.is_empty() => {
                let at = random.below(entries.len());
                entries[at]["operation"] = json!(random.of(&["Apply", "Update"]));
            }
            _ => {}
        }
        self.write(by("kubectl-edit", "update", object)).map(drop)
    }

    /// One write, from the client to etcd.
    fn write(&mut self, mut write: Write) -> Result<Ended, String> {
        if write.how == "update" && self.live.is_null() {
            // A POST: the client's own object.
            let metadata = write.object["metadata"].as_object_mut().ok_or("no object")?;
            for key in ["managedFields", "uid", "resourceVersion", "creationTimestamp"] {
                metadata.remove(key);
            }
        }
        let told = self
            .order(&json!({"do": "write", "how": write.how, "manager": write.manager, "force": write.force,
            "now": self.now.to_string(), "object": write.object}));
        writeln!(
            self.log,
            "{} {} by {} ({}), force {}",
            self.now, write.how, write.manager, write.username, write.force
        )
        .unwrap();
        if told.get("refused").is_some() || told.get("conflicts").is_some() {
            writeln!(self.log, "  not taken: {}{}", told["refused"], told["conflicts"]).unwrap();
            return Ok(Ended::Refused);
        }
        if write.how == "status" {
            self.live = told["stored"].clone();
            return Ok(Ended::Stored { changed: true, reason: "status" });
        }
        let tracked = &told["object"];
        writeln!(self.log, "  {}, tracked: {:?}", told["operation"], owners(tracked)).unwrap();
        let (patched, reason) = if self.asked {
            let Some(judged) = self.judge(&write, &told)? else {
                self.log.push_str("  refused by us\n");
                return Ok(Ended::Refused);
            };
            judged
        } else {
            (None, "not asked")
        };
        writeln!(self.log, "  {reason}: {:?}", owners(patched.as_ref().unwrap_or(tracked))).unwrap();
        let order = match &patched {
            Some(object) => json!({"do": "store", "object": object}),
            None => json!({"do": "store"}),
        };
        let stored = self.order(&order);
        if let Some(problem) = stored.get("refused") {
            if patched.is_some() && stored["anyway"] != true {
                return Err(format!("the API server refused the object because of our patch: {problem}"));
            }
            writeln!(self.log, "  not stored: {problem}").unwrap();
            return Ok(Ended::Refused);
        }
        if let Some(problem) = stored.get("reset") {
            return Err(format!("managedFields did not survive admission: {problem}"));
        }
        let changed = stored["changed"] == true;
        self.live = stored["stored"].clone();
        let end = if changed { "written" } else { "not written" };
        writeln!(self.log, "  {end}, times: {:?}", times(&self.live)).unwrap();
        let sent = patched.as_ref().unwrap_or(tracked);
        if changed && self.live["metadata"]["managedFields"] != sent["metadata"]["managedFields"] {
            return Err("the stored list is not the one that was sent".to_owned());
        }
        Ok(Ended::Stored { changed, reason })
    }

    /// Asks the program, checks every law, and gives the patched object; `None` when it refused.
    fn judge(
        &mut self,
        write: &Write,
        told: &Value,
    ) -> Result<Option<(Option<Value>, &'static str)>, String> {
        let (tracked, old) = (&told["object"], told.get("old").unwrap_or(&Value::Null));
        let review = |object: &Value| self.review(write, told, object, old);
        let (said, patched) = self.ask(&review(tracked))?;
        if said.verdict == "refuse" {
            let may = self.rule.text.contains("Block") && old.is_null();
            return if may { Ok(None) } else { Err(format!("refused: {}", said.message)) };
        }
        let object = patched.as_ref().unwrap_or(tracked);
        let seen = Seen {
            rule: self.rule,
            kind: self.kind,
            username: write.username,
            manager: if write.named { &write.manager } else { &said.manager },
            reason: said.reason,
            tracked,
            old,
            patched: object,
        };
        let describe = |problem: String| {
            format!(
                "{}: {problem}\nmanager: {}\nold list: {}\nreviewed list: {}\nour list: {}\nlabels and annotations: {} {} became {} {}",
                said.reason,
                said.manager,
                old["metadata"]["managedFields"],
                tracked["metadata"]["managedFields"],
                object["metadata"]["managedFields"],
                tracked["metadata"]["labels"],
                tracked["metadata"]["annotations"],
                object["metadata"]["labels"],
                object["metadata"]["annotations"],
            )
        };
        seen.check().map_err(describe)?;
        if let (_, Some(again)) = self.ask(&review(object))? {
            return Err(describe(format!("applied again, it changed once more: {}", again["metadata"])));
        }
        Ok(Some((patched, said.reason)))
    }

    /// What was said, and the object after the patch.
    fn ask(&self, review: &Value) -> Result<(Said, Option<Value>), String> {
        let body = review.to_string();
        // Our own clock is ahead of the writer's, as after a retry.
        let now = self.now + SignedDuration::from_millis(1500);
        let said = answer(body.as_bytes(), &self.policy, now);
        if said.status != 200 || said.body != answer(body.as_bytes(), &self.policy, now).body {
            return Err(format!("status {}, or not the same answer twice", said.status));
        }
        let told = Said {
            verdict: said.record.verdict,
            reason: said.record.reason,
            manager: said.record.manager.to_string(),
            message: said.record.message,
        };
        let reply: Value =
            serde_json::from_slice(&said.body.whole(body.as_bytes())).map_err(|error| error.to_string())?;
        let Some(patch) = reply["response"]["patch"].as_str() else { return Ok((told, None)) };
        let patch =
            base64::engine::general_purpose::STANDARD.decode(patch).map_err(|error| error.to_string())?;
        let patch: json_patch::Patch = serde_json::from_slice(&patch).map_err(|error| error.to_string())?;
        let mut object = review["request"]["object"].clone();
        json_patch::patch(&mut object, &patch)
            .map_err(|error| format!("the patch does not apply: {error}"))?;
        Ok((told, Some(object)))
    }

    fn review(&self, write: &Write, told: &Value, object: &Value, old: &Value) -> Value {
        let (group, resource) = match self.kind {
            "DaemonSet" => ("apps", "daemonsets"),
            "ServiceAccount" => ("", "serviceaccounts"),
            "ConfigMap" => ("", "configmaps"),
            "ClusterRole" => ("rbac.authorization.k8s.io", "clusterroles"),
            "ClusterRoleBinding" => ("rbac.authorization.k8s.io", "clusterrolebindings"),
            _ => ("apiextensions.k8s.io", "customresourcedefinitions"),
        };
        let metadata = &object["metadata"];
        let options = match (write.named, told["operation"] == "CREATE") {
            (true, true) => {
                json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": write.manager})
            }
            (true, false) => {
                json!({"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": write.manager})
            }
            (false, _) => json!({"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"}),
        };
        json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
            "uid": "7f0c", "kind": {"group": group, "version": "v1", "kind": self.kind},
            "resource": {"group": group, "version": "v1", "resource": resource},
            "name": metadata["name"],
            "namespace": metadata["namespace"].as_str().unwrap_or_default(),
            "operation": told["operation"],
            "userInfo": {"username": write.username, "groups": ["system:authenticated"]},
            "object": object, "oldObject": old, "dryRun": false, "options": options}})
    }
}
