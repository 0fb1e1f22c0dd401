//! What a decision may look at in an object: one pass over its text, everything else skipped.

use super::text::{once, string};
use crate::fields::entry::List;
use crate::fields::json::{Cursor, Malformed};
use crate::policy::object::{KEYS, Meta, Object};

/// An object, or in a few words what is odd about it.
pub type Reading<'a> = Result<Object<'a>, String>;

/// Reads an object that stands alone, as the API server gives it.
pub fn alone(text: &str) -> Reading<'_> {
    let mut cursor = Cursor::new(text);
    let read = next(&mut cursor, None).map_err(|problem| problem.what.to_owned())?;
    cursor.end().map_err(|problem| problem.what.to_owned())?;
    read.map_or_else(|| Err("it is null".to_owned()), |(_, reading)| reading)
}

/// Reads the object that comes next and its text; `None` for `null`. What is odd is still passed over, and an error
/// only if it has no end. `beside` is the object's other version, of which much may be the same.
pub(super) fn next<'a>(
    cursor: &mut Cursor<'a>,
    beside: Option<&Object<'a>>,
) -> Result<Option<(&'a str, Reading<'a>)>, Malformed> {
    let start = cursor.start();
    let mut ahead = cursor.clone();
    if let Ok(mut object) = read(&mut ahead, beside) {
        *cursor = ahead;
        object.raw = cursor.since(start);
        return Ok(Some((object.raw, Ok(object))));
    }
    let raw = cursor.skip()?;
    let problem = read(&mut Cursor::new(raw), None).err().map_or("", |problem| problem.what);
    Ok((raw != "null").then(|| (raw, Err(problem.to_owned()))))
}

fn read<'a>(cursor: &mut Cursor<'a>, beside: Option<&Object<'a>>) -> Result<Object<'a>, Malformed> {
    let mut object = Object::default();
    let (mut api_version, mut metadata, mut spec, mut seen) = (None, None, None, 0);
    cursor.members("it is no JSON object", |cursor, name| match name {
        "apiVersion" => {
            let value = string(cursor)?;
            once(&mut api_version, &mut seen, 0, value, cursor, "apiVersion stands twice")
        }
        "metadata" => {
            once(&mut metadata, &mut seen, 1, Some(()), cursor, "metadata stands twice")?;
            read_metadata(cursor, &mut object, beside)
        }
        "spec" => {
            let value = cursor.skip_like(beside.map_or("", |beside| beside.spec))?;
            once(&mut spec, &mut seen, 2, Some(value), cursor, "spec stands twice")
        }
        _ => cursor.skip().map(|_| ()),
    })?;
    if metadata.is_none() {
        return cursor.fail("it has no metadata");
    }
    object.spec = spec.unwrap_or_default();
    object.api_version = api_version.unwrap_or_default();
    // An entry of ours would need it, and the API server drops a list with an entry that has none.
    if object.api_version.is_empty() {
        return cursor.fail("it has no apiVersion");
    }
    Ok(object)
}

fn read_metadata<'a>(
    cursor: &mut Cursor<'a>,
    object: &mut Object<'a>,
    beside: Option<&Object<'a>>,
) -> Result<(), Malformed> {
    let (mut name, mut created, mut labels, mut annotations, mut list) = (None, None, None, None, None);
    let mut seen = 0;
    cursor.members("its metadata is no JSON object", |cursor, key| match key {
        "name" => {
            let value = string(cursor)?;
            once(&mut name, &mut seen, 0, value, cursor, "metadata.name stands twice")
        }
        "creationTimestamp" => {
            let value = string(cursor)?;
            once(&mut created, &mut seen, 1, value, cursor, "metadata.creationTimestamp stands twice")
        }
        "labels" => {
            let value = pairs(cursor, "metadata.labels is no map of strings")?;
            once(&mut labels, &mut seen, 2, value, cursor, "metadata.labels stands twice")
        }
        "annotations" => {
            let value = pairs(cursor, "metadata.annotations is no map of strings")?;
            once(&mut annotations, &mut seen, 3, value, cursor, "metadata.annotations stands twice")
        }
        "managedFields" => {
            let value = List::next(cursor, beside.and_then(|beside| beside.managed_fields.as_ref()))?;
            once(&mut list, &mut seen, 4, value, cursor, "metadata.managedFields stands twice")
        }
        _ => cursor.skip().map(|_| ()),
    })?;
    object.name = name.unwrap_or_default();
    object.created = created.unwrap_or_default();
    object.labels = labels.unwrap_or_default();
    object.annotations = annotations.unwrap_or_default();
    object.managed_fields = list;
    Ok(())
}

/// A map of strings of which only [`KEYS`] are kept; `None` for `null`.
fn pairs<'a>(cursor: &mut Cursor<'a>, problem: &'static str) -> Result<Option<Meta<'a>>, Malformed> {
    if cursor.token() == Some(b'n') {
        return cursor.literal("null").map(|()| None);
    }
    let mut meta = Meta { present: true, ..Meta::default() };
    cursor.members(problem, |cursor, key| {
        let Some(value) = string(cursor)? else { return cursor.fail(problem) };
        meta.size += key.len() + value.len();
        if let Some(known) = KEYS.into_iter().find(|known| *known == key) {
            if meta.pairs.iter().any(|(found, _)| *found == known) {
                return cursor.fail("a label or annotation stands twice");
            }
            meta.pairs.push((known, value));
        }
        Ok::<(), Malformed>(())
    })?;
    Ok(Some(meta))
}
