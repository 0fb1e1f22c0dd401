//! The committed corpus and every finding, through every target, without libFuzzer.

use std::path::{Path, PathBuf};

use cni_steward_fuzz::TARGETS;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn what_must_hold_for_any_input_holds_for_the_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for target in TARGETS {
        let corpus = files(&root.join("fuzz/corpus").join(target.name));
        assert!(!corpus.is_empty(), "fuzz/corpus/{} is empty", target.name);
        let seeds = target.seeds.iter().flat_map(|folder| files(&root.join(folder)));
        for path in corpus.into_iter().chain(seeds) {
            let bytes = std::fs::read(&path).unwrap();
            eprintln!("{} {}", target.name, path.display());
            (target.run)(&bytes);
        }
    }
}
