//! A phone of JsSIP, the SIP stack of browser phones, in Node: `jssip/phone.js`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::websocket::WebsocketPhone;

/// Starts the phone; what it is told, it tells as events. It watches `colleague`.
pub fn start(
    url: &str,
    (user, password): (&str, &str),
    colleague: &str,
    domain: Ipv4Addr,
    ca: &Path,
) -> WebsocketPhone {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/jssip/phone.js");
    let mut command = Command::new("node");
    command.args([script, url, user, password, &domain.to_string(), colleague]);
    if url.starts_with("wss") {
        command.arg(ca);
    }
    WebsocketPhone::run("phone.js", command.env("NODE_PATH", modules()))
}

/// The modules that `cargo xtask test` has installed.
fn modules() -> PathBuf {
    let named = std::env::var_os("STROWGER_TEST_NODE").map(PathBuf::from);
    let modules = named.unwrap_or_else(|| {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/jssip/node_modules"))
    });
    assert!(modules.is_dir(), "{} is missing: run `cargo xtask test`", modules.display());
    modules
}
