//! Keys that travel as SIP INFO (RFC 6086), where the audio does not carry them.

use super::{Confirmed, Output};
use crate::call::site::Site;
use crate::sip::message::Method;

/// Sends a key to the peer.
pub(super) fn send_key(
    site: &mut Site<'_>,
    confirmed: &mut Confirmed,
    key: char,
    out: &mut Vec<Output>,
) {
    if confirmed.leaving.is_some() {
        return;
    }
    let body = format!("Signal={key}\r\nDuration={KEY_MS}\r\n");
    let info = confirmed.dialog.request(Method::Info).body(DTMF_RELAY, body.as_bytes());
    let (client, flow) = (site.client(), confirmed.dialog.next_hop());
    out.push(Output::Request { client, flow, request: info.request() });
}

const DTMF_RELAY: &str = "application/dtmf-relay";
/// How long a key is said to have been pressed, in milliseconds.
const KEY_MS: u32 = 160;
