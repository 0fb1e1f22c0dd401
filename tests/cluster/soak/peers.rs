//! Everybody else who comes to the server's door: who asks for large things, who is slow, who talks nonsense, who only comes and goes.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{AGAIN, Tally};
use crate::support::http::Client;
use crate::trust::{NAME, Scene, trusting_anything};

/// The port, and how to speak TLS there.
#[derive(Clone)]
pub(super) struct Door {
    port: u16,
    config: Arc<ClientConfig>,
}

impl Scene {
    /// The door, whatever certificate is shown there: whether it may be shown is the API server's and the watcher's to say.
    pub(super) fn door(&self) -> Door {
        Door { port: self.port(), config: trusting_anything() }
    }
}

impl Door {
    fn tcp(&self) -> TcpStream {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        tcp
    }
}

/// One TLS connection.
pub(super) struct Peer {
    door: Door,
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Peer {
    pub(super) fn connect(door: &Door) -> Self {
        let name = rustls::pki_types::ServerName::try_from(NAME).unwrap();
        let tls = ClientConnection::new(Arc::clone(&door.config), name).unwrap();
        Self { door: door.clone(), stream: StreamOwned::new(tls, door.tcp()) }
    }

    fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.stream.flush()
    }

    /// Status and body of the next answer.
    fn answer(&mut self) -> io::Result<(u16, String)> {
        let mut said = Vec::new();
        loop {
            let mut piece = [0; 16 << 10];
            let read = self.stream.read(&mut piece)?;
            if read == 0 {
                return Err(io::Error::other("closed without an answer"));
            }
            said.extend(&piece[..read]);
            let Some(end) = said.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&said[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.unwrap_or("0").parse().map_err(io::Error::other)?;
            if said.len() >= end + 4 + length {
                let status = head.split(' ').nth(1).unwrap_or_default().parse().map_err(io::Error::other)?;
                return Ok((status, String::from_utf8_lossy(&said[end + 4..]).into_owned()));
            }
        }
    }

    /// Status and body of what is answered; asked once more on a new connection when this one is closed. In a full house the
    /// longest idle makes room for a newcomer, who has not shaken hands yet too, and so does a body that takes its time.
    fn ask(&mut self, text: &str, tally: &Tally) -> Result<(u16, String), String> {
        let problem = match self.send(text).and_then(|()| self.answer()) {
            Ok(answer) => return Ok(answer),
            Err(problem) => problem,
        };
        tally.count(AGAIN, 1);
        *self = Self::connect(&self.door.clone());
        let answer = self.send(text).and_then(|()| self.answer());
        answer.map_err(|again| format!("{problem}; on a new connection: {again}"))
    }

    /// Asks for a review, and looks at what is answered.
    pub(super) fn review(&mut self, body: &str, tally: &Tally) -> Result<(), String> {
        let (status, said) = self.ask(&post("application/json", body.len(), body), tally)?;
        let whole = said.contains(r#""uid":"soak""#) && said.contains(r#""allowed":true"#);
        let patched = said.contains(r#""patchType":"JSONPatch""#);
        let short = said.get(..300).unwrap_or(&said);
        if status == 200 && whole && patched { Ok(()) } else { Err(format!("{status} {short}")) }
    }

    /// Asks, and looks at the status alone.
    fn status(&mut self, expected: u16, text: &str, tally: &Tally) -> Result<(), String> {
        let (status, said) = self.ask(text, tally)?;
        if status == expected { Ok(()) } else { Err(format!("{status} {said}")) }
    }
}

fn post(kind: &str, length: usize, body: &str) -> String {
    format!(
        "POST /mutate?timeout=3s HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Of this size, with field ownership as an API server writes it: in order. It takes no object of more than 3 MiB, so what is larger
/// is the update of one.
pub(super) fn review(size: usize) -> String {
    let name = |at| format!("n{at:06}");
    if size > 3 << 20 {
        let object = object(size / 2, &name);
        around("UPDATE", &object, &object)
    } else {
        around("CREATE", &object(size, &name), "null")
    }
}

/// Of this size, as no API server writes it: as many small paths as fit, in no order.
fn flood_of_paths(size: usize) -> String {
    around("CREATE", &object(size, &|at| format!("n{at}")), "null")
}

/// As `eks` creates it, with so much field ownership.
fn object(size: usize, name: &dyn Fn(usize) -> String) -> String {
    use std::fmt::Write as _;
    let mut fields = r#"{"f:spec":{"f:a":{}"#.to_owned();
    let mut at = 0;
    while fields.len() + 700 < size {
        at += 1;
        write!(fields, r#","k:{{\"name\":\"{}\"}}":{{".":{{}},"f:value":{{}}}}"#, name(at)).unwrap();
    }
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{{"name":"aws-node","namespace":"kube-system","managedFields":[{{"manager":"eks","operation":"Apply","apiVersion":"apps/v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{fields}}}}}}}]}}}}"#
    )
}

fn around(operation: &str, object: &str, old: &str) -> String {
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"soak","resource":{{"group":"apps","version":"v1","resource":"daemonsets"}},"name":"aws-node","namespace":"kube-system","operation":"{operation}","userInfo":{{"username":"admin"}},"object":{object},"oldObject":{old},"dryRun":true,"options":{{"fieldManager":"eks"}}}}}}"#
    )
}

/// Everybody, each on a thread, until it is over.
pub(super) fn start(scene: &Scene, tally: &Tally, over: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    let door = scene.door();
    let telemetry = Client::plain(scene.telemetry());
    let run = |pause: Duration, mut turn: Box<dyn FnMut(&Tally) + Send>| {
        let (tally, over) = (tally.clone(), Arc::clone(over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                turn(&tally);
                std::thread::sleep(pause);
            }
        })
    };
    let once = |turn: Box<dyn FnOnce(&Tally) + Send>| {
        let tally = tally.clone();
        std::thread::spawn(move || turn(&tally))
    };
    let [small, large, rude, restless, crowd, slow] = [(); 6].map(|()| door.clone());
    let mut kept = Peer::connect(&small);
    let (of_2_kb, of_24_kb) = (review(2 << 10), review(24 << 10));
    let larger = [
        ("direct reviews of 250 kB", review(250_000)),
        ("direct reviews of 2 MB", review(2_000_000)),
        ("direct reviews of 6 MB", review(6_000_000)),
        ("floods of paths, 2 MB", flood_of_paths(2_000_000)),
        ("floods of paths, 6 MB", flood_of_paths(6_000_000)),
    ];
    vec![
        run(
            Duration::from_millis(40),
            Box::new(move |tally| {
                tally.expect("direct reviews of 2 kB", kept.review(&of_2_kb, tally));
                tally.expect("direct reviews of 24 kB", kept.review(&of_24_kb, tally));
            }),
        ),
        run(
            Duration::from_millis(300),
            Box::new(move |tally| {
                let mut peer = Peer::connect(&large);
                for (what, body) in &larger {
                    tally.expect(what, peer.review(body, tally));
                }
            }),
        ),
        run(Duration::from_millis(100), Box::new(move |tally| nonsense(&rude, tally))),
        run(
            Duration::from_millis(20),
            Box::new(move |tally| {
                let mut peer = Peer::connect(&restless);
                let outcome = peer.status(200, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n", tally);
                tally.expect("connections opened and dropped", outcome);
            }),
        ),
        run(
            Duration::from_millis(500),
            Box::new(move |tally| {
                let page = telemetry.get("/metrics").map_err(|error| error.to_string());
                let whole = |text: String| if text.ends_with("# EOF\n") { Ok(()) } else { Err(text) };
                tally.expect("metrics read", page.and_then(|page| whole(page.text())));
            }),
        ),
        // One after the other: in a full house the slow are sent away before their time.
        once(Box::new(move |tally| {
            full_house(&crowd, tally);
            slowness(&slow, tally);
        })),
    ]
}

/// What is answered with a status, or not at all.
fn nonsense(door: &Door, tally: &Tally) {
    let told = |text: &[u8]| -> String {
        let mut tcp = door.tcp();
        let mut said = Vec::new();
        // Whoever is reset while he talks has been told enough.
        drop(tcp.write_all(text).and_then(|()| tcp.read_to_end(&mut said)));
        String::from_utf8_lossy(&said).into_owned()
    };
    let mut said = told(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n");
    if said.is_empty() {
        tally.count(AGAIN, 1);
        said = told(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n");
    }
    let outcome = if said.contains("this port speaks https") { Ok(()) } else { Err(said) };
    tally.expect("plain HTTP told so", outcome);
    let said = told(&[3, 0, 0xff, 0x5a].repeat(200));
    tally.expect(
        "garbage instead of a handshake",
        if said.contains("HTTP/1.1 200") { Err(said) } else { Ok(()) },
    );
    for (what, expected, text) in [
        ("bodies that are no review: 400", 400, post("application/json", 9, "[1,2,{}]]")),
        ("wrong types: 415", 415, post("text/plain", 2, "{}")),
        ("too large: 413", 413, post("application/json", 9 << 20, "")),
        ("unknown paths: 404", 404, "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()),
    ] {
        let outcome = Peer::connect(door).status(expected, &text, tally);
        tally.expect(what, outcome);
    }
}

/// More who say nothing than there is room for: some are sent away, and those who ask are still answered.
fn full_house(door: &Door, tally: &Tally) {
    // Who has been silent longest goes first: nobody of the others who is just shaking hands.
    let mut crowd: Vec<_> = (0..90).map(|_| door.tcp()).collect();
    std::thread::sleep(Duration::from_secs(2));
    crowd.extend((0..60).map(|_| door.tcp()));
    std::thread::sleep(Duration::from_secs(1));
    let gone = crowd.iter_mut().filter(|tcp| {
        tcp.set_nonblocking(true).unwrap();
        // Nothing is said to them, so whatever can be read is the end.
        !matches!(tcp.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    });
    tally.count("strangers sent away when it was full", gone.count() as u64);
}

/// Who begins and does not go on. All three are cut off after ten seconds.
fn slowness(door: &Door, tally: &Tally) {
    let mut handshake = door.tcp();
    handshake.write_all(&[22, 3, 1, 1]).unwrap();
    let (mut head, mut body) = (Peer::connect(door), Peer::connect(door));
    head.send("POST /mutate HTTP/1.1\r\nx: ").unwrap();
    body.send(&post("application/json", 1000, "{")).unwrap();
    let mut said = Vec::new();
    let cut = |outcome: io::Result<usize>| match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err("still open after a minute".to_owned())
        }
        Ok(_) | Err(_) => Ok(()),
    };
    tally.expect("slow handshakes cut off", cut(handshake.read_to_end(&mut said)));
    tally.expect("slow heads cut off", cut(head.stream.read_to_end(&mut said)));
    tally.expect("slow bodies cut off", cut(body.stream.read_to_end(&mut said)));
}
