//! Which paths a write adds or modifies (structured-merge-diff `typed/compare.go`). What it removes never conflicts.

use serde_json::Value;

use super::shape::Shape;
use super::tree::{View, equal, field, view};
use crate::fields::Set;
use crate::fields::element::Element;

/// The paths that are added or modified between two objects.
pub(super) fn written<'v>(shape: Shape, before: &'v Value, after: &'v Value) -> Set<'v> {
    let mut walk = Walk { written: Set::default(), path: Vec::new() };
    walk.place(shape, Some(before), Some(after));
    walk.written
}

struct Walk<'v> {
    written: Set<'v>,
    path: Vec<Element<'v>>,
}

impl<'v> Walk<'v> {
    fn put(&mut self) {
        self.written.put(&self.path);
    }

    fn place(&mut self, shape: Shape, before: Option<&'v Value>, after: Option<&'v Value>) {
        let look = |value: Option<&'v Value>| value.map(|value| view(shape, value));
        match (look(before), look(after)) {
            (_, None) => {}
            (None, Some(View::Leaf)) => self.put(),
            (None, Some(new)) => {
                self.below(shape, None, Some(&new));
                self.put();
            }
            // Both are empty: whether null, {} or [] is a difference.
            (Some(old), Some(new)) if old.is_empty() && new.is_empty() => self.leaf(before, after),
            (Some(View::Leaf), Some(View::Leaf)) => self.leaf(before, after),
            // Null stands for an empty object or list when the other side is one.
            (Some(old), Some(new)) => {
                let is_null = |value: Option<&Value>| value.is_some_and(Value::is_null);
                match (&old, &new) {
                    (View::Leaf, _) if is_null(before) && new.is_empty() => self.leaf(before, after),
                    (_, View::Leaf) if is_null(after) && old.is_empty() => self.leaf(before, after),
                    (View::Leaf, _) if is_null(before) => self.below(shape, None, Some(&new)),
                    (_, View::Leaf) if is_null(after) => {}
                    (View::Leaf, _) | (_, View::Leaf) => self.leaf(before, after),
                    _ => self.below(shape, Some(&old), Some(&new)),
                }
            }
        }
    }

    fn leaf(&mut self, before: Option<&Value>, after: Option<&Value>) {
        if let (Some(before), Some(after)) = (before, after)
            && !equal(before, after)
        {
            self.put();
        }
    }

    fn below(&mut self, shape: Shape, before: Option<&View<'v>>, after: Option<&View<'v>>) {
        match after {
            Some(View::Object(fields)) => {
                for (name, value) in fields {
                    let old = match before {
                        Some(View::Object(old)) => {
                            old.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
                        }
                        _ => None,
                    };
                    self.step(field(name), shape.field(name), old, value);
                }
            }
            Some(View::List(items)) => {
                for (element, value) in items {
                    let old = match before {
                        Some(View::List(old)) => {
                            old.iter().find(|(known, _)| known == element).map(|(_, value)| *value)
                        }
                        _ => None,
                    };
                    self.step(element.clone(), shape.item(), old, value);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, element: Element<'v>, shape: Shape, before: Option<&'v Value>, after: &'v Value) {
        self.path.push(element);
        self.place(shape, before, Some(after));
        self.path.pop();
    }
}
