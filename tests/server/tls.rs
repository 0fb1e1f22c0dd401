//! What of TLS is offered, and what is not: probed with real OpenSSL, and byte by byte where OpenSSL does not speak it any more.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cni_steward::trust::certified::certified;
use rustls::client::{ClientSessionMemoryCache, ResolvesClientCert, Resumption};
use rustls::sign::CertifiedKey;
use rustls::{HandshakeKind, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, old, post};
use crate::server::{Server, echoing};

/// What docs/security-model.md says: of TLS 1.3, and of TLS 1.2 under a certificate with a key of P-256, as ours.
const SUITES_1_3: [u16; 3] = [0x1301, 0x1302, 0x1303];
const SUITES_1_2: [u16; 3] = [0xc02b, 0xc02c, 0xcca9];
/// x25519, P-256, P-384.
const GROUPS: [u16; 3] = [0x001d, 0x0017, 0x0018];

/// A `ClientHello` of our own making.
#[derive(Clone)]
struct Hello {
    suites: Vec<u16>,
    groups: Vec<u16>,
    compression: Vec<u8>,
    tls_1_3: bool,
}

impl Hello {
    fn new(tls_1_3: bool, suites: &[u16]) -> Self {
        Self { suites: suites.to_vec(), groups: GROUPS.to_vec(), compression: vec![0], tls_1_3 }
    }

    fn bytes(&self) -> Vec<u8> {
        let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let mut extensions = Vec::new();
        let mut extension = |kind: u16, body: &[u8]| {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(long(body));
        };
        extension(10, &long(&words(&self.groups)));
        extension(11, &[1, 0]); // uncompressed points
        extension(13, &long(&words(&[0x0403, 0x0503, 0x0804, 0x0805, 0x0806, 0x0401]))); // signatures
        extension(35, &[]); // a ticket would be welcome
        if self.tls_1_3 {
            extension(43, &[2, 3, 4]);
            extension(51, &long(&[])); // no key yet: the server has to name the group it wants
            extension(45, &[1, 1]);
        }
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0); // no session to resume
        body.extend(long(&words(&self.suites)));
        body.push(u8::try_from(self.compression.len()).unwrap());
        body.extend(&self.compression);
        body.extend(long(&extensions));
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[1], &length[1..], &body].concat();
        // A record holds 16 KiB at most.
        message.chunks(1 << 14).flat_map(|part| [&[22, 3, 1][..], &long(part)].concat()).collect()
    }
}

/// With its length before it, in two bytes.
fn long(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// What a server says first.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Hello { random: Vec<u8>, suite: u16, compression: u8, session: usize, extensions: Vec<(u16, Vec<u8>)> },
    Alert(u8),
}

async fn ask(server: &Server, hello: &Hello) -> Said {
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(&hello.bytes()).await.unwrap();
    let mut head = [0; 5];
    tcp.read_exact(&mut head).await.unwrap();
    let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    tcp.read_exact(&mut record).await.unwrap();
    if head[0] == 21 {
        return Said::Alert(record[1]);
    }
    assert_eq!((head[0], record[0]), (22, 2), "expected a ServerHello, got {record:?}");
    let session = usize::from(record[38]);
    let rest = &record[39 + session..];
    let end = 5 + usize::from(u16::from_be_bytes([rest[3], rest[4]]));
    let (mut extensions, mut left) = (Vec::new(), &rest[5..end]);
    while let [a, b, c, d, more @ ..] = left {
        let (body, further) = more.split_at(usize::from(u16::from_be_bytes([*c, *d])));
        extensions.push((u16::from_be_bytes([*a, *b]), body.to_vec()));
        left = further;
    }
    let (random, suite) = (record[6..38].to_vec(), u16::from_be_bytes([rest[0], rest[1]]));
    Said::Hello { random, suite, compression: rest[2], session, extensions }
}

/// The words of which the server takes one after the other, when all 65 536 are offered, in pieces that fit into a hello.
async fn taken(
    server: &Server,
    hello: impl Fn(Vec<u16>) -> Hello,
    chosen: fn(&Said) -> u16,
) -> BTreeSet<u16> {
    let mut taken = BTreeSet::new();
    for piece in 0..4_u16 {
        let mut offered: Vec<u16> = (0..1 << 14).map(|low| piece << 14 | low).collect();
        loop {
            let said = ask(server, &hello(offered.clone())).await;
            if matches!(said, Said::Alert(_)) {
                break;
            }
            let one = chosen(&said);
            assert!(taken.insert(one), "{one:#06x} twice");
            offered.retain(|word| *word != one);
        }
    }
    taken
}

