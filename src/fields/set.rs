//! A set of field paths, as one `managedFields` entry holds it (KEP-555).
//!
//! Go keeps two sorted lists per node, members and children (structured-merge-diff `fieldpath/set.go`). Here a
//! node is one item with both facts, so a union is one pass over two sorted lists and text goes out in
//! canonical order as it stands. Each node is a member or has something below it, never neither.
//!
//! What was canonical text stays text, node by node, until a path in it is asked for ([`Closed`]).
//!
//! Recursion is bounded: no set is deeper than 256, by parse and by insert.

use super::canon;
use super::closed::Closed;
use super::element::Element;
use super::json::MAX_DEPTH;
use super::pieces::Pieces;

/// Paths, in canonical order.
#[derive(Debug, Clone, Default)]
pub struct Set<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// Canonical text in place of nodes; there are none then.
    pub(super) closed: Option<Closed<'a>>,
}

/// One element of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node<'a> {
    pub(super) element: Element<'a>,
    /// The path that ends here is in the set.
    pub(super) member: bool,
    /// What is in the set below here.
    pub(super) below: Set<'a>,
}

/// Adds a node at the end. Most have one child, and a chain of them shall not take four times the room.
pub(super) fn push<'a>(nodes: &mut Vec<Node<'a>>, node: Node<'a>) {
    if nodes.is_empty() {
        nodes.reserve_exact(1);
    }
    nodes.push(node);
}

impl<'a> Set<'a> {
    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.closed.is_none()
    }

    /// How many paths are in the set.
    pub fn len(&self) -> usize {
        match &self.closed {
            Some(closed) => closed.count,
            None => self.nodes.iter().map(|node| usize::from(node.member) + node.below.len()).sum(),
        }
    }

    /// Whether an element that today's API server knows is in the set.
    pub fn has_known(&self) -> bool {
        self.closed.is_some() || self.nodes.iter().any(|node| node.element.is_known())
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.element.cmp_field(name))
    }

    /// Whether exactly this path, given as field names from the root, is in the set.
    pub fn contains(&self, path: &[&str]) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return false;
        };
        if self.closed.is_some() {
            return self.opened().contains(path);
        }
        let Some(node) = self.find(name).ok().and_then(|at| self.nodes.get(at)) else {
            return false;
        };
        if rest.is_empty() { node.member } else { node.below.contains(rest) }
    }

    /// Adds one path, given as field names from the root; says whether that changed the set. The empty path
    /// and one deeper than 256 are not added.
    pub fn insert(&mut self, path: &[&'a str]) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return false;
        };
        if path.len() > MAX_DEPTH {
            return false;
        }
        self.open();
        let at = match self.find(name) {
            Ok(at) => at,
            Err(at) => {
                let element = Element::Field((*name).into());
                self.nodes.insert(at, Node { element, member: false, below: Set::default() });
                at
            }
        };
        let Some(node) = self.nodes.get_mut(at) else {
            return false;
        };
        if rest.is_empty() { !std::mem::replace(&mut node.member, true) } else { node.below.insert(rest) }
    }

    /// Takes one path out, but nothing below it; says whether it was there.
    pub fn remove(&mut self, path: &[&str]) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return false;
        };
        self.open();
        let Ok(at) = self.find(name) else {
            return false;
        };
        let Some(node) = self.nodes.get_mut(at) else {
            return false;
        };
        let found = if rest.is_empty() {
            std::mem::replace(&mut node.member, false)
        } else {
            node.below.remove(rest)
        };
        if !node.member && node.below.is_empty() {
            self.nodes.remove(at);
        }
        found
    }

    /// What is in either set (`Set.Union`).
    #[must_use]
    pub fn union(mut self, mut other: Self) -> Self {
        if other.is_empty() || (self.closed.is_some() && self.closed == other.closed) {
            return self;
        }
        if self.is_empty() {
            return other;
        }
        self.open();
        other.open();
        let mut nodes = Vec::with_capacity(self.nodes.len().max(other.nodes.len()));
        let mut right = other.nodes.into_iter().peekable();
        for mut node in self.nodes {
            while let Some(theirs) = right.next_if(|theirs| theirs.element < node.element) {
                nodes.push(theirs);
            }
            if let Some(twin) = right.next_if(|theirs| theirs.element == node.element) {
                node = node.join(twin);
            }
            nodes.push(node);
        }
        nodes.extend(right);
        Self { nodes, closed: None }
    }

    /// What is in any of the sets. Joined in pairs, so that many small sets cost no more than n log n.
    #[must_use]
    pub fn union_all(mut sets: Vec<Self>) -> Self {
        while sets.len() > 1 {
            let mut pairs = std::mem::take(&mut sets).into_iter();
            while let Some(one) = pairs.next() {
                sets.push(one.union(pairs.next().unwrap_or_default()));
            }
        }
        sets.pop().unwrap_or_default()
    }

    /// What is here and not in `other`, path by path: a member goes, what is below it stays
    /// (`Set.Difference`, not `RecursiveDifference`).
    #[must_use]
    pub fn difference(mut self, other: &Self) -> Self {
        self.open();
        let other = other.opened();
        let mut right = other.nodes.iter().peekable();
        let left = self.nodes.into_iter().filter_map(|mut node| {
            while right.next_if(|theirs| theirs.element < node.element).is_some() {}
            if let Some(twin) = right.next_if(|theirs| theirs.element == node.element) {
                node.member &= !twin.member;
                node.below = node.below.difference(&twin.below);
            }
            (node.member || !node.below.is_empty()).then_some(node)
        });
        Self { nodes: left.collect(), closed: None }
    }

    /// The canonical JSON text, equal to Go's `Set.ToJSON`.
    pub fn encode(&self) -> String {
        self.text().to_string()
    }

    /// The canonical JSON text; what was canonical text already is lent.
    pub fn text(&self) -> Pieces<'a> {
        let mut out = Pieces::default();
        self.write(false, &mut out, &mut String::new());
        out
    }

    fn write(&self, member: bool, out: &mut Pieces<'a>, scratch: &mut String) {
        out.tail().push('{');
        if member && !self.is_empty() {
            out.tail().push_str(canon::OWN);
        }
        if let Some(closed) = &self.closed {
            out.lend(closed.inner);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let tail = out.tail();
            tail.push_str(if index > 0 { ",\"" } else { "\"" });
            node.element.write(tail, scratch);
            tail.push_str("\":");
            node.below.write(node.member, out, scratch);
        }
        out.tail().push('}');
    }

    /// The paths for a person, one text each, parents first.
    pub fn paths(&self) -> Vec<String> {
        self.written(Element::show)
    }

    /// The paths, one text each, parents first, with each element as `write` appends it.
    pub(super) fn written(&self, write: fn(&Element<'a>, &mut String)) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(write, &mut String::new(), &mut paths);
        paths
    }

    fn collect(&self, write: fn(&Element<'a>, &mut String), prefix: &mut String, paths: &mut Vec<String>) {
        let length = prefix.len();
        for node in &self.opened().nodes {
            write(&node.element, prefix);
            if node.member {
                paths.push(prefix.clone());
            }
            node.below.collect(write, prefix, paths);
            prefix.truncate(length);
        }
    }
}

impl Node<'_> {
    /// Two nodes of the same element as one.
    pub(super) fn join(self, twin: Self) -> Self {
        Self {
            element: self.element,
            member: self.member || twin.member,
            below: self.below.union(twin.below),
        }
    }
}
