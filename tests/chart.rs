//! The chart's README, values, schema, alerts and dashboard agree with each other and with docs/metrics.md.
//!
//! `make chart-docs` (`CNI_STEWARD_WRITE=yes`) writes the README's table of values anew instead of comparing it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, loudly"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

const BEGIN: &str = "<!-- values: written by `make chart-docs` -->\n";
const END: &str = "<!-- end of values -->\n";

fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), file].iter().collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn schema() -> Value {
    serde_json::from_str(&read("charts/cni-steward/values.schema.json")).unwrap()
}

fn values() -> Value {
    serde_saphyr::from_str(&read("charts/cni-steward/values.yaml")).unwrap()
}

/// Calls `leaf` for each value that a person may set, with its dotted name, its schema and its default.
fn leaves<'v>(
    schema: &'v Value,
    values: Option<&'v Value>,
    name: &str,
    leaf: &mut impl FnMut(&str, &'v Value, Option<&'v Value>),
) {
    match schema["properties"].as_object() {
        Some(properties) => {
            for (key, schema) in properties {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                leaves(schema, values.and_then(|values| values.get(key)), &name, leaf);
            }
        }
        None => leaf(name, schema, values.or_else(|| schema.get("default"))),
    }
}

fn table() -> String {
    let (schema, values) = (schema(), values());
    let mut table = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    leaves(&schema, Some(&values), "", &mut |name, schema, default| {
        let default = match default.map(ToString::to_string) {
            None => String::new(),
            Some(text) if text.len() > 60 => "see [values.yaml](values.yaml)".to_owned(),
            Some(text) => format!("`{text}`"),
        };
        let mut what = schema["description"].as_str().unwrap_or_default().to_owned();
        if let Some(allowed) = schema["enum"].as_array() {
            let words: Vec<_> = allowed.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
            write!(what, "; {}", words.join(", ")).unwrap();
        }
        if let (Some(low), Some(high)) = (schema.get("minimum"), schema.get("maximum")) {
            write!(what, "; {low} to {high}").unwrap();
        }
        writeln!(table, "| `{name}` | {default} | {what} |").unwrap();
    });
    table
}

#[test]
fn readme_lists_every_value_as_the_schema_has_it() {
    let file = "charts/cni-steward/README.md";
    let text = read(file);
    let (before, rest) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{file}: no line {BEGIN}"));
    let (listed, after) = rest.split_once(END).unwrap_or_else(|| panic!("{file}: no line {END}"));
    let expected = table();
    if std::env::var_os("CNI_STEWARD_WRITE").is_some() {
        std::fs::write(path(file), [before, BEGIN, &expected, END, after].concat()).unwrap();
        return;
    }
    let (seen, wanted): (BTreeSet<_>, BTreeSet<_>) = (listed.lines().collect(), expected.lines().collect());
    let differs: Vec<_> = wanted.symmetric_difference(&seen).collect();
    assert!(listed == expected, "{file} is not what the schema says; run `make chart-docs`: {differs:#?}");
}

#[test]
fn every_value_is_described_and_no_other_is_allowed() {
    fn look(schema: &Value, name: &str) {
        let described = schema["description"].as_str().is_some_and(|text| text.len() > 2);
        assert!(name.is_empty() || described, "{name} has no description");
        if let Some(properties) = schema["properties"].as_object() {
            assert_eq!(schema["additionalProperties"], false, "{name} lets unknown values through");
            properties.iter().for_each(|(key, schema)| look(schema, &format!("{name}.{key}")));
        }
    }
    look(&schema(), "");
}

#[test]
fn every_default_is_in_the_values_file_where_people_look_for_it() {
    // The policy's own defaults are the program's, and depend on its mode; the others are Kubernetes'.
    let elsewhere = ["global", "policy.", "Probe."];
    let (schema, values) = (schema(), values());
    leaves(&schema, Some(&values), "", &mut |name, schema, default| {
        let said = default.is_some() && schema.get("default").is_none();
        assert!(
            said || elsewhere.iter().any(|part| name.contains(part)),
            "expected {name} in values.yaml, got default {default:?}"
        );
    });
}

