//! What an apply takes away: paths that the applier applied last time, does not apply now, and nobody else holds
//! (structured-merge-diff `merge/update.go` `prune`, `typed/remove.go`, `typed/tofieldset.go`).
//!
//! The three steps are the API server's, in its order, because they are not the same as the rule above in every corner:
//! remove all that was applied last time, add back what somebody holds, add back what hangs in the air.

use serde_json::{Map, Value};

use super::shape::Shape;
use super::tree::{View, field, view};
use crate::fields::Set;
use crate::fields::element::Element;

/// The merged object without what is pruned. `last` is the applier's set before, `held` everybody's set after.
pub(super) fn prune(shape: Shape, merged: &Value, last: &Set<'_>, held: &Set<'_>) -> Value {
    if last.is_empty() {
        return merged.clone();
    }
    let last = named(shape, last);
    let all = named(shape, &paths(shape, merged));
    let pruned = remove(shape, merged, &last).unwrap_or(Value::Null);
    let kept = named(shape, &paths(shape, &pruned)).union(named(shape, held));
    let pruned = remove(shape, merged, &all.clone().difference(&kept)).unwrap_or(Value::Null);
    let kept = named(shape, &paths(shape, &pruned));
    let gone = all.difference(&kept).intersection(&last);
    remove(shape, merged, &gone).unwrap_or(Value::Null)
}

/// The set that an apply of this object holds (`TypedValue.ToFieldSet`).
pub(super) fn paths(shape: Shape, value: &Value) -> Set<'_> {
    let mut set = Set::default();
    collect(shape, value, &mut Vec::new(), &mut set);
    set
}

fn collect<'v>(shape: Shape, value: &'v Value, path: &mut Vec<Element<'v>>, set: &mut Set<'v>) {
    match view(shape, value) {
        View::Leaf => set.put(path),
        View::Object(fields) => {
            for (name, value) in fields {
                path.push(field(name));
                collect(shape.field(name), value, path, set);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || matches!(shape, Shape::Map) {
                    set.put(path);
                }
                path.pop();
            }
        }
        View::List(items) => {
            for (element, value) in items {
                path.push(element);
                collect(shape.item(), value, path, set);
                set.put(path);
                path.pop();
            }
        }
    }
}

/// The set with each named field on the way as a member (`Set.EnsureNamedFieldsAreMembers`).
fn named<'a>(shape: Shape, set: &Set<'a>) -> Set<'a> {
    set.with_members(shape, &|shape: Shape, element: &Element<'a>| match element {
        Element::Field(name) => {
            (shape.field(name), matches!(shape, Shape::Plain | Shape::Struct(_)) && !name.is_empty())
        }
        _ => (shape.item(), false),
    })
}

/// The value without the paths of the set (`TypedValue.RemoveItems`); `None` when nothing is left.
fn remove(shape: Shape, value: &Value, set: &Set<'_>) -> Option<Value> {
    let keep = |element: &Element<'_>, shape: Shape, value: &Value| {
        if set.has(element) {
            return None;
        }
        Some(match set.below(element) {
            Some(below) => remove(shape, value, below).unwrap_or(Value::Null),
            None => value.clone(),
        })
    };
    match view(shape, value) {
        View::Leaf => Some(value.clone()),
        View::Object(fields) => {
            let kept: Map<String, Value> = fields
                .into_iter()
                .filter_map(|(name, value)| {
                    Some((name.to_owned(), keep(&field(name), shape.field(name), value)?))
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        View::List(items) => {
            let kept: Vec<Value> = items
                .into_iter()
                .filter_map(|(element, value)| keep(&element, shape.item(), value))
                .collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::acceptance::shape;
    use crate::policy::Kind;

    fn with(containers: &Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": containers}}}})
    }

    /// An item that another holds too stays, and with it what the API server put into it by default and nobody holds: it was
    /// not the applier's, so the applier's leaving does not take it away.
    #[test]
    fn what_nobody_applied_stays_in_an_item_that_stays() {
        let shape = shape::of(Kind::DaemonSet);
        let live = with(&json!([
            {"name": "main", "image": "a"},
            {"name": "shared", "image": "b", "args": ["-v"], "terminationMessagePath": "/dev/termination-log"},
        ]));
        let applied = with(&json!([
            {"name": "main", "image": "a"}, {"name": "shared", "image": "b", "args": ["-v"]},
        ]));
        let others = with(&json!([{"name": "main", "image": "a"}, {"name": "shared", "image": "b"}]));
        let pruned = prune(shape, &live, &paths(shape, &applied), &paths(shape, &others));
        let expected = with(&json!([
            {"name": "main", "image": "a"},
            {"name": "shared", "image": "b", "terminationMessagePath": "/dev/termination-log"},
        ]));
        assert_eq!(pruned, expected);
    }
}
