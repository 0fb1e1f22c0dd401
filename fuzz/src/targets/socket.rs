//! Bytes at the socket: the real accept loop, over loopback, without TLS or (with garbage in place of a handshake) with it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cni_steward::admission::Answer;
use cni_steward::pki::{authority, leaf};
use cni_steward::server::connection::{Door, House};
use cni_steward::server::front::Front;
use cni_steward::server::probes::Readiness;
use cni_steward::server::tls::{self, CertSlot};
use cni_steward::server::{Limits, drain, listener};
use cni_steward::telemetry::metrics::Metrics;
use cni_steward::trust::certified::certified;

use crate::Target;
use crate::review_laws::ask;

/// The target.
pub const TARGET: Target = Target {
    name: "socket",
    about: "bytes at the real server, in pieces: whole HTTP answers of known statuses, the end, and a server that goes on",
    seeds: &[],
    dictionary: "http.dict",
    longest: 8 << 10,
    run,
};

/// What the server may answer whom it does not know: never a 500, which a panic would be.
const STATUSES: [&str; 12] =
    ["100", "200", "400", "404", "405", "408", "411", "413", "414", "415", "431", "501"];

struct Doors {
    plain: SocketAddr,
    tls: SocketAddr,
}

/// Both doors of a server of its own thread, opened once.
fn doors() -> &'static Doors {
    static OPEN: OnceLock<Doors> = OnceLock::new();
    OPEN.get_or_init(|| {
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(serve(&told));
        });
        heard.recv().expect("a server")
    })
}

async fn serve(told: &std::sync::mpsc::Sender<Doors>) {
    tls::install_provider();
    let now = "2026-01-01T12:00:00Z".parse().expect("a time");
    let ca = authority::make(now).expect("an authority");
    let pair = leaf::make(now, &ca, &["localhost".parse().expect("a name")]).expect("a leaf");
    let slot = Arc::new(CertSlot::default());
    slot.publish(certified(pair.cert.as_bytes(), pair.key.as_bytes()).expect("a pair"));
    let metrics =
        Arc::new(Metrics::new("abc", "Adopt", prometheus_client::metrics::counter::Counter::default()));
    let (lever, drain) = drain::drain();
    let limits = Limits::default();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut addresses = Vec::new();
    for door in [Door::Plain, Door::Tls(tls::config(Arc::clone(&slot)).expect("a TLS configuration"))] {
        let readiness = Readiness {
            drain: drain.clone(),
            slot: Arc::clone(&slot),
            standing: Arc::clone(&metrics.standing),
        };
        let desk = Front::new(answer_at_noon, readiness, limits, Arc::clone(&metrics));
        let house = House { door, desk, limits, drain: drain.clone(), metrics: Arc::clone(&metrics) };
        let socket = listener::bind(any).await.expect("a port");
        addresses.push(socket.local_addr().expect("an address"));
        tokio::spawn(listener::serve(socket, Arc::new(house)));
    }
    told.send(Doors { plain: addresses[0], tls: addresses[1] }).expect("somebody waits");
    std::future::pending::<()>().await;
    drop(lever);
}

fn answer_at_noon(body: &[u8]) -> Answer<'_> {
    ask(body, &super::policy::all()[0])
}

fn run(bytes: &[u8]) {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let doors = doors();
    let tls = first & 1 == 1;
    let said = exchange(if tls { doors.tls } else { doors.plain }, bytes, usize::from(first >> 2), true);
    if !tls || said.starts_with(b"HTTP/") {
        answers(&said);
    }
    // It goes on.
    if first & 0b10 != 0 {
        let said =
            exchange(doors.plain, b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 0, false);
        assert!(said.starts_with(b"HTTP/1.1 200"), "the server is gone: {}", String::from_utf8_lossy(&said));
    }
}

/// Sends it in up to so many pieces, and reads to the end. `half`: nothing more will come, so that the server need not wait;
/// it may then end without an answer, as whoever asks is taken to be gone.
fn exchange(address: SocketAddr, bytes: &[u8], pieces: usize, half: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let size = bytes.len().div_ceil(pieces % 4 + 1).max(1);
    for piece in bytes.chunks(size) {
        // A server that has refused may close before all is sent.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    if half {
        drop(stream.shutdown(Shutdown::Write));
    }
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("it neither answers nor closes")
        }
        // What was sent and not read resets the connection.
        Ok(_) | Err(_) => said,
    }
}

/// Whole answers, one after the other; a reset may cut the last one off.
fn answers(said: &[u8]) {
    let mut rest = said;
    while let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&rest[..end]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap_or_default();
        assert!(head.starts_with("http/1.") && STATUSES.contains(&status), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
        rest = rest.get(end + 4 + length..).unwrap_or_default();
    }
    assert!(rest.len() < 8 << 10, "no answer: {}", String::from_utf8_lossy(rest));
}
