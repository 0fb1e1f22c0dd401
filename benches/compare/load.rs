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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Every connection is kept.
    Kept,
    /// Every review has a connection of its own, with a full handshake.
    New,
}

/// The bytes of one request.
pub type Request = Arc<Vec<u8>>;

/// Open connections to one server.
pub struct Line(Vec<TlsStream<TcpStream>>);

/// What became of reviews that a server may refuse.
#[derive(Debug, Clone, Copy, Default)]
pub struct Storm {
    pub answered: usize,
    pub refused: usize,
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
    pub fn answers(&self, address: SocketAddr, request: &Request) -> bool {
        let (config, request) = (Arc::clone(&self.config), Arc::clone(request));
        self.runtime.block_on(async move {
            match connect(address, config).await {
                Ok(mut stream) => ask(&mut stream, &request, &mut Vec::new()).await.is_ok(),
                Err(_) => false,
            }
        })
    }

    /// Opens so many connections, handshakes done.
    pub fn open(&self, address: SocketAddr, connections: usize) -> Line {
        self.runtime.block_on(async {
            let mut streams = Vec::with_capacity(connections);
            for _ in 0..connections {
                streams.push(connect(address, Arc::clone(&self.config)).await.unwrap());
            }
            Line(streams)
        })
    }

    /// Sends `reviews` reviews over the connections of `line`, fewer when `limit` is over; gives the time of each.
    pub fn over(&self, line: &mut Line, request: &Request, reviews: usize, limit: Duration) -> Vec<Duration> {
        let end = Instant::now() + limit;
        let share = reviews.div_ceil(line.0.len());
        let mut tasks = JoinSet::new();
        let results = self.runtime.block_on(awake(async {
            for mut stream in line.0.drain(..) {
                let request = Arc::clone(request);
                tasks.spawn(async move {
                    let (mut times, mut buffer) = (Vec::with_capacity(share), Vec::new());
                    for _ in 0..share {
                        let begin = Instant::now();
                        ask(&mut stream, &request, &mut buffer).await.unwrap();
                        times.push(begin.elapsed());
                        if Instant::now() > end {
                            break;
                        }
                    }
                    (stream, times)
                });
            }
            tasks.join_all().await
        }));
        let (streams, times): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        line.0 = streams;
        times.concat()
    }

    /// The same with a connection for each review, `side_by_side` at a time; the handshake is part of the time.
    pub fn anew(
        &self,
        address: SocketAddr,
        request: &Request,
        side_by_side: usize,
        reviews: usize,
        limit: Duration,
    ) -> Vec<Duration> {
        let end = Instant::now() + limit;
        let share = reviews.div_ceil(side_by_side);
        self.runtime.block_on(awake(async {
            let mut tasks = JoinSet::new();
            for _ in 0..side_by_side {
                let (config, request) = (Arc::clone(&self.config), Arc::clone(request));
                tasks.spawn(async move {
                    let (mut times, mut buffer) = (Vec::with_capacity(share), Vec::new());
                    for _ in 0..share {
                        let begin = Instant::now();
                        let mut stream = connect(address, Arc::clone(&config)).await.unwrap();
                        ask(&mut stream, &request, &mut buffer).await.unwrap();
                        times.push(begin.elapsed());
                        drop(stream.shutdown().await);
                        if Instant::now() > end {
                            break;
                        }
                    }
                    times
                });
            }
            tasks.join_all().await.concat()
        }))
    }

    /// More than a server may want to take: whoever is refused connects again and asks again, until `span` is over.
    pub fn storm(&self, address: SocketAddr, request: &Request, connections: usize, span: Duration) -> Storm {
        let end = Instant::now() + span;
        let counted = self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..connections {
                let (config, request) = (Arc::clone(&self.config), Arc::clone(request));
                tasks.spawn(async move {
                    let (mut seen, mut buffer) = (Storm::default(), Vec::new());
                    let mut kept = None;
                    while Instant::now() < end {
                        let mut stream = match kept.take() {
                            Some(stream) => stream,
                            None => match connect(address, Arc::clone(&config)).await {
                                Ok(stream) => stream,
                                Err(_) => continue,
                            },
                        };
                        if ask(&mut stream, &request, &mut buffer).await.is_ok() {
                            seen.answered += 1;
                            kept = Some(stream);
                        } else {
                            seen.refused += 1;
                        }
                    }
                    seen
                });
            }
            tasks.join_all().await
        });
        counted.iter().fold(Storm::default(), |sum, one| Storm {
            answered: sum.answered + one.answered,
            refused: sum.refused + one.refused,
        })
    }
}

/// Never sleeps while it works: on loopback the kernel charges a server for waking a client that sleeps, and a client
/// sleeps more beside a slow server than beside a fast one.
async fn awake<F: Future>(work: F) -> F::Output {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        let done = work.as_mut().poll(context);
        if done.is_pending() {
            context.waker().wake_by_ref();
        }
        done
    })
    .await
}

async fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config).connect(name, tcp).await
}

/// The request that an API server sends with this review.
pub fn request(body: &[u8]) -> Request {
    let head = format!(
        "POST /mutate?timeout=3s HTTP/1.1\r\nhost: localhost\r\nuser-agent: kube-apiserver-admission\r\n\
         content-length: {}\r\naccept: application/json, */*\r\ncontent-type: application/json\r\n\
         accept-encoding: gzip\r\n\r\n",
        body.len()
    );
    Arc::new([head.as_bytes(), body].concat())
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
