//! One `managedFields` list as it stands in an object, borrowed from its bytes.
//!
//! What is decided here: which entries are understood. The bar is the API server's own (apimachinery
//! `pkg/util/managedfields/internal/managedfields.go`, `DecodeManagedFields`) plus: no key we do not know, none
//! twice. Everything else passes through byte for byte, so that a newer API server's entries survive us.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::json::{Cursor, Malformed};
use super::set::Set;
use super::text::unescape;

/// Entries of a list that is understood; an entry of two bytes of text takes a hundred times as much here. A stored object has at
/// most 1.5 MiB (etcd's `--max-request-bytes`), and an entry that an API server wrote more than a hundred bytes.
const MOST: usize = 1 << 14;

/// What an entry records: a server-side apply or any other write (`ManagedFieldsOperationType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Every other write.
    Update,
}

/// The list, with its own bytes.
#[derive(Debug, Clone, Default)]
pub struct List<'a> {
    /// The JSON text of the whole list, exactly as received.
    pub raw: &'a str,
    /// Its entries in stored order.
    pub entries: Vec<Entry<'a>>,
}

/// One entry of the list.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The JSON text of this entry, exactly as received.
    pub raw: &'a str,
    /// What it says; `None` for an entry that is not of the form of Kubernetes 1.24 to 1.37 (passed through).
    pub known: Option<Known<'a>>,
}

/// An entry that is understood.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Field manager.
    pub manager: Cow<'a, str>,
    /// Apply or Update.
    pub operation: Operation,
    /// `apiVersion` the paths are written in.
    pub api_version: Cow<'a, str>,
    /// RFC 3339 time, seconds; the API server leaves it out of an entry that a no-op apply brought back.
    pub time: Option<Cow<'a, str>>,
    /// JSON text of `fieldsV1` (`{}` when absent or null).
    pub fields: &'a str,
    /// `""` for the object itself, else `status`, `scale`, …
    pub subresource: Cow<'a, str>,
}

impl<'a> List<'a> {
    /// Reads the JSON text of a list; `None` for `null` and for what is no list.
    pub fn parse(raw: &'a str) -> Option<Self> {
        let mut cursor = Cursor::new(raw);
        let list = read_list(&mut cursor, Beside::default()).ok()?;
        cursor.end().ok().map(|()| list)
    }

    /// Reads the list that comes next, or passes what stands in its place; `None` for `null` and for what is no list.
    /// `beside` is the list of the same object's other version, whose sets mostly are the same.
    pub(crate) fn next(cursor: &mut Cursor<'a>, beside: Option<&Self>) -> Result<Option<Self>, Malformed> {
        let mut ahead = cursor.clone();
        if let Ok(list) = read_list(&mut ahead, Beside { list: beside, by_manager: None }) {
            *cursor = ahead;
            return Ok(Some(list));
        }
        cursor.skip().map(|_| None)
    }

    /// The entries that are understood, each with its place.
    pub(super) fn known(&self) -> impl DoubleEndedIterator<Item = (usize, &Known<'a>)> {
        self.entries.iter().enumerate().filter_map(|(place, entry)| Some((place, entry.known.as_ref()?)))
    }
}

impl<'a> Known<'a> {
    /// Whether the entry is about the object itself, not about a subresource.
    pub fn is_root(&self) -> bool {
        self.subresource.is_empty()
    }

    /// Whether this is an Apply entry about the object itself by `manager`. The API server holds one of these
    /// per manager, whatever its `apiVersion` (`BuildManagerIdentifier`).
    pub fn is_root_apply_of(&self, manager: &str) -> bool {
        self.is_root() && self.operation == Operation::Apply && self.manager == manager
    }

    /// The entry's paths.
    pub fn set(&self) -> Result<Set<'a>, Malformed> {
        Set::parse(self.fields)
    }
}

