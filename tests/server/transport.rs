//! What comes before the first request.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, careless, old, post};
use crate::server::{Server, echo, echoing, short, start};

async fn raw(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.ok();
    answer
}

/// Fault 30.
#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_so() {
    let server = echoing().await;
    let answer = raw(&server, post("{}").as_bytes()).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.contains("speaks https"),
        "{answer}"
    );
    server.counts(r#"cni_steward_tls_handshake_failures_total{cause="plain_http"} 1"#).await;
}

/// Fault 30.
#[tokio::test]
async fn garbage_is_counted_and_closed() {
    let server = echoing().await;
    raw(&server, &[0; 64]).await;
    server.counts(r#"cni_steward_tls_handshake_failures_total{cause="not_tls"} 1"#).await;
}

/// A `ClientHello` by hand: as much as old clients send, with this version.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]); // random
    body.push(0); // no session
    body.extend([0, 4, 0xc0, 0x13, 0xc0, 0x09]); // ECDHE with AES-CBC
    body.extend([1, 0]); // no compression
    let length = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let mut hello = vec![22, 3, 1];
    hello.extend(length(body.len() + 4));
    hello.extend([1, 0]);
    hello.extend(length(body.len()));
    hello.extend(body);
    hello
}

/// Fault 30: SSL 3.0, TLS 1.0, TLS 1.1 get a fatal `protocol_version` or `handshake_failure` alert.
#[tokio::test]
async fn versions_before_1_2_are_refused() {
    let server = echoing().await;
    for version in [[3, 0], [3, 1], [3, 2]] {
        let alert = raw(&server, &hello(version)).await;
        assert_eq!((alert.first(), alert.get(5)), (Some(&21), Some(&2)), "{version:?}: {alert:?}");
    }
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let server = echoing().await;
    for config in [old(&server.ca), server.config()] {
        let mut client = Client::connect(server.address, config, "localhost").await.unwrap();
        client.send(post("{}")).await;
        assert_eq!(client.reply().await.unwrap().status, 200);
    }
}

/// Fault 35.
#[tokio::test]
async fn http_2_is_not_negotiated() {
    let server = echoing().await;
    let mut both = server.config();
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = Client::connect(server.address, both, "localhost").await.unwrap();
    assert_eq!(client.stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));

    let mut only = server.config();
    only.alpn_protocols = vec![b"h2".to_vec()];
    assert!(Client::connect(server.address, only, "localhost").await.is_err());
    server.counts(r#"cni_steward_tls_handshake_failures_total{cause="no_http1"} 1"#).await;

    let mut knowing = server.connect().await;
    knowing.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let reply = knowing.reply().await;
    assert!(reply.as_ref().is_none_or(|reply| reply.status >= 400), "{reply:?}");
    assert!(knowing.is_closed().await);
}

/// Fault 30: the API server may call by address (no SNI) or by any service name.
#[tokio::test]
async fn without_a_name_and_with_a_wrong_one_the_certificate_is_shown() {
    let server = echoing().await;
    let mut silent = server.config();
    silent.enable_sni = false;
    for (config, name) in
        [(silent, "localhost"), (server.config(), "127.0.0.1"), (careless(&server.ca), "wrong.example")]
    {
        let mut client = Client::connect(server.address, config, name).await.unwrap();
        client.send(post("{}")).await;
        assert_eq!(client.reply().await.unwrap().status, 200, "{name}");
    }
}

/// The first failure in the field is a `caBundle` that does not fit.
#[tokio::test]
async fn a_client_that_does_not_trust_us_is_counted_as_such() {
    let (server, other) = (echoing().await, echoing().await);
    let error = Client::connect(server.address, other.config(), "localhost").await.err().unwrap();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    server.counts(r#"cni_steward_tls_handshake_failures_total{cause="certificate_not_trusted"} 1"#).await;
}

#[tokio::test]
async fn without_a_certificate_handshakes_fail_and_nothing_else() {
    let server = echoing().await;
    server.slot.clear();
    assert!(Client::connect(server.address, server.config(), "localhost").await.is_err());
    server.counts(r#"cni_steward_tls_handshake_failures_total{cause="no_certificate"} 1"#).await;
}

/// Fault 31: a handshake that does not go on.
#[tokio::test]
async fn a_handshake_that_stalls_is_cut_off() {
    let server = start(short(), echo).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(&hello([3, 3])[..20]).await.unwrap();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    half.read_to_end(&mut Vec::new()).await.ok();
    server.counts(r#"cni_steward_tls_handshake_failures_total{cause="timeout"} 2"#).await;
}
