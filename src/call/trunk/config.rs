//! `[trunks.X]`: lines to carriers and to other sites.

use std::path::PathBuf;

use serde::Deserialize;

use super::peer::Peer;
use crate::id::Target;
use crate::route::config::Secret;
use crate::route::network::Network;
use crate::route::numbering::Numbering;
use crate::route::rewrite::Rewrite;
use crate::sdp::{Codec, Security};
use crate::time::Duration;

/// `[trunks.X]`: a line to a carrier or to another site; X is what rules and records call it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Trunk {
    /// Networks that its calls come from, besides the addresses of its servers:
    /// `"203.0.113.0/24"`, `"203.0.113.7"`. No two trunks may have the same. Default `[]`.
    pub addresses: Vec<Network>,
    /// The number that called parties see. Default: that of the extension's `caller_id`, or else
    /// the caller's own.
    pub caller_id: Option<String>,
    /// What `caller_id` replaces: `"own"` the numbers of extensions that have no `caller_id` of
    /// their own, `"all"` those of callers from outside too, who are passed on. Default `"own"`.
    pub caller_id_for: CallerIdFor,
    /// Rules that change the numbers of its callers; see `out`. Default `[]`.
    pub callers: Vec<Rewrite>,
    /// Calls at once, in and out; a further one out goes to `fallback` or gets 503, a further one
    /// in gets 503. Default 100.
    pub calls_max: usize,
    /// The codecs offered and accepted here, the preferred first. Default: those of `[media]`.
    pub codecs: Option<Vec<Codec>>,
    /// Calls out that may begin in a second; beyond it as beyond `calls_max`. Default 20.
    pub cps_max: u32,
    /// How keys travel: `"rfc4733"` in the audio, `"info"` as SIP INFO. Default `"rfc4733"`.
    pub digits: Digits,
    /// The trunk to try when this one does not work, such as `"trunk:other"`. Default: none.
    pub fallback: Option<Target>,
    /// The domain or address in its URIs, and where it is reached unless `targets` says otherwise:
    /// `"sip.itsp.example"`, `"203.0.113.7:5070"`. No default: every trunk needs this key.
    pub host: Option<Peer>,
    /// Where the caller's number stands: `"from"`, or `"asserted"`: P-Asserted-Identity (RFC
    /// 3325), with `username` in From. Default `"from"`.
    pub identity: Identity,
    /// Rules that change the numbers that it calls here, before routes see them; see `out`.
    /// Default `[]`.
    #[serde(rename = "in")]
    pub inward: Vec<Rewrite>,
    /// The password that the trunk must call us with, if it has an `inbound_username`. Default:
    /// none; or one of the next two keys.
    pub inbound_password: Option<Secret>,
    /// The environment variable that holds it. Default: none.
    pub inbound_password_env: Option<String>,
    /// The file whose first line it is, relative to the configuration file. Default: none.
    pub inbound_password_file: Option<PathBuf>,
    /// The user name that the trunk must call us with, wherever it calls from. Default: none, its
    /// address is enough.
    pub inbound_username: Option<String>,
    /// How numbers are written in its country and how it wants them. Default: as they are.
    pub numbers: Numbering,
    /// Whether our INVITE has the offer (`"early"`), or the trunk's answer has (`"late"`).
    /// Default `"early"`.
    pub offer: OfferIn,
    /// Rules that change the numbers called over it, such as
    /// `{ match = "~^0(\\d+)$", replace = "+86${1}" }` or `{ match = "9*", strip = 1 }`; the first
    /// that fits is applied. The numbers of `[emergency]` are left alone. Default `[]`.
    pub out: Vec<Rewrite>,
    /// The password that we register and call with. Default: none; or one of the next two keys.
    pub password: Option<Secret>,
    /// The environment variable that holds it. Default: none.
    pub password_env: Option<String>,
    /// The file whose first line it is, relative to the configuration file. Default: none.
    pub password_file: Option<PathBuf>,
    /// How often each server is asked whether it is there (OPTIONS); `"0s"`: never.
    /// Default `"30s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub qualify_every: Duration,
    /// Questions without an answer until a server is down: calls skip it at once. Default 3.
    pub qualify_failures: u32,
    /// Answers until a server that was down is up again. Default 2.
    pub qualify_successes: u32,
    /// The only realm in which `password` is used; a challenge of another one is not answered.
    /// Default: any.
    pub realm: Option<String>,
    /// Whether to register with the trunk. Needs `username`. Default false.
    pub register: bool,
    /// How long a registration is to last; it is renewed well before its end. Default `"1h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub register_expires: Duration,
    /// How long the called party may ring before the caller gets `480`. Default `"2m"`.
    #[serde(with = "crate::time::WithinDay")]
    pub ring_timeout: Duration,
    /// Whether its audio is encrypted; see `[media] srtp`. Default: as there.
    pub srtp: Option<Security>,
    /// Servers of the trunk, the first choice first: `"203.0.113.7"`, `"udp://203.0.113.7:5070"`,
    /// `"tcp://sip2.itsp.example"`. Default: `host`.
    pub targets: Vec<Peer>,
    /// How long a server may take to say anything before the next one is tried. Default `"5s"`.
    #[serde(with = "crate::time::WithinDay")]
    pub try_timeout: Duration,
    /// The user name that we register and call with. Default: none, our address is enough.
    pub username: Option<String>,
}

impl Default for Trunk {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            caller_id: None,
            caller_id_for: CallerIdFor::Own,
            callers: Vec::new(),
            calls_max: 100,
            codecs: None,
            cps_max: 20,
            digits: Digits::Rfc4733,
            fallback: None,
            host: None,
            identity: Identity::From,
            inward: Vec::new(),
            inbound_password: None,
            inbound_password_env: None,
            inbound_password_file: None,
            inbound_username: None,
            numbers: Numbering::default(),
            offer: OfferIn::Early,
            out: Vec::new(),
            password: None,
            password_env: None,
            password_file: None,
            qualify_every: Duration::from_secs(30),
            qualify_failures: 3,
            qualify_successes: 2,
            realm: None,
            register: false,
            register_expires: Duration::from_secs(3600),
            ring_timeout: Duration::from_secs(120),
            srtp: None,
            targets: Vec::new(),
            try_timeout: Duration::from_secs(5),
            username: None,
        }
    }
}

impl Trunk {
    /// Its servers, the first choice first.
    pub fn servers(&self) -> &[Peer] {
        match (&self.targets[..], &self.host) {
            ([], Some(host)) => std::slice::from_ref(host),
            (targets, _) => targets,
        }
    }
}

/// Whose number a trunk's `caller_id` replaces.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum CallerIdFor {
    All,
    #[default]
    Own,
}

/// How keys travel over a trunk.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Digits {
    Info,
    #[default]
    Rfc4733,
}

/// Where a trunk wants the caller's number.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    Asserted,
    #[default]
    From,
}

/// Which of the first two messages has the offer (RFC 3264 §4).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum OfferIn {
    #[default]
    Early,
    Late,
}
