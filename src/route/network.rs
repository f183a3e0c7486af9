//! Networks of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The addresses whose first bits are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// Its first address, which stands for all of it.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// How many bits of its addresses are the same: 0 for every address there is.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether some address lies in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// Whether no address of the Internet lies in it (RFC 1918, RFC 4193; loopback; link-local).
    pub fn is_private(&self) -> bool {
        const PRIVATE: [Network; 8] = [
            Network { first: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), bits: 8 },
            Network { first: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 },
            Network { first: IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), bits: 16 },
            Network { first: IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), bits: 12 },
            Network { first: IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), bits: 16 },
            Network { first: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 },
            Network { first: IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), bits: 7 },
            Network { first: IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), bits: 10 },
        ];
        PRIVATE.iter().any(|whole| self.bits >= whole.bits && whole.contains(self.first))
    }

    /// Whether `address` lies in it. An IPv4 address in IPv6 clothes is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && first_of(address, self.bits) == self.first
    }
}

/// The address with all bits but the first `bits` cleared.
fn first_of(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.first.is_ipv4() { 32 } else { 128 };
        if self.bits == whole {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}/{}", self.first, self.bits)
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError::Malformed(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => whole,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= whole).ok_or_else(wrong)?,
        };
        let first = first_of(address, bits);
        if first == address {
            Ok(Self { first, bits })
        } else {
            Err(NetworkError::Inside { text: text.to_owned(), right: Self { first, bits } })
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NetworkVisitor)
    }
}

/// Reads a network inside the reader, so that a mistake is found at its place in the list.
struct NetworkVisitor;

impl Visitor<'_> for NetworkVisitor {
    type Value = Network;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Network, E> {
        text.parse().map_err(E::custom)
    }
}

/// Why a text is no network.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NetworkError {
    #[error("`{text}` begins inside a network; write `{right}`")]
    Inside { text: String, right: Network },
    #[error("`{0}` is no network; write `192.0.2.0/24`, `2001:db8::/32` or an address")]
    Malformed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_other() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn private_networks_have_no_address_of_the_internet() {
        for private in ["10.0.0.0/8", "10.1.2.3", "172.16.0.0/12", "192.168.7.0/24", "fd00::/8"] {
            assert!(private.parse::<Network>().unwrap().is_private(), "{private}");
        }
        for public in ["0.0.0.0/0", "8.0.0.0/7", "172.0.0.0/8", "192.0.0.0/8", "::/0", "2000::/3"] {
            assert!(!public.parse::<Network>().unwrap().is_private(), "{public}");
        }
    }

    #[test]
    fn networks_print_as_they_are_written() {
        for text in ["192.0.2.0/24", "192.0.2.7", "::/0", "2001:db8::1"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "lan", "192.0.2.0/33", "192.0.2.0/", "2001:db8::/129", "192.0.2"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Malformed(text.to_owned())));
        }
        let inside = "192.0.2.7/24".parse::<Network>().unwrap_err();
        assert!(inside.to_string().ends_with("write `192.0.2.0/24`"), "{inside}");
    }
}
