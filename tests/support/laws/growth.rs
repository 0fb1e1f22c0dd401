//! Whether what is eight times as long costs much more than eight times as much: for tests and for fuzzing (`fuzz/`).
//!
//! CPU time of this thread is measured, not time, so that other work on the machine does not count; and it is measured again
//! before anything is said.

/// How much longer the larger one is.
pub(crate) const TIMES: usize = 8;
/// The larger one may cost so many times what eight smaller ones cost: n log n and caches that overflow stay below, n² is 8.
const MOST: u128 = 3;
/// Nanoseconds below which nothing is measured: the kernel adds up a thread's time in ticks of four milliseconds.
const LEAST: u128 = 16_000_000;

/// What the smaller and the larger one cost, both in nanoseconds and so often that they should cost the same; `None` when
/// that is so, or not worth a look.
pub(crate) fn excess(small: &str, large: &str, work: impl Fn(&str)) -> Option<(u128, u128)> {
    let cost = |text: &str, times: usize| {
        let before = cpu();
        for _ in 0..times {
            work(text);
        }
        cpu().saturating_sub(before)
    };
    let (mut of_small, mut of_large) = (0, cost(large, 1));
    // Only what takes long is looked at more closely, and only what does so each time is told.
    for _ in 0..3 {
        if of_large < LEAST {
            return None;
        }
        (of_small, of_large) = (cost(small, 4 * TIMES), cost(large, 4));
        if of_large < MOST * of_small.max(LEAST) {
            return None;
        }
    }
    Some((of_small, of_large))
}

/// Nanoseconds that this thread has run.
fn cpu() -> u128 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default()
}
