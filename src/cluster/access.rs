//! Where the API server is, whom it has to be, and who we are to it: from a kubeconfig, or from what every Pod has.
//!
//! Files are named here and read when a connection is made ([`super::wire`]), so that a rotated token or authority is
//! taken without a restart.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use serde::Deserialize;

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

#[derive(Deserialize)]
struct File {
    #[serde(rename = "current-context")]
    current_context: Option<String>,
    #[serde(default)]
    contexts: Vec<Named<Context>>,
    #[serde(default)]
    clusters: Vec<Named<Server>>,
    #[serde(default)]
    users: Vec<Named<User>>,
}

/// kubeconfig wraps each item in a key named after its kind.
#[derive(Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    item: Option<T>,
}

#[derive(Deserialize, Clone)]
struct Context {
    cluster: String,
    user: Option<String>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Server {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: bool,
    proxy_url: Option<String>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    username: Option<String>,
    exec: Option<Exec>,
    auth_provider: Option<serde::de::IgnoredAny>,
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
        let file: File = serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        file.access(folder, context).map_err(wrong)
    }
}

impl File {
    fn access(self, folder: &Path, context: Option<&str>) -> Result<Access, String> {
        let name =
            context.or(self.current_context.as_deref()).ok_or("it has no current-context, give --context")?;
        let context = find(&self.contexts, name).ok_or(format!("it has no context {name}"))?;
        let server = find(&self.clusters, &context.cluster)
            .ok_or(format!("it has no cluster {}, which context {name} names", context.cluster))?;
        let user = match &context.user {
            Some(user) => {
                find(&self.users, user).ok_or(format!("it has no user {user}, whom context {name} names"))?
            }
            None => User::default(),
        };
        if server.insecure_skip_tls_verify {
            return Err("insecure-skip-tls-verify is not done here; give certificate-authority-data".into());
        }
        for (given, what) in [
            (server.proxy_url.is_some(), "proxy-url"),
            (user.username.is_some(), "username"),
            (user.auth_provider.is_some(), "auth-provider"),
        ] {
            if given {
                return Err(format!("{what} is not supported"));
            }
        }
        let uri: Uri = server.server.parse().map_err(|_| format!("{:?} is no URL", server.server))?;
        let host = uri.host().ok_or(format!("{:?} names no host", server.server))?;
        let tls = uri.scheme_str() != Some("http");
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let authority = pem(folder, server.certificate_authority, server.certificate_authority_data)?;
        if tls && authority.is_none() {
            return Err(format!("cluster {} has no certificate-authority-data", context.cluster));
        }
        let certificate = pem(folder, user.client_certificate, user.client_certificate_data)?;
        let key = pem(folder, user.client_key, user.client_key_data)?;
        Ok(Access {
            tls,
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            server_name: server.tls_server_name.unwrap_or_else(|| host.clone()),
            host,
            authority,
            token: match (user.token, user.token_file, user.exec) {
                // The file wins, as for kubectl.
                (_, Some(file), _) => Token::File(folder.join(file)),
                (Some(token), ..) => Token::Text(token),
                (.., Some(exec)) => Token::Exec(exec),
                _ => Token::None,
            },
            client: certificate.zip(key),
        })
    }
}

fn find<T: Clone>(items: &[Named<T>], name: &str) -> Option<T> {
    items.iter().find(|item| item.name == name)?.item.clone()
}

fn pem(folder: &Path, file: Option<PathBuf>, data: Option<String>) -> Result<Option<Pem>, String> {
    match (data, file) {
        (Some(data), _) => {
            let text = STANDARD.decode(data.trim()).map_err(|error| format!("broken base64: {error}"))?;
            Ok(Some(Pem::Text(text)))
        }
        (None, Some(file)) => Ok(Some(Pem::File(folder.join(file)))),
        (None, None) => Ok(None),
    }
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
        let file: File = serde_saphyr::from_str(text).unwrap();
        file.access(Path::new("/home/joe/.kube"), context)
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
