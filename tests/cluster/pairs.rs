//! Generated pairs of live and rendered state: each forecast is compared with what both Helms then do.
//!
//! `CNI_STEWARD_PAIRS` says how many (40 without it), `CNI_STEWARD_SEED` which ones. A failure prints its seed and number.

use cni_steward::acceptance::forecast::{Answer, Forecast};
use cni_steward::acceptance::leftover::Leftover;
use serde_json::{Value, json};

use crate::answers::{assert_complaint, ended, forecasts, foretold, told};
use crate::draw::Draw;
use crate::scene::NEW;
use crate::state::{Kind, Object};
use crate::support::Output;
use crate::support::control_plane::{ControlPlane, Helm, User, Version};
use crate::support::http::Client;
use crate::support::suite::Case;
use crate::support::tools::Tool::{self, ApiServer136, Etcd, Helm3, Helm4, Kubectl};
use crate::support::watchdog::Folder;

const BOTH: &[Tool] = &[ApiServer136, Etcd, Kubectl, Helm3, Helm4];

pub(crate) const CASES: &[Case] = &[
    Case { name: "pairs::generated_states_end_with_both_helms_as_forecast", needs: BOTH, run: generated },
    Case { name: "pairs::quantities_and_zero_values_conflict_by_their_text", needs: NEW, run: by_their_text },
];

pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var_os(variable).map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

fn generated() {
    let (count, seed) = (number("CNI_STEWARD_PAIRS", 40), number("CNI_STEWARD_SEED", 7));
    let plane = ControlPlane::start(Version::V1_36);
    let client = plane.client(User::Admin);
    let chart = Folder::new();
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    for pair in 0..count {
        for helm in [Helm::V3, Helm::V4] {
            let trial = Trial { plane: &plane, client: &client, chart: &chart, helm, seed, pair };
            let answer = trial.run();
            *ends.entry(format!("{helm:?} {answer:?}")).or_default() += 1;
        }
    }
    eprintln!("{count} pairs of seed {seed}: {ends:?}");
    for end in ["V3 Accepts", "V3 NotOwned", "V4 Accepts", "V4 Conflicts", "V4 NotOwned"] {
        assert!(count < 40 || ends.contains_key(end), "no pair ended with {end}: {ends:?}");
    }
}

struct Trial<'t> {
    plane: &'t ControlPlane,
    client: &'t Client,
    chart: &'t Folder,
    helm: Helm,
    seed: u64,
    pair: u64,
}

