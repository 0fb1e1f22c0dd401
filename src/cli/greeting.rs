//! What `serve` tells the person who started it: what it does and what to type next. Goes to standard error, like
//! all that is not a result.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::address::reachable;
use crate::layout::{printable, quoted};

/// Lines for people; what they quote may be anybody's. Nobody listening is no reason to stop.
pub fn say(lines: &str) {
    for line in lines.split('\n') {
        writeln!(io::stderr(), "{}", printable(line)).ok();
    }
}

/// What is served, and where.
#[derive(Debug)]
pub struct Greeting<'a> {
    /// The policy's mode.
    pub mode: &'static str,
    /// The policy's hash.
    pub hash: &'a str,
    /// The policy's file.
    pub policy: Option<&'a Path>,
    /// The TLS listener.
    pub listen: SocketAddr,
    /// The plain listener.
    pub telemetry: Option<SocketAddr>,
    /// The authority's certificate, when it is ours.
    pub authority: Option<&'a Path>,
}

impl Greeting<'_> {
    /// Says it.
    pub fn say(&self) {
        let address = reachable(self.listen);
        let policy = match self.policy {
            Some(path) => format!("policy {}", path.display()),
            None => "no --policy given, so nothing is changed or refused".into(),
        };
        say(&format!("cni-steward {}", env!("CARGO_PKG_VERSION")));
        say(&format!("  mode      {} ({policy}; hash {})", self.mode, self.hash));
        say(&format!("  reviews   https://{}/mutate", self.listen));
        match self.telemetry {
            Some(telemetry) => say(&format!("  metrics   http://{telemetry}/metrics")),
            None => say("  metrics   off"),
        }
        if let Some(authority) = self.authority {
            let ca = quoted(&authority.display().to_string());
            say(&format!("\ntry it:\n  curl --cacert {ca} https://{address}/readyz"));
            say(&format!(
                "  curl --cacert {ca} -H 'content-type: application/json' \\\n    \
                 --data-binary @examples/review.json https://{address}/mutate"
            ));
            say(&format!(
                "register it with a cluster that runs on this machine:\n  \
                 {} export webhook --url https://{address}/mutate --ca {ca} | kubectl apply -f -",
                quoted(&ourselves().display().to_string())
            ));
        }
        say("\nstop it with Ctrl-C; twice to stop at once\n");
    }
}

/// How the person who started us would start us again.
fn ourselves() -> PathBuf {
    std::env::args_os().next().map_or_else(|| "cni-steward".into(), PathBuf::from)
}
