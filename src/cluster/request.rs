//! One request and its answer, with a limit on time and size.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::Cluster;
use super::error::{ApiError, Cause, chain};
use super::intent::{Deletion, Patch};
use super::status::Status;
use super::wire::{Answer, Ask};
use super::{Reference, Writer};

/// No object of ours comes near; the API server's own limit for a request is 3 MiB.
const LARGEST_ANSWER: usize = 8 << 20;

/// A leader's write is answered, or given up, in this time: it has reached the API server or never will before
/// somebody else may take the lease (`leader::claim`).
pub const LEADERS_WRITE: Duration = Duration::from_secs(5);

/// Whether a request needs a right.
enum Effect<'w> {
    /// It changes nothing that asks for a right.
    Free,
    Write(&'w Writer),
}

struct Call<'a> {
    verb: &'static str,
    method: Method,
    reference: &'a Reference,
    uri: String,
    content_type: &'static str,
    body: Vec<u8>,
}

impl<'a> Call<'a> {
    fn new(verb: &'static str, method: Method, reference: &'a Reference, uri: String) -> Self {
        Self { verb, method, reference, uri, content_type: "application/json", body: Vec::new() }
    }

    fn create(reference: &'a Reference, query: &str) -> Self {
        Self::new("create", Method::POST, reference, format!("{}{query}", reference.collection()))
    }

    fn patch(reference: &'a Reference, patch: Patch<'_>) -> Self {
        let uri = format!("{}?{}", reference.object(), patch.query());
        let call = Self::new("patch", Method::PATCH, reference, uri);
        Self { content_type: patch.content_type(), ..call }
    }

    fn carrying(mut self, body: &impl Serialize) -> Result<Self, ApiError> {
        self.body = serde_json::to_vec(body)
            .map_err(|error| ApiError::new(self.verb, self.reference, Cause::Garbage(error.to_string())))?;
        Ok(self)
    }

    fn fails(&self, cause: Cause) -> ApiError {
        ApiError::new(self.verb, self.reference, cause)
    }
}

impl Cluster {
    /// The object as it is stored, or `None` if there is none.
    pub async fn get<T: DeserializeOwned>(&self, reference: &Reference) -> Result<Option<T>, ApiError> {
        let call = Call::new("get", Method::GET, reference, reference.object());
        match self.done(call, Effect::Free).await {
            Err(error) if error.is_not_found() => Ok(None),
            done => done.map(Some),
        }
    }

    /// Creates the object; a conflict if there is one already.
    pub async fn create<T: DeserializeOwned>(
        &self,
        writer: &Writer,
        reference: &Reference,
        manager: &str,
        object: &impl Serialize,
    ) -> Result<T, ApiError> {
        let call = Call::create(reference, &format!("?fieldManager={manager}")).carrying(object)?;
        self.done(call, Effect::Write(writer)).await
    }

    /// Creates it in no more than thought: it passes admission and validation, and is not stored.
    pub async fn rehearse_create<T: DeserializeOwned>(
        &self,
        reference: &Reference,
        object: &impl Serialize,
    ) -> Result<T, ApiError> {
        let call = Call::create(reference, "?dryRun=All").carrying(object)?;
        self.done(call, Effect::Free).await
    }

