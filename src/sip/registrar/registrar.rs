//! The registrar: takes REGISTER requests whose sender is known, and keeps the bindings.
//!
//! Spec:     RFC 3261 §10.3; RFC 3581; RFC 3327 §5.3 (Path); RFC 5626 §4.1, §6 (Outbound);
//!           RFC 5627 §5 (GRUU).
//! In:       REGISTER requests, lost connections, the passing of time.
//! Out:      responses; `Change`s of bindings.
//! Not here: who the sender is (`sip::digest`), whether the account exists, the way back (`way`).
//!
//! A request is carried out whole or not at all. A phone with a lasting name that comes with
//! another Contact replaces its own binding: after a power cut it does not ring twice.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::ExtensionId;
use crate::rng::Rng;
use crate::sip::flow::{ConnectionId, Flow};
use crate::sip::locate::{Target, TargetHost};
use crate::sip::message::{Name, NameAddr, Quoted, Request, Response, Uri};
use crate::time::{Deadlines, Duration, Epoch, Instant};

use super::binding::{Binding, Bindings, StoredBinding};
use super::gruu::{self, Temporary};
use super::way::{self, Way, WayError};

/// `[sip.registrar]`: how long and how often phones register.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Phones that an account may have at a time; one more takes the place of the one that was
    /// heard longest ago. Default 10.
    pub contacts_max: usize,
    /// How long a registration lasts if the phone does not say. Default `"1h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub expires_default: Duration,
    /// A phone that asks for longer gets this. Default `"1h"`.
    #[serde(with = "crate::time::WithinYears")]
    pub expires_max: Duration,
    /// A phone that asks for less is told to ask for this. Default `"1m"`.
    #[serde(with = "crate::time::WithinYears")]
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
    /// Whose the temporary GRUUs are.
    pub(super) temporary: Temporary,
}

/// What a REGISTER may require.
const EXTENSIONS: [&str; 3] = ["path", "outbound", gruu::TAG];
/// How often a phone that keeps its flow open must be heard of (RFC 5626 §4.4): below the time
/// after which common NATs forget a stream.
const FLOW_TIMER: Duration = Duration::from_secs(120);
/// Seconds that a Contact lives whose `expires` is no number (RFC 3261 §20.10).
const EXPIRES_MALFORMED: u64 = 3600;
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
    /// Which of its flows the phone registers, if it keeps several.
    reg_id: Option<u32>,
}

