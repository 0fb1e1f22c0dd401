//! What `helm template --include-crds` printed: YAML documents, each with the place it came from.
//!
//! Split at lines of three dashes as Helm splits it (`pkg/release/v1/util/manifest.go`), so that an error can name the
//! document by its number and line. Scalars are read as Helm reads them, which is YAML 1.1: `yes` is true, `0644` octal.

use serde_json::Value;

use crate::policy::Kind;

/// One object of the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its number among all documents, from 1.
    pub number: usize,
    /// Its first line, from 1.
    pub line: usize,
    /// Whether it comes from the chart's `crds/` folder: what Helm's `# Source:` comment says; without one, every CRD.
    pub from_crds: bool,
    /// The object.
    pub object: Value,
}

/// Everything that a chart renders.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its objects in the order of the file.
    pub documents: Vec<Document>,
}

/// Why a manifest cannot be used; names file, document, line, what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(pub String);

const EXPECTED: &str =
    "expected what `helm template --include-crds` prints: one Kubernetes object in each document";

impl Document {
    /// The kind, if it is one of the catalogue's, whatever its name.
    pub fn kind(&self) -> Option<Kind> {
        let (api_version, kind) = (self.text("/apiVersion"), self.text("/kind"));
        Kind::ALL.into_iter().find(|known| {
            let version = match known.group_resource().0 {
                "" => "v1".to_owned(),
                group => format!("{group}/v1"),
            };
            known.name() == kind && version == api_version
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    fn text(&self, path: &str) -> &str {
        self.object.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// What it is called in a sentence. An object without a namespace gets the release's from Helm.
    fn title(&self, namespace: &str) -> String {
        let own = self.text("/metadata/namespace");
        let cluster = self.kind().is_some_and(|kind| !kind.namespaced());
        let namespace = match own {
            _ if cluster => "",
            "" => namespace,
            own => own,
        };
        let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        format!("{} {place}{} ({})", self.text("/kind"), self.name(), self.text("/apiVersion"))
    }
}

impl Manifest {
    /// Reads a manifest; `file` is its name for errors, `namespace` the release's.
    pub fn parse(file: &str, text: &str, namespace: &str) -> Result<Self, ManifestError> {
        let mut documents: Vec<Document> = Vec::new();
        for (index, (line, text)) in split(text).into_iter().enumerate() {
            let place = format!("{file}: document {} (line {line})", index + 1);
            let Some(object) = read(&place, line, &text)? else { continue };
            let from_crds = source(&text).map_or_else(
                || object.get("kind").is_some_and(|kind| kind == "CustomResourceDefinition"),
                in_crds,
            );
            let document = Document { number: index + 1, line, from_crds, object };
            let title = document.title(namespace);
            if let Some(first) = documents.iter().find(|other| other.title(namespace) == title) {
                return Err(ManifestError(format!(
                    "{place}: {title} stands in document {} (line {}) already; a chart renders an object once",
                    first.number, first.line
                )));
            }
            documents.push(document);
        }
        if documents.is_empty() {
            return Err(ManifestError(format!("{file}: no object in it; {EXPECTED}")));
        }
        Ok(Self { documents })
    }

    /// The document that renders this object. One without a namespace is in the release's.
    pub fn find(&self, kind: Kind, namespace: &str, name: &str, release: &str) -> Option<&Document> {
        self.documents.iter().find(|document| {
            let own = document.text("/metadata/namespace");
            document.kind() == Some(kind)
                && document.name() == name
                && (!kind.namespaced() || namespace == if own.is_empty() { release } else { own })
        })
    }
}

/// The documents, each with its first line. The lines of dashes belong to none.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(1, String::new())];
    let mut dashes = false;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let rest =
            line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r']));
        if let Some(rest) = rest {
            // A line of dashes that nothing comes before begins the first document.
            if !std::mem::replace(&mut dashes, true) && documents.iter().all(|(_, text)| is_blank(text)) {
                documents.clear();
            }
            documents.push((index + 1, format!("   {rest}\n")));
        } else if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents
}

/// Whether there is nothing but comments and space.
fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "...")
}

/// The path in Helm's `# Source:` comment.
fn source(text: &str) -> Option<&str> {
    text.lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with('#'))
        .find_map(|line| line.strip_prefix("# Source: "))
}

/// Whether Helm's path is into the `crds/` folder of the chart, or of a chart in its `charts/`, however deep.
fn in_crds(path: &str) -> bool {
    let mut folders = path.split('/').skip(1);
    loop {
        match folders.next() {
            Some("charts") => drop(folders.next()),
            folder => return folder == Some("crds"),
        }
    }
}

fn read(place: &str, line: usize, text: &str) -> Result<Option<Value>, ManifestError> {
    let fail = |problem: &str| Err(ManifestError(format!("{place}: {problem}")));
    if is_blank(text) {
        return Ok(None);
    }
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    let object: Value = match serde_saphyr::from_str_with_options(text, options) {
        Ok(object) => object,
        Err(error) => {
            let at = error.location().and_then(|at| usize::try_from(at.line()).ok()).unwrap_or(1);
            let problem = error.without_snippet().to_string();
            let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
            return fail(&format!("not YAML at line {}: {problem}; {EXPECTED}", line + at - 1));
        }
    };
    let what = match &object {
        Value::Null => return Ok(None),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            match (text("apiVersion"), text("kind"), name) {
                ("", ..) => "an object without `apiVersion`",
                (_, "", _) => "an object without `kind`",
                (_, kind, _) if kind.ends_with("List") && fields.contains_key("items") => {
                    return fail(&format!("a {kind} of several objects; {EXPECTED}"));
                }
                (_, kind, "") => return fail(&format!("a {kind} without `metadata.name`; {EXPECTED}")),
                _ => return Ok(Some(object)),
            }
        }
        Value::Array(_) => "a list",
        _ => "a single value",
    };
    fail(&format!("{what}; {EXPECTED}"))
}
