//! A page of which a run writes one part, between two marks; what stands around it is written by hand.

use std::path::PathBuf;

const END: &str = "<!-- end -->\n";

/// The part of a page after the line `begin`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marked {
    /// From the project's root.
    pub(crate) page: &'static str,
    pub(crate) begin: &'static str,
}

impl Marked {
    /// The page before, between and after the marks.
    pub(crate) fn parts(self) -> [String; 3] {
        let Self { page, begin } = self;
        let text = std::fs::read_to_string(self.file()).unwrap();
        let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{page}: no line {begin}"));
        let (part, after) = rest.split_once(END).unwrap_or_else(|| panic!("{page}: no line {END}"));
        [before, part, after].map(str::to_owned)
    }

    /// Puts this between the marks.
    pub(crate) fn write(self, part: &str) {
        let [before, _, after] = self.parts();
        std::fs::write(self.file(), [&before, self.begin, part, END, &after].concat()).unwrap();
    }

    fn file(self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(self.page)
    }
}
