//! `[defence]`: who may speak to the node at all, and how much without a password.

use serde::Deserialize;
use std::net::IpAddr;

use crate::route::network::Network;
use crate::time::Duration;

/// `[defence]`: who may speak to the node at all, and how much without a password.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Networks that may send SIP; what comes from elsewhere is not answered. Default `[]`: all.
    pub allow: Vec<Network>,
    /// Networks that may not, even if `allow` has them. Default `[]`.
    pub deny: Vec<Network>,
    /// Wrong passwords for one account from one source (an address, or an IPv6 /64) until that
    /// source is locked out of that account; wrong PINs of agents and conferences dialled at one
    /// phone, until it is asked for none; wrong PINs of a conference from one number outside, until
    /// that is not asked for it. Default 10.
    pub failures_max: u32,
    /// Wrong passwords from one source for all accounts until it is locked out of every account
    /// but those that its phones have proven; wrong PINs of a conference from all numbers of a
    /// trunk, until none of them is asked for it. Default 100.
    pub failures_of_source_max: u32,
    /// How long the first lock-out lasts; each further one lasts twice as long as the one before.
    /// Failures are forgotten after this time too. Default `"1m"`.
    #[serde(with = "crate::time::WithinYears")]
    pub lock: Duration,
    /// The longest lock-out, and how long after one the source is known as one that had it.
    /// Default `"1h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub lock_max: Duration,
    /// Sources that are told apart; beyond it those that were quiet longest are forgotten.
    /// Default 65536.
    pub sources_max: usize,
    /// Requests without good credentials that a source may send at once; beyond it they are
    /// dropped. Good credentials give theirs back. Default 1000.
    pub unauthenticated_burst: u32,
    /// How many of those it may send again each second. Default 20.
    pub unauthenticated_rate: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            failures_max: 10,
            failures_of_source_max: 100,
            lock: Duration::from_secs(60),
            lock_max: Duration::from_secs(3600),
            sources_max: 65_536,
            unauthenticated_burst: 1000,
            unauthenticated_rate: 20,
        }
    }
}

impl Config {
    /// Whether this address may speak at all.
    pub fn lets_in(&self, address: IpAddr) -> bool {
        let within = |networks: &[Network]| networks.iter().any(|net| net.contains(address));
        (self.allow.is_empty() || within(&self.allow)) && !within(&self.deny)
    }

    /// Whether somebody in this network may speak.
    pub fn lets_some_in(&self, network: &Network) -> bool {
        let is_denied =
            |deny: &Network| deny.bits() <= network.bits() && deny.contains(network.first());
        (self.allow.is_empty() || self.allow.iter().any(|allow| allow.meets(network)))
            && !self.deny.iter().any(is_denied)
    }

    /// What is wrong with the values, as pairs of key and sentence.
    pub fn mistakes(&self) -> Vec<(&'static str, &'static str)> {
        let mut mistakes = Vec::new();
        let mut need = |good: bool, key, sentence| {
            if !good {
                mistakes.push((key, sentence));
            }
        };
        let locks = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
        need(self.failures_max >= 1, "failures_max", "no phone could slip once; write 1 or more");
        need(
            self.failures_of_source_max >= self.failures_max,
            "failures_of_source_max",
            "one account would lock all of them; write `failures_max` or more",
        );
        need(
            locks.contains(&self.lock) && self.lock <= self.lock_max,
            "lock",
            "write from \"1s\" to \"24h\", and `lock_max` or less",
        );
        need(locks.contains(&self.lock_max), "lock_max", "write from \"1s\" to \"24h\"");
        need(
            self.sources_max >= 1024,
            "sources_max",
            "a flood would be forgotten at once; write 1024 or more",
        );
        need(
            self.unauthenticated_burst >= 10,
            "unauthenticated_burst",
            "a phone needs some to register; write 10 or more",
        );
        need(
            self.unauthenticated_rate >= 1,
            "unauthenticated_rate",
            "no phone could register after a burst; write 1 or more",
        );
        mistakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_networks_are_out_even_if_allowed() {
        let config: Config =
            toml::from_str("allow = ['10.0.0.0/8', '::1']\ndeny = ['10.6.6.0/24']").unwrap();

        assert!(config.lets_in("10.1.2.3".parse().unwrap()));
        assert!(config.lets_in("::1".parse().unwrap()));
        assert!(!config.lets_in("10.6.6.6".parse().unwrap()));
        assert!(!config.lets_in("192.0.2.1".parse().unwrap()));
        assert!(Config::default().lets_in("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn a_network_is_let_in_if_a_part_of_it_is() {
        let config: Config =
            toml::from_str("allow = ['10.0.0.0/8', '192.0.2.7']\ndeny = ['10.6.0.0/16']").unwrap();
        for (network, some) in [
            ("192.0.2.0/24", true),
            ("10.0.0.0/7", true),
            ("10.6.6.0/24", false),
            ("198.51.100.0/24", false),
        ] {
            let network = network.parse().unwrap();
            assert_eq!(config.lets_some_in(&network), some, "{network}");
        }
    }

    #[test]
    fn the_defaults_are_without_mistake() {
        assert_eq!(Config::default().mistakes(), []);
        let wrong = Config { lock: Duration::from_secs(7200), ..Config::default() };
        assert_eq!(wrong.mistakes()[0].0, "lock");
    }
}
