//! An API server that fails a leader's writes in every way it can, and the one that loses only the answer.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::{ABSENT, after_eks, assert_repaired, await_state, eventually, metric, objects, sum};
use crate::support::control_plane::{ControlPlane, User, Version};
use crate::support::http::Client;
use crate::support::steward::Steward;

/// What becomes of one write.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Answers(&'static str, &'static str),
    /// No answer at all.
    Hangs,
    CutsOff,
    /// It is stored, and nobody is told.
    LosesTheAnswer,
    /// Somebody else writes first.
    IsTooSlow,
    /// Somebody else writes the very same first.
    IsNotNeeded,
}

const MOODS: [Mood; 8] = [
    Mood::Answers("429 Too Many Requests\r\nRetry-After: 1", "{}"),
    Mood::Answers(
        "500 Internal Server Error",
        r#"{"kind":"Status","code":500,"message":"etcdserver: mvcc: database space exceeded"}"#,
    ),
    Mood::Answers("503 Service Unavailable", "<html>a proxy</html>"),
    Mood::Answers("200 OK", "<html>welcome</html>"),
    Mood::Hangs,
    Mood::CutsOff,
    Mood::LosesTheAnswer,
    Mood::IsTooSlow,
];

/// Stands in front of the API server and spoils the first writes of targets, one way each.
struct Moody {
    upstream: Client,
    moods: Mutex<VecDeque<Mood>>,
}

impl Moody {
    fn start(upstream: Client) -> (Arc<Self>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let moody = Arc::new(Self { upstream, moods: Mutex::new(MOODS.into()) });
        let shared = Arc::clone(&moody);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let moody = Arc::clone(&shared);
                // A connection that ends early is part of the test.
                std::thread::spawn(move || moody.serve(connection).ok());
            }
        });
        (moody, port)
    }

    /// One request for each connection.
    fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let target = head.starts_with("PATCH ") && !head.contains("/leases/");
        let mood = if target { self.moods.lock().unwrap().pop_front() } else { None };
        self.answer(connection, &head, &body, mood)
    }

    fn answer(&self, mut to: TcpStream, head: &str, body: &[u8], mood: Option<Mood>) -> std::io::Result<()> {
        match mood {
            Some(Mood::Answers(status, text)) => {
                let length = text.len();
                write!(to, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}")
            }
            Some(Mood::Hangs) => {
                // Until the other side has had enough.
                to.read_to_end(&mut Vec::new()).map(|_| ())
            }
            Some(Mood::CutsOff) => Ok(()),
            Some(Mood::LosesTheAnswer) => {
                let mut upstream = self.send(head, body)?;
                upstream.read_to_end(&mut Vec::new()).map(|_| ())
            }
            Some(Mood::IsTooSlow) => {
                let path = head.split(' ').nth(1).unwrap().split('?').next().unwrap();
                let touched = serde_json::json!({"metadata": {"annotations": {"touched": "yes"}}});
                let reply = self.upstream.patch(path, "application/merge-patch+json", &touched)?;
                assert_eq!(reply.status, 200, "{}", reply.text());
                self.forward(to, head, body)
            }
            Some(Mood::IsNotNeeded) => {
                let mut reply = String::new();
                self.send(head, body)?.read_to_string(&mut reply)?;
                assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
                self.forward(to, head, body)
            }
            None => self.forward(to, head, body),
        }
    }

    fn send(&self, head: &str, body: &[u8]) -> std::io::Result<Box<dyn crate::support::http::Stream>> {
        let mut upstream = self.upstream.connect()?;
        // Over plain HTTP, which this stretch is, the program sends no credential.
        let token = User::Admin.token();
        write!(upstream, "{head}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n")?;
        upstream.write_all(body)?;
        upstream.flush()?;
        Ok(upstream)
    }

    fn forward(&self, mut to: TcpStream, head: &str, body: &[u8]) -> std::io::Result<()> {
        let mut upstream = self.send(head, body)?;
        let mut piece = [0; 16 * 1024];
        loop {
            let read = upstream.read(&mut piece)?;
            if read == 0 {
                return Ok(());
            }
            to.write_all(&piece[..read])?;
        }
    }
}

pub(super) fn all() {
    let plane = after_eks(Version::V1_36);
    let (moody, port) = Moody::start(plane.client(User::Admin));
    let admin = std::fs::read_to_string(plane.kubeconfig(User::Admin)).unwrap();
    let mut kubeconfig: serde_json::Value = serde_json::from_str(&admin).unwrap();
    kubeconfig["clusters"][0]["cluster"] = serde_json::json!({"server": format!("http://127.0.0.1:{port}")});
    let file = plane.folder().join("moody.kubeconfig");
    std::fs::write(&file, kubeconfig.to_string()).unwrap();
    let flag = format!("--kubeconfig={}", file.display());
    let steward =
        Steward::start_with(ABSENT, &["--instance=kube-system/cni-steward", &flag, "--request-timeout=1s"]);
    await_state(&steward, "in-order", 6);
    assert!(moody.moods.lock().unwrap().is_empty(), "expected every mood to be met");
    for mut object in objects(&plane) {
        if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
            annotations.remove("touched");
        }
        assert_repaired(&object);
    }
    let page = steward.metrics();
    let conflicts = page.lines().filter(|line| line.contains("outcome=\"conflict\"")).count();
    assert!(conflicts >= 1, "{page}");
    assert!(sum(&steward, "cni_steward_repairs_total") >= 6 + 6, "six done, six failed\n{page}");
    for named in ["etcd is full", "no answer within 1s", "cannot be understood", "status 429"] {
        steward.await_log(named);
    }
    put_in_order_by_somebody_else(&plane, &moody, &steward);
    assert_eq!(sum(&steward, "cni_steward_contests_total"), 0, "{}", steward.log_lines().join("\n"));
}

/// What is not needed any more when it is sent is no repair of ours.
fn put_in_order_by_somebody_else(plane: &ControlPlane, moody: &Moody, steward: &Steward) {
    let outcomes = |target: &str, outcome: &str| {
        let labels = format!("{{target=\"{target}/aws-node\",outcome=\"{outcome}\"}}");
        metric(steward, &format!("cni_steward_repairs_total{labels}"))
    };
    let strip = |kind: &str| {
        let stamp = "meta.helm.sh/release-name-";
        plane.kubectl(User::Admin, &["-n", "kube-system", "annotate", kind, "aws-node", stamp]).ok();
    };
    let done = || outcomes("daemonsets", "done");
    let (before, conflicts) = (done(), outcomes("daemonsets", "conflict"));
    // As many as a repair takes writes.
    *moody.moods.lock().unwrap() = [Mood::IsNotNeeded; 2].into();
    strip("daemonset");
    eventually(steward, "somebody else had written first", || {
        (outcomes("daemonsets", "conflict") > conflicts).then_some(())
    });
    await_state(steward, "in-order", 6);
    moody.moods.lock().unwrap().clear();
    // One after the other: when this one is done, all is told of the first.
    let others = outcomes("serviceaccounts", "done");
    strip("serviceaccount");
    eventually(steward, "the next one was repaired", || {
        (outcomes("serviceaccounts", "done") > others).then_some(())
    });
    assert_eq!(done(), before, "{}", steward.log_lines().join("\n"));
}
