//! A headless Chromium that a test drives over two pipes (the protocol of its developer tools, messages end with a zero byte).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::tools::Tool;
use crate::support::watchdog::Folder;

const PATIENCE: Duration = Duration::from_mins(1);

/// Dropped, it is killed.
pub(crate) struct Browser {
    child: Child,
    pipe: ChildStdin,
    messages: Receiver<Value>,
    session: Value,
    number: u64,
    /// Events that came while something else was waited for.
    events: Vec<Value>,
    folder: Folder,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        let program = Tool::Chromium.path().unwrap_or_else(|missing| panic!("{missing}"));
        // The browser reads from 3 and writes to 4.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .args(["--disable-dev-shm-usage", "--disable-background-networking", "--window-size=1360,900"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh, to start Chromium");
        let pipe = child.stdin.take().unwrap();
        let out = child.stdout.take().unwrap();
        let (send, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(out).split(0) {
                let Ok(message) = message else { break };
                if send.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    break;
                }
            }
        });
        let mut browser =
            Self { child, pipe, messages, session: Value::Null, number: 0, events: Vec::new(), folder };
        let target = browser.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = browser.ask("Target.attachToTarget", &attach)["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Loads a page from a file.
    pub(crate) fn open(&mut self, html: &str) {
        let file = self.folder.join("page.html");
        std::fs::write(&file, html).unwrap();
        self.ask("Page.navigate", &json!({"url": format!("file://{}", file.display())}));
        self.await_event("Page.loadEventFired");
    }

    /// The value of an expression.
    #[track_caller]
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}));
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer:#}");
        answer["result"]["value"].clone()
    }

    /// Presses a key, such as `Tab` or `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "ArrowRight" => 39,
            _ => panic!("a key nobody thought of: {key}"),
        };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.ask("Input.dispatchKeyEvent", &event);
        }
    }

    /// Types text where the focus is.
    pub(crate) fn write(&mut self, text: &str) {
        self.ask("Input.insertText", &json!({"text": text}));
    }

    /// The medium (`screen`, `print`) and the colours that the person prefers.
    pub(crate) fn prefer(&mut self, medium: &str, colours: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": colours}]);
        self.ask("Emulation.setEmulatedMedia", &json!({"media": medium, "features": features}));
    }

    /// Switches scripts off for the pages to come.
    pub(crate) fn without_scripts(&mut self) {
        self.ask("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    }

    /// What the browser complained about, and what it asked the network for.
    pub(crate) fn complaints(&mut self) -> Vec<Value> {
        // An answer to this comes after all that happened before.
        self.ask("Page.getLayoutMetrics", &json!({}));
        let told = std::mem::take(&mut self.events);
        let bad = |event: &Value| match event["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => true,
            "Network.requestWillBeSent" => {
                let url = event["params"]["request"]["url"].as_str().unwrap();
                !url.starts_with("file:///") && !url.starts_with("data:")
            }
            _ => false,
        };
        told.into_iter().filter(bad).collect()
    }

    /// A picture of the window.
    pub(crate) fn picture(&mut self, file: &Path) {
        let shot = self.ask("Page.captureScreenshot", &json!({"format": "png"}));
        std::fs::write(file, STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        self.pipe.write_all(message.to_string().as_bytes()).unwrap();
        self.pipe.write_all(&[0]).unwrap();
        let number = self.number;
        let answer = self.wait(method, |message| message["id"] == number);
        assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    fn await_event(&mut self, method: &str) {
        if let Some(at) = self.events.iter().position(|event| event["method"] == method) {
            self.events.remove(at);
            return;
        }
        self.wait(method, |message| message["method"] == method);
    }

    fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|error| panic!("waited for {what} of Chromium: {error}"));
            if is_it(&message) {
                return message;
            }
            self.events.push(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
