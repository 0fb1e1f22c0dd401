//! Entry point: crypto provider, command line, exit code.

fn main() {}
