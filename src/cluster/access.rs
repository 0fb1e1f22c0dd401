//! Where the API server is, whom it has to be, and who we are to it: from a kubeconfig, or from what every Pod has.
//!
//! Files are named here and read when a connection is made ([`super::wire`]), so that a rotated token or authority is
//! taken without a restart.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use serde_json::Value;

use super::token::Exec;

/// Where a Pod finds its account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// An API server, and our credentials for it.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// What stands before every path; mostly nothing.
    pub(super) prefix: String,
    /// The name its certificate has to be valid for.
    pub(super) server_name: String,
    pub(super) authority: Option<Pem>,
    pub(super) token: Token,
    /// Certificate and key.
    pub(super) client: Option<(Pem, Pem)>,
}

/// PEM text, or where it is.
#[derive(Debug, Clone)]
pub(super) enum Pem {
    Text(Vec<u8>),
    File(PathBuf),
}

/// Where the bearer token is from.
#[derive(Debug, Clone)]
pub(super) enum Token {
    None,
    Text(String),
    File(PathBuf),
    Exec(Exec),
}

impl Pem {
    pub(super) fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
        }
    }
}

/// A kubeconfig file. Looked through as a tree: code that is generated for each type of it, by a reader of YAML, is
/// a twentieth of the binary.
struct File(Value);

/// One value of the file, with its path for errors.
#[derive(Clone)]
struct Node<'f> {
    path: String,
    value: &'f Value,
}

impl<'f> Node<'f> {
    fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self { path: format!("{}.{key}", self.path), value })
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let text = node.value.as_str().ok_or(format!("{} is no text", node.path))?;
        Ok(Some(text.to_owned()))
    }

    fn file(&self, key: &str) -> Result<Option<PathBuf>, String> {
        Ok(self.text(key)?.map(PathBuf::from))
    }

    fn items(&self, key: &str) -> Result<Vec<Self>, String> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let items = node.value.as_array().ok_or(format!("{} is no list", node.path))?;
        let item = |(at, value)| Self { path: format!("{}[{at}]", node.path), value };
        Ok(items.iter().enumerate().map(item).collect())
    }

    fn exec(&self) -> Result<Exec, String> {
        let needed = |key: &str| self.text(key)?.ok_or(format!("{} has no {key}", self.path));
        let text =
            |node: &Self| node.value.as_str().map(str::to_owned).ok_or(format!("{} is no text", node.path));
        let pair = |node: &Self| match (node.text("name")?, node.text("value")?) {
            (Some(name), Some(value)) => Ok((name, value)),
            _ => Err(format!("{} needs name and value", node.path)),
        };
        Ok(Exec {
            api_version: needed("apiVersion")?,
            command: needed("command")?.into(),
            args: self.items("args")?.iter().map(text).collect::<Result<_, String>>()?,
            env: self.items("env")?.iter().map(pair).collect::<Result<_, String>>()?,
        })
    }
}

impl Access {
    /// The account of the Pod we run in; host and port are what Kubernetes puts into every environment.
    pub(super) fn of_pod(host: &str, port: u16) -> Result<Self, String> {
        let account = Path::new(ACCOUNT);
        for file in ["token", "ca.crt"] {
            let path = account.join(file);
            if !path.exists() {
                return Err(format!("{} is missing: is automountServiceAccountToken off?", path.display()));
            }
        }
        Ok(Self {
            tls: true,
            host: host.to_owned(),
            port,
            prefix: String::new(),
            server_name: host.to_owned(),
            authority: Some(Pem::File(account.join("ca.crt"))),
            token: Token::File(account.join("token")),
            client: None,
        })
    }

    /// A context of a kubeconfig file; the current one if none is named.
    pub(super) fn of_kubeconfig(path: &Path, context: Option<&str>) -> Result<Self, String> {
        let wrong = |why: String| format!("{}: {why}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let file = File::parse(&text).map_err(wrong)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        file.access(folder, context).map_err(wrong)
    }
}

impl File {
    fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map(Self).map_err(|error| error.to_string())
    }

