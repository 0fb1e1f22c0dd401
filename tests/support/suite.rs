//! A list of tests that need programs from outside: run when they are there, reported as ignored when not.

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

/// Runs the cases and leaves with the exit code for it.
///
/// What is left out is said in one line; with `CNI_STEWARD_REQUIRE=control-plane` in the environment it fails instead.
pub(crate) fn run(suite: &str, cases: &[Case]) -> ! {
    let mut arguments = Arguments::from_args();
    // One API server takes a core while it starts; more at once only makes all of them slow.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    arguments.test_threads.get_or_insert(cores.min(4));
    let required =
        std::env::var_os("CNI_STEWARD_REQUIRE").is_some_and(|value| value == "control-plane");
    let mut left_out: Vec<&Case> = Vec::new();
    let trials = cases
        .iter()
        .map(|case| {
            let (run, missing) = (case.run, tools::missing(case.needs.iter().copied()));
            let ignored = missing.is_some() && !required;
            if ignored {
                left_out.push(case);
            }
            let test = move || {
                if let Some(missing) = missing {
                    return Err(missing.to_string().into());
                }
                run();
                Ok(())
            };
            Trial::test(case.name, test).with_ignored_flag(ignored)
        })
        .collect();
    if !arguments.list
        && let Some(missing) =
            tools::missing(left_out.iter().flat_map(|case| case.needs.iter().copied()))
    {
        eprintln!(
            "{suite}: {} of {} tests left out; {missing}",
            left_out.len(),
            cases.len()
        );
    }
    libtest_mimic::run(&arguments, trials).exit()
}
