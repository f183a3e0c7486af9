//! The server's side: challenges requests, and tells who they are from.
//!
//! Spec:     RFC 7616, RFC 8760, RFC 3261 §22.
//! In:       requests, with the accounts' secrets.
//! Out:      the user's name, or the 401 or 403 that the sender gets.
//! Not here: what a user may do.
//!
//! An unknown user costs the same time and gets the same answer as a wrong password, whatever the
//! method. A nonce that is not ours gets `stale=true` whatever the password; one that is too old or
//! was used with that count only with the right password (RFC 7616 §3.3): the phone tries again by
//! itself, and a wrong guess counts as one.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::rng::Rng;
use crate::sip::message::{Name, Quoted, Request, Response, Uri};
use crate::time::{Duration, Instant};

use super::fields::Fields;
use super::guard::{Guard, Limits, Lock, Sender};
use super::hash::{Algorithm, Question, Secret};
use super::nonce::{Judgement, Nonces};

/// What challenges ask for, and how long they are good for.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The hashes that phones are offered, the preferred first. Default `["md5"]`.
    ///
    /// `["sha-256", "md5"]` is better where every phone knows RFC 8760. Many do not, and some of
    /// those (baresip before 2.0, SIPp 3.6) give up when they see a hash that they do not know,
    /// wherever it stands in the list.
    pub algorithms: Vec<Algorithm>,
    /// How many wrong passwords are borne. Not written here: `[defence]` says it.
    #[serde(skip)]
    pub guard: Limits,
    /// How long a phone may use one challenge before it gets another. Default `"10m"`.
    #[serde(with = "crate::time::WithinYears")]
    pub nonce_lifetime: Duration,
    /// Challenges in use at a time; beyond it the oldest end early. Default 100000.
    pub nonces_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Md5],
            guard: Limits::default(),
            nonce_lifetime: Duration::from_secs(600),
            nonces_max: 100_000,
        }
    }
}

/// What a request's credentials are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Too many wrong ones came from there; these were not looked at.
    Locked { wait: Duration },
    /// There are none, or none that could be judged.
    Missing,
    /// They answer a challenge that is over or not ours. `proven`: it was ours, it is only too old,
    /// and the password is right.
    Stale { proven: bool },
    /// They are right.
    User(String),
    /// `lock` is the lock-out that begins with them.
    Wrong { lock: Option<Lock> },
}

/// Challenges requests and checks their credentials.
#[derive(Debug)]
pub struct Auth {
    algorithms: Vec<Algorithm>,
    realm: String,
    opaque: String,
    nonces: Nonces,
    guard: Guard,
    /// Stands in for the secret of an unknown user.
    nobody: Secret,
}

