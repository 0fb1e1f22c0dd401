//! Connections to the API server: HTTP/1.1 over TLS, kept open between requests.
//!
//! A watch has a connection of its own. Authority and client certificate are read when a connection is made, so that
//! exchanged ones are taken. A request that a closing connection did not take is sent once more on a new one; one that it
//! may have taken is repeated only if it changes nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;

use super::access::Access;
use super::error::chain;
use super::token::Tokens;
use crate::telemetry::clock::Stopwatch;

/// How long a connection waits for its next request. API servers wait longer.
const IDLE: Duration = Duration::from_mins(1);
/// Loops ask one at a time; more than so many at once are rare.
const KEPT: usize = 2;

/// A request as it is sent.
pub(super) type Ask = Request<Full<Bytes>>;

/// Sends requests to one API server.
#[derive(Debug)]
pub(super) struct Wire {
    access: Access,
    authority: HeaderValue,
    tokens: Tokens,
    idle: Mutex<Vec<Line>>,
}

/// A connection between two requests.
#[derive(Debug)]
struct Line {
    sender: SendRequest<Full<Bytes>>,
    since: Stopwatch,
}

/// An answer whose body is still to be read, and the connection that it comes over.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    sender: SendRequest<Full<Bytes>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Wire {
    pub(super) fn new(access: Access) -> Result<Self, String> {
        let host = if access.host.contains(':') { format!("[{}]", access.host) } else { access.host.clone() };
        let authority = HeaderValue::from_str(&format!("{host}:{}", access.port))
            .map_err(|_| format!("{host:?} is no host name"))?;
        let tokens = Tokens::new(access.token.clone());
        Ok(Self { access, authority, tokens, idle: Mutex::default() })
    }

    /// Where the API server is.
    pub(super) fn url(&self) -> String {
        let scheme = if self.access.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority.to_str().unwrap_or_default(), self.access.prefix)
    }

    /// Sends a request, whose path is without the server's prefix; gives the head of the answer.
    pub(super) async fn send(&self, mut request: Ask) -> Result<Answer, String> {
        self.address(&mut request).await?;
        let again = (request.method() == Method::GET).then(|| request.clone());
        let mut kept = self.take();
        loop {
            let (mut sender, old) = match kept.pop() {
                Some(line) => (line.sender, true),
                None => (self.connect().await?, false),
            };
            if sender.ready().await.is_err() && old {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.put_back(kept);
                    if response.status() == StatusCode::UNAUTHORIZED {
                        self.tokens.forget();
                    }
                    return Ok(Answer { response, sender });
                }
                Err(mut error) => match error.take_message().or(again.clone()) {
                    Some(unsent) if old => request = unsent,
                    _ => return Err(chain(error.error())),
                },
            }
        }
    }

    /// The body of the answer is read: another request may come over its connection.
    pub(super) fn done(&self, sender: SendRequest<Full<Bytes>>) {
        if !sender.is_closed() {
            self.put_back(vec![Line { sender, since: Stopwatch::start() }]);
        }
    }

    fn take(&self) -> Vec<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = std::mem::take(&mut *idle);
        taken.retain(|line| line.since.elapsed() < IDLE && !line.sender.is_closed());
        // One is for us, the others for who comes meanwhile.
        *idle = taken.split_off(taken.len().min(1));
        taken
    }

    fn put_back(&self, lines: Vec<Line>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(lines);
        idle.truncate(KEPT);
    }

    async fn address(&self, request: &mut Ask) -> Result<(), String> {
        if !self.access.prefix.is_empty() {
            let uri: Uri = format!("{}{}", self.access.prefix, request.uri())
                .parse()
                .map_err(|_| format!("{:?} is no path", self.access.prefix))?;
            *request.uri_mut() = uri;
        }
        let token = self.tokens.now().await?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.authority.clone());
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("cni-steward/", env!("CARGO_PKG_VERSION"))));
        if let Some(token) = token {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| "the token holds what no token can hold".to_owned())?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let place = || format!("cannot connect to {}", self.authority.to_str().unwrap_or_default());
        let tcp = TcpStream::connect((self.access.host.as_str(), self.access.port))
            .await
            .map_err(|error| format!("{}: {error}", place()))?;
        tcp.set_nodelay(true).ok();
        let stream: Box<dyn Stream> = if self.access.tls {
            let access = self.access.clone();
            let config =
                spawn_blocking(move || config(&access)).await.map_err(|error| error.to_string())??;
            let name = ServerName::try_from(self.access.server_name.clone())
                .map_err(|_| format!("{:?} is no server name", self.access.server_name))?;
            let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
            Box::new(tls.map_err(|error| format!("{}: {}", place(), chain(&error)))?)
        } else {
            Box::new(tcp)
        };
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| format!("{}: {error}", place()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the API server has ended");
            }
        });
        Ok(sender)
    }
}

impl Answer {
    /// The parts; whoever reads the body to its end gives the connection back ([`Wire::done`]).
    pub(super) fn into_parts(self) -> (Response<Incoming>, SendRequest<Full<Bytes>>) {
        (self.response, self.sender)
    }
}

fn config(access: &Access) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if let Some(authority) = &access.authority {
        let pem = authority.read()?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| format!("the cluster's authority: {error}"))?;
            roots.add(certificate).map_err(|error| format!("the cluster's authority: {error}"))?;
        }
    }
    if roots.is_empty() {
        return Err("the cluster's authority holds no certificate".into());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = match &access.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let (certificate, key) = (certificate.read()?, key.read()?);
            let wrong = |error: &dyn std::fmt::Display| format!("the client certificate: {error}");
            let certificates = CertificateDer::pem_slice_iter(&certificate)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| wrong(&error))?;
            let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong(&error))?;
            builder.with_client_auth_cert(certificates, key).map_err(|error| wrong(&error))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
