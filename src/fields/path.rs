//! Paths of any element: put into a set, looked up, and written as the API server writes them in a conflict.
//!
//! `Set::insert` and its kin take field names alone, which is all that the admission path needs. Whoever follows an
//! object through its lists needs keys too (structured-merge-diff `fieldpath/set.go`: `Insert`, `Has`, `WithPrefix`,
//! `Intersection`; `fieldpath/path.go`: `Path.String`).

use super::element::Element;
use super::json::MAX_DEPTH;
use super::set::{Node, Set};

impl<'a> Set<'a> {
    /// The same set with every level opened, which all that follows here needs: what is still text has no nodes to look at.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.open();
        for node in &mut self.nodes {
            node.below = std::mem::take(&mut node.below).whole();
        }
        self
    }

    fn search(&self, element: &Element<'_>) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.element.cmp(element))
    }

    fn node(&self, element: &Element<'_>) -> Option<&Node<'a>> {
        self.search(element).ok().and_then(|at| self.nodes.get(at))
    }

    /// Adds one path. The empty path and one deeper than 256 are not added.
    pub fn put(&mut self, path: &[Element<'a>]) {
        let Some((element, rest)) = path.split_first() else { return };
        if path.len() > MAX_DEPTH {
            return;
        }
        let at = match self.search(element) {
            Ok(at) => at,
            Err(at) => {
                self.nodes
                    .insert(at, Node { element: element.clone(), member: false, below: Set::default() });
                at
            }
        };
        let Some(node) = self.nodes.get_mut(at) else { return };
        if rest.is_empty() { node.member = true } else { node.below.put(rest) }
    }

    /// Whether the path of this one element is in the set.
    pub fn has(&self, element: &Element<'_>) -> bool {
        self.node(element).is_some_and(|node| node.member)
    }

    /// What is in the set below this element (`Set.WithPrefix`).
    pub fn below(&self, element: &Element<'_>) -> Option<&Self> {
        self.node(element).map(|node| &node.below).filter(|below| !below.is_empty())
    }

    /// Whether a path is in the set, or something below it.
    pub fn touches(&self, path: &[Element<'_>]) -> bool {
        match path.split_first() {
            None => !self.is_empty(),
            Some((element, [])) => self.node(element).is_some(),
            Some((element, rest)) => self.node(element).is_some_and(|node| node.below.touches(rest)),
        }
    }

    /// What is in both sets, path by path (`Set.Intersection`).
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let nodes = self.nodes.iter().filter_map(|node| {
            let twin = other.node(&node.element)?;
            let member = node.member && twin.member;
            let below = node.below.intersection(&twin.below);
            (member || !below.is_empty()).then(|| Node { element: node.element.clone(), member, below })
        });
        Self { nodes: nodes.collect(), closed: None }
    }

    /// The same set with more members: each inner node for which `named` says so, given the elements that lead to it
    /// (`Set.EnsureNamedFieldsAreMembers`).
    #[must_use]
    pub fn with_members<T: Copy>(&self, at: T, step: &impl Fn(T, &Element<'a>) -> (T, bool)) -> Self {
        let nodes = self.nodes.iter().map(|node| {
            let (place, named) = step(at, &node.element);
            Node {
                element: node.element.clone(),
                member: node.member || named,
                below: node.below.with_members(place, step),
            }
        });
        Self { nodes: nodes.collect(), closed: None }
    }

    /// The paths as the API server writes them in a conflict, one text each, parents first. Control characters are
    /// written as escapes.
    pub fn reported(&self) -> Vec<String> {
        self.written(Element::report)
    }
}

/// One path as the API server writes it in a conflict.
pub fn report(path: &[Element<'_>]) -> String {
    let mut text = String::new();
    for element in path {
        element.report(&mut text);
    }
    text
}