impl Auth {
    /// `realm` is what secrets were made with; phones show it to their users.
    pub fn new(realm: &str, config: &Config, rng: &mut Rng) -> Self {
        let mut key = [0; 32];
        key.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.u64().to_be_bytes()));
        Self {
            algorithms: config.algorithms.clone(),
            realm: realm.to_owned(),
            opaque: rng.token(8),
            nonces: Nonces::new(key, config.nonce_lifetime, config.nonces_max),
            guard: Guard::new(config.guard.clone()),
            nobody: Secret::new("", realm, &rng.token(16)),
        }
    }

    /// Changed limits count from the next guess on.
    pub fn limit(&mut self, limits: Limits) {
        self.guard.configure(limits);
    }

    /// The response to a request without good credentials: 401 with a challenge for each algorithm,
    /// or 403 with Retry-After.
    pub fn refusal(
        &mut self,
        now: Instant,
        client: IpAddr,
        request: &Request,
        verdict: &Verdict,
    ) -> Response {
        let tag = self.tag(request);
        if let Verdict::Locked { wait } = verdict {
            let response = Response::build(request, 403, Some(&tag));
            return response.header(Name::RetryAfter, wait.as_secs() + 1).response();
        }
        let stale = matches!(verdict, Verdict::Stale { .. });
        let mut response = Response::build(request, 401, Some(&tag));
        for challenge in self.challenges(now, client, stale) {
            response = response.header(Name::WwwAuthenticate, challenge);
        }
        response.response()
    }

    /// A To tag that is the same for each copy of a request, of which nothing is remembered
    /// (RFC 3261 §8.2.7).
    pub fn tag(&self, request: &Request) -> String {
        self.nonces.tag(&[request.call_id(), request.via().branch().unwrap_or_default()])
    }

    /// The values of the WWW-Authenticate headers of a 401, the preferred first.
    pub fn challenges(&mut self, now: Instant, source: IpAddr, stale: bool) -> Vec<String> {
        let challenge = |algorithm: &Algorithm| {
            let nonce = self.nonces.issue(now, source);
            let (realm, opaque, name) = (Quoted(&self.realm), &self.opaque, algorithm.name());
            let stale = if stale { ", stale=true" } else { "" };
            format!(
                "Digest realm={realm}, nonce=\"{nonce}\", opaque=\"{opaque}\", \
                 algorithm={name}, qop=\"auth\"{stale}"
            )
        };
        self.algorithms.iter().map(challenge).collect()
    }

    /// Judges the credentials of a request (its Authorization header), once: a second time they are
    /// a replay.
    ///
    /// `proven` says whether the sender's flow has proven a password of the account named before.
    pub fn check<'s>(
        &mut self,
        now: Instant,
        remote: (SocketAddr, IpAddr),
        request: &Request,
        proven: impl Fn(&str) -> bool,
        secret_of: impl Fn(&str) -> Option<&'s Secret>,
    ) -> Verdict {
        let ours = request.lines(Name::Authorization).find_map(|line| {
            let fields = Fields::parse(line)?;
            (fields.get("realm") == Some(&self.realm)).then_some(fields)
        });
        let Some(fields) = ours else { return Verdict::Missing };
        let given = Given::read(&fields, request)
            .filter(|given| self.algorithms.contains(&given.question.algorithm));
        let Some(given) = given else { return Verdict::Missing };
        let (remote, source) = remote;
        let sender = Sender { remote, source, proven: proven(given.user) };
        if let Some(wait) = self.guard.locked(now, &sender, given.user) {
            return Verdict::Locked { wait };
        }
        let stamp = match self.nonces.judge(now, given.question.nonce, remote.ip()) {
            Judgement::Fresh(stamp) => Some(stamp),
            Judgement::Stale => None,
            Judgement::Unknown => return Verdict::Stale { proven: false },
        };
        let secret = secret_of(given.user);
        let wanted = given.question.response(secret.unwrap_or(&self.nobody));
        let response = given.response.to_ascii_lowercase();
        let is_right = bool::from(wanted.as_bytes().ct_eq(response.as_bytes()));
        if !is_right || secret.is_none() {
            return Verdict::Wrong { lock: self.guard.failed(now, &sender, given.user) };
        }
        let Some(stamp) = stamp else { return Verdict::Stale { proven: true } };
        if !self.nonces.count(now, stamp, given.count) {
            return Verdict::Stale { proven: false };
        }
        self.guard.succeeded(&sender, given.user);
        Verdict::User(given.user.to_owned())
    }
}

/// Credentials that are complete and fit their request.
struct Given<'a> {
    user: &'a str,
    response: &'a str,
    /// The nonce count; 0 for a client that knows none, so that its nonce is good for one request.
    count: u32,
    question: Question<'a>,
}

