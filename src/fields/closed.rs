//! A set that is still text: opened one level at a time, and only where a path is asked for.

use std::borrow::Cow;

use super::canon::OWN;
use super::element::Element;
use super::scan;
use super::set::{self, Node, Set};

/// Canonical text of a set that holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed<'a> {
    /// What stands between its braces, without a `"."`.
    pub(super) inner: &'a str,
    /// How many paths it holds.
    pub(super) count: usize,
}

impl<'a> Set<'a> {
    pub(super) fn closed(inner: &'a str, count: usize) -> Self {
        Self { nodes: Vec::new(), closed: Some(Closed { inner, count }) }
    }

    /// Makes nodes of the text, one level deep.
    pub(super) fn open(&mut self) {
        if let Some(closed) = self.closed.take() {
            self.nodes = level(closed.inner);
        }
    }

    /// The set with nodes, one level deep.
    pub(super) fn opened(&self) -> Cow<'_, Self> {
        match &self.closed {
            Some(closed) => Cow::Owned(Self { nodes: level(closed.inner), closed: None }),
            None => Cow::Borrowed(self),
        }
    }
}

/// Canonical sets are equal when their text is; otherwise level by level.
impl PartialEq for Set<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.closed, &other.closed) {
            (Some(one), Some(two)) => one.inner == two.inner,
            _ => self.opened().nodes == other.opened().nodes,
        }
    }
}

impl Eq for Set<'_> {}

/// The elements of canonical text; it was checked, so none is left out.
fn level(mut inner: &str) -> Vec<Node<'_>> {
    let mut nodes = Vec::new();
    while let Some(start) = inner.strip_prefix('"') {
        let Some((name, value)) = split(start) else { break };
        let (length, paths) = scan::measure(value.as_bytes()).unwrap_or((value.len(), 0));
        let (text, rest) = value.split_at_checked(length).unwrap_or((value, ""));
        let below = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
        let (own, below) = match below.strip_prefix(OWN) {
            Some(below) => (true, below),
            None => (below.is_empty(), below),
        };
        let set = if below.is_empty() {
            Set::default()
        } else {
            Set::closed(below, paths - usize::from(own && paths > 0))
        };
        set::push(&mut nodes, Node { element: Element::parse_any(name), member: own, below: set });
        inner = rest.strip_prefix(',').unwrap_or_default();
    }
    nodes
}

/// An element's text and its value: the first quote that no backslash escapes ends it.
fn split(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.split_at_checked(scan::string_end(text.as_bytes())?)?;
    Some((name, after.strip_prefix("\":")?))
}
