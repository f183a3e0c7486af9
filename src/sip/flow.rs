//! Where a message came from and how to answer it.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// Whether what is sent arrives, or the sender is told (RFC 3261 §17): no resending over it.
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp)
    }

    /// As written in a Via header: `UDP`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }

    /// As written in a URI's `transport` parameter: `udp`.
    pub const fn param(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Counts the stream connections of the process; 0 is none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ConnectionId(pub u64);

/// A way to a peer, and the address of ours that it sees.
///
/// What comes back over the same flow passes every NAT that the request passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    pub transport: Transport,
    /// Our address as the peer must be told (Via, Contact): never unspecified.
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The stream connection to use while it is open; 0 for UDP or to open one to `remote`.
    pub connection: ConnectionId,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.param(), self.remote)
    }
}
