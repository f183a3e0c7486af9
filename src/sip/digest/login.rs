//! Our account at another server: answers its challenges, request by request (RFC 3261 §22.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::answer::{Credentials, answer, challenge};
use crate::rng::Rng;
use crate::sip::message::{Name, Request, Response};

/// An account at another server, and what it last challenged us with.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    user: String,
    password: String,
    /// The only realm that is answered; all are if there is none.
    realm: Option<String>,
    /// The nonce that was answered last, and how often (RFC 7616 §3.4, `nc`).
    nonce: String,
    count: u32,
}

impl Login {
    pub fn new(user: &str, password: &str, realm: Option<&str>) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            realm: realm.map(str::to_owned),
            nonce: String::new(),
            count: 0,
        }
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// `request` again with the CSeq `number` and credentials; `None` if it makes no sense to.
    ///
    /// A request that had credentials already is sent again only if they were too old
    /// (`stale=true`), or another realm asks too; and never more than `ANSWERS_MAX` times, which
    /// its sender counts in `answers`.
    pub fn answer(
        &mut self,
        rng: &mut Rng,
        refusal: &Response,
        request: &Request,
        (number, answers): (u32, u8),
    ) -> Option<Request> {
        if answers >= ANSWERS_MAX {
            return None;
        }
        let asked = challenge(refusal)?;
        if self.realm.as_ref().is_some_and(|realm| *realm != asked.realm) {
            return None;
        }
        let (_, answers_in) = asked.headers;
        let again = request.lines(answers_in).any(|line| is_of_realm(line, &asked.realm));
        if again && !asked.stale {
            return None; // a wrong password stays wrong
        }
        self.count = if asked.nonce == self.nonce { self.count.saturating_add(1) } else { 1 };
        self.nonce.clone_from(&asked.nonce);
        let credentials = Credentials { user: &self.user, password: &self.password };
        let (method, uri) = (request.method_text(), request.uri_text());
        let (name, value) = answer(refusal, credentials, method, uri, &rng.token(8), self.count)?;
        Some(with_credentials(request, number, (name, &value), &asked.realm))
    }
}

/// Never shows the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The same request with another CSeq number; credentials for `realm` are replaced.
fn with_credentials(
    old: &Request,
    number: u32,
    (name, value): (Name, &str),
    realm: &str,
) -> Request {
    let mut request = Request::build(old.method(), old.uri_text());
    for (known, text) in old.all() {
        let replaced = known.eq_ignore_ascii_case(name.text()) && is_of_realm(text, realm);
        if known.eq_ignore_ascii_case(Name::CSeq.text()) {
            request = request.header(Name::CSeq, format_args!("{number} {}", old.method_text()));
        } else if !replaced {
            request = request.header_named(known, text);
        }
    }
    if let Some(kind) = old.content_type() {
        request = request.body(kind, old.body());
    }
    request.header(name, value).request()
}

fn is_of_realm(credentials: &str, realm: &str) -> bool {
    let fields = super::fields::Fields::parse(credentials);
    fields.is_some_and(|fields| fields.get("realm") == Some(realm))
}

/// Challenges that one request answers: one, one more for an old nonce, and as much for a proxy.
const ANSWERS_MAX: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Method;

    #[test]
    fn a_challenge_is_answered_once() {
        let mut login = Login::new("1001", "secret", None);
        let mut rng = Rng::from_number(1);
        let first = register();
        let refusal = refusal(&first, 401, "a", "n1", "");

        let second = login.answer(&mut rng, &refusal, &first, (8, 0)).unwrap();

        assert_eq!(second.cseq().number, 8);
        assert_eq!(second.call_id(), first.call_id());
        assert_eq!(second.header(Name::Expires), Some("60"));
        let value = second.header(Name::Authorization).unwrap();
        assert!(value.contains("username=\"1001\"") && value.contains("nc=00000001"), "{value}");
        let again = super::tests::refusal(&second, 401, "a", "n2", "");
        assert!(login.answer(&mut rng, &again, &second, (8, 1)).is_none());
    }

    #[test]
    fn an_old_nonce_is_replaced() {
        let mut login = Login::new("1001", "secret", None);
        let mut rng = Rng::from_number(1);
        let first = register();
        let second = login.answer(&mut rng, &refusal(&first, 401, "a", "n1", ""), &first, (8, 0));
        let second = second.unwrap();

        let stale = refusal(&second, 401, "a", "n2", ", stale=TRUE");
        let third = login.answer(&mut rng, &stale, &second, (8, 1)).unwrap();

        assert_eq!(third.lines(Name::Authorization).count(), 1);
        assert!(third.header(Name::Authorization).unwrap().contains("nonce=\"n2\""));
        let mut request = third;
        for answers in 2..ANSWERS_MAX {
            let stale = refusal(&request, 401, "a", "n3", ", stale=true");
            request = login.answer(&mut rng, &stale, &request, (8, answers)).unwrap();
        }
        let stale = refusal(&request, 401, "a", "n4", ", stale=true");
        assert!(login.answer(&mut rng, &stale, &request, (8, ANSWERS_MAX)).is_none());
    }

    /// RFC 3261 §22.3: a proxy and the server behind it each ask for their own realm.
    #[test]
    fn a_proxy_and_a_server_each_get_an_answer() {
        let mut login = Login::new("1001", "secret", None);
        let mut rng = Rng::from_number(1);
        let first = register();
        let second =
            login.answer(&mut rng, &refusal(&first, 407, "proxy", "n1", ""), &first, (8, 0));
        let second = second.unwrap();
        let third =
            login.answer(&mut rng, &refusal(&second, 401, "server", "n2", ""), &second, (8, 1));
        let third = third.unwrap();

        assert!(third.header(Name::ProxyAuthorization).unwrap().contains("realm=\"proxy\""));
        assert!(third.header(Name::Authorization).unwrap().contains("realm=\"server\""));
    }

    #[test]
    fn a_nonce_that_is_used_again_is_counted() {
        let mut login = Login::new("1001", "secret", None);
        let mut rng = Rng::from_number(1);
        let first = register();
        let refusal = refusal(&first, 401, "a", "n1", "");
        login.answer(&mut rng, &refusal, &first, (8, 0)).unwrap();

        let next = login.answer(&mut rng, &refusal, &first, (8, 0)).unwrap();

        assert!(next.header(Name::Authorization).unwrap().contains("nc=00000002"));
    }

    #[test]
    fn another_realm_gets_nothing() {
        let mut login = Login::new("1001", "secret", Some("itsp"));
        let mut rng = Rng::from_number(1);
        let first = register();

        assert!(
            login.answer(&mut rng, &refusal(&first, 401, "a", "n", ""), &first, (8, 0)).is_none()
        );
        assert!(
            login
                .answer(&mut rng, &refusal(&first, 401, "itsp", "n", ""), &first, (8, 0))
                .is_some()
        );
        assert!(!format!("{login:?}").contains("secret"));
    }

    fn register() -> Request {
        Request::build(Method::Register, "sip:itsp.example")
            .header(Name::From, "<sip:1001@itsp.example>;tag=a")
            .header(Name::To, "<sip:1001@itsp.example>")
            .header(Name::CallId, "abc")
            .header(Name::CSeq, "7 REGISTER")
            .header(Name::Expires, 60)
            .request()
    }

    fn refusal(request: &Request, status: u16, realm: &str, nonce: &str, rest: &str) -> Response {
        let name = if status == 401 { Name::WwwAuthenticate } else { Name::ProxyAuthenticate };
        let request = request.with_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
        let value = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\"{rest}");
        Response::build(&request, status, Some("t")).header(name, value).response()
    }
}
