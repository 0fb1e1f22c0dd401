//! Everything that comes in a day, for half a minute: what grows then would grow for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::client::post;
use crate::place::{Place, Target, block_on};
use crate::support::suite::Case;
use crate::support::until;

pub(crate) const CASES: &[Case] = &[Case {
    name: "soak::fault_59_memory_and_descriptors_are_flat_under_mixed_load",
    needs: &[],
    run: || block_on(flat()),
}];

const WARM: Duration = Duration::from_secs(6);
const LONG: Duration = Duration::from_secs(24);

async fn mixed(
    target: Target,
    metrics: std::net::SocketAddr,
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) {
    let large = post(&" ".repeat(2 << 20));
    let mut kept = None;
    for turn in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        match turn % 50 {
            0 => kept = None,
            10 => assert_eq!(target.ask(&mut kept, &post("{")).await.status, 400),
            20 => {
                let reply = target.ask(&mut kept, &large).await;
                assert!([400, 503].contains(&reply.status), "{reply:?}");
            }
            30 => {
                // Goes away in the middle of its request.
                let mut client = target.connect().await.unwrap();
                client.try_send(&large[..5000]).await.ok();
            }
            40 => {
                let mut plain = TcpStream::connect(metrics).await.unwrap();
                plain.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ok();
                plain.read_to_end(&mut Vec::new()).await.ok();
            }
            45 => {
                let mut plain = TcpStream::connect(target.address).await.unwrap();
                plain.write_all(&[0x5a; 300]).await.ok();
            }
            _ => {
                target.review(&mut kept).await;
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn mean(samples: &[u64]) -> u64 {
    samples.iter().sum::<u64>() / samples.len() as u64
}

async fn flat() {
    let place = Place::start();
    place.target().review(&mut None).await;
    let idle = place.program.descriptors();
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load: Vec<_> = (0..6)
        .map(|_| {
            let (over, answered) = (Arc::clone(&over), Arc::clone(&answered));
            tokio::spawn(mixed(place.target(), place.program.metrics, over, answered))
        })
        .collect();
    sleep(WARM).await;
    let (begun, mut memory, mut descriptors) = (Instant::now(), Vec::new(), Vec::new());
    while begun.elapsed() < LONG {
        memory.push(place.program.memory("RssAnon"));
        descriptors.push(place.program.descriptors() as u64);
        sleep(Duration::from_millis(50)).await;
    }
    over.store(true, Ordering::Relaxed);
    for client in load {
        client.await.unwrap();
    }
    let third = memory.len() / 3;
    let [first, last] = [&memory[..third], &memory[memory.len() - third..]].map(mean);
    let [few, many] = [&descriptors[..third], &descriptors[descriptors.len() - third..]].map(mean);
    let answered = answered.load(Ordering::Relaxed);
    println!(
        "{answered} reviews; heap {first} kB in the first third, {last} kB in the last; descriptors {few}, {many}"
    );
    assert!(last <= first * 11 / 10 + 512, "the heap grew from {first} to {last} kB");
    assert!(many <= few + 4, "from {few} to {many} descriptors");
    until("all descriptors were given back", Duration::from_secs(20), || {
        (place.program.descriptors() <= idle).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: {} for {idle}", place.program.descriptors()));
}