impl Operation {
    /// The word that stands in the entry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// The sets of the object's other version.
#[derive(Default)]
struct Beside<'l, 'a> {
    list: Option<&'l List<'a>>,
    /// Made once an entry does not stand where its twin stands.
    by_manager: Option<BTreeMap<&'l str, &'l str>>,
}

impl<'l> Beside<'l, '_> {
    /// The set of an entry by the same manager, which mostly stands in the same place; `""` when there is none.
    fn set(&mut self, place: usize, manager: Option<&str>) -> &'l str {
        let manager = manager.and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
        let (Some(list), Some(manager)) = (self.list, manager) else { return "" };
        let twin = list.entries.get(place).and_then(|entry| entry.known.as_ref());
        if let Some(twin) = twin.filter(|twin| twin.manager == manager) {
            return twin.fields;
        }
        let all = || list.known().map(|(_, known)| (&*known.manager, known.fields)).collect();
        self.by_manager.get_or_insert_with(all).get(manager).copied().unwrap_or_default()
    }
}

fn read_list<'a>(cursor: &mut Cursor<'a>, mut beside: Beside<'_, 'a>) -> Result<List<'a>, Malformed> {
    let mut entries = Vec::new();
    let start = cursor.start();
    cursor.items("a list was expected", |cursor| {
        if entries.len() >= MOST {
            return cursor.fail("more entries than an object can hold");
        }
        entries.push(read_entry(cursor, entries.len(), &mut beside)?);
        Ok::<(), Malformed>(())
    })?;
    Ok(List { raw: cursor.since(start), entries })
}

fn read_entry<'a>(
    cursor: &mut Cursor<'a>,
    place: usize,
    beside: &mut Beside<'_, 'a>,
) -> Result<Entry<'a>, Malformed> {
    let start = cursor.start();
    if cursor.token() != Some(b'{') {
        return Ok(Entry { raw: cursor.skip()?, known: None });
    }
    cursor.expect(b'{', "an object was expected")?;
    let mut parts = Parts::default();
    if !cursor.eat(b'}') {
        loop {
            let name = cursor.name()?;
            let like = if name == "fieldsV1" { beside.set(place, parts.manager) } else { "" };
            let value = cursor.skip_like(like)?;
            parts.take(name, value);
            if !cursor.eat(b',') {
                break;
            }
        }
        cursor.expect(b'}', "a comma or the end was expected")?;
    }
    Ok(Entry { raw: cursor.since(start), known: parts.known() })
}

/// The JSON texts of an entry's values.
#[derive(Default)]
struct Parts<'a> {
    manager: Option<&'a str>,
    operation: Option<&'a str>,
    api_version: Option<&'a str>,
    time: Option<&'a str>,
    fields_type: Option<&'a str>,
    fields: Option<&'a str>,
    subresource: Option<&'a str>,
    strange: bool,
}

impl<'a> Parts<'a> {
    fn take(&mut self, name: &str, value: &'a str) {
        let place = match name {
            "manager" => &mut self.manager,
            "operation" => &mut self.operation,
            "apiVersion" => &mut self.api_version,
            "time" => &mut self.time,
            "fieldsType" => &mut self.fields_type,
            "fieldsV1" => &mut self.fields,
            "subresource" => &mut self.subresource,
            _ => {
                self.strange = true;
                return;
            }
        };
        self.strange |= place.replace(value).is_some();
    }

    fn known(self) -> Option<Known<'a>> {
        let operation = match text(self.operation?)?.as_ref() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let api_version = text(self.api_version?)?;
        let fields = self.fields.filter(|fields| *fields != "null").unwrap_or("{}");
        let time = match self.time.filter(|time| *time != "null") {
            Some(time) => Some(text(time)?),
            None => None,
        };
        if self.strange
            || api_version.is_empty()
            || text(self.fields_type?)? != "FieldsV1"
            || !fields.starts_with('{')
        {
            return None;
        }
        Some(Known {
            manager: self.manager.map_or(Some(Cow::Borrowed("")), text)?,
            operation,
            api_version,
            time,
            fields,
            subresource: self.subresource.map_or(Some(Cow::Borrowed("")), text)?,
        })
    }
}

/// What a JSON string says; `None` for any other value.
fn text(value: &str) -> Option<Cow<'_, str>> {
    value.strip_prefix('"')?.strip_suffix('"').map(unescape)
}
