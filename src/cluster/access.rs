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
        // Not into types: a deserializer for each of them would cost the image more than all the rest of this file.
        let file: Value = serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        access(&file, path.parent().unwrap_or(Path::new(".")), context).map_err(wrong)
    }
}

fn access(file: &Value, folder: &Path, context: Option<&str>) -> Result<Access, String> {
    let current = text(file, "current-context");
    let name = context.or(current.as_deref()).ok_or("it has no current-context, give --context")?;
    let context = find(file, "contexts", "context", name)?;
    let cluster = text(context, "cluster").ok_or(format!("context {name} names no cluster"))?;
    let server = find(file, "clusters", "cluster", &cluster)?;
    let nobody = Value::Null;
    let user = match text(context, "user") {
        Some(user) => find(file, "users", "user", &user)?,
        None => &nobody,
    };
    for (holder, what) in [
        (server, "insecure-skip-tls-verify"),
        (server, "proxy-url"),
        (user, "username"),
        (user, "auth-provider"),
    ] {
        if holder.get(what).is_some_and(|given| !given.is_null() && given != false && given != "") {
            return Err(format!("{what} is not supported"));
        }
    }
    let url = text(server, "server").ok_or(format!("cluster {cluster} has no server"))?;
    let uri: Uri = url.parse().map_err(|_| format!("{url:?} is no URL"))?;
    let host = uri.host().ok_or(format!("{url:?} names no host"))?;
    let tls = uri.scheme_str() != Some("http");
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let authority = pem(folder, server, "certificate-authority")?;
    if tls && authority.is_none() {
        return Err(format!("cluster {cluster} has no certificate-authority-data"));
    }
    let certificate = pem(folder, user, "client-certificate")?;
    let key = pem(folder, user, "client-key")?;
    Ok(Access {
        tls,
        port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
        prefix: uri.path().trim_end_matches('/').to_owned(),
        server_name: text(server, "tls-server-name").unwrap_or_else(|| host.clone()),
        host,
        authority,
        // The file wins, as for kubectl.
        token: match (text(user, "tokenFile"), text(user, "token"), user.get("exec")) {
            (Some(file), ..) => Token::File(folder.join(file)),
            (None, Some(token), _) => Token::Text(token),
            (None, None, Some(exec)) if exec.is_object() => Token::Exec(Exec::read(exec)?),
            _ => Token::None,
        },
        client: certificate.zip(key),
    })
}

/// An item of one of the three lists; each is wrapped in a key of its own.
fn find<'f>(file: &'f Value, list: &str, key: &str, name: &str) -> Result<&'f Value, String> {
    let items = file.get(list).and_then(Value::as_array);
    let found = items.into_iter().flatten().find(|item| item.get("name").is_some_and(|is| is == name));
    found.and_then(|item| item.get(key)).ok_or(format!("it has no {key} {name}"))
}

/// A text that says something.
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// `KEY-data` in base64, else the file `KEY`.
fn pem(folder: &Path, holder: &Value, key: &str) -> Result<Option<Pem>, String> {
    if let Some(data) = text(holder, &format!("{key}-data")) {
        let text = STANDARD.decode(data.trim()).map_err(|error| format!("{key}-data: {error}"))?;
        return Ok(Some(Pem::Text(text)));
    }
    Ok(text(holder, key).map(|file| Pem::File(folder.join(file))))
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
        let file: Value = serde_saphyr::from_str(text).unwrap();
        super::access(&file, Path::new("/home/joe/.kube"), context)
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
        ] {
            let error = access(&text, context).unwrap_err();
            assert!(error.contains(why), "expected {why:?}, got {error:?}");
        }
    }
}