/// In a list of suites 0x5600 is no suite but says that this client has tried a newer version before.
fn no_words(suites: Vec<u16>) -> Vec<u16> {
    suites.into_iter().filter(|suite| *suite != 0x5600).collect()
}

fn suite(said: &Said) -> u16 {
    let Said::Hello { suite, .. } = said else { panic!("{said:?}") };
    *suite
}

/// The group that a `HelloRetryRequest` asks for.
fn group(said: &Said) -> u16 {
    let Said::Hello { extensions, .. } = said else { panic!("{said:?}") };
    let (_, body) = extensions.iter().find(|(kind, _)| *kind == 51).unwrap();
    u16::from_be_bytes([body[0], body[1]])
}

#[tokio::test]
async fn of_all_suites_and_groups_the_documented_ones_are_taken_and_no_other() {
    let server = echoing().await;
    let old = taken(&server, |suites| Hello::new(false, &no_words(suites)), suite).await;
    assert_eq!(old, SUITES_1_2.into(), "TLS 1.2: {old:04x?}");
    let new = taken(&server, |suites| Hello::new(true, &no_words(suites)), suite).await;
    assert_eq!(new, SUITES_1_3.into(), "TLS 1.3: {new:04x?}");
    let groups = taken(&server, |groups| Hello { groups, ..Hello::new(true, &SUITES_1_3) }, group).await;
    assert_eq!(groups, GROUPS.into(), "{groups:04x?}");
}

/// A key that somebody brings along. There is none in the project, so OpenSSL makes one.
#[tokio::test]
async fn under_an_rsa_key_the_suites_are_the_same_with_rsa() {
    let server = echoing().await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("openssl");
    command.current_dir(folder.path()).args("req -x509 -newkey rsa:2048 -nodes -keyout k -out c".split(' '));
    command.args(["-days", "1", "-subj", "/CN=localhost"]).stderr(Stdio::null());
    assert!(command.status().unwrap().success(), "openssl req");
    let [cert, key] = ["c", "k"].map(|file| std::fs::read(folder.path().join(file)).unwrap());
    server.slot.publish(certified(&cert, &key).unwrap());
    let old = taken(&server, |suites| Hello::new(false, &no_words(suites)), suite).await;
    assert_eq!(old, [0xc02f, 0xc030, 0xcca8].into(), "TLS 1.2: {old:04x?}");
}

#[tokio::test]
async fn the_suites_and_groups_on_the_page_are_those() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security-model.md")).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let mut wanted: Vec<String> = Vec::new();
    for suite in &provider.cipher_suites {
        let suite = suite.suite();
        let ours = [SUITES_1_3, SUITES_1_2].concat().contains(&u16::from(suite));
        if ours {
            wanted.push(suite.as_str().unwrap().replace("TLS13_", "TLS_"));
        }
    }
    assert_eq!(wanted.len(), 6);
    wanted.extend(["X25519", "P-256", "P-384"].map(str::to_owned));
    for name in wanted {
        assert!(page.contains(&format!("`{name}`")), "docs/security-model.md does not name {name}");
    }
}

#[tokio::test]
async fn nothing_is_compressed() {
    let server = echoing().await;
    for tls_1_3 in [false, true] {
        let suites = [SUITES_1_2, SUITES_1_3].concat();
        let deflate = Hello { compression: vec![1], ..Hello::new(tls_1_3, &suites) };
        assert!(matches!(ask(&server, &deflate).await, Said::Alert(_)), "DEFLATE alone was taken");
        let both = Hello { compression: vec![1, 0], ..Hello::new(false, &suites) };
        let said = ask(&server, &both).await;
        assert!(matches!(said, Said::Hello { compression: 0, .. }), "{said:?}");
    }
}

