//! A line between a client and a server on loopback, as good or as bad as a test wants it. `tc netem` would need a module of the kernel
//! and root; this needs neither, and cuts where a test says.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing.
    Fair,
    /// Every piece of data comes this much later.
    Slow(Duration),
    /// Of four connections one is closed at once, one after some bytes of answer, one falls silent after some more, and one is
    /// good for a while.
    Foul,
    /// Nobody gets through.
    Cut,
}

/// How many bytes of an answer the bad ones of [`Weather::Foul`] let through: inside the handshake, inside an answer, inside a list.
const LETS_THROUGH: [Option<usize>; 4] = [Some(0), Some(700), None, Some(6000)];
/// How long a silent connection is kept open.
const SILENCE: Duration = Duration::from_secs(4);

/// Ends with the test's process.
#[derive(Debug)]
pub(crate) struct Line {
    port: u16,
    weather: Arc<Mutex<Weather>>,
    connections: Arc<AtomicU64>,
}

impl Line {
    /// To what listens on `port`.
    pub(crate) fn to(port: u16, weather: Weather) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let line = Self {
            port: listener.local_addr().unwrap().port(),
            weather: Arc::new(Mutex::new(weather)),
            connections: Arc::default(),
        };
        let (weather, connections) = (Arc::clone(&line.weather), Arc::clone(&line.connections));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = connections.fetch_add(1, Ordering::Relaxed);
                let now = *weather.lock().unwrap();
                if now == Weather::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                let fate = usize::try_from(number).unwrap() % LETS_THROUGH.len();
                let limit = if now == Weather::Foul { LETS_THROUGH[fate] } else { None };
                carry(&client, &server, &weather, None);
                carry(&server, &client, &weather, limit);
            }
        });
        line
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// For connections to come, and for those there are, where it is a matter of time.
    pub(crate) fn turn(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// How many have connected so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Carries bytes until one side ends, the line is cut, or `limit` is reached.
fn carry(from: &TcpStream, to: &TcpStream, weather: &Arc<Mutex<Weather>>, limit: Option<usize>) {
    let (mut from, mut to, weather) =
        (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(weather));
    thread::spawn(move || {
        to.set_nodelay(true).ok();
        let (mut piece, mut carried) = ([0; 4096], 0);
        while let Ok(read @ 1..) = from.read(&mut piece) {
            let now = *weather.lock().unwrap();
            if let Weather::Slow(delay) = now {
                thread::sleep(delay);
            }
            let left = limit.map_or(read, |limit| read.min(limit - carried));
            carried += left;
            if now == Weather::Cut || to.write_all(&piece[..left]).is_err() {
                break;
            }
            if Some(carried) == limit {
                // Some are closed, some just say no more.
                if carried > 1000 {
                    thread::sleep(SILENCE);
                }
                break;
            }
        }
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    });
}
