//! Entry point: crypto provider, command line, exit code.

use std::process::ExitCode;

use cni_steward::{cli, server};

fn main() -> ExitCode {
    server::tls::install_provider();
    cli::main()
}
