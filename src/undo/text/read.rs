//! Reading an undo file: strictly, since what is read is written into a cluster.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{API_VERSION, KIND, UndoError, chained, hash};
use crate::undo::{After, Mark, Metadata, Place, Saved, Undo};

const UNTOUCHED: &str = "use the file as cni-steward wrote it";

/// One line, as its fields' texts.
struct Line<'t> {
    name: &'t str,
    number: usize,
    fields: BTreeMap<String, &'t RawValue>,
}

pub(super) fn read(name: &str, text: &str) -> Result<Undo, UndoError> {
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let lines: Vec<&str> = whole.split('\n').collect();
    let first = Line::read(name, 1, lines.first().copied().unwrap_or_default())?;
    let mut undo = head(&first)?;
    let count = usize::try_from(first.number_at("objects")?).unwrap_or(usize::MAX);
    let seal = count.saturating_add(1);
    let Some(sealed) = lines.get(seal) else {
        return Err(UndoError(format!(
            "{name}: the file ends with line {}, but its first line tells of {count} objects and a checksum after \
             them: it was truncated; {UNTOUCHED}",
            lines.len()
        )));
    };
    let sealed = Line::read(name, seal + 1, sealed)?;
    let above: usize = lines.iter().take(seal).map(|line| line.len() + 1).sum();
    if sealed.text("sha256")? != hash(text.get(..above).unwrap_or_default(), 32) {
        return Err(UndoError(format!(
            "{name}:{}: field `sha256` is not the checksum of the lines above: the file was edited; {UNTOUCHED}",
            seal + 1
        )));
    }
    for (at, line) in lines.iter().enumerate().take(seal).skip(1) {
        undo.objects.push(object(&Line::read(name, at + 1, line)?)?);
    }
    for (at, pair) in lines.windows(2).enumerate().skip(seal) {
        if let [last, line] = pair {
            undo.marks.push(progress(&Line::read(name, at + 2, line)?, last, line, count)?);
        }
    }
    Ok(undo)
}

fn head(line: &Line<'_>) -> Result<Undo, UndoError> {
    for (field, expected) in [("kind", KIND), ("apiVersion", API_VERSION)] {
        let found = line.text(field)?;
        if found != expected {
            return Err(line.fails(field, &format!("expected {expected:?}, found {found:?}")));
        }
    }
    let cluster = line.inner("cluster")?;
    let made_at = line.text("madeAt")?;
    Ok(Undo {
        command: line.text("command")?,
        made_at: made_at
            .parse()
            .map_err(|_| line.fails("madeAt", &format!("expected an RFC 3339 time, found {made_at:?}")))?,
        policy: line.text("policy")?,
        cluster: Place { uid: cluster.text("uid")?, url: cluster.text("url")? },
        objects: Vec::new(),
        marks: Vec::new(),
    })
}

fn object(line: &Line<'_>) -> Result<Saved, UndoError> {
    let name = line.inner("object")?;
    let after = match line.raw("after")? {
        "null" => After::Deleted,
        text => After::Changed(Metadata::parse(text).map_err(|problem| line.fails("after", &problem))?),
    };
    let before = line.raw("before")?;
    Metadata::of(before).map_err(|problem| line.fails("before", &problem))?;
    Ok(Saved {
        api_version: name.text("apiVersion")?,
        kind: name.text("kind")?,
        namespace: name.text("namespace")?,
        name: name.text("name")?,
        before: before.to_owned(),
        after,
    })
}

fn progress(line: &Line<'_>, last: &str, text: &str, count: usize) -> Result<Mark, UndoError> {
    let mut bare: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(fields) = bare.as_object_mut() {
        fields.shift_remove("sum");
    }
    if line.text("sum")? != chained(last, &bare) {
        return Err(
            line.fails("sum", &format!("the mark was edited, or one before it is missing; {UNTOUCHED}"))
        );
    }
    let place = |field| {
        let place = usize::try_from(line.number_at(field)?).unwrap_or(usize::MAX);
        if place < count { Ok(place) } else { Err(line.fails(field, "there is no such object")) }
    };
    if line.fields.contains_key("wrote") {
        let metadata = Metadata::parse(line.raw("metadata")?);
        return Ok(Mark::Wrote(
            place("wrote")?,
            metadata.map_err(|problem| line.fails("metadata", &problem))?,
        ));
    }
    if line.fields.contains_key("done") {
        return place("done").map(Mark::Done);
    }
    Ok(if line.fields.contains_key("undone") { Mark::Undone } else { Mark::Finished })
}

impl<'t> Line<'t> {
    fn read(name: &'t str, number: usize, text: &'t str) -> Result<Self, UndoError> {
        let fields = serde_json::from_str(text).map_err(|error| {
            UndoError(format!(
                "{name}:{number}: expected one line of an undo file, a JSON object: {error}; {UNTOUCHED}"
            ))
        })?;
        Ok(Self { name, number, fields })
    }

    fn fails(&self, field: &str, problem: &str) -> UndoError {
        UndoError(format!("{}:{}: field `{field}`: {problem}", self.name, self.number))
    }

    fn raw(&self, field: &str) -> Result<&'t str, UndoError> {
        let found = self.fields.get(field).map(|value| value.get());
        found.ok_or_else(|| self.fails(field, &format!("it is missing; {UNTOUCHED}")))
    }

    fn text(&self, field: &str) -> Result<String, UndoError> {
        let raw = self.raw(field)?;
        serde_json::from_str(raw).map_err(|_| self.fails(field, "expected a string"))
    }

    fn number_at(&self, field: &str) -> Result<u64, UndoError> {
        self.raw(field)?.parse().map_err(|_| self.fails(field, "expected a number"))
    }

    fn inner(&self, field: &str) -> Result<Line<'t>, UndoError> {
        let fields =
            serde_json::from_str(self.raw(field)?).map_err(|_| self.fails(field, "expected an object"))?;
        Ok(Line { name: self.name, number: self.number, fields })
    }
}
