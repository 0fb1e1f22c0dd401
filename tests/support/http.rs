//! One blocking HTTP/1.1 request, plain or over TLS: enough for readiness, etcd's gateway and an API call in a millisecond.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const JSON: &str = "application/json";

/// A server on loopback.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    token: Option<String>,
    /// Lines for every request.
    headers: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("expected JSON ({error}): {}", self.text()))
    }
}

impl Client {
    pub(crate) fn plain(port: u16) -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), tls: None, token: None, headers: String::new() }
    }

    /// The same server elsewhere than on loopback: a test's own node.
    pub(crate) fn at(&self, address: std::net::Ipv4Addr) -> Self {
        Self { address: (address, self.address.port()).into(), ..self.clone() }
    }

    /// Trusts the certificates in `ca` (PEM) and nothing else.
    pub(crate) fn tls(port: u16, ca: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { tls: Some(Arc::new(config)), ..Self::plain(port) }
    }

    /// The same, with a bearer token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same in another's name, for who may impersonate.
    pub(crate) fn acting_as(&self, user: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| format!("Impersonate-Group: {group}\r\n"));
        let headers = format!("Impersonate-User: {user}\r\n{}", groups.collect::<String>());
        Self { headers, ..self.clone() }
    }

    /// The same as another program, by its `User-Agent`; none for `""`.
    pub(crate) fn as_program(&self, name: &str) -> Self {
        if name.is_empty() {
            return self.clone();
        }
        Self { headers: format!("{}User-Agent: {name}/1\r\n", self.headers), ..self.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Reply> {
        self.send("GET", path, JSON, "")
    }

    /// Sends JSON.
    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> io::Result<Reply> {
        self.send("POST", path, JSON, &body.to_string())
    }

    pub(crate) fn put(&self, path: &str, body: &serde_json::Value) -> io::Result<Reply> {
        self.send("PUT", path, JSON, &body.to_string())
    }

    /// Sends a patch of the kind that its media type names.
    pub(crate) fn patch(&self, path: &str, media_type: &str, body: &serde_json::Value) -> io::Result<Reply> {
        self.send("PATCH", path, media_type, &body.to_string())
    }

    pub(crate) fn delete(&self, path: &str) -> io::Result<Reply> {
        self.send("DELETE", path, JSON, "")
    }

    fn send(&self, method: &str, path: &str, media_type: &str, body: &str) -> io::Result<Reply> {
        let request = self.request(method, path, media_type, body, "Connection: close\r\n");
        exchange(&mut BufReader::new(self.connect()?), &request)
    }

    /// One connection for many requests.
    pub(crate) fn keep(&self) -> io::Result<Kept> {
        Ok(Kept { stream: BufReader::new(self.connect()?), client: self.clone() })
    }

    fn request(&self, method: &str, path: &str, media_type: &str, body: &str, more: &str) -> String {
        let authorization = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{more}Content-Type: {media_type}\r\n\
             Content-Length: {}\r\n{}{}\r\n{body}",
            self.address,
            body.len(),
            authorization.unwrap_or_default(),
            self.headers,
        )
    }

    /// The bare connection.
    pub(crate) fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let name = ServerName::from(self.address.ip());
                let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(connection, stream))
            }
        })
    }
}

/// Plain or TLS.
pub(crate) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A connection that stays open between requests.
pub(crate) struct Kept {
    stream: BufReader<Box<dyn Stream>>,
    client: Client,
}

impl Kept {
    /// From now on with that client's token and name. It is a client of the same server.
    pub(crate) fn become_as(&mut self, client: &Client) -> &mut Self {
        self.client = client.clone();
        self
    }

    /// After an error the connection is of no more use.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        media_type: &str,
        body: &str,
    ) -> io::Result<Reply> {
        let request = self.client.request(method, path, media_type, body, "");
        exchange(&mut self.stream, &request)
    }
}

fn exchange<S: Read + Write>(reader: &mut BufReader<S>, request: &str) -> io::Result<Reply> {
    let stream = reader.get_mut();
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let head = line(reader)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(odd)?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let header = line(reader)?.to_ascii_lowercase();
        match header.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().ok(),
            Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
            Some(_) => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = usize::from_str_radix(&line(reader)?, 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + size, 0);
            reader.read_exact(&mut body[start..])?;
            line(reader)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = length {
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    } else {
        reader.read_to_end(&mut body)?;
    }
    Ok(Reply { status, body })
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    reader.read_line(&mut text)?;
    Ok(text.trim_end().to_owned())
}
