//! A provider: a phone of a world that is a trunk's other side, with a registrar and passwords.

use strowger::sip::digest::hash::Question;
use strowger::sip::digest::{Algorithm, Secret};
use strowger::sip::message::{Builder, Method, Name, Request, Response};
use strowger::sip::transaction::{Input, ServerKey};
use strowger::time::Instant;

use super::{Line, Phone, Sent, Stage};

/// What makes a phone a provider.
#[derive(Debug)]
pub struct Provider {
    /// The password that requests must know; none if nobody is asked.
    pub password: Option<String>,
    pub algorithm: Algorithm,
    /// The methods that are asked for it.
    pub asks: Vec<Method>,
    /// The nonce that is good; another makes every answer to it stale.
    pub nonce: String,
    /// The seconds that a registration is granted, whatever is asked for.
    pub grants: u32,
    /// Registrations must be at least that long.
    pub min_expires: u32,
    /// Registrations are refused with this status.
    pub refuses: Option<u16>,
    pub answers_options: bool,
    /// The Retry-After of its 503 to calls, in seconds.
    pub retry_after: Option<u32>,
    /// Every REGISTER, but copies.
    pub registers: Vec<Request>,
    /// Every OPTIONS, but copies.
    pub options: u32,
    /// Requests whose credentials were wrong.
    pub wrong: u32,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            password: None,
            algorithm: Algorithm::Md5,
            asks: vec![Method::Register, Method::Invite],
            nonce: "n1".to_owned(),
            grants: 3600,
            min_expires: 0,
            refuses: None,
            answers_options: true,
            retry_after: None,
            registers: Vec::new(),
            options: 0,
            wrong: 0,
        }
    }
}

impl Provider {
    /// The Contact that is registered: what calls to the site name.
    pub fn contact(&self) -> Option<String> {
        let last = self.registers.last()?;
        let contact = last.contacts().next()?.ok()?;
        Some(contact.uri().ok()?.user()?.to_owned())
    }

    /// The challenge that a request gets, if it gets one.
    fn challenge(&mut self, request: &Request) -> Option<Response> {
        let password = self.password.clone().filter(|_| self.asks.contains(&request.method()))?;
        let given = request.header(Name::Authorization);
        let nonce = given.and_then(|given| field(given, "nonce"));
        let right = given.is_some_and(|given| self.is_right(request, given, &password));
        if right && nonce.as_deref() == Some(&self.nonce) {
            return None;
        }
        if given.is_some() && !right {
            self.wrong += 1;
        }
        let stale = if right { ", stale=true" } else { "" };
        let (nonce, name) = (&self.nonce, self.algorithm.name());
        let value = format!(
            "Digest realm=\"itsp\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"{stale}"
        );
        let refusal = Response::build(request, 401, Some("challenge"));
        Some(refusal.header(Name::WwwAuthenticate, value).response())
    }

    fn is_right(&self, request: &Request, given: &str, password: &str) -> bool {
        let of = |name| field(given, name).unwrap_or_default();
        let (user, uri, nonce) = (of("username"), of("uri"), of("nonce"));
        let (nc, cnonce) = (of("nc"), of("cnonce"));
        let question = Question {
            algorithm: self.algorithm,
            method: request.method_text(),
            uri: &uri,
            nonce: &nonce,
            counted: Some((&nc, &cnonce)),
        };
        let secret = Secret::new(&user, "itsp", password);
        uri == request.uri_text() && question.response(&secret) == of("response")
    }

    fn register(&mut self, request: &Request) -> Response {
        self.registers.push(request.clone());
        let asked = request.expires().ok().flatten().unwrap_or(0);
        let response = |status| Response::build(request, status, Some("registrar"));
        match self.refuses {
            Some(status) => response(status).response(),
            None if (1..self.min_expires).contains(&asked) => {
                response(423).header(Name::MinExpires, self.min_expires).response()
            }
            None => {
                let granted = if asked == 0 { 0 } else { self.grants };
                let contact = request.header(Name::Contact).unwrap_or_default();
                let contact = format!("{contact};expires={granted}");
                response(200).header(Name::Contact, contact).response()
            }
        }
    }
}

impl Phone {
    /// Answers what a provider answers before anybody's phone hears of it; false if that is not so.
    pub(super) fn answers_as_provider(
        &mut self,
        now: Instant,
        key: ServerKey,
        request: &Request,
    ) -> bool {
        let Some(provider) = &mut self.provider else { return false };
        let response = match provider.challenge(request) {
            Some(challenge) => challenge,
            None if request.method() == Method::Register => provider.register(request),
            None if request.method() == Method::Options => {
                provider.options += 1;
                if !provider.answers_options {
                    return true;
                }
                Response::build(request, 200, Some("options")).response()
            }
            None => return false,
        };
        self.transact(now, Input::Respond { key, response });
        true
    }

    /// Adds what few phones say in answer to an INVITE.
    pub(super) fn tell_more(&self, response: Builder, status: u16) -> Builder {
        let wait = self.provider.as_ref().and_then(|provider| provider.retry_after);
        match (wait, status) {
            (Some(wait), 503) => response.header(Name::RetryAfter, wait),
            (_, 200) if !self.privacy.is_empty() => response.header(Name::Privacy, self.privacy),
            _ => response,
        }
    }

    /// Calls `uri` for somebody outside; `to` is the number that he dialled.
    pub fn call(&mut self, now: Instant, (uri, from, to): (&str, &str, &str)) {
        let (token, body) = (self.rng.token(8), self.next_sdp());
        let request = Request::build(Method::Invite, uri)
            .header(Name::From, format!("<sip:{from}@itsp.example>;tag={token}"))
            .header(Name::To, format!("<sip:{to}@strowger.test>"))
            .header(Name::CallId, format!("{token}@{}", self.name))
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, format!("<sip:{}>", self.address))
            .body("application/sdp", body.as_bytes())
            .request();
        self.lines.push(Line::new(request.clone(), Stage::Calling));
        let line = Some(self.lines.len() - 1);
        self.send(now, Sent { request, line, tries: 0, status: 0 });
    }
}

/// A field of credentials, without its quotes.
fn field(credentials: &str, name: &str) -> Option<String> {
    let fields = credentials.strip_prefix("Digest ")?.split(", ");
    let found = fields.filter_map(|field| field.split_once('=')).find(|(known, _)| *known == name);
    Some(found?.1.trim_matches('"').to_owned())
}