    /// Patches the object; an apply creates it if there is none.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        writer: &Writer,
        reference: &Reference,
        patch: Patch<'_>,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let call = Call::patch(reference, patch).carrying(body)?;
        self.done(call, Effect::Write(writer)).await
    }

    /// Patches it in no more than thought: rights, admission and validation are asked, and nothing is stored.
    pub async fn rehearse_patch<T: DeserializeOwned>(
        &self,
        reference: &Reference,
        patch: Patch<'_>,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let mut call = Call::patch(reference, patch).carrying(body)?;
        call.uri.push_str("&dryRun=All");
        self.done(call, Effect::Free).await
    }

    /// Deletes the object; `false` if there is none, a conflict if it is not the one that is meant.
    pub async fn delete(
        &self,
        writer: &Writer,
        reference: &Reference,
        deletion: &Deletion<'_>,
    ) -> Result<bool, ApiError> {
        let call = Call::new("delete", Method::DELETE, reference, reference.object());
        let call = call.carrying(&deletion.options(false))?;
        match self.done::<serde::de::IgnoredAny>(call, Effect::Write(writer)).await {
            Err(error) if error.is_not_found() => Ok(false),
            done => done.map(|_| true),
        }
    }

    /// Deletes it in no more than thought: rights, preconditions and admission are asked, and it stays.
    pub async fn rehearse_delete(
        &self,
        reference: &Reference,
        deletion: &Deletion<'_>,
    ) -> Result<(), ApiError> {
        let call = Call::new("delete", Method::DELETE, reference, reference.object());
        let call = call.carrying(&deletion.options(true))?;
        self.done::<serde::de::IgnoredAny>(call, Effect::Free).await.map(|_| ())
    }

    /// Writes something that is no change of the cluster in the sense of the house's laws (Events).
    pub(crate) async fn note(&self, reference: &Reference, object: &impl Serialize) -> Result<(), ApiError> {
        let call = Call::create(reference, "").carrying(object)?;
        self.done::<serde::de::IgnoredAny>(call, Effect::Free).await.map(|_| ())
    }

    /// Takes part in the election for the lease, which is what gives the right to write, so asks for none.
    pub(crate) async fn claim<T: DeserializeOwned>(
        &self,
        reference: &Reference,
        patch: Option<Patch<'_>>,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let call = match patch {
            Some(patch) => Call::patch(reference, patch),
            None => Call::create(reference, ""),
        };
        self.done(call.carrying(body)?, Effect::Free).await
    }

    async fn done<T: DeserializeOwned>(&self, mut call: Call<'_>, effect: Effect<'_>) -> Result<T, ApiError> {
        let limit = match effect {
            Effect::Write(Writer::Leading(_)) => self.timeout.min(LEADERS_WRITE),
            Effect::Write(Writer::Operator(_)) | Effect::Free => self.timeout,
        };
        let _writing = match effect {
            Effect::Free => None,
            Effect::Write(writer) => Some(writer.begin_write().ok_or_else(|| call.fails(Cause::NotLeading))?),
        };
        let answer = within(limit, self.exchange(&mut call)).await.map_err(|cause| call.fails(cause))?;
        serde_json::from_slice(&answer).map_err(|error| call.fails(Cause::Garbage(error.to_string())))
    }

    pub(super) async fn text(&self, uri: &str) -> Result<Bytes, Cause> {
        self.text_as(uri, (ACCEPT, "application/json")).await
    }

    /// The whole answer to a GET, asked for in this form.
    pub(super) async fn text_as(
        &self,
        uri: &str,
        (name, form): (HeaderName, &'static str),
    ) -> Result<Bytes, Cause> {
        let mut request = plain(uri)?;
        request.headers_mut().insert(name, HeaderValue::from_static(form));
        within(self.timeout, self.whole(request)).await
    }

    /// The answer to a GET as it comes in, once its head is there.
    pub(super) async fn stream(&self, uri: &str) -> Result<Incoming, Cause> {
        let answer = within(self.timeout, self.answer(plain(uri)?)).await?;
        Ok(answer.into_parts().0.into_body())
    }

    async fn exchange(&self, call: &mut Call<'_>) -> Result<Bytes, Cause> {
        let request = Request::builder()
            .method(call.method.clone())
            .uri(&call.uri)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static(call.content_type))
            .body(Full::from(std::mem::take(&mut call.body)))
            .map_err(|error| Cause::Garbage(error.to_string()))?;
        self.whole(request).await
    }

    async fn whole(&self, request: Ask) -> Result<Bytes, Cause> {
        let (response, sender) = self.answer(request).await?.into_parts();
        let body = read(response).await?;
        self.wire.done(sender);
        Ok(body)
    }

    /// Sends a request and gives the answer's head, once it is known to be a good one.
    async fn answer(&self, request: Ask) -> Result<Answer, Cause> {
        let answer = self.wire.send(request).await.map_err(Cause::Transport)?;
        self.told(answer.response.headers());
        if answer.response.status().is_success() {
            return Ok(answer);
        }
        let (response, sender) = answer.into_parts();
        let code = response.status().as_u16();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = match read(response).await {
            Ok(body) => (self.wire.done(sender), body).1,
            Err(_) => Bytes::new(),
        };
        let mut status: Status = serde_json::from_slice(&body).unwrap_or_else(|_| Status {
            message: String::from_utf8_lossy(body.get(..200).unwrap_or(&body)).trim().to_owned(),
            ..Status::default()
        });
        status.code = code;
        let told = status.details.as_ref().map_or(0, |details| u64::from(details.retry_after_seconds));
        let seconds = asked.or((told > 0).then_some(told));
        Err(Cause::Answer { status: Box::new(status), retry_after: seconds.map(Duration::from_secs) })
    }
}

/// Gives up after this time.
async fn within<T>(limit: Duration, asking: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
    tokio::time::timeout(limit, asking).await.unwrap_or(Err(Cause::Timeout(limit)))
}

fn plain(uri: &str) -> Result<Ask, Cause> {
    Request::get(uri)
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .body(Full::default())
        .map_err(|error| Cause::Garbage(error.to_string()))
}

async fn read(response: Response<Incoming>) -> Result<Bytes, Cause> {
    let body = Limited::new(response.into_body(), LARGEST_ANSWER);
    let collected = body.collect().await.map_err(|error| Cause::Transport(chain(error.as_ref())))?;
    Ok(collected.to_bytes())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use serde::de::IgnoredAny;

    use super::*;
    use crate::cluster::Connection;
    use crate::cluster::writer::Leading;
    use crate::telemetry::clock::Stopwatch;

    #[tokio::test]
    async fn who_leads_no_more_sends_nothing() {
        // Whoever calls this is refused at once, and says so.
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let text = "{current-context: a, contexts: [{name: a, context: {cluster: a}}], \
                    clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]}";
        std::fs::write(&kubeconfig, text).unwrap();
        let request_timeout = Duration::from_secs(5);
        let connection =
            Connection { kubeconfig: vec![kubeconfig], context: None, service: None, request_timeout };
        let cluster = Cluster::connect(&connection).await.unwrap();
        let secret = Reference::of::<Secret>(Some("kube-system"), "a");
        let leading = Leading::begin(Stopwatch::start());
        leading.end();
        let write = async |writer: Writer| {
            cluster.create::<IgnoredAny>(&writer, &secret, "us", &()).await.unwrap_err()
        };
        let error = write(Writer::Leading(leading)).await;
        assert!(error.is_not_leading(), "{error}");
        let error = write(Writer::operator()).await;
        assert_eq!(error.reason(), "unreachable", "{error}");
    }
}
