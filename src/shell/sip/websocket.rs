//! SIP over WebSocket (RFC 7118): browsers connect to us; one message a frame.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message as Frame, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::stream::{Served, reply, take_message};
use super::{Shared, count};
use crate::sip::message::MESSAGE_BYTES_MAX;

/// A connection after its handshake.
pub(super) type Socket<S> = WebSocketStream<S>;

/// Why there was no handshake: the peer has been told.
pub(super) type Refused = Box<tokio_tungstenite::tungstenite::Error>;

/// Shakes hands: the subprotocol must be `sip` (RFC 7118 §4.1), the page's origin an allowed one.
pub(super) async fn accept<S>(stream: S, shared: &Shared) -> Result<Socket<S>, Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .max_write_buffer_size(shared.limits.queued_bytes_max);
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let check =
        |request: &Request, mut response: Response| match wrong(request.headers(), &shared.origins)
        {
            None => {
                let sip = HeaderValue::from_static(SUBPROTOCOL);
                response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, sip);
                Ok(response)
            }
            Some((status, why)) => {
                let mut refusal = ErrorResponse::new(Some(why.to_owned()));
                *refusal.status_mut() = status;
                Err(refusal)
            }
        };
    accept_hdr_async_with_config(stream, check, Some(limits)).await.map_err(Box::new)
}

/// What keeps a handshake from being accepted.
fn wrong(headers: &HeaderMap, origins: &[String]) -> Option<(StatusCode, &'static str)> {
    let text = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let mut protocols = text(header::SEC_WEBSOCKET_PROTOCOL).flat_map(|line| line.split(','));
    if !protocols.any(|protocol| protocol.trim().eq_ignore_ascii_case(SUBPROTOCOL)) {
        return Some((StatusCode::BAD_REQUEST, "the subprotocol must be sip"));
    }
    let mut given = text(header::ORIGIN);
    let is_allowed = |origin: &str| origins.iter().any(|one| one.eq_ignore_ascii_case(origin));
    if !origins.is_empty() && !given.next().is_some_and(is_allowed) {
        return Some((StatusCode::FORBIDDEN, "this page may not register phones here"));
    }
    None
}

/// Serves a connection until it ends, then tells all who used it.
pub(super) async fn serve<S>(mut socket: Socket<S>, mut served: Served)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connection = served.connection.clone();
    let mut closing = served.closing.clone();
    tokio::select! {
        _ = closing.changed() => return,
        () = connection.cut.notified() => {}
        () = talk(&mut socket, &mut served) => {}
    }
    let _ = timeout(GOODBYE_TIMEOUT, socket.close(None)).await;
    drop(socket);
    served.end().await;
}

/// Reads frames and writes what is queued, until the peer is silent for too long or breaks a rule.
async fn talk<S>(socket: &mut Socket<S>, served: &mut Served)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = served.shared.limits;
    let opened_at = Instant::now();
    let (mut heard_at, mut pinged_at) = (opened_at, opened_at);
    let mut has_spoken = false;
    loop {
        let next = (heard_at.max(pinged_at) + PING_EVERY).min(heard_at + SILENCE_MAX);
        let next = if has_spoken { next } else { next.min(opened_at + limits.message_timeout) };
        let sending = tokio::select! {
            frame = socket.next() => {
                let Some(Ok(frame)) = frame else { return };
                heard_at = Instant::now();
                match receive(frame, served).await {
                    Some(was_message) => has_spoken |= was_message,
                    None => return,
                }
                continue;
            }
            bytes = served.queued.recv() => match bytes {
                Some(bytes) => frame_of(bytes),
                None => return,
            },
            () = tokio::time::sleep_until(next) => {
                let now = Instant::now();
                let is_late = !has_spoken && now >= opened_at + limits.message_timeout;
                if is_late || now >= heard_at + SILENCE_MAX {
                    return;
                }
                pinged_at = now;
                Frame::Ping(Bytes::new())
            }
        };
        let size = if sending.is_ping() { 0 } else { sending.len() };
        match timeout(limits.write_timeout, socket.send(sending)).await {
            Ok(Ok(())) => served.connection.written(size),
            Ok(Err(_)) => return,
            Err(_) => {
                count(&served.shared.counters.refused);
                return;
            }
        }
    }
}

/// Handles one frame; whether it was a SIP message, nothing if the connection is over.
async fn receive(frame: Frame, served: &Served) -> Option<bool> {
    let Served { flow, connection, shared, .. } = served;
    let bytes = match frame {
        Frame::Text(text) => Bytes::from(text),
        Frame::Binary(bytes) => bytes,
        Frame::Ping(_) | Frame::Pong(_) => {
            count(&shared.counters.keep_alives); // the library answers a ping by itself
            return Some(false);
        }
        Frame::Close(_) | Frame::Frame(_) => return None,
    };
    match &bytes[..] {
        b"" | b"\r\n" => count(&shared.counters.keep_alives),
        // The ping of RFC 5626 §4.4.1, which some phones send here too.
        b"\r\n\r\n" => {
            count(&shared.counters.keep_alives);
            reply(Bytes::from_static(b"\r\n"), connection, shared);
        }
        _ => return Some(take_message(bytes, *flow, connection, shared).await),
    }
    Some(false)
}

/// A text frame, as browsers expect; binary if it is no UTF-8 (RFC 7118 §5).
fn frame_of(bytes: Bytes) -> Frame {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Frame::Text(text),
        Err(_) => Frame::Binary(bytes),
    }
}

/// RFC 7118 §4.1.
const SUBPROTOCOL: &str = "sip";
/// Silence after which the peer is asked whether it is still there; proxies cut at 60 s.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Silence after which it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(75);
/// How long the closing handshake may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_allowed_origins_speak_sip() {
        let check = |protocol: &'static str, origin: Option<&'static str>, origins: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            wrong(&headers, &origins).map(|(status, _)| status.as_u16())
        };

        assert_eq!(check("sip", None, &[]), None);
        assert_eq!(check("chat, SIP", Some("https://a.example"), &[]), None);
        assert_eq!(check("chat", None, &[]), Some(400));
        let ours = ["https://phone.example"];
        assert_eq!(check("sip", Some("https://phone.example"), &ours), None);
        assert_eq!(check("sip", Some("https://evil.example"), &ours), Some(403));
        assert_eq!(check("sip", None, &ours), Some(403));
    }
}
