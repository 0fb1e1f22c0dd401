//! Leaving.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::client::{Client, post, trusting};
use crate::program::{Program, arg, refused, serve, until};
use crate::server::{echo, echoing, short, start};
use cni_steward::admission::answer;
use cni_steward::policy::Policy;
use cni_steward::server::Limits;
use cni_steward::server::drain::Stage;
use cni_steward::telemetry::clock;

const READY: &str = "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn leaving_says_so_in_every_answer_and_still_takes_connections() {
    let server = echoing().await;
    server.lever.advance(Stage::Leaving);
    let mut client = server.connect().await;
    client.send(READY).await;
    let reply = client.reply().await.unwrap();
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("shutting down") && reply.closes(), "{reply:?}");
    let mut client = server.connect().await;
    client.send(post("{}")).await;
    let reply = client.reply().await.unwrap();
    assert!(reply.status == 200 && reply.closes());
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn closing_ends_idle_connections_and_finishes_what_is_in_flight() {
    let server = start(short(), echo).await;
    let (mut idle, mut asking, mut fresh) =
        (server.connect().await, server.connect().await, server.connect().await);
    idle.send(post("{}")).await;
    assert_eq!(idle.reply().await.unwrap().status, 200);
    let whole = post("{}");
    asking.send(&whole[..whole.len() - 1]).await;
    server.counts("cni_steward_reviews_in_flight 1").await;
    server.lever.advance(Stage::Closed);
    assert!(idle.is_closed().await);
    asking.send(&whole[whole.len() - 1..]).await;
    assert_eq!(asking.reply().await.unwrap().status, 200);
    // Connected but silent so far: may still ask.
    fresh.send(&whole).await;
    assert_eq!(fresh.reply().await.unwrap().status, 200);
    assert_eq!(server.task.await.unwrap(), 0, "nothing was cut");
    assert!(TcpStream::connect(server.address).await.is_err());
}

/// An answer of 16 MB, which no socket takes at once.
#[tokio::test]
async fn closing_waits_for_who_is_still_taking_a_long_answer() {
    let limits = Limits {
        body_bytes: 32 << 20,
        budget_bytes: 64 << 20,
        body: Duration::from_mins(2),
        answer: Duration::from_mins(2),
        finish: Duration::from_mins(2),
        ..short()
    };
    let policy = Policy::parse("policy.yaml", "mode: Adopt").unwrap();
    let server = start(limits, move |body| answer(body, &policy, clock::now())).await;
    let fields: Vec<String> =
        (0..65_000).map(|index| format!(r#""f:{index:05}{}":{{}}"#, "x".repeat(195))).collect();
    let review = format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u","resource":{{"group":"apps","version":"v1","resource":"daemonsets"}},"name":"aws-node","namespace":"kube-system","operation":"CREATE","userInfo":{{"username":"x"}},"object":{{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{{"name":"aws-node","namespace":"kube-system","managedFields":[{{"manager":"eks","operation":"Apply","apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{{"f:spec":{{{}}}}}}}]}}}},"options":{{"fieldManager":"eks"}}}}}}"#,
        fields.join(",")
    );
    let mut client = server.connect().await;
    client.send(post(&review)).await;
    server.counts("cni_steward_review_duration_seconds_count 1").await;
    server.lever.advance(Stage::Closed);
    tokio::time::sleep(short().linger * 3).await;
    let reply = client.reply().await.expect("a whole answer");
    assert!(reply.status == 200 && reply.body.len() > 16 << 20, "{}", reply.body.len());
    assert_eq!(server.task.await.unwrap(), 0, "nothing was cut");
}

/// A client as the API server's: keeps its connection until told to drop it, and connects again.
async fn keep_asking(
    program: std::net::SocketAddr,
    ca: String,
    answered: Arc<AtomicU64>,
) -> Result<(), String> {
    loop {
        let connected = Client::connect(program, trusting(&ca), "localhost").await;
        let mut client = match connected {
            Ok(client) => client,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return Ok(()),
            Err(error) => return Err(format!("connecting: {error}")),
        };
        loop {
            client.try_send(post("{}")).await.map_err(|error| format!("sending: {error}"))?;
            let reply = client.reply().await.ok_or("no reply")?;
            answered.fetch_add(1, Ordering::Relaxed);
            if reply.closes() {
                break;
            }
        }
    }
}