/// Why a REGISTER is refused.
enum Refusal {
    /// 400, with what is wrong.
    Bad(&'static str),
    /// 420: what is required is not known.
    Extension(String),
    /// 439: the proxy before the phone does not keep flows (RFC 5626 §6).
    FirstHop,
    /// 403: a Contact leads to the account itself (RFC 5627 §5.1).
    Own,
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
            temporary: Temporary::new(),
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
    ///
    /// A phone that keeps several flows is reached by the one that it registered last (RFC 5626
    /// §5.3): it would ring once for each.
    pub fn targets(&self, extension: &ExtensionId) -> Vec<Binding> {
        let mut targets = self.all(extension);
        let mut known = BTreeSet::new();
        targets.retain(|target| match &target.instance {
            Some(instance) if target.reg_id.is_some() => known.insert(instance.clone()),
            Some(_) | None => true,
        });
        targets
    }

    /// Every binding of an account, in the order of `targets`.
    pub fn all(&self, extension: &ExtensionId) -> Vec<Binding> {
        let found = self.bindings.get(extension);
        let mut all = found.map(|bindings| bindings.clone()).unwrap_or_default();
        all.sort_by_key(|binding| Reverse((binding.q, binding.registered_at)));
        all
    }

    /// Carries out a REGISTER for `extension`, whose sender has shown that he may.
    ///
    /// The response is 200 with all bindings, or 400, 423 or 500 and nothing is changed.
    pub fn handle_register(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        extension: &ExtensionId,
        (flow, request): (Flow, &Request),
        to_tag: &str,
        out: &mut Vec<Change>,
    ) -> Response {
        self.expire(now, extension, out);
        match self.wishes(extension, flow, request) {
            Ok((wishes, way)) => {
                let is_one = wishes.len() == 1;
                let granted = wishes.first().filter(|_| is_one).map(|wish| wish.expires);
                self.carry_out((now, rng), extension, (&way, request), wishes, out);
                self.answer(now, extension, request, to_tag, (granted, &way))
            }
            Err(Refusal::Bad(reason)) => {
                Response::build(request, 400, Some(to_tag)).reason(reason).response()
            }
            Err(Refusal::Extension(names)) => Response::build(request, 420, Some(to_tag))
                .header(Name::Unsupported, names)
                .response(),
            Err(Refusal::FirstHop) => Response::build(request, 439, Some(to_tag))
                .reason("First Hop Lacks Outbound Support")
                .response(),
            Err(Refusal::Own) => Response::build(request, 403, Some(to_tag)).response(),
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
        let next_hop = match binding.route.first() {
            Some(proxy) => way::uri_of(proxy)?,
            None => Uri::parse(contact).ok()?,
        };
        let target = Target::of(&next_hop).ok().filter(|_| binding.reg_id.is_none())?;
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
            let known = self.all(&extension);
            let is_known = known
                .iter()
                .any(|other| other.contact == binding.contact && other.reg_id == binding.reg_id);
            if is_known || known.len() >= self.config.contacts_max {
                continue;
            }
            let contact = binding.contact.clone();
            self.learn_names(&extension, &binding.temporary);
            self.bindings.entry(extension.clone()).or_default().push(binding);
            self.arm(&extension);
            out.push(Change::Registered { extension, contact });
        }
    }

    /// Reads and checks a whole request (RFC 3261 §10.3, steps 6 and 7).
    fn wishes(
        &self,
        extension: &ExtensionId,
        flow: Flow,
        request: &Request,
    ) -> Result<(Vec<Wish>, Way), Refusal> {
        let is_known =
            |name: &&str| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let unknown: Vec<_> =
            request.values(Name::Require).map(str::trim).filter(|name| !is_known(name)).collect();
        if !unknown.is_empty() {
            return Err(Refusal::Extension(unknown.join(", ")));
        }
        let mut wishes = self.contacts(extension, request)?;
        let has_flows = wishes.iter().any(|wish| wish.instance.is_some() && wish.reg_id.is_some());
        let way = Way::of(flow, request, has_flows).map_err(|error| match error {
            WayError::FirstHop => Refusal::FirstHop,
            WayError::Path => Refusal::Bad("Bad Path"),
        })?;
        if !way.outbound {
            // RFC 5626 §6: without Outbound the number of a flow means nothing.
            for wish in &mut wishes {
                wish.reg_id = None;
            }
        }
        self.check_order(extension, request, &wishes)?;
        Ok((wishes, way))
    }

    /// An older request must not undo a newer one (RFC 3261 §10.3, step 7).
    fn check_order(
        &self,
        extension: &ExtensionId,
        request: &Request,
        wishes: &[Wish],
    ) -> Result<(), Refusal> {
        let known = self.bindings.get(extension);
        let known = known.as_deref().map_or(&[][..], Vec::as_slice);
        let is_late = |binding: &&Binding| {
            binding.call_id == request.call_id() && binding.cseq >= request.cseq().number
        };
        let mut named = known.iter().filter(|known| wishes.iter().any(|wish| wish.is_for(known)));
        if named.any(|binding| is_late(&binding)) { Err(Refusal::OutOfOrder) } else { Ok(()) }
    }

    /// What is asked for each Contact.
    fn contacts(&self, extension: &ExtensionId, request: &Request) -> Result<Vec<Wish>, Refusal> {
        let known = self.bindings.get(extension);
        let known = known.as_deref().map_or(&[][..], Vec::as_slice);
        // A malformed Expires counts as none (RFC 3261 §20.19).
        let expires = request.expires().unwrap_or(None);
        if request.is_wildcard() {
            if expires != Some(0) {
                return Err(Refusal::Bad("Contact * Needs Expires 0"));
            }
            let all = known.iter().map(|binding| Wish {
                contact: binding.contact.clone(),
                q: 0,
                expires: Duration::ZERO,
                instance: binding.instance.clone(),
                reg_id: binding.reg_id,
            });
            return Ok(all.collect());
        }
        let mut wishes = Vec::new();
        for contact in request.contacts() {
            let contact = contact.map_err(|_| Refusal::Bad("Bad Contact"))?;
            wishes.push(self.wish(&contact, expires)?);
            if wishes.len() > self.config.contacts_max {
                return Err(Refusal::Bad("Too Many Contacts"));
            }
        }
        Ok(wishes)
    }

    fn wish(&self, contact: &NameAddr<'_>, expires: Option<u32>) -> Result<Wish, Refusal> {
        let uri = contact.uri_text();
        let read = contact.uri().ok().filter(|_| uri.len() <= CONTACT_BYTES_MAX);
        let read = read.ok_or(Refusal::Bad("Bad Contact"))?;
        if self.at_gruu(&read).is_some_and(|phone| phone.is_ok()) {
            return Err(Refusal::Own);
        }
        // A malformed one counts as 3600, whatever Expires says (RFC 3261 §20.10).
        let own = contact.param("expires").map(|it| it.parse().unwrap_or(EXPIRES_MALFORMED));
        let asked = own.or(expires.map(u64::from)).map(Duration::from_secs);
        let asked = asked.unwrap_or(self.config.expires_default);
        if !asked.is_zero() && asked < self.config.expires_min {
            return Err(Refusal::TooBrief);
        }
        Ok(Wish {
            contact: uri.to_owned(),
            q: contact.q().unwrap_or(1000),
            expires: asked.min(self.config.expires_max),
            instance: contact.param("+sip.instance").filter(|name| !name.is_empty()).map(clipped),
            reg_id: contact.param("reg-id").and_then(|number| number.parse().ok()),
        })
    }

    fn carry_out(
        &mut self,
        (now, rng): (Instant, &mut Rng),
        extension: &ExtensionId,
        (way, request): (&Way, &Request),
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
            let binding = Binding {
                q: wish.q,
                registered_at: now,
                expires_at: now + wish.expires,
                path: way.towards(&wish.contact),
                route: way.route.clone(),
                instance: wish.instance.clone(),
                reg_id: wish.reg_id,
                temporary: Vec::new(),
                user_agent: user_agent.clone(),
                call_id: request.call_id().to_owned(),
                cseq: request.cseq().number,
                contact: wish.contact.clone(),
            };
            self.put(rng, extension, (&wish, request), binding, out);
        }
        self.arm(extension);
    }

