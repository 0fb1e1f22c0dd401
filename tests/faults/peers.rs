//! Peers that are many, or want what we do not have.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cni_steward::pki;
use cni_steward::telemetry::clock;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::client::{Client, trusting};
use crate::place::{Place, READY, Target, block_on};
use crate::support::suite::Case;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "peers::fault_32_ten_thousand_kept_connections_take_no_room_and_no_cpu",
        needs: &[],
        run: || block_on(kept()),
    },
    Case {
        name: "peers::fault_35_streams_that_are_reset_at_once_meet_a_closed_door",
        needs: &[],
        run: || block_on(rapid_reset()),
    },
    Case {
        name: "peers::fault_36_no_client_certificate_is_asked_for_so_none_can_be_wrong",
        needs: &[],
        run: || block_on(client_certificates()),
    },
    Case {
        name: "peers::fault_58_a_storm_of_scrapes_costs_no_review_its_time",
        needs: &[],
        run: || block_on(scrapes()),
    },
];

/// How many connections the server keeps at each door.
const CAP: usize = 128;
/// What else it has open.
const OTHERS: usize = 40;
/// How many connections are made to each door: the plain one shares the accept loop, and no handshake makes it slow to test.
const CONNECTIONS: [usize; 2] = [1_000, 9_000];
/// Of them a client keeps the last ones, more than the server does.
const KEEPS: usize = 200;

async fn keep_many(target: Target, made: Arc<AtomicUsize>) {
    let mut crowd: VecDeque<Client> = VecDeque::new();
    for _ in 0..CONNECTIONS[0] {
        let mut one = None;
        assert_eq!(target.ask(&mut one, READY).await.status, 200);
        crowd.push_back(one.expect("a connection that stays open"));
        made.fetch_add(1, Ordering::Relaxed);
        if crowd.len() > KEEPS {
            let mut oldest = crowd.pop_front().unwrap();
            assert!(oldest.is_closed().await, "the longest idle make room");
        }
    }
}

async fn keep_many_plain(address: std::net::SocketAddr, made: Arc<AtomicUsize>) {
    let mut crowd: VecDeque<TcpStream> = VecDeque::new();
    for _ in 0..CONNECTIONS[1] {
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(READY.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok") {
            assert!(plain.read_buf(&mut answer).await.unwrap() > 0, "closed: {answer:?}");
        }
        crowd.push_back(plain);
        made.fetch_add(1, Ordering::Relaxed);
        if crowd.len() > KEEPS {
            let mut oldest = crowd.pop_front().unwrap();
            let closed = oldest.read(&mut [0]).await;
            assert!(
                closed.as_ref().map_or(true, |read| *read == 0),
                "the longest idle make room: {closed:?}"
            );
        }
    }
}

async fn kept() {
    let place = Place::start();
    let made = Arc::new(AtomicUsize::new(0));
    let crowds = [
        tokio::spawn(keep_many(place.target(), Arc::clone(&made))),
        tokio::spawn(keep_many_plain(place.program.metrics, Arc::clone(&made))),
    ];
    let (mut descriptors, mut early) = (0, 0);
    while !crowds.iter().all(tokio::task::JoinHandle::is_finished) {
        descriptors = descriptors.max(place.program.descriptors());
        if made.load(Ordering::Relaxed) < 2_000 {
            early = place.program.memory("RssAnon");
        }
        sleep(Duration::from_millis(20)).await;
    }
    for crowd in crowds {
        crowd.await.unwrap();
    }
    let late = place.program.memory("RssAnon");
    println!("{descriptors} descriptors at most, heap {early} kB early and {late} kB in the end");
    assert!(descriptors <= 2 * CAP + OTHERS, "{descriptors} descriptors");
    assert!(late < early * 13 / 10 + 4096, "grew from {early} to {late} kB");
    let (cpu, begun) = (place.program.cpu(), Instant::now());
    sleep(Duration::from_secs(1)).await;
    let used = place.program.cpu().checked_sub(cpu).unwrap();
    assert!(used * 4 < begun.elapsed(), "{used:?} of CPU in {:?} in which nobody asked", begun.elapsed());
    place.target().review(&mut None).await;
}