/// Fault 47: SIGTERM under load loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_nothing() {
    let state = tempfile::tempdir().unwrap();
    let mut program = serve(&["--standalone", "--state", arg(&state.path().join("s")), "--drain", "1s"]);
    let ca = std::fs::read_to_string(state.path().join("s/ca.crt")).unwrap();
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| tokio::spawn(keep_asking(program.reviews, ca.clone(), Arc::clone(&answered))))
        .collect();
    while answered.load(Ordering::Relaxed) < 500 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    program.signal("TERM");
    for client in clients {
        client.await.unwrap().unwrap();
    }
    let status = program.end();
    assert_eq!(status.code(), Some(0), "{}", program.said());
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let state = tempfile::tempdir().unwrap();
    let mut program = serve(&["--standalone", "--state", arg(&state.path().join("s")), "--drain", "60s"]);
    program.signal("TERM");
    program.hears("leaving");
    let start = Instant::now();
    program.signal("INT");
    assert_eq!(program.end().code(), Some(1));
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Fault 48: killed and started again on the same state.
#[test]
fn after_sigkill_it_starts_again() {
    let state = tempfile::tempdir().unwrap();
    let directory = state.path().join("s");
    let mut program = serve(&["--standalone", "--state", arg(&directory)]);
    let ca = std::fs::read(directory.join("ca.crt")).unwrap();
    program.signal("KILL");
    program.end();
    drop(serve(&["--standalone", "--state", arg(&directory)]));
    assert_eq!(std::fs::read(directory.join("ca.crt")).unwrap(), ca);
}

/// Fault 64.
#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let state = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let state = state.path().join("s");
    let (code, said) = refused(&["--standalone", "--state", arg(&state), "--listen", &address]);
    assert_eq!(code, 2);
    assert!(
        said.contains(&format!("cannot listen on {address}: another program listens there already")),
        "{said}"
    );
    assert!(!state.exists(), "nothing was made");
    let listen = ["--standalone", "--state", arg(&state), "--listen", "127.0.0.1:0", "--telemetry", &address];
    let (code, said) = refused(&listen);
    let expected =
        format!("telemetry (--telemetry): cannot listen on {address}: another program listens there");
    assert!(code == 2 && said.contains(&expected), "{said}");
}

#[test]
fn two_listeners_on_one_port_are_an_error_that_names_both() {
    let ports = [
        (&["--listen", "127.0.0.1:19443", "--telemetry", "127.0.0.1:19443"][..], "19443"),
        (&["--listen", "0.0.0.0:19443", "--telemetry", "[::1]:19443"], "19443"),
        (&["--telemetry", "127.0.0.1:9443"], "9443"),
        (&["--listen", "[::]:9444"], "9444"),
    ];
    for (arguments, port) in ports {
        let (code, said) = refused(&[&["--standalone"], arguments].concat());
        let expected = format!("--listen and --telemetry both ask for port {port}; expected two ports");
        assert!(code == 2 && said.contains(&expected), "{arguments:?}: {said}");
    }
}

/// Fault 57: nobody reads the log. Reviews go on, the exit is orderly.
#[tokio::test]
async fn a_blocked_log_does_not_stop_reviews() {
    let state = tempfile::tempdir().unwrap();
    let directory = state.path().join("s");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cni-steward"));
    command.args(["serve", "--standalone", "--state", arg(&directory), "--log-level", "debug"]);
    command.args(["--listen", "127.0.0.1:0", "--telemetry", "127.0.0.1:0"]);
    let mut program = Program::start_deaf(command);
    let ca = std::fs::read_to_string(directory.join("ca.crt")).unwrap();
    let mut client = Client::connect(program.reviews, trusting(&ca), "localhost").await.unwrap();
    for _ in 0..5_000 {
        client.send(post("{}")).await;
        assert!(client.reply().await.is_some());
    }
    program.signal("TERM");
    until(|| program.has_ended());
    assert_eq!(program.end().code(), Some(0));
}
