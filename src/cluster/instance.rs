//! The names under which this installation keeps its things in a cluster. All replicas share them, only the identity is
//! each one's own.

use std::fmt;
use std::str::FromStr;

/// One installation, as one of its replicas sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Where all but the webhook configuration lives.
    pub namespace: String,
    /// The name of Lease, Service and webhook configuration; other names begin with it.
    pub name: String,
    /// This replica among the others; no two may have the same.
    pub identity: String,
}

impl Instance {
    /// The replica `identity` of an installation.
    pub fn new(place: Place, identity: String) -> Self {
        Self { namespace: place.namespace, name: place.name, identity }
    }

    /// The Lease that the leader holds.
    pub fn lease(&self) -> &str {
        &self.name
    }

    /// The Secret with authority and serving certificate.
    pub fn secret(&self) -> String {
        format!("{}-certificate", self.name)
    }

    /// The `MutatingWebhookConfiguration`.
    pub fn webhook(&self) -> &str {
        &self.name
    }

    /// The Service in front of all replicas.
    pub fn service(&self) -> &str {
        &self.name
    }

    /// The Service whose name is served with the next certificate.
    pub fn canary_service(&self) -> String {
        format!("{}-canary", self.name)
    }

    /// The server names that the API server and people use for the Service; the first is the API server's.
    pub fn dns_names(&self) -> Vec<String> {
        dns_names(self.service(), &self.namespace)
    }

    /// The same for the canary.
    pub fn canary_dns_names(&self) -> Vec<String> {
        dns_names(&self.canary_service(), &self.namespace)
    }
}

fn dns_names(service: &str, namespace: &str) -> Vec<String> {
    vec![
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
        format!("{service}.{namespace}"),
    ]
}

/// `NAMESPACE/NAME`, as the command line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            // `-certificate` is to fit behind a name that is a Service's (63 characters).
            Some((namespace, name)) if label(namespace, 63) && label(name, 51) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("expected NAMESPACE/NAME, each of small letters, digits and dashes, the name of 51 \
                      characters at most"
                .to_owned()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A DNS label (RFC 1123).
fn label(text: &str, longest: usize) -> bool {
    let inside = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|c| inside(c) || c == b'-')
        && text.bytes().next().is_some_and(inside)
        && text.bytes().last().is_some_and(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hang_together() {
        let instance = Instance::new("kube-system/cni-steward".parse().unwrap(), "a".into());
        assert_eq!(instance.secret(), "cni-steward-certificate");
        assert_eq!(instance.canary_dns_names()[0], "cni-steward-canary.kube-system.svc");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "a", "a/", "/a", "A/b", "a/b/c", "a/b.c", "a/-b", &format!("a/{}", "b".repeat(52))] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
