//! Which Kubernetes goes with which Helm: for each pair the story that the program is for, and the install of our own chart.
//!
//! `make test` looks only whether docs/compatibility.md tells of each pair; `make matrix` plays them all and writes its table.
//! `CNI_STEWARD_MATRIX="1.28 1.30"` plays some rows of it anew, and the page keeps the others; where it names Helms too, as in
//! `"1.28 helm-3 helm-4"`, nothing is written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on shall stop, loudly"
)]

#[allow(dead_code, reason = "of the tests on an API server only some are for every version")]
#[path = "../cluster/chart.rs"]
mod chart;
mod limits;
#[path = "../support/marked.rs"]
mod marked;
mod page;
mod pair;
#[allow(dead_code, reason = "of the tests on an API server only some are for every version")]
#[path = "../cluster/scene.rs"]
mod scene;
#[path = "../cluster/story.rs"]
mod story;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "another page names more programs")]
#[path = "../reliability/versions.rs"]
mod versions;

use std::sync::Mutex;
use std::time::Instant;

use page::TABLE;
use pair::{PARTS, Pair};
use support::tools::{self, Tool};
use support::versions::{Helm, Version};

/// Named, only these are played.
const CHOICE: &str = "CNI_STEWARD_MATRIX";

#[test]
fn the_page_tells_of_each_pair() {
    let [_, table, _] = TABLE.parts();
    let problems = page::problems(&table);
    assert!(problems.is_empty(), "{}; run `make matrix`:\n{}", TABLE.page, problems.join("\n"));
}

#[test]
#[ignore = "starts two API servers for each pair of Kubernetes and Helm: `make matrix`"]
fn each_kubernetes_goes_with_each_helm() {
    let begun = Instant::now();
    let choice = std::env::var_os(CHOICE).unwrap_or_default().into_string().unwrap();
    let pairs = chosen(&choice);
    let needs = pairs.iter().flat_map(|pair| [pair.version.server(), pair.helm.tool()]);
    if let Some(missing) = tools::missing(needs.chain([Tool::Etcd, Tool::Kubectl])) {
        panic!("missing: {}; `make matrix` gets them", missing.0.join(", "));
    }
    let results = play(&pairs);
    let failed: Vec<String> = results.iter().filter_map(|(pair, seen)| pair.failures(seen)).collect();
    if choice.contains("helm") {
        eprintln!("{} stays as it is", TABLE.page);
    } else {
        let [_, before, _] = TABLE.parts();
        TABLE.write(&page::render(&before, begun.elapsed().as_secs(), &results));
        eprintln!("wrote {}", TABLE.page);
    }
    assert!(failed.is_empty(), "{} of {} pairs:\n{}", failed.len(), pairs.len(), failed.join("\n"));
}

/// All pairs; of Kubernetes and of Helm only those that are named, where some are.
fn chosen(words: &str) -> Vec<Pair> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let versions: Vec<&str> = Version::ALL.iter().map(|version| version.minor()).collect();
    let helms: Vec<&str> = Helm::ALL.iter().map(|helm| helm.tool().name()).collect();
    for word in &words {
        let known = versions.contains(word) || helms.contains(word);
        assert!(known, "{CHOICE}: no {word:?}; there are {} {}", versions.join(" "), helms.join(" "));
    }
    let is_chosen =
        |all: &[&str], one: &str| words.contains(&one) || !words.iter().any(|word| all.contains(word));
    let mut pairs = Vec::new();
    for version in Version::ALL.into_iter().filter(|version| is_chosen(&versions, version.minor())) {
        for helm in Helm::ALL.into_iter().filter(|helm| is_chosen(&helms, helm.tool().name())) {
            pairs.push(Pair { version, helm });
        }
    }
    pairs
}

/// Plays the pairs, a few at once, and gives the results in the same order.
fn play(pairs: &[Pair]) -> Vec<(Pair, pair::Seen)> {
    let next = Mutex::new(pairs.iter().copied().enumerate());
    let results = Mutex::new(Vec::new());
    let at_once = std::thread::available_parallelism().map_or(2, usize::from).min(4);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some((at, pair)) = next.lock().unwrap().next() else { break };
                    let begun = Instant::now();
                    let seen = pair.play();
                    let words: Vec<String> =
                        PARTS.into_iter().zip(&seen).map(|(part, seen)| pair.told(part, seen)).collect();
                    eprintln!("{pair}: {} ({} s)", words.join(", "), begun.elapsed().as_secs());
                    results.lock().unwrap().push((at, pair, seen));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(at, ..)| *at);
    results.into_iter().map(|(_, pair, seen)| (pair, seen)).collect()
}
