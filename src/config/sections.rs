//! `[node]`, `[log]`, `[grpc]` and `[http]`: the daemon itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;
use tracing_subscriber::EnvFilter;

use crate::ivr::speech::Locale;
use crate::route::config::Secret;

/// `[node]`: this machine.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// Calls at once; a further one gets `503` with Retry-After. Default 5000.
    pub calls_max: usize,
    /// The folder of the ledger, recordings and generated secrets, relative to where the daemon is
    /// started. Default `"data"`.
    pub data: PathBuf,
    /// Further files, read after this one in the order of their names; relative to this file, `*`
    /// in the last part stands for anything. A key in a later file replaces the same key of an
    /// earlier one; `[[routes]]` are added at the end. Default: none.
    pub include: Vec<String>,
    /// Language of prompts and spoken numbers: `"zh-CN"` or `"en-US"`. Default `"zh-CN"`.
    pub locale: Locale,
    /// What the node is called in records. Default `"strowger"`.
    pub name: String,
    /// The node's number, below 1024: part of every call id, so no two nodes may share it.
    /// Default 0.
    pub number: u32,
    /// IANA time zone of opening hours, reports and day borders. Default `"UTC"`.
    pub zone: String,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            calls_max: 5000,
            data: PathBuf::from("data"),
            include: Vec::new(),
            locale: Locale::default(),
            name: "strowger".to_owned(),
            number: 0,
            zone: "UTC".to_owned(),
        }
    }
}

impl Node {
    /// The number as call ids have it.
    ///
    /// # Panics
    ///
    /// If the configuration was not checked.
    pub fn id(&self) -> u16 {
        u16::try_from(self.number).expect("a checked one is below 1024")
    }
}

/// `[log]`: what is logged, on the standard error output.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged: a level (`"error"` to `"trace"`), or levels of parts, such as
    /// `"info,strowger::sip=debug"`. Default `"info"`.
    pub filter: String,
    /// Lines for people (`"text"`) or one JSON object a line (`"json"`). Default `"text"`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Log {
    /// The filter, ready for use.
    ///
    /// # Errors
    ///
    /// A sentence that names what cannot be read.
    pub fn filter(&self) -> Result<EnvFilter, String> {
        EnvFilter::try_new(&self.filter).map_err(|_| {
            let is_wrong = |part: &&str| EnvFilter::try_new(part).is_err();
            let wrong = self.parts().find(is_wrong).unwrap_or(&self.filter);
            format!(
                "`{wrong}` cannot be read; write a level such as \"info\", or levels of parts such \
                 as \"info,strowger::sip=debug\""
            )
        })
    }

    /// The parts of the filter, one after the other.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.filter.split(',').filter(|part| !part.trim().is_empty())
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    Json,
    #[default]
    Text,
}

/// `[grpc]`: records and control for other programs.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Grpc {
    /// PEM file of the certificate chain, relative to the configuration file. Default: no TLS.
    pub certificate: Option<PathBuf>,
    /// PEM file of the certificate's private key, relative to the configuration file.
    /// Default: none.
    pub key: Option<PathBuf>,
    /// Where gRPC is served. An address that is not loopback needs `certificate`, `key` and a
    /// token. Default `"127.0.0.1:50051"`.
    pub listen: SocketAddr,
    /// What clients must send as `authorization: Bearer …`. Default: none.
    pub token: Option<Secret>,
    /// The environment variable that holds the token. Default: none.
    pub token_env: Option<String>,
    /// The file whose first line is the token, relative to the configuration file. Default: none.
    pub token_file: Option<PathBuf>,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50051)),
            token: None,
            token_env: None,
            token_file: None,
        }
    }
}

/// `[http]`: health and metrics.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where HTTP is served. Default `"127.0.0.1:8080"`.
    pub listen: SocketAddr,
    /// Where alarms are posted to as JSON, over plain HTTP. Default: nowhere.
    pub webhook: Option<Webhook>,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), webhook: None }
    }
}

/// An address for alarms, such as `http://127.0.0.1:9000/alarms`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct Webhook {
    /// Host and port as they are written; the port can be left out.
    pub authority: String,
    /// Host and port as they are connected to.
    pub address: String,
    /// With its `/`.
    pub path: String,
}

impl TryFrom<String> for Webhook {
    type Error = WebhookError;

    fn try_from(text: String) -> Result<Self, WebhookError> {
        let rest = text.strip_prefix("http://").ok_or(WebhookError)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let bare = authority.strip_prefix('[').and_then(|it| it.split_once(']'));
        let port = match bare {
            Some((_, rest)) => rest.strip_prefix(':'),
            None => authority.split_once(':').map(|(_, port)| port),
        };
        let has_host = !authority.is_empty() && !authority.starts_with(':');
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if !has_host || authority.contains('@') || !is_plain(&text) || !is_port {
            return Err(WebhookError);
        }
        let address = if port.is_some() { authority.into() } else { format!("{authority}:80") };
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        Ok(Self { authority: authority.to_owned(), address, path })
    }
}

/// Why a text is no address for alarms.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("write such as \"http://127.0.0.1:9000/alarms\"; a proxy on this machine can speak TLS")]
pub struct WebhookError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_for_alarms_are_plain_http() {
        let read = |text: &str| Webhook::try_from(text.to_owned());
        for (text, address, path) in [
            ("http://127.0.0.1:9000/alarms", "127.0.0.1:9000", "/alarms"),
            ("http://pager", "pager:80", "/"),
            ("http://[::1]:9000/a?b=c", "[::1]:9000", "/a?b=c"),
            ("http://[::1]", "[::1]:80", "/"),
        ] {
            let webhook = read(text).unwrap();
            assert_eq!((webhook.address.as_str(), webhook.path.as_str()), (address, path));
        }
        for wrong in
            ["https://pager/", "pager", "http://", "http://:80", "http://a:0", "http://a b"]
        {
            assert_eq!(read(wrong), Err(WebhookError), "{wrong}");
        }
        assert_eq!(read("http://a/\r\nHost: b"), Err(WebhookError));
    }
}
