//! One target over files, without libFuzzer: `replay TARGET FILE…`. `replay` alone lists the targets.

use std::process::ExitCode;

use cni_steward_fuzz::{list, target};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        list();
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
