//! Following one object, for as long as the program runs.
//!
//! [`Watching::next`] says how the object stands, and says it again whenever that may have changed: it is level-triggered,
//! so a change may be told twice and two quick ones as one. It lists by name and watches from there; what the API
//! server forgets (410), refuses or cannot do now is asked again with growing pauses, or after the time it asks for.
//! Every few minutes, and after every failure, all is read anew.

use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, sleep_until, timeout};

use super::Reference;
use super::client::Cluster;
use super::error::{ApiError, Cause, chain};
use super::list::List;
use super::status::Status;
use crate::telemetry::clock::Stopwatch;

/// How long the API server is to keep a watch open.
const OPEN: Duration = Duration::from_mins(4);
/// The API server ends a watch in time; if it does not, nobody is there any more.
const SILENCE: Duration = Duration::from_secs(270);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Longer than any object with its wrapping.
const LONGEST_LINE: usize = 8 << 20;

/// One object, followed.
#[derive(Debug)]
pub struct Watching {
    cluster: Cluster,
    reference: Reference,
    stage: Stage,
    /// Nothing is asked before.
    not_before: Instant,
    pause: Duration,
    /// When the stream was opened, to know one that breaks at once.
    opened: Stopwatch,
}

#[derive(Debug)]
enum Stage {
    /// Read all anew.
    List,
    /// Watch from this version on.
    Watch(String),
    Follow {
        body: Incoming,
        buffer: BytesMut,
        /// So much of the buffer is known to hold no end of a line.
        searched: usize,
    },
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// What an event leaves to tell.
enum Told {
    Nothing,
    Stands(String),
    Gone,
}

impl Cluster {
    /// Follows one object. Asks nothing before the first [`Watching::next`].
    pub fn watch(&self, reference: Reference) -> Watching {
        Watching {
            cluster: self.clone(),
            reference,
            stage: Stage::List,
            not_before: Instant::now(),
            pause: FIRST_PAUSE,
            opened: Stopwatch::start(),
        }
    }
}

impl Watching {
    /// The object followed.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// How the object stands, `None` if there is none. An error says that it cannot be seen now; the next call tries
    /// again when it is time. May be dropped at any point without losing anything; a question that is under way is then
    /// asked anew, so a caller that drops it again and again within the time of an answer gets none: see [`Self::told`].
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ApiError> {
        loop {
            sleep_until(self.not_before).await;
            let told = match &mut self.stage {
                Stage::List => self.list().await,
                Stage::Watch(_) => self.open().await,
                Stage::Follow { .. } => self.follow().await,
            };
            let text = match told {
                Ok(Told::Nothing) => continue,
                Ok(Told::Gone) => return Ok(None),
                Ok(Told::Stands(text)) => text,
                Err(cause) => return Err(self.failed(cause)),
            };
            match serde_json::from_str(&text) {
                Ok(object) => return Ok(Some(object)),
                Err(error) => return Err(self.failed(Cause::Garbage(error.to_string()))),
            }
        }
    }

    /// What [`Self::next`] gives, one after the other, for who has something else to do in between: it goes on by itself, and
    /// ends when nobody listens.
    pub fn told<T: DeserializeOwned + Send + 'static>(mut self) -> Receiver<Result<Option<T>, ApiError>> {
        let (tell, told) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    next = self.next() => if tell.send(next).await.is_err() { return },
                    () = tell.closed() => return,
                }
            }
        });
        told
    }

    /// Reads all anew with the next call, not before a growing pause.
    fn failed(&mut self, cause: Cause) -> ApiError {
        let verb = if matches!(self.stage, Stage::List) { "list" } else { "watch" };
        let error = ApiError::new(verb, &self.reference, cause);
        let pause = error.retry_after().unwrap_or(self.pause).min(LONGEST_PAUSE);
        self.not_before = Instant::now() + pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.stage = Stage::List;
        error
    }

    async fn list(&mut self) -> Result<Told, Cause> {
        let uri = format!("{}?{}", self.reference.collection(), self.selector());
        let text = self.cluster.text(&uri).await?;
        let list = List::read(&text)?;
        self.stage = Stage::Watch(list.metadata.resource_version);
        Ok(match list.items.unwrap_or_default().first() {
            Some(item) => Told::Stands(typed(item.get(), &self.reference)),
            None => Told::Gone,
        })
    }

    async fn open(&mut self) -> Result<Told, Cause> {
        let Stage::Watch(version) = &self.stage else { return Ok(Told::Nothing) };
        let uri = format!(
            "{}?{}&watch=1&timeoutSeconds={}&resourceVersion={version}",
            self.reference.collection(),
            self.selector(),
            OPEN.as_secs(),
        );
        let body = self.cluster.stream(&uri).await?;
        self.opened = Stopwatch::start();
        self.stage = Stage::Follow { body, buffer: BytesMut::new(), searched: 0 };
        Ok(Told::Nothing)
    }

    async fn follow(&mut self) -> Result<Told, Cause> {
        let Stage::Follow { body, buffer, searched } = &mut self.stage else { return Ok(Told::Nothing) };
        if let Some(end) = buffer.iter().skip(*searched).position(|byte| *byte == b'\n') {
            let line = buffer.split_to(*searched + end);
            buffer.advance(1);
            *searched = 0;
            let told = event(&line)?;
            self.pause = FIRST_PAUSE;
            return Ok(told);
        }
        *searched = buffer.len();
        let frame = timeout(SILENCE, body.frame()).await.map_err(|_| Cause::Timeout(SILENCE))?;
        match frame {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    buffer.extend_from_slice(&data);
                }
                if buffer.len() > LONGEST_LINE {
                    return Err(Cause::Garbage("an endless line".into()));
                }
            }
            Some(Err(error)) => return Err(Cause::Transport(chain(&error))),
            // Its time was over. A stream that ends at once must not become a loop.
            None if self.opened.elapsed() < Duration::from_secs(1) => {
                return Err(Cause::Transport("the watch ended at once".into()));
            }
            None => self.stage = Stage::List,
        }
        Ok(Told::Nothing)
    }

    fn selector(&self) -> String {
        format!("fieldSelector=metadata.name%3D{}", self.reference.name())
    }
}

/// What one line of a watch tells.
fn event(line: &[u8]) -> Result<Told, Cause> {
    let garbage = |error: serde_json::Error| Cause::Garbage(error.to_string());
    let event: Event<'_> = serde_json::from_slice(line).map_err(garbage)?;
    if event.kind == "ERROR" {
        let status: Status = serde_json::from_str(event.object.get()).map_err(garbage)?;
        return Err(Cause::Answer { status: Box::new(status), retry_after: None });
    }
    Ok(match event.kind {
        "ADDED" | "MODIFIED" => Told::Stands(event.object.get().to_owned()),
        "DELETED" => Told::Gone,
        _ => Told::Nothing,
    })
}

/// An item of a list says neither its kind nor its version, since the list does; a lone object says both.
fn typed(item: &str, reference: &Reference) -> String {
    #[derive(Deserialize)]
    struct Kind {
        kind: Option<serde::de::IgnoredAny>,
    }
    let says = serde_json::from_str::<Kind>(item).is_ok_and(|item| item.kind.is_some());
    match item.strip_prefix('{') {
        Some(rest) if !says => {
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            let (kind, api) = (reference.kind(), reference.api_version());
            format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api}\"{comma}{rest}")
        }
        _ => item.to_owned(),
    }
}
