//! The client: so many connections, each asking again as soon as it is answered, over TLS, HTTP/1.1 by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How reviews are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Every connection is kept.
    KeepAlive,
    /// Every review has a connection of its own.
    New,
}

/// Who asks.
pub struct Caller {
    config: Arc<ClientConfig>,
    runtime: Runtime,
}

impl Caller {
    /// A caller that trusts one authority.
    pub fn new(ca: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { config: Arc::new(config), runtime }
    }

    /// Whether a review is answered.
    pub fn answers(&self, address: SocketAddr, body: &[u8]) -> bool {
        let config = Arc::clone(&self.config);
        let request = request(body);
        self.runtime.block_on(async move {
            match connect(address, config).await {
                Ok(mut stream) => ask(&mut stream, &request, &mut Vec::new()).await.is_ok(),
                Err(_) => false,
            }
        })
    }

    /// Sends `reviews` reviews over `connections` connections; gives the time of each, sorted.
    pub fn send(
        &self,
        address: SocketAddr,
        body: &[u8],
        connections: usize,
        reviews: usize,
        manner: Manner,
    ) -> Vec<Duration> {
        let request = Arc::new(request(body));
        let share = reviews.div_ceil(connections);
        let mut times = self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..connections {
                let (config, request) = (Arc::clone(&self.config), Arc::clone(&request));
                tasks.spawn(async move {
                    let mut times = Vec::with_capacity(share);
                    let mut buffer = Vec::new();
                    let mut kept = None;
                    for _ in 0..share {
                        let begin = Instant::now();
                        let mut stream = match kept.take() {
                            Some(stream) => stream,
                            None => connect(address, Arc::clone(&config)).await.unwrap(),
                        };
                        ask(&mut stream, &request, &mut buffer).await.unwrap();
                        times.push(begin.elapsed());
                        match manner {
                            Manner::KeepAlive => kept = Some(stream),
                            Manner::New => drop(stream.shutdown().await),
                        }
                    }
                    times
                });
            }
            tasks.join_all().await.concat()
        });
        times.sort_unstable();
        times
    }
}

async fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config).connect(name, tcp).await
}

fn request(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /mutate?timeout=3s HTTP/1.1\r\nhost: localhost\r\nuser-agent: kube-apiserver-admission\r\n\
         content-length: {}\r\naccept: application/json, */*\r\ncontent-type: application/json\r\n\
         accept-encoding: gzip\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends one request and reads its whole answer, which must be 200.
async fn ask(stream: &mut TlsStream<TcpStream>, request: &[u8], buffer: &mut Vec<u8>) -> Result<(), String> {
    stream.write_all(request).await.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await.map_err(|error| error.to_string())? == 0 {
            return Err("closed".to_owned());
        }
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let body = &buffer[end + 4..];
        let whole = match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
            Some(length) => body.len() >= length.trim().parse().unwrap_or(0),
            None => body.ends_with(b"0\r\n\r\n"),
        };
        if whole {
            return if head.starts_with("http/1.1 200") { Ok(()) } else { Err(head) };
        }
    }
}
