//! Where `serve` listens, as the command line has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

use crate::server::listener::{BindError, bind};

/// The port of the webhook: open from the control plane in the usual EKS node security groups.
pub const PORT: u16 = 9443;

/// `--telemetry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telemetry {
    /// No listener.
    Off,
    /// A listener.
    At(SocketAddr),
}

impl FromStr for Telemetry {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" { Ok(Self::Off) } else { text.parse().map(Self::At) }
    }
}

/// Listens where `--listen` says; else on this machine only when standalone, else everywhere: over IPv6 and IPv4, or
/// over IPv4 alone where the kernel has no IPv6.
pub async fn listen(asked: Option<SocketAddr>, standalone: bool) -> Result<TcpListener, BindError> {
    if let Some(address) = asked {
        return bind(address).await;
    }
    if standalone {
        return bind((Ipv4Addr::LOCALHOST, PORT).into()).await;
    }
    match bind((Ipv6Addr::UNSPECIFIED, PORT).into()).await {
        Err(error) if error.is_no_ipv6() => bind((Ipv4Addr::UNSPECIFIED, PORT).into()).await,
        bound => bound,
    }
}

/// How a program on this machine reaches what listens on `address`.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}
