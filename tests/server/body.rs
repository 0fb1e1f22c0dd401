//! Bodies: their size, their pace, and all of them together.

use std::time::Duration;

use cni_steward::admission::Answer;
use cni_steward::admission::reply::{self, Say};

use crate::client::post;
use crate::server::{echo, echoing, short, start};

const LIMIT: usize = 8 << 20;

fn chunked(body: &str) -> String {
    format!(
        "POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
}

/// Faults 1, 25.
#[tokio::test]
async fn a_body_of_8_mib_is_read_and_one_byte_more_is_413() {
    let server = echoing().await;
    let mut client = server.connect().await;
    for size in [0, 2_200_000, 3_000_000, 6_900_000, 7_100_000, LIMIT] {
        client.send(post(&" ".repeat(size))).await;
        let reply = client.reply().await.unwrap();
        assert_eq!((reply.status, reply.body), (200, format!("{{\"bytes\":{size}}}")));
    }
    client.send(post(&" ".repeat(LIMIT + 1))).await;
    let reply = client.reply().await.unwrap();
    assert_eq!(reply.status, 413);
    assert!(reply.body.contains("larger than 8388608 bytes"), "{}", reply.body);
    assert!(reply.body.contains(r#""reason":"RequestEntityTooLarge""#));
    assert!(reply.closes());
}

/// Fault 25, without a length that tells it before.
#[tokio::test]
async fn a_chunked_body_has_the_same_limit() {
    let server = echoing().await;
    let mut client = server.connect().await;
    client.send(chunked(&" ".repeat(LIMIT))).await;
    assert_eq!(client.reply().await.unwrap().body, format!("{{\"bytes\":{LIMIT}}}"));
    client.send(chunked(&" ".repeat(LIMIT + 1))).await;
    assert_eq!(client.reply().await.unwrap().status, 413);
}

#[tokio::test]
async fn many_small_chunks_and_trailers_make_one_body() {
    let server = echoing().await;
    let mut client = server.connect().await;
    let head = "POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(format!("{head}{}0\r\nx-trailer: 1\r\n\r\n", "1\r\n \r\n".repeat(500))).await;
    assert_eq!(client.reply().await.unwrap().body, r#"{"bytes":500}"#);
}

/// Fault 31: slow body.
#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let server = start(short(), echo).await;
    let mut client = server.connect().await;
    let whole = post("{}");
    client.send(&whole[..whole.len() - 1]).await;
    let reply = client.reply().await.unwrap();
    assert_eq!(reply.status, 408);
    assert!(client.is_closed().await);
    server.counts("cni_steward_reviews_in_flight 0").await;
}

/// Fault 33, on the way in.
#[tokio::test]
async fn a_client_that_aborts_mid_body_is_forgotten() {
    let server = echoing().await;
    let mut client = server.connect().await;
    client.send(&post(&" ".repeat(100_000))[..50_000]).await;
    server.counts("cni_steward_reviews_in_flight 1").await;
    drop(client);
    server.counts("cni_steward_reviews_in_flight 0").await;
    server.counts(r#"cni_steward_connections{door="admission"} 0"#).await;
}

/// Fault 49: memory is bounded; the API server tries again on an integer `Retry-After`.
#[tokio::test]
async fn over_the_budget_a_review_is_503_with_retry_after_and_the_budget_comes_back() {
    let limits =
        cni_steward::server::Limits { budget_bytes: 100_000, body: Duration::from_secs(10), ..short() };
    let server = start(limits, echo).await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    let whole = post(&" ".repeat(90_000));
    first.send(&whole[..whole.len() - 1]).await;
    server.counts("cni_steward_reviews_in_flight_bytes 89999").await;
    second.send(&whole).await;
    let reply = second.reply().await.unwrap();
    assert_eq!(reply.status, 503);
    assert!(reply.head.contains("retry-after: 1\r\n"), "{}", reply.head);
    first.send(" ").await;
    assert_eq!(first.reply().await.unwrap().status, 200);
    let mut third = server.connect().await;
    third.send(&whole).await;
    assert_eq!(third.reply().await.unwrap().status, 200);
}

/// Fault 49: large bodies take no memory that an ordinary review needs.
#[tokio::test]
async fn large_bodies_leave_room_for_small_ones() {
    let limits =
        cni_steward::server::Limits { budget_bytes: 1_600_000, body: Duration::from_secs(10), ..short() };
    let server = start(limits, echo).await;
    let mut large = server.connect().await;
    let whole = post(&" ".repeat(1_400_000));
    large.send(&whole[..whole.len() - 1]).await;
    server.counts("cni_steward_reviews_in_flight_bytes 1399999").await;
    let mut another = server.connect().await;
    another.send(post(&" ".repeat(150_000))).await;
    assert_eq!(another.reply().await.unwrap().status, 503);
    let mut small = server.connect().await;
    small.send(post(&" ".repeat(100_000))).await;
    assert_eq!(small.reply().await.unwrap().body, r#"{"bytes":100000}"#);
    large.send(" ").await;
    assert_eq!(large.reply().await.unwrap().body, r#"{"bytes":1400000}"#);
    server.counts("cni_steward_reviews_in_flight_bytes 0").await;
}

/// A long answer is made from its review while the peer takes it.
fn lending(body: &[u8]) -> Answer<'_> {
    let reply = echo(body);
    if body.len() < LIMIT {
        return reply;
    }
    let patch = std::str::from_utf8(body).unwrap().into();
    Answer { body: reply::review("1", Say::Patch(patch, body), &[], None), ..reply }
}

/// Fault 49: an answer that its peer does not read keeps its review in memory.
#[tokio::test]
async fn answers_that_nobody_reads_leave_less_room_for_large_bodies() {
    let limits =
        cni_steward::server::Limits { budget_bytes: 11 << 20, answer: Duration::from_mins(1), ..short() };
    let server = start(limits, lending).await;
    let mut deaf = server.connect().await;
    deaf.send(post(&" ".repeat(LIMIT))).await;
    server.counts("cni_steward_review_duration_seconds_count 1").await;
    server.counts(&format!("cni_steward_reviews_in_flight_bytes {LIMIT}")).await;
    let mut large = server.connect().await;
    large.send(post(&" ".repeat(4 << 20))).await;
    assert_eq!(large.reply().await.unwrap().status, 503);
    let mut small = server.connect().await;
    small.send(post("[]")).await;
    assert_eq!(small.reply().await.unwrap().body, r#"{"bytes":2}"#);
    drop(deaf);
    server.counts("cni_steward_reviews_in_flight_bytes 0").await;
    let mut large = server.connect().await;
    large.send(post(&" ".repeat(4 << 20))).await;
    assert_eq!(large.reply().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_long_answer_comes_whole_with_its_length() {
    let server = start(cni_steward::server::Limits::default(), lending).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(post(&"{\"a\": 0}".repeat(LIMIT / 8))).await;
        let reply = client.reply().await.unwrap();
        let review: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        let patch = review["response"]["patch"].as_str().unwrap();
        assert_eq!(patch.len(), LIMIT.div_ceil(3) * 4);
        assert!(patch.starts_with(&"eyJhIjogMH17ImEiOiAwfXsiYSI6IDB9".repeat(4)), "{}", &patch[..200]);
        server.counts("cni_steward_reviews_in_flight_bytes 0").await;
    }
}

/// Fault 27.
#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body_comes() {
    let server = echoing().await;
    let mut client = server.connect().await;
    let whole = post("{}").replacen("\r\n", "\r\nexpect: 100-continue\r\n", 1);
    client.send(&whole[..whole.len() - 2]).await;
    assert_eq!(client.reply().await.unwrap().status, 100);
    client.send("{}").await;
    assert_eq!(client.reply().await.unwrap().body, r#"{"bytes":2}"#);
}

/// Fault 27: who asks first is told before sending in vain.
#[tokio::test]
async fn expect_100_continue_with_too_large_a_body_is_413_at_once() {
    let server = echoing().await;
    let mut client = server.connect().await;
    client
        .send(format!(
            "POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
             content-length: {}\r\n\r\n",
            LIMIT + 1
        ))
        .await;
    assert_eq!(client.reply().await.unwrap().status, 413);
}

/// Fault 27.
#[tokio::test]
async fn bad_chunk_sizes_are_refused_and_end_the_connection() {
    let server = echoing().await;
    for size in ["g", "-1", "ffffffffffffffffff", "", "1 1"] {
        let mut client = server.connect().await;
        client.send(chunked(" ").replace("1\r\n \r\n", &format!("{size}\r\n \r\n"))).await;
        let reply = client.reply().await;
        assert!(reply.as_ref().is_none_or(|reply| reply.status == 400), "{size:?}: {reply:?}");
        assert!(client.is_closed().await, "{size:?}");
    }
}
