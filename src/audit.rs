//! What an audit saw in each cluster, and how it is told: a table for people, JSON and CSV for programs, a page for a browser.
//!
//! Rows stand in the order in which the clusters were asked for. A cluster that could not be looked at is a row too: a report that
//! left it out would say that all is well with it. The same report gives the same bytes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::findings::{Certainty, Code, Finding, Owner, Severity};

mod csv;
mod html;
mod json;
mod row;
mod table;

pub use csv::csv;
pub use html::html;
pub use json::json;
pub use row::row;
pub use table::table;

/// What was seen in all clusters.
#[derive(Debug, Clone)]
pub struct Report {
    /// When the audit began.
    pub time: Timestamp,
    /// One for each cluster.
    pub rows: Vec<Row>,
}

/// What was seen in one cluster.
#[derive(Debug, Clone)]
pub struct Row {
    /// The context that names it.
    pub context: String,
    /// The address of its API server; empty where the kubeconfig does not get that far.
    pub server: String,
    /// What stands there, or why nobody knows.
    pub outcome: Result<Seen, Gap>,
}

/// What stands in a cluster that could be looked at. A text is empty where there is nothing to say.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Who owns the VPC CNI.
    pub owner: Owner,
    /// How sure that is.
    pub certainty: Certainty,
    /// The release (namespace, name) that its objects name, if they name one.
    pub release: Option<(String, String)>,
    /// Who installed it: the provenance.
    pub installed_by: String,
    /// Version of the VPC CNI, by the image of its `DaemonSet`.
    pub cni: String,
    /// Version of Kubernetes.
    pub kubernetes: String,
    /// The mode of our installation, if there is one.
    pub mode: String,
    /// What a person should look at, the worst first.
    pub findings: Vec<Finding>,
}

/// Why a cluster could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// In one word of a fixed list: `unreachable`, `timeout`, `forbidden`, `unauthorized`, `configuration`, …
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

/// How a cluster stands, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not looked at, or not far enough to say: it may hold anything.
    NotAudited,
    /// A finding is a problem.
    Problems,
    /// A finding is a warning, none a problem.
    Warnings,
    /// Nothing to do.
    Clear,
}

impl State {
    /// The word for it.
    const fn name(self) -> &'static str {
        match self {
            Self::NotAudited => "not audited",
            Self::Problems => "with problems",
            Self::Warnings => "with warnings",
            Self::Clear => "clear",
        }
    }
}

impl Row {
    /// How the cluster stands.
    pub fn state(&self) -> State {
        let Ok(seen) = &self.outcome else { return State::NotAudited };
        match seen.findings.iter().map(|finding| finding.code.severity()).min() {
            Some(Severity::Problem) => State::Problems,
            Some(Severity::Warning) => State::Warnings,
            Some(Severity::Note) | None => State::Clear,
        }
    }
}

impl Report {
    /// How many clusters stand so.
    pub fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|row| row.state() == state).count()
    }

    /// The state of the cluster that stands worst.
    pub fn worst(&self) -> State {
        self.rows.iter().map(Row::state).min().unwrap_or(State::Clear)
    }

    /// Each code once, the worst first.
    fn codes(&self) -> Vec<Found<'_>> {
        let mut codes: BTreeMap<(Severity, Code), Found<'_>> = BTreeMap::new();
        for row in &self.rows {
            let Ok(seen) = &row.outcome else { continue };
            for code in seen.codes() {
                let Some(first) = seen.findings.iter().find(|finding| finding.code == code) else { continue };
                let new = || Found { first, context: &row.context, clusters: 0 };
                codes.entry((code.severity(), code)).or_insert_with(new).clusters += 1;
            }
        }
        codes.into_values().collect()
    }
}

/// A code that was found.
struct Found<'r> {
    /// The first finding of the kind, and where it is.
    first: &'r Finding,
    context: &'r str,
    /// How many clusters have it.
    clusters: usize,
}

impl Found<'_> {
    /// `prod and 6 more`.
    fn places(&self) -> String {
        match self.clusters {
            1 => self.context.to_owned(),
            clusters => format!("{} and {} more", self.context, clusters - 1),
        }
    }
}

impl Seen {
    /// The codes of the findings, each once, the worst first.
    fn codes(&self) -> Vec<Code> {
        let mut codes: Vec<Code> = self.findings.iter().map(|finding| finding.code).collect();
        codes.sort_by_key(|code| (code.severity(), *code));
        codes.dedup();
        codes
    }

    /// The same as one text.
    fn code_list(&self) -> String {
        self.codes().into_iter().map(Code::id).collect::<Vec<_>>().join(" ")
    }

    /// The owner for people: `helm kube-system/aws-vpc-cni`, `eks (likely)`.
    fn owned_by(&self) -> String {
        let mut text = self.owner.name().to_owned();
        if let Some((namespace, name)) = &self.release {
            text = format!("{text} {namespace}/{name}");
        }
        match self.certainty {
            Certainty::Certain => text,
            other => format!("{text} ({})", other.name()),
        }
    }
}

fn counted(clusters: usize) -> String {
    format!("{clusters} cluster{}", if clusters == 1 { "" } else { "s" })
}
