//! Peers that take their time. Fault 31, and 33.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::client::post;
use crate::server::{echo, short, start};
use cni_steward::admission::Answer;
use cni_steward::server::Limits;

const NONE: &str = r#"cni_steward_connections{door="admission"} 0"#;
const ONE: &str = r#"cni_steward_connections{door="admission"} 1"#;

/// Limits under which only the clock in question can end a connection within a test.
fn patient() -> Limits {
    Limits { idle: Duration::from_mins(2), body: Duration::from_mins(2), ..short() }
}

#[tokio::test]
async fn a_head_that_dribbles_is_cut_off_long_before_an_idle_connection() {
    let server = start(patient(), echo).await;
    let mut client = server.connect().await;
    client.send(post("{}")).await;
    assert_eq!(client.reply().await.unwrap().status, 200, "the clock starts anew with each request");
    sleep(Duration::from_millis(400)).await;
    let begin = Instant::now();
    for byte in post("{}").as_bytes().chunks(1) {
        if client.try_send(byte).await.is_err() || begin.elapsed() > Duration::from_secs(10) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "still open after {:?}", begin.elapsed());
    server.counts(NONE).await;
}

/// Go's client holds connections in reserve; the first use must not meet a closed one.
#[tokio::test]
async fn a_connection_that_has_not_asked_yet_is_not_cut_off_for_silence() {
    let server = start(patient(), echo).await;
    let mut client = server.connect().await;
    sleep(Duration::from_secs(1)).await;
    client.send(post("{}")).await;
    assert_eq!(client.reply().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_body_that_dribbles_is_408_when_its_time_is_over() {
    let server = start(short(), echo).await;
    let mut client = server.connect().await;
    let whole = post(&" ".repeat(1000));
    client.send(&whole[..whole.len() - 1000]).await;
    let (mut read, mut write) = tokio::io::split(client.stream);
    let dribble = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() && write.flush().await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut read, &mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    dribble.await.unwrap();
    server.counts(NONE).await;
}

fn verbose(body: &[u8]) -> Answer<'_> {
    Answer { body: vec![b' '; 16 << 20].into(), ..echo(body) }
}

#[tokio::test]
async fn who_does_not_take_the_answer_is_cut_off() {
    let server = start(patient(), verbose).await;
    let mut client = server.connect().await;
    client.send(post("{}")).await;
    server.counts("cni_steward_review_duration_seconds_count 1").await;
    server.counts(ONE).await;
    server.counts(NONE).await;
    server.counts("cni_steward_reviews_in_flight 0").await;
}

/// Fault 33.
#[tokio::test]
async fn a_client_that_aborts_mid_response_is_forgotten() {
    let server = start(Limits { answer: Duration::from_mins(2), ..patient() }, verbose).await;
    let mut client = server.connect().await;
    client.send(post("{}")).await;
    server.counts("cni_steward_review_duration_seconds_count 1").await;
    drop(client);
    server.counts(NONE).await;
    let mut next = server.connect().await;
    next.send(post("{}")).await;
    assert_eq!(next.reply().await.unwrap().body.len(), 16 << 20);
}
