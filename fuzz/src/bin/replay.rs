//! One target over files, without libFuzzer: `replay TARGET FILE…`. `replay` alone lists the targets, a line each, as
//! `fuzz/run.sh` reads it.

use std::process::ExitCode;

use cni_steward_fuzz::{TARGETS, target};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        for target in TARGETS {
            let (name, longest, words) = (target.name, target.longest, target.dictionary);
            println!("{name}\t{longest}\t{words}\t{}\t{}", target.seeds.join(" "), target.about);
        }
        return ExitCode::SUCCESS;
    };
    let Some(target) = target(&name) else {
        eprintln!("there is no target {name}; `replay` alone lists them");
        return ExitCode::from(2);
    };
    for file in arguments {
        match std::fs::read(&file) {
            Ok(bytes) => {
                eprintln!("{name} {file}");
                (target.run)(&bytes);
            }
            Err(problem) => {
                eprintln!("{file}: {problem}");
                return ExitCode::from(2);
            }
        }
    }
    eprintln!("all of it holds");
    ExitCode::SUCCESS
}