#[test]
fn alerts_and_dashboard_use_metrics_that_are_documented() {
    let documented = read("docs/metrics.md");
    serde_json::from_str::<Value>(&read("charts/cni-steward/files/dashboard.json")).unwrap();
    for file in ["charts/cni-steward/files/alerts.yaml", "charts/cni-steward/files/dashboard.json"] {
        let text = read(file);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let used: BTreeSet<_> = words.filter(|word| word.starts_with("cni_steward_")).collect();
        assert!(used.len() > 5, "expected metrics in {file}, got {used:?}");
        for metric in used {
            let metric = metric.strip_suffix("_bucket").unwrap_or(metric);
            let short = metric.replace("cni_steward_reviews_", "…_");
            assert!(
                documented.contains(metric) || documented.contains(&format!("`{short}`")),
                "{file} uses {metric}, which docs/metrics.md does not list"
            );
        }
    }
}

#[test]
fn expressions_of_the_exported_policies_are_the_program_s() {
    let file = "charts/cni-steward/files/cel.yaml";
    let mut wanted = "# Written by `make chart-docs`, from src/policy/cel.\n".to_owned();
    for (part, expressions) in cni_steward::policy::cel::constant_parts() {
        writeln!(wanted, "{part}:").unwrap();
        for (name, expression) in expressions {
            writeln!(wanted, "  - name: {name}\n    expression: {}", Value::from(*expression)).unwrap();
        }
    }
    if std::env::var_os("CNI_STEWARD_WRITE").is_some() {
        std::fs::write(path(file), &wanted).unwrap();
    }
    let found = std::fs::read_to_string(path(file)).unwrap_or_default();
    assert!(found == wanted, "{file} is out of date; run `make chart-docs`");
}

#[test]
fn every_alert_is_documented_and_seen_to_fire() {
    let documented = read("docs/metrics.md");
    let tests = read("charts/cni-steward/tests/alerts.promtool.yaml");
    let alerts: Value = serde_saphyr::from_str(&read("charts/cni-steward/files/alerts.yaml")).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 10, "expected alerts, got {}", rules.len());
    for rule in rules {
        let alert = rule["alert"].as_str().unwrap();
        assert!(documented.contains(&format!("| `{alert}` |")), "docs/metrics.md does not tell of {alert}");
        let fires = format!("alertname: {alert}\n        exp_alerts:\n");
        assert!(tests.contains(&fires), "no test expects {alert} to fire");
        assert!(tests.contains(&format!("alertname: {alert}}}")), "no test expects {alert} to be quiet");
    }
}

#[test]
fn a_version_is_the_same_wherever_a_release_says_it() {
    let version = env!("CARGO_PKG_VERSION");
    let chart: Value = serde_saphyr::from_str(&read("charts/cni-steward/Chart.yaml")).unwrap();
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], version, "Chart.yaml: {key}");
    }
    let changes = read("CHANGELOG.md");
    let section = format!("## {version}");
    assert!(changes.lines().any(|line| line.starts_with(&section)), "expected {section:?} in CHANGELOG.md");
    let page = read("docs/verify.md");
    for (index, line) in page.lines().enumerate() {
        for word in line.split(['`', '/', ' ']).filter(|word| word.starts_with("cni-steward-")) {
            let after = &word["cni-steward-".len()..];
            assert!(after.starts_with(version), "docs/verify.md:{}: {word} is not of {version}", index + 1);
        }
    }
    let image = values()["image"]["repository"].as_str().unwrap().to_owned();
    assert!(page.contains(&image), "docs/verify.md does not name the chart's default {image}");
    let workflow = read(".github/workflows/release.yml");
    assert!(
        workflow.contains("ghcr.io") && image.starts_with("ghcr.io/"),
        "{image} is not where the workflow publishes"
    );
}
