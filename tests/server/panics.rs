//! A panic costs one review, not the process.

use crate::client::post;
use crate::server::{echo, start};
use cni_steward::server::Limits;

#[tokio::test]
async fn a_panic_is_500_for_one_review_and_counted() {
    let server = start(Limits::default(), |body: &[u8]| {
        assert!(body != b"poison", "this test panics on purpose");
        echo(body)
    })
    .await;
    let mut client = server.connect().await;
    client.send(post("poison")).await;
    let reply = client.reply().await.unwrap();
    assert_eq!(reply.status, 500);
    assert!(!reply.body.contains("on purpose"), "{}", reply.body);
    client.send(post("{}")).await;
    assert_eq!(client.reply().await.unwrap().status, 200, "the same connection goes on");
    server.counts("cni_steward_panics_total 1").await;
    server
        .counts(r#"cni_steward_reviews_total{operation="other",resource="other",verdict="error",reason="panic"} 1"#)
        .await;
    server.counts("cni_steward_reviews_in_flight 0").await;
}
