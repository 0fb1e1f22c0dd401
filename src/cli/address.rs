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

/// Listens where `--listen` says; else on this machine only when standalone, else everywhere.
pub async fn listen(asked: Option<SocketAddr>, standalone: bool) -> Result<TcpListener, BindError> {
    let default = if standalone { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    everywhere(asked.unwrap_or(SocketAddr::new(default, PORT))).await
}

/// Listens on an address. `[::]` means every address of the machine, so where the kernel has no IPv6 it means 0.0.0.0: who
/// writes a manifest for many nodes cannot know.
pub async fn everywhere(address: SocketAddr) -> Result<TcpListener, BindError> {
    match bind(address).await {
        Err(error) if error.is_no_ipv6() && address.ip().is_unspecified() => {
            bind((Ipv4Addr::UNSPECIFIED, address.port()).into()).await
        }
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
