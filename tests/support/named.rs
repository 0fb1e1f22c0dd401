//! Tests by the names that pages give them: `server::tls::nothing_is_compressed` is `cargo test --test server -- tls::…`, `lib::…` and
//! `verdict::…` are tests beside the code, and `chart: …` a sentence of the chart's unit tests.

#![allow(dead_code, reason = "each test crate uses its own part")]

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Looks for a test by its name; the error says what is not there.
pub(crate) fn find(name: &str) -> Result<(), String> {
    if let Some(sentence) = name.strip_prefix("chart: ") {
        let line = format!("  - it: {sentence}");
        let there = files(&root().join("charts/cni-steward/tests"), "yaml")
            .iter()
            .any(|file| read(file).lines().any(|found| found == line));
        return there.then_some(()).ok_or_else(|| format!("no unit test of the chart says {sentence:?}"));
    }
    let (target, rest) = name.split_once("::").ok_or_else(|| format!("{name} names no test target"))?;
    let (modules, function) = rest.rsplit_once("::").unwrap_or(("", rest));
    let files = match target {
        "lib" | "verdict" => beside_the_code(modules),
        _ => of_target(target),
    };
    let case = format!("name: \"{rest}\"");
    let inside = |file: &&PathBuf| {
        modules.is_empty() || matches!(target, "lib" | "verdict") || is_module(file, target, modules)
    };
    let there = files.iter().any(|file| read(file).contains(&case))
        || files.iter().filter(inside).any(|file| has_test(&read(file), function));
    there.then_some(()).ok_or_else(|| format!("there is no test {name}"))
}

/// The files in which `a::b::tests` may be.
fn beside_the_code(modules: &str) -> Vec<PathBuf> {
    let path = modules.trim_end_matches("tests").trim_end_matches("::").replace("::", "/");
    let files = [format!("src/{path}.rs"), format!("src/{path}/tests.rs")];
    files.iter().map(|file| root().join(file)).filter(|file| file.exists()).collect()
}

/// Where test targets are.
pub(crate) fn homes() -> [PathBuf; 2] {
    [root().join("tests"), root().join("verdict/tests")]
}

/// The files of a target in `tests/`, ours or those of the package that decides.
fn of_target(target: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in homes() {
        found.extend(files(&folder.join(target), "rs"));
        found.extend(Some(folder.join(format!("{target}.rs"))).filter(|file| file.exists()));
    }
    found
}

fn is_module(file: &Path, target: &str, modules: &str) -> bool {
    let path = modules.replace("::", "/");
    file.ends_with(format!("tests/{target}/{path}.rs"))
}

/// Whether a text has a function of this name that is marked as a test.
fn has_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let named = format!("fn {function}(");
    lines.iter().enumerate().any(|(at, line)| {
        let marks = lines[..at].iter().rev().take_while(|line| !line.is_empty() && **line != "}");
        line.trim_start_matches("async ").starts_with(&named)
            && marks.into_iter().any(|mark| mark.starts_with("#[") && mark.contains("test"))
    })
}

/// The files below a folder.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
