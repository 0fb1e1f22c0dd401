//! Everything at once against the real program: slow peers, large bodies, garbage, and good reviews among them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{Client, ask, post, trusting};
use crate::program::{arg, serve};

/// What the API server gives a webhook of ours.
const TIMEOUT: Duration = Duration::from_secs(3);
const REVIEW: &str = include_str!("../../examples/review.json");

#[derive(Clone)]
struct Target {
    address: SocketAddr,
    config: ClientConfig,
    over: Arc<AtomicBool>,
}

impl Target {
    async fn connect(&self) -> std::io::Result<Client> {
        Client::connect(self.address, self.config.clone(), "localhost").await
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Sends a byte now and then until it is cut off.
    async fn dribble(&self, client: &mut Client, byte: &[u8]) {
        while !self.is_over() && client.try_send(byte).await.is_ok() {
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// The `n`th slow peer.
    async fn slow(self, n: usize) {
        sleep(Duration::from_millis(n as u64 * 3)).await;
        if n.is_multiple_of(3) {
            if let Ok(mut tcp) = TcpStream::connect(self.address).await {
                tcp.write_all(&[22, 3, 1, 1]).await.ok();
                tcp.read_to_end(&mut Vec::new()).await.ok();
            }
            return;
        }
        let Ok(mut client) = self.connect().await else { return };
        if n % 3 == 1 {
            client.try_send("POST /mutate HTTP/1.1\r\nx: ").await.ok();
            self.dribble(&mut client, b"y").await;
        } else {
            let whole = post(REVIEW);
            client.try_send(&whole[..whole.len() - REVIEW.len()]).await.ok();
            self.dribble(&mut client, b" ").await;
        }
    }

    /// Sends 8 MiB, and again a second after 503; gives the status codes it met.
    async fn large(self, body: Arc<String>) -> Vec<u16> {
        let mut met = Vec::new();
        while !self.is_over() && !met.contains(&400) {
            if let Ok(mut client) = self.connect().await {
                client.try_send(body.as_bytes()).await.ok();
                met.extend(client.reply().await.map(|reply| reply.status));
            }
            sleep(Duration::from_secs(1)).await;
        }
        met
    }

    async fn garbage(self) {
        while !self.is_over() {
            if let Ok(mut tcp) = TcpStream::connect(self.address).await {
                tcp.write_all(&[0x5a; 3000]).await.ok();
                tcp.read_to_end(&mut Vec::new()).await.ok();
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks as the API server does: on a kept connection, on a new one when that was closed, and once more in a second
    /// after 503. Gives the longest wait.
    async fn good(self, answered: Arc<AtomicU64>) -> Duration {
        let (request, mut longest, mut kept) = (post(REVIEW), Duration::ZERO, None::<Client>);
        while !self.is_over() {
            let begin = Instant::now();
            let answer = async {
                loop {
                    let reply = ask(&mut kept, (self.address, &self.config), &request).await;
                    if reply.status == 200 {
                        return;
                    }
                    assert_eq!(reply.status, 503, "{reply:?}");
                    sleep(Duration::from_secs(1)).await;
                }
            };
            assert!(timeout(TIMEOUT, answer).await.is_ok(), "a review was not answered within {TIMEOUT:?}");
            longest = longest.max(begin.elapsed());
            answered.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(20)).await;
        }
        longest
    }
}

/// Faults 30, 31, 49.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_reviews_are_answered_in_time_and_memory_is_bounded_whatever_others_do() {
    let state = tempfile::tempdir().unwrap();
    let directory = state.path().join("s");
    let program = serve(&[
        "--standalone",
        "--state",
        arg(&directory),
        "--policy",
        "examples/adopt.yaml",
        "--log-level",
        "error",
    ]);
    let ca = std::fs::read_to_string(directory.join("ca.crt")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let target = Target { address: program.reviews, config: trusting(&ca), over };

    let answered = Arc::new(AtomicU64::new(0));
    let good: Vec<_> = (0..4).map(|_| tokio::spawn(target.clone().good(Arc::clone(&answered)))).collect();
    let (mut others, mut large) = (JoinSet::new(), JoinSet::new());
    for n in 0..1000 {
        others.spawn(target.clone().slow(n));
    }
    for _ in 0..8 {
        others.spawn(target.clone().garbage());
    }
    let body = Arc::new(post(&" ".repeat(8 << 20)));
    for _ in 0..64 {
        large.spawn(target.clone().large(Arc::clone(&body)));
    }
    let (begin, mut most) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_secs(8) {
        most = most.max(program.memory("RssAnon"));
        sleep(Duration::from_millis(5)).await;
    }
    target.over.store(true, Ordering::Relaxed);
    let mut longest = Duration::ZERO;
    for client in good {
        longest = longest.max(client.await.unwrap());
    }
    let met = large.join_all().await.concat();
    let answered = answered.load(Ordering::Relaxed);
    let peak = program.memory("VmHWM");
    println!(
        "{answered} good reviews, the slowest took {longest:?}; {} large ones read, {} refused; \
         heap at most {most} kB, everything {peak} kB; {}",
        met.iter().filter(|status| **status == 400).count(),
        met.iter().filter(|status| **status == 503).count(),
        program.page("/metrics").lines().find(|line| line.contains("closed_for_room_total")).unwrap()
    );
    assert!(answered > 30, "{answered} good reviews");
    assert!(met.contains(&400) && met.contains(&503), "the budget was never reached: {met:?}");
    // 32 MiB in all; what a release build maps of its file stays below 6, a debug build is several times that.
    assert!(most < 26 * 1024, "heap and stacks took {most} kB");
    if !cfg!(debug_assertions) {
        assert!(peak < 32 * 1024, "the program took {peak} kB");
    }
}
