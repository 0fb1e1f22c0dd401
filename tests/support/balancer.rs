//! What a Service does for its replicas: one port, behind it whoever is ready.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::http::Client;

/// How soon a Service hears that a replica is not ready any more, or is.
const LOOK_EACH: Duration = Duration::from_millis(50);

/// A replica's two ports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replica {
    pub(crate) reviews: u16,
    pub(crate) telemetry: u16,
}

/// Hands each connection to the next replica that is ready; ends with the test's process.
#[derive(Debug)]
pub(crate) struct Balancer {
    port: u16,
    ready: Arc<Mutex<Vec<u16>>>,
    stop: Arc<AtomicBool>,
}

impl Balancer {
    pub(crate) fn start(replicas: Vec<Replica>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ready, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let balancer = Self { port, ready: Arc::clone(&ready), stop: Arc::clone(&stop) };
        let looks = Arc::clone(&ready);
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let is_ready = |replica: &&Replica| {
                    Client::plain(replica.telemetry).get("/readyz").is_ok_and(|reply| reply.status == 200)
                };
                let found = replicas.iter().filter(is_ready).map(|replica| replica.reviews).collect();
                *looks.lock().unwrap() = found;
                thread::sleep(LOOK_EACH);
            }
        });
        let turn = AtomicUsize::new(0);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let ready = ready.lock().unwrap().clone();
                // Nobody is ready: the connection is closed, as nobody would answer.
                let Some(port) = ready.get(turn % ready.len().max(1)).copied() else { continue };
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    join(client, server).ok();
                }
            }
        });
        balancer
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many replicas are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.lock().unwrap().len()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Carries bytes both ways until both sides have ended.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        to.set_nodelay(true)?;
        thread::spawn(move || {
            io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Write).ok();
        });
    }
    Ok(())
}
