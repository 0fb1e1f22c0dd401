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

mod floor;
mod load;
mod plot;
mod process;
mod report;
mod reviews;
mod rounds;
mod scenario;

use std::path::PathBuf;

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` adds this to every bench target.
    args.retain(|arg| arg != "--bench");
    if let [word, address, cert, key] = args.as_slice()
        && word == "floor"
    {
        return floor::serve(address, cert, key);
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    let write = args.iter().find_map(|arg| arg.strip_prefix("--write=")).map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let result = rounds::run(quick, folder.path());
    let text = report::markdown(&result, quick);
    println!("{text}");
    if let Some(file) = write {
        std::fs::write(file.with_extension("svg"), plot::svg(&result)).unwrap();
        std::fs::write(&file, text).unwrap();
    }
}
