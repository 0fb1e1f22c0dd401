//! One followed target: its newest text, and what has to wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::pace::Backoff;
use super::plan::Metadata;
use super::teller::{Teller, Told};
use crate::cluster::{ApiError, Reference};
use crate::policy::{Kind, Target};

/// Own writes whose echo may still be on its way.
const ECHOES: usize = 8;

/// What a watch tells.
#[derive(Debug)]
pub(super) enum News {
    /// The object's text.
    Stands(Arc<str>),
    /// There is none.
    Absent,
    /// It cannot be seen now; the watch tries again by itself.
    Unseen(ApiError),
}

/// One followed target.
#[derive(Debug)]
pub(super) struct Item {
    kind: Kind,
    pub(super) reference: Reference,
    /// As it stands, as far as is known.
    pub(super) text: Option<Arc<str>>,
    pub(super) backoff: Backoff,
    /// When to look again although nobody wrote.
    pub(super) due: Option<Duration>,
    pub(super) told: Told,
    /// Versions that our own writes have replaced: a watch tells of them after the fact.
    passed: VecDeque<String>,
}

impl Item {
    pub(super) fn new(target: Target<'_>) -> Self {
        Self {
            kind: target.kind,
            reference: Reference::target(&target),
            text: None,
            backoff: Backoff::default(),
            due: None,
            told: Told::default(),
            passed: VecDeque::new(),
        }
    }

    pub(super) fn coordinates(&self) -> (Kind, String, String) {
        let namespace = self.reference.namespace().unwrap_or_default().to_owned();
        (self.kind, namespace, self.reference.name().to_owned())
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    /// Our own write has replaced this version.
    pub(super) fn passed(&mut self, version: &str) {
        if self.passed.len() >= ECHOES {
            self.passed.pop_front();
        }
        self.passed.push_back(version.to_owned());
    }

    /// Takes what a watch tells; says whether there is something to look at.
    pub(super) fn hears(&mut self, news: News, teller: &Teller) -> bool {
        match news {
            News::Stands(text) => {
                if Metadata::of(&text).is_some_and(|head| self.passed.contains(&head.resource_version)) {
                    return false;
                }
                self.text = Some(text);
                true
            }
            News::Absent => {
                self.text = None;
                self.passed.clear();
                true
            }
            News::Unseen(error) => {
                teller.unseen(&self.reference, &mut self.told, &error);
                false
            }
        }
    }
}
