//! A list of tests that need programs from outside: run when they are there, reported as ignored when not.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};

use super::tools::{self, Tool};

/// One behaviour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// A sentence about the behaviour, with underscores.
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [Tool],
    pub(crate) run: fn(),
}

/// How a list of cases is run.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// Among the words of `CNI_STEWARD_REQUIRE`, it makes a failure of what would be left out.
    pub(crate) word: &'static str,
    /// What else this machine lacks, whatever the case.
    pub(crate) lacks: Option<String>,
    /// How many cases run at once.
    pub(crate) threads: usize,
    pub(crate) how: fn(&Case),
}

/// Runs the cases and leaves with the exit code for it.
///
/// What is left out is said in one line; with `CNI_STEWARD_REQUIRE=control-plane` in the environment it fails instead.
pub(crate) fn run(name: &'static str, cases: &[Case]) -> ! {
    // A case waits as long as it works, for a lease, a watch, a policy to settle: two keep a core busy. Each has an API server's half GB.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Suite { name, word: "control-plane", lacks: None, threads: (2 * cores).min(8), how: |case| (case.run)() }
        .run(cases)
}

/// How long each case took that passed.
static TIMES: Mutex<Vec<(Duration, &str)>> = Mutex::new(Vec::new());
/// Fewer cases than this are seen at a glance.
const MANY: usize = 20;

impl Suite {
    /// Where the time went, for whoever wants less of it to go.
    fn tell_the_slowest(&self) {
        let mut times = TIMES.lock().unwrap();
        if times.len() < MANY {
            return;
        }
        let sum: Duration = times.iter().map(|(time, _)| *time).sum();
        times.sort_unstable_by(|one, other| other.cmp(one));
        eprintln!("{}: {} s in {} cases, the slowest:", self.name, sum.as_secs(), times.len());
        for (time, name) in times.iter().take(MANY) {
            eprintln!("  {:3} s {name}", time.as_secs());
        }
    }

    pub(crate) fn run(&self, cases: &[Case]) -> ! {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(self.threads);
        let words = std::env::var_os("CNI_STEWARD_REQUIRE").unwrap_or_default();
        let required = words.to_string_lossy().split(',').any(|word| word == self.word);
        let mut left_out: Vec<&Case> = Vec::new();
        let trials = cases
            .iter()
            .map(|case| {
                let (how, case_run) = (self.how, *case);
                let missing = self
                    .lacks
                    .clone()
                    .or_else(|| tools::missing(case.needs.iter().copied()).map(|m| m.to_string()));
                // Whoever asks for a control plane to be there has not asked for root.
                let optional = case.needs.iter().any(|tool| tool.is_of_the_machine());
                let ignored = missing.is_some() && (optional || !required);
                if ignored {
                    left_out.push(case);
                }
                let test = move || {
                    if let Some(missing) = missing {
                        return Err(missing.into());
                    }
                    let begun = Instant::now();
                    how(&case_run);
                    TIMES.lock().unwrap().push((begun.elapsed(), case_run.name));
                    Ok(())
                };
                Trial::test(case.name, test).with_ignored_flag(ignored)
            })
            .collect();
        if !arguments.list
            && let Some(missing) = self.lacks.clone().or_else(|| {
                tools::missing(left_out.iter().flat_map(|case| case.needs.iter().copied()))
                    .map(|m| m.to_string())
            })
        {
            eprintln!("{}: {} of {} tests left out; {missing}", self.name, left_out.len(), cases.len());
        }
        let conclusion = libtest_mimic::run(&arguments, trials);
        self.tell_the_slowest();
        conclusion.exit()
    }
}