    /// The item of a list by its name; kubeconfig wraps each in a key named after its kind.
    fn find(&self, list: &str, kind: &str, name: &str) -> Result<Option<Node<'_>>, String> {
        let root = Node { path: String::new(), value: &self.0 };
        for item in root.items(list)? {
            if item.text("name")?.as_deref() == Some(name) {
                return Ok(item.get(kind));
            }
        }
        Ok(None)
    }

    fn access(&self, folder: &Path, context: Option<&str>) -> Result<Access, String> {
        let current = Node { path: String::new(), value: &self.0 }.text("current-context")?;
        let name = context.or(current.as_deref()).ok_or("it has no current-context, give --context")?;
        let context = self.find("contexts", "context", name)?.ok_or(format!("it has no context {name}"))?;
        let cluster = context.text("cluster")?.ok_or(format!("context {name} names no cluster"))?;
        let server = self
            .find("clusters", "cluster", &cluster)?
            .ok_or(format!("it has no cluster {cluster}, which context {name} names"))?;
        let nobody = Node { path: String::new(), value: &Value::Null };
        let user = match context.text("user")? {
            Some(user) => self
                .find("users", "user", &user)?
                .ok_or(format!("it has no user {user}, whom context {name} names"))?,
            None => nobody,
        };
        if server.get("insecure-skip-tls-verify").is_some_and(|skip| *skip.value != Value::Bool(false)) {
            return Err("insecure-skip-tls-verify is not done here; give certificate-authority-data".into());
        }
        for (node, key) in [(&server, "proxy-url"), (&user, "username"), (&user, "auth-provider")] {
            if node.get(key).is_some() {
                return Err(format!("{key} is not supported"));
            }
        }
        let url = server.text("server")?.unwrap_or_default();
        let uri: Uri = url.parse().map_err(|_| format!("{url:?} is no URL"))?;
        let host = uri.host().ok_or(format!("{url:?} names no host"))?;
        let tls = uri.scheme_str() != Some("http");
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let authority = pem(folder, &server, "certificate-authority")?;
        if tls && authority.is_none() {
            return Err(format!("cluster {cluster} has no certificate-authority-data"));
        }
        let certificate = pem(folder, &user, "client-certificate")?;
        let key = pem(folder, &user, "client-key")?;
        Ok(Access {
            tls,
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            server_name: server.text("tls-server-name")?.unwrap_or_else(|| host.clone()),
            host,
            authority,
            token: match (user.text("token")?, user.file("tokenFile")?, user.get("exec")) {
                // The file wins, as for kubectl.
                (_, Some(file), _) => Token::File(folder.join(file)),
                (Some(token), ..) => Token::Text(token),
                (.., Some(exec)) => Token::Exec(exec.exec()?),
                _ => Token::None,
            },
            client: certificate.zip(key),
        })
    }
}

/// PEM from `KEY-data`, in base64, or from the file that `KEY` names.
fn pem(folder: &Path, node: &Node<'_>, key: &str) -> Result<Option<Pem>, String> {
    if let Some(data) = node.text(&format!("{key}-data"))? {
        let broken = |error| format!("{}.{key}-data is broken base64: {error}", node.path);
        return Ok(Some(Pem::Text(STANDARD.decode(data.trim()).map_err(broken)?)));
    }
    Ok(node.file(key)?.map(|file| Pem::File(folder.join(file))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: a, user: b, namespace: x}}
- {name: two, context: {cluster: c, user: d}}
clusters:
- name: a
  cluster: {server: 'https://[::1]:6443/k8s/', certificate-authority: pki/ca.crt, tls-server-name: api}
- {name: c, cluster: {server: 'http://127.0.0.1:8001'}}
users:
- {name: b, user: {tokenFile: token, client-certificate-data: YQ==, client-key: b.key}}
- name: d
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws, args: [eks, get-token], env: null}
";

    fn access(text: &str, context: Option<&str>) -> Result<Access, String> {
        File::parse(text)?.access(Path::new("/home/joe/.kube"), context)
    }

    #[test]
    fn the_current_context_counts_unless_another_is_named() {
        let one = access(TWO, None).unwrap();
        assert_eq!((one.host.as_str(), one.port, one.prefix.as_str()), ("::1", 6443, "/k8s"));
        assert_eq!(one.server_name, "api");
        assert!(
            matches!(one.authority, Some(Pem::File(file)) if file == Path::new("/home/joe/.kube/pki/ca.crt"))
        );
        assert!(matches!(one.token, Token::File(file) if file == Path::new("/home/joe/.kube/token")));
        assert!(one.client.is_some());
        let two = access(TWO, Some("two")).unwrap();
        assert!(!two.tls && matches!(two.token, Token::Exec(_)), "{two:?}");
    }

    #[test]
    fn what_is_missing_or_cannot_be_done_is_named() {
        for (text, context, why) in [
            (TWO.to_owned(), Some("three"), "no context three"),
            (TWO.replace("name: a\n", "name: z\n"), None, "no cluster a"),
            (TWO.replace("certificate-authority: pki/ca.crt, ", ""), None, "no certificate-authority-data"),
            (TWO.replace("tls-server-name: api", "insecure-skip-tls-verify: true"), None, "insecure"),
            (TWO.replace("tls-server-name: api", "proxy-url: 'http://a'"), None, "proxy-url"),
            (TWO.replace("current-context: one", "x: y"), None, "--context"),
            (
                TWO.replace("certificate-authority: pki/ca.crt", "certificate-authority-data: '?'"),
                None,
                "broken base64",
            ),
            (
                TWO.replace("server: 'http://127.0.0.1:8001'", "server: [1]"),
                Some("two"),
                ".clusters[1].cluster.server is no text",
            ),
            (TWO.replace("command: aws, ", ""), Some("two"), ".users[1].user.exec has no command"),
            ("[".to_owned(), None, "line 1"),
        ] {
            let error = access(&text, context).unwrap_err();
            assert!(error.contains(why), "expected {why:?}, got {error:?}");
        }
    }
}