impl Trial<'_> {
    fn run(&self) -> Answer {
        let mut draw = Draw::new(self.seed, self.pair);
        let object = Object::new(Kind::draw(&mut draw), self.pair, self.helm);
        let (live, history) = object.make(self.client, &mut draw);
        let rendered = object.rendered(&mut draw);
        let folder = if object.kind == Kind::Schema { "crds" } else { "templates" };
        self.write_chart(folder, &rendered);

        let manifest = format!("---\n# Source: pair/{folder}/object.yaml\n{rendered}\n");
        let forecasts = forecasts(&manifest, std::slice::from_ref(&live), "helm");
        let [forecast] = forecasts.as_slice() else { panic!("one forecast") };
        let chart = self.chart.path().to_str().unwrap();
        let output = self.plane.helm(self.helm, &["install", "aws-vpc-cni", chart, "-n", "kube-system"]);
        let what = format!(
            "seed {} pair {} {:?}: {history}\nlive {live}\nrendered {rendered}\n{forecast:#?}\n{output}",
            self.seed, self.pair, self.helm
        );
        let answer = self.check(forecast, &output, &what);
        if answer.is_well() {
            self.check_leftovers(&object, forecast, &live, &what);
        }
        self.clean(&object);
        answer
    }

    fn check(&self, forecast: &Forecast, output: &Output, what: &str) -> Answer {
        let expected = if self.helm == Helm::V3 { forecast.helm_3 } else { forecast.helm_4 };
        let answer = ended(output);
        let same = answer == expected || (answer == Answer::Accepts && expected == Answer::Skips);
        assert!(same, "forecast {expected:?}, got {answer:?}\n{what}");
        match answer {
            Answer::NotOwned => assert_complaint(output, &[forecast]),
            Answer::Conflicts => assert_eq!(told(&output.stderr), foretold([forecast]), "{what}"),
            _ => {}
        }
        expected
    }

    /// What is left over is where the forecast says, told by names that stand in the object itself.
    fn check_leftovers(&self, object: &Object, forecast: &Forecast, live: &Value, what: &str) {
        let after = object.get(self.client);
        for Leftover { path, pruned, .. } in &forecast.leftovers {
            let Some(before) = find(live, path) else { panic!("{path} is not in the live object\n{what}") };
            let gone = find(&after, path) != Some(before);
            let expected = *pruned && self.helm == Helm::V4;
            // The default of this one depends on the image, and may be the value that it had.
            let defaulted = expected && path.ends_with(".imagePullPolicy");
            assert!(gone == expected || defaulted, "{path} in {what} after {after}");
        }
        // Now and then, for it takes a while: each command does what it is named for.
        if self.helm == Helm::V4 || !self.pair.is_multiple_of(4) {
            return;
        }
        for Leftover { path, command, .. } in &forecast.leftovers {
            self.plane.shell(User::Joe, command.strip_prefix("kubectl ").unwrap()).ok();
            let (before, after) = (find(live, path), object.get(self.client));
            let gone = find(&after, path) != before || path.ends_with(".imagePullPolicy");
            assert!(gone, "{path} is there after {command} in {what} after {after}");
        }
    }

    fn write_chart(&self, folder: &str, rendered: &Value) {
        let root = self.chart.path();
        for folder in ["crds", "templates"] {
            drop(std::fs::remove_dir_all(root.join(folder)));
        }
        std::fs::create_dir_all(root.join(folder)).unwrap();
        std::fs::write(root.join("Chart.yaml"), "apiVersion: v2\nname: pair\nversion: 0.1.0\n").unwrap();
        std::fs::write(root.join(folder).join("object.yaml"), rendered.to_string()).unwrap();
    }

    fn clean(&self, object: &Object) {
        self.client.delete(&object.path()).unwrap();
        let secrets = "/api/v1/namespaces/kube-system/secrets?labelSelector=owner%3Dhelm";
        let reply = self.client.delete(secrets).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

/// The value at a path as the API server writes it: names without dots, but for the last one in a map; items by key.
fn find<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(object);
    }
    if let Some(rest) = path.strip_prefix('.') {
        // The longest name that is there: keys of maps have dots themselves.
        let fields = object.as_object()?;
        let (name, value) = fields
            .iter()
            .filter(|(name, _)| {
                rest.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
            .max_by_key(|(name, _)| name.len())?;
        return find(value, &rest[name.len()..]);
    }
    let (keys, rest) = path.strip_prefix('[')?.split_once(']')?;
    let item = object.as_array()?.iter().find(|item| {
        keys.split(',').all(|key| {
            let (name, value) = key.split_once('=').unwrap();
            item[name] == serde_json::from_str::<Value>(value).unwrap()
        })
    })?;
    find(item, rest)
}

/// The API server compares what is sent with what is stored as text: another spelling of the same quantity conflicts, and
/// so does an empty value that is not stored at all.
fn by_their_text() {
    let plane = ControlPlane::start(Version::V1_36);
    let client = plane.client(User::Admin);
    let object = Object::new(Kind::Workload, 0, Helm::V4);
    let spec = |cpu: Value, pull: &str| {
        let mut whole = object.plain();
        whole["spec"]["template"]["spec"]["hostNetwork"] = json!(false);
        let container = &mut whole["spec"]["template"]["spec"]["containers"][0];
        container["resources"] = json!({"requests": {"cpu": cpu}});
        container["imagePullPolicy"] = json!(pull);
        container["env"] = json!([{"name": "EMPTY", "value": ""}]);
        whole
    };
    object.apply(&client, "eks", &spec(json!("25m"), "Always"));
    let live = object.get(&client);
    let other = spec(json!("0.025"), "Always");
    let manifest = format!("---\n{other}\n");
    let forecasts = forecasts(&manifest, std::slice::from_ref(&live), "helm");
    let paths: Vec<_> = forecasts[0].conflicts.iter().flat_map(|conflict| conflict.paths.clone()).collect();
    let reply = object.try_apply(&client, "helm", &other);
    assert_eq!(reply["code"], 409, "{reply}");
    let causes = reply["details"]["causes"].as_array().unwrap();
    let mut told: Vec<String> =
        causes.iter().map(|cause| cause["field"].as_str().unwrap().to_owned()).collect();
    let mut foretold = paths.clone();
    told.sort();
    foretold.sort();
    assert_eq!(foretold, told);
    for field in [".cpu", ".hostNetwork", ".value"] {
        assert!(paths.iter().any(|path| path.ends_with(field)), "{field} in {paths:?}");
    }
}
