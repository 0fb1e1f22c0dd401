//! A client that speaks HTTP/1.1 by hand over real TLS, so that a test decides every byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS12;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Trusts one authority.
pub fn trusting(ca: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// Checks signatures against one authority, but takes any name.
pub fn careless(ca: &str) -> ClientConfig {
    ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier(ca)).with_no_client_auth()
}

/// As [`careless`], with TLS 1.2 only.
pub fn old(ca: &str) -> ClientConfig {
    ClientConfig::builder_with_protocol_versions(&[&TLS12])
        .dangerous()
        .with_custom_certificate_verifier(verifier(ca))
        .with_no_client_auth()
}

fn verifier(ca: &str) -> Arc<AnyName> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    Arc::new(AnyName(WebPkiServerVerifier::builder(Arc::new(roots)).build().unwrap()))
}

/// One TLS connection.
pub struct Client {
    pub stream: TlsStream<TcpStream>,
    read: Vec<u8>,
}

/// A response, whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

impl Client {
    pub async fn connect(address: SocketAddr, config: ClientConfig, name: &str) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        let stream = timeout(PATIENCE, handshake).await.expect("handshake in time")?;
        Ok(Self { stream, read: Vec::new() })
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// The next response; `None` when the connection ended without one.
    pub async fn reply(&mut self) -> Option<Reply> {
        timeout(PATIENCE, self.next()).await.expect("a reply in time")
    }

    async fn next(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.read[..end]).to_lowercase();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        while self.read.len() < end + length {
            self.more().await?;
        }
        let body = String::from_utf8_lossy(&self.read[end..end + length]).into_owned();
        self.read.drain(..end + length);
        Some(Reply { status, head, body })
    }

    async fn more(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(read) if read > 0 => Some(()),
            _ => None,
        }
    }

    /// True when the server has nothing more to say and closes.
    pub async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && self.reply().await.is_none()
    }
}

/// Asks until it is answered, as the API server does: on a kept connection, or on a new one where that was closed.
pub async fn ask(
    kept: &mut Option<Client>,
    (address, config): (SocketAddr, &ClientConfig),
    request: &str,
) -> Reply {
    loop {
        let mut client = match kept.take() {
            Some(client) => client,
            None => match Client::connect(address, config.clone(), "localhost").await {
                Ok(client) => client,
                Err(_) => continue,
            },
        };
        if client.try_send(request).await.is_err() {
            continue;
        }
        let Some(reply) = client.reply().await else { continue };
        if !reply.closes() {
            *kept = Some(client);
        }
        return reply;
    }
}

/// A review of this body.
pub fn post(body: &str) -> String {
    format!(
        "POST /mutate?timeout=3s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let localhost = ServerName::try_from("localhost").unwrap();
        self.0.verify_server_cert(leaf, chain, &localhost, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
