//! What an audit saw in each cluster, and how it is told: a table for people, JSON and CSV for programs, a page for a browser.
//!
//! Rows stand in the order in which the clusters were asked for. A cluster that could not be looked at is a row too: a report that
//! left it out would say that all is well with it. The same report gives the same bytes.

use std::collections::BTreeMap;

use jiff::Timestamp;

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
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Who owns the VPC CNI, as `status` says it.
    pub owner: String,
    /// Who installed it: the provenance.
    pub installed_by: String,
    /// Version of the VPC CNI, by the image of its DaemonSet.
    pub cni: String,
    /// Version of Kubernetes.
    pub kubernetes: String,
    /// The mode of our installation, if there is one.
    pub mode: String,
    /// What a person should look at.
    pub findings: Vec<Finding>,
}

/// What a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its code in `docs/codes.md`.
    pub code: String,
    /// What it means, in one sentence.
    pub message: String,
}

/// Why a cluster could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// In one word of a fixed list: `unreachable`, `timeout`, `forbidden`, `unauthorized`, `configuration`, …
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

/// How a cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Looked at, and nothing to report.
    Clear,
    /// With findings.
    Findings,
    /// Not looked at, or not far enough to say.
    NotAudited,
}

impl Row {
    /// How the cluster stands.
    pub fn state(&self) -> State {
        match &self.outcome {
            Ok(seen) if seen.findings.is_empty() => State::Clear,
            Ok(_) => State::Findings,
            Err(_) => State::NotAudited,
        }
    }
}

impl Report {
    /// How many clusters stand so.
    pub fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|row| row.state() == state).count()
    }

    /// The state that matters most: a cluster that nobody could look at may hold anything.
    pub fn worst(&self) -> State {
        let has = |state| self.count(state) > 0;
        match (has(State::NotAudited), has(State::Findings)) {
            (true, _) => State::NotAudited,
            (false, true) => State::Findings,
            (false, false) => State::Clear,
        }
    }

    /// Each code once, in order, with its first message and the number of clusters that have it.
    fn codes(&self) -> BTreeMap<&str, (&str, usize)> {
        let mut codes = BTreeMap::new();
        for seen in self.rows.iter().filter_map(|row| row.outcome.as_ref().ok()) {
            let once: BTreeMap<&str, &str> = seen
                .findings
                .iter()
                .map(|finding| (finding.code.as_str(), finding.message.as_str()))
                .collect();
            for (code, message) in once {
                codes.entry(code).or_insert((message, 0)).1 += 1;
            }
        }
        codes
    }
}

impl Seen {
    /// The codes of the findings, each once, in order.
    fn codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = self.findings.iter().map(|finding| finding.code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

fn counted(clusters: usize) -> String {
    format!("{clusters} cluster{}", if clusters == 1 { "" } else { "s" })
}