impl<'a> Given<'a> {
    fn read(fields: &'a Fields<'_>, request: &'a Request) -> Option<Self> {
        let uri = fields.get("uri").filter(|uri| is_for(uri, request))?;
        let counted = match fields.get("qop") {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                Some((fields.get("nc")?, fields.get("cnonce")?))
            }
            Some(_) => return None,
            None if fields.has("qop") => return None,
            None => None,
        };
        let count = match counted {
            Some((nc, _)) if nc.len() == 8 && nc.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u32::from_str_radix(nc, 16).ok()?
            }
            Some(_) => return None,
            None => 0,
        };
        let algorithm = match fields.has("algorithm") {
            true => Algorithm::of(Some(fields.get("algorithm")?))?,
            false => Algorithm::Md5,
        };
        let (method, nonce) = (request.method_text(), fields.get("nonce")?);
        Some(Self {
            user: fields.get("username")?,
            response: fields.get("response")?,
            count,
            question: Question { algorithm, method, uri, nonce, counted },
        })
    }
}

/// Whether the credentials' `uri` is that of the request: as text, or else as a place to go.
///
/// Some phones leave the parameters out, or name the registrar with its port; some (SIPp) name the
/// server without the user. That still binds the credentials to this server, and the nonce count to
/// this one request.
fn is_for(uri: &str, request: &Request) -> bool {
    if uri == request.uri_text() {
        return true;
    }
    let (Ok(given), Ok(asked)) = (Uri::parse(uri), request.uri()) else { return false };
    let user = given.user_unescaped();
    given.scheme() == asked.scheme()
        && (user.is_none() || user == asked.user_unescaped())
        && given.host().is_same(&asked.host())
        && given.port().unwrap_or(5060) == asked.port().unwrap_or(5060)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::digest::answer::{Credentials, answer};
    use crate::sip::message::{Message, Method};

    #[test]
    fn a_phone_that_answers_the_challenge_is_known() {
        let mut server = Server::new();
        let refusal = server.refuses(&request(None));
        assert_eq!(refusal.status(), 401);
        let challenges: Vec<_> = refusal.lines(Name::WwwAuthenticate).collect();
        assert!(challenges[0].contains("algorithm=SHA-256"), "{challenges:?}");
        assert!(challenges[1].contains("algorithm=MD5"), "{challenges:?}");
        assert!(challenges.iter().all(|challenge| challenge.contains("qop=\"auth\"")));

        for count in 1..4 {
            let value = credentials(&refusal, "password", count);
            assert!(value.contains("algorithm=SHA-256"));
            assert_eq!(server.checks(&request(Some(&value))), known());
        }
    }

    #[test]
    fn a_phone_that_knows_only_md5_is_known_too() {
        let mut server = Server::new();
        let refusal = server.refuses(&request(None));
        let text = String::from_utf8(refusal.bytes().to_vec()).unwrap();
        let only_md5 = response(&text.replace("SHA-256", "SHA-512-256"));

        let value = credentials(&only_md5, "password", 1);

        assert!(value.contains("algorithm=MD5"));
        assert_eq!(server.checks(&request(Some(&value))), known());
        let silent = value.replace(", algorithm=MD5", "");
        // The same count once more: right, but used.
        assert_eq!(server.checks(&request(Some(&silent))), stale());
    }

    /// A phone that knows only MD5 may give up when it sees anything else.
    #[test]
    fn what_is_not_offered_is_not_accepted() {
        let mut both = Server::new();
        let mut server = Server {
            auth: Auth::new(REALM, &Config::default(), &mut Rng::from_number(1)),
            ..Server::new()
        };
        let refusal = server.refuses(&request(None));
        let challenges: Vec<_> = refusal.lines(Name::WwwAuthenticate).collect();
        assert_eq!(challenges.len(), 1);
        assert!(challenges[0].contains("algorithm=MD5"));

        // The same key, so the nonce is known; but nobody asked for SHA-256.
        let sha_256 = credentials(&both.refuses(&request(None)), "password", 1);
        let verdict = server.checks(&request(Some(&sha_256)));
        assert_eq!(verdict, Verdict::Missing);
        let md5 = credentials(&refusal, "password", 1);
        assert_eq!(server.checks(&request(Some(&md5))), known());
    }

    /// The header of somebody else's request is worth nothing.
    #[test]
    fn replayed_credentials_are_refused() {
        let mut server = Server::new();
        let refusal = server.refuses(&request(None));
        let value = credentials(&refusal, "password", 1);
        assert_eq!(server.checks(&request(Some(&value))), known());

        assert_eq!(server.checks(&request(Some(&value))), stale());

        let refusal = server.refuses(&request(Some(&value)));
        assert!(refusal.header(Name::WwwAuthenticate).unwrap().contains("stale=true"));
    }

    #[test]
    fn a_nonce_that_was_never_issued_is_refused() {
        let mut server = Server::new();
        let mut other = Server {
            auth: Auth::new(REALM, &Config::default(), &mut Rng::from_number(2)),
            ..Server::new()
        };
        let refusal = other.refuses(&request(None));

        assert_eq!(server.checks(&request(Some(&credentials(&refusal, "password", 1)))), stale());
    }

    #[test]
    fn a_challenge_ends() {
        let mut server = Server::new();
        let refusal = server.refuses(&request(None));
        server.now = server.now + Duration::from_secs(601);

        let right = request(Some(&credentials(&refusal, "password", 1)));
        assert_eq!(server.checks(&right), Verdict::Stale { proven: true });
        // Else an old challenge would be good for guessing for ever.
        let wrong = request(Some(&credentials(&refusal, "guess", 1)));
        assert_eq!(server.checks(&wrong), Verdict::Wrong { lock: None });
    }

    #[test]
    fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
        let mut server = Server::new();
        let refusal = server.refuses(&request(None));
        let wrong = credentials(&refusal, "guess", 1);
        let unknown = wrong.replace("username=\"1001\"", "username=\"9999\"");

        assert_eq!(server.checks(&request(Some(&wrong))), Verdict::Wrong { lock: None });
        assert_eq!(server.checks(&request(Some(&unknown))), Verdict::Wrong { lock: None });
        // The stand-in's own password opens nothing either: there is no such account.
        let nobody = Secret::new("", REALM, "");
        assert_ne!(server.auth.nobody, nobody);
    }

    #[test]
    fn guessing_is_slowed_down() {
        let mut server = Server::new();
        for _ in 0..10 {
            let refusal = server.refuses(&request(None));
            let wrong = request(Some(&credentials(&refusal, "guess", 1)));
            assert_eq!(server.refuses(&wrong).status(), 401);
        }
        let refusal = server.refuses(&request(None));
        let right = request(Some(&credentials(&refusal, "password", 1)));

        let locked = server.refuses(&right);
        assert_eq!(locked.status(), 403);
        assert_eq!(locked.header(Name::RetryAfter), Some("61"));
        server.now = server.now + Duration::from_secs(60);
        assert_eq!(server.checks(&right), known());
    }

    /// The URI is hashed as it was written: a parameter's case, an escape, all of it.
    #[test]
    fn the_uri_is_taken_as_text() {
        for uri in [
            "sip:pbx.example;transport=tcp",
            "sip:PBX.example;Transport=TCP",
            "sip:pbx.example:5060",
            "sip:pbx.example",
        ] {
            let mut server = Server::new();
            let refusal = server.refuses(&request(None));
            let value = credentials_for(&refusal, "password", 1, uri);
            assert_eq!(server.checks(&request(Some(&value))), known(), "{uri}");
        }
        for uri in [
            "sip:1002@pbx.example",
            "sip:other.example",
            "sips:pbx.example",
            "sip:pbx.example:5070",
        ] {
            let mut server = Server::new();
            let refusal = server.refuses(&request(None));
            let value = credentials_for(&refusal, "password", 1, uri);
            let verdict = server.checks(&request(Some(&value)));
            assert_eq!(verdict, Verdict::Missing, "{uri}");
        }
    }

    /// RFC 2069 clients send no count: each challenge is good for one request.
    #[test]
    fn without_qop_a_challenge_works_once() {
        let mut server = Server::new();
        let refusal = server.refuses(&request(None));
        let text = String::from_utf8(refusal.bytes().to_vec()).unwrap();
        let plain = response(&text.replace(", qop=\"auth\"", ""));
        let value = credentials(&plain, "password", 1);
        assert!(!value.contains("qop"));

        assert_eq!(server.checks(&request(Some(&value))), known());
        assert_eq!(server.checks(&request(Some(&value))), stale());
    }

    #[test]
    fn incomplete_credentials_are_none() {
        let mut server = Server::new();
        let refusal = server.refuses(&request(None));
        let good = credentials(&refusal, "password", 1);
        for (from, to) in [
            ("Digest", "Basic"),
            ("realm=\"pbx.example\"", "realm=\"else\""),
            ("qop=auth", "qop=auth-int"),
            ("nc=00000001", "nc=1"),
            ("nc=00000001", "nc=+0000001"),
            ("nc=00000001, ", ""),
            ("cnonce", "dnonce"),
            ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
            ("algorithm=SHA-256", "algorithm=SHA-256, algorithm=MD5"),
            ("username", "user"),
            ("response=\"", "response=\"0"),
        ] {
            let value = good.replacen(from, to, 1);
            assert_ne!(value, good);
            let verdict = server.checks(&request(Some(&value)));
            let is_none = if from.starts_with("response") {
                Verdict::Wrong { lock: None }
            } else {
                Verdict::Missing
            };
            assert_eq!(verdict, is_none, "{value}");
        }
        assert_eq!(server.checks(&request(Some(&good))), known());
    }

    const REALM: &str = "pbx.example";
    const URI: &str = "sip:pbx.example;transport=tcp";

    const HOME: Sender = {
        let source = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
        Sender { remote: SocketAddr::new(source, 5060), source, proven: false }
    };

    struct Server {
        auth: Auth,
        secret: Secret,
        now: Instant,
    }

    impl Server {
        fn new() -> Self {
            let both = vec![Algorithm::Sha256, Algorithm::Md5];
            let config = Config { algorithms: both, ..Config::default() };
            let auth = Auth::new(REALM, &config, &mut Rng::from_number(1));
            Self { auth, secret: Secret::new("1001", REALM, "password"), now: Instant::START }
        }

        fn checks(&mut self, request: &Request) -> Verdict {
            let secret_of = |user: &str| (user == "1001").then_some(&self.secret);
            let remote = (HOME.remote, HOME.source);
            self.auth.check(self.now, remote, request, |_| false, secret_of)
        }

        fn refuses(&mut self, request: &Request) -> Response {
            let verdict = self.checks(request);
            assert!(!matches!(verdict, Verdict::User(_)));
            self.auth.refusal(self.now, HOME.source, request, &verdict)
        }
    }

    fn known() -> Verdict {
        Verdict::User("1001".to_owned())
    }

    /// The challenge is over or was never ours.
    fn stale() -> Verdict {
        Verdict::Stale { proven: false }
    }

    fn credentials(refusal: &Response, password: &str, count: u32) -> String {
        credentials_for(refusal, password, count, URI)
    }

    fn credentials_for(refusal: &Response, password: &str, count: u32, uri: &str) -> String {
        let who = Credentials { user: "1001", password };
        let (name, value) = answer(refusal, who, "REGISTER", uri, "c0ffee", count).unwrap();
        assert_eq!(name, Name::Authorization);
        value
    }

    fn request(authorization: Option<&str>) -> Request {
        let mut request = Request::build(Method::Register, URI)
            .via("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1")
            .header(Name::From, "<sip:1001@pbx.example>;tag=a")
            .header(Name::To, "<sip:1001@pbx.example>")
            .header(Name::CallId, "c")
            .header(Name::CSeq, "1 REGISTER");
        if let Some(value) = authorization {
            request = request.header(Name::Authorization, value);
        }
        request.request()
    }

    fn response(text: &str) -> Response {
        match Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap() {
            Message::Response(response) => response,
            Message::Request(_) => panic!("not a response"),
        }
    }
}
