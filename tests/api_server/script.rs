//! A program that answers plain HTTP as it was told, whatever it is asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cni_steward::cluster::{Cluster, Connection};
use serde_json::{Value, json};

/// What is answered to each request in turn; the last is answered for ever.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status line and headers, body.
    Now(&'static str, String),
    /// A body that begins so and does not end.
    Open(String),
    /// As `Now`, but the connection stays open.
    Kept(&'static str, String),
    /// Nothing.
    Silence,
}

/// Answers plain HTTP, and remembers the heads of requests.
pub(crate) struct Script {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Script {
    pub(crate) fn new(answers: Vec<Answer>) -> Self {
        Self::at(0, answers)
    }

    /// On a port of the caller's choice.
    pub(crate) fn at(port: u16, answers: Vec<Answer>) -> Self {
        Self::answering(port, move |turn, _| answers.get(turn).or(answers.last()).unwrap().clone())
    }

    /// Answers as a function of how many were asked before, and of the request's head.
    pub(crate) fn answering(port: u16, answer: impl Fn(usize, &str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (seen, open) = (Arc::clone(&asked), Arc::clone(&connections));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                let Some(head) = request(&connection) else { continue };
                let turn = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(head.clone());
                    seen.len() - 1
                };
                let answer = answer(turn, &head);
                // Locked before anybody has the answer: who hangs up then finds the connection.
                let mut open = open.lock().unwrap();
                open.extend(answer_with(connection, &answer));
            }
        });
        Self { port, asked, open: connections }
    }

    /// A kubeconfig for it, in a folder of the caller's.
    pub(crate) fn kubeconfig(&self, folder: &Path) -> PathBuf {
        kubeconfig(folder, self.port)
    }

    pub(crate) async fn cluster(&self) -> Cluster {
        self.cluster_as(&json!({})).await
    }

    /// As this user of a kubeconfig.
    pub(crate) async fn cluster_as(&self, user: &Value) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = vec![kubeconfig_of(folder.path(), self.port, user)];
        let request_timeout = Duration::from_millis(700);
        Cluster::connect(&Connection { kubeconfig, context: None, service: None, request_timeout })
            .await
            .unwrap()
    }

    /// Closes what is open, as a server does that has waited long enough.
    pub(crate) fn hang_up(&self) {
        self.open.lock().unwrap().clear();
    }

    /// The heads of all requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The head of a request, once it is whole.
fn request(connection: &TcpStream) -> Option<String> {
    let mut head = String::new();
    for line in BufReader::new(connection).lines() {
        let line = line.ok()?;
        if line.is_empty() {
            return Some(head);
        }
        head.push_str(&line);
        head.push('\n');
    }
    None
}

fn answer_with(mut connection: TcpStream, answer: &Answer) -> Option<TcpStream> {
    match answer {
        Answer::Silence => Some(connection),
        Answer::Now(head, body) | Answer::Kept(head, body) => {
            let length = body.len();
            let close = if matches!(answer, Answer::Now(..)) { "connection: close\r\n" } else { "" };
            let text = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n{close}\r\n{body}");
            connection.write_all(text.as_bytes()).ok();
            matches!(answer, Answer::Kept(..)).then_some(connection)
        }
        Answer::Open(body) => {
            let length = body.len();
            let text =
                format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n");
            connection.write_all(text.as_bytes()).ok();
            Some(connection)
        }
    }
}

/// A kubeconfig for what listens on `port`.
pub(crate) fn kubeconfig(folder: &Path, port: u16) -> PathBuf {
    kubeconfig_of(folder, port, &json!({}))
}

fn kubeconfig_of(folder: &Path, port: u16, user: &Value) -> PathBuf {
    let file = folder.join("kubeconfig");
    let config = json!({
        "clusters": [{"name": "a", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "a", "user": user}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    });
    std::fs::write(&file, config.to_string()).unwrap();
    file
}
