//! One review: bytes in, verdict, bytes out. No clock, no I/O, no lock.

use jiff::Timestamp;

use crate::policy::Policy;

/// What a review is answered with, and what there is to tell about it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status: 200 for every answered review (a refusal too), 400 for one that cannot be read.
    pub status: u16,
    /// JSON body: an `AdmissionReview`, or a `Status` that says why the review cannot be read.
    pub body: Vec<u8>,
    /// For the log line and the metrics.
    pub record: Record,
}

/// What was decided, for people and counters. Holds no object content.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// `request.uid`.
    pub uid: String,
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`, or `""` when it could not be read.
    pub operation: String,
    /// `daemonsets`, `serviceaccounts`, …; `other` outside the catalogue (bounded, it is a metric label).
    pub resource: &'static str,
    /// `kube-system` or `""`.
    pub namespace: String,
    /// Object name.
    pub name: String,
    /// `request.userInfo.username`.
    pub username: String,
    /// Field manager of the write, as told or inferred.
    pub manager: String,
    /// `dryRun`.
    pub dry_run: bool,
    /// `leave`, `amend`, `refuse` or `error`.
    pub verdict: &'static str,
    /// Stable reason code in kebab case (`outside-catalogue`, `adopted`, `blocked`, `paused`, …; bounded).
    pub reason: &'static str,
    /// One sentence for people.
    pub message: String,
    /// Warnings sent to the client.
    pub warnings: Vec<String>,
}

/// Answers one review.
pub fn answer(_body: &[u8], _policy: &Policy, _now: Timestamp) -> Answer {
    Answer {
        status: 400,
        body: Vec::new(),
        record: Record::default(),
    }
}
