//! Chance that can be had again: a seed gives the same sequence on every machine.

use std::env::var_os;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

fn number(name: &str) -> Option<u64> {
    let text = var_os(name)?;
    let text = text.to_str().map(|text| text.replace('_', ""));
    Some(text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is not a number")))
}

/// How many to ask, unless the environment variable says otherwise.
pub(crate) fn amount(name: &str, otherwise: u64) -> u64 {
    number(name).unwrap_or(otherwise)
}

/// Where the whole run starts.
fn start() -> u64 {
    number("CNI_STEWARD_ORACLE_SEED").unwrap_or(20_260_101)
}

/// Asks `one` for each seed, on all cores, each with its own `State`; the first failure ends the run.
///
/// Seeds are handed out in blocks of `block`, so that who asks can write a whole block before reading.
pub(crate) fn each_seed<S>(
    what: &str,
    amount: u64,
    block: u64,
    state: impl Fn() -> S + Sync,
    check: impl Fn(&mut S, &[u64]) -> Result<(), String> + Sync,
) {
    let (first, began) = (start(), Instant::now());
    let (next, told) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed: std::sync::Mutex<Option<String>> = std::sync::Mutex::new(None);
    let cores = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut state = state();
                loop {
                    let from = next.fetch_add(block, Ordering::Relaxed);
                    if from >= amount || failed.lock().unwrap().is_some() {
                        return;
                    }
                    let seeds: Vec<u64> =
                        (from..amount.min(from + block)).map(|index| first.wrapping_add(index)).collect();
                    if let Err(problem) = check(&mut state, &seeds) {
                        failed.lock().unwrap().get_or_insert(problem);
                        return;
                    }
                    let seconds = began.elapsed().as_secs();
                    if seconds >= told.load(Ordering::Relaxed) + 10 {
                        told.store(seconds, Ordering::Relaxed);
                        eprintln!("{what}: {from} of {amount} after {seconds} s");
                    }
                }
            });
        }
    });
    if let Some(problem) = failed.into_inner().unwrap() {
        panic!("{problem}");
    }
    eprintln!("{what}: {amount} from seed {first} in {:.1} s", began.elapsed().as_secs_f64());
}
