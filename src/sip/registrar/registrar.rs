//! The registrar: takes REGISTER requests whose sender is known, and keeps the bindings.
//!
//! Spec:     RFC 3261 §10.3; RFC 3581; a phone's lasting name as in RFC 5626 §4.1.
//! In:       REGISTER requests, lost connections, the passing of time.
//! Out:      responses; `Change`s of bindings.
//! Not here: who the sender is (`sip::digest`), whether the account exists.
//!
//! A request is carried out whole or not at all. A phone with a lasting name that comes with
//! another Contact replaces its own binding: after a power cut it does not ring twice.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::ExtensionId;
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::locate::{Target, TargetHost};
use crate::sip::message::{Name, NameAddr, Request, Response, Uri};
use crate::time::{Deadlines, Duration, Epoch, Instant};

use super::binding::{Binding, Bindings, StoredBinding};
use super::nat::Path;

/// `[sip.registrar]`: how long and how often phones register.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Phones that an account may have at a time; one more takes the place of the one that was
    /// heard longest ago. Default 10.
    pub contacts_max: usize,
    /// How long a registration lasts if the phone does not say. Default `"1h"`.
    #[serde(with = "humantime_serde")]
    pub expires_default: Duration,
    /// A phone that asks for longer gets this. Default `"1h"`.
    #[serde(with = "humantime_serde")]
    pub expires_max: Duration,
    /// A phone that asks for less is told to ask for this. Default `"1m"`.
    #[serde(with = "humantime_serde")]
    pub expires_min: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            contacts_max: 10,
            expires_default: Duration::from_secs(3600),
            expires_max: Duration::from_secs(3600),
            expires_min: Duration::from_secs(60),
        }
    }
}

/// What became of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The phone did not come again in time, or its connection was lost.
    Expired {
        extension: ExtensionId,
        contact: String,
    },
    Refreshed {
        extension: ExtensionId,
        contact: String,
    },
    Registered {
        extension: ExtensionId,
        contact: String,
    },
    /// The phone took itself out, or another took its place.
    Removed {
        extension: ExtensionId,
        contact: String,
    },
}

impl Change {
    /// Whose phone it is.
    pub fn extension(&self) -> &ExtensionId {
        match self {
            Self::Expired { extension, .. }
            | Self::Refreshed { extension, .. }
            | Self::Registered { extension, .. }
            | Self::Removed { extension, .. } => extension,
        }
    }
}

/// Keeps the bindings.
#[derive(Debug)]
pub struct Registrar {
    config: Config,
    bindings: Bindings,
    /// When the first binding of an account expires.
    deadlines: Deadlines<ExtensionId>,
    /// Who registered over which stream connection, until that is closed.
    connections: BTreeSet<(ConnectionId, ExtensionId)>,
}

/// Bytes of a Contact URI; longer ones are refused.
const CONTACT_BYTES_MAX: usize = 1024;
/// Characters of a User-Agent or instance that are kept.
const TEXT_CHARS_MAX: usize = 128;

/// What a REGISTER asks for one Contact.
struct Wish {
    contact: String,
    q: u16,
    /// Zero to remove it.
    expires: Duration,
    instance: Option<String>,
}

