//! The numbers that the project holds itself to, and whether this run shows them. What could not be measured does not hold.

use crate::cluster::{self, Seen};
use crate::footprint::Footprint;
use crate::report::Measured;
use crate::rounds::Cost;
use crate::scenario::{ADOPT, GO_ROW, OBSERVE_ROW, OUTSIDE_ROW, TRANSFER_ROW, Who};

/// A number that must not be passed, and one that is tried for.
pub struct Promise {
    pub what: &'static str,
    /// At most so much; at least, where `more` is set.
    pub must: f64,
    pub aim: Option<f64>,
    pub unit: &'static str,
    pub more: bool,
    pub seen: Option<f64>,
    /// Where it was seen, or its spread.
    pub note: String,
}

impl Promise {
    fn reaches(&self, limit: f64) -> bool {
        self.seen.is_some_and(|seen| if self.more { seen >= limit } else { seen <= limit })
    }

    /// Whether the "must" holds.
    pub fn holds(&self) -> bool {
        self.reaches(self.must)
    }

    /// Whether the "aim" is reached, if there is one.
    pub fn aims(&self) -> Option<bool> {
        self.aim.map(|aim| self.reaches(aim))
    }
}

/// The worst of a row over all sizes.
fn worst(measured: &Measured, row: usize) -> (Option<f64>, String) {
    let costs = measured.main.iter().filter_map(|column| Some((column.ask.size, column.rows[row]?)));
    let worst = costs.max_by(|one, other| one.1.ratio.total_cmp(&other.1.ratio));
    let note = worst.map(|(size, cost)| {
        format!(
            "worst size: {}; middle half {:.2}–{:.2}",
            crate::report::human(size),
            cost.spread.0,
            cost.spread.1
        )
    });
    (worst.map(|(_, cost)| cost.ratio), note.unwrap_or_default())
}

/// All of them.
pub fn promises(measured: &Measured) -> Vec<Promise> {
    let usual = |row: usize| -> Option<Cost> {
        measured.main.iter().find(|column| column.ask.size == 20_000)?.rows[row]
    };
    let (transfer, go) = (usual(TRANSFER_ROW), usual(GO_ROW));
    let ours = measured.footprints.iter().find(|one| one.who == ADOPT);
    let floor = measured.footprints.iter().find(|one| one.who == Who::Floor);
    let megabytes = |of: fn(&Footprint) -> u64| ours.map(|one| of(one) as f64 / 1024.0);
    let growth = measured.slopes.get(TRANSFER_ROW).copied().flatten();
    let cluster = |of: fn(&Seen) -> Option<f64>| measured.cluster.as_ref().ok().and_then(of);
    let (outside, outside_note) = worst(measured, OUTSIDE_ROW);
    let (observe, observe_note) = worst(measured, OBSERVE_ROW);
    let middle = |cost: Option<Cost>| {
        cost.map(|cost| format!("middle half {:.2}–{:.2}", cost.spread.0, cost.spread.1)).unwrap_or_default()
    };
    let none =
        Promise { what: "", must: 0.0, aim: None, unit: "×", more: false, seen: None, note: String::new() };
    vec![
        Promise {
            what: "outside the catalogue, to the floor",
            must: 1.15,
            aim: Some(1.05),
            seen: outside,
            note: outside_note,
            ..none
        },
        Promise {
            what: "Observe, to the floor",
            must: 2.0,
            aim: Some(1.5),
            seen: observe,
            note: observe_note,
            ..none
        },
        Promise {
            what: "Adopt with transfer, 20 kB, to the floor",
            must: 2.4,
            aim: Some(1.5),
            seen: transfer.map(|cost| cost.ratio),
            note: middle(transfer),
            ..none
        },
        Promise {
            what: "Adopt with transfer, 20 kB, cheaper than Go",
            must: 6.0,
            aim: Some(8.0),
            more: true,
            seen: transfer.zip(go).map(|(ours, go)| go.ratio / ours.ratio),
            note: String::new(),
            ..none
        },
        Promise {
            what: "growth: cost per MiB of 1–6 MiB to that of 0.1–1 MiB, Adopt with transfer",
            must: 1.2,
            seen: growth.map(|slope| slope.large / slope.small),
            note: String::new(),
            ..none
        },
        Promise {
            what: "added to a write through the API server, to the same patch precomputed",
            must: 1.1,
            seen: cluster(|seen| seen.ratio(cluster::OURS, cluster::PRECOMPUTED)),
            note: String::new(),
            ..none
        },
        Promise {
            what: "added to a write through the API server, to the Go peer",
            must: 1.0,
            seen: cluster(|seen| seen.ratio(cluster::OURS, cluster::GO)),
            note: cluster(|seen| seen.ratio(cluster::OURS + 1, cluster::GO))
                .map(|ratio| format!("with stamps only, as the Go peer does: {ratio:.2}×"))
                .unwrap_or_default(),
            ..none
        },
        Promise {
            what: "RSS idle",
            must: 6.0,
            unit: " MB",
            seen: megabytes(|one| one.idle_kb),
            note: String::new(),
            ..none
        },
        Promise {
            what: "RSS at 64 connections, reviews of 20 kB",
            must: 14.0,
            unit: " MB",
            seen: megabytes(|one| one.busy_kb),
            note: String::new(),
            ..none
        },
        Promise {
            what: "RSS at worst, more in flight than may be",
            must: 32.0,
            unit: " MB",
            seen: megabytes(|one| one.storm_kb),
            note: String::new(),
            ..none
        },
        Promise {
            what: "start to first answer, certificate present, to the floor",
            must: 2.0,
            seen: ours.zip(floor).map(|(ours, floor)| ours.start.as_secs_f64() / floor.start.as_secs_f64()),
            note: String::new(),
            ..none
        },
        Promise {
            what: "binary, which is all there is in the image (here: linked dynamically)",
            must: 8.0,
            aim: Some(6.0),
            unit: " MB",
            seen: ours.map(|one| one.bytes as f64 / 1e6),
            note: String::new(),
            ..none
        },
    ]
}
