//! The numbers that the project holds itself to, and whether this run shows them. What could not be measured does not hold.

use crate::cluster::{self, Seen};
use crate::footprint::Footprint;
use crate::report::{Measured, human};
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
    /// Not more than `must` times something.
    fn at_most(what: &'static str, must: f64, seen: Option<f64>) -> Self {
        Self { what, must, aim: None, unit: "×", more: false, seen, note: String::new() }
    }

    /// Not more than so many MB.
    fn megabytes(what: &'static str, must: f64, seen: Option<f64>) -> Self {
        Self { unit: " MB", ..Self::at_most(what, must, seen) }
    }

    /// What is tried for.
    fn aim(self, aim: f64) -> Self {
        Self { aim: Some(aim), ..self }
    }

    fn note(self, note: String) -> Self {
        Self { note, ..self }
    }

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

/// A row's ratio at one size.
fn middle(cost: Cost) -> String {
    format!("middle half {:.2}–{:.2}", cost.spread.0, cost.spread.1)
}

/// A row at the size where its ratio is worst.
fn worst(measured: &Measured, what: &'static str, must: f64, row: usize) -> Promise {
    let costs = measured.main.iter().filter_map(|column| Some((column.ask.size, column.rows[row]?)));
    let worst = costs.max_by(|one, other| one.1.ratio.total_cmp(&other.1.ratio));
    let note = worst.map(|(size, cost)| format!("worst of all sizes: {}; {}", human(size), middle(cost)));
    Promise::at_most(what, must, worst.map(|(_, cost)| cost.ratio)).note(note.unwrap_or_default())
}

/// All of them.
pub fn promises(measured: &Measured) -> Vec<Promise> {
    let mut promises = Vec::from(costs(measured));
    promises.extend(through_the_api_server(measured.cluster.as_ref().ok()));
    promises.extend(footprint(&measured.footprints));
    promises
}

fn costs(measured: &Measured) -> [Promise; 5] {
    let usual = |row: usize| measured.main.iter().find(|column| column.ask.size == 20_000)?.rows[row];
    let (transfer, go) = (usual(TRANSFER_ROW), usual(GO_ROW));
    let cheaper = transfer.zip(go).map(|(ours, go)| go.ratio / ours.ratio);
    let growth = measured.growth.get(TRANSFER_ROW).copied().flatten();
    [
        worst(measured, "outside the catalogue, to the floor", 1.15, OUTSIDE_ROW).aim(1.05),
        worst(measured, "Observe, to the floor", 2.0, OBSERVE_ROW).aim(1.5),
        Promise::at_most("Adopt with transfer, 20 kB, to the floor", 2.4, transfer.map(|cost| cost.ratio))
            .aim(1.5)
            .note(transfer.map(middle).unwrap_or_default()),
        Promise {
            more: true,
            ..Promise::at_most("Adopt with transfer, 20 kB, so many times cheaper than Go", 6.0, cheaper)
                .aim(8.0)
        },
        Promise::at_most(
            "growth over the floor, Adopt with transfer: a MiB more from 1 to 6 MiB, to one from 0.1 to 1 MiB",
            1.2,
            growth.map(|growth| growth.over_floor.ratio()),
        )
        .note(growth.map(|growth| format!("floor included: {:.2}×", growth.whole.ratio())).unwrap_or_default()),
    ]
}

fn through_the_api_server(seen: Option<&Seen>) -> [Promise; 2] {
    let ratio = |one, other| seen.and_then(|seen| seen.ratio(one, other));
    let stamps = ratio(cluster::OURS_STAMPS, cluster::GO);
    [
        Promise::at_most(
            "added to a write through the API server, to the same patch precomputed",
            1.1,
            ratio(cluster::OURS, cluster::PRECOMPUTED),
        ),
        Promise::at_most("the same, to the Go peer", 1.0, ratio(cluster::OURS, cluster::GO)).note(
            stamps.map(|ratio| format!("stamps only, as the Go peer: {ratio:.2}×")).unwrap_or_default(),
        ),
    ]
}

fn footprint(footprints: &[Footprint]) -> [Promise; 5] {
    let of = |who: Who| footprints.iter().find(|one| one.who == who);
    let (ours, floor) = (of(ADOPT), of(Who::Floor));
    let rss = |kb: fn(&Footprint) -> u64| ours.map(|one| kb(one) as f64 / 1024.0);
    let start = ours.zip(floor).map(|(ours, floor)| ours.start.as_secs_f64() / floor.start.as_secs_f64());
    [
        Promise::megabytes("RSS idle", 6.0, rss(|one| one.idle_kb)),
        Promise::megabytes("RSS at 64 connections, reviews of 20 kB", 14.0, rss(|one| one.busy_kb)),
        Promise::megabytes("RSS at worst, more in flight than may be", 32.0, rss(|one| one.storm_kb)),
        Promise::at_most("start to first answer with a certificate present, to the floor", 2.0, start),
        Promise::megabytes("binary, all there is in the image", 8.0, ours.map(|one| one.bytes as f64 / 1e6))
            .aim(6.0)
            .note("static, as in the image".to_owned()),
    ]
}
