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
}

/// What a cluster and a user of a kubeconfig say; each with the folder that its paths start in.
pub(super) fn of_kubeconfig(
    cluster: &str,
    (server_folder, server): (&Path, &Value),
    (user_folder, user): (&Path, &Value),
) -> Result<Access, String> {
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
    let authority = pem(server_folder, server, "certificate-authority")?;
    if tls && authority.is_none() {
        return Err(format!("cluster {cluster} has no certificate-authority-data"));
    }
    // Who we are is told to nobody whose certificate was not checked, as with kubectl.
    let nobody = Value::Null;
    let user = if tls { user } else { &nobody };
    let certificate = pem(user_folder, user, "client-certificate")?;
    let key = pem(user_folder, user, "client-key")?;
    Ok(Access {
        tls,
        port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
        prefix: uri.path().trim_end_matches('/').to_owned(),
        server_name: text(server, "tls-server-name").unwrap_or_else(|| host.clone()),
        host,
        authority,
        // The file wins, as for kubectl.
        token: match (text(user, "tokenFile"), text(user, "token"), user.get("exec")) {
            (Some(file), ..) => Token::File(user_folder.join(file)),
            (None, Some(token), _) => Token::Text(token),
            (None, None, Some(exec)) if exec.is_object() => Token::Exec(Exec::read(exec, user_folder)?),
            _ => Token::None,
        },
        client: certificate.zip(key),
    })
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