/// Preface, settings, then a thousand streams that are opened and reset at once (CVE-2023-44487).
fn resets() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for stream in (1..2000_u32).step_by(2) {
        // HEADERS with the end of both, `:method: GET`; RST_STREAM with CANCEL.
        bytes.extend([0, 0, 1, 1, 5]);
        bytes.extend(stream.to_be_bytes());
        bytes.push(0x82);
        bytes.extend([0, 0, 4, 3, 0]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend([0, 0, 0, 8]);
    }
    bytes
}

async fn rapid_reset() {
    const TIMES: usize = 100;
    let place = Place::start();
    let target = place.target();
    let before = place.program.cpu();
    for _ in 0..TIMES {
        assert_eq!(target.ask(&mut None, READY).await.status, 200);
    }
    let ordinary = place.program.cpu().checked_sub(before).unwrap();
    let before = place.program.cpu();
    for _ in 0..TIMES {
        let mut client = target.connect().await.unwrap();
        client.try_send(resets()).await.ok();
        let reply = client.reply().await;
        assert!(reply.as_ref().is_none_or(|reply| reply.status >= 400), "{reply:?}");
    }
    let attacked = place.program.cpu().checked_sub(before).unwrap();
    // The clock counts in hundredths of a second.
    assert!(
        attacked <= ordinary * 4 + Duration::from_millis(100),
        "{attacked:?} for {TIMES}, {ordinary:?} for honest ones"
    );
    target.review(&mut None).await;
}

/// Shows a certificate, and remembers whether it was asked to.
#[derive(Debug)]
struct Shows {
    certificate: Arc<CertifiedKey>,
    asked: AtomicBool,
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.certificate))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

async fn client_certificates() {
    let place = Place::start();
    // Of an authority that nobody knows.
    let authority = pki::authority::make(clock::now()).unwrap();
    let leaf = pki::leaf::make(clock::now(), &authority, &["somebody".parse().unwrap()]).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(leaf.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let certificate = Arc::new(CertifiedKey::from_der(chain, key, &provider).unwrap());
    let shows = Arc::new(Shows { certificate, asked: AtomicBool::new(false) });
    let mut config = trusting(&place.ca);
    config.client_auth_cert_resolver = Arc::<Shows>::clone(&shows);
    for config in [config, trusting(&place.ca)] {
        let mut client = Client::connect(place.program.reviews, config, "localhost").await.unwrap();
        client.send(READY).await;
        assert_eq!(client.reply().await.unwrap().status, 200);
    }
    assert!(!shows.asked.load(Ordering::Relaxed), "a certificate was asked for");
}

async fn scrape(address: std::net::SocketAddr) -> std::io::Result<bool> {
    let mut plain = TcpStream::connect(address).await?;
    plain.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut page = String::new();
    plain.read_to_string(&mut page).await?;
    Ok(page.starts_with("HTTP/1.1 200") && page.ends_with("# EOF\n"))
}

async fn scrapes() {
    let place = Place::start();
    let (over, scraped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let storm: Vec<_> = (0..300)
        .map(|_| {
            let (over, scraped, address) = (Arc::clone(&over), Arc::clone(&scraped), place.program.metrics);
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    // Over the cap some are closed to make room for others.
                    scraped.fetch_add(u64::from(scrape(address).await.unwrap_or(false)), Ordering::Relaxed);
                }
            })
        })
        .collect();
    let reviews: Vec<_> = (0..4)
        .map(|_| {
            let (over, target) = (Arc::clone(&over), place.target());
            tokio::spawn(async move {
                let (mut kept, mut answered) = (None, 0_u64);
                while !over.load(Ordering::Relaxed) {
                    target.review(&mut kept).await;
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let (begun, mut most) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(6) {
        most = most.max(place.program.memory("RssAnon"));
        sleep(Duration::from_millis(10)).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for client in reviews {
        answered += client.await.unwrap();
    }
    for client in storm {
        client.await.unwrap();
    }
    let scraped = scraped.load(Ordering::Relaxed);
    println!("{answered} reviews and {scraped} scrapes, {most} kB of heap at most");
    assert!(answered > 20 && scraped > 100, "{answered} reviews, {scraped} scrapes");
    assert!(most < 26 * 1024, "{most} kB");
}
