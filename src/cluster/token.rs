//! The bearer token: fixed, from a file that is rotated, or from a program such as `aws eks get-token`.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::access::{Token, text};
use crate::telemetry::clock::{self, Stopwatch};

/// The kubelet exchanges a token long before it expires.
const FILE_IS_FRESH: Duration = Duration::from_mins(1);
/// A program's token is asked for anew so long before its end.
const BEFORE_ITS_END: Duration = Duration::from_mins(1);

/// A credential plugin, as a kubeconfig names it.
#[derive(Debug, Clone)]
pub(super) struct Exec {
    api_version: String,
    command: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Exec {
    /// A command with a slash is beside the kubeconfig, which is in `folder` (client-go's `GetAuthInfoFileReferences`).
    pub(super) fn read(exec: &Value, folder: &Path) -> Result<Self, String> {
        let list = |key: &str| exec.get(key).and_then(Value::as_array).into_iter().flatten();
        let variable = |item: &Value| Some((text(item, "name")?, text(item, "value").unwrap_or_default()));
        let command = text(exec, "command").ok_or("exec has no command")?;
        Ok(Self {
            api_version: text(exec, "apiVersion").ok_or("exec has no apiVersion")?,
            command: if command.contains(MAIN_SEPARATOR) { folder.join(command) } else { command.into() },
            args: list("args").filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            env: list("env").filter_map(variable).collect(),
        })
    }
}

/// Keeps a token for as long as it is good.
#[derive(Debug)]
pub(super) struct Tokens {
    source: Token,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    token: String,
    since: Stopwatch,
    until: Option<Timestamp>,
}

impl Kept {
    fn is_fresh(&self, source: &Token) -> bool {
        match source {
            Token::None | Token::Text(_) => true,
            Token::File(_) => self.since.elapsed() < FILE_IS_FRESH,
            Token::Exec(_) => self.until.is_none_or(|until| clock::now() + BEFORE_ITS_END < until),
        }
    }
}

impl Tokens {
    pub(super) fn new(source: Token) -> Self {
        Self { source, kept: Mutex::new(None) }
    }

    /// The token of this moment.
    pub(super) async fn now(&self) -> Result<Option<String>, String> {
        if let Token::None = self.source {
            return Ok(None);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = &kept
            && kept.is_fresh(&self.source)
        {
            return Ok(Some(kept.token.clone()));
        }
        let source = self.source.clone();
        let read = spawn_blocking(move || read(&source)).await.map_err(|error| error.to_string())?;
        match (read, kept) {
            (Ok(new), _) => {
                *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(new.clone());
                Ok(Some(new.token))
            }
            // Perhaps it is good for a while yet; the API server knows.
            (Err(_), Some(kept)) => Ok(Some(kept.token)),
            (Err(error), None) => Err(error),
        }
    }

    /// The API server did not take it.
    pub(super) fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn read(source: &Token) -> Result<Kept, String> {
    let (token, until) = match source {
        Token::None => (String::new(), None),
        Token::Text(token) => (token.clone(), None),
        Token::File(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            (text, None)
        }
        Token::Exec(exec) => run(exec)?,
    };
    Ok(Kept { token: token.trim().to_owned(), since: Stopwatch::start(), until })
}

fn run(exec: &Exec) -> Result<(String, Option<Timestamp>), String> {
    let program = exec.command.display();
    let info = json!({
        "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": {"interactive": false},
    });
    let mut command = Command::new(&exec.command);
    command.args(&exec.args).env("KUBERNETES_EXEC_INFO", info.to_string());
    command.envs(exec.env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} gave no credential: {}", output.status));
    }
    let credential: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("what {program} printed is no credential: {error}"))?;
    let status = credential.get("status").ok_or(format!("{program} printed no credential"))?;
    let token = text(status, "token")
        .ok_or(format!("{program} gives no token; client certificates are not taken"))?;
    Ok((token, text(status, "expirationTimestamp").and_then(|time| time.parse().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(script: &str) -> Exec {
        Exec {
            api_version: "client.authentication.k8s.io/v1".into(),
            command: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("WHO".into(), "joe".into())],
        }
    }

    #[tokio::test]
    async fn a_programs_token_is_kept_until_shortly_before_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let script = |expires: &str| {
            format!(
                r#"echo x >> {}; echo "{{\"status\":{{\"token\":\"of-$WHO\",\"expirationTimestamp\":\"{expires}\"}}}}""#,
                count.display()
            )
        };
        for (expires, runs) in [("2999-01-01T00:00:00Z", 1), ("1999-01-01T00:00:00Z", 3)] {
            let tokens = Tokens::new(Token::Exec(program(&script(expires))));
            for _ in 0..3 {
                assert_eq!(tokens.now().await.unwrap().as_deref(), Some("of-joe"));
            }
            assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), runs, "{expires}");
            std::fs::remove_file(&count).unwrap();
        }
    }

    #[test]
    fn a_command_with_a_slash_is_beside_the_kubeconfig() {
        for (command, found) in
            [("aws", "aws"), ("./bin/login", "/home/joe/./bin/login"), ("/opt/login", "/opt/login")]
        {
            let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": command});
            assert_eq!(Exec::read(&exec, Path::new("/home/joe")).unwrap().command, PathBuf::from(found));
        }
    }

    #[tokio::test]
    async fn a_program_that_fails_is_named() {
        for (script, why) in [("exit 3", "exit status: 3"), ("echo hello", "no credential")] {
            let error = Tokens::new(Token::Exec(program(script))).now().await.unwrap_err();
            assert!(error.starts_with("sh ") || error.starts_with("what sh "), "{error}");
            assert!(error.contains(why), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_that_vanishes_leaves_the_last_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "first\n").unwrap();
        let tokens = Tokens::new(Token::File(file.clone()));
        assert_eq!(tokens.now().await.unwrap().as_deref(), Some("first"));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(tokens.now().await.unwrap().as_deref(), Some("first"));
        tokens.forget();
        assert!(tokens.now().await.unwrap_err().contains("token"));
    }
}
