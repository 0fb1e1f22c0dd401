//! What must hold for any input whatever, one function of bytes for each way into the program.
//!
//! libFuzzer calls these functions (`make fuzz`), the ordinary tests replay them over the committed corpus and every finding
//! (`tests/replay.rs`), and `replay` runs one of them over files, so that a finding is looked at without libFuzzer. A
//! broken law is a panic.

pub mod draw;
pub mod targets;

#[path = "../../tests/support/laws/fields.rs"]
mod field_laws;
#[path = "../../tests/support/laws/growth.rs"]
mod growth;
#[path = "../../tests/support/laws/review.rs"]
mod review_laws;

/// One way into the program.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of the corpus folder, and on the command line.
    pub name: &'static str,
    /// What goes in and what has to hold.
    pub about: &'static str,
    /// Folders, from the project's root, whose files are inputs as they are.
    pub seeds: &'static [&'static str],
    /// Words that libFuzzer may put into an input, or `""` for none: a file in `fuzz/dictionaries`.
    pub dictionary: &'static str,
    /// Longest input.
    pub longest: usize,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    targets::review::TARGET,
    targets::decide::TARGET,
    targets::growth::TARGET,
    targets::fields::TARGET,
    targets::transfer::TARGET,
    targets::patch::TARGET,
    targets::policy::TARGET,
    targets::pem::TARGET,
    targets::secret::TARGET,
    targets::undo::TARGET,
    targets::undo_file::TARGET,
    targets::socket::TARGET,
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Prints all of them, a line each: name, longest input, dictionary, folders of seeds, what it is about.
pub fn list() {
    for Target { name, about, seeds, dictionary, longest, .. } in TARGETS {
        println!("{name}\t{longest}\t{dictionary}\t{}\t{about}", seeds.join(" "));
    }
}
