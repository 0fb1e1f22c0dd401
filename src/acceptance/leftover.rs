//! What is live, held by somebody, and not rendered: Helm 3 leaves it for ever; Helm 4 takes it away at the next apply
//! if its own entry alone holds it.
//!
//! A leftover is named at the highest place that the chart does not render: a container, not its forty fields. Fields
//! that nobody holds, or that say what they say by default, go with what they belong to. What we ourselves put on an object,
//! and what controllers write, is not the chart's to render.

use serde_json::Value;

use super::defaults::is_default;
use super::holders::Holder;
use super::remove::{self, Object};
use super::shape::Shape;
use super::tree::{View, field, view};
use crate::fields::Set;
use crate::fields::element::Element;
use crate::fields::path::report;
use crate::policy::change::{ALLOW_UNTIL, INSTALLED_BY, MANAGED_ADDON, PREVENT_DELETION};
use crate::policy::writer::STEWARD;

/// Something that the chart does not render.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its path, written as the API server writes paths.
    pub path: String,
    /// Who holds it, or something below it, as `manager/Apply` or `manager/Update`.
    pub holders: Vec<String>,
    /// Whether Helm 4's apply takes it away (a field with a default goes back to that).
    pub pruned: bool,
    /// The command that removes it.
    pub command: String,
}

/// Keys that are ours, or Cluster API's by our hand, or the API server's own.
const NOT_THE_CHART_S: [&str; 5] =
    [INSTALLED_BY, MANAGED_ADDON, ALLOW_UNTIL, PREVENT_DELETION, "deprecated.daemonset.template.generation"];

/// Managers whose fields no chart renders.
fn is_controller(holder: &Holder<'_>) -> bool {
    !holder.subresource.is_empty() || holder.manager.starts_with("kube-") || holder.manager == STEWARD
}

/// What the search needs to know.
pub(super) struct Search<'s> {
    pub(super) object: Object<'s>,
    pub(super) owner: &'s str,
    pub(super) last: &'s Set<'s>,
    pub(super) others: &'s [Holder<'s>],
    path: Vec<Element<'s>>,
    found: Vec<Leftover>,
}

/// The leftovers in the order of the object. `after` is the object after Helm 4's apply.
pub(super) fn find<'s>(
    object: Object<'s>,
    owner: &'s str,
    (last, others): (&'s Set<'s>, &'s [Holder<'s>]),
    shape: Shape,
    (live, rendered, after): (&'s Value, &'s Value, &'s Value),
) -> Vec<Leftover> {
    let mut search = Search { object, owner, last, others, path: Vec::new(), found: Vec::new() };
    search.place(shape, live, Some(rendered), Some(after));
    search.found
}

impl<'s> Search<'s> {
    fn place(
        &mut self,
        shape: Shape,
        live: &'s Value,
        rendered: Option<&'s Value>,
        after: Option<&'s Value>,
    ) {
        let children: Vec<(Element<'s>, Shape, &'s Value)> = match view(shape, live) {
            View::Leaf => return,
            View::Object(fields) => {
                fields.into_iter().map(|(name, value)| (field(name), shape.field(name), value)).collect()
            }
            View::List(items) => {
                items.into_iter().map(|(element, value)| (element, shape.item(), value)).collect()
            }
        };
        for (element, below, value) in children {
            let find = |other: Option<&'s Value>| other.and_then(|other| child(shape, other, &element));
            let (rendered, after) = (find(rendered), find(after));
            self.path.push(element);
            match rendered {
                Some(rendered) => self.place(below, value, Some(rendered), after),
                None => self.candidate(below, value, after),
            }
            self.path.pop();
        }
    }

    /// A place that is live and not rendered.
    fn candidate(&mut self, shape: Shape, live: &'s Value, after: Option<&'s Value>) {
        let holders = self.holders();
        if holders.is_empty() || self.is_not_the_chart_s() || self.is_default(live) {
            return;
        }
        // Part of it goes, part of it stays: look closer.
        if after.is_some_and(|after| after != live) {
            return self.place(shape, live, None, after);
        }
        self.found.push(Leftover {
            path: report(&self.path),
            holders,
            pruned: after.is_none(),
            command: remove::command(&self.object, &self.path),
        });
    }

    fn holders(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.last.touches(&self.path) {
            names.push(format!("{}/Apply", self.owner));
        }
        let others = self.others.iter().filter(|holder| !is_controller(holder));
        for holder in others.filter(|holder| holder.set.touches(&self.path)) {
            names.push(format!("{}/{}", holder.manager, holder.operation.as_str()));
        }
        names
    }

    fn is_default(&self, live: &Value) -> bool {
        match self.path.as_slice() {
            [Element::Field(spec), .., Element::Field(name)] => spec == "spec" && is_default(name, live),
            _ => false,
        }
    }

    fn is_not_the_chart_s(&self) -> bool {
        match self.path.as_slice() {
            [Element::Field(metadata), Element::Field(_), Element::Field(key)] => {
                metadata == "metadata" && NOT_THE_CHART_S.contains(&&**key)
            }
            _ => false,
        }
    }
}

fn child<'v>(shape: Shape, value: &'v Value, wanted: &Element<'_>) -> Option<&'v Value> {
    match view(shape, value) {
        View::Leaf => None,
        View::Object(fields) => {
            fields.into_iter().find(|(name, _)| field(name) == *wanted).map(|(_, value)| value)
        }
        View::List(items) => items.into_iter().find(|(element, _)| element == wanted).map(|(_, value)| value),
    }
    .filter(|value| !value.is_null())
}
