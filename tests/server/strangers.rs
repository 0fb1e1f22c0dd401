//! Connections that want nothing, and too many of them.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::client::{Client, post, trusting};
use crate::program::{Program, arg, serve};
use crate::server::{echo, short, start};
use cni_steward::server::Limits;

/// Fault 31: half-open connections. The known connection stays, a new one is let in.
#[tokio::test]
async fn a_thousand_half_open_connections_do_not_stop_service() {
    let state = tempfile::tempdir().unwrap();
    let program = serve(&["--standalone", "--state", arg(&state.path().join("s"))]);
    let ca = std::fs::read_to_string(state.path().join("s/ca.crt")).unwrap();
    let mut known = Client::connect(program.reviews, trusting(&ca), "localhost").await.unwrap();
    let probe = "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
    known.send(probe).await;
    assert_eq!(known.reply().await.unwrap().status, 200);
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(TcpStream::connect(program.reviews).await.unwrap());
    }
    let mut new = Client::connect(program.reviews, trusting(&ca), "localhost").await.unwrap();
    new.send(probe).await;
    assert_eq!(new.reply().await.unwrap().status, 200);
    known.send(probe).await;
    assert_eq!(known.reply().await.unwrap().status, 200);
}

/// The cap never costs a review in flight.
#[tokio::test]
async fn at_the_cap_the_idle_go_and_those_in_flight_stay() {
    let limits =
        Limits { connections: 2, body: Duration::from_secs(10), idle: Duration::from_secs(10), ..short() };
    let server = start(limits, echo).await;
    let mut asking = server.connect().await;
    let whole = post("{}");
    asking.send(&whole[..whole.len() - 1]).await;
    server.counts("cni_steward_reviews_in_flight 1").await;
    let mut idle = server.connect().await;
    let mut new = server.connect().await;
    assert!(idle.is_closed().await);
    new.send(&whole).await;
    assert_eq!(new.reply().await.unwrap().status, 200);
    asking.send(&whole[whole.len() - 1..]).await;
    assert_eq!(asking.reply().await.unwrap().status, 200);
}

/// A connection looks idle as long as its request lies in the system unread.
#[tokio::test]
async fn a_review_that_has_arrived_is_answered_before_its_connection_makes_room() {
    let limits = Limits { connections: 1, idle: Duration::from_secs(10), ..short() };
    let server = start(limits, echo).await;
    let mut known = server.connect().await;
    known.send(&post("{}")).await;
    assert_eq!(known.reply().await.unwrap().status, 200);
    // Server and test take turns, and all this is one: when it is the server's, it sees the newcomer first.
    let newcomer = std::net::TcpStream::connect(server.address).unwrap();
    known.send(&post("{}")).await;
    let reply = known.reply().await.expect("an answer");
    assert!(reply.status == 200 && reply.closes(), "{reply:?}");
    assert!(known.is_closed().await);
    drop(newcomer);
    server.counts("cni_steward_connections_closed_for_room_total 1").await;
}

#[tokio::test]
async fn a_review_that_is_given_up_for_a_newcomer_is_not_counted_as_in_flight() {
    let limits = Limits {
        connections: 1,
        lag: Duration::from_millis(50),
        body: Duration::from_mins(2),
        idle: Duration::from_mins(2),
        ..short()
    };
    let server = start(limits, echo).await;
    let mut slow = server.connect().await;
    let whole = post("{}");
    slow.send(&whole[..whole.len() - 1]).await;
    server.counts("cni_steward_reviews_in_flight 1").await;
    let mut new = server.connect().await;
    assert!(slow.is_closed().await);
    new.send(&whole).await;
    assert_eq!(new.reply().await.unwrap().status, 200);
    server.counts("cni_steward_reviews_in_flight 0").await;
}

/// Fault 32: out of file descriptors. It must not spin, and recover.
#[tokio::test]
async fn without_file_descriptors_it_waits_and_recovers() {
    let state = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 30; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_cni-steward"),
        "serve",
        "--standalone",
    ]);
    command.args([
        "--state",
        arg(&state.path().join("s")),
        "--listen",
        "127.0.0.1:0",
        "--telemetry",
        "127.0.0.1:0",
    ]);
    let mut program = Program::start(command);
    let ca = std::fs::read_to_string(state.path().join("s/ca.crt")).unwrap();
    let mut idle = Vec::new();
    for _ in 0..60 {
        idle.push(TcpStream::connect(program.reviews).await.unwrap());
    }
    program.hears("cannot accept connections");
    let before = program.cpu();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let used = program.cpu().checked_sub(before).unwrap();
    assert!(used < Duration::from_millis(200), "spinning: {used:?} of CPU in half a second");
    drop(idle);
    let mut client = Client::connect(program.reviews, trusting(&ca), "localhost").await.unwrap();
    client.send("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.reply().await.unwrap().status, 200);
    let complaints = program.said().matches("cannot accept connections").count();
    assert!(complaints < 60, "{complaints} complaints");
}