/// RFC 8446, 4.1.3: so a client that speaks 1.3, too, notices that somebody in between cut its first attempt off.
#[tokio::test]
async fn an_answer_in_1_2_says_that_1_3_is_spoken_here() {
    let server = echoing().await;
    let Said::Hello { random, .. } = ask(&server, &Hello::new(false, &SUITES_1_2)).await else {
        panic!("an alert")
    };
    assert_eq!(random[24..], *b"DOWNGRD\x01", "{random:?}");
}

#[tokio::test]
async fn no_session_is_kept_and_none_resumed() {
    let server = echoing().await;
    // A ServerHello without a session id and without the promise of a ticket.
    let said = ask(&server, &Hello::new(false, &SUITES_1_2)).await;
    let Said::Hello { session: 0, extensions, .. } = &said else { panic!("{said:?}") };
    assert!(extensions.iter().all(|(kind, _)| *kind != 35), "{extensions:?}");

    for mut config in [server.config(), old(&server.ca)] {
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
        config.enable_early_data = true;
        for _ in 0..3 {
            let mut client = Client::connect(server.address, config.clone(), "localhost").await.unwrap();
            client.send(post("{}")).await;
            assert_eq!(client.reply().await.unwrap().status, 200);
            let connection = client.stream.get_ref().1;
            assert_ne!(connection.handshake_kind(), Some(HandshakeKind::Resumed));
            assert!(!connection.is_early_data_accepted());
        }
    }
}

/// Counts how often it was asked for a certificate.
#[derive(Debug, Default)]
struct Asked(AtomicUsize);

impl ResolvesClientCert for Asked {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn nobody_is_asked_for_a_certificate() {
    let server = echoing().await;
    for mut config in [server.config(), old(&server.ca)] {
        let asked = Arc::new(Asked::default());
        config.client_auth_cert_resolver = Arc::clone(&asked) as Arc<dyn ResolvesClientCert>;
        Client::connect(server.address, config, "localhost").await.unwrap();
        assert_eq!(asked.0.load(Ordering::Relaxed), 0);
    }
}

/// `openssl s_client` with these arguments and this on its standard input.
async fn openssl(server: &Server, arguments: &str, stdin: &'static str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, &server.ca).unwrap();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &server.address.to_string(), "-CAfile"]).arg(&ca);
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl, as for certs/make.sh");
    let run = tokio::task::spawn_blocking(move || {
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).ok();
        child.wait_with_output().unwrap()
    });
    let output = run.await.unwrap();
    drop(folder);
    output
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

#[tokio::test]
async fn openssl_agrees_about_versions_and_trusts_the_certificate() {
    let server = echoing().await;
    for (version, seen) in [
        ("-tls1_3", Some("TLSv1.3")),
        ("-tls1_2", Some("TLSv1.2")),
        ("-tls1_1 -cipher DEFAULT@SECLEVEL=0", None),
        ("-tls1 -cipher DEFAULT@SECLEVEL=0", None),
    ] {
        let verified =
            format!("{version} -verify_return_error -verify_hostname localhost -servername localhost");
        let output = openssl(&server, &verified, "").await;
        let said = text(&output);
        assert_eq!(output.status.success(), seen.is_some(), "{version}\n{said}");
        let new = format!("New, {}, Cipher is ", seen.unwrap_or_default());
        let words =
            [&*new, "Verify return code: 0 (ok)", "Compression: NONE", "No client certificate CA names sent"];
        for word in if seen.is_some() { &words[..] } else { &["alert"] } {
            assert!(said.contains(word), "{version}: no {word:?} in\n{said}");
        }
    }
}

#[tokio::test]
async fn openssl_gets_no_renegotiation() {
    let server = echoing().await;
    // A line that begins with R asks for one.
    let output = openssl(&server, "-tls1_2 -servername localhost", "R\n").await;
    let said = text(&output);
    assert!(said.contains("RENEGOTIATING"), "{said}");
    assert!(said.contains("no renegotiation"), "{said}");
}

#[tokio::test]
async fn openssl_resumes_nothing() {
    let server = echoing().await;
    for version in ["-tls1_2", "-tls1_3"] {
        let output = openssl(&server, &format!("{version} -reconnect"), "").await;
        let said = text(&output);
        assert!(said.matches("New, TLSv").count() >= 6, "{version}\n{said}");
        assert!(!said.contains("Reused"), "{version}\n{said}");
        assert!(!said.contains("TLS session ticket:"), "{version}\n{said}");
    }
}
