//! Reads a policy file, for every command and for `serve` whenever the file changes: text of moderate size, then the
//! strict reading of [`Policy::parse`].

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::policy::Policy;

/// A policy of a thousand names has a tenth of this.
const LARGEST: usize = 256 << 10;

/// Reads it.
pub fn read(path: &Path) -> anyhow::Result<Policy> {
    let place = path.display();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {place}"))?;
    if bytes.len() > LARGEST {
        bail!(
            "{place}: the file is larger than {LARGEST} bytes; expected a policy, which is a short YAML text"
        );
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count() + 1;
        anyhow::anyhow!(
            "{place}:{line}: this is not text (UTF-8); expected a policy, which is a short YAML text"
        )
    })?;
    Ok(Policy::parse(&place.to_string(), &text)?)
}
