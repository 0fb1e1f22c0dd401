//! Where `serve` has its certificate from, as the command line has it.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use crate::pki::Name;
use crate::pki::rotation::Lifetimes;
use crate::trust::{Files, Source, State};

/// Where the certificate comes from: exactly one of two ways.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// Keep a certificate authority of our own under --state; needs no cluster.
    #[arg(long, required_unless_present_any = ["cert", "instance"], conflicts_with_all = ["cert", "key", "ca"])]
    pub standalone: bool,
    /// Where ca.crt, ca.key, tls.crt and tls.key are kept [default: $XDG_STATE_HOME/cni-steward, else
    /// ~/.local/state/cni-steward].
    #[arg(long, value_name = "DIR", env = "CNI_STEWARD_STATE")]
    state: Option<PathBuf>,
    /// A further name or address the certificate is valid for, beside those of this machine's loopback; may be repeated.
    #[arg(long, value_name = "NAME|IP", requires = "standalone")]
    san: Vec<Name>,
    /// A certificate of your own (PEM, leaf first).
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The authorities that the API server was told to trust (PEM, the `caBundle`): a certificate that does not lead to
    /// one of them is refused [default: not checked].
    #[arg(long, value_name = "FILE", requires = "cert", env = "CNI_STEWARD_CA")]
    ca: Option<PathBuf>,
    /// A folder with a copy of the Secret that holds the cluster's certificate, for a start without the API server.
    #[arg(long, value_name = "DIR", requires = "instance", conflicts_with_all = ["cert", "standalone"], env = "CNI_STEWARD_SECRET")]
    pub secret: Option<PathBuf>,
    /// A file with the entries of the webhook configuration as they were rendered (a JSON list): what is stored otherwise is told.
    #[arg(long, value_name = "FILE", requires = "instance", env = "CNI_STEWARD_WEBHOOKS")]
    pub webhooks: Option<PathBuf>,
    /// How long authority and certificate live, and how long an API server may take to hear of a change; for tests.
    #[arg(long, hide = true, value_parser = lifetimes, env = "CNI_STEWARD_LIFETIMES", default_value = "87600h,2160h,2m")]
    pub lifetimes: Lifetimes,
    #[arg(long, hide = true, env = "XDG_STATE_HOME")]
    xdg_state_home: Option<OsString>,
    #[arg(long, hide = true, env = "HOME")]
    home: Option<OsString>,
}

impl TrustArgs {
    /// What the options ask for.
    /// `None` leaves the certificate to the cluster's Secret.
    pub fn source(&self) -> anyhow::Result<Option<Source>> {
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let files = Files { cert: cert.clone(), key: key.clone(), ca: self.ca.clone() };
            return Ok(Some(Source::Files(files)));
        }
        if !self.standalone {
            return Ok(None);
        }
        let absolute = |text: &OsString| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
        let directory = self
            .state
            .clone()
            .or_else(|| Some(self.xdg_state_home.as_ref().and_then(absolute)?.join("cni-steward")))
            .or_else(|| Some(self.home.as_ref().and_then(absolute)?.join(".local/state/cni-steward")))
            .ok_or_else(|| {
                anyhow!("no place for the certificate: neither XDG_STATE_HOME nor HOME is set, give --state")
            })?;
        let mut names = vec![
            Name::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Name::Ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            Name::Dns("localhost".into()),
        ];
        for name in &self.san {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Ok(Some(Source::State(State { directory, names })))
    }
}

/// `AUTHORITY,LEAF,SETTLE`.
fn lifetimes(text: &str) -> Result<Lifetimes, String> {
    let spans: Vec<_> = text.split(',').map(super::duration).collect::<Result<_, _>>()?;
    let [authority, leaf, settle] = spans.as_slice() else {
        return Err("expected three durations with commas in between".to_owned());
    };
    let span = |span| jiff::SignedDuration::try_from(span).map_err(|error: jiff::Error| error.to_string());
    Ok(Lifetimes { authority: span(*authority)?, leaf: span(*leaf)?, settle: *settle })
}
