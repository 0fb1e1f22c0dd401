//! Questions to the API server, many at once, and what was answered.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Facts, Item, Live, Presence, Unseen};
use crate::cluster::{ApiError, Cluster, Query, Reference};
use crate::policy::rules::Names;
use crate::policy::{Kind, Target};

/// Group, version, plural resource and kind.
pub(super) type Type = (&'static str, &'static str, &'static str, &'static str);

/// So many questions at once: each has a connection.
const AT_ONCE: usize = 8;

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) reference: Reference,
    /// `None` for one object by its name.
    pub(super) query: Option<Query>,
}

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) reference: Option<Reference>,
    texts: Vec<Box<RawValue>>,
    /// There is no such object, or no such kind.
    pub(super) absent: bool,
}

impl Question {
    pub(super) fn get(kind: Type, namespace: Option<&str>, name: &str) -> Self {
        Self { reference: Reference::new(kind, namespace, name), query: None }
    }

    pub(super) fn list(kind: Type, namespace: Option<&str>, query: Query) -> Self {
        Self { reference: Reference::all(kind, namespace), query: Some(query) }
    }

    async fn put(&self, cluster: &Cluster) -> Result<Answer, ApiError> {
        let reference = Some(self.reference.clone());
        let Some(query) = &self.query else {
            let text = cluster.get::<Box<RawValue>>(&self.reference).await?;
            return Ok(Answer { reference, absent: text.is_none(), texts: text.into_iter().collect() });
        };
        match cluster.list(&self.reference, query).await {
            Ok(texts) => Ok(Answer { reference, texts, absent: false }),
            Err(error) if error.is_not_found() => Ok(Answer { reference, texts: Vec::new(), absent: true }),
            Err(error) => Err(error),
        }
    }
}

impl Answer {
    pub(super) fn values(&self) -> Vec<Value> {
        self.texts.iter().filter_map(|text| serde_json::from_str(text.get()).ok()).collect()
    }

    pub(super) fn value(&self) -> Option<Value> {
        serde_json::from_str(self.texts.first()?.get()).ok()
    }

    pub(super) fn item(mut self, names: &Names) -> Item {
        let reference = self
            .reference
            .take()
            .unwrap_or_else(|| Reference::new(("", "v1", "configmaps", "ConfigMap"), None, ""));
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == reference.kind());
        let (namespace, name) = (reference.namespace().unwrap_or_default(), reference.name());
        let kind = kind.filter(|kind| Target::find(*kind, namespace, name, names).is_some());
        let optional = kind == Some(Kind::ConfigMap) && name != names.settings;
        let state = match self.texts.pop() {
            Some(text) => Presence::Stands(Box::new(Live { facts: Facts::of(text.get(), kind), text })),
            None if self.absent => Presence::Absent,
            None => Presence::Unseen,
        };
        Item { reference, kind, optional, state }
    }
}

/// Puts the questions, some at once, and gives the answers in their order.
pub(super) async fn all(
    cluster: &Cluster,
    questions: Vec<Question>,
    unseen: &mut Vec<Unseen>,
) -> Vec<Answer> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    let mut answers: Vec<Answer> = Vec::with_capacity(questions.len());
    for (place, question) in questions.into_iter().enumerate() {
        answers.push(Answer { reference: Some(question.reference.clone()), ..Answer::default() });
        let (cluster, gate) = (cluster.clone(), Arc::clone(&gate));
        under_way.spawn(async move {
            let _turn = gate.acquire().await;
            (place, question.put(&cluster).await)
        });
    }
    let mut failed = Vec::new();
    while let Some(done) = under_way.join_next().await {
        match done {
            Ok((place, Ok(answer))) => {
                if let Some(room) = answers.get_mut(place) {
                    *room = answer;
                }
            }
            Ok((place, Err(error))) => failed.push((place, Unseen::of(&error))),
            Err(_) => {}
        }
    }
    failed.sort_by_key(|(place, _)| *place);
    unseen.extend(failed.into_iter().map(|(_, one)| one));
    answers
}
