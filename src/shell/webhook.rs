//! Alarms for other programs: posted as JSON, one after the other, each tried a few times.

use std::io;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::cdr::entry::AlarmKind;
use crate::config::sections::Webhook;
use crate::shell::figures::{Alarm, Figure};
use crate::time::Duration;

/// Posts alarms until nobody gives any more.
pub async fn run(to: Webhook, mut alarms: mpsc::Receiver<Alarm>) {
    while let Some(alarm) = alarms.recv().await {
        let body = body(&alarm);
        let mut wait = RETRY_AFTER;
        for attempt in 1..=ATTEMPTS_MAX {
            let why = match timeout(ANSWER_MAX, post(&to, &body)).await {
                Ok(Ok(200..=299)) => break,
                Ok(Ok(status)) => format!("status {status}"),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            warn!(to = %to.address, attempt, why, "an alarm is not taken");
            if attempt < ATTEMPTS_MAX {
                sleep(wait).await;
            }
            wait *= 2;
        }
    }
}

/// What is posted.
fn body(alarm: &Alarm) -> String {
    let mut body = json!({
        "queue": alarm.queue.as_str(),
        "raised": alarm.raised,
        "time": alarm.at.to_string(),
    });
    match alarm.what {
        Figure::ServiceLevel { percent, target } => {
            body["alarm"] = "service_level".into();
            body["percent"] = percent.into();
            body["target"] = target.into();
        }
        Figure::Limit { kind, value, limit } => {
            body["alarm"] = match kind {
                AlarmKind::LongestHold => "longest_hold".into(),
                AlarmKind::LongestWait => "longest_wait".into(),
                AlarmKind::Nobody => "nobody".into(),
                AlarmKind::Waiting => "waiting".into(),
            };
            body["value"] = value.into();
            body["limit"] = limit.into();
        }
    }
    body.to_string()
}

/// Posts once: the status of the answer.
async fn post(to: &Webhook, body: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(&to.address).await?;
    let Webhook { authority, path, .. } = to;
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < STATUS_LINE_MAX {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    status.ok_or_else(|| io::Error::other("what answers is no HTTP server"))
}

/// How often an alarm is tried.
const ATTEMPTS_MAX: u32 = 5;
/// The time between the first two; it doubles.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Bytes in which the answer's first line must end.
const STATUS_LINE_MAX: usize = 4096;
/// Alarms that wait; a further one is lost, and logged.
pub const ALARMS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::time::Wall;

    #[tokio::test]
    async fn an_alarm_is_posted_until_it_is_taken() {
        let pager = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/alarms", pager.local_addr().unwrap());
        let (sender, alarms) = mpsc::channel(ALARMS_MAX);
        tokio::spawn(run(Webhook::try_from(url).unwrap(), alarms));
        for raised in [true, false] {
            let at = Wall::from_micros(0);
            let what = match raised {
                true => Figure::ServiceLevel { percent: 71.5, target: 80 },
                false => Figure::Limit { kind: AlarmKind::Waiting, value: 7, limit: 10 },
            };
            let alarm = Alarm { queue: "sales".into(), raised, at, what };
            sender.send(alarm).await.unwrap();
        }

        let refused = take(&pager, "HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        let taken = take(&pager, "HTTP/1.1 204 No Content\r\n\r\n").await;
        let second = take(&pager, "HTTP/1.1 200 OK\r\n\r\n").await;

        assert_eq!(refused, taken);
        assert!(taken.starts_with("POST /alarms HTTP/1.1\r\nHost: 127.0.0.1:"), "{taken}");
        let body = |text: &str| -> serde_json::Value {
            serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
        };
        assert_eq!(body(&taken)["queue"], "sales");
        assert_eq!(body(&taken)["raised"], true);
        assert_eq!(body(&taken)["percent"], 71.5);
        assert_eq!(body(&second)["raised"], false);
        assert_eq!(
            (&body(&second)["alarm"], &body(&second)["value"]),
            (&"waiting".into(), &7.into())
        );
        assert_eq!(body(&second)["time"], "1970-01-01T00:00:00.000000Z");
    }

    /// One request, answered so.
    async fn take(pager: &TcpListener, answer: &str) -> String {
        let (mut stream, _) = pager.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            assert!(stream.read_buf(&mut request).await.unwrap() > 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    }
}