/// Why a REGISTER is refused.
enum Refusal {
    /// 400, with what is wrong.
    Bad(&'static str),
    /// 500: an older request came late.
    OutOfOrder,
    /// 423.
    TooBrief,
}

impl Registrar {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            bindings: Arc::default(),
            deadlines: Deadlines::default(),
            connections: BTreeSet::new(),
        }
    }

    /// Changed limits count from the next request on.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
    }

    /// The bindings, for other threads to read.
    pub fn bindings(&self) -> Bindings {
        self.bindings.clone()
    }

    /// Registered phones, of all accounts.
    pub fn len(&self) -> usize {
        self.bindings.iter().map(|account| account.value().len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Where an account's phones are reached: the preferred first, then those heard last.
    pub fn targets(&self, extension: &ExtensionId) -> Vec<Binding> {
        let found = self.bindings.get(extension);
        let mut targets = found.map(|bindings| bindings.clone()).unwrap_or_default();
        targets.sort_by_key(|target| Reverse((target.q, target.registered_at)));
        targets
    }

    /// Carries out a REGISTER for `extension`, whose sender has shown that he may.
    ///
    /// The response is 200 with all bindings, or 400, 423 or 500 and nothing is changed.
    pub fn handle_register(
        &mut self,
        now: Instant,
        extension: &ExtensionId,
        flow: Flow,
        request: &Request,
        to_tag: &str,
        out: &mut Vec<Change>,
    ) -> Response {
        self.expire(now, extension, out);
        match self.wishes(extension, request) {
            Ok(wishes) => {
                let is_one = wishes.len() == 1;
                let granted = wishes.first().filter(|_| is_one).map(|wish| wish.expires);
                let path = Path::of(flow, request);
                self.carry_out(now, extension, path, request, wishes, out);
                self.answer(now, extension, request, to_tag, granted)
            }
            Err(Refusal::Bad(reason)) => {
                Response::build(request, 400, Some(to_tag)).reason(reason).response()
            }
            Err(Refusal::OutOfOrder) => Response::build(request, 500, Some(to_tag)).response(),
            Err(Refusal::TooBrief) => Response::build(request, 423, Some(to_tag))
                .header(Name::MinExpires, self.config.expires_min.as_secs())
                .response(),
        }
    }

    /// A stream connection is gone: the phones that registered over it cannot be reached.
    pub fn flow_closed(&mut self, flow: &Flow, out: &mut Vec<Change>) {
        let connection = flow.connection;
        if connection == ConnectionId::default() {
            return;
        }
        let on_it = |(other, extension): &(ConnectionId, ExtensionId)| {
            (*other == connection).then(|| extension.clone())
        };
        let first = (connection, ExtensionId::from(""));
        let closed: Vec<_> = self.connections.range(first..).map_while(on_it).collect();
        for extension in closed {
            self.connections.remove(&(connection, extension.clone()));
            self.remove_where(&extension, out, |binding| {
                (binding.path.flow.connection == connection).then_some(Ended::Expired)
            });
        }
    }

    /// The name under which a phone that has just registered is to be looked up, with its Contact:
    /// only that of a phone without NAT can be believed.
    pub fn to_locate(&self, change: &Change) -> Option<(String, Target)> {
        let (Change::Registered { extension, contact } | Change::Refreshed { extension, contact }) =
            change
        else {
            return None;
        };
        let account = self.bindings.get(extension)?;
        let binding = account.iter().find(|binding| binding.contact == *contact)?;
        let target = Target::of(&Uri::parse(contact).ok()?).ok()?;
        let is_name = matches!(target.host, TargetHost::Name(_));
        (is_name && binding.path.direct).then(|| (contact.clone(), target))
    }

    /// A phone's host was found: it is reached there, unless it is there already. Whether this
    /// changed anything.
    pub fn located(&mut self, extension: &ExtensionId, contact: &str, flows: &[Flow]) -> bool {
        let Some(mut account) = self.bindings.get_mut(extension) else { return false };
        let Some(binding) = account.iter_mut().find(|binding| binding.contact == contact) else {
            return false;
        };
        let here = binding.path.flow;
        let is_here = |flow: &Flow| {
            // A phone's connection comes from a port of its own choice.
            let same_port = here.transport.is_reliable() || flow.remote == here.remote;
            flow.transport == here.transport && flow.remote.ip() == here.remote.ip() && same_port
        };
        match flows.first() {
            Some(first) if !flows.iter().any(is_here) => {
                binding.path.flow = *first;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes out all phones of an account that is no more.
    pub fn remove(&mut self, extension: &ExtensionId, out: &mut Vec<Change>) {
        self.remove_where(extension, out, |_| Some(Ended::Removed));
    }

    /// Takes out what has expired.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Change>) {
        while let Some(extension) = self.deadlines.pop_due(now) {
            self.expire(now, &extension, out);
        }
    }

    /// When to call `tick`, if nothing else comes first.
    pub fn next_tick(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// All bindings, to be stored.
    pub fn snapshot(&self, epoch: Epoch) -> Vec<StoredBinding> {
        let mut stored: Vec<_> = self
            .bindings
            .iter()
            .flat_map(|account| {
                let stored = |binding| StoredBinding::of(account.key(), binding, epoch);
                account.value().iter().map(stored).collect::<Vec<_>>()
            })
            .collect();
        stored.sort_by(|a, b| {
            (&a.extension, &a.binding.contact).cmp(&(&b.extension, &b.binding.contact))
        });
        stored
    }

    /// Takes up stored bindings, as far as their phones can still be reached.
    ///
    /// Who registered before is not touched.
    pub fn restore(
        &mut self,
        now: Instant,
        epoch: Epoch,
        stored: Vec<StoredBinding>,
        out: &mut Vec<Change>,
    ) {
        for one in stored {
            let extension = one.extension.clone();
            let Some(binding) = one.revive(now, epoch) else { continue };
            let known = self.targets(&extension);
            let is_known = known.iter().any(|other| other.contact == binding.contact);
            if is_known || known.len() >= self.config.contacts_max {
                continue;
            }
            let contact = binding.contact.clone();
            self.bindings.entry(extension.clone()).or_default().push(binding);
            self.arm(&extension);
            out.push(Change::Registered { extension, contact });
        }
    }

    /// Reads and checks a whole request (RFC 3261 §10.3, steps 6 and 7).
    fn wishes(&self, extension: &ExtensionId, request: &Request) -> Result<Vec<Wish>, Refusal> {
        let known = self.bindings.get(extension);
        let known = known.as_deref().map_or(&[][..], Vec::as_slice);
        // A malformed Expires counts as none (RFC 3261 §20.19).
        let expires = request.expires().unwrap_or(None);
        let in_order = |binding: &&Binding| {
            binding.call_id != request.call_id() || binding.cseq < request.cseq().number
        };
        if request.is_wildcard() {
            if expires != Some(0) {
                return Err(Refusal::Bad("Contact * Needs Expires 0"));
            }
            if !known.iter().all(|binding| in_order(&binding)) {
                return Err(Refusal::OutOfOrder);
            }
            let all = known.iter().map(|binding| Wish {
                contact: binding.contact.clone(),
                q: 0,
                expires: Duration::ZERO,
                instance: None,
            });
            return Ok(all.collect());
        }
        let mut wishes = Vec::new();
        for contact in request.contacts() {
            let contact = contact.map_err(|_| Refusal::Bad("Bad Contact"))?;
            let wish = self.wish(&contact, expires)?;
            let same = known.iter().filter(|binding| wish.is_for(binding));
            if !same.into_iter().all(|binding| in_order(&binding)) {
                return Err(Refusal::OutOfOrder);
            }
            wishes.push(wish);
            if wishes.len() > self.config.contacts_max {
                return Err(Refusal::Bad("Too Many Contacts"));
            }
        }
        Ok(wishes)
    }

    fn wish(&self, contact: &NameAddr<'_>, expires: Option<u32>) -> Result<Wish, Refusal> {
        let uri = contact.uri_text();
        if contact.uri().is_err() || uri.len() > CONTACT_BYTES_MAX {
            return Err(Refusal::Bad("Bad Contact"));
        }
        let own = contact.param("expires").and_then(|seconds| seconds.parse().ok());
        let asked = own.or(expires.map(u64::from)).map(Duration::from_secs);
        let asked = asked.unwrap_or(self.config.expires_default);
        if !asked.is_zero() && asked < self.config.expires_min {
            return Err(Refusal::TooBrief);
        }
        Ok(Wish {
            contact: uri.to_owned(),
            q: contact.q().unwrap_or(1000),
            expires: asked.min(self.config.expires_max),
            instance: instance(contact),
        })
    }

    fn carry_out(
        &mut self,
        now: Instant,
        extension: &ExtensionId,
        path: Path,
        request: &Request,
        wishes: Vec<Wish>,
        out: &mut Vec<Change>,
    ) {
        let user_agent = request.header(Name::UserAgent).map(clipped);
        for wish in wishes {
            if wish.expires.is_zero() {
                self.remove_where(extension, out, |binding| {
                    wish.is_for(binding).then_some(Ended::Removed)
                });
                continue;
            }
            let path = Uri::parse(&wish.contact)
                .map_or(path, |contact| Path { flow: path.towards(&contact), ..path });
            let binding = Binding {
                q: wish.q,
                registered_at: now,
                expires_at: now + wish.expires,
                path,
                instance: wish.instance.clone(),
                user_agent: user_agent.clone(),
                call_id: request.call_id().to_owned(),
                cseq: request.cseq().number,
                contact: wish.contact.clone(),
            };
            self.put(extension, &wish, binding, out);
        }
        self.arm(extension);
    }

    /// Puts one binding in the place of the phone's former, or of the one heard longest ago.
    fn put(
        &mut self,
        extension: &ExtensionId,
        wish: &Wish,
        binding: Binding,
        out: &mut Vec<Change>,
    ) {
        let contact = binding.contact.clone();
        let mut account = self.bindings.entry(extension.clone()).or_default();
        let former = account.iter().position(|other| wish.is_for(other));
        let replaced = match former {
            Some(at) => Some(account.swap_remove(at)),
            None if account.len() >= self.config.contacts_max => {
                let oldest =
                    account.iter().enumerate().min_by_key(|(_, other)| other.registered_at);
                let oldest = oldest.map(|(at, _)| at);
                oldest.map(|at| account.swap_remove(at))
            }
            None => None,
        };
        account.push(binding);
        let extension = extension.clone();
        if let Some(replaced) = replaced {
            if replaced.contact == contact {
                out.push(Change::Refreshed { extension, contact });
                return;
            }
            out.push(Change::Removed { extension: extension.clone(), contact: replaced.contact });
        }
        out.push(Change::Registered { extension, contact });
    }

    /// RFC 3261 §10.3, step 8.
    fn answer(
        &self,
        now: Instant,
        extension: &ExtensionId,
        request: &Request,
        to_tag: &str,
        granted: Option<Duration>,
    ) -> Response {
        let mut response = Response::build(request, 200, Some(to_tag));
        for binding in self.targets(extension) {
            let left = binding.expires_at.since(now).as_secs();
            let (whole, part) = (binding.q / 1000, binding.q % 1000);
            let value = format!("<{}>;expires={left};q={whole}.{part:03}", binding.contact);
            response = response.header(Name::Contact, value);
        }
        if let Some(granted) = granted {
            response = response.header(Name::Expires, granted.as_secs());
        }
        response.response()
    }

    fn expire(&mut self, now: Instant, extension: &ExtensionId, out: &mut Vec<Change>) {
        self.remove_where(extension, out, |binding| {
            (binding.expires_at <= now).then_some(Ended::Expired)
        });
    }

    fn remove_where(
        &mut self,
        extension: &ExtensionId,
        out: &mut Vec<Change>,
        how: impl Fn(&Binding) -> Option<Ended>,
    ) {
        if let Some(mut account) = self.bindings.get_mut(extension) {
            account.retain(|binding| {
                let Some(ended) = how(binding) else { return true };
                let (extension, contact) = (extension.clone(), binding.contact.clone());
                out.push(match ended {
                    Ended::Expired => Change::Expired { extension, contact },
                    Ended::Removed => Change::Removed { extension, contact },
                });
                false
            });
        }
        self.arm(extension);
    }

    /// Sets the account's deadline, and forgets the account that has no phone.
    fn arm(&mut self, extension: &ExtensionId) {
        self.bindings.remove_if(extension, |_, bindings| bindings.is_empty());
        let first = self.bindings.get(extension).and_then(|account| {
            for binding in account.iter() {
                let connection = binding.path.flow.connection;
                if connection != ConnectionId::default() {
                    self.connections.insert((connection, extension.clone()));
                }
            }
            account.iter().map(|binding| binding.expires_at).min()
        });
        self.deadlines.set(extension, first);
    }
}

/// How a binding ends.
#[derive(Clone, Copy)]
enum Ended {
    Expired,
    Removed,
}

impl Wish {
    /// Whether a binding is the same phone's: the same URI (RFC 3261 §19.1.4), or lasting name.
    fn is_for(&self, binding: &Binding) -> bool {
        if self.instance.is_some() && self.instance == binding.instance {
            return true;
        }
        let (Ok(one), Ok(other)) = (Uri::parse(&self.contact), Uri::parse(&binding.contact)) else {
            return self.contact == binding.contact;
        };
        one.is_same(&other)
    }
}

/// The phone's lasting name; with its number of the way, if it has several (RFC 5626 §4.2).
fn instance(contact: &NameAddr<'_>) -> Option<String> {
    let name = contact.param("+sip.instance").filter(|name| !name.is_empty())?;
    Some(match contact.param("reg-id") {
        Some(way) => clipped(&format!("{name};reg-id={way}")),
        None => clipped(name),
    })
}

fn clipped(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
