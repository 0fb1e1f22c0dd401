//! `make bench`: what a review costs, ours against others, in one run on one machine.
//!
//! Every number is compared with the *floor*: this project's own server room with a constant allow in place of a
//! decision. The servers stand side by side and are asked in interleaved rounds, so that what disturbs the machine
//! disturbs all of them. CPU per review is what the kernel charged the server's threads, not wall time.
//!
//! The program is its own floor server (`compare floor …`), so that the floor moves with the server room.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a benchmark may fail, and nobody else uses its items"
)]

mod cluster;
mod floor;
mod footprint;
mod load;
mod plot;
mod process;
mod profile;
mod promises;
mod report;
mod reviews;
mod rounds;
mod scenario;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::load::Manner;
use crate::report::Measured;
use crate::rounds::{Ask, Pace};
use crate::scenario::{Place, Requests, Servers};

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` adds this to every bench target.
    args.retain(|arg| arg != "--bench");
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["floor", address, cert, key] => floor::constant(address, cert, key),
        ["allow", address, cert, key] => floor::allow(address, cert, key),
        ["precomputed", address, cert, key, policy] => floor::precomputed(address, cert, key, policy),
        _ => return compare(&args),
    }
    ExitCode::SUCCESS
}

fn compare(args: &[String]) -> ExitCode {
    let quick = args.iter().any(|arg| arg == "--quick");
    let file = |option: &str| args.iter().find_map(|arg| arg.strip_prefix(option)).map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    if let Some(file) = file("--write-profile=") {
        return profile(&place, folder.path(), &file);
    }
    if args.iter().any(|arg| arg == "--cluster") {
        // This part alone, for whoever works on it.
        let seen = cluster::run(&place, 100);
        println!("{}", report::cluster_alone(&seen));
        return ExitCode::SUCCESS;
    }
    if args.iter().any(|arg| arg == "--growth") {
        // Likewise.
        let (servers, mut requests) = (Servers::start(&place), Requests::default());
        let pace = Pace { rounds: 60, span: Duration::from_millis(150) };
        let mut page = String::new();
        report::growth(&mut page, &rounds::growth(&place, &servers, &mut requests, pace));
        drop(servers);
        report::footprints(&mut page, &footprint::look(&place, false));
        println!("{page}");
        return ExitCode::SUCCESS;
    }
    let measured = measure(&place, quick, file("--profile=").as_deref());
    let promises = promises::promises(&measured);
    let text = report::markdown(&measured, &promises, quick);
    println!("{text}");
    if quick {
        return ExitCode::SUCCESS;
    }
    if let Some(file) = file("--write=") {
        std::fs::write(file.with_extension("svg"), plot::svg(&measured.main)).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let missed: Vec<&str> =
        promises.iter().filter(|promise| !promise.holds()).map(|promise| promise.what).collect();
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("bench: what must hold does not:\n  {}", missed.join("\n  "));
    ExitCode::FAILURE
}

fn profile(place: &Place, folder: &Path, file: &Path) -> ExitCode {
    match profile::section(place, folder, 8) {
        Ok(section) => {
            println!("{section}");
            std::fs::write(file, section).unwrap();
            ExitCode::SUCCESS
        }
        Err(missing) => {
            eprintln!("bench: no profile: {missing}");
            ExitCode::FAILURE
        }
    }
}

/// Everything, in at most a quarter of an hour; or the first table alone, in a minute.
fn measure(place: &Place, quick: bool, profile: Option<&Path>) -> Measured {
    const CONNECTIONS: usize = 16;
    let begin = Instant::now();
    let say = |text: String| eprintln!("[{:>4} s] {text}", begin.elapsed().as_secs());
    let all = [2_000, 20_000, 200_000, 1 << 20, 6 << 20];
    let sizes = if quick { &all[..3] } else { &all[..] };
    let pace = |rounds: usize, millis: u64| Pace { rounds, span: Duration::from_millis(millis) };

    say("memory and start".to_owned());
    let footprints = footprint::look(place, quick);
    let (servers, mut requests) = (Servers::start(place), Requests::default());
    let rounds = if quick { 5 } else { 11 };
    let mut column = |ask: Ask, pace: Pace| {
        say(format!(
            "reviews of {}, {} connections, {:?}",
            report::human(ask.size),
            ask.connections,
            ask.manner
        ));
        rounds::column(place, &servers, &mut requests, ask, pace)
    };
    let kept = |size: &usize| Ask::new(*size, CONNECTIONS, Manner::Kept);
    let main: Vec<_> = sizes.iter().map(|size| column(kept(size), pace(rounds, 200))).collect();
    let mut others: Vec<rounds::Column> = Vec::new();
    for &size in sizes.iter().filter(|_| !quick) {
        for (connections, manner) in [1, 64]
            .map(|some| (some, Manner::Kept))
            .into_iter()
            .chain([1, 16, 64].map(|some| (some, Manner::New)))
        {
            let ask = Ask::new(size, connections, manner);
            // Where fewer connections fit, two ways may be the same.
            if ask != kept(&size) && others.iter().all(|one| one.ask != ask) {
                others.push(column(ask, pace(5, 100)));
            }
        }
    }
    let growth = if quick {
        Vec::new()
    } else {
        say("growth".to_owned());
        rounds::growth(place, &servers, &mut requests, pace(60, 150))
    };
    drop(servers);
    say("through an API server".to_owned());
    let cluster = cluster::run(place, if quick { 70 } else { 2_100 });
    let profile = profile.and_then(|file| std::fs::read_to_string(file).ok());
    say("done".to_owned());
    let took = begin.elapsed();
    Measured { connections: CONNECTIONS, rounds, main, others, growth, footprints, cluster, profile, took }
}
