//! The client's side: answers the challenge of a server (RFC 7616 §3.4, RFC 8760).

use std::fmt::Write as _;

use crate::sip::message::{Name, Quoted, Response};

use super::fields::Fields;
use super::hash::{Algorithm, Question, Secret};

/// Who we are at another server.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    pub user: &'a str,
    pub password: &'a str,
}

/// The header that answers a 401 or 407, and its value; nothing if no challenge can be answered.
///
/// The strongest algorithm that both know is taken. `method` and `uri` are of the request that
/// will carry it, `uri` exactly as in its first line. `cnonce` is random; `count` is how often this
/// nonce has been used with this answer, from 1.
pub fn answer(
    refusal: &Response,
    credentials: Credentials<'_>,
    method: &str,
    uri: &str,
    cnonce: &str,
    count: u32,
) -> Option<(Name, String)> {
    let (_, answers) = headers(refusal)?;
    let (algorithm, fields) = strongest(refusal)?;
    let (realm, nonce) = (fields.get("realm")?, fields.get("nonce")?);
    let count = format!("{count:08x}");
    let counted = fields.has("qop").then_some((count.as_str(), cnonce));
    let question = Question { algorithm, method, uri, nonce, counted };
    let secret = Secret::new(credentials.user, realm, credentials.password);

    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri=\"{uri}\", response=\"{}\", algorithm={}",
        Quoted(credentials.user),
        Quoted(realm),
        Quoted(nonce),
        question.response(&secret),
        algorithm.name(),
    );
    if counted.is_some() {
        write!(value, ", qop=auth, nc={count}, cnonce=\"{cnonce}\"")
            .expect("writing to a String cannot fail");
    }
    if let Some(opaque) = fields.get("opaque") {
        write!(value, ", opaque={}", Quoted(opaque)).expect("writing to a String cannot fail");
    }
    Some((answers, value))
}

/// What a refusal asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The header that asks, and the one that answers it.
    pub headers: (Name, Name),
    pub nonce: String,
    pub realm: String,
    /// The credentials were right, their nonce too old (RFC 7616 §3.3).
    pub stale: bool,
}

/// The challenge that `answer` would answer.
pub(super) fn challenge(refusal: &Response) -> Option<Challenge> {
    let (_, fields) = strongest(refusal)?;
    Some(Challenge {
        headers: headers(refusal)?,
        nonce: fields.get("nonce")?.to_owned(),
        realm: fields.get("realm")?.to_owned(),
        stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
    })
}

fn headers(refusal: &Response) -> Option<(Name, Name)> {
    match refusal.status() {
        401 => Some((Name::WwwAuthenticate, Name::Authorization)),
        407 => Some((Name::ProxyAuthenticate, Name::ProxyAuthorization)),
        _ => None,
    }
}

/// The strongest challenge that we can answer (RFC 8760 §2.4).
fn strongest(refusal: &Response) -> Option<(Algorithm, Fields<'_>)> {
    let (asks, _) = headers(refusal)?;
    let challenges = refusal.lines(asks).filter_map(|line| {
        let fields = Fields::parse(line)?;
        let algorithm = Algorithm::of(fields.get("algorithm"))?;
        can_answer(&fields).then_some((algorithm, fields))
    });
    challenges.min_by_key(|(algorithm, _)| *algorithm)
}

/// Whether the challenge is complete and wants nothing but `qop=auth`, if it wants any.
fn can_answer(fields: &Fields<'_>) -> bool {
    let qop = match fields.get("qop") {
        Some(list) => list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")),
        None => !fields.has("qop"),
    };
    qop && fields.get("realm").is_some() && fields.get("nonce").is_some()
}