    /// Puts one binding in the place of the phone's former, or of the one heard longest ago.
    fn put(
        &mut self,
        rng: &mut Rng,
        extension: &ExtensionId,
        (wish, request): (&Wish, &Request),
        mut binding: Binding,
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
        drop(account);
        self.name_anew(rng, request, replaced.as_ref(), &mut binding);
        self.learn_names(extension, &binding.temporary);
        self.bindings.entry(extension.clone()).or_default().push(binding);
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
        (granted, way): (Option<Duration>, &Way),
    ) -> Response {
        let mut response = Response::build(request, 200, Some(to_tag));
        let has_gruus = request.has_value(Name::Supported, gruu::TAG);
        let aor = request.to().uri_text().split(';').next().unwrap_or_default();
        for binding in self.all(extension) {
            let left = binding.expires_at.since(now).as_secs();
            let (whole, part) = (binding.q / 1000, binding.q % 1000);
            let mut value = format!("<{}>;expires={left};q={whole}.{part:03}", binding.contact);
            let is_named = has_gruus || binding.reg_id.is_some();
            if let Some(instance) = binding.instance.as_ref().filter(|_| is_named) {
                value += &format!(";+sip.instance={}", Quoted(instance));
            }
            if let (Some(_), Some(reg_id)) = (&binding.instance, binding.reg_id) {
                value += &format!(";reg-id={reg_id}");
            }
            if has_gruus {
                value += &gruu::told(aor, &binding);
            }
            response = response.header(Name::Contact, value);
        }
        if let Some(granted) = granted {
            response = response.header(Name::Expires, granted.as_secs());
        }
        for proxy in &way.route {
            response = response.header(Name::Path, proxy);
        }
        if way.outbound {
            response = response.header(Name::Require, "outbound");
            response = response.header_named("Flow-Timer", FLOW_TIMER.as_secs());
        }
        response.header(Name::Supported, EXTENSIONS.join(", ")).response()
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
        let mut names = Vec::new();
        if let Some(mut account) = self.bindings.get_mut(extension) {
            account.retain_mut(|binding| {
                let Some(ended) = how(binding) else { return true };
                names.append(&mut binding.temporary);
                let (extension, contact) = (extension.clone(), binding.contact.clone());
                out.push(match ended {
                    Ended::Expired => Change::Expired { extension, contact },
                    Ended::Removed => Change::Removed { extension, contact },
                });
                false
            });
        }
        self.forget_names(&names);
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
            return self.reg_id == binding.reg_id;
        }
        // The flows of one phone may share a URI; other phones' never touch them.
        if self.reg_id.is_some() || binding.reg_id.is_some() {
            return false;
        }
        let (Ok(one), Ok(other)) = (Uri::parse(&self.contact), Uri::parse(&binding.contact)) else {
            return self.contact == binding.contact;
        };
        one.is_same(&other)
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
